"""What every keeper of tokens and sessions promises, and whose a parsing is, on every adapter."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from types import MappingProxyType

import msgspec
import pytest

from duco_rt.errors import BadRequest, Conflict, NotFound
from duco_rt.model import Device, ParsingFile
from duco_rt.rights import Credential, Grants
from duco_rt.transports.base_data import Meta
from duco_rt.web.access.tokens import mint
from tests.contracts.test_meta import ADAPTERS, FIRST, SECOND

NOW_MS = round(time.time() * 1000)
LATER_MS = NOW_MS + 3_600_000


@pytest.fixture(params=["sqlite", pytest.param("http", marks=pytest.mark.servers)])
async def meta(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Meta]:
    """Empty data of the adapter."""
    async with AsyncExitStack() as stack:
        opened = await ADAPTERS[request.param](tmp_path, stack)
        yield opened
        await opened.close()


def token(
    name: str, created_ms: int = NOW_MS, expires_ms: int | None = None, grants: Grants = MappingProxyType({})
) -> Credential:
    """A token that is not kept yet, by default a viewer's."""
    return mint("token", name, grants or {"duco": "viewer"}, created_ms, expires_ms)[0]


def session(parent: str | None, expires_ms: int | None = LATER_MS) -> Credential:
    """A session that is not kept yet."""
    return mint("session", "anna", {"duco": "viewer"}, NOW_MS, expires_ms, parent)[0]


async def test_tokens_come_and_go(meta: Meta) -> None:
    """Kept as they were, over or not; listed oldest first, without what checks their secret."""
    second, first = token("Ünna", NOW_MS + 1), token("otto", NOW_MS, NOW_MS - 1, {"duco": "admin", "other": "viewer"})
    service = token("studio", NOW_MS + 2, None, {"*": "service"})
    for each in (second, first, service):
        await meta.add_credential(each)
    for each in (first, second, service):
        assert await meta.credential(each.id) == each
    listed = [msgspec.structs.replace(each, digest="") for each in (first, second, service)]
    assert await meta.tokens() == listed
    await meta.remove_credential(first.id)
    assert await meta.tokens() == listed[1:]
    assert await meta.credential(first.id) is None
    for unknown in (first.id, "0" * 16, "nonsense", "a/b"):
        assert await meta.credential(unknown) is None
        with pytest.raises(NotFound):
            await meta.remove_credential(unknown)


async def test_an_id_is_taken_once(meta: Meta) -> None:
    """The one that is there stays."""
    kept = token("anna")
    await meta.add_credential(kept)
    other = msgspec.structs.replace(token("otto"), id=kept.id)
    for again in (kept, other, msgspec.structs.replace(session(None), id=kept.id)):
        with pytest.raises(Conflict):
            await meta.add_credential(again)
    assert await meta.credential(kept.id) == kept


async def test_sessions_end_with_their_token(meta: Meta) -> None:
    """Those that it opened, no others; none can be opened with one that was taken back."""
    mine, others = token("anna"), token("otto")
    for each in (mine, others):
        await meta.add_credential(each)
    sessions = [session(mine.id), session(mine.id), session(others.id), session(None)]
    for each in sessions:
        await meta.add_credential(each)
        assert await meta.credential(each.id) == each
    assert len(await meta.tokens()) == 2
    await meta.remove_credential(sessions[0].id)
    assert await meta.credential(mine.id) == mine
    await meta.remove_credential(mine.id)
    found = [await meta.credential(each.id) for each in sessions]
    assert found == [None, None, *sessions[2:]]
    with pytest.raises(NotFound, match=mine.id):
        await meta.add_credential(session(mine.id))


async def test_sessions_that_are_over_go(meta: Meta) -> None:
    """When the next one comes; tokens that are over stay, so that somebody sees why they are refused."""
    old, mine = token("old", expires_ms=NOW_MS - 1), token("anna")
    over, good, endless = session(None, NOW_MS - 1), session(None), session(None, None)
    for each in (old, mine, over, good, endless):
        await meta.add_credential(each)
    await meta.add_credential(session(mine.id))
    assert await meta.credential(over.id) is None
    for each in (old, good, endless):
        assert await meta.credential(each.id) == each


async def test_sessions_are_listed(meta: Meta) -> None:
    """Newest first, of all or with a role in a tenant, without what checks their secret; tokens are not among them."""
    mine = token("anna")
    await meta.add_credential(mine)
    first, second = session(mine.id), msgspec.structs.replace(session(None), created_ms=NOW_MS + 1)
    third = msgspec.structs.replace(session(None), created_ms=NOW_MS + 2, grants={"other": "admin", "third": "viewer"})
    for each in (second, third, first):
        await meta.add_credential(each)
    seen = [msgspec.structs.replace(each, digest="", parent=None) for each in (third, second, first)]

    async def listed(tenant: str | None) -> list[Credential]:
        return [msgspec.structs.replace(each, parent=None) for each in await meta.sessions(tenant)]

    assert await listed(None) == seen
    assert await listed("duco") == seen[1:]
    assert await listed("nobody") == []


async def test_one_role_is_taken_out(meta: Meta) -> None:
    """Of a token and of its sessions; where that was the last one it goes, and nothing else changes."""
    both, other = token("both", grants={"duco": "viewer", "other": "admin"}), token("other")
    for each in (both, other):
        await meta.add_credential(each)
    narrow = session(both.id)
    wide = msgspec.structs.replace(session(both.id), grants=dict(both.grants))
    free = session(None)
    for each in (narrow, wide, free):
        await meta.add_credential(each)
    for credential_id, tenant in ((both.id, "third"), ("0" * 16, "duco"), (other.id, "other")):
        with pytest.raises(NotFound, match=credential_id):
            await meta.remove_grant(credential_id, tenant)
    await meta.remove_grant(both.id, "duco")
    assert await meta.credential(both.id) == msgspec.structs.replace(both, grants={"other": "admin"})
    assert await meta.credential(wide.id) == msgspec.structs.replace(wide, grants={"other": "admin"})
    assert await meta.credential(narrow.id) is None
    for each in (other, free):
        assert await meta.credential(each.id) == each
    await meta.remove_grant(both.id, "other")
    await meta.remove_grant(free.id, "duco")
    assert [await meta.credential(each.id) for each in (both, wide, free)] == [None, None, None]
    assert await meta.credential(other.id) == other


async def test_many_at_once(meta: Meta) -> None:
    """Each is kept."""
    tokens = [token(str(n), NOW_MS + n) for n in range(50)]
    await asyncio.gather(*(meta.add_credential(each) for each in tokens))
    assert [each.id for each in await meta.tokens()] == [each.id for each in tokens]


async def test_whose_a_parsing_is(meta: Meta) -> None:
    """The first one's who put it there, or nobody's, whoever changes it; and the tenants of its devices."""
    await meta.put_parsing("p", FIRST, "duco")
    assert await meta.parsing_tenants("p") == ("duco", frozenset())
    await meta.put_parsing("p", SECOND, "other")
    assert (await meta.put_parsing("p", SECOND)).version == 2
    await meta.put_parsing("free", FIRST)
    await meta.put_parsing("free", SECOND, "other")
    for chassis_id, tenant, parsing in (("D1", "a", "p"), ("D2", "a", "p"), ("D3", "b", "p"), ("D4", "c", None)):
        await meta.put_device(Device(chassis_id, tenant, "", parsing))
    assert await meta.parsing_tenants("p") == ("duco", frozenset({"a", "b"}))
    assert await meta.parsing_tenants("free") == (None, frozenset())
    await meta.remove_device("D3")
    assert await meta.parsing_tenants("p") == ("duco", frozenset({"a"}))
    with pytest.raises(NotFound, match="'gone'"):
        await meta.parsing_tenants("gone")
    for owner in ("", "a b", "*", "x" * 65):
        with pytest.raises(BadRequest):
            await meta.put_parsing("q", [ParsingFile("a.dbc", FIRST[1].text)], owner)
    with pytest.raises(NotFound):
        await meta.parsing("q")
