"""A backup that somebody else wrote: its rows are taken, and nothing that would do something of its own."""

from __future__ import annotations

import sqlite3
import stat
from pathlib import Path

import pytest

from duco_rt.adapters_meta import renew_meta
from duco_rt.clock import SystemClock
from duco_rt.disk.backup_archive import FORMAT, Manifest, Source, chunks, measure
from duco_rt.disk.data_dir import DataDir
from duco_rt.disk.data_version import VERSION
from duco_rt.disk.restore import Fresh, Means, restore_folder, restore_running
from duco_rt.errors import BadInput
from duco_rt.model import Device, ParsingFile
from duco_rt.rights import Credential
from duco_rt.transports.meta_sqlite import SqliteMeta

TOKEN, OTHER = (Credential(letter * 16, "token", "anna", {"duco": "admin"}, letter * 64, 1) for letter in "ab")
SESSION = Credential("c" * 16, "session", "anna", {"duco": "admin"}, "c" * 64, 1, 2**53, TOKEN.id)


async def filled(file: Path, *credentials: Credential) -> None:
    """MetaAPI's data of a system in use."""
    file.parent.mkdir(exist_ok=True)
    meta = SqliteMeta(file)
    await meta.open()
    await meta.put_parsing("p", (ParsingFile("a.dbc", "text"),), "duco")
    await meta.put_device(Device("D1", "duco", "Digger", "p"))
    for n in range(3):
        await meta.put_group("duco", {"groupId": "g", "title": f"title {n}"})
    for credential in credentials:
        await meta.add_credential(credential)
    await meta.seeded()
    await meta.close()


def archived(folder: Path, *statements: str) -> Path:
    """A backup with the folder's database, after somebody changed it."""
    db = sqlite3.connect(folder / "meta.sqlite")
    for statement in statements:
        db.execute(statement)
    db.commit()
    db.close()
    sources = [Source("meta.sqlite", folder / "meta.sqlite")]
    file = folder.with_name("b.tar")
    file.write_bytes(b"".join(chunks(Manifest(FORMAT, VERSION, "0.1.0", 1, (), measure(sources)), sources)))
    return file


async def no_store() -> object:
    """There is no history in it."""
    raise AssertionError


async def bring_in(file: Path, folder: Path, *, replace: bool = False) -> Fresh:
    """Restore it."""
    return await restore_folder(file, folder, Means(no_store, renew_meta), SystemClock(), replace=replace)


FORGED: dict[str, tuple[str, str]] = {
    "a trigger": (
        "CREATE TRIGGER t AFTER INSERT ON devices BEGIN DELETE FROM credentials; END",
        "a trigger 't', which none of duco_rt has",
    ),
    "a view": ("CREATE VIEW v AS SELECT * FROM devices", "a view 'v'"),
    "another table": ("CREATE TABLE mine (a)", "a table 'mine'"),
    "a table that computes": ("CREATE VIRTUAL TABLE mine USING fts5(a)", "a virtual table 'mine'"),
    "a token of no role": ('UPDATE credentials SET grants = \'{"duco":"root"}\'', "a token in it cannot be read"),
    "what is no database": ("", "damaged"),
}


@pytest.mark.parametrize("case", FORGED)
async def test_a_forged_one_touches_nothing(tmp_path: Path, case: str) -> None:
    """A folder in use is as it was, and whole, also where it was to be replaced."""
    statement, words = FORGED[case]
    await filled(tmp_path / "from" / "meta.sqlite", TOKEN)
    if statement:
        file = archived(tmp_path / "from", statement)
    else:
        (tmp_path / "from" / "meta.sqlite").unlink()
        (tmp_path / "from" / "meta.sqlite").write_bytes(b"garbage" * 1000)
        sources = [Source("meta.sqlite", tmp_path / "from" / "meta.sqlite")]
        file = tmp_path / "b.tar"
        file.write_bytes(b"".join(chunks(Manifest(FORMAT, VERSION, "0.1.0", 1, (), measure(sources)), sources)))
    with DataDir(tmp_path / "data"):
        pass
    await filled(tmp_path / "data" / "meta.sqlite", OTHER)
    before = {f.name: f.read_bytes() for f in (tmp_path / "data").iterdir() if f.name != "lock"}
    with pytest.raises(BadInput, match=f"cannot be used; nothing was brought in: .*{words}"):
        await bring_in(file, tmp_path / "data", replace=True)
    assert {f.name: f.read_bytes() for f in (tmp_path / "data").iterdir() if f.name != "lock"} == before
    assert sorted(f.name for f in tmp_path.iterdir()) == ["b.tar", "data", "from"]
    with DataDir(tmp_path / "data"):
        pass


async def test_the_rows_come_into_a_file_of_ours(tmp_path: Path) -> None:
    """As they are, in today's tables, for their owner alone; a browser's session is none of them."""
    await filled(tmp_path / "from" / "meta.sqlite", TOKEN, SESSION)
    file = archived(tmp_path / "from", "CREATE INDEX slow ON groups (body)", "ALTER TABLE devices ADD COLUMN more TEXT")
    assert (await bring_in(file, tmp_path / "data")).aside is None
    kept = tmp_path / "data" / "meta.sqlite"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert sorted(f.name for f in kept.parent.iterdir()) == ["lock", "meta.sqlite", "version"]
    meta = SqliteMeta(kept)
    assert await meta.open() is False, "what a new file starts with does not come again"
    assert await meta.devices() == [Device("D1", "duco", "Digger", "p")]
    assert [group["version"] for group in await meta.groups("duco")] == [3]
    assert await meta.parsing_tenants("p") == ("duco", frozenset({"duco"}))
    assert await meta.credential(TOKEN.id) == TOKEN and await meta.credential(SESSION.id) is None
    names = {row[0] for row in await meta._rows("SELECT name FROM sqlite_master")}
    columns = [row[1] for row in await meta._rows("PRAGMA table_info(devices)")]
    await meta.close()
    assert "slow" not in names and "more" not in columns


async def test_tokens_that_were_not_there_before(tmp_path: Path) -> None:
    """All of them in a new folder; those that the one that moves aside lacks."""
    await filled(tmp_path / "from" / "meta.sqlite", TOKEN, OTHER)
    file = archived(tmp_path / "from")
    fresh = await bring_in(file, tmp_path / "data")
    assert [token.id for token in fresh.tokens] == [TOKEN.id, OTHER.id]
    meta = SqliteMeta(tmp_path / "data" / "meta.sqlite")
    await meta.open()
    await meta.remove_credential(TOKEN.id)
    await meta.close()
    fresh = await bring_in(file, tmp_path / "data", replace=True)
    assert [token.id for token in fresh.tokens] == [TOKEN.id]
    assert fresh.aside is not None and (fresh.aside / "meta.sqlite").exists()


async def test_a_process_takes_no_forged_one(tmp_path: Path) -> None:
    """What it has stays."""
    await filled(tmp_path / "from" / "meta.sqlite", TOKEN)
    file = archived(tmp_path / "from", FORGED["a trigger"][0])
    await filled(tmp_path / "data" / "meta.sqlite", OTHER)
    meta = SqliteMeta(tmp_path / "data" / "meta.sqlite")
    await meta.open()
    (tmp_path / "data" / "restore.part").mkdir()
    file.rename(tmp_path / "data" / "restore.part" / "upload.tar")
    with pytest.raises(BadInput, match="a trigger 't'"):
        await restore_running(tmp_path / "data", meta, None)
    assert [token.id for token in await meta.tokens()] == [OTHER.id]
    await meta.close()
