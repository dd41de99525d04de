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
