"""aiomqtt's client for one connection, and all that is used of its insides.

An attempt to connect that is given up leaves no socket behind, though a thread makes it.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

import aiomqtt
import paho.mqtt.client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

_QUIET = logging.getLogger("duco_rt.mqtt")
_QUIET.disabled = True  # what goes wrong is raised

_FLUSH_STEP_S = 0.002

_CONNECTING = ThreadPoolExecutor(8, "mqtt-connect")

_CONNECT_S = 5.0
"""For the broker's answers to a connection and to a subscription."""


@dataclass(frozen=True, slots=True)
class Publication:
    """What to publish, at QoS 1."""

    topic: str
    payload: bytes
    retain: bool = False


@dataclass(frozen=True, slots=True)
class Session:
    """How to connect.

    `version` 5 is MQTT 5, 4 is MQTT 3.1.1. `kept_s`: how long the broker keeps subscriptions and messages after a
    connection (0: not at all; MQTT 5 only). `receive_max`: messages that it sends ahead of their acknowledgement.
    """

    host: str
    port: int
    client_id: str
    tls: ssl.SSLContext | None = None
    version: Literal[4, 5] = 5
    username: str | None = None
    password: str | None = None
    kept_s: int = 0
    receive_max: int = 65535
    manual_ack: bool = False
    will: Publication | None = None
    keepalive_s: int = 10
    send_timeout_s: float = 10.0
    in_flight_max: int = 64

    @property
    def broker(self) -> str:
        """The broker's name in messages."""
        return f"MQTT broker {self.host}:{self.port}"


class Client(aiomqtt.Client):
    """aiomqtt's client; what is used of its insides is here."""

    def __init__(self, session: Session) -> None:
        will = session.will
        is_5 = session.version == 5
        super().__init__(
            session.host,
            session.port,
            identifier=session.client_id,
            username=session.username,
            password=session.password,
            protocol=aiomqtt.ProtocolVersion.V5 if is_5 else aiomqtt.ProtocolVersion.V311,
            will=None if will is None else aiomqtt.Will(will.topic, will.payload, qos=1, retain=will.retain),
            clean_session=None if is_5 else True,
            clean_start=session.kept_s == 0 if is_5 else paho.MQTT_CLEAN_START_FIRST_ONLY,
            properties=_connect_properties(session) if is_5 else None,
            keepalive=session.keepalive_s,
            timeout=_CONNECT_S,
            tls_context=session.tls,
            logger=_QUIET,
            socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],  # 2 ms a method instead of 90
        )
        self.paho: paho.Client = self._client
        self.paho.max_inflight_messages_set(0)  # `Connection` keeps the limit
        self.paho.manual_ack_set(session.manual_ack)
        self._in_thread = self._is_made = False
        self._is_dropped = False
        self._is_paused = False

    @property
    def disconnected(self) -> asyncio.Future[None]:
        """Done when the connection is over."""
        return self._disconnected

    def connack(self, flags: object, reason: ReasonCode, properties: object) -> None:
        """The broker's answer to the connection."""
        self._on_connect(self.paho, None, flags, reason, properties)  # type: ignore[arg-type]  # passed on as they came

    def suback(self, mid: int, reasons: list[ReasonCode], properties: object) -> None:
        """The broker's answer to a subscription."""
        self._on_subscribe(self.paho, None, mid, reasons, properties)  # type: ignore[arg-type]  # as above

    async def open(self) -> None:
        """Connect, in a thread of those that are for that: brokers that do not answer hold up nobody else's work."""
        self._in_thread = True
        await self._loop.run_in_executor(_CONNECTING, self._client_connect)
        self._is_made = True
        await self.__aenter__()

    def drop(self) -> None:
        """Close the socket, now or as soon as the thread that makes it is done."""
        self._is_dropped = True
        if not self._in_thread:
            self.paho._sock_close()

    def _on_disconnect(
        self,
        client: paho.Client,
        userdata: object,
        flags: paho.DisconnectFlags,
        reason_code: ReasonCode,
        properties: Properties | None = None,
    ) -> None:
        """As aiomqtt's, which waits in vain for the answer of a broker that has closed the connection instead."""
        if self._connected.done():
            super()._on_disconnect(client, userdata, flags, reason_code, properties)
        else:
            self._connected.set_exception(aiomqtt.MqttError("the broker closed the connection"))

    def _client_connect(self) -> None:
        if self._is_made:
            return
        try:
            super()._client_connect()
        finally:
            with suppress(RuntimeError):  # the loop is closed: so is all of it
                self._loop.call_soon_threadsafe(self._connect_ended)

    def _connect_ended(self) -> None:
        self._in_thread = False
        self.paho.on_socket_register_write = self._write_at_once
        sock = self.paho.socket()
        if self._is_dropped:
            self.drop()
        elif sock is not None:
            self._loop.add_reader(sock.fileno(), self._read)

    def _write_at_once(self, _: paho.Client, __: object, sock: paho.SocketLike) -> None:
        """As aiomqtt's, but not a turn of the loop later, when the descriptor may be closed and be another's."""
        self._loop.add_writer(sock.fileno(), self._write)

    def _write(self) -> None:
        try:
            self.paho.loop_write()
        except Exception as e:  # whatever it is: paho cannot go on with this connection
            self._fail(e)

    def _read(self) -> None:
        try:
            self.paho.loop_read()
            while (sock := self.paho.socket()) is not None and getattr(sock, "pending", int)() > 0:
                self.paho.loop_read()  # TLS holds more than the descriptor shows
        except Exception as e:  # as above
            self._fail(e)

    def _fail(self, error: Exception) -> None:
        if not self._disconnected.done():
            self._disconnected.set_exception(error)

    def pause_reading(self, on: bool) -> None:
        """Leave what the broker sends in the socket, until it stops sending; or go on."""
        sock = self.paho.socket()
        if on == self._is_paused or sock is None:
            return
        self._is_paused = on
        if on:
            self._loop.remove_reader(sock.fileno())
        else:
            self._loop.add_reader(sock.fileno(), self._read)

    async def flush(self) -> None:
        """Return when the broker has read everything; what comes from it is let go.

        A socket that is closed with something unread in it takes back what was written last: the acknowledgements.
        """
        self.paho.on_message = None
        self.pause_reading(False)
        self.paho._send_pingreq()
        while self.paho._ping_t and self.paho.socket() is not None:  # noqa: ASYNC110  # paho tells nobody of the answer
            await asyncio.sleep(_FLUSH_STEP_S)

    async def _misc_loop(self) -> None:
        """Keep the connection alive. aiomqtt's task of it is one that nobody waits for: its end is the connection's."""
        try:
            await self._keep_alive()
        except Exception as e:  # as in `_write`
            self._fail(e)

    async def _keep_alive(self) -> None:
        """Once a second. While nothing is read, no answer to a ping can be missed."""
        paused_s = 0
        while True:
            paused_s = paused_s + 1 if self._is_paused else 0
            if paused_s and paused_s % max(1, self._keepalive // 2) == 0:
                self.paho._send_pingreq()
            if self._is_paused:
                self.paho._ping_t = 0.0
            elif self.paho.loop_misc() != paho.MQTT_ERR_SUCCESS:
                return
            await asyncio.sleep(1)


def properties(packet: int, **values: object) -> Properties:
    """Return MQTT 5 properties of a kind of packet (`PacketTypes`)."""
    made = Properties(packet)  # type: ignore[no-untyped-call]  # paho annotates the rest
    for name, value in values.items():
        setattr(made, name, value)
    return made


def _connect_properties(session: Session) -> Properties:
    kept = {"SessionExpiryInterval": session.kept_s} if session.kept_s else {}
    return properties(PacketTypes.CONNECT, ReceiveMaximum=session.receive_max, **kept)
