"""A bus that never makes its reader wait, read from the event loop."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from functools import partial

import can
import pytest

from duco_rt.device.can_bus import FrameCollector
from duco_rt.device.polled_bus import PolledReader
from duco_rt.device.simulated_bus import SimulatedBus

pytestmark = pytest.mark.servers  # buses take their real time


class Ready(can.BusABC):
    """Gives what is in its queue, never waits."""

    def __init__(self, queue: deque[can.Message]) -> None:
        super().__init__(channel="ready")
        self.queue = queue

    def _recv_internal(self, timeout: float | None) -> tuple[can.Message | None, bool]:
        assert timeout == 0
        return (self.queue.popleft() if self.queue else None), True

    def send(self, msg: can.Message, timeout: float | None = None) -> None:
        """Takes nothing."""
        raise can.CanOperationError("takes nothing")


def message(number: int) -> can.Message:
    """A frame that arrived now."""
    return can.Message(timestamp=time.time(), arbitration_id=number, is_extended_id=False, data=b"12345678")


async def test_a_second_holds_what_is_due_when_it_closes() -> None:
    """Frames that came since the last poll belong to the second that closes, not to the next."""
    queue = deque([message(1)])
    collector = FrameCollector()
    reader = PolledReader("can1", partial(Ready, queue), collector)
    reader.start()
    queue.append(message(2))
    second, totals = collector.close(0, 0)
    assert [stream.can_id for stream in second.streams] == [1, 2]
    assert totals["can1"].frames == 2
    await reader.close()


async def test_polls_by_itself() -> None:
    """What comes later is taken without anybody asking, and nothing after the end."""
    queue: deque[can.Message] = deque()
    reader = PolledReader("can1", partial(Ready, queue), FrameCollector())
    reader.start()
    queue.append(message(1))
    async with asyncio.timeout(20):
        while queue:
            await asyncio.sleep(0.01)
    await reader.close()
    queue.append(message(2))
    await asyncio.sleep(0.3)
    assert len(queue) == 1


async def test_a_machine_of_which_nothing_is_late() -> None:
    """The simulated machine's frames of a second lie within that second."""
    collector = FrameCollector()
    reader = PolledReader("", partial(SimulatedBus, 1), collector)
    begun_ms = time.time_ns() // 1_000_000
    reader.start()
    await asyncio.sleep(0.5)
    second, _ = collector.close(begun_ms, 0)
    ended_us = time.time_ns() // 1000 - begun_ms * 1000
    await reader.close()
    assert second.frames > 150
    assert 0 <= int(second.times_us.min()) <= int(second.times_us.max()) <= ended_us


async def test_a_bus_that_fails_is_opened_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it gave before is kept; it is told as not working until then. No second waits for it."""
    monkeypatch.setattr("duco_rt.device.polled_bus.backoff_s", lambda *_: 0.0)
    queue = deque([message(1), message(2)])
    collector, opened = FrameCollector(), 0

    class Breaks(Ready):
        def _recv_internal(self, timeout: float | None) -> tuple[can.Message | None, bool]:
            if opened == 1 and len(self.queue) == 1:
                raise RuntimeError("unplugged")
            return super()._recv_internal(timeout)

    def open_bus() -> can.BusABC:
        nonlocal opened
        opened += 1
        if opened == 2:
            raise OSError("no such device")
        return Breaks(queue)

    reader = PolledReader("can1", open_bus, collector)
    reader.start()
    states = [collector.failed]
    first, _ = collector.close(0, 0)
    states.append(collector.failed)
    second, _ = collector.close(0, 1)
    states.append(collector.failed)
    assert states == ["can1: unplugged", "can1: no such device", None]
    assert [[stream.can_id for stream in each.streams] for each in (first, second)] == [[1], [2]]
    await reader.close()
    collector.close(0, 2)
    assert opened == 3
