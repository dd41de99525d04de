"""The embedded store with what full buses give: 640 fields a second, most with several values.

    python -m tests.bench.store_seconds

CPU of making and inserting blocks, of all and with the engine's merges; bytes on disk; history with and without
lowest, highest and count; raw rows of an hour read in chunks.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from duco_rt.model import Peer, Sample, Span
from duco_rt.transports.store_chdb import ChdbStore
from duco_rt.transports.store_parsed import parsed_blocks
from tests.bench import store_layouts_raw

FIELDS = 640
NAMES = [f"Message_{i // 8}.Signal_{i}" for i in range(FIELDS)]
NOW = store_layouts_raw.START_MS
DEVICES = 20
CHUNKS_S = (60, 180, 300, 600)


def samples(seconds: int, seed: int) -> Iterator[Sample]:
    """Seconds of 20 machines, one after the other: half unscaled ints, half steps of 1/8; nine of ten move within
    the second, with ten values each."""
    random = np.random.default_rng(seed)
    last = random.integers(0, 60_000, (DEVICES, FIELDS))
    for second in range(seed * 100_000, seed * 100_000 + seconds):
        last += random.integers(-20, 21, last.shape)
        low, high = last - random.integers(0, 9, last.shape), last + random.integers(0, 9, last.shape)
        for device in range(DEVICES):
            rows = zip(NAMES, last[device].tolist(), low[device].tolist(), high[device].tolist(), strict=True)
            payload, stats = {}, {}
            for i, (name, value, least, most) in enumerate(rows):
                unit = 1 if i % 2 else 0.125
                payload[name] = value * unit
                if i % 10:
                    stats[name] = Span(least * unit, most * unit, 10)
            peer = Peer("duco", f"DUCO_{device:03d}", "vehicle_can")
            ts_ms = NOW + second * 1000
            yield Sample(peer, ts_ms, second, ts_ms + 400, {**payload}, stats)


async def settle(store: ChdbStore) -> None:
    """Wait until no merge has run for some seconds."""
    quiet = 0
    while quiet < 6:
        await asyncio.sleep(0.5)
        busy = await store._run(store._query, "SELECT count() AS n FROM system.merges")
        quiet = 0 if busy["n"][0] else quiet + 1


async def inserts(folder: Path, batch: int, times: int, spans: bool) -> None:
    """Print what an insert of `batch` samples costs."""
    source = [sample if spans else replace(sample, stats=None) for sample in samples(batch * times // DEVICES, 1)]
    batches = [source[at : at + batch] for at in range(0, len(source), batch)]
    values = len(source) * FIELDS
    begun_s = time.process_time()
    for each in batches:
        list(parsed_blocks(each, 16_384))
    made_s = time.process_time() - begun_s
    store = await ChdbStore(folder).open()
    begun_s, wall_s = time.process_time(), time.monotonic()
    for each in batches:
        await store.insert_parsed(each)
    inserted_s, wall_s = time.process_time() - begun_s, time.monotonic() - wall_s
    await settle(store)
    merged_s = time.process_time() - begun_s
    size = "SELECT sum(bytes_on_disk) AS n FROM system.parts WHERE active AND table = 'ce_technology'"
    disk = int((await store._run(store._query, size))["n"][0])
    await store.close()
    shown = [f"{part / values * 1e6:.2f}" for part in (made_s, inserted_s, merged_s)]
    print(
        f"{batch} samples of {FIELDS} {'with' if spans else 'without'} spans: CPU µs a value: making {shown[0]}, "
        f"with inserting {shown[1]}, with merges {shown[2]}; {wall_s / times * 1e3:.0f} ms an insert; "
        f"{disk / values:.2f} bytes a value",
        flush=True,
    )


async def reads(folder: Path) -> None:
    """Print what reading history and an hour of raw rows takes."""
    store = await ChdbStore(folder).open()
    for sample_seed in range(1, 7):
        await store.insert_parsed([s for s in samples(20, sample_seed) if s.peer.chassis_id == "DUCO_000"])
    source = store_layouts_raw.seconds(3600)
    for _ in range(60):
        await store.insert_raw([next(source) for _ in range(60)])
    for table in ("ce_technology", "raw_data_cache_store"):
        await store._run(store._query, f"OPTIMIZE TABLE duco.{table} FINAL")
    peer = Peer("duco", "DUCO_000", "vehicle_can")
    for stats in (False, True):
        took = await milliseconds(20, lambda: store.history(peer, NAMES[::107], 0, 2**60, stats=stats))  # noqa: B023
        print(f"history, 6 of {FIELDS} fields x 2 min, {'with' if stats else 'without'} stats: {took:.1f} ms")
    for chunk_s in CHUNKS_S:
        for order in (True, False):
            took = await milliseconds(4, lambda: hour(store, chunk_s, order))  # noqa: B023
            kind = "all columns" if order else "without order"
            print(f"raw, 1 h of a full bus in chunks of {chunk_s} s, {kind}: {took:.0f} ms", flush=True)
    await store.close()


async def hour(store: ChdbStore, chunk_s: int, order: bool) -> None:
    """Read 3,600 rows of 52 kB."""
    for start_s in range(0, 3600, chunk_s):
        begin_ms = NOW + start_s * 1000
        rows = await store.raw(store_layouts_raw.PEER, begin_ms, begin_ms + chunk_s * 1000 - 1, order)
        assert len(rows) == chunk_s


async def milliseconds(times: int, work: Any) -> float:
    """Wall time of the quickest call: what it costs, not what else runs."""
    took = []
    for _ in range(times):
        begun_s = time.monotonic()
        await work()
        took.append((time.monotonic() - begun_s) * 1e3)
    return min(took)


def main() -> int:
    """The command."""
    for batch, times in ((20, 60), (1000, 6)):
        for spans in (False, True):
            with tempfile.TemporaryDirectory() as folder:
                asyncio.run(inserts(Path(folder) / "store", batch, times, spans))
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(reads(Path(folder) / "store"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
