"""What fails with nobody waiting for it is counted and told."""

from __future__ import annotations

import asyncio
import threading

import structlog

from duco_rt.seeing.loop_errors import LoopErrors
from duco_rt.seeing.metrics import Metrics
from tests.test_supervisor import SetClock


async def test_errors_that_nobody_waits_for_are_counted_and_told() -> None:
    """Of a callback, of a task that nobody looked at, and of a thread; of many the same, one in a minute."""
    metrics, clock = Metrics(), SetClock()
    loop = asyncio.get_running_loop()
    before = loop.get_exception_handler(), threading.excepthook

    def broken() -> None:
        raise ValueError("in a callback")

    async def forgets() -> None:
        raise KeyError("forgotten")

    with structlog.testing.capture_logs() as events, LoopErrors(metrics, clock).watched():
        loop.call_soon(broken)
        loop.call_soon(broken)
        forgotten = loop.create_task(forgets())
        await asyncio.sleep(0.001)
        del forgotten
        thread = threading.Thread(target=broken, name="reader")
        thread.start()
        thread.join()
        await asyncio.sleep(0.001)
        clock.now_s += 61
        loop.call_soon(broken)
        await asyncio.sleep(0.001)
    assert metrics.value("loop_errors_total", where="loop") == 4
    assert metrics.value("loop_errors_total", where="thread") == 1
    shown = [(event["where"], event["error"]) for event in events]
    callback = ("loop", "ValueError('in a callback')")
    thread_ended = ("thread", "ValueError('in a callback')")
    assert shown == [callback, ("loop", "KeyError('forgotten')"), thread_ended, callback]
    assert "reader" in events[2]["message"]
    assert (loop.get_exception_handler(), threading.excepthook) == before
