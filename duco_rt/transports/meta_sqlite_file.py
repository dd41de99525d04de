"""One SQLite file behind one thread. Reads run one by one; writes that wait share a transaction, and so its fsync."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from duco_rt.disk.sqlite_health import check_whole, if_damaged
from duco_rt.errors import BadRequest, DucoError, TransportError

T = TypeVar("T")

_ROOM_BYTES = 100_000
_AT_ONCE = 500
"""Writes in one transaction: no reader waits longer than for these."""


class SqliteFile:
    """A file, opened with the tables of `schema`; every change is on disk (WAL, synchronous=FULL) before it returns."""

    schema = ""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=file.stem)
        self._db: sqlite3.Connection | None = None
        self._waiting: deque[tuple[Callable[[sqlite3.Connection], object], asyncio.Future[Any]]] = deque()

    def _opened(self) -> sqlite3.Connection:
        """Open it; in the thread. Raises ConfigError where it is damaged: then nothing is written to it."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        is_new = not self._file.exists()
        check_whole(self._file)
        db = sqlite3.connect(self._file, check_same_thread=False, isolation_level=None)
        self._db = db
        try:
            db.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;")
            if is_new:  # tokens lie in it: nobody else on the machine reads them
                for file in self._file.parent.glob(f"{self._file.name}*"):
                    file.chmod(0o600)
            db.executescript(self.schema)
        except sqlite3.Error as e:
            raise if_damaged(self._file, e) from e
        return db

    async def check(self) -> None:
        """Raises TransportError where the file cannot be read."""
        await self._rows("PRAGMA user_version")

    async def close(self) -> None:
        """Close the file; safe to call twice."""
        if self._db is not None:
            await self._run(self._db.close)
            self._db = None
        self._thread.shutdown()

    async def _rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:  # rows have the types of their columns
        db = self._known()
        return await self._run(lambda: db.execute(sql, values).fetchall())

    async def _write(self, job: Callable[[sqlite3.Connection], T]) -> T:
        """What `job` returns, once its changes are on disk; where it raises, nothing of it is kept."""
        db, loop = self._known(), asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()
        self._waiting.append((job, done))
        await self._run(lambda: self._drain(db, loop))
        return await done

    def _drain(self, db: sqlite3.Connection, loop: asyncio.AbstractEventLoop) -> None:
        """Do what waits, in the thread. Whoever waits first takes the others along; they then find nothing to do."""
        jobs = [self._waiting.popleft() for _ in range(min(_AT_ONCE, len(self._waiting)))]
        if not jobs:
            return
        outcomes: list[tuple[object, Exception | None]] = []
        try:
            db.execute("BEGIN IMMEDIATE")
            outcomes = [self._one(db, job) for job, _ in jobs]
            db.execute("COMMIT")
        except sqlite3.Error as e:
            if db.in_transaction:
                db.execute("ROLLBACK")
            outcomes = [(None, self._said(e))] * len(jobs)
        loop.call_soon_threadsafe(_tell, [done for _, done in jobs], outcomes)

    def _one(
        self, db: sqlite3.Connection, job: Callable[[sqlite3.Connection], object]
    ) -> tuple[object, Exception | None]:
        db.execute("SAVEPOINT one")
        try:
            found = job(db)
        except Exception as e:
            db.execute("ROLLBACK TO one")
            db.execute("RELEASE one")
            return None, self._said(e)
        db.execute("RELEASE one")
        return found, None

    def _known(self) -> sqlite3.Connection:
        if self._db is None:
            raise TransportError("the meta database is closed")
        return self._db

    async def _run(self, work: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, work)
        except (sqlite3.Error, OSError, OverflowError, UnicodeEncodeError) as e:
            said = self._said(e)
            if said is e:
                raise
            raise said from e

    def _said(self, error: Exception) -> Exception:
        """An error of SQLite in the project's words; a row that breaks a rule of the schema is for the caller."""
        if isinstance(error, sqlite3.IntegrityError | DucoError):
            return error
        if isinstance(error, OverflowError):
            return BadRequest("a number is out of range: -2^63 to 2^63 - 1")
        if isinstance(error, UnicodeEncodeError):
            return BadRequest("a text has half of a character that is written in two")
        if not isinstance(error, sqlite3.Error | OSError):
            return error
        return TransportError(f"{self._file}: {error}{'; its disk is full' if self._is_full() else ''}")

    def _is_full(self) -> bool:
        """SQLite calls it an I/O error where it has no room for its own small files."""
        try:
            return shutil.disk_usage(self._file.parent).free < _ROOM_BYTES
        except OSError:
            return False


def _tell(waiting: list[asyncio.Future[Any]], outcomes: list[tuple[object, Exception | None]]) -> None:
    for done, (found, error) in zip(waiting, outcomes, strict=True):
        if done.done():  # who asked is gone
            continue
        if error is None:
            done.set_result(found)
        else:
            done.set_exception(error)
