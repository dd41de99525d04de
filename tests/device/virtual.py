"""A CAN bus inside the process, and what was collected from it."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable

import can

from duco_rt.body import CanSecond
from duco_rt.device.can_bus import FrameCollector

_numbers = itertools.count()
WITHIN_S = 20.0


def new_channel() -> str:
    """A virtual bus that nobody else uses."""
    return f"test-{next(_numbers)}"


def bus(channel: str, *, keeps_times: bool = False) -> can.BusABC:
    """An end of the virtual bus; `keeps_times`: what it sends carries the messages' own times."""
    return can.Bus(interface="virtual", channel=channel, preserve_timestamps=keeps_times)


def frame(can_id: int, data: bytes = b"", *, extended: bool = False, timestamp: float = 0.0) -> can.Message:
    """A plain frame."""
    return can.Message(arbitration_id=can_id, is_extended_id=extended, data=data, timestamp=timestamp)


def until(done: Callable[[], bool]) -> None:
    """Wait for what a thread does."""
    end_s = time.monotonic() + WITHIN_S
    while not done():
        assert time.monotonic() < end_s, "it did not happen in time"
        time.sleep(0.005)


async def until_async(done: Callable[[], bool]) -> None:
    """Wait for what a thread or another task does, with the loop going on."""
    async with asyncio.timeout(WITHIN_S):
        while not done():
            await asyncio.sleep(0.005)


class Caught:
    """Everything that a collector gave, put together from as many seconds as it takes."""

    def __init__(self, collector: FrameCollector, ts_ms: int) -> None:
        self._collector = collector
        self._ts_ms = ts_ms
        self.seconds: list[CanSecond] = []
        self.totals: dict[str, int] = {}

    def count(self) -> int:
        """Frames until now."""
        second, totals = self._collector.close(self._ts_ms, len(self.seconds))
        self.seconds.append(second)
        for name, total in totals.items():
            self.totals[name] = self.totals.get(name, 0) + total.frames
        return sum(s.frames for s in self.seconds)

    def data(self) -> dict[tuple[str, int], list[bytes]]:
        """The data of every frame in order, by channel and id."""
        found: dict[tuple[str, int], list[bytes]] = {}
        for second in self.seconds:
            for stream, _, data in second.slices():
                n = stream.length
                rows = [bytes(data[i * n : i * n + n]) for i in range(stream.count)]
                found.setdefault((stream.channel, stream.can_id), []).extend(rows)
        return found

    def times_us(self) -> list[int]:
        """The times of all frames from ts, in order of arrival within each stream."""
        return [int(t) for second in self.seconds for t in second.times_us]
