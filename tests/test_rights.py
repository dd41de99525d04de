"""Roles, tokens' texts, and what is kept of them."""

from __future__ import annotations

import pytest

from duco_rt.rights import (
    ANONYMOUS,
    ROLES,
    Credential,
    Identity,
    Role,
    digest_of,
    read_token,
    token_text,
)

SECRET = "s" * 43
CREDENTIAL = Credential("0123456789abcdef", "token", "anna", {"duco": "viewer"}, digest_of(SECRET), 1_000, 2_000)


def somebody(grants: dict[str, Role]) -> Identity:
    """With these roles."""
    return Identity("anna", "token", grants)


def test_a_role_has_what_those_before_it_have() -> None:
    """In its tenant, and in no other."""
    for held in ROLES[1:4]:
        who = somebody({"duco": held})
        for role in ROLES:
            assert who.may(role, "duco") == (ROLES.index(role) <= ROLES.index(held))
            assert not who.may(role, "other") and not who.may(role)


def test_the_higher_of_two_roles_counts() -> None:
    """That in the tenant, or that in all."""
    who = somebody({"*": "viewer", "duco": "admin", "third": "viewer"})
    assert (who.role_in("duco"), who.role_in("other"), who.role_in("*")) == ("admin", "viewer", "viewer")
    assert who.may("viewer", "anywhere") and not who.may("operator", "anywhere")
    assert who.may_anywhere("admin") and not who.may_anywhere("service")
    assert somebody({"*": "operator", "duco": "viewer"}).role_in("duco") == "operator"
    assert somebody({}).role_in("duco") is None and not somebody({}).may_anywhere("monitor")


def test_who_is_another_process() -> None:
    """Only who has that role in all tenants."""
    assert ANONYMOUS.is_service and somebody({"*": "service"}).is_service
    assert not somebody({"*": "admin"}).is_service and not somebody({"duco": "service"}).is_service


def test_a_secret_is_known_by_its_digest() -> None:
    """And is not kept."""
    assert CREDENTIAL.is_secret(SECRET) and not CREDENTIAL.is_secret(SECRET[:-1] + "t")
    assert SECRET not in repr(CREDENTIAL)


def test_when_its_time_is_over() -> None:
    """From that ms on; without an end never."""
    assert [CREDENTIAL.is_expired(ms) for ms in (1_999, 2_000)] == [False, True]
    endless = Credential("0" * 16, "token", "x", {}, "", 0)
    assert not endless.is_expired(1 << 60)


def test_a_tokens_text() -> None:
    """Comes back as it was put together."""
    text = token_text(CREDENTIAL.id, SECRET)
    assert text == "duco_0123456789abcdef_" + SECRET
    assert read_token(text) == (CREDENTIAL.id, SECRET)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "duco_0123456789abcdef_",
        "duco_0123456789ABCDEF_" + SECRET,
        "duco_0123456789abcdef_" + SECRET + "s",
        "duco_0123456789abcdef_" + SECRET + "\n",
        "duco_0123456789abcdef_" + "ü" * 43,
        " duco_0123456789abcdef_" + SECRET,
        "x" * 100_000,
    ],
)
def test_what_is_no_token(text: str) -> None:
    """Nothing of it is taken."""
    assert read_token(text) is None
