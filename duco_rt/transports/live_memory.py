"""Live channels inside the process: publish never waits, a slow subscriber loses its oldest messages."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator

from duco_rt.metrics import Metrics


class _Subscription:
    def __init__(self, messages_max: int) -> None:
        self.messages: deque[bytes] = deque(maxlen=messages_max)
        self.ready = asyncio.Event()
        self.ended = False


class MemoryLive:
    """Channels by name; a channel exists while somebody is subscribed."""

    def __init__(self, queue_messages_max: int, metrics: Metrics) -> None:
        self._channels: dict[str, set[_Subscription]] = {}
        self._messages_max = queue_messages_max
        self._metrics = metrics

    async def publish(self, channel: str, message: bytes) -> None:
        """Hand to the subscribers of now."""
        for subscription in self._channels.get(channel, ()):
            if len(subscription.messages) == self._messages_max:
                self._metrics.count("live_dropped_total")
            subscription.messages.append(message)
            subscription.ready.set()

    def subscribe(self, channel: str) -> AsyncIterator[bytes]:
        """Messages from this call on."""
        subscription = _Subscription(self._messages_max)
        self._channels.setdefault(channel, set()).add(subscription)
        return self._read(channel, subscription)

    async def _read(self, channel: str, subscription: _Subscription) -> AsyncIterator[bytes]:
        try:
            while True:
                while subscription.messages:
                    yield subscription.messages.popleft()
                if subscription.ended:
                    return
                subscription.ready.clear()
                await subscription.ready.wait()
        finally:
            held = self._channels.get(channel, set())
            held.discard(subscription)
            if not held:
                self._channels.pop(channel, None)

    async def check(self) -> None:
        """Works as long as the process does."""

    async def close(self) -> None:
        """End all subscriptions."""
        for subscription in [each for held in self._channels.values() for each in held]:
            subscription.ended = True
            subscription.ready.set()
        self._channels.clear()
