"""Whose parsings, devices and readings are: nobody gets at another tenant's, nor learns that it is there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from duco_rt.config import MetaStore, Web
from duco_rt.model import Device, ParsingFile
from duco_rt.rights import Identity, Role
from duco_rt.web.access.owners import Ownership, tenants_administered
from tests.web.conftest import Site, is_error
from tests.web.test_metaapi import DBC, FILES

API = "/api/metaapi"


def somebody(**grants: Role) -> Identity:
    """With these roles; `all` stands for `*`."""
    return Identity("x", "token", {"*" if tenant == "all" else tenant: role for tenant, role in grants.items()})


NOBODYS, OF_A, SHARED = Ownership(None, frozenset()), Ownership("a", frozenset({"a"})), Ownership("a", frozenset("ab"))
USED_BY_B = Ownership(None, frozenset({"b"}))

CASES: dict[str, tuple[Ownership, Identity, tuple[bool, bool, bool]]] = {
    "its viewer": (OF_A, somebody(a="viewer"), (True, True, False)),
    "its admin": (OF_A, somebody(a="admin"), (True, True, True)),
    "a stranger": (OF_A, somebody(b="admin"), (False, False, False)),
    "who shares it": (SHARED, somebody(b="admin"), (True, True, False)),
    "whose it is, shared": (SHARED, somebody(a="admin"), (True, True, True)),
    "nobody's": (NOBODYS, somebody(b="admin"), (True, True, False)),
    "nobody's, in use by others": (USED_BY_B, somebody(a="admin"), (False, False, False)),
    "nobody's, in use by its own": (USED_BY_B, somebody(b="admin"), (True, True, False)),
    "all": (OF_A, somebody(all="admin"), (True, True, True)),
    "who sees all": (OF_A, somebody(all="viewer"), (True, True, False)),
    "another process": (USED_BY_B, somebody(all="service"), (True, True, True)),
    "a monitor": (OF_A, somebody(all="monitor"), (False, True, False)),
}
"""May who asks read it, use it in the tenant that it is of, and change it."""


@pytest.mark.parametrize("case", CASES)
def test_who_may(case: str) -> None:
    """Read, use and change."""
    whose, asker, expected = CASES[case]
    tenant = "b" if "b" in asker.grants else "a"
    assert (whose.may_read(asker), whose.may_use(asker, tenant), whose.may_change(asker)) == expected


def test_whose_admin_shares_it() -> None:
    """With another tenant that is its own as well."""
    both = somebody(a="admin", b="admin")
    assert OF_A.may_use(both, "b") and not OF_A.may_use(somebody(a="viewer", b="admin"), "b")
    assert tenants_administered(somebody(b="admin", a="admin", c="viewer")) == ["a", "b"]


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    """With tokens: tenants duco (the demo's) and other."""
    async with Site(tmp_path, Web(port=0, auth="tokens")).running() as running:
        yield running


async def put_parsing(site: Site, name: str, who: dict[str, str], query: str = "", **change: Any) -> tuple[int, Any]:
    """The answer."""
    files = [{**FILES[0], **change}]
    return await site.ask("PUT", f"{API}/parsings/{name}{query}", {"files": files}, headers=who)


@pytest.mark.servers
async def test_a_device_of_somebody_else_is_not_taken(site: Site) -> None:
    """Not replaced, not moved away, not given to others; not even by who is admin where it would go."""
    other = await site.token("other", other="admin")
    both = await site.token("both", other="admin", duco="viewer")
    place = f"{API}/devices/DUCO_001"
    before = await site.meta.device("DUCO_001")
    assert is_error(await site.ask("PUT", place, {"tenant": "other"}, headers=other), 403, "forbidden")
    assert is_error(await site.ask("PUT", place, {"tenant": "other"}, headers=both), 403, "forbidden")
    assert is_error(await site.ask("PUT", place, {"tenant": "duco"}, headers=other), 404, "not_found")
    assert is_error(await site.ask("DELETE", place, headers=other), 404, "not_found")
    assert is_error(await site.ask("DELETE", place, headers=both), 403, "forbidden")
    assert await site.meta.device("DUCO_001") == before
    own = f"{API}/devices/OWN"
    await site.meta.put_device(Device("OWN", "other", ""))
    assert (await site.ask("PUT", own, {"tenant": "other", "name": "Our own"}, headers=other))[0] == 200
    answer = await site.ask("PUT", own, {"tenant": "duco"}, headers=other)
    assert is_error(answer, 404, "not_found") and "tenant 'duco'" in str(answer)
    assert is_error(await site.ask("PUT", own, {"tenant": "nowhere"}, headers=other), 404, "not_found")
    assert (await site.meta.device("OWN")).tenant == "other"


async def put_text(site: Site, device: str, who: dict[str, str], **body: Any) -> tuple[int, dict[str, str], bytes]:
    """The whole answer to `PUT devices/…`, but its date."""
    async with site.session.put(f"{API}/devices/{device}", json=body, headers=who) as response:
        headers = {name: value for name, value in response.headers.items() if name != "Date"}
        return response.status, headers, await response.read()


@pytest.mark.servers
async def test_who_is_first_does_not_take_a_machine(site: Site) -> None:
    """Who may everything adds it. A tenant's admin is told whom to ask: the very same of an unknown one, of another
    tenant's, and of one that was removed, whatever else is wrong with the question."""
    other = await site.token("other", other="admin")
    await site.meta.put_device(Device("GONE_001", "duco", ""))
    await site.meta.remove_device("GONE_001")
    for more in ({}, {"parsing": "demo"}, {"parsing": "nowhere"}):
        told = [await put_text(site, name, other, tenant="other", **more) for name in ("DUCO_001", "GONE_001", "NEW_1")]
        assert told[0] == told[1] == told[2]
        assert told[0][0] == 403 and b"role admin in all tenants" in told[0][2]
        assert b"meta.tenants_add_devices" in told[0][2] and b"duco_rt device add" in told[0][2]
    assert len(await site.meta.devices()) == 2
    every = await site.token("every", {"*": "admin"})
    for name in ("NEW_1", "GONE_001"):
        assert (await put_text(site, name, every, tenant="other"))[0] == 200
    assert (await put_text(site, "NEW_1", other, tenant="other", name="Ours"))[0] == 200


@pytest.mark.servers
async def test_where_tenants_add_machines(tmp_path: Path) -> None:
    """They add what nobody has or had; another tenant's is refused as one that was its, which `*` may still move."""
    opened = Site(tmp_path, Web(port=0, auth="tokens"))
    opened.meta_config = MetaStore(tenants_add_devices=True)
    async with opened.running() as site:
        other, duco = await site.token("other", other="admin"), await site.token("duco", duco="admin")
        await site.meta.put_device(Device("GONE_001", "duco", ""))
        assert (await site.ask("DELETE", f"{API}/devices/GONE_001", headers=duco))[0] == 200
        told = [await put_text(site, name, other, tenant="other") for name in ("DUCO_001", "GONE_001")]
        assert told[0][0] == 409 and told[0][2].replace(b"DUCO_001", b"GONE_001") == told[1][2]
        assert b"device 'GONE_001' cannot be used" in told[1][2] and told[0][1] == told[1][1]
        assert (await put_text(site, "NEW_1", other, tenant="other"))[0] == 200
        assert (await put_text(site, "NEW_1", duco, tenant="duco"))[0] == 409
        assert (await put_text(site, "GONE_001", duco, tenant="duco"))[0] == 200
        both = await site.token("both", duco="viewer", other="admin")
        assert (await put_text(site, "DUCO_001", both, tenant="other"))[0] == 403
        await site.meta.remove_device("GONE_001")
        every = await site.token("every", {"*": "admin"})
        assert (await put_text(site, "GONE_001", every, tenant="other"))[0] == 200
        assert (await site.meta.device("DUCO_001")).tenant == "duco"


@pytest.mark.servers
async def test_who_is_admin_in_both_moves_a_device(site: Site) -> None:
    """With a parsing that is known there."""
    both = await site.token("both", other="admin", duco="admin")
    body = {"tenant": "other", "parsing": "demo"}
    assert (await site.ask("PUT", f"{API}/devices/DUCO_001", body, headers=both))[0] == 200
    assert (await site.meta.device("DUCO_001")).tenant == "other"


@pytest.mark.servers
async def test_a_parsing_of_somebody_else_is_not_there(site: Site) -> None:
    """Not read, not used, not changed, in any version; the answers are those to a name that nobody has."""
    other = await site.token("other", other="admin")
    await site.meta.put_device(Device("OWN", "other", ""))
    for name in ("demo", "nowhere"):
        unknown = (404, {"error": {"code": "not_found", "message": f"parsing {name!r} is not known"}})
        assert await site.ask("GET", f"{API}/parsings/{name}", headers=other) == unknown
        body = {"tenant": "other", "parsing": name}
        assert await site.ask("PUT", f"{API}/devices/OWN", body, headers=other) == unknown
        version = await site.ask("GET", f"{API}/parsings/{name}?version=7", headers=other)
        assert version[1]["error"]["message"] == f"parsing {name!r} version 7 is not known"
    answer = await put_parsing(site, "demo", other)
    assert is_error(answer, 409, "conflict") and "this name cannot be used" in str(answer)
    assert (await site.meta.parsing("demo")).version == 1
    async with site.session.get(f"{API}/parsings/demo", headers={**other, "If-None-Match": "*"}) as response:
        assert response.status == 404 and "ETag" not in response.headers


@pytest.mark.servers
async def test_a_new_parsing_is_its_makers_tenants(site: Site) -> None:
    """Of the only one, or the one that is named."""
    other = await site.token("other", other="admin", duco="viewer")
    both = await site.token("both", other="admin", duco="admin")
    every = await site.token("every", {"*": "admin"})
    assert (await put_parsing(site, "p", other))[0] == 200
    assert await site.meta.parsing_tenants("p") == ("other", frozenset())
    refused = await put_parsing(site, "q", both)
    assert is_error(refused, 400, "bad_request") and "duco, other" in str(refused)
    assert is_error(await put_parsing(site, "q", other, "?tenant=duco"), 403, "forbidden")
    assert is_error(await put_parsing(site, "q", other, "?tenant=third"), 404, "not_found")
    assert is_error(await put_parsing(site, "q", every, "?tenant=a.b"), 400, "bad_request")
    assert (await put_parsing(site, "q", both, "?tenant=duco"))[0] == 200
    assert (await put_parsing(site, "r", every))[0] == 200
    assert (await put_parsing(site, "s", every, "?tenant=third"))[0] == 200
    owners = [(await site.meta.parsing_tenants(name))[0] for name in "pqrs"]
    assert owners == ["other", "duco", None, "third"]


@pytest.mark.servers
async def test_a_shared_parsing_is_changed_by_its_owner(site: Site) -> None:
    """Who only uses it may read it."""
    await site.meta.put_device(Device("THEIRS", "other", "", "demo"))
    other, duco = await site.token("other", other="admin"), await site.token("duco", duco="admin")
    every = await site.token("every", {"*": "admin"})
    assert (await site.ask("GET", f"{API}/parsings/demo", headers=other))[0] == 200
    assert is_error(await put_parsing(site, "demo", other), 403, "forbidden")
    assert (await put_parsing(site, "demo", duco))[1]["version"] == 2
    assert (await put_parsing(site, "demo", every, bus=None))[1]["version"] == 3
    assert (await site.meta.parsing_tenants("demo"))[0] == "duco"
    operator = await site.token("operator", duco="operator")
    assert is_error(await put_parsing(site, "demo", operator), 403, "forbidden")


@pytest.mark.servers
async def test_what_is_nobodys_is_changed_by_who_may_everything(site: Site) -> None:
    """It is read by all as long as nobody else uses it."""
    await site.meta.put_parsing("free", [ParsingFile("a.dbc", DBC)])
    other = await site.token("other", other="admin")
    assert (await site.ask("GET", f"{API}/parsings/free", headers=other))[0] == 200
    assert is_error(await put_parsing(site, "free", other), 403, "forbidden")
    await site.meta.put_device(Device("DUCO_001", "duco", "", "free"))
    assert is_error(await site.ask("GET", f"{API}/parsings/free", headers=other), 404, "not_found")
    assert is_error(await put_parsing(site, "free", other), 409, "conflict")


@pytest.mark.servers
async def test_lists_name_a_tenant(site: Site) -> None:
    """Without one they are of all, and for who may see all."""
    other = await site.token("other", other="admin")
    for place in ("devices", "presence", "tokens"):
        answer = await site.ask("GET", f"{API}/{place}", headers=other)
        assert is_error(answer, 403, "forbidden") and "?tenant=" in str(answer)
    found = await site.ask("GET", f"{API}/devices?tenant=other", headers=other)
    assert found == (200, [])
    every = await site.token("every", {"*": "viewer"})
    assert len((await site.ask("GET", f"{API}/devices", headers=every))[1]) == 2


@pytest.mark.servers
async def test_two_who_claim_a_name_at_once(site: Site) -> None:
    """One has it, and the other's text is in no version of it."""
    people = [await site.token(name, {name: "admin"}) for name in ("one", "two")]
    texts = [DBC.replace("Key", f"Key{n}") for n in range(2)]
    answers = await asyncio.gather(
        *(put_parsing(site, "p", who, text=text) for who, text in zip(people, texts, strict=True))
    )
    assert sorted(answer[0] for answer in answers) == [200, 409]
    winner = [answer[0] for answer in answers].index(200)
    found = await site.meta.parsing("p")
    assert (found.version, found.files[0].text) == (1, texts[winner])
    assert (await site.meta.parsing_tenants("p"))[0] == ("one", "two")[winner]


@pytest.mark.servers
async def test_reading_again_is_for_the_machines_admin(site: Site) -> None:
    """In its tenant."""
    body = {"device": "DUCO_001", "from": 0, "to": 1}
    for role, status in (("operator", 403), ("admin", 200)):
        who = await site.token(role, {"duco": role})  # type: ignore[dict-item]  # a role
        async with site.session.post("/api/reparse", json=body, headers=who) as response:
            assert response.status == status
    both = await site.token("both", duco="viewer", other="admin")
    assert is_error(await site.ask("POST", "/api/reparse", body, headers=both), 403, "forbidden")
