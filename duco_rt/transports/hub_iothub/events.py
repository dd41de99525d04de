"""The two readings of IoT Hub's built-in endpoint. Each has its consumer group, its client and its connections."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Any, Generic, TypeVar

from azure.eventhub import EventData

from duco_rt.clock import Clock
from duco_rt.errors import BadInput, TransportError
from duco_rt.model import HubMessage
from duco_rt.pipeline.runner import until_first
from duco_rt.seeing.metrics import Metrics
from duco_rt.transports.hub_iothub.acks import Handed, Owned, Position
from duco_rt.transports.hub_iothub.checkpoints import Checkpoints, named
from duco_rt.transports.hub_iothub.client import EventsClient, FromNow, Start
from duco_rt.transports.hub_iothub.messages import is_realtime, message_of

T = TypeVar("T")

_TEND_S = 0.5
_CHECKPOINT_S = 1.0
_DOWN_S = 5.0
"""The driver mends a link by itself; when it does not within this time, the reading ends and says why."""

_FIRST_S = 20.0
"""As long it may take to hear of the partitions: an endpoint that accepts and says nothing is left, and tried again."""


class Reading(Generic[T]):
    """One reading of the partitions that fall to this process; a subclass says what becomes of an event."""

    def __init__(self, client: EventsClient, start: Start, clock: Clock, metrics: Metrics) -> None:
        self.client = client
        self._start = start
        self._clock = clock
        self._metrics = metrics
        self._owned: dict[str, Owned] = {}
        self._queue: deque[T] = deque()
        self._ready = asyncio.Event()
        self._failed = asyncio.Event()
        self._ended = asyncio.Event()
        self._error: TransportError | None = None

    async def items(self) -> AsyncGenerator[T, None]:
        """Until the reader stops; TransportError where the event hub is lost."""
        async with asyncio.TaskGroup() as tasks:
            carrying = tasks.create_task(self._carry())  # it raises nothing: a group would hit the reader's own code
            try:
                while self._error is None or self._queue:
                    while self._queue:
                        yield self._queue.popleft()
                    self._ready.clear()
                    if self._error is None:
                        await self._ready.wait()
            except GeneratorExit:
                return
            finally:
                carrying.cancel()
        if self._error is not None:
            raise self._error

    def problem(self) -> str:
        """What is wrong with it now, or nothing."""
        if self._error is not None:
            return str(self._error)
        if not self.client.is_balanced:
            return f"{self.client.name}: connecting"
        return next((self._down(partition, why) for partition, why in self.client.down().items()), "")

    def _down(self, partition: str, why: str) -> str:
        return f"{self.client.name}, partition {partition}: {why}"

    async def _carry(self) -> None:
        try:
            reading = self.client.receive(self._start, self._events, self._claimed, self._lost, self._fail)
            await until_first(reading, self._tend())
        except Exception as e:  # whatever it is, the reader gets it, as a TransportError
            self._fail(e)
        finally:
            await self.client.close()
            self._ended.set()

    async def stop(self, why: TransportError) -> None:
        """End it; return when its partitions are given back."""
        self._fail(why)
        await self._ended.wait()

    def _fail(self, error: Exception) -> None:
        if self._error is None:
            self._error = self.client.error(error)
            self._error.__cause__ = error if error is not self._error else None
        self._failed.set()
        self._ready.set()

    async def _tend(self) -> None:
        """Look after the links, and the checkpoints, until something is wrong."""
        down_since_s: dict[str, float] = {}
        begun_s = self._clock.steady_s()
        while self._error is None:
            with suppress(TimeoutError):
                async with asyncio.timeout(_TEND_S):
                    await self._failed.wait()
            now_s, down = self._clock.steady_s(), self.client.down()
            down_since_s = {partition: down_since_s.get(partition, now_s) for partition in down}
            for partition, since_s in down_since_s.items():
                if now_s - since_s > _DOWN_S:
                    raise TransportError(self._down(partition, down[partition]))
            if now_s - begun_s > _FIRST_S and not self.client.is_balanced:
                raise TransportError(f"{self.client.name}: no answer within {_FIRST_S:g} s")
            await self._checkpoint()

    async def _events(self, partition: str, events: list[EventData]) -> None:
        owned = self._owned.get(partition)
        for event in events:
            if owned is None or owned.is_lost:
                return  # this callback belongs to an ownership that is over
            if owned.see(event.sequence_number or 0):
                await self._take(owned, event)

    async def _claimed(self, partition: str) -> None:
        self._owned[partition] = Owned(partition, self._freed)

    async def _lost(self, partition: str) -> None:
        owned = self._owned.pop(partition, None)
        if owned is not None:
            owned.lose()
            await self._forget(owned)

    def _message(self, event: EventData) -> HubMessage | None:
        try:
            return message_of(event)
        except BadInput:
            self._metrics.count("hub_bad_messages_total")
            return None

    async def _take(self, owned: Owned, event: EventData) -> None:
        raise NotImplementedError

    async def _forget(self, owned: Owned) -> None:
        """The ownership is over."""

    async def _checkpoint(self) -> None:
        """Called often."""

    def _freed(self) -> None:
        """An event left the window of an ownership."""


class StoredReading(Reading[Handed]):
    """Every event, from the checkpoint on; at most `room` at a time are handed out or wait for an older one's ack."""

    def __init__(
        self, client: EventsClient, checkpoints: Checkpoints, room: int, clock: Clock, metrics: Metrics
    ) -> None:
        super().__init__(client, "-1", clock, metrics)
        metrics.depth("hub_stored_depth", lambda: self.waiting)
        self._checkpoints = checkpoints
        self._room = asyncio.Semaphore(room)
        self._due_s = 0.0
        self._written: dict[Owned, Position | None] = {}

    @property
    def waiting(self) -> int:
        """Events that the reader has not taken yet."""
        return len(self._queue)

    async def _take(self, owned: Owned, event: EventData) -> None:
        await self._room.acquire()
        if owned.is_lost:
            self._room.release()
            return
        held = owned.add(Position(event.offset or "", event.sequence_number or 0))
        message = self._message(event)
        if message is None:
            held.ack()
        else:
            self._queue.append(Handed(held, message))
            self._ready.set()

    def _freed(self) -> None:
        self._room.release()

    async def _forget(self, owned: Owned) -> None:
        self._queue = deque(handed for handed in self._queue if handed.event.owned is not owned)
        await self._write(owned)
        self._written.pop(owned, None)

    async def _checkpoint(self) -> None:
        now_s = self._clock.steady_s()
        if now_s >= self._due_s:
            self._due_s = now_s + _CHECKPOINT_S
            for owned in list(self._owned.values()):
                await self._write(owned)

    async def _write(self, owned: Owned) -> None:
        acked = owned.acked
        if acked is None or acked == self._written.get(owned):
            return
        place: dict[str, Any] = {"offset": acked.offset, "sequence_number": acked.sequence}
        await self._checkpoints.update_checkpoint(named(*self.client.names, owned.partition, place))
        self._written[owned] = acked


class LiveReading(Reading[HubMessage]):
    """Real-time messages from now on; of more than `room` that wait, the oldest goes."""

    def __init__(self, client: EventsClient, room: int, grace_s: float, clock: Clock, metrics: Metrics) -> None:
        super().__init__(client, FromNow(clock, grace_s), clock, metrics)
        self._queue = deque(maxlen=room)
        metrics.depth("hub_live_depth", lambda: len(self._queue))

    async def _take(self, _: Owned, event: EventData) -> None:
        if not is_realtime(event):
            return
        try:
            message = message_of(event)
        except BadInput:
            return  # the other reading counts it
        if len(self._queue) == self._queue.maxlen:
            self._metrics.count("hub_live_dropped_total")
        self._queue.append(message)
        self._ready.set()
