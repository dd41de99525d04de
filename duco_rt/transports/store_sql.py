"""DDL and queries of the store as text; the layout's reasons and numbers are in docs/store.md.

Every query is understood by the engine in the process and by old servers alike; only the DDL has a `full`
form (codecs, dictionaries, a readable time) and a plain one for servers that know none of these. Pure.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from duco_rt.model import Peer

DATABASE = "duco"
RAW = "raw_data_cache_store"
PARSED = "ce_technology"
LAST_SEEN = "newest"
TABLES = (RAW, PARSED, LAST_SEEN, f"{LAST_SEEN}_view")
"""All that `ddl` creates in the database."""

DAY_MS = 86_400_000

FLOAT, INT, BIG_INT, BOOL, TEXT = 1, 2, 3, 4, 5
"""Values of `value.kind`: what a field's value was. `num` holds it, or `text` for BIG_INT and TEXT."""

_SPANS = {"value.min": ("Float64", "nan"), "value.max": ("Float64", "nan"), "value.count": ("UInt32", "0")}
ADDED = {RAW: ("parts",), PARSED: tuple(_SPANS)}
"""Columns that tables of the first version lack. `parts` 0 and `value.count` 0 mean: not known, as in older rows;
NaN in `value.min` and `value.max`: as the last value (`value.num`)."""

RAW_COLUMNS = (
    "ts", "seq", "part", "received", "realtime", "kind", "streams", "order", "times", "data", "body", "parts",
)  # fmt: skip
"""The raw table's columns after the peer's three."""

_PEER = ("tenant", "chassisId", "msgType")


def quote(value: str) -> str:
    """Return `value` as an SQL literal in plain ASCII; all that is not a harmless character is escaped."""
    parts = []
    for byte in value.encode("utf-8", "surrogatepass"):
        harmless = 32 <= byte < 127 and byte not in b"'\\"
        parts.append(chr(byte) if harmless else f"\\x{byte:02X}")
    return "'" + "".join(parts) + "'"


def ddl(full: bool = True, database: str = DATABASE) -> list[str]:
    """Return the statements that create what is missing, in order; `full` False for servers before 20.4."""
    return [
        f"CREATE DATABASE IF NOT EXISTS {database}",
        _raw_table(full, database),
        _parsed_table(full, database),
        f"CREATE TABLE IF NOT EXISTS {database}.{LAST_SEEN} ({_peer_columns(full)}, "
        "arrival AggregateFunction(max, Tuple(Int64, Int64, Int64, UInt8)), "
        "position AggregateFunction(max, Tuple(Int64, Int64, Int64, UInt8))) "
        f"ENGINE = AggregatingMergeTree ORDER BY ({', '.join(_PEER)})",
        # Maintained at insert, so that nobody scans the raw table to learn who is there.
        f"CREATE MATERIALIZED VIEW IF NOT EXISTS {database}.{LAST_SEEN}_view TO {database}.{LAST_SEEN} AS "
        f"SELECT {', '.join(_PEER)}, maxState(tuple(received, seq, ts, realtime)) AS arrival, "
        "maxState(tuple(seq, received, ts, realtime)) AS position "
        f"FROM {database}.{RAW} GROUP BY {', '.join(_PEER)}",  # nosec B608  # our names; others are quoted
    ]


def _raw_table(full: bool, database: str) -> str:
    lz4 = " CODEC(LZ4)" if full else ""
    columns = (
        f"{_peer_columns(full)}, {_clock_columns(full)}, part UInt16, realtime UInt8, kind String, "
        f"streams String{lz4}, `order` String{lz4}, times String{lz4}, data String{lz4}, body String{lz4}, "
        f"{', '.join(_added(RAW, full).values())}"
    )
    return _table(f"{database}.{RAW}", columns, "ts, seq, part", 64, full)


def _parsed_table(full: bool, database: str) -> str:
    zstd = " CODEC(ZSTD(1))" if full else ""
    name = _dictionary(full)
    columns = (
        f"{_peer_columns(full)}, {_clock_columns(full)}, "
        f"`value.name` Array({name}){zstd}, `value.kind` Array(UInt8){zstd}, "
        f"`value.num` Array(Float64){zstd}, `value.text` Array(String){zstd}, "
        f"{', '.join(_added(PARSED, full).values())}"
    )
    return _table(f"{database}.{PARSED}", columns, "ts, seq", 256, full)


def _added(table: str, full: bool) -> dict[str, str]:
    # The default lets programs that do not know the column insert: an array of the length of the others.
    if table == RAW:
        return {"parts": "parts UInt16 DEFAULT 0"}
    codec = " CODEC(ZSTD(1))" if full else ""
    return {
        name: f"`{name}` Array({kind}) DEFAULT arrayMap(n -> to{kind}({empty}), `value.name`){codec}"
        for name, (kind, empty) in _SPANS.items()
    }


def add_columns(missing: Mapping[str, Collection[str]], full: bool = True, database: str = DATABASE) -> list[str]:
    """Return the statements that give tables the columns of `ADDED` that they lack: table → names.

    Servers before 18.14 have no IF NOT EXISTS here: in the plain form two processes may get in each other's way.
    """
    there = "IF NOT EXISTS " if full else ""
    statements = []
    for table, names in missing.items():
        columns = [f"ADD COLUMN {there}{text}" for name, text in _added(table, full).items() if name in names]
        statements.append(f"ALTER TABLE {database}.{table} {', '.join(columns)}")
    return statements


def select_columns(database: str = DATABASE) -> str:
    """Return the query for `table`, `name` and `type` of the columns of the tables of `ADDED`."""
    tables = ", ".join(map(quote, ADDED))
    return f"SELECT table, name, type FROM system.columns WHERE database = {quote(database)} AND table IN ({tables})"  # nosec B608  # our names; others are quoted


def missing_columns(found: Mapping[str, Sequence[bytes]]) -> tuple[dict[str, list[str]], bool]:
    """Return what of `ADDED` the answer to `select_columns` lacks, tables that lack nothing left out, and whether the
    tables are of the `full` form."""
    there = set(zip(found.get("table", ()), found.get("name", ()), strict=True))
    lacking = {
        table: [name for name in names if (table.encode(), name.encode()) not in there]
        for table, names in ADDED.items()
    }
    full = any(b"LowCardinality" in kind for kind in found.get("type", ()))
    return {table: names for table, names in lacking.items() if names}, full


def _table(name: str, columns: str, position: str, granularity: int, full: bool) -> str:
    # The partition is the day of arrival: a machine with a wrong clock makes no partition of its own.
    # Copies of a position collapse in merges. What was merged is kept a while, as a power cut may take what
    # the system has not written to disk yet; it is then removed without a crowd of threads.
    settings = f"index_granularity = {granularity}"
    if full:
        settings += ", old_parts_lifetime = 60, concurrent_part_removal_threshold = 100000"
    return (
        f"CREATE TABLE IF NOT EXISTS {name} ({columns}) ENGINE = ReplacingMergeTree(received) "
        f"PARTITION BY intDiv(received, {DAY_MS}) ORDER BY ({', '.join(_PEER)}, {position}) "
        f"SETTINGS {settings}"
    )


def _dictionary(full: bool) -> str:
    return "LowCardinality(String)" if full else "String"


def _peer_columns(full: bool) -> str:
    return ", ".join(f"{name} {_dictionary(full)}" for name in _PEER)


def _clock_columns(full: bool) -> str:
    if not full:
        return "ts Int64, seq Int64, received Int64"
    delta = "CODEC(Delta, ZSTD(1))"
    return (
        f"ts Int64 {delta}, seq Int64 {delta}, received Int64 {delta}, "
        "time DateTime64(3) ALIAS fromUnixTimestamp64Milli(ts)"
    )


def where(peer: Peer, from_ms: int, to_ms: int) -> str:
    """Return the condition for a peer's rows with from_ms <= ts <= to_ms."""
    names = " AND ".join(f"{name} = {quote(value)}" for name, value in zip(_PEER, peer, strict=True))
    return f"{names} AND ts >= {int(from_ms)} AND ts <= {int(to_ms)}"


def select_history(
    peer: Peer,
    fields: Sequence[str],
    from_ms: int,
    to_ms: int,
    collapse: bool = False,
    database: str = DATABASE,
    stats: bool = False,
) -> str:
    """Return the query for ts, seq and, of the sample's values that were asked for, arrays of `field`
    (index into `fields`, from 1), `kind`, `num` and `text`, with `stats` also `min`, `max` and `count`.

    `collapse` has copies collapsed that no merge has met yet: the latest `received` wins, of equal ones the
    latest insert. It costs as much again, so it is asked for when an answer without it has copies.
    """
    columns = ["ts", "seq"]
    if fields:
        names = ", ".join(map(quote, fields))
        places = ", ".join(str(i) for i in range(1, len(fields) + 1))
        columns.append(
            f"arrayMap(f -> toUInt16(transform(f, [{names}], [{places}], 0)), "
            f"arrayFilter(f -> f IN ({names}), `value.name`)) AS field"
        )
        columns += [
            f"arrayFilter((v, f) -> f IN ({names}), `value.{column}`, `value.name`) AS `{column}`"
            for column in (*("kind", "num", "text"), *(("min", "max", "count") if stats else ()))
        ]
    return (
        f"SELECT {', '.join(columns)} FROM {database}.{PARSED} {'FINAL ' if collapse else ''}"
        f"WHERE {where(peer, from_ms, to_ms)} ORDER BY ts, seq"  # nosec B608  # our names; others are quoted
    )


def select_raw(
    peer: Peer, from_ms: int, to_ms: int, columns: Iterable[str] = RAW_COLUMNS, database: str = DATABASE
) -> str:
    """Return the query for raw rows, unordered and with copies: the reader sorts rows of 50 kB cheaper."""
    names = ", ".join(f"`{name}`" for name in columns)
    return f"SELECT {names} FROM {database}.{RAW} WHERE {where(peer, from_ms, to_ms)}"  # nosec B608  # our names; others are quoted


def raw_columns(order: bool) -> tuple[str, ...]:
    """Return the columns to read: all, or all but `order`, a tenth of what a full second takes to read."""
    return tuple(name for name in RAW_COLUMNS if order or name != "order")


def select_last_seen(tenant: str, database: str = DATABASE) -> str:
    """Return the query for chassisId, msgType, and of the newest arrival (`a_…`) and the newest position (`p_…`) each
    received, seq, ts and realtime."""
    orders = {"a": ("received", "seq", "ts", "realtime"), "p": ("seq", "received", "ts", "realtime")}
    columns = ", ".join(
        f"tupleElement({which}, {i}) AS {which}_{name}"
        for which, names in orders.items()
        for i, name in enumerate(names, 1)
    )
    return (
        f"SELECT CAST(chassisId AS String) AS chassis, CAST(msgType AS String) AS type, {columns} FROM "
        f"(SELECT chassisId, msgType, maxMerge(arrival) AS a, maxMerge(position) AS p FROM {database}.{LAST_SEEN} "
        f"WHERE tenant = {quote(tenant)} GROUP BY chassisId, msgType)"  # nosec B608  # our names; others are quoted
    )


def select_partitions(table: str, database: str = DATABASE) -> str:
    """Return the query for id, day (days since 1970 as text) and bytes on disk of a table's partitions."""
    return (
        "SELECT partition_id, partition AS day, toInt64(sum(bytes_on_disk)) AS bytes FROM system.parts "
        f"WHERE database = {quote(database)} AND table = {quote(table)} AND active "
        "GROUP BY partition_id, partition"  # nosec B608  # our names; others are quoted
    )


def select_tables(database: str = DATABASE) -> str:
    """Return the query for the `name` of the tables that are there."""
    return f"SELECT name FROM system.tables WHERE database = {quote(database)}"  # nosec B608  # our names; others are quoted


def drop_partition(table: str, partition_id: str, database: str = DATABASE) -> str:
    """Return the statement that drops a day of a table."""
    return f"ALTER TABLE {database}.{table} DROP PARTITION ID {quote(partition_id)}"


def days_to_drop(days: dict[int, int], now_ms: int, keep_days: float, limit_bytes: float) -> list[int]:
    """Return the days (since 1970) to drop, oldest first, of `days` (day → bytes on disk).

    A day goes when all of it is past `keep_days`, and the oldest go while the rest is over `limit_bytes`;
    today and later days stay. After the day on which the newest came, time stands still: a clock that is
    years ahead drops nothing by itself.
    """
    now_ms = min(now_ms, (max(days, default=0) + 1) * DAY_MS)
    today = now_ms // DAY_MS
    oldest_kept = int((now_ms - keep_days * DAY_MS) // DAY_MS)
    total = sum(days.values())
    dropped = []
    for day in sorted(day for day in days if day < today):
        if day >= oldest_kept and total <= limit_bytes:
            break
        dropped.append(day)
        total -= days[day]
    return dropped
