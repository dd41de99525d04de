"""The live service over a day at accelerated time: viewers come, go, stall and resume, and nothing is lost or grows."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import NamedTuple

import psutil
import pytest

from duco_rt.config import Web
from duco_rt.seeing.metrics import Metrics
from duco_rt.web.live.means import Means
from duco_rt.web.live.service import LiveService
from tests.accelerated import LoopClock, run_accelerated
from tests.web.conftest import NOW_MS, Site
from tests.web.live.soak import FIELDS, SENDING, DayStore, Habit, Machine, Viewer, quietly

SCALE = 800.0
HOUR_S = 3600.0
EMPTY_S = 45.0
"""A machine without viewers is followed 30 s longer."""

HABITS = {
    "plain": Habit({}, resumes=False),
    "resumes": Habit({}, stay_s=400, away_s=90),
    "long away": Habit({"stats": ["min", "max"]}, stay_s=300, away_s=1500),
    "compressed": Habit({"last": True}, 600, 20, header="Sec-WebSocket-Extensions: permessage-deflate\r\n"),
    "msgpack": Habit({"on_change": True}, 900, 30, header="Sec-WebSocket-Protocol: duco.msgpack\r\n"),
    "changes": Habit({"ack": True}, stay_s=1200, away_s=10, changes=True),
    "rated": Habit({"max_hz": 0.2}, stay_s=2000, away_s=100),
    "rests": Habit({"payload": ["signal_*"]}, stay_s=4000, away_s=30, rest_s=100),
    "stalls": Habit({"payload": FIELDS}, stay_s=8000, away_s=30, rest_s=3000),
}


class Held(NamedTuple):
    """What the process holds when nobody watches.

    `blocks` are the interpreter's small pieces of memory, `heap_kib` what the C library has given out; `rss_mib` has
    the free room between them, too.
    """

    tasks: int
    files: int
    objects: int
    blocks: int
    heap_kib: float
    rss_mib: float


class _MallInfo(ctypes.Structure):
    """glibc's `struct mallinfo2`."""

    _names = "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost"
    _fields_ = [(name, ctypes.c_size_t) for name in _names.split()]


def heap_kib() -> float:
    """What malloc has given out; 0 where the C library does not say."""
    try:
        ask = ctypes.CDLL(None).mallinfo2
    except AttributeError:
        return 0.0
    ask.restype = _MallInfo
    found = ask()
    return float(found.uordblks + found.hblkhd) / 1024


class Soak:
    """A running server, a machine, and the viewers."""

    def __init__(self, site: Site, store: DayStore, machine: Machine) -> None:
        self.site, self.store, self.machine = site, store, machine
        port = int(site.url.rpartition(":")[2])
        self.viewers = [Viewer(name, habit, machine, port, Random(name)) for name, habit in HABITS.items()]

    async def pass_by(self, seconds: float) -> None:
        """So much time goes by; then all viewers leave."""
        until_s = asyncio.get_running_loop().time() + seconds
        async with asyncio.TaskGroup() as tasks:
            for viewer in self.viewers:
                tasks.create_task(viewer.live(until_s), name=viewer.name)

    async def empty(self) -> Held:
        """Wait until nobody is remembered, and look."""
        await asyncio.sleep(EMPTY_S)
        metrics = self.site.metrics
        left = {name: metrics.value(name) for name in ("live_viewers", "live_peers", "live_recent_bytes")}
        assert not any(left.values()), left
        gc.collect()
        files = len(list(Path("/proc/self/fd").iterdir()))
        rss_mib = psutil.Process().memory_info().rss / 2**20
        tasks = sum(task.get_name() != SENDING for task in asyncio.all_tasks())
        return Held(tasks, files, len(gc.get_objects()), sys.getallocatedblocks(), heap_kib(), rss_mib)

    async def catch_up(self) -> None:
        """Every viewer that resumes comes once more, and has everything then."""
        self.store.is_away = False
        async with asyncio.TaskGroup() as tasks:
            for viewer in self.viewers:
                tasks.create_task(viewer.catch_up(), name=viewer.name)


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Soak]:
    """The real server on loopback, its clock the loop's."""
    web = Web(port=0)
    site, store, clock = Site(folder, web), DayStore(), LoopClock(NOW_MS)
    site.service = LiveService(Means(site.live, store, site.parsings, site.leases, web, clock, site.metrics))
    async with site.running():
        machine = Machine(site.live, store, clock, Random(5))
        sending = asyncio.get_running_loop().create_task(machine.run())
        try:
            yield Soak(site, store, machine)
        finally:
            await quietly(sending)


def shown(soak: Soak) -> str:
    """What happened, a line a viewer."""
    lines = [f"{viewer.name:12} {viewer.ledger.counts} closed {viewer.closed}" for viewer in soak.viewers]
    return "\n".join([f"{soak.machine.seq} is the last", *lines, counters(soak.site.metrics)])


def counters(metrics: Metrics) -> str:
    """The service's own counters."""
    return "\n".join(line for line in metrics.text().splitlines() if line.startswith("duco_live"))


@pytest.mark.servers
def test_minutes_pass_without_an_unmarked_hole(tmp_path: Path) -> None:
    """Five minutes: who resumes has everything, holes marked; when all are gone nothing is left of them."""

    async def work() -> None:
        async with running(tmp_path) as soak:
            before = await soak.empty()
            await soak.pass_by(300)
            after = await soak.empty()
            assert after.tasks == before.tasks
            assert after.files <= before.files  # other tests' may be closed meanwhile
            await soak.catch_up()
            print(shown(soak))

    run_accelerated(work(), SCALE)


@pytest.mark.long
@pytest.mark.timeout(1500)
def test_a_day_passes_without_growth(tmp_path: Path) -> None:
    """24 hours: as above, and memory, tasks and files after the last hour are those of the second."""
    held: dict[int, Held] = {}
    seen: list[Viewer] = []

    async def work() -> None:
        async with running(tmp_path) as soak:
            seen.extend(soak.viewers)
            for hours in (2, 6, 12, 18, 24):
                await soak.pass_by((hours - max(held, default=0)) * HOUR_S - EMPTY_S)
                held[hours] = await soak.empty()
                print(hours, held[hours], flush=True)
            await soak.catch_up()
            print(shown(soak))

    run_accelerated(work(), SCALE)
    early, late = held[2], held[24]
    assert (late.tasks, late.files) == (early.tasks, early.files)
    assert late.objects - early.objects < 2_000, held
    assert late.blocks - early.blocks < 5_000, held
    assert late.heap_kib - early.heap_kib < 1_024, held
    assert late.rss_mib - held[6].rss_mib < 8, held
    assert any("slow" in viewer.ledger.counts for viewer in seen), "nobody was ever slow: the day was too easy"
