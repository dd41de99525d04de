"""Data points a CPU-second through the whole embedded pipeline: from the memory hub to the parsed store, raw kept.

`python -m tests.bench.pipeline [--devices 100] [--seconds 60] [--live-seconds 20] [--profile]`

A point is one field of one second, stored. Every device has the light bus (500 frames/s, 80 ids with 8 signals each).
Its messages are made beforehand, and sent as fast as the pipeline takes them: in batches of 10 s, as devices do when
nobody watches, then a message each second, which is parsed twice, for the store and for live. The processor time is
that of all threads, the store's merges included. Exits 1 where batches give less than 100,000 points.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import pstats
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from duco_rt.adapters import Transports
from duco_rt.app import build_pipeline
from duco_rt.clock import SystemClock
from duco_rt.config import Config
from duco_rt.config.load import load_config
from duco_rt.device.messages import can_messages
from duco_rt.model import VEHICLE_CAN, Device, HubMessage, Peer
from duco_rt.pipeline.parsing_cache import ParsingCache
from duco_rt.seeing import logs
from duco_rt.seeing.metrics import Metrics
from duco_rt.transports.hub_memory import MemoryHub
from tests.bench.full_bus import LIGHT, START_MS

BATCH_S = 10
TARGET = 100_000
FIELDS = 8 * len(LIGHT.rates_hz)
_FLYING_S = 500
"""Device-seconds on their way at once."""
_SETTINGS = ('app.roles=["ingest","process","distribute"]', "app.log_level=error")


@dataclass
class Line:
    """A running pipeline."""

    hub: MemoryHub
    transports: Transports
    metrics: Metrics

    @property
    def samples(self) -> float:
        """Samples in the parsed store until now."""
        return self.metrics.value("distribute_samples_total")


class Spent(NamedTuple):
    """What a run took. CPU seconds: of all threads, and of the event loop's alone."""

    points: int
    wall_s: float
    cpu_s: float
    loop_s: float


@asynccontextmanager
async def running(folder: Path, devices: Sequence[str]) -> AsyncIterator[Line]:
    """The roles between hub and store as the program puts them together; the devices share the bus's parsing."""
    config: Config = load_config(overrides=[*_SETTINGS, f"app.data_dir={folder}"])
    clock, metrics = SystemClock(), Metrics()
    async with AsyncExitStack() as stack:
        transports = Transports(config, folder, clock, metrics)
        await transports.open(stack)
        await transports.meta.put_parsing("full_bus", LIGHT.parsing().files)
        for chassis_id in devices:
            await transports.meta.put_device(Device(chassis_id, "duco", chassis_id, "full_bus"))
        parsings = ParsingCache(transports.meta, config.meta.refresh_s, metrics)
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        parts = build_pipeline(config, transports, parsings, clock, metrics)
        runs = [tasks.create_task(run) for run in (parsings.run(), *(part.run() for part in parts))]
        assert isinstance(transports.hub, MemoryHub)
        try:
            yield Line(transports.hub, transports, metrics)
        finally:
            for task in runs:
                task.cancel()


def messages(chassis_id: str, number: int, first: int, seconds: int, batch_s: int) -> list[HubMessage]:
    """The messages of a device for `seconds` from `first` on; each device is another stretch of the bus's time."""
    offset = number * 10_000 + first
    every = list(LIGHT.seconds(seconds, offset, START_MS - number * 10_000_000))
    batches = (every[at : at + batch_s] for at in range(0, seconds, batch_s))
    return [message for batch in batches for message in can_messages(chassis_id, batch, realtime=batch_s == 1)]


async def send(line: Line, made: Sequence[list[HubMessage]], batch_s: int) -> Spent:
    """Send each device's messages, the devices in turn; return when the store has all and its merges rest."""
    before, expected = line.samples, batch_s * sum(map(len, made))
    room = asyncio.Semaphore(_FLYING_S // batch_s)

    async def one(message: HubMessage) -> None:
        await line.hub.device(message.chassis_id).send(message)
        room.release()

    wall, cpu, loop = time.perf_counter(), time.process_time(), time.thread_time()
    async with asyncio.TaskGroup() as sending:
        for several in zip(*made, strict=True):
            for message in several:
                await room.acquire()
                sending.create_task(one(message))
    while line.samples < before + expected:
        await asyncio.sleep(0.02)
    wall_s = time.perf_counter() - wall
    await rest()
    return Spent(FIELDS * expected, wall_s, time.process_time() - cpu, time.thread_time() - loop)


async def rest() -> None:
    """Wait until this process, the store's merges too, does nothing any more."""
    while True:
        before = time.process_time()
        await asyncio.sleep(0.5)
        if time.process_time() - before < 0.05:
            return


async def run(folder: Path, devices: int, seconds: dict[int, int]) -> dict[int, Spent]:
    """By seconds a message: what its device-seconds took."""
    names = [f"BENCH_{n:03}" for n in range(devices)]
    found = {}
    async with running(folder, names) as line:
        at = 0
        for batch_s, several_s in seconds.items():
            warm = [messages(name, n, at, BATCH_S, batch_s) for n, name in enumerate(names)]
            made = [messages(name, n, at + BATCH_S, several_s, batch_s) for n, name in enumerate(names)]
            at += BATCH_S + several_s
            await send(line, warm, batch_s)
            found[batch_s] = await send(line, made, batch_s)
        await _check(line, names, at)
    return found


async def _check(line: Line, names: Sequence[str], seconds: int) -> None:
    """Everything is there: raw, and each field of each second."""
    store, peer = line.transports.store, Peer("duco", names[-1], VEHICLE_CAN)
    assert len(await store.raw(peer, 0, 2**53)) == seconds
    history = await store.history(peer, LIGHT.fields(), 0, 2**53)
    assert len(history.ts) == seconds
    assert all(None not in column for column in history.fields.values())


def report(found: dict[int, Spent]) -> int:
    """Print the figures; 1 where the target is missed."""
    print(
        f"{'':<24}{'points':>12}{'points/CPU-s':>14}{'devices at 1 Hz a core':>24}{'loop, % of CPU':>16}{'wall, s':>9}"
    )
    for batch_s, spent in found.items():
        rate = spent.points / spent.cpu_s
        name = "a message each second" if batch_s == 1 else f"batches of {batch_s} s"
        shares = f"{rate / FIELDS:>24.0f}{100 * spent.loop_s / spent.cpu_s:>16.0f}{spent.wall_s:>9.1f}"
        print(f"{name:<24}{spent.points:>12,}{rate:>14,.0f}{shares}")
    spent = found[BATCH_S]
    if spent.points < TARGET * spent.cpu_s:
        print(f"MISSED: {TARGET:,} points a CPU-second")
        return 1
    return 0


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--devices", type=int, default=100)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--live-seconds", type=int, default=20)
    parser.add_argument("--profile", action="store_true", help="where the event loop's time goes; slows it down")
    args = parser.parse_args()
    logs.configure("error")
    profile = cProfile.Profile()
    with tempfile.TemporaryDirectory() as folder:
        trial = run(Path(folder), args.devices, {BATCH_S: args.seconds, 1: args.live_seconds})
        found = profile.runcall(asyncio.run, trial) if args.profile else asyncio.run(trial)
    missed = report(found)
    if args.profile:
        pstats.Stats(profile).sort_stats("tottime").print_stats(40)
    return missed


if __name__ == "__main__":
    sys.exit(main())
