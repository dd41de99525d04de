"""A backup's database takes the place of what is in use, and nothing that was given out means something else then."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from duco_rt.disk.sqlite_health import snapshot
from duco_rt.errors import ConfigError, GroupChanged, NotFound
from duco_rt.model import Command, Device, MethodResult, ParsingFile
from duco_rt.rights import Credential
from duco_rt.transports.meta_sqlite import SqliteMeta

FILES = [(ParsingFile("a.dbc", f"text {n}"),) for n in range(6)]
TOKEN, LATER = (Credential(letter * 16, "token", "anna", {"duco": "viewer"}, letter * 64, 1) for letter in "ab")


def session(letter: str, parent: str | None) -> Credential:
    """A browser's."""
    return Credential(letter * 16, "session", "anna", {"duco": "viewer"}, letter * 64, 1, 2**53, parent)


def command(number: int, device: str = "D1") -> Command:
    """One that acted."""
    answer = MethodResult(200, {"n": number})
    return Command(
        chassis_id=device, command_id=f"c{number}", action="start", reason="", who="anna", state="leased",
        queued_ms=number, answer=answer,
    )  # fmt: skip


@pytest.fixture
async def meta(tmp_path: Path) -> AsyncIterator[SqliteMeta]:
    """A file in use, and `backup.sqlite` of an earlier time."""
    opened = SqliteMeta(tmp_path / "meta.sqlite")
    await opened.open()
    for files in FILES[:2]:
        await opened.put_parsing("p", files, "duco")
    await opened.put_parsing("same", FILES[0])
    for n in (1, 2):
        await opened.put_device(Device(f"D{n}", "duco", f"Digger {n}", "p"))
    for name in ("changed", "removed", "same"):
        await opened.put_group("duco", {"groupId": name, "title": "old"})
    await opened.add_credential(TOKEN)
    await opened.note_commands([command(1), command(2)])
    snapshot(tmp_path / "meta.sqlite", tmp_path / "backup.sqlite")
    yield opened
    await opened.close()


async def go_on(meta: SqliteMeta) -> None:
    """What happens after the backup."""
    for files in (FILES[2], FILES[3]):
        await meta.put_parsing("p", files)
    await meta.note_commands([command(3), command(2)])
    await meta.put_parsing("new", FILES[4], "duco")
    await meta.put_device(Device("D1", "other", "Loader", "new"))
    await meta.put_device(Device("D3", "duco", "Digger 3"))
    await meta.remove_device("D2")
    for _ in range(3):
        await meta.put_group("duco", {"groupId": "changed", "title": "new"})
    await meta.remove_group("duco", "removed")
    await meta.put_group("duco", {"groupId": "added", "title": "new"})
    await meta.remove_credential(TOKEN.id)
    await meta.add_credential(LATER)
    for credential in (session("c", LATER.id), session("d", None)):
        await meta.add_credential(credential)
    await meta.note_commands([command(2)])  # of the other tenant


async def test_devices_groups_and_tokens_are_those_of_the_backup(meta: SqliteMeta, tmp_path: Path) -> None:
    """And it says how many there are."""
    await go_on(meta)
    counts = await meta.restore(tmp_path / "backup.sqlite")
    assert counts == {"devices": 2, "parsings": 3, "groups": 3, "tokens": 1}
    assert await meta.devices() == [Device(f"D{n}", "duco", f"Digger {n}", "p") for n in (1, 2)]
    titles = {group["groupId"]: group["title"] for group in await meta.groups("duco")}
    assert titles == {"changed": "old", "removed": "old", "same": "old"}
    assert await meta.tokens() == [replace(TOKEN, digest="")]
    assert await meta.credential("c" * 16) is None, "the session of a token that is not there"
    assert await meta.credential("d" * 16) == session("d", None)


async def test_a_version_never_has_two_texts(meta: SqliteMeta, tmp_path: Path) -> None:
    """Parsings: those that there are stay, and the backup's newest is the newest again under a number of its own."""
    await go_on(meta)
    for _ in range(2):  # again, nothing changes
        await meta.restore(tmp_path / "backup.sqlite")
        assert (await meta.parsing("p")).version == 5
    assert [(await meta.parsing("p", n)).files for n in range(1, 6)] == [*FILES[:4], FILES[1]]
    assert (await meta.parsing("same")).version == 1
    assert (await meta.parsing("new")).files == FILES[4]
    assert await meta.parsing_tenants("new") == ("duco", frozenset())
    assert await meta.parsing_tenants("p") == ("duco", frozenset({"duco"}))
    await meta.put_parsing("p", FILES[5])
    assert (await meta.parsing("p")).version == 6


async def test_who_knows_a_group_from_before_writes_over_nothing(meta: SqliteMeta, tmp_path: Path) -> None:
    """A group that is another one now has a version that it never had; one that is the same keeps its."""
    await go_on(meta)
    await meta.restore(tmp_path / "backup.sqlite")
    versions = {str(group["groupId"]): group["version"] for group in await meta.groups("duco")}
    assert versions == {"changed": 5, "removed": 5, "same": 1}
    with pytest.raises(GroupChanged):
        await meta.put_group("duco", {"groupId": "changed", "title": "x"}, expected=4)
    with pytest.raises(NotFound):
        await meta.put_group("duco", {"groupId": "added", "title": "x"}, expected=1)
    again = await meta.put_group("duco", {"groupId": "added", "title": "x"})
    assert again["version"] == 6


async def test_the_ledger_loses_nothing(meta: SqliteMeta, tmp_path: Path) -> None:
    """Rows that it lacks come back; those of an id that it has stay as they are, with their beats."""
    await go_on(meta)
    db = meta._known()
    await meta._run(lambda: db.execute("DELETE FROM commands WHERE commandId = 'c1'"))
    await meta.restore(tmp_path / "backup.sqlite")
    found = {row.command_id: row.beats for row in await meta.commands("D1", 10)}
    assert found == {"c1": 0, "c2": 1, "c3": 0}
    again = await meta.begin_command(replace(command(1), state="queued", answer=None))
    assert again is not None and again.answer == MethodResult(200, {"n": 1}), "it acted once"


async def test_what_cannot_be_brought_in_changes_nothing(meta: SqliteMeta, tmp_path: Path) -> None:
    """A damaged file, and one that fails in its middle."""
    await go_on(meta)
    before = await meta.devices()
    (tmp_path / "bad.sqlite").write_bytes(b"garbage" * 1000)
    with pytest.raises(ConfigError, match="damaged"):
        await meta.restore(tmp_path / "bad.sqlite")
    db = sqlite3.connect(tmp_path / "backup.sqlite")
    db.execute("UPDATE groups SET body = '{'")
    db.commit()
    db.close()
    with pytest.raises(Exception, match="truncated"):
        await meta.restore(tmp_path / "backup.sqlite")
    assert await meta.devices() == before
    await meta.put_device(Device("D9", "duco", ""))


async def test_one_of_an_older_release(meta: SqliteMeta, tmp_path: Path) -> None:
    """Without owners of parsings and tokens: as if it had been opened first."""
    await go_on(meta)
    db = sqlite3.connect(tmp_path / "backup.sqlite")
    db.executescript("DROP TABLE parsing_owners; DROP TABLE credentials;")
    db.close()
    counts = await meta.restore(tmp_path / "backup.sqlite")
    assert (counts["devices"], counts["tokens"]) == (2, 0)
    assert (await meta.parsing_tenants("p"))[0] == "duco"


async def test_a_device_that_the_backup_lacks_was_somebodys(meta: SqliteMeta, tmp_path: Path) -> None:
    """It is known whose; what the backup has is not removed."""
    await go_on(meta)
    await meta.restore(tmp_path / "backup.sqlite")
    assert [await meta.tenant_before(f"D{n}") for n in (1, 2, 3, 4)] == [None, None, "duco", None]
