"""What a viewer takes of memory: RSS of studio by number of viewers, beside a bare WebSocket server of aiohttp.

`python -m tests.bench.live_memory [--viewers 1000,2000,4000] [--stalled 200]`

The bare server only accepts and reads. Of both the slope counts, so that what a process takes anyway does not.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Sequence

from duco_rt.config import Web
from tests.bench.live_parts import (
    FIELDS,
    LISTS,
    LoadClient,
    Plain,
    Publisher,
    Studio,
    loaded,
    patient,
    rss_kib,
    started,
    verdict,
)
from tests.servers.redis import RedisServer
from tests.servers.server import Server

TARGET_KIB = 30.0
WARM = 500
SAMPLES = 30
FULL = 300
SETTLE_S = 2.0
CHASSIS = "DUCO_001"


def settled_kib(server: Server) -> float:
    """RSS when it no longer moves."""
    end_s, last = time.monotonic() + 15.0, -1.0
    while abs((now := rss_kib(server.pid)) - last) > 64 and time.monotonic() < end_s:
        last = now
        time.sleep(SETTLE_S)
    return now


def slope(points: Sequence[tuple[int, float]]) -> float:
    """KiB a viewer, by least squares."""
    return statistics.linear_regression([n for n, _ in points], [kib for _, kib in points]).slope


class Growing:
    """A server and its viewers, more and more of them."""

    def __init__(self, server: Server, load: LoadClient, publisher: Publisher | None) -> None:
        self.server = server
        self._load = load
        self._publisher = publisher
        self._count = 0

    def grow(self, viewers: int) -> float:
        """RSS in KiB with so many viewers that are up to date."""
        self._load.connect(self.server, CHASSIS, LISTS, viewers - self._count)
        self._count = viewers
        self.deliver(SAMPLES)
        return settled_kib(self.server)

    def deliver(self, samples: int) -> None:
        """Samples to all viewers that read."""
        if self._publisher is None:
            return
        self._load.ask("reset")
        for number in range(1, samples + 1):
            self._publisher.publish(CHASSIS)
            self._load.all_came(number * self._count)


def stalled(growing: Growing, stopping: LoadClient, count: int) -> float:
    """KiB that a viewer which reads nothing takes beyond what it takes when it reads."""
    stopping.connect(growing.server, CHASSIS, [FIELDS], count, small=True)
    growing.deliver(SAMPLES)
    before = settled_kib(growing.server)
    stopping.ask("pause", last=count)
    growing.deliver(FULL)
    return (settled_kib(growing.server) - before) / count


def measure(redis: RedisServer, server: Server, counts: Sequence[int], stop: int) -> tuple[float, float]:
    """KiB a viewer and a stalled one more, with the figures of each step printed; 0 stalled where `stop` is 0."""
    load, stopping = LoadClient(), LoadClient()
    try:
        growing = Growing(server, load, Publisher(redis) if stop else None)
        growing.grow(WARM)
        points = [(viewers, growing.grow(viewers)) for viewers in counts]
        print(f"{server.folder.name:14}" + "".join(f"{kib / 1024:9.1f}" for _, kib in points), end="", flush=True)
        found = slope(points), stalled(growing, stopping, stop) if stop else 0.0
        print(f"{found[0]:12.1f}", flush=True)
        return found
    finally:
        load.end()
        stopping.end()


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--viewers", default="1000,2000,4000")
    parser.add_argument("--stalled", type=int, default=200)
    args = parser.parse_args()
    counts = [int(each) for each in args.viewers.split(",")]
    print("RSS, MiB" + " " * 6 + "".join(f"{n:>9}" for n in counts) + "  KiB/viewer")
    with loaded() as (stack, folder, redis):
        studio, bare = Studio(folder / "duco_rt", redis, patient()), Plain(folder / "aiohttp", "aiohttp")
        started(stack, bare)
        bare_kib, _ = measure(redis, bare, counts, 0)
        started(stack, studio)
        ours_kib, more_kib = measure(redis, studio, counts, args.stalled)
    beyond = ours_kib - bare_kib
    limit_kib = getattr(Web(), "viewer_queue_bytes_max", 65_536) / 1024
    print(
        f"a viewer beyond a bare connection: {beyond:.1f} KiB, at most {TARGET_KIB:g}  {verdict(beyond <= TARGET_KIB)}"
    )
    print(f"one that reads nothing, more: {more_kib:.1f} KiB, at most {limit_kib:g}  {verdict(more_kib <= limit_kib)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
