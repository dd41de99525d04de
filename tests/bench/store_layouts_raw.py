"""The raw table: an hour of a full 500 kbit/s bus, and 6 of its 80 streams read out of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from duco_rt.model import Peer, RawSecond
from duco_rt.transports import store_sql
from duco_rt.transports.store_rows import raw_blocks

STREAMS, RATE, HOUR = 80, 50, 3600
START_MS = 1_795_305_600_000
PEER = Peer("duco", "DUCO_000", "vehicle_can")
CODECS = ["NONE", "LZ4", "ZSTD(1)", "ZSTD(3)"]
WANTED = (3, 17, 30, 44, 58, 71)


def seconds(count: int) -> Iterator[RawSecond]:
    """Yield seconds of 4,000 frames: order u8 a frame, times int32 µs and data 8 bytes, grouped by stream."""
    random = np.random.default_rng(1)
    phase = random.integers(0, 20_000, (STREAMS, 1))
    slow = random.integers(0, 60_000, (STREAMS, 2))
    for second in range(count):
        times = np.arange(RATE) * 20_000 + phase + random.integers(-200, 200, (STREAMS, RATE))
        order = (np.argsort(times, axis=None, kind="stable") // RATE).astype("u1")
        data = np.full((STREAMS, RATE, 8), 255, dtype="u1")
        walk = slow[:, None, :] + np.cumsum(random.integers(-3, 4, (STREAMS, RATE, 2)), axis=1)
        slow = walk[:, -1, :]
        data[..., :4] = (walk % 65536).astype("<u2").view("u1").reshape(STREAMS, RATE, 4)
        data[..., 4] = (second * RATE + np.arange(RATE)) % 16
        data[..., 5] = random.integers(0, 4, (STREAMS, RATE))
        ts = START_MS + second * 1000
        blobs = (b"\0\1" * STREAMS, order.tobytes(), times.astype("<i4").tobytes(), data.tobytes())
        yield RawSecond(PEER, ts, second, 0, ts + 400, True, "can1", *blobs)


def _reads() -> dict[str, str]:
    where = f"FROM duco.raw_data_cache_store WHERE chassisId = 'DUCO_000' AND ts >= {START_MS}"
    times = ", ".join(f"substring(times, {s * RATE * 4 + 1}, {RATE * 4})" for s in WANTED)
    data = ", ".join(f"substring(data, {s * RATE * 8 + 1}, {RATE * 8})" for s in WANTED)
    return {
        "6 of 80, data ms": f"SELECT ts, seq, streams, {data} {where}",
        "6 of 80, times and data ms": f"SELECT ts, seq, streams, {times}, {data} {where}",
        "times and data whole ms": f"SELECT ts, seq, streams, times, data {where}",
        "all columns ms": store_sql.select_raw(PEER, START_MS, START_MS + HOUR * 1000),
        "2 min, all columns ms": store_sql.select_raw(PEER, START_MS + 900_000, START_MS + 1_019_999),
    }


def measure(codec: str, folder: Path) -> dict[str, float]:
    """Fill a table of this codec with an hour and read it; sizes of the columns are bytes a second."""
    from chdb import session

    from duco_rt.transports.store_chdb import ENGINE

    engine: Any = session.Session(f"{folder}?{ENGINE}")
    for statement in store_sql.ddl()[:2]:
        engine.query(statement.replace("CODEC(LZ4)", f"CODEC({codec})"))
    spent = 0.0
    source = seconds(HOUR)
    for _ in range(HOUR // 60):
        blocks = list(raw_blocks([next(source) for _ in range(60)], 16_000_000))
        cpu = time.process_time()
        with engine.send_insert("INSERT INTO duco.raw_data_cache_store", "Native") as stream:
            for block in blocks:
                stream.append(block)
            stream.finish()
        spent += time.process_time() - cpu
    engine.query("OPTIMIZE TABLE duco.raw_data_cache_store FINAL")
    found = {"insert CPU ms/row": spent / HOUR * 1e3}
    for column in ("order", "times", "data"):
        size = engine.query(
            "SELECT sum(column_data_compressed_bytes) FROM system.parts_columns "
            f"WHERE active AND table = 'raw_data_cache_store' AND column = '{column}'",
            "TSV",
        )
        found[f"{column} bytes/row"] = int(size.bytes()) / HOUR
    for name, statement in _reads().items():
        took = []
        for _ in range(7):
            clock = time.perf_counter()
            engine.query(statement, "Native").bytes()
            took.append(time.perf_counter() - clock)
        found[name] = min(took) * 1e3  # the best of seven: what the layout costs, not what else runs
    engine.close()
    return found


def rows(in_folder: Callable[[Callable[[Path], dict[str, float]]], dict[str, float]]) -> Iterator[str]:
    """Yield the table's lines as they are measured."""
    head = False
    for codec in CODECS:
        found = in_folder(lambda folder, codec=codec: measure(codec, folder))  # type: ignore[misc]
        if not head:
            yield "\n| raw codec | " + " | ".join(found) + " |"
            yield "|---|" + "---:|" * len(found)
            head = True
        cells = [f"{value:,.2f}" if value < 10 else f"{value:,.0f}" for value in found.values()]
        yield f"| {codec} | " + " | ".join(cells) + " |"
