"""Read a bus that never makes its reader wait from the event loop: many simulated machines need no thread each."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

import can
import structlog

from duco_rt.device.can_bus import FrameCollector
from duco_rt.pipeline.runner import backoff_s

log = structlog.get_logger()

_TICK_S = 0.1


class PolledReader:
    """Takes what is due ten times a second, and once more when the second closes, so that it holds all of it."""

    def __init__(self, channel: str, open_bus: Callable[[], can.BusABC], collector: FrameCollector) -> None:
        self._channel = channel
        self._open_bus = open_bus
        self._collector = collector
        self._bus: can.BusABC | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._again_s = float("-inf")
        self._failures = 0

    def start(self) -> None:
        """Begin to read; to be called in the running loop."""
        self._collector.before_close = self._take
        self._poll()

    async def close(self) -> None:
        """End."""
        if self._timer is not None:
            self._timer.cancel()
        self._again_s = float("inf")
        self._shut()

    def _shut(self) -> None:
        bus, self._bus = self._bus, None
        if bus is not None:
            with suppress(Exception):  # drivers raise what they like; it is not used again
                bus.shutdown()

    def _poll(self) -> None:
        self._take()
        self._timer = asyncio.get_running_loop().call_later(_TICK_S, self._poll)

    def _take(self) -> None:
        """What is due now. A bus that fails is opened anew, later and later."""
        now_s = asyncio.get_running_loop().time()
        if now_s < self._again_s:
            return
        messages: list[can.Message] = []
        try:
            if self._bus is None:
                self._bus = self._open_bus()
                self._collector.bus_works(self._channel)
            while (message := self._bus.recv(timeout=0)) is not None:
                messages.append(message)
        except Exception as e:  # as above
            self._fail(e, now_s)
        else:
            self._failures = 0 if messages else self._failures
        if messages:  # a bus that failed meanwhile does not take back what it gave
            self._collector.add(self._channel, messages, 0)

    def _fail(self, error: Exception, now_s: float) -> None:
        self._shut()
        self._collector.bus_failed(self._channel, f"{self._channel}: {error}")
        if self._failures in (0, 5):
            log.warning("bus failed, trying again", bus=self._channel, error=str(error))
        self._again_s = now_s + backoff_s(self._failures, 0.5, 10.0)
        self._failures += 1
