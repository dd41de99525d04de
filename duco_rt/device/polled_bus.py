"""Read a bus that never makes its reader wait from the event loop: many simulated machines need no thread each."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import can

from duco_rt.device.can_bus import FrameCollector

_TICK_S = 0.1


class PolledReader:
    """Takes what is due ten times a second, and once more when the second closes, so that it holds all of it."""

    def __init__(self, channel: str, open_bus: Callable[[], can.BusABC], collector: FrameCollector) -> None:
        self._channel = channel
        self._open_bus = open_bus
        self._collector = collector
        self._bus: can.BusABC | None = None
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to read; to be called in the running loop."""
        self._bus = self._open_bus()
        self._collector.before_close = self._take
        self._poll()

    async def close(self) -> None:
        """End."""
        if self._timer is not None:
            self._timer.cancel()
        if self._bus is not None:
            self._bus.shutdown()
        self._bus = None

    def _poll(self) -> None:
        self._take()
        self._timer = asyncio.get_running_loop().call_later(_TICK_S, self._poll)

    def _take(self) -> None:
        messages = []
        while self._bus is not None and (message := self._bus.recv(timeout=0)) is not None:
            messages.append(message)
        if messages:
            self._collector.add(self._channel, messages, 0)
