"""The subscriptions of a process: a bounded queue each, by channel, whatever carries the messages to it."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Collection

from duco_rt.seeing.metrics import Metrics


class Queue:
    """What waits for one reader of a channel; `position` is for a transport that numbers its messages."""

    __slots__ = ("channel", "ended", "messages", "position", "ready")

    def __init__(self, channel: str, messages_max: int) -> None:
        self.channel = channel
        self.messages: deque[bytes] = deque(maxlen=messages_max)
        self.ready = asyncio.Event()
        self.ended = False
        self.position = (0, 0)

    def end(self) -> None:
        """Its reader gets what still waits, and no more."""
        self.ended = True
        self.ready.set()


class Queues:
    """The queues of all channels; a channel exists while somebody is subscribed.

    `on_left` is called with a channel whose last subscription ended. Nothing here waits.
    """

    def __init__(self, messages_max: int, metrics: Metrics, on_left: Callable[[str], None] = lambda _: None) -> None:
        self._channels: dict[str, set[Queue]] = {}
        self._messages_max = messages_max
        self._metrics = metrics
        self._on_left = on_left
        self._high = metrics.depth("live_queue_depth", self._longest)

    def _longest(self) -> int:
        return max((len(queue.messages) for held in self._channels.values() for queue in held), default=0)

    @property
    def channels(self) -> Collection[str]:
        """Those with a subscription, as they are now."""
        return self._channels.keys()

    def of(self, channel: str) -> Collection[Queue]:
        """The channel's subscriptions."""
        return self._channels.get(channel, ())

    def open(self, channel: str, position: tuple[int, int] = (0, 0)) -> Queue:
        """A subscription from now on."""
        queue = Queue(channel, self._messages_max)
        queue.position = position
        self._channels.setdefault(channel, set()).add(queue)
        return queue

    def offer(self, channel: str, message: bytes) -> None:
        """Hand to the channel's subscribers of now."""
        for queue in self._channels.get(channel, ()):
            self.put(queue, message)

    def put(self, queue: Queue, message: bytes) -> None:
        """Hand to one; a full queue loses its oldest, counted."""
        if len(queue.messages) == self._messages_max:
            self._metrics.count("live_dropped_total")
        queue.messages.append(message)
        self._high.see(len(queue.messages))
        queue.ready.set()

    def leave(self, queue: Queue) -> None:
        """End a subscription; safe for one that has ended."""
        queue.end()
        held = self._channels.get(queue.channel)
        if held is None or queue not in held:
            return
        held.remove(queue)
        if not held:
            del self._channels[queue.channel]
            self._on_left(queue.channel)

    def close(self) -> None:
        """End all of them."""
        for queue in [queue for held in self._channels.values() for queue in held]:
            self.leave(queue)


class Reader(AsyncIterator[bytes]):
    """One subscription as its reader holds it: ends with `aclose`, when it is let go of, or with the transport.

    No generator: the `finally` of one that was never begun does not run, and a reader whose wait was cut short by a
    time-out would end.
    """

    def __init__(self, queues: Queues, queue: Queue) -> None:
        self._queues = queues
        self._queue = queue

    def __aiter__(self) -> Reader:
        return self

    async def __anext__(self) -> bytes:
        queue = self._queue
        while not queue.messages:
            if queue.ended:
                raise StopAsyncIteration
            queue.ready.clear()
            await queue.ready.wait()
        return queue.messages.popleft()

    async def aclose(self) -> None:
        """End the subscription; what still waits is gone."""
        self._queue.messages.clear()
        self._queues.leave(self._queue)

    def __del__(self) -> None:
        self._queues.leave(self._queue)
