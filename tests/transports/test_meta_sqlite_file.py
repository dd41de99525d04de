"""A SQLite file behind one thread: writes that wait share a transaction, and none spoils another's."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from duco_rt.errors import BadRequest, TransportError
from duco_rt.transports.meta_sqlite_file import SqliteFile


class Numbers(SqliteFile):
    """A table of numbers that are at most 100."""

    schema = "CREATE TABLE IF NOT EXISTS numbers (n INTEGER NOT NULL UNIQUE CHECK (n <= 100));"


def add(*numbers: object) -> Callable[[sqlite3.Connection], int]:
    """A job that adds numbers and says how many there are."""

    def job(db: sqlite3.Connection) -> int:
        for n in numbers:
            db.execute("INSERT INTO numbers VALUES (?)", (n,))
        found: int = db.execute("SELECT count(*) FROM numbers").fetchone()[0]
        return found

    return job


@pytest.fixture
async def file(tmp_path: Path) -> AsyncIterator[Numbers]:
    """An open file."""
    opened = Numbers(tmp_path / "numbers.sqlite")
    await opened._run(opened._opened)
    yield opened
    await opened.close()


async def all_of(file: Numbers) -> list[int]:
    """What is in the table."""
    return sorted(row[0] for row in await file._rows("SELECT n FROM numbers"))


async def test_writes_that_wait_are_one_transaction(file: Numbers) -> None:
    """Those that come while the thread is at work: one commit for all of them."""
    going = threading.Event()
    commits: list[str] = []
    assert file._db is not None
    file._db.set_trace_callback(lambda sql: commits.append(sql) if sql == "COMMIT" else None)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(file._run(lambda: going.wait(5)))
        writes = [tasks.create_task(file._write(add(n))) for n in range(50)]
        await asyncio.sleep(0)
        tasks.create_task(asyncio.to_thread(going.set))
    assert [write.result() for write in writes] == list(range(1, 51))
    assert len(commits) == 1
    assert await all_of(file) == list(range(50))


async def test_more_than_a_transaction_takes(file: Numbers) -> None:
    """All are written, in their order."""
    await file._rows("PRAGMA ignore_check_constraints = ON")
    counts = await asyncio.gather(*(file._write(add(n)) for n in range(1_200)))
    assert counts == list(range(1, 1_201))


BAD: dict[str, tuple[object, type[Exception]]] = {
    "a rule of the table": (101, sqlite3.IntegrityError),
    "out of range": (2**63, BadRequest),
    "half a character": ("\ud800", BadRequest),
}


@pytest.mark.parametrize("case", BAD)
async def test_a_write_that_fails_is_undone_alone(file: Numbers, case: str) -> None:
    """Whole; those that share its transaction stay."""
    bad, error = BAD[case]
    found = await asyncio.gather(
        file._write(add(1)), file._write(add(2, bad)), file._write(add(3)), return_exceptions=True
    )
    assert isinstance(found[1], error)
    assert await all_of(file) == [1, 3]


async def test_a_transaction_that_cannot_be(file: Numbers, tmp_path: Path) -> None:
    """Another process holds the file: all are told, nothing is kept, and the next one works."""
    await file._rows("PRAGMA busy_timeout = 1")
    other = sqlite3.connect(tmp_path / "numbers.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    found = await asyncio.gather(*(file._write(add(n)) for n in (1, 2)), return_exceptions=True)
    other.execute("ROLLBACK")
    other.close()
    for error in found:
        assert isinstance(error, TransportError) and "numbers.sqlite: database is locked" in str(error)
    assert await file._write(add(3)) == 1


async def test_who_gives_up_waiting(file: Numbers) -> None:
    """Holds up nobody."""
    going = threading.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(file._run(lambda: going.wait(5)))
        first, second = tasks.create_task(file._write(add(1))), tasks.create_task(file._write(add(2)))
        await asyncio.sleep(0)
        first.cancel()
        tasks.create_task(asyncio.to_thread(going.set))
    assert second.result() >= 1


async def test_a_closed_file(file: Numbers) -> None:
    """Takes no more."""
    await file.close()
    with pytest.raises(TransportError, match="closed"):
        await file._write(add(1))
    with pytest.raises(TransportError, match="closed"):
        await file.check()
