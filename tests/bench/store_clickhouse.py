"""The ClickHouse adapter on a server of its own: inserts, the history of a page, raw rows; CPU of the client alone.

The last line inserts the same values as Python lists with asynch's own cursor.
"""

from __future__ import annotations

import asyncio
import random
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from asynch.connection import Connection

from duco_rt.model import Peer, RawSecond, Sample
from duco_rt.transports import store_sql
from duco_rt.transports.store_clickhouse import ClickHouseStore
from tests.servers.clickhouse import ClickHouseServer
from tests.servers.server import HOST

NOW = 1_795_352_000_000
PEER = Peer("duco", "DUCO_001", "vehicle_can")
FIELDS = [f"field_of_a_machine_{i}" for i in range(60)]


async def measure(what: str, times: int, unit: str, units: int, work: Callable[[int], Awaitable[object]]) -> None:
    """Print the rate of `times` calls of `units` each, and this process's CPU."""
    slowest_s = 0.0
    begun_s, cpu_s = time.monotonic(), time.process_time()
    for i in range(times):
        call_s = time.monotonic()
        await work(i)
        slowest_s = max(slowest_s, time.monotonic() - call_s)
    wall_s, cpu_s = time.monotonic() - begun_s, time.process_time() - cpu_s
    count = times * units
    rate = f"{count / wall_s:,.0f} {unit}/s, {wall_s / times * 1e3:.1f} ms a call (slowest {slowest_s * 1e3:.0f})"
    print(f"{what}: {rate}, CPU {cpu_s / count * 1e6:.2f} µs a {unit}", flush=True)


def samples(first: int, count: int) -> list[Sample]:
    """Samples of 60 floats."""
    return [Sample(PEER, NOW + i * 1000, i, NOW, {name: random.random() for name in FIELDS})
            for i in range(first, first + count)]  # fmt: skip


async def longest_pause(work: Awaitable[object]) -> float:
    """Seconds that the event loop was not free at once while the work was done."""
    longest_s = 0.0

    async def watch() -> None:
        nonlocal longest_s
        while True:
            before_s = time.monotonic()
            await asyncio.sleep(0)
            longest_s = max(longest_s, time.monotonic() - before_s)

    async with asyncio.TaskGroup() as group:
        watcher = group.create_task(watch())
        await work
        watcher.cancel()
    return longest_s


async def with_cursor(server: ClickHouseServer, batch: list[Sample]) -> None:
    """Insert as asynch offers it."""
    names = ["tenant", "chassisId", "msgType", "ts", "seq", "received"]
    arrays = [f"value.{name}" for name in ("name", "kind", "num", "text")]
    columns = ", ".join(f"`{name}`" for name in names + arrays)
    async with Connection(host=HOST, port=server.port) as connection, connection.cursor() as cursor:
        values = [
            (*sample.peer, sample.ts_ms, sample.seq, sample.received_ms, list(sample.payload), [1] * 60,
             list(sample.payload.values()), [""] * 60)
            for sample in batch
        ]  # fmt: skip
        await cursor.execute(f"INSERT INTO {store_sql.DATABASE}.{store_sql.PARSED} ({columns}) VALUES", values)


async def run(server: ClickHouseServer) -> None:
    """All measurements."""
    store = ClickHouseStore(server.url, create_tables=False)
    batch, second = samples(0, 3000), samples(5000, 50)
    large = [RawSecond(PEER, NOW + i, i, 0, NOW, False, "can1", random.randbytes(500), random.randbytes(4000),
                       random.randbytes(16_000), random.randbytes(32_000)) for i in range(500)]  # fmt: skip
    await measure("parsed, 3,000 samples of 60", 10, "value", 180_000, lambda _: store.insert_parsed(batch))
    await measure("parsed, 50 samples of 60", 40, "value", 3_000, lambda _: store.insert_parsed(second))
    await measure("raw, 500 rows of 52 kB", 6, "row", 500, lambda _: store.insert_raw(large))
    for table in (store_sql.PARSED, store_sql.RAW):
        server.query(f"OPTIMIZE TABLE {store_sql.DATABASE}.{table} FINAL")
    await measure("history, 12 fields x 2 min", 50, "value", 1_440,
                  lambda i: store.history(PEER, FIELDS[::5], NOW + i * 1000, NOW + i * 1000 + 119_000))  # fmt: skip
    await measure("history, 12 fields x 50 min", 5, "value", 36_000,
                  lambda _: store.history(PEER, FIELDS[::5], NOW, NOW + 2_999_000))  # fmt: skip
    await measure("raw, read 120 rows of 52 kB", 10, "row", 120, lambda _: store.raw(PEER, NOW, NOW + 119))
    works = [
        ("inserting 3,000 samples", store.insert_parsed(batch)),
        ("inserting 500 raw rows", store.insert_raw(large)),
        ("reading 50 min", store.history(PEER, FIELDS[::5], NOW, NOW + 2_999_000)),
    ]
    for what, work in works:
        print(f"longest pause of the event loop, {what}: {await longest_pause(work) * 1e3:.1f} ms")
    await store.close()
    await measure("asynch's cursor, 3,000 samples of 60", 3, "value", 180_000, lambda _: with_cursor(server, batch))


def main() -> int:
    """The command."""
    with tempfile.TemporaryDirectory() as folder:
        server = ClickHouseServer(Path(folder) / "server").start()
        try:
            server.create_tables()
            asyncio.run(run(server))
        finally:
            server.kill()
    return 0


if __name__ == "__main__":
    sys.exit(main())
