"""azure-eventhub's consumer client in one consumer group, and all that is used of its insides.

The driver never tells that it cannot open a link: it takes that for a close (`_receive_task`) and tries again at once
and for ever, be the server away, the key wrong or the consumer group missing. So each opening is watched here, made
patient, and what is wrong is told (`down`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any

from azure.eventhub import CloseReason, EventData
from azure.eventhub._pyamqp.error import AMQPException, ErrorCondition
from azure.eventhub.aio import EventHubConsumerClient, PartitionContext
from azure.eventhub.aio._consumer_async import EventHubConsumer
from azure.eventhub.aio._eventprocessor.event_processor import EventProcessor
from azure.eventhub.exceptions import EventHubError

from duco_rt.clock import Clock
from duco_rt.errors import TransportError
from duco_rt.transports.certificates import explained
from duco_rt.transports.hub_iothub.checkpoints import Checkpoints
from duco_rt.transports.hub_iothub.strings import EventsString

OnEvents = Callable[[str, list[EventData]], Awaitable[None]]
OnPartition = Callable[[str], Awaitable[None]]
Start = str | dict[str, str | datetime]

_PREFETCH = 300
_BETWEEN_TRIES_S = 0.5
_MISSED_ROUNDS = 5
_IDLE_S = 60.0
"""A connection on which not even a heartbeat came for so long is dead."""

logging.getLogger("azure.eventhub").setLevel(logging.ERROR)  # what it warns of is told here, as an error

_REFUSALS = (ErrorCondition.NotFound, ErrorCondition.UnauthorizedAccess)
_ERRORS = (EventHubError, AMQPException, OSError, ValueError)


class _Processor(EventProcessor):
    """The driver's, which ends without waiting for a second or two, and knows its links."""

    def __init__(self, on_refused: Callable[[Exception], None], *arguments: Any, **more: Any) -> None:  # noqa: ANN401
        super().__init__(*arguments, **more)
        self._on_refused = on_refused
        self.reasons: dict[str, Exception] = {}
        self.rounds = 0
        self._claim = self._ownership_manager.claim_ownership
        self._ownership_manager.claim_ownership = self._counted_claim  # type: ignore[method-assign]  # as below

    async def _counted_claim(self) -> list[str]:
        claimed = await self._claim()
        self.rounds += 1
        return claimed

    async def stop(self) -> None:
        """Give all partitions back."""
        self._running = False
        tasks = list(self._tasks.values())
        await self._cancel_tasks_for_partitions(list(self._tasks))
        if tasks:
            await asyncio.wait(tasks)

    def create_consumer(self, partition_id: str, *arguments: Any, **more: Any) -> EventHubConsumer:  # noqa: ANN401
        """One that opens without naps between the handshake's frames, and is patient when it cannot."""
        consumer = super().create_consumer(partition_id, *arguments, **more)
        assert isinstance(consumer, EventHubConsumer)
        create = consumer._create_handler

        def create_eager(auth: Any) -> None:  # noqa: ANN401  # passed on
            create(auth)
            handler: Any = consumer._handler
            handler.client_ready_async = partial(_until, handler.client_ready_async)

        consumer._create_handler = create_eager  # type: ignore[method-assign]  # as below
        consumer._keep_alive = 0  # a task that only sleeps, and holds up the end
        consumer._open = self._patient(partition_id, consumer)  # type: ignore[method-assign]  # no other way in
        return consumer

    def _patient(self, partition: str, consumer: EventHubConsumer) -> Callable[[], Coroutine[Any, Any, None]]:
        open_ = consumer._open

        async def opened() -> None:
            try:
                await open_()
                self.reasons.pop(partition, None)
            except Exception as e:
                self.reasons[partition] = e
                if getattr(e, "condition", None) in _REFUSALS:  # trying again will not help
                    self._on_refused(e)
                await asyncio.sleep(_BETWEEN_TRIES_S)
                raise

        return opened


async def _until(ready: Callable[[], Awaitable[bool]]) -> bool:
    """Each call reads one frame."""
    while not await ready():
        pass
    return True


class EventsClient:
    """Reads partitions, shared with others by the ownerships in `checkpoints` (renewed every `balance_s`)."""

    def __init__(
        self,
        events: EventsString,
        group: str,
        checkpoints: Checkpoints | None = None,
        *,
        ca_file: str = "",
        balance_s: float = 2.0,
        tries: int = 4,
    ) -> None:
        self.name = f"event hub {events.event_hub} at {events.namespace}"
        self.group = group
        self.names = events.namespace, events.event_hub, group
        self._checkpoints, self._balance_s = checkpoints, balance_s
        self._processor: _Processor | None = None
        self._client = EventHubConsumerClient.from_connection_string(
            events.text,
            group,
            retry_total=tries - 1,
            retry_backoff_factor=0.1,
            retry_backoff_max=1.0,
            idle_timeout=_IDLE_S,
            connection_verify=ca_file or None,
        )

    async def receive(
        self,
        start: Start,
        on_events: OnEvents,
        on_claim: OnPartition,
        on_loss: OnPartition,
        on_error: Callable[[Exception], None],
    ) -> None:
        """Read until cancelled. `on_loss` comes before another reader can claim the partition."""

        async def events(context: PartitionContext, batch: Any) -> None:  # noqa: ANN401  # a list, as asked for
            await on_events(context.partition_id, batch)

        async def claimed(context: PartitionContext) -> None:
            await on_claim(context.partition_id)

        async def lost(context: PartitionContext, _: CloseReason) -> None:
            await on_loss(context.partition_id)

        async def failed(_: PartitionContext, error: Exception) -> None:
            if "link:stolen" not in str(error):  # another reader claimed it: no error
                on_error(error)

        self._processor = processor = _Processor(
            on_error,
            self._client,
            self.group,
            events,
            batch=True,
            max_batch_size=_PREFETCH,
            prefetch=_PREFETCH,
            checkpoint_store=self._checkpoints,
            load_balancing_interval=self._balance_s,
            partition_ownership_expiration_interval=_MISSED_ROUNDS * self._balance_s,
            initial_event_position=start,
            error_handler=failed,
            partition_initialize_handler=claimed,
            partition_close_handler=lost,
        )
        try:
            await processor.start()
        finally:
            await processor.stop()

    def down(self) -> dict[str, str]:
        """The partitions that are claimed and have no link now, and why, as far as it is known."""
        if self._processor is None:
            return {}
        consumers, reasons = self._processor._consumers, self._processor.reasons
        return {
            partition: self._said(reasons[partition]) if partition in reasons else "no answer"
            for partition, consumer in consumers.items()
            if not consumer.running
        }

    @property
    def is_balanced(self) -> bool:
        """Whether it has partitions, or has looked for some without getting any."""
        return self._processor is not None and (bool(self._processor._consumers) or self._processor.rounds > 1)

    async def check(self, within_s: float) -> None:
        """Raises TransportError where the event hub does not answer."""
        try:
            async with asyncio.timeout(within_s):
                await self._client.get_eventhub_properties()
        except _ERRORS as e:
            raise self.error(e) from e

    async def close(self) -> None:
        """End all connections; a server that is away is no obstacle."""
        with suppress(*_ERRORS):
            await self._client.close()

    def error(self, error: BaseException) -> TransportError:
        """The driver's error as ours; of a group the first."""
        while isinstance(error, BaseExceptionGroup):
            error = error.exceptions[0]
        return error if isinstance(error, TransportError) else TransportError(f"{self.name}: {self._said(error)}")

    def _said(self, error: BaseException) -> str:
        if getattr(error, "condition", None) == ErrorCondition.NotFound or "amqp:not-found" in str(error):
            return (
                f"no consumer group {self.group} (or no such event hub): "
                f"az iot hub consumer-group create --hub-name NAME --name {self.group}"
            )
        if isinstance(error, TimeoutError):
            return "no answer in time"
        return explained(f"{type(error).__name__}: {' '.join(str(error).split())[:300]}", "hub")


class FromNow(dict[str, "str | datetime"]):
    """Where a partition's reading starts: where this object was made, or at the claim when that is much later."""

    def __init__(self, clock: Clock, grace_s: float) -> None:
        super().__init__()
        self._clock = clock
        self._made_ms = clock.wall_ms()
        self._grace_ms = grace_s * 1000

    def get(self, _: str, __: object = None) -> datetime:  # all that the driver calls
        """A time by our clock; the hub compares it with its own."""
        now_ms = self._clock.wall_ms()
        start_ms = self._made_ms if now_ms - self._made_ms < self._grace_ms else now_ms
        return datetime.fromtimestamp(start_ms / 1000, UTC)
