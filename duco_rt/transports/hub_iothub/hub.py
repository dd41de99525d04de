"""Azure IoT Hub: devices over MQTT, the cloud side from the built-in endpoint (AMQP), methods over HTTPS.

`stored` is at least once: after its reader's end a partition goes on behind its contiguous acknowledged prefix, so an
event that was acknowledged out of order may come again. Several ingestors share the partitions of both readings, by
the ownerships in their common `checkpoints`; a device's messages are all in one partition.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Coroutine
from contextlib import aclosing
from typing import Any, TypeVar

from duco_rt.clock import Clock
from duco_rt.errors import ConfigError, TransportError
from duco_rt.model import HubMessage, MethodResult
from duco_rt.seeing.metrics import Metrics
from duco_rt.transports.base import Delivery
from duco_rt.transports.hub_iothub.checkpoints import Checkpoints
from duco_rt.transports.hub_iothub.client import EventsClient
from duco_rt.transports.hub_iothub.device import IotHubDialect
from duco_rt.transports.hub_iothub.events import LiveReading, Reading, StoredReading
from duco_rt.transports.hub_iothub.methods import Methods
from duco_rt.transports.hub_iothub.strings import (
    DEVICE_KEY,
    MQTT_PORT,
    EventsString,
    device_string,
    events_string,
    host_and_port,
    service_string,
)
from duco_rt.transports.hub_mqtt.device import MqttHubDevice

T = TypeVar("T")

_CHECK_S = 2.0


class IotHub:
    """Both sides of the hub. Only what a role needs is to be given; what is missing is named where it is needed.

    `host`, `cert_file`, `key_file`: a device with a certificate, in place of `device_connection_string`.
    `ca_file`: the authority to trust instead of the system's. `queue_messages_max`: events handed out and not yet
    acknowledged; live ones that wait. `balance_s`: how often ingestors look after their share; one that is gone
    without a word is missed after five times that. `token_s`: how long a device's token is good.
    """

    def __init__(
        self,
        metrics: Metrics,
        clock: Clock,
        *,
        device_connection_string: str = "",
        host: str = "",
        cert_file: str = "",
        key_file: str = "",
        ca_file: str = "",
        service_connection_string: str = "",
        events_connection_string: str = "",
        consumer_group: str = "$Default",
        live_consumer_group: str = "duco-live",
        checkpoints: Checkpoints | None = None,
        queue_messages_max: int = 10_000,
        send_timeout_s: float = 10.0,
        balance_s: float = 2.0,
        token_s: float = 3600.0,
    ) -> None:
        if consumer_group == live_consumer_group:
            raise ConfigError(f"hub.live_consumer_group = {live_consumer_group!r}: needs one of its own")
        self._metrics, self._clock = metrics, clock
        self._device_text, self._host = device_connection_string, host
        self._cert_file, self._key_file, self._ca_file = cert_file, key_file, ca_file
        self._events: EventsString | None = (
            events_string(events_connection_string) if events_connection_string else None
        )
        self._groups = consumer_group, live_consumer_group
        self._checkpoints = checkpoints
        self._room = queue_messages_max
        self._send_timeout_s, self._balance_s, self._token_s = send_timeout_s, balance_s, token_s
        self._methods: Methods | None = None
        if service_connection_string:
            self._methods = Methods(service_string(service_connection_string), self._tls(), clock)
        self._readings: list[Reading[Any]] = []
        self._broken: dict[str, str] = {}
        self._closed = False

    def device(self, chassis_id: str) -> MqttHubDevice:
        """The hub as this device sees it; ConfigError where the connection string is another's."""
        if self._device_text or not self._host:
            given = device_string(self._device_text)
            if given.device_id != chassis_id:
                raise ConfigError(f"{DEVICE_KEY} is of device {given.device_id}, not of {chassis_id}")
            host, port, key, tls = given.host, given.port, given.key, self._tls()
        else:
            host, port = host_and_port(self._host, MQTT_PORT, "hub.host")
            key, tls = "", self._tls_with_certificate()
        dialect = IotHubDialect(host, port, tls, chassis_id, key, self._token_s)
        return MqttHubDevice(dialect, self._clock, self._metrics, send_timeout_s=self._send_timeout_s)

    def stored(self) -> AsyncIterator[Delivery]:
        """Every message."""
        client, checkpoints = self._reader(self._groups[0])
        return self._read(StoredReading(client, checkpoints, self._room, self._clock, self._metrics))

    def live(self) -> AsyncIterator[HubMessage]:
        """Real-time messages from this call on."""
        client, _ = self._reader(self._groups[1])
        return self._read(LiveReading(client, self._room, 10 * self._balance_s, self._clock, self._metrics))

    def _reader(self, group: str) -> tuple[EventsClient, Checkpoints]:
        events = self._events or events_string("")  # which says what is missing
        if self._checkpoints is None:
            raise ConfigError("hub.kind = 'iothub': reading the events needs a place for checkpoints")
        more: dict[str, Any] = {"ca_file": self._ca_file, "balance_s": self._balance_s}
        return EventsClient(events, group, self._checkpoints, **more), self._checkpoints

    async def _read(self, reading: Reading[T]) -> AsyncIterator[T]:
        if self._closed:
            raise TransportError("the IoT Hub is closed")
        self._readings.append(reading)
        try:
            async with aclosing(reading.items()) as items:
                async for item in items:
                    yield item
        except TransportError as e:
            self._broken[reading.client.group] = str(e)
            raise
        finally:
            self._readings.remove(reading)

    async def run(self) -> None:
        """Nothing to carry: methods go over HTTPS, and who is connected the hub does not tell."""
        await asyncio.Event().wait()

    async def call(self, chassis_id: str, method: str, payload: dict[str, object], timeout_s: float) -> MethodResult:
        """Direct method; NotFound where the hub has no such device."""
        if self._closed:
            raise TransportError("the IoT Hub is closed")
        if self._methods is None:
            service_string("")  # says what is missing
            raise AssertionError
        return await self._methods.call(chassis_id, method, payload, timeout_s)

    def connected(self, chassis_id: str) -> bool | None:
        """IoT Hub would be asked for each device, and it throttles."""
        return None

    async def check(self) -> None:
        """Raises TransportError where a reading is broken, or an endpoint that is configured does not answer."""
        if self._closed:
            raise TransportError("the IoT Hub is closed")
        for reading in self._readings:
            if problem := reading.problem():
                raise TransportError(self._broken.get(reading.client.group, problem))  # why it was lost says more
            self._broken.pop(reading.client.group, None)
        for problem in self._broken.values():
            raise TransportError(problem)
        checks: list[Coroutine[object, object, None]] = []
        checks += [self._methods.check(_CHECK_S)] if self._methods is not None else []
        # a reading that works is proof, and costs no connection
        checks += [self._check_events(self._events)] if self._events is not None and not self._readings else []
        checks += [self._checkpoints.check()] if self._checkpoints is not None else []
        for result in await asyncio.gather(*checks, return_exceptions=True):
            if isinstance(result, BaseException):
                raise result

    async def _check_events(self, events: EventsString) -> None:
        client = EventsClient(events, self._groups[0], ca_file=self._ca_file, tries=1)
        try:
            await client.check(_CHECK_S)
        finally:
            await client.close()

    async def close(self) -> None:
        """Stop reading."""
        self._closed = True
        for reading in list(self._readings):
            await reading.stop(TransportError("the IoT Hub is closed"))
        if self._methods is not None:
            await self._methods.close()
        if self._checkpoints is not None:
            await self._checkpoints.close()

    def _tls(self) -> ssl.SSLContext:
        try:
            return ssl.create_default_context(cafile=self._ca_file or None)
        except OSError as e:
            raise ConfigError(f"hub.ca_file = {self._ca_file!r}: {e}") from e

    def _tls_with_certificate(self) -> ssl.SSLContext:
        tls = self._tls()
        try:
            tls.load_cert_chain(self._cert_file, self._key_file)
        except OSError as e:
            raise ConfigError(f"hub.cert_file = {self._cert_file!r}, hub.key_file = {self._key_file!r}: {e}") from e
        return tls
