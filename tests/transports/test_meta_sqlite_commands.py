"""The command ledger's tables: after a restart, in a file of an earlier release, and how they stay small."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from duco_rt.errors import BadRequest
from duco_rt.model import Device, MethodResult
from duco_rt.transports import meta_sqlite, meta_sqlite_commands, meta_sqlite_devices
from duco_rt.transports.meta_sqlite import SqliteMeta
from duco_rt.transports.meta_sqlite_commands import ANSWER_BYTES_MAX, PRUNE_EVERY, ROWS_MAX
from tests.contracts.test_command_ledger import NOW, row, run

DAY_MS = 86_400_000


async def opened(folder: Path) -> SqliteMeta:
    """The ledger of a folder, which knows one device."""
    meta = SqliteMeta(folder / "meta.sqlite")
    await meta.open()
    await meta.put_device(Device("D1", "duco", ""))
    return meta


@pytest.fixture
async def meta(tmp_path: Path) -> AsyncIterator[SqliteMeta]:
    """A fresh one."""
    fresh = await opened(tmp_path)
    yield fresh
    await fresh.close()


async def test_what_was_under_way_is_expired_after_a_restart(tmp_path: Path) -> None:
    """Its outcome is unknown, and the row says so; what had ended stays, and an expired one may be tried again."""
    meta = await opened(tmp_path)
    done = await run(meta, row("done"))
    await meta.begin_command(row("sent", at=10))
    await meta.begin_command(row("queued", "queued", at=11))
    await meta.note_commands([row("leased", "leased", at=12)])
    await meta.close()
    meta = await opened(tmp_path)
    leased, queued, sent, first = await meta.commands("D1", 10)
    assert (first, leased) == (done, row("leased", "leased", at=12))
    for command, began in ((sent, row("sent", at=10)), (queued, row("queued", "queued", at=11))):
        assert command.error is not None and command.error.startswith("unknown outcome: MetaAPI ended")
        assert command == replace(began, state="expired", error=command.error)
    assert await meta.begin_command(row("sent", at=99)) is None
    assert await meta.acknowledged_ms("D1") == done.answered_ms
    await meta.close()


async def test_a_file_of_an_earlier_release(tmp_path: Path) -> None:
    """It gets the ledger's tables, and keeps what it has."""
    db = sqlite3.connect(tmp_path / "meta.sqlite")
    db.executescript("PRAGMA journal_mode=WAL;" + meta_sqlite._SCHEMA + meta_sqlite_devices.SCHEMA)
    db.executescript("INSERT INTO devices VALUES ('D1', 'duco', 'One', NULL); PRAGMA user_version = 1;")
    db.close()
    meta = SqliteMeta(tmp_path / "meta.sqlite")
    assert not await meta.open()
    assert await meta.device("D1") == Device("D1", "duco", "One")
    assert await meta.commands("D1", 10) == []
    done = await run(meta, row())
    await meta.close()
    meta = SqliteMeta(tmp_path / "meta.sqlite")
    assert not await meta.open()
    assert await meta.commands("D1", 10) == [done]
    await meta.close()


async def test_a_ledger_without_tenants(tmp_path: Path) -> None:
    """Its rows become those of their device's tenant, once; of a device that is not known nobody's."""
    meta = await opened(tmp_path)
    await meta.close()
    db = sqlite3.connect(tmp_path / "meta.sqlite")
    before = meta_sqlite_commands._TABLE.replace("tenant TEXT NOT NULL DEFAULT '', ", "").replace(", tenant)", ")")
    assert before.count("tenant") == 0
    db.executescript(f"DROP TABLE commands; {before};" + ";".join(meta_sqlite_commands._INDEXES))
    values = "'start', 'user_action', 'v1', 'leased', ?, NULL, NULL, NULL, NULL, 0, NULL"
    for at, device in enumerate(("D1", "D1", "gone")):
        names = meta_sqlite_commands._COLUMNS
        db.execute(f"INSERT INTO commands ({names}) VALUES (?, ?, {values})", (device, f"c{at}", NOW + at))
    db.commit()
    db.close()
    rows = [row("c1", "leased", 1), row("c0", "leased", 0)]
    for tenant, expected in (("duco", rows), ("other", [])):
        meta = SqliteMeta(tmp_path / "meta.sqlite")
        await meta.open()
        assert await meta.commands("D1", 10) == rows
        await meta.put_device(Device("D1", tenant, ""))
        assert await meta.commands("D1", 10) == expected
        await meta.put_device(Device("gone", "duco", ""))
        assert await meta.commands("gone", 10) == []
        indexes = {found[0] for found in await meta._rows("SELECT name FROM sqlite_master WHERE type = 'index'")}
        assert {"commands_newest", "commands_leased", "commands_under_way"} <= indexes
        await meta.close()


async def test_a_device_has_a_bounded_number_of_rows(meta: SqliteMeta) -> None:
    """The oldest heartbeats go, and push no command out; commands have their own limit."""
    done = await run(meta, row("first"))
    for start in range(0, 5_000, 250):
        await meta.note_commands([row(f"h{i}", "leased", i) for i in range(start, start + 250)])
    assert await meta.command("D1", "first") == done
    leased = (await meta._rows("SELECT count(*), max(queued), min(queued) FROM commands WHERE state = 'leased'"))[0]
    assert leased[1] == NOW + 4_999
    assert ROWS_MAX - PRUNE_EVERY <= leased[0] <= ROWS_MAX
    assert leased[2] == NOW + 5_000 - leased[0]
    await meta._write(lambda db: [meta._begin(db, row(f"c{i}", at=i)) for i in range(2_500)])
    count = (await meta._rows("SELECT count(*) FROM commands WHERE state != 'leased'"))[0][0]
    assert ROWS_MAX - PRUNE_EVERY <= count <= ROWS_MAX
    assert await meta.command("D1", "first") is None
    assert await meta.command("D1", "c2499") is not None
    assert await meta.acknowledged_ms("D1") == done.answered_ms


async def test_many_restarts_keep_the_bound(tmp_path: Path) -> None:
    """A process that adds few rows prunes, too."""
    for i in range(6):
        meta = await opened(tmp_path)
        notes = [row(f"h{i}-{n}", "leased", n) for n in range(PRUNE_EVERY - 1 if i else ROWS_MAX)]
        await meta.note_commands(notes)
        count = (await meta._rows("SELECT count(*) FROM commands"))[0][0]
        await meta.close()
    assert count <= ROWS_MAX


async def test_what_is_too_old_goes(meta: SqliteMeta) -> None:
    """Of all devices, as new rows come; a device that has gone leaves nothing behind."""
    await meta.put_device(Device("D2", "duco", ""))
    await run(meta, row("old", chassis_id="D2"))
    await run(meta, row("kept", at=2 * DAY_MS, chassis_id="D2"))
    await run(meta, row("now", at=31 * DAY_MS))
    assert [command.command_id for command in await meta.commands("D2", 10)] == ["kept"]
    assert [command.command_id for command in await meta.commands("D1", 10)] == ["now"]


async def test_a_very_long_answer(meta: SqliteMeta) -> None:
    """Its status is kept, and how long it was."""
    await meta.begin_command(row())
    answer = MethodResult(200, {"x": "y" * ANSWER_BYTES_MAX})
    await meta.move_command(replace(row(), state="acknowledged", answered_ms=NOW, answer=answer), "sent")
    found = await meta.command("D1", "c1")
    assert found is not None and found.answer is not None
    assert (found.answer.status, list(found.answer.payload)) == (200, ["message"])


async def test_a_number_that_no_column_holds(meta: SqliteMeta) -> None:
    """It is the asker's mistake, and nothing is kept."""
    with pytest.raises(BadRequest):
        await meta.begin_command(replace(row(), queued_ms=2**63))
    assert await meta.commands("D1", 10) == []


async def test_a_thousand_heartbeats_are_quick(meta: SqliteMeta) -> None:
    """5,000 viewers with one a minute are 84 a second, in one transaction: a small part of that second."""
    await meta.note_commands([row(f"h{i}", "leased", i) for i in range(2_000)])
    began_s = time.process_time()
    await meta.note_commands([row(f"n{i}", "leased", 10_000 + i) for i in range(1_000)])
    assert time.process_time() - began_s < 0.5
