"""One hour of a full 500 kbit/s bus read again: raw store, today's parsing, parsed store.

`python -m tests.bench.reparse [--minutes 60]`

The hour (4,000 frames a second, 640 fields) is put into an embedded store, then the job that the command `reparse` runs
reads it. The processor time is that of all threads, the store's merges included. Exits 1 under 60 times real time.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import NamedTuple

from duco_rt.adapters import open_store
from duco_rt.adapters_meta import open_meta
from duco_rt.body import pack_columns
from duco_rt.clock import SystemClock
from duco_rt.config.load import load_config
from duco_rt.model import VEHICLE_CAN, Device, Peer, RawSecond
from duco_rt.pipeline.decoding.compiling import compile_parsing_async
from duco_rt.pipeline.reparse import Means, Progress, Result
from duco_rt.pipeline.reparse_jobs import Asked, Reparses
from duco_rt.seeing import logs
from duco_rt.seeing.metrics import Metrics
from tests.bench.full_bus import FULL, START_MS
from tests.bench.pipeline import rest

TARGET = 60
PEER = Peer("duco", "BENCH", VEHICLE_CAN)
_BATCH_S = 60


class Spent(NamedTuple):
    """What the job gave. CPU seconds: of all threads, and of the event loop's alone."""

    result: Result
    wall_s: float
    cpu_s: float
    loop_s: float


def raw_rows(count_s: int) -> Iterator[list[RawSecond]]:
    """The rows of the raw store, a minute each."""
    for first in range(0, count_s, _BATCH_S):
        rows = []
        for second in FULL.seconds(min(_BATCH_S, count_s - first), first):
            c = pack_columns(second)
            at = second.ts_ms, second.seq, 0, second.ts_ms + 1400
            rows.append(RawSecond(PEER, *at, False, "can1", c.streams, c.order, c.times, c.data))
        yield rows


async def _tell(_: Progress) -> None:
    """Nobody watches."""


async def run(folder: Path, count_s: int) -> Spent:
    """Fill the store, then read again."""
    config = load_config(overrides=[f"app.data_dir={folder}"])
    async with AsyncExitStack() as stack:
        meta = await open_meta(config, folder, stack)
        parsing = await meta.put_parsing("full_bus", FULL.parsing().files)
        await meta.put_device(Device(PEER.chassis_id, PEER.tenant, "bench", parsing.name))
        store = await open_store(config, folder)
        stack.push_async_callback(store.close)
        for rows in raw_rows(count_s):
            await store.insert_raw(rows)
        await rest()
        means = Means(store, meta, SystemClock(), Metrics())
        compiled = partial(compile_parsing_async, limit_s=config.meta.read_limit_s)
        reparses = Reparses(means, config.app.msg_types, folder / "reparse", compiled)
        asked = Asked(PEER.chassis_id, str(START_MS), str(START_MS + count_s * 1000 - 1))
        async with reparses.begin(asked) as job:
            wall, cpu, loop = time.perf_counter(), time.process_time(), time.thread_time()
            result = await job.watch(_tell)
        wall_s = time.perf_counter() - wall
        await rest()
        spent = Spent(result, wall_s, time.process_time() - cpu, time.thread_time() - loop)
        assert result.samples == count_s and not result.problems, result
        last_ms = START_MS + (count_s - 1) * 1000
        history = await store.history(PEER, FULL.fields(), last_ms, last_ms)
        assert all(column != [None] for column in history.fields.values())
        return spent


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=int, default=60)
    args = parser.parse_args()
    logs.configure("error")
    count_s = 60 * args.minutes
    with tempfile.TemporaryDirectory() as folder:
        spent = asyncio.run(run(Path(folder), count_s))
    print(f"{count_s * FULL.frames_hz:,} frames of {count_s:,} s, {count_s * len(FULL.fields()):,} values stored")
    print(f"wall {spent.wall_s:.1f} s, CPU {spent.cpu_s:.1f} s, of it the event loop's {spent.loop_s:.1f} s")
    times = count_s / spent.cpu_s
    print(f"{times:.0f}x real time on one core (target >= {TARGET}x), {count_s / spent.wall_s:.0f}x by the clock")
    if times < TARGET:
        print("MISSED")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
