"""History at full resolution: two minutes and an hour of a full bus, over HTTP, from a real store.

`python -m tests.bench.full_history [--minutes 60] [--times 5]`

A bus of 4,000 frames a second in 80 ids with 8 signals each, kept in chDB by `insert_raw`; six fields of six ids are
asked for. The server and its store are in this process, the asker too, so its own reading of the answer counts in.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from duco_rt.body import EXTENDED
from duco_rt.config import Web
from duco_rt.model import Device, ParsingFile, RawSecond
from duco_rt.transports.store_chdb import ChdbStore
from tests.can_seconds import busy_second
from tests.dbc_texts import dbc_text
from tests.pipeline.raw_rows import rows_of_second
from tests.web.conftest import BASE, NOW_MS, Site

FRAMES, IDS, SIGNALS = 4_000, 80, 8
FIELDS = ",".join(f"s{i}_{i}" for i in range(6))
_DIFFERENT = 30
_INSERTED_TOGETHER = 60


def database() -> str:
    """A signal a byte."""
    return dbc_text(
        *(
            "\n".join(
                [
                    f"{0x18F0_0000 + i * 0x101 | EXTENDED} Message{i} 8",
                    *(f"s{i}_{k} : {8 * k}|8@1+ (0.5,-40)" for k in range(SIGNALS)),
                ]
            )
            for i in range(IDS)
        )
    )


def bus(seconds: int) -> list[RawSecond]:
    """The seconds before now: random bytes, times with a little jitter."""
    rng = np.random.default_rng(1)
    kinds = []
    for n in range(_DIFFERENT):
        second = busy_second(FRAMES, IDS, seed=n)
        jitter = rng.integers(0, 200, second.frames).astype(np.int32)
        [row] = rows_of_second(replace(second, times_us=second.times_us + jitter))
        kinds.append(row)
    return [
        replace(kinds[n % _DIFFERENT], ts_ms=NOW_MS - 1000 * (seconds - n), seq=n, received_ms=NOW_MS)
        for n in range(seconds)
    ]


@dataclass
class Figures:
    """Of one question: wall and processor times in ms, the loop's longest pause in ms, samples and bytes given."""

    times_ms: list[float]
    cpu_ms: float
    pause_ms: float
    samples: int
    size_bytes: int


class Pause:
    """The longest time that the event loop let a sleeper of 1 ms wait beyond it."""

    def __init__(self) -> None:
        self.longest_ms = 0.0

    async def watch(self) -> None:
        """For ever."""
        while True:
            begin = time.perf_counter()
            await asyncio.sleep(0.001)
            self.longest_ms = max(self.longest_ms, (time.perf_counter() - begin) * 1000 - 1)


async def ask(site: Site, seconds: int, times: int, **more: Any) -> Figures:
    """Ask so often for the last seconds."""
    query = {"resolution": "full", "fields": FIELDS, "from": str(NOW_MS - 1000 * seconds), "to": str(NOW_MS), **more}
    pause, took = Pause(), []
    watching = asyncio.get_running_loop().create_task(pause.watch())
    body, cpu_s = b"", time.process_time()
    for _ in range(times):
        begin = time.perf_counter()
        async with site.session.get(f"{BASE}/DUCO_001/history", params=query) as response:
            body = await response.read()
            assert response.status == 200, body
        took.append((time.perf_counter() - begin) * 1000)
    cpu_ms = (time.process_time() - cpu_s) * 1000 / times
    watching.cancel()
    with suppress(asyncio.CancelledError):
        await watching
    found = (await site.ask("GET", f"{BASE}/DUCO_001/history", params=query))[1]
    samples = sum(len(field["v"]) for field in found["fields"].values())
    return Figures(took, cpu_ms, pause.longest_ms, samples, len(body))


async def health(site: Site, times: int) -> list[float]:
    """How long parsing-health of a minute takes, in ms."""
    took = []
    for _ in range(times):
        begin = time.perf_counter()
        status, _ = await site.ask("GET", f"{BASE}/DUCO_001/parsing-health")
        assert status == 200
        took.append((time.perf_counter() - begin) * 1000)
    return took


def show(title: str, took: Sequence[float], more: str = "") -> None:
    """A line."""
    print(f"{title}: first {took[0]:.0f} ms, median {median(took):.0f} ms, best {min(took):.0f} ms{more}", flush=True)


async def run(folder: Path, minutes: int, times: int) -> None:
    """Fill, ask, print."""
    store = await ChdbStore(folder / "chdb").open()
    try:
        rows = bus(60 * minutes)
        begin = time.perf_counter()
        for at in range(0, len(rows), _INSERTED_TOGETHER):
            await store.insert_raw(rows[at : at + _INSERTED_TOGETHER])
        print(f"filled: {len(rows)} seconds of {FRAMES} frames in {time.perf_counter() - begin:.1f} s", flush=True)
        site = Site(folder, Web(port=0))
        site.store = store  # type: ignore[assignment]  # a real one
        async with site.running():
            await site.meta.put_parsing("full", [ParsingFile("full.dbc", database())])
            await site.meta.put_device(Device("DUCO_001", "duco", "one", "full"))
            assert await site.parsings.get("DUCO_001")
            for title, seconds, more in (
                ("2 minutes, 6 fields", 120, {}),
                ("2 minutes, 6 fields to 2,000 points", 120, {"points": "2000"}),
                (f"{minutes} minutes, 6 fields to 2,000 points", 60 * minutes, {"points": "2000"}),
            ):
                f = await ask(site, seconds, times, **more)
                tail = f", processor {f.cpu_ms:.0f} ms; {f.samples} samples, {f.size_bytes / 1000:.0f} kB"
                show(title, f.times_ms, f"{tail}; the loop paused {f.pause_ms:.0f} ms at most")
            show("parsing-health of a minute", await health(site, times))
    finally:
        await store.close()


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=int, default=60)
    parser.add_argument("--times", type=int, default=5)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(run(Path(folder), args.minutes, args.times))
    return 0


if __name__ == "__main__":
    sys.exit(main())
