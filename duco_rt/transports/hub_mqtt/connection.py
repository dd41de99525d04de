"""One connection to an MQTT broker: aiomqtt's, with what it lacks.

Acknowledgements by hand; the reason codes of acknowledgements; a publish that fails as soon as the connection is lost.
Every error is a TransportError that names the broker.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import aiomqtt
import paho.mqtt.client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from duco_rt.errors import TransportError
from duco_rt.transports.certificates import explained
from duco_rt.transports.hub_mqtt.client import Client, Publication, Session, properties

_GOODBYE_S = 2.0

NO_SUBSCRIBERS = 0x10
"""What an MQTT 5 broker may say to a publish that nobody is subscribed to: it keeps nothing of it."""


OnMessage = Callable[[str, bytes, int], None]
"""Called in the loop with topic ("" where it is not UTF-8), payload and the id for `ack`. It must not raise."""


@asynccontextmanager
async def connected(session: Session, on_message: OnMessage) -> AsyncIterator[Connection]:
    """A connection for the time of the block; it ends in order, whatever happens in the block."""
    client = Client(session)
    try:
        connection = await _open(client, session, on_message)
        try:
            yield connection
        finally:
            if connection.is_up:
                with suppress(aiomqtt.MqttError, OSError, TimeoutError):
                    async with asyncio.timeout(_GOODBYE_S):
                        if session.manual_ack:
                            await client.flush()
                        await client.__aexit__(None, None, None)
            connection.end()
    finally:
        client.drop()


async def _open(client: Client, session: Session, on_message: OnMessage) -> Connection:
    connection = Connection(client, session, on_message)
    try:
        await client.open()
    except (aiomqtt.MqttError, OSError, ValueError) as e:
        raise TransportError(f"{session.broker}: no connection: {explained(str(e), 'hub')}") from e
    connection.begin()
    return connection


class Connection:
    """A connection that is up, until `lost`. `has_session`: the broker knew this client and kept its subscriptions."""

    def __init__(self, client: Client, session: Session, on_message: OnMessage) -> None:
        self._client, self._session, self._on_message = client, session, on_message
        self._loop = asyncio.get_running_loop()
        self._pending: dict[int, asyncio.Future[int]] = {}
        self._room = asyncio.Semaphore(session.in_flight_max)
        self._error = ""
        self._gone = asyncio.Event()
        self._when_lost: list[Callable[[], None]] = []
        self._again: set[int] = set()
        self.has_session = False
        self._idle = asyncio.Event()
        self._idle.set()
        self._answered_s = 0.0
        self._watch: asyncio.TimerHandle | None = None
        client.paho.on_connect = self._connack
        client.paho.on_message = self._message
        client.paho.on_publish = self._puback
        client.paho.on_subscribe = self._suback

    def begin(self) -> None:
        """Listen for the connection's end."""
        self._client.disconnected.add_done_callback(self._disconnected)
        if self._client.paho.socket() is None:  # ended between its CONNACK and here
            self._lose("connection lost")

    @property
    def broker(self) -> str:
        """The broker's name in messages."""
        return self._session.broker

    @property
    def is_up(self) -> bool:
        """Whether nothing is known to be wrong with it."""
        return not self._gone.is_set()

    def end(self) -> None:
        """Tell everything that waits that it is over."""
        self._lose("connection closed")

    async def lost(self) -> None:
        """Raise TransportError as soon as the connection is lost."""
        await self._gone.wait()
        raise TransportError(self._error)

    def when_lost(self, callback: Callable[[], None]) -> None:
        """Call as soon as the connection is lost."""
        self._when_lost.append(callback)

    async def idle(self) -> None:
        """Return when the broker has answered everything that was published."""
        await self._idle.wait()

    async def publish(self, publication: Publication, expiry_s: int | None = None) -> int:
        """Return the reason code of the broker's acknowledgement, below 0x80.

        TransportError where it refuses, where the connection is lost, or where nothing at all was acknowledged for
        `send_timeout_s`, which ends the connection. At most `in_flight_max` at a time, the others wait.
        """
        extra = None
        if expiry_s is not None and self._session.version == 5:
            extra = properties(PacketTypes.PUBLISH, MessageExpiryInterval=expiry_s)
        async with self._room:
            if not self.is_up:
                raise TransportError(self._error)
            reason: int = await self._acknowledged(self._hand_over(publication, extra))
        if reason >= 0x80:
            refused = ReasonCode(PacketTypes.PUBACK, identifier=reason)
            raise TransportError(f"{self._session.broker}: refused {publication.topic[:80]}: {refused}")
        return reason

    def _hand_over(self, publication: Publication, extra: Properties | None) -> int:
        topic, payload, retain = publication.topic, publication.payload, publication.retain
        try:
            info = self._client.paho.publish(topic, payload, qos=1, retain=retain, properties=extra)
        except ValueError as e:
            raise TransportError(f"{self._session.broker}: cannot publish {topic[:80]}: {e}") from e
        if info.rc != paho.MQTT_ERR_SUCCESS:
            raise TransportError(f"{self._session.broker}: cannot publish: {paho.error_string(info.rc)}")
        return int(info.mid)

    async def _acknowledged(self, mid: int) -> int:
        if not self._pending:
            self._answered_s = self._loop.time()
        answer: asyncio.Future[int] = self._loop.create_future()
        self._pending[mid] = answer
        self._idle.clear()
        if self._watch is None:
            self._watch = self._loop.call_later(self._session.send_timeout_s, self._overdue)
        try:
            return await answer
        finally:
            self._pending.pop(mid, None)
            if not self._pending:
                self._idle.set()

    def _overdue(self) -> None:
        """Nothing came for the time that something was waited for: the broker, or the way to it, is dead."""
        self._watch = None
        if not self._pending or not self.is_up:
            return
        left_s = self._answered_s + self._session.send_timeout_s - self._loop.time()
        if left_s > 0:
            self._watch = self._loop.call_later(left_s, self._overdue)
        else:
            self._lose(f"no acknowledgement for {self._session.send_timeout_s:g} s")

    async def subscribe(self, topic: str, qos: int) -> None:
        """Return when the broker has the subscription; TransportError where it refuses."""
        try:
            codes = await self._client.subscribe(topic, qos=qos)
        except (aiomqtt.MqttError, OSError, ValueError) as e:
            raise TransportError(f"{self._session.broker}: cannot subscribe to {topic}: {e}") from e
        for code in codes:
            if isinstance(code, ReasonCode) and code.is_failure:
                raise TransportError(f"{self._session.broker}: refused the subscription to {topic}: {code}")

    def subscribe_again(self, topic: str, qos: int) -> None:
        """Tell the broker of a subscription that a kept session has: what waits there may come before its answer."""
        result, mid = self._client.paho.subscribe(topic, qos)
        if result == paho.MQTT_ERR_SUCCESS and mid is not None:
            self._again.add(mid)

    def ack(self, mid: int) -> None:
        """Acknowledge a message of QoS 1; nothing after the connection's end."""
        if self.is_up:
            self._client.paho.ack(mid, 1)

    def pause_reading(self, on: bool) -> None:
        """Take nothing more from the broker, though the connection stays; or go on."""
        if self.is_up:
            self._client.pause_reading(on)

    def _connack(self, client: paho.Client, data: object, flags: object, reason: ReasonCode, props: object) -> None:
        self.has_session = bool(getattr(flags, "session_present", False))
        most = getattr(props, "ReceiveMaximum", None)  # paho itself does not heed it
        if isinstance(most, int) and most < self._session.in_flight_max:
            self._room = asyncio.Semaphore(most)
        self._client.connack(flags, reason, props)

    def _message(self, _: paho.Client, __: object, message: paho.MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = ""
        self._on_message(topic, bytes(message.payload), message.mid)

    def _puback(self, _: paho.Client, __: object, mid: int, reason: ReasonCode, ___: object) -> None:
        self._answered_s = self._loop.time()
        answer = self._pending.get(mid)
        if answer is not None and not answer.done():
            answer.set_result(int(reason.value))

    def _suback(self, _: paho.Client, __: object, mid: int, reasons: list[ReasonCode], props: object) -> None:
        if mid not in self._again:
            self._client.suback(mid, reasons, props)
        elif any(reason.is_failure for reason in reasons):
            self._lose(f"refused the subscription: {reasons[0]}")

    def _disconnected(self, ended: asyncio.Future[None]) -> None:
        error = None if ended.cancelled() else ended.exception()
        self._lose(f"connection lost: {error}" if error else "connection closed")

    def _lose(self, what: str) -> None:
        if self._gone.is_set():
            return
        self._error = f"{self._session.broker}: {what}"
        self._gone.set()
        if self._watch is not None:
            self._watch.cancel()
        for answer in self._pending.values():
            if not answer.done():
                answer.set_exception(TransportError(self._error))
        self._client.drop()
        for callback in self._when_lost:
            callback()
