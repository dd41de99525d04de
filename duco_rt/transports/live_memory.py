"""Live channels inside the process: publish never waits, a slow subscriber loses its oldest messages."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from duco_rt.seeing.metrics import Metrics
from duco_rt.transports.live_queue import Queues, Reader


class MemoryLive:
    """Channels by name; a channel exists while somebody is subscribed."""

    def __init__(self, queue_messages_max: int, metrics: Metrics) -> None:
        self._queues = Queues(queue_messages_max, metrics)

    async def run(self) -> None:
        """Nothing to carry."""
        await asyncio.Event().wait()

    async def publish(self, channel: str, message: bytes) -> None:
        """Hand to the subscribers of now."""
        self._queues.offer(channel, message)

    async def subscribe(self, channel: str) -> AsyncIterator[bytes]:
        """Messages from this call on."""
        return Reader(self._queues, self._queues.open(channel))

    async def recent(self, channel: str, back_s: float) -> list[bytes]:
        """Nothing is kept."""
        return []

    async def check(self) -> None:
        """Works as long as the process does."""

    async def close(self) -> None:
        """End all subscriptions."""
        self._queues.close()
