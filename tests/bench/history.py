"""History of wide windows in few points: minutes to a day of 150 fields, over HTTP, from a real store.

`python -m tests.bench.history [--hours 24] [--times 5] [--clickhouse]`

A sample a second, nine fields of ten with a lowest and a highest that differ from the last value; 72 fields are asked
for with min, max and mean, in 1,500 points. The server, its store (chDB, or with `--clickhouse` one on a server) and
the asker are in this process, so reading the answer counts in, and so does the asker's share of the loop.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from duco_rt.config import Web
from duco_rt.model import Peer, Sample, Span
from duco_rt.transports.base_data import Store
from duco_rt.transports.store_chdb import ChdbStore
from duco_rt.transports.store_clickhouse import ClickHouseStore
from tests.bench.full_history import show
from tests.servers.clickhouse import ClickHouseServer
from tests.web.conftest import BASE, NOW_MS, Site

FIELDS = 150
NAMES = [f"Message_{i // 8}.Signal_{i}" for i in range(FIELDS)]
ASKED = ",".join(NAMES[::2][:72])
PEER = Peer("duco", "DUCO_001", "vehicle_can")
_INSERTED_TOGETHER = 1_000


def samples(seconds: int) -> Iterator[Sample]:
    """The seconds before now: half of the fields ints, half steps of 1/8."""
    rng = np.random.default_rng(1)
    last = rng.integers(0, 60_000, FIELDS)
    scale = np.where(np.arange(FIELDS) % 2, 1.0, 0.125)
    for n in range(seconds):
        last += rng.integers(-20, 21, FIELDS)
        low, high = last - rng.integers(1, 9, FIELDS), last + rng.integers(1, 9, FIELDS)
        payload = dict(zip(NAMES, (last * scale).tolist(), strict=True))
        ends = zip(NAMES, (low * scale).tolist(), (high * scale).tolist(), strict=True)
        stats = {name: Span(least, most, 10) for i, (name, least, most) in enumerate(ends) if i % 10}
        yield Sample(PEER, NOW_MS - 1000 * (seconds - 1 - n), n, NOW_MS, payload, stats)


class Held:
    """How long the event loop was busy at a stretch, in ms of its own thread's processor time: what load of the
    machine does not lengthen."""

    def __init__(self) -> None:
        self.longest_ms = 0.0

    async def watch(self) -> None:
        """For ever."""
        begin_s = time.thread_time()
        while True:
            await asyncio.sleep(0.001)
            end_s = time.thread_time()
            self.longest_ms, begin_s = max(self.longest_ms, (end_s - begin_s) * 1000), end_s


async def ask(site: Site, seconds: int, times: int, **more: Any) -> None:
    """Ask so often for the last seconds, and print."""
    query = {"msgType": PEER.msg_type, "fields": ASKED, "from": str(NOW_MS - 1000 * seconds + 1), "to": str(NOW_MS)}
    took, held, size = [], Held(), 0
    loop, cpu_s = asyncio.get_running_loop(), time.process_time()
    watching = loop.create_task(held.watch())
    for _ in range(times):
        begin_s = loop.time()
        async with site.session.get(f"{BASE}/{PEER.chassis_id}/history", params=query | more) as response:
            text = await response.read()
            assert response.status == 200, text[:500]
        took.append((loop.time() - begin_s) * 1000)
        size = len(text)
    cpu_ms = (time.process_time() - cpu_s) * 1000 / times
    watching.cancel()
    await asyncio.wait([watching])
    title = f"{seconds / 3600:g} h" if seconds >= 3600 else f"{seconds / 60:g} min"
    words = ", ".join(f"{name} {value}" for name, value in more.items())
    tail = f"; {size / 1e6:.1f} MB; the loop was held for {held.longest_ms:.0f} ms at most"
    show(f"{title}, {words}", took, f", processor {cpu_ms:.0f} ms{tail}")


async def run(folder: Path, store: Store, hours: float, times: int) -> None:
    """Fill, ask, print."""
    batch = []
    for sample in samples(round(3600 * hours)):
        batch.append(sample)
        if len(batch) == _INSERTED_TOGETHER:
            await store.insert_parsed(batch)
            batch.clear()
    await store.insert_parsed(batch)
    print(f"filled: {hours:g} h of {FIELDS} fields; resident {_resident_mb()} MB at most", flush=True)
    site = Site(folder, Web(port=0))
    site.store = store  # type: ignore[assignment]  # a real one
    async with site.running():
        for seconds in (300, 1200, 3600, 6 * 3600, round(3600 * hours)):
            await ask(site, seconds, times, points="1500", stats="min,max,mean")
        for stats in ("mean", ""):
            await ask(site, round(3600 * hours), times, points="1500", stats=stats)
    print(f"resident {_resident_mb()} MB at most", flush=True)


def _resident_mb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1000


async def on_chdb(folder: Path, hours: float, times: int) -> None:
    """With the embedded store."""
    store = await ChdbStore(folder / "chdb").open()
    try:
        await run(folder, store, hours, times)
    finally:
        await store.close()


async def on_server(folder: Path, hours: float, times: int) -> None:
    """With a store on a server of its own."""
    server = ClickHouseServer(folder / "server").start()
    try:
        server.create_tables()
        store = ClickHouseStore(server.url, create_tables=False)
        await run(folder, store, hours, times)
        await store.close()
    finally:
        server.kill()


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--hours", type=float, default=24)
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--clickhouse", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run((on_server if args.clickhouse else on_chdb)(Path(folder), args.hours, args.times))
    return 0


if __name__ == "__main__":
    sys.exit(main())
