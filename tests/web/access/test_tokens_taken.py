"""What an admin ends of others: sessions of browsers, and the role in its tenant of a token with roles elsewhere."""

from __future__ import annotations

from typing import Any

import pytest
from structlog.testing import capture_logs

from duco_rt.rights import Role
from duco_rt.web.access.tokens import mint
from tests.web.access.test_tokens import DAY_MS, KEY, TOKENS, Place, place
from tests.web.conftest import NOW_MS, is_error

__all__ = ["place"]

pytestmark = pytest.mark.servers


async def signed_in(place: Place, name: str, parent: str | None = None, ends_ms: int = DAY_MS, **grants: Role) -> str:
    """The id of a new session."""
    place.clock.now_s += 0.001
    kept, _ = mint("session", name, grants, place.clock.wall_ms(), NOW_MS + ends_ms, parent)
    await place.meta.add_credential(kept)
    return kept.id


async def sessions(place: Place, bearer: str, tenant: str | None = None) -> list[dict[str, Any]]:
    """What one sees."""
    query = "?kind=session" + (f"&tenant={tenant}" if tenant else "")
    status, found = await place.ask("GET", TOKENS + query, bearer)
    assert status == 200, found
    rows: list[dict[str, Any]] = found["tokens"]
    assert all(set(row) == {"id", "name", "grants", "created", "expires"} for row in rows)
    return rows


async def test_sessions_are_seen_and_ended(place: Place) -> None:
    """By who could have given what they may; to everybody else they are not there. Newest first, without those that are
    over."""
    _, duco = await place.make(KEY, "duco", duco="admin")
    _, every = await place.make(KEY, "every", **{"*": "admin"})
    anna = await signed_in(place, "anna", duco="viewer")
    both = await signed_in(place, "both", duco="viewer", other="admin")
    foreign = await signed_in(place, "foreign", other="viewer")
    await signed_in(place, "over", ends_ms=0, duco="viewer")
    assert [row["id"] for row in await sessions(place, every)] == [foreign, both, anna]
    seen = await sessions(place, duco, "duco")
    assert [(row["id"], row["grants"]) for row in seen] == [(both, {"duco": "viewer"}), (anna, {"duco": "viewer"})]
    assert seen[1] | {"created": 0} == {
        "id": anna, "name": "anna", "grants": {"duco": "viewer"}, "created": 0, "expires": NOW_MS + DAY_MS,
    }  # fmt: skip
    assert is_error(await place.ask("GET", f"{TOKENS}?kind=session", duco), 403, "forbidden")
    assert is_error(await place.ask("GET", f"{TOKENS}?kind=session&tenant=other", duco), 404, "not_found")
    assert is_error(await place.ask("GET", f"{TOKENS}?kind=jwt&tenant=duco", duco), 400, "bad_request")
    for hidden in (both, foreign):
        assert is_error(await place.ask("DELETE", f"{TOKENS}/{hidden}", duco), 404, "not_found")
    assert await place.ask("DELETE", f"{TOKENS}/{anna}", duco) == (200, {})
    assert await place.meta.credential(anna) is None
    assert [row["id"] for row in await sessions(place, every)] == [foreign, both]
    assert [name for name, _ in await place.listed(every)] == ["duco", "every"]


async def test_a_role_in_one_tenant_is_taken_out(place: Place) -> None:
    """By that one's admin, of a token that is not its to take back; at once, of its sessions too, and in the audit log.
    What has no role left is gone."""
    _, duco = await place.make(KEY, "duco", duco="admin")
    _, other = await place.make(KEY, "other", other="admin")
    both, text = await place.make(KEY, "both", duco="admin", other="admin")
    session = await signed_in(place, "both", both, duco="admin", other="admin")
    one = f"{TOKENS}/{both}"
    assert await place.listed(text, "duco")
    for query in ("", "?tenant=other", "?tenant=third", "?tenant=*", "?tenant="):
        answer = await place.ask("DELETE", one + query, duco)
        assert answer == (404, {"error": {"code": "not_found", "message": f"token '{both}' is not known"}}), query
    with capture_logs() as lines:
        assert await place.ask("DELETE", f"{one}?tenant=duco", duco) == (200, {})
    (line,) = [line for line in lines if line["event"] == "audit"]
    assert (line["result"], line["tenant"], line["token_id"]) == ("done", "duco", both)
    assert is_error(await place.ask("GET", f"{TOKENS}?tenant=duco", text), 404, "not_found")
    assert ("both", {"other": "admin"}) in await place.listed(text, "other")
    kept = await place.meta.credential(session)
    assert kept is not None and kept.grants == {"other": "admin"}
    assert is_error(await place.ask("DELETE", f"{one}?tenant=duco", duco), 404, "not_found")
    assert await place.ask("DELETE", f"{one}?tenant=other", other) == (200, {})
    assert [await place.meta.credential(each) for each in (both, session)] == [None, None]
    assert is_error(await place.ask("GET", f"{TOKENS}?tenant=other", text), 401, "unauthorized")


async def test_what_is_open_ends_with_the_role(place: Place) -> None:
    """Whoever was let in with other roles is looked at again."""
    both, text = await place.make(KEY, "both", duco="viewer", other="viewer")
    identity = await place.authentication.of_bearer(text)
    assert await place.authentication.is_good(identity)
    await place.ask("DELETE", f"{TOKENS}/{both}?tenant=duco", KEY)
    assert not await place.authentication.is_good(identity)
    assert await place.authentication.is_good(await place.authentication.of_bearer(text))
