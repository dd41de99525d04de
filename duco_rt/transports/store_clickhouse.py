"""The store on a ClickHouse server."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

from duco_rt.errors import ConfigError, TransportError
from duco_rt.model import History, LastSeen, Peer, RawSecond, Sample
from duco_rt.transports import store_buckets as buckets
from duco_rt.transports import store_parsed as parsed
from duco_rt.transports import store_rows as rows
from duco_rt.transports import store_sql as sql
from duco_rt.transports.store_clickhouse_connection import Address, Connection
from duco_rt.transports.store_native import Columns

_GB = 1_000_000_000
_READS_MAX = 3  # at once; the others wait, not for ever
_TURN_S = 20.0
_INSERTS_MAX = 2
_READ_S = 30.0
_INSERT_S = 15.0
_CHECK_S = 2.0

# Making a block holds up the event loop for 3-5 ms at most; the server joins the blocks of an insert.
_BLOCK_VALUES = 8_192
_BLOCK_RAW_BYTES = 1_000_000


class ClickHouseStore:
    """A `Store` on a server, shared by any number of processes.

    Inserts and reads have a few connections each, so that none waits for one of the other kind. A row is as safe
    as the server keeps it when the insert has returned; one that failed may have stored some of its rows.
    """

    def __init__(
        self,
        url: str,
        *,
        raw_days: float = 7,
        parsed_days: float = 30,
        raw_limit_gb: float = 20,
        parsed_limit_gb: float = 20,
        database: str = sql.DATABASE,
        create_tables: bool = True,
        user: str = "default",
        password: str = "",
        ca_file: str = "",
    ) -> None:
        """Take `clickhouse://host:9000` (`clickhouses://` for TLS, port 9440), retention in days, limits in GB on disk.

        What is missing of database, tables and columns is made at first use, or with `create_tables` False an error.
        `ca_file` has the authorities to trust in place of the system's. Raises ConfigError.
        """
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", database):
            raise ConfigError(f"store: database {database!r}: letters, digits and _ only")
        self._address = _address(url, user, password, ca_file)
        self._database = database
        self._create_tables = create_tables
        self._limits = {
            sql.RAW: (raw_days, raw_limit_gb * _GB),
            sql.PARSED: (parsed_days, parsed_limit_gb * _GB),
        }
        self._reads = _Pool(self._address, _READS_MAX)
        self._inserts = _Pool(self._address, _INSERTS_MAX)
        self._making = asyncio.Lock()
        self._has_tables = False

    async def insert_raw(self, rows_: Sequence[RawSecond]) -> None:
        """Return when the server has acknowledged the rows; TransportError where none or some are in."""
        await self._insert(sql.RAW, rows.raw_blocks(rows_, _BLOCK_RAW_BYTES) if rows_ else None)

    async def insert_parsed(self, samples: Sequence[Sample]) -> None:
        """Return when the server has acknowledged the samples; those without `seq` are left out."""
        kept = [sample for sample in samples if sample.seq is not None]
        await self._insert(sql.PARSED, parsed.parsed_blocks(kept, _BLOCK_VALUES) if kept else None)

    async def _insert(self, table: str, blocks: Iterable[bytes] | None) -> None:
        if blocks is not None:
            async with self._connection(self._inserts) as connection:
                await connection.insert(f"{self._database}.{table}", blocks, _INSERT_S)

    async def history(
        self, peer: Peer, fields: Sequence[str], from_ms: int, to_ms: int, stats: bool = False
    ) -> History:
        """Samples with from_ms <= ts <= to_ms by (ts, seq), also those with none of the fields."""
        fields = list(dict.fromkeys(fields))
        columns = await self._query(sql.select_history(peer, fields, from_ms, to_ms, False, self._database, stats))
        if parsed.has_copies(columns):
            columns = await self._query(sql.select_history(peer, fields, from_ms, to_ms, True, self._database, stats))
        return await asyncio.to_thread(parsed.history, columns, fields, from_ms, to_ms, stats)

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
        """What `thin_to` makes of the same history. A bucket and field of the answer costs the event loop 0.3 µs."""
        names = list(dict.fromkeys(fields))
        request = buckets.Request(peer, names, from_ms, to_ms, width_ms, stats, means, self._database)
        talk = buckets.Buckets(request)
        while talk.statement is not None:
            await asyncio.to_thread(talk.take, await self._query(talk.statement))
        return talk.found

    async def raw(self, peer: Peer, from_ms: int, to_ms: int, order: bool = True) -> list[RawSecond]:
        """Raw rows with from_ms <= ts <= to_ms in order of (ts, seq, part); `order` False leaves that column b"".

        A second of a full bus has 52 kB, held up to three times while it is read: ask for minutes, not days.
        """
        columns = await self._query(sql.select_raw(peer, from_ms, to_ms, sql.raw_columns(order), self._database))
        return await asyncio.to_thread(rows.raw_rows, peer, columns)

    async def last_seen(self, tenant: str) -> dict[Peer, LastSeen]:
        """The newest arrival in the raw table of every peer of the tenant."""
        return rows.last_seen(tenant, await self._query(sql.select_last_seen(tenant, self._database)))

    async def expire(self, now_ms: int) -> None:
        """Drop days past their retention, and the oldest while a table is over its limit; never today."""
        for table, (keep_days, limit_bytes) in self._limits.items():
            partitions = rows.partitions(await self._query(sql.select_partitions(table, self._database)))
            ids = {day: name for day, (name, _) in partitions.items()}
            days = {day: size for day, (_, size) in partitions.items()}
            for day in sql.days_to_drop(days, now_ms, keep_days, limit_bytes):
                await self._query(sql.drop_partition(table, ids[day], self._database))

    async def check(self) -> None:
        """Log in anew and look for the tables; TransportError, within 2 s, says what is wrong."""
        if self._reads.is_closed:
            raise TransportError("store: closed")
        connection = Connection(self._address)
        try:
            async with asyncio.timeout(_CHECK_S):
                await connection.open()
                await self._make_tables(connection)
        except TimeoutError as error:
            raise TransportError(f"store: {self._address}: no answer within {_CHECK_S:g} s") from error
        finally:
            connection.abort()

    async def close(self) -> None:
        """Take no more calls; those under way end as they would. Again does nothing."""
        self._reads.close()
        self._inserts.close()

    async def _query(self, statement: str) -> Columns:
        async with self._connection(self._reads) as connection:
            return await connection.query(statement, _READ_S)

    @asynccontextmanager
    async def _connection(self, pool: _Pool) -> AsyncIterator[Connection]:
        async with pool.connection() as connection:
            try:
                if not self._has_tables:
                    await self._make_tables(connection)
                yield connection
            except TransportError:
                self._has_tables = False  # the server may have come back without them
                raise

    async def _make_tables(self, connection: Connection) -> None:
        async with self._making:
            there = await connection.query(sql.select_tables(self._database), _READ_S)
            missing = set(sql.TABLES) - {name.decode() for name in there.get("name", [])}
            if missing and not self._create_tables:
                names = ", ".join(f"{self._database}.{name}" for name in sorted(missing))
                raise TransportError(f"store: {self._address}: no table {names}")
            if missing:
                for statement in sql.ddl(database=self._database):
                    await connection.query(statement, _READ_S)
            await self._add_columns(connection)
            self._has_tables = True

    async def _add_columns(self, connection: Connection) -> None:
        """Give tables of an earlier version the columns that they lack, or say which and how."""
        missing, full = sql.missing_columns(await connection.query(sql.select_columns(self._database), _READ_S))
        statements = sql.add_columns(missing, full, self._database)
        if missing and not self._create_tables:
            lacking = ", ".join(
                f"{self._database}.{table} has no {', '.join(names)}" for table, names in missing.items()
            )
            raise TransportError(f"store: {self._address}: {lacking}; add them: {'; '.join(statements)}")
        for statement in statements:
            await connection.query(statement, _READ_S)


class _Pool:
    """At most `most` connections at once; those not in use are kept open."""

    def __init__(self, address: Address, most: int) -> None:
        self._address = address
        self._turn = asyncio.Semaphore(most)
        self._idle: list[Connection] = []
        self.is_closed = False

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """One that answers; it is kept if it is still open afterwards."""
        try:
            async with asyncio.timeout(_TURN_S):
                await self._turn.acquire()
        except TimeoutError as e:
            raise TransportError(f"store: {self._address}: no answer to those who asked before, {_TURN_S:g} s") from e
        try:
            connection = await self._take()
            try:
                yield connection
            finally:
                if self.is_closed:
                    connection.abort()
                elif connection.is_open:
                    self._idle.append(connection)
        finally:
            self._turn.release()

    async def _take(self) -> Connection:
        while self._idle and not self.is_closed:
            connection = self._idle.pop()
            if await connection.answers():
                return connection
            self._drop_idle()  # the others are to the same server
        if self.is_closed:
            raise TransportError("store: closed")
        connection = Connection(self._address)
        await connection.open()
        return connection

    def _drop_idle(self) -> None:
        while self._idle:
            self._idle.pop().abort()

    def close(self) -> None:
        """Close those not in use, and each other one when its call ends."""
        self.is_closed = True
        self._drop_idle()


def _address(url: str, user: str, password: str, ca_file: str) -> Address:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise ConfigError(f"store: url {url!r}: {error}") from error
    if parts.scheme not in ("clickhouse", "clickhouses") or not host or parts.username or parts.path.strip("/"):
        raise ConfigError(f"store: url {url!r}: give clickhouse://host:9000 or clickhouses://host:9440")
    return Address(host, port, parts.scheme == "clickhouses", user, password, ca_file)
