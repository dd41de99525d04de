"""Tokens and sessions in the meta database: over restarts, within their bounds, and never a secret."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from duco_rt.errors import Conflict
from duco_rt.model import Device, ParsingFile
from duco_rt.rights import Grants, read_token
from duco_rt.transports import meta_sqlite_credentials
from duco_rt.transports.meta_sqlite import SqliteMeta
from duco_rt.web.access.tokens import mint
from tests.contracts.test_credentials import LATER_MS, NOW_MS, session, token

FILES = (ParsingFile("a.dbc", "text", None),)


@pytest.fixture
async def meta(tmp_path: Path) -> AsyncIterator[SqliteMeta]:
    """An empty file."""
    opened = SqliteMeta(tmp_path / "meta.sqlite")
    await opened.open()
    yield opened
    await opened.close()


async def test_they_outlive_the_process(tmp_path: Path) -> None:
    """And nothing of the secret is in the file."""
    first = SqliteMeta(tmp_path / "meta.sqlite")
    await first.open()
    kept, text = mint("token", "anna", {"duco": "admin"}, NOW_MS, None)
    await first.add_credential(kept)
    await first.close()
    found = read_token(text)
    assert found is not None
    for file in tmp_path.iterdir():
        assert found[1].encode() not in file.read_bytes()
    second = SqliteMeta(tmp_path / "meta.sqlite")
    await second.open()
    assert await second.credential(kept.id) == kept
    assert kept.is_secret(found[1]) and not kept.is_secret(found[1][::-1])
    await second.close()


async def test_bounds(meta: SqliteMeta, monkeypatch: pytest.MonkeyPatch) -> None:
    """One token too many is refused; of sessions the one goes that would end first, of the token's own or of all."""
    for name, most in {"TOKENS_MAX": 2, "SESSIONS_MAX": 4, "SESSIONS_TOKEN_MAX": 2}.items():
        monkeypatch.setattr(meta_sqlite_credentials, name, most)
    mine = token("anna")
    await meta.add_credential(mine)
    await meta.add_credential(token("otto"))
    with pytest.raises(Conflict, match="2 tokens"):
        await meta.add_credential(token("one more"))
    own = [session(mine.id, LATER_MS + n) for n in (2, 0, 1)]
    free = [session(None, LATER_MS + n) for n in (5, 4, 6)]
    for each in (*own, *free):
        await meta.add_credential(each)
    left = [each for each in (*own, *free) if await meta.credential(each.id) is not None]
    assert left == [own[0], *free]
    assert len(await meta.tokens()) == 2


async def test_one_tenant_takes_no_room_of_another(meta: SqliteMeta, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own tokens are bounded, and those in all tenants; the error says which."""
    monkeypatch.setattr(meta_sqlite_credentials, "TOKENS_TENANT_MAX", 2)
    every: Grants = {"*": "viewer"}
    duco: Grants = {"duco": "viewer"}
    both: Grants = {"duco": "admin", "other": "viewer"}
    for grants in (duco, both, every, every):
        await meta.add_credential(token("x", grants=grants))
    for tenant in ("duco", "*"):
        with pytest.raises(Conflict, match=re.escape(f"tenant '{tenant}' has 2 tokens")):
            await meta.add_credential(token("x", grants={tenant: "viewer", "third": "viewer"}))
    await meta.add_credential(token("x", grants={"other": "viewer", "third": "viewer"}))
    assert len(await meta.tokens()) == 5


async def test_a_user_without_a_token_takes_no_room_of_others(
    meta: SqliteMeta, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of sessions of one name the one goes that would end first."""
    monkeypatch.setattr(meta_sqlite_credentials, "SESSIONS_USER_MAX", 2)
    mine = token("anna")
    await meta.add_credential(mine)
    otto = msgspec.structs.replace(session(None), name="otto")
    of_token = session(mine.id)
    own = [session(None, LATER_MS + n) for n in (1, 0, 2)]
    for each in (otto, of_token, *own):
        await meta.add_credential(each)
    left = [each for each in (otto, of_token, *own) if await meta.credential(each.id) is not None]
    assert left == [otto, of_token, own[0], own[2]]


async def test_whose_parsings_of_an_older_release_are(tmp_path: Path) -> None:
    """The tenant's whose devices alone have it, found out once; a later one is its owner's."""
    meta = SqliteMeta(tmp_path / "meta.sqlite")
    await meta.open()
    for name, tenants in {"one": "aa", "two": "ab", "none": ""}.items():
        await meta.put_parsing(name, FILES)
        for n, tenant in enumerate(tenants):
            await meta.put_device(Device(f"{name}{n}", tenant, "", name))
    await meta.put_device(Device("without", "a", "", None))
    await meta.close()
    db = sqlite3.connect(tmp_path / "meta.sqlite")
    with db:
        db.execute("DROP TABLE parsing_owners")
        db.execute("DROP TABLE credentials")
    db.close()
    for _ in range(2):
        meta = SqliteMeta(tmp_path / "meta.sqlite")
        await meta.open()
        owners = {name: (await meta.parsing_tenants(name))[0] for name in ("one", "two", "none")}
        assert owners == {"one": "a", "two": None, "none": None}
        await meta.add_credential(token("anna"))
        await meta.remove_device("two1")  # now tenant a alone has it: that gives it to nobody
        await meta.put_device(Device("two1", "a", "", None))
        await meta.close()


async def test_of_many_who_put_a_parsing_at_once_one_owns_it(meta: SqliteMeta) -> None:
    """The one who was first, and all versions are kept."""
    puts = [meta.put_parsing("p", (ParsingFile("a.dbc", str(n), None),), f"t{n}") for n in range(20)]
    versions = [parsing.version for parsing in await asyncio.gather(*puts)]
    assert sorted(versions) == list(range(1, 21))
    assert (await meta.parsing_tenants("p"))[0] == f"t{versions.index(1)}"


async def test_a_row_is_never_shown_in_part(meta: SqliteMeta) -> None:
    """A listed token cannot be taken for one whose secret could be checked."""
    kept, text = mint("token", "anna", {"duco": "viewer"}, NOW_MS, None)
    await meta.add_credential(kept)
    (listed,) = await meta.tokens()
    found = read_token(text)
    assert found is not None and not listed.is_secret(found[1])
    assert listed == msgspec.structs.replace(kept, digest="")
