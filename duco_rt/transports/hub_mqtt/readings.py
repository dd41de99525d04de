"""What an ingestor reads off an MQTT connection: bounded, and acknowledged by hand where it is to be stored."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Generic, TypeVar

from duco_rt.errors import BadInput
from duco_rt.model import HubMessage
from duco_rt.seeing.metrics import Metrics
from duco_rt.transports.hub_mqtt import topics
from duco_rt.transports.hub_mqtt.connection import Connection

T = TypeVar("T")


class Inbox(Generic[T]):
    """What came and is not read yet."""

    def __init__(self) -> None:
        self.items: deque[T] = deque()
        self._changed = asyncio.Event()
        self._connection: Connection | None = None
        self._is_closed = False

    def read_from(self, connection: Connection) -> None:
        """End with this connection: what was not read comes again, or was live."""
        self._connection = connection
        connection.when_lost(self._changed.set)

    def close(self) -> None:
        """End the reading."""
        self._is_closed = True
        self._changed.set()

    def put(self, item: T) -> None:
        """Add."""
        self.items.append(item)
        self._changed.set()

    async def next(self) -> T | None:
        """The next one; None where it was closed; TransportError where the connection is lost."""
        while not self._is_closed:
            if self._connection is not None and not self._connection.is_up:
                await self._connection.lost()
            if self.items:
                return self.items.popleft()
            self._changed.clear()
            await self._changed.wait()
        return None


class MqttDelivery:
    """A message that the broker keeps until `ack`."""

    def __init__(self, message: HubMessage, turn: _Turn) -> None:
        self.message = message
        self._turn = turn

    def ack(self) -> None:
        """The cloud side has it for good. Nothing once the connection that it came by is gone: it comes again."""
        self._turn.done()


class Stored(Inbox[MqttDelivery]):
    """Every message. Full (`messages_max` not acknowledged, or unread), nothing more is read off the connection.

    The broker is told the same number (Receive Maximum), but Mosquitto 2.0 sends more.
    """

    def __init__(self, messages_max: int, metrics: Metrics) -> None:
        super().__init__()
        self._messages_max, self._metrics = messages_max, metrics
        self.unacked: deque[_Turn] = deque()

    def arrived(self, topic: str, payload: bytes, mid: int) -> None:
        """Take what the broker sent; what cannot be read is counted and done with."""
        turn = _Turn(self, mid)
        if mid:  # a message of QoS 0, from another publisher, has none
            self.unacked.append(turn)
        try:
            message = topics.read_events(topic, payload)
        except BadInput:
            self._metrics.count("hub_bad_messages_total")
            turn.done()
        else:
            self.put(MqttDelivery(message, turn))
        self._regulate()

    async def next(self) -> MqttDelivery | None:
        """As of any inbox."""
        delivery = await super().next()
        self._regulate()
        return delivery

    def acknowledge(self) -> None:
        """Tell the broker of what is done, in order of arrival as MQTT wants it: a later one waits for the earlier."""
        while self.unacked and self.unacked[0].is_done:
            mid = self.unacked.popleft().mid
            if self._connection is not None:
                self._connection.ack(mid)
        self._regulate()

    def _regulate(self) -> None:
        if self._connection is not None:
            is_full = max(len(self.unacked), len(self.items)) >= self._messages_max
            self._connection.pause_reading(is_full)


class _Turn:
    """A message's place among the acknowledgements."""

    __slots__ = ("_stored", "is_done", "mid")

    def __init__(self, stored: Stored, mid: int) -> None:
        self._stored, self.mid, self.is_done = stored, mid, False

    def done(self) -> None:
        """It may be acknowledged."""
        self.is_done = True
        self._stored.acknowledge()


class LiveMessages(Inbox[HubMessage]):
    """Real-time messages; over `messages_max` the oldest goes, counted."""

    def __init__(self, messages_max: int, metrics: Metrics) -> None:
        super().__init__()
        self._messages_max, self._metrics = messages_max, metrics

    def arrived(self, topic: str, payload: bytes, _: int) -> None:
        """Take what the broker sent; `Stored` counts what cannot be read."""
        try:
            message = topics.read_events(topic, payload)
        except BadInput:
            return
        if not message.realtime:
            return
        if len(self.items) >= self._messages_max:
            self.items.popleft()
            self._metrics.count("hub_live_dropped_total")
        self.put(message)
