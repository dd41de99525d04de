"""The fleet whose values are stored, and the layouts that are compared."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from duco_rt.model import Peer
from duco_rt.transports import store_sql
from duco_rt.transports.store_native import block, text

DEVICES, FIELDS = 50, 60
START_MS = 1_795_305_600_000
NAMES = [f"Signal{'ABCDEF'[i % 6] * 3}{i:02d}" for i in range(FIELDS)]
Columns = dict[str, tuple[str, bytes]]
Values = NDArray[np.float64]


class Fleet:
    """Signals as machines have them: 20 that move in steps of 1/8, 20 that change rarely, 10 switches,
    5 counters, 5 with noise in 16 bits."""

    def __init__(self) -> None:
        self.second = 0
        self._random = np.random.default_rng(1)
        self._last = np.zeros((DEVICES, FIELDS))

    def values(self, seconds: int) -> Values:
        """Return the next seconds: device, second, field."""
        r, shape = self._random, (DEVICES, seconds)
        steps = np.zeros((*shape, FIELDS))
        steps[..., :20] = r.integers(-20, 21, (*shape, 20)) / 8
        steps[..., 20:40] = (r.random((*shape, 20)) < 0.02) * r.integers(-4, 5, (*shape, 20)) / 2
        steps[..., 50:55] = 1
        values: Values = self._last[:, None, :] + np.cumsum(steps, axis=1)
        values[..., 40:50] = np.floor((self.second + np.arange(seconds)) / 97)[None, :, None] % 2
        values[..., 55:] = r.integers(0, 65536, (*shape, 5)) / 256
        self._last = values[:, -1, :].copy()
        self.second += seconds
        return values


def _strings(values: Sequence[str], repeat: int) -> bytes:
    return b"".join(text(value) * repeat for value in values)


def _peers(repeat: int) -> Columns:
    rows = DEVICES * repeat
    return {
        "tenant": ("String", text("duco") * rows),
        "chassisId": ("String", _strings([f"DUCO_{d:03d}" for d in range(DEVICES)], repeat)),
        "msgType": ("String", text("vehicle_can") * rows),
    }


def _clocks(first: int, seconds: int, repeat: int) -> Columns:
    seq = np.tile(np.repeat(np.arange(first, first + seconds, dtype="<i8"), repeat), DEVICES)
    ts = START_MS + seq * 1000
    return {
        "ts": ("Int64", ts.tobytes()),
        "seq": ("Int64", seq.tobytes()),
        "received": ("Int64", (ts + 400).tobytes()),
    }


def value_rows(fleet: Fleet, seconds: int) -> Iterator[bytes]:
    """A row a value."""
    first, values = fleet.second, fleet.values(seconds)
    rows = values.size
    columns = {
        **_peers(seconds * FIELDS),
        **_clocks(first, seconds, FIELDS),
        "field": ("String", _strings(NAMES, 1) * (rows // FIELDS)),
        "kind": ("UInt8", b"\1" * rows),
        "num": ("Float64", values.astype("<f8").tobytes()),
        "text": ("String", bytes(rows)),
    }
    yield block(rows, columns)


def sample_rows(fleet: Fleet, seconds: int) -> Iterator[bytes]:
    """A row a sample, its values in arrays."""
    first, values = fleet.second, fleet.values(seconds)
    rows = DEVICES * seconds
    ends = np.arange(FIELDS, values.size + 1, FIELDS, dtype="<u8").tobytes()
    columns = {
        **_peers(seconds),
        **_clocks(first, seconds, 1),
        "value.name": ("Array(String)", ends + _strings(NAMES, 1) * rows),
        "value.kind": ("Array(UInt8)", ends + b"\1" * values.size),
        "value.num": ("Array(Float64)", ends + values.astype("<f8").tobytes()),
        "value.text": ("Array(String)", ends + bytes(values.size)),
        # The layouts are compared by the last values alone; `store_seconds` measures with these.
        "value.min": ("Array(Float64)", ends + np.full(values.size, np.nan, "<f8").tobytes()),
        "value.max": ("Array(Float64)", ends + np.full(values.size, np.nan, "<f8").tobytes()),
        "value.count": ("Array(UInt32)", ends + bytes(4 * values.size)),
    }
    yield block(rows, columns)


def map_rows(fleet: Fleet, seconds: int) -> Iterator[bytes]:
    """A row a sample, its values in a Map (numbers only)."""
    first, values = fleet.second, fleet.values(seconds)
    rows = DEVICES * seconds
    ends = np.arange(FIELDS, values.size + 1, FIELDS, dtype="<u8").tobytes()
    data = ends + _strings(NAMES, 1) * rows + values.astype("<f8").tobytes()
    columns = {**_peers(seconds), **_clocks(first, seconds, 1), "value": ("Map(String, Float64)", data)}
    yield block(rows, columns)


@dataclass(frozen=True)
class Layout:
    """A table, how it is filled and how the fields of one device are read from it."""

    name: str
    table: str
    ddl: str
    blocks: Callable[[Fleet, int], Iterator[bytes]]
    query: Callable[[int, int, int, int], str]


def _peer(device: int) -> Peer:
    return Peer("duco", f"DUCO_{device:03d}", "vehicle_can")


def _where(device: int, from_ms: int, to_ms: int) -> str:
    peer = _peer(device)
    return (
        f"tenant = 'duco' AND chassisId = '{peer.chassis_id}' AND msgType = 'vehicle_can' "
        f"AND ts >= {from_ms} AND ts <= {to_ms}"
    )


def _query_values(device: int, fields: int, from_ms: int, to_ms: int) -> str:
    names = ", ".join(f"'{name}'" for name in NAMES[::5][:fields])
    return (
        "SELECT CAST(field AS String) AS f, ts, seq, kind, num, text FROM duco.v "
        f"WHERE {_where(device, from_ms, to_ms)} AND field IN ({names}) "
        "ORDER BY field, ts, seq, received DESC LIMIT 1 BY field, ts, seq"
    )


def _query_samples(device: int, fields: int, from_ms: int, to_ms: int) -> str:
    return store_sql.select_history(_peer(device), NAMES[::5][:fields], from_ms, to_ms)


def _query_map(device: int, fields: int, from_ms: int, to_ms: int) -> str:
    names = ", ".join(f"value['{name}'] AS n{i}" for i, name in enumerate(NAMES[::5][:fields]))
    where = _where(device, from_ms, to_ms)
    return f"SELECT ts, seq, {names} FROM duco.m WHERE {where} ORDER BY ts, seq"


def _values_ddl(num: str, rest: str) -> str:
    key = "tenant LowCardinality(String), chassisId LowCardinality(String), msgType LowCardinality(String), "
    return (
        f"CREATE TABLE duco.v ({key} field LowCardinality(String), ts Int64{rest}, seq Int64{rest}, "
        f"received Int64{rest}, kind UInt8, num Float64{num}, text String) "
        "ENGINE = ReplacingMergeTree(received) PARTITION BY intDiv(received, 86400000) "
        "ORDER BY (tenant, chassisId, msgType, field, ts, seq)"
    )


_SAMPLES = store_sql.ddl()[2]
_MAP = (
    "CREATE TABLE duco.m (tenant LowCardinality(String), chassisId LowCardinality(String), "
    "msgType LowCardinality(String), ts Int64 CODEC(Delta, ZSTD(1)), seq Int64 CODEC(Delta, ZSTD(1)), "
    "received Int64 CODEC(Delta, ZSTD(1)), value Map(LowCardinality(String), Float64) CODEC(ZSTD(1))) "
    "ENGINE = ReplacingMergeTree(received) PARTITION BY intDiv(received, 86400000) "
    "ORDER BY (tenant, chassisId, msgType, ts, seq) SETTINGS index_granularity = 256"
)
_DELTA = " CODEC(Delta, ZSTD(1))"


def _samples(name: str, old: str = "", new: str = "") -> Layout:
    return Layout(name, "ce_technology", _SAMPLES.replace(old, new), sample_rows, _query_samples)


LAYOUTS = [
    Layout("values, LZ4", "v", _values_ddl("", ""), value_rows, _query_values),
    Layout("values, Delta+ZSTD", "v", _values_ddl(" CODEC(ZSTD(1))", _DELTA), value_rows, _query_values),
    _samples("samples, ZSTD, 256"),
    _samples("samples, ZSTD, 1024", "index_granularity = 256", "index_granularity = 1024"),
    _samples("samples, ZSTD, 8192", "index_granularity = 256", "index_granularity = 8192"),
    _samples("samples, LZ4, 256", "CODEC(ZSTD(1))", "CODEC(LZ4)"),
    Layout("map, ZSTD, 256", "m", _MAP, map_rows, _query_map),
]
"""The chosen one is `samples, ZSTD, 256`: `store_sql`'s own."""
