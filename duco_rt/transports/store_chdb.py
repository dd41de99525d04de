"""The store in the process: ClickHouse as a library (chDB), its files in one folder."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import structlog

from duco_rt.errors import Conflict, TransportError
from duco_rt.model import History, LastSeen, Peer, RawSecond, Sample
from duco_rt.transports import store_buckets as buckets
from duco_rt.transports import store_parsed as parsed
from duco_rt.transports import store_rows as rows
from duco_rt.transports import store_sql as sql
from duco_rt.transports.store_chdb_folder import cannot_open, check_folder, holder_of, make_folder
from duco_rt.transports.store_chdb_parts import Parts
from duco_rt.transports.store_chdb_writes import Writes
from duco_rt.transports.store_native import Columns, read_blocks

log = structlog.get_logger()

T = TypeVar("T")

_GB = 1_000_000_000
_BLOCK_VALUES = 16_384  # making one holds up the event loop for 4 ms at most
_BLOCK_RAW_BYTES = 16_000_000
_NICE = 5
_LOOK_EVERY = 256  # inserts; the engine refuses them when 3,000 parts could not be merged

# What the engine may take of a small machine. Inserts are batches already: its own batching would only wait.
ENGINE = (
    "background_pool_size=2&background_schedule_pool_size=2&max_threads=2&max_insert_threads=1&async_insert=0"
    "&mark_cache_size=67108864&primary_index_cache_size=67108864&index_mark_cache_size=1048576"
    "&query_condition_cache_size=1048576&max_server_memory_usage_to_ram_ratio=0.5&max_query_size=67108864"
)


class ChdbStore:
    """A `Store` in a folder. One a process: the engine's state belongs to the process.

    All work is done in one thread of its own, in order, so that the event loop never waits and a reader sees
    every insert that returned before. Rows survive the end of the process, however it ends; a power cut may
    take those of the last seconds, as nothing waits for the disk.
    """

    def __init__(
        self,
        folder: Path,
        *,
        raw_days: float = 7,
        parsed_days: float = 30,
        raw_limit_gb: float = 20,
        parsed_limit_gb: float = 20,
    ) -> None:
        """Take the folder, the retention in days and the limits in GB (10^9 bytes) on disk of each table."""
        self._folder = folder
        self._limits = {
            sql.RAW: (raw_days, raw_limit_gb * _GB),
            sql.PARSED: (parsed_days, parsed_limit_gb * _GB),
        }
        self._thread = ThreadPoolExecutor(1, "store")
        self._session: Any = None
        self._parts = Parts(folder, self._query)
        self._writes = Writes(folder, self._query, self._parts)
        self._inserts = 0
        self._closed = False

    async def open(self) -> ChdbStore:
        """Load the engine (1-2 s, not in the event loop), create what is missing; return self.

        Raises Conflict where another process has the folder, or another store of this process the engine, ConfigError
        where the folder is damaged. Parts that the engine finds broken are set aside by it, and told.
        """
        try:
            await self._run(self._open)
        except BaseException:
            await self.close()
            raise
        return self

    def _open(self) -> None:
        if any(c in "?&%#" for c in str(self._folder)):
            raise TransportError(f"store: the engine takes no folder with ?, &, % or #: {self._folder}")
        give_way()  # before the engine makes threads of its own, which take it over
        from chdb import session

        make_folder(self._folder)
        try:
            holder = holder_of(self._folder)
        except OSError as error:
            raise TransportError(f"store: {error}") from error
        if holder:
            raise Conflict(f"store: {self._folder} is open in another store ({holder})")
        check_folder(self._folder)
        try:
            self._session = session.Session(f"{self._folder}?{ENGINE}")
        except Exception as error:
            if "already initialized" in str(error):
                raise Conflict(f"store: {self._folder}: this process has another chDB store open") from error
            raise cannot_open(self._folder, _first_line(error)) from error
        for statement in sql.ddl():
            self._query(statement)
        missing, full = sql.missing_columns(self._query(sql.select_columns()))
        for statement in sql.add_columns(missing, full):  # the folder is of an earlier version
            self._query(statement)
        self._parts.thaw()
        self._writes.begin()
        for part in self._parts.broken():
            log.error("a part of the store is broken: set aside, the rest is served", folder=str(part))

    async def _run(self, work: Callable[..., T], *args: object) -> T:
        if self._closed:
            raise TransportError("store: closed")
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *args)

    def _query(self, statement: str) -> Columns:
        try:
            answer = self._session.query(statement, "Native")
            # The engine's own bytes, which end with `answer`; all that stays is copied out of them.
            return read_blocks(answer.get_memview().view() if answer.size() else b"")
        except TransportError:
            raise
        except Exception as error:  # chDB raises RuntimeError and its own
            if self._parts.set_aside(str(error)):
                return self._query(statement)
            raise TransportError(f"store: {_first_line(error)}") from error

    def _insert(self, table: str, blocks: Iterable[bytes]) -> None:
        self._inserts += 1
        if self._inserts % _LOOK_EVERY == 0:
            self._parts.look()
        self._writes.before()
        try:
            self._send(table, blocks)
        except BaseException:
            self._writes.forget()
            raise
        self._writes.after(table)

    def _send(self, table: str, blocks: Iterable[bytes]) -> None:
        try:
            with self._session.send_insert(f"INSERT INTO {sql.DATABASE}.{table}", "Native") as stream:
                for block in blocks:
                    stream.append(block)
                stream.finish()
        except RuntimeError as error:
            raise TransportError(f"store: {_first_line(error)}") from error

    async def insert_raw(self, rows_: Sequence[RawSecond]) -> None:
        """Return when the rows survive the end of the process; TransportError where none or some did."""
        if rows_:
            await self._run(self._insert, sql.RAW, rows.raw_blocks(rows_, _BLOCK_RAW_BYTES))

    async def insert_parsed(self, samples: Sequence[Sample]) -> None:
        """Return when the samples survive the end of the process; those without `seq` are left out."""
        kept = [sample for sample in samples if sample.seq is not None]
        if kept:
            await self._run(self._insert, sql.PARSED, parsed.parsed_blocks(kept, _BLOCK_VALUES))

    async def history(
        self, peer: Peer, fields: Sequence[str], from_ms: int, to_ms: int, stats: bool = False
    ) -> History:
        """Samples with from_ms <= ts <= to_ms by (ts, seq), also those with none of the fields."""
        return await self._run(self._history, peer, list(dict.fromkeys(fields)), from_ms, to_ms, stats)

    def _history(self, peer: Peer, fields: list[str], from_ms: int, to_ms: int, stats: bool) -> History:
        columns = self._query(sql.select_history(peer, fields, from_ms, to_ms, stats=stats))
        if parsed.has_copies(columns):
            columns = self._query(sql.select_history(peer, fields, from_ms, to_ms, collapse=True, stats=stats))
        return parsed.history(columns, fields, from_ms, to_ms, stats)

    async def thinned(
        self,
        peer: Peer,
        fields: Sequence[str],
        from_ms: int,
        to_ms: int,
        width_ms: int,
        stats: bool = False,
        means: bool = False,
    ) -> History:
        """What `thin_to` makes of the same history. Others wait meanwhile: 6 ms for 100,000 values, rows × fields."""
        names = list(dict.fromkeys(fields))
        return await self._run(self._thinned, buckets.Request(peer, names, from_ms, to_ms, width_ms, stats, means))

    def _thinned(self, request: buckets.Request) -> History:
        talk = buckets.Buckets(request)
        while talk.statement is not None:
            talk.take(self._query(talk.statement))
        return talk.found

    async def raw(self, peer: Peer, from_ms: int, to_ms: int, order: bool = True) -> list[RawSecond]:
        """Raw rows with from_ms <= ts <= to_ms in order of (ts, seq, part); `order` False leaves that column b"".

        A second of a full bus has 52 kB, held twice while it is read: ask for minutes, not days.
        """
        return await self._run(self._raw, peer, from_ms, to_ms, order)

    def _raw(self, peer: Peer, from_ms: int, to_ms: int, order: bool) -> list[RawSecond]:
        return rows.raw_rows(peer, self._query(sql.select_raw(peer, from_ms, to_ms, sql.raw_columns(order))))

    async def last_seen(self, tenant: str) -> dict[Peer, LastSeen]:
        """The newest arrival in the raw table of every peer of the tenant."""
        return rows.last_seen(tenant, await self._run(self._query, sql.select_last_seen(tenant)))

    async def expire(self, now_ms: int) -> None:
        """Drop days past their retention, and the oldest while a table is over its limit; never today."""
        await self._run(self._expire, now_ms)

    def _expire(self, now_ms: int) -> None:
        for table, (keep_days, limit_bytes) in self._limits.items():
            partitions = rows.partitions(self._query(sql.select_partitions(table)))
            ids = {day: name for day, (name, _) in partitions.items()}
            days = {day: size for day, (_, size) in partitions.items()}
            for day in sql.days_to_drop(days, now_ms, keep_days, limit_bytes):
                self._query(sql.drop_partition(table, ids[day]))
        self._look()

    def _look(self) -> None:
        """At what the engine does by itself, and whether its disk takes something."""
        self._writes.after("merges")
        self._writes.before()
        self._parts.look()

    async def check(self) -> None:
        """Ask the engine something small; TransportError where it cannot answer, or has broken parts set aside."""
        await self.last_seen("-")
        await self._run(self._look)
        broken = await self._run(self._parts.broken)
        if broken:
            raise TransportError(
                f"store: {len(broken)} broken parts are set aside, the rest is served: {broken[0]};"
                " restore a backup, or delete what you give up"
            )

    async def freeze(self) -> list[tuple[str, Path]]:
        """All rows that are in now, as files that do not change until `thaw`: `TABLE/PART/FILE`, and where it is."""
        return await self._run(self._parts.freeze)

    async def thaw(self) -> None:
        """The frozen files are not needed any more."""
        await self._run(self._parts.thaw)

    async def attach(self, table: str, part: Path) -> None:
        """Bring in the rows of a part that was frozen: as an insert of now. Its folder moves into the engine's."""
        await self._run(self._parts.attach, table, part)

    async def newest_seqs(self) -> dict[str, int]:
        """The highest seq of each device that ever came in."""
        return await self._run(self._parts.newest_seqs)

    async def close(self) -> None:
        """Finish what is under way and free the folder; again does nothing."""
        if self._closed:
            return
        self._closed = True
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._thread, self._close)
        self._thread.shutdown(wait=False)

    def _close(self) -> None:
        if self._session is not None:
            self._session.close()
            self._session = None


def give_way() -> None:
    """Let this thread, and those that it makes, wait for the others of this process where processors are short.

    Linux has a priority of each thread; live viewers wait for the event loop, nobody for the store by milliseconds.
    """
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0][:500]
