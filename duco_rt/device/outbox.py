"""What is on its way to the hub: bounded, in order, sent again until the hub has it."""

from __future__ import annotations

import asyncio
from collections import deque

from duco_rt.clock import Clock
from duco_rt.metrics import Metrics
from duco_rt.model import HubMessage
from duco_rt.pipeline.runner import retry
from duco_rt.transports.base import HubDevice

_IN_FLIGHT_MAX = 64


class Outbox:
    """Messages not yet taken by the hub. Over `messages_max` waiting, the oldest goes, counted."""

    def __init__(self, hub: HubDevice, messages_max: int, clock: Clock, metrics: Metrics) -> None:
        self._hub = hub
        self._waiting: deque[HubMessage] = deque()
        self._messages_max = messages_max
        self._in_flight = 0
        self._changed = asyncio.Condition()
        self._clock = clock
        self._metrics = metrics
        self.latency_ms = 0.0
        self.dropped = 0
        self.sent = 0

    def __len__(self) -> int:
        return len(self._waiting) + self._in_flight

    async def put(self, messages: list[HubMessage]) -> None:
        """Hand over; never waits for the hub."""
        async with self._changed:
            for message in messages:
                if len(self._waiting) >= self._messages_max:
                    self._waiting.popleft()
                    self.dropped += 1
                    self._metrics.count("device_dropped_total")
                self._waiting.append(message)
            self._changed.notify_all()

    async def run(self) -> None:
        """Send, for ever: started in order, at most 64 unacknowledged."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                async with self._changed:
                    await self._changed.wait_for(lambda: self._waiting and self._in_flight < _IN_FLIGHT_MAX)
                    message = self._waiting.popleft()
                    self._in_flight += 1
                tasks.create_task(self._send(message))

    async def _send(self, message: HubMessage) -> None:
        begun_s = self._clock.steady_s()
        await retry("hub", lambda: self._hub.send(message), self._metrics)
        self.latency_ms = (self._clock.steady_s() - begun_s) * 1000
        self.sent += 1
        async with self._changed:
            self._in_flight -= 1
            self._changed.notify_all()

    async def drained(self) -> None:
        """Return when the hub has everything."""
        async with self._changed:
            await self._changed.wait_for(lambda: not self._waiting and not self._in_flight)
