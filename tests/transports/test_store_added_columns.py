"""Tables of the first version get the columns that came later, and keep their rows; on both kinds of store."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from duco_rt.errors import TransportError
from duco_rt.model import Peer, RawSecond, Sample, Span, SpanColumns
from duco_rt.transports import store_sql
from duco_rt.transports.store_clickhouse import ClickHouseStore
from duco_rt.transports.store_native import block, numbers, peers, text
from tests.servers.clickhouse import ClickHouseServer

pytestmark = pytest.mark.servers

NOW = 1_795_352_000_000
PEER = Peer("duco", "DUCO_001", "vehicle_can")

# Both tables as the first version made them, and rows of that time.
OLD_RAW = """CREATE TABLE {0}.raw_data_cache_store (tenant {1}, chassisId {1}, msgType {1}, ts Int64, seq Int64,
received Int64, part UInt16, realtime UInt8, kind String, streams String, `order` String, times String, data String,
body String) ENGINE = ReplacingMergeTree(received) PARTITION BY intDiv(received, 86400000)
ORDER BY (tenant, chassisId, msgType, ts, seq, part) SETTINGS index_granularity = 64"""
RAW_ROW = """INSERT INTO {0}.raw_data_cache_store
(tenant, chassisId, msgType, ts, seq, received, part, realtime, kind, streams, `order`, times, data, body) VALUES
('duco', 'DUCO_001', 'vehicle_can', {1}, 1, {1}, 1, 0, 'can1', 's', 'o', 't', 'd', '')"""
OLD = """CREATE TABLE {0}.ce_technology (tenant {1}, chassisId {1}, msgType {1}, ts Int64, seq Int64, received Int64,
`value.name` Array({1}), `value.kind` Array(UInt8), `value.num` Array(Float64), `value.text` Array(String))
ENGINE = ReplacingMergeTree(received) PARTITION BY intDiv(received, 86400000)
ORDER BY (tenant, chassisId, msgType, ts, seq) SETTINGS index_granularity = 256"""
ROWS = """INSERT INTO {0}.ce_technology
(tenant, chassisId, msgType, ts, seq, received, `value.name`, `value.kind`, `value.num`, `value.text`) VALUES
('duco', 'DUCO_001', 'vehicle_can', {1}, 1, {1}, ['a', 'b', 't'], [1, 2, 5], [1.5, 7, 0], ['', '', 'x']),
('duco', 'DUCO_001', 'vehicle_can', {1} + 1, 2, {1}, ['b'], [2], [8], [''])"""

OLD_TABLES = {store_sql.RAW: OLD_RAW, store_sql.PARSED: OLD}

_DATABASE = count()


def old_block() -> bytes:
    """The second row again, as an earlier version inserts it that is not aware of the columns."""
    ends, columns = numbers("UInt64", [1]), peers([PEER])
    columns |= {name: ("Int64", numbers("Int64", [n])) for name, n in (("ts", NOW + 1), ("seq", 2), ("received", NOW))}
    columns["value.name"] = ("Array(String)", ends + text("b"))
    columns["value.kind"] = ("Array(UInt8)", ends + b"\2")
    columns["value.num"] = ("Array(Float64)", ends + numbers("Float64", [8]))
    columns["value.text"] = ("Array(String)", ends + text(""))
    return block(1, columns)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseServer]:
    """A server of 2018."""
    server = ClickHouseServer(tmp_path_factory.mktemp("server")).start()
    yield server
    server.kill()


@pytest.fixture
def old(server: ClickHouseServer) -> str:
    """A database of the first version on it."""
    database = f"old_{next(_DATABASE)}"
    for statement in store_sql.ddl(full=False, database=database):
        old = [text for table, text in OLD_TABLES.items() if f"{table} (" in statement]
        server.query(old[0].format(database, "String") if old else statement)
    server.query(ROWS.format(database, NOW))
    server.query(RAW_ROW.format(database, NOW))
    return database


async def check_rows(store: Any) -> None:
    """The old rows are there and say that nothing more is known; new ones lie beside them."""
    found = await store.history(PEER, ["b", "t"], NOW, NOW + 1, stats=True)
    assert found.fields == {"b": [7, 8], "t": ["x", None]}
    unknown = SpanColumns([None] * 2, [None] * 2, [None] * 2)
    assert found.stats == {"b": unknown, "t": unknown}
    payload = {"a": 2.5, "b": 9}
    await store.insert_parsed([Sample(PEER, NOW + 2, 3, NOW, {**payload}, {"b": Span(5, 10, 4)})])
    found = await store.history(PEER, ["a", "b"], NOW, NOW + 2, stats=True)
    assert found.fields == {"a": [1.5, None, 2.5], "b": [7, 8, 9]}
    assert found.stats["a"] == SpanColumns([None, None, 2.5], [None, None, 2.5], [None, None, 1])
    assert found.stats["b"] == SpanColumns([None, None, 5.0], [None, None, 10.0], [None, None, 4])
    old = RawSecond(PEER, NOW, 1, 1, NOW, False, "can1", b"s", b"o", b"t", b"d")
    new = replace(old, part=0, parts=3)
    assert old in await store.raw(PEER, NOW, NOW)
    await store.insert_raw([new])
    assert await store.raw(PEER, NOW, NOW) == [new, old]


def _old_folder(folder: Path) -> None:
    from chdb import session

    engine: Any = session.Session(str(folder))
    engine.query(f"CREATE DATABASE {store_sql.DATABASE}")
    for table in OLD_TABLES.values():
        engine.query(table.format(store_sql.DATABASE, "LowCardinality(String)"))
    for rows in (ROWS, RAW_ROW):
        engine.query(rows.format(store_sql.DATABASE, NOW))
    engine.close()


async def test_a_folder_of_the_first_version(tmp_path: Path) -> None:
    """Also when it is opened again, and after a merge of old parts and new ones."""
    from duco_rt.transports.store_chdb import ChdbStore

    _old_folder(tmp_path / "store")
    for merges in (False, True):
        store = await ChdbStore(tmp_path / "store").open()
        await check_rows(store)
        if merges:
            for table in OLD_TABLES:
                await store._run(store._query, f"OPTIMIZE TABLE duco.{table} FINAL")
            await check_rows(store)
        await store._run(store._insert, store_sql.PARSED, [old_block()])
        await check_rows(store)
        await store.close()


async def test_an_administrators_table_is_not_touched(server: ClickHouseServer, old: str) -> None:
    """Every call says what it lacks and how to add it; that statement does it, while the store is open."""
    store = ClickHouseStore(server.url, database=old, create_tables=False)
    text = (
        rf"store: clickhouse .*: {old}\.raw_data_cache_store has no parts, "
        rf"{old}\.ce_technology has no value\.min, value\.max, value\.count; add them: ALTER .*; ALTER .*"
    )
    for work in (store.check(), store.insert_parsed([Sample(PEER, NOW, 1, NOW, {})]), store.history(PEER, [], 0, 1)):
        with pytest.raises(TransportError, match=text) as refused:
            await work
    for statement in str(refused.value).partition("add them: ")[2].split("; "):
        server.query(statement)
    await store.check()
    await check_rows(store)
    for rows in (ROWS, RAW_ROW):  # a process of an earlier version, not aware of the columns
        server.query(rows.format(old, NOW))
    await check_rows(store)
    for table in OLD_TABLES:
        server.query(f"OPTIMIZE TABLE {old}.{table} FINAL")
    await check_rows(store)
    await store.close()


async def test_a_servers_table_of_the_first_version(server: ClickHouseServer, old: str) -> None:
    """Several stores at once add what is missing, also where one column is there already. So old a server may tell
    one that another was first; its next call works."""
    for statement in store_sql.add_columns({store_sql.PARSED: ["value.max"]}, full=False, database=old):
        server.query(statement)
    stores = [ClickHouseStore(server.url, database=old) for _ in range(4)]
    done = await asyncio.gather(*(store.check() for store in stores), return_exceptions=True)
    assert all(error is None or "already exists" in str(error) for error in done)
    for store in stores:
        await store.check()
        await check_rows(store)
        await store.close()
