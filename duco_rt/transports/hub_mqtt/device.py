"""The device side of the MQTT hubs: a broker's topics or Azure's, as its `Dialect` says."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Literal, Protocol

from duco_rt.clock import Clock
from duco_rt.errors import TransportError
from duco_rt.model import HubMessage
from duco_rt.seeing.metrics import Metrics
from duco_rt.transports.base import MethodHandler
from duco_rt.transports.hub_mqtt.client import Publication, Session
from duco_rt.transports.hub_mqtt.connection import NO_SUBSCRIBERS, Connection, connected
from duco_rt.transports.hub_mqtt.methods import Methods
from duco_rt.transports.hub_mqtt.reconnect import stay_connected

_SETTLE_S = 5.0
_DEATH_S = 2.0
_TOKEN_SHARE = 0.85
"""A connection is renewed after this share of its token's time."""


class Dialect(Protocol):
    """What differs between the hubs that speak MQTT, for one device."""

    @property
    def host(self) -> str:
        """The broker's name or address."""
        ...

    @property
    def port(self) -> int:
        """Its TCP port."""
        ...

    @property
    def tls(self) -> ssl.SSLContext | None:
        """None: plain TCP."""
        ...

    @property
    def version(self) -> Literal[4, 5]:
        """5: MQTT 5; 4: MQTT 3.1.1."""
        ...

    @property
    def client_id(self) -> str:
        """One a device."""
        ...

    @property
    def username(self) -> str | None:
        """None: without user and password."""
        ...

    @property
    def may_lose(self) -> bool:
        """Whether the broker may lose messages that it has acknowledged."""
        ...

    @property
    def method_filters(self) -> tuple[str, ...]:
        """What to subscribe to for direct methods."""
        ...

    def password(self, now_s: float) -> tuple[str | None, float | None]:
        """The password for a connection that begins now, and until when it is good (Unix s; None: for ever)."""
        ...

    def events_topic(self, message: HubMessage) -> str:
        """Where a message is published."""
        ...

    def parse_method(self, topic: str) -> tuple[str, str]:
        """Name and request id of a method's topic; BadInput where it is none."""
        ...

    def answer_topic(self, status: int, request_id: str) -> str:
        """Where the answer to a method goes."""
        ...

    def presence(self, online: bool, now_ms: int) -> Publication | None:
        """What tells that the device is there, or gone (as its last will too); None: the hub knows by itself."""
        ...


class MqttHubDevice:
    """One device's side. `send_timeout_s`: a broker that acknowledges nothing for so long is dead."""

    def __init__(self, dialect: Dialect, clock: Clock, metrics: Metrics, *, send_timeout_s: float = 10.0) -> None:
        self._dialect, self._clock, self._metrics = dialect, clock, metrics
        self._send_timeout_s = send_timeout_s
        self._connection: Connection | None = None
        self._changed = asyncio.Event()
        self._connections = 0
        self._problem = "not on the hub yet"

    @property
    def is_online(self) -> bool:
        """Whether the connection is up and its methods are subscribed to."""
        return self._connection is not None and self._connection.is_up

    async def online(self) -> None:
        """Return as soon as the device is on the hub."""
        while not self.is_online:
            self._changed.clear()
            await self._changed.wait()

    async def send(self, message: HubMessage) -> None:
        """Return when the broker has the message; TransportError at once where the device is offline."""
        connection = self._connection
        if connection is None:
            raise TransportError(f"device {message.chassis_id} is offline: {self._problem}")
        reason = await connection.publish(Publication(self._dialect.events_topic(message), message.body))
        if reason == NO_SUBSCRIBERS:
            raise TransportError(f"{connection.broker}: would keep nothing, it knows no ingestor")

    async def run(self, on_method: MethodHandler, on_loss: Callable[[], None]) -> None:
        """Be on the hub until cancelled: connect, serve, connect again."""

        async def serve() -> None:
            try:
                await self._serve(on_method, on_loss)
            except TransportError as e:
                self._problem = str(e)
                raise

        try:
            await stay_connected(serve, "device", self._metrics, self._clock)
        finally:
            self._problem = "stopped"

    async def _serve(self, on_method: MethodHandler, on_loss: Callable[[], None]) -> None:
        """One connection; returns when a new token is due, TransportError where it is lost."""
        session, good_s = self._session()
        methods = Methods(self._dialect.parse_method, self._dialect.answer_topic, on_method, self._metrics)
        async with connected(session, methods.arrived) as connection, methods.answered_on(connection):
            try:
                for topic in self._dialect.method_filters:
                    await connection.subscribe(topic, qos=1)
                await self._tell_presence(connection, online=True)
                self._enter(connection, on_loss)
                with suppress(TimeoutError):
                    async with asyncio.timeout(good_s):
                        await connection.lost()
                self._connection, self._problem = None, "the connection is being renewed"
                await _settled(connection, methods)
            except asyncio.CancelledError:
                self._connection = None
                with suppress(TimeoutError, TransportError):
                    async with asyncio.timeout(_DEATH_S):
                        await self._tell_presence(connection, online=False)
                raise
            finally:
                self._connection = None

    def _enter(self, connection: Connection, on_loss: Callable[[], None]) -> None:
        self._connection = connection
        self._connections += 1
        self._changed.set()
        if self._connections > 1 and self._dialect.may_lose:
            on_loss()

    def _session(self) -> tuple[Session, float | None]:
        """How to connect now, and for how many seconds its password is good."""
        dialect, now_ms = self._dialect, self._clock.wall_ms()
        password, expires_s = dialect.password(now_ms / 1000)
        good_s = None if expires_s is None else max(1.0, (expires_s - now_ms / 1000) * _TOKEN_SHARE)
        session = Session(
            dialect.host,
            dialect.port,
            dialect.client_id,
            tls=dialect.tls,
            version=dialect.version,
            username=dialect.username,
            password=password,
            will=dialect.presence(False, now_ms),
            send_timeout_s=self._send_timeout_s,
        )
        return session, good_s

    async def _tell_presence(self, connection: Connection, *, online: bool) -> None:
        publication = self._dialect.presence(online, self._clock.wall_ms())
        if publication is not None and connection.is_up:
            await connection.publish(publication)


async def _settled(connection: Connection, methods: Methods) -> None:
    """Let what is on its way arrive before the connection is given up; not for long."""
    with suppress(TimeoutError):
        async with asyncio.timeout(_SETTLE_S):
            await methods.idle()
            await connection.idle()
