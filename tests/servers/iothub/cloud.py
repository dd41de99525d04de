"""A whole IoT Hub of loopback: what a device sends is an event, what the API calls is asked of the device."""

from __future__ import annotations

import base64
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Self

from tests.servers.iothub import sas
from tests.servers.iothub.amqp import EventHubPeer
from tests.servers.iothub.certificates import Authority
from tests.servers.iothub.events import EventLog
from tests.servers.iothub.methods import MethodsPeer
from tests.servers.iothub.mqtt import DevicesPeer

HOST = "localhost"
BIND = "127.0.0.1"
NAME = "ducohub"
POLICY = "service"


def key_of(name: str) -> str:
    """A device's or policy's key."""
    return base64.b64encode(f"key of {name} {'.' * 16}".encode()).decode()


class Cloud:
    """Devices over MQTT, the built-in endpoint, the service API. An async context manager.

    `folder`: certificates, and with `keep` the events, which then survive a kill. `ports`: MQTT, HTTPS, AMQP.
    """

    def __init__(
        self,
        folder: Path,
        *,
        devices: tuple[str, ...] = ("DUCO_001",),
        partitions: int = 4,
        groups: tuple[str, ...] = ("$Default", "duco-live"),
        keep: bool = False,
        ports: tuple[int, int, int] = (0, 0, 0),
    ) -> None:
        self.authority = Authority(folder / "certificates")
        self.log = EventLog(partitions, folder / "events.jsonl" if keep else None)
        self.known = set(devices)
        self.mqtt = DevicesPeer(HOST, self.authority.server(), self._device_refusal, self.log.append)
        self.methods = MethodsPeer(self.authority.server(), self._service_refusal, self.known, self.mqtt.call)
        self.events = EventHubPeer(self.log, NAME, groups, self._events_refusal)
        self._ports = ports
        self._stack = AsyncExitStack()

    @property
    def ca_file(self) -> str:
        """The authority that clients trust."""
        return str(self.authority.ca_file)

    def device_string(self, device_id: str = "DUCO_001") -> str:
        """A device's connection string."""
        return f"HostName={HOST}:{self.mqtt.port};DeviceId={device_id};SharedAccessKey={key_of(device_id)}"

    @property
    def service_string(self) -> str:
        """The service policy's connection string."""
        return f"HostName={HOST}:{self.methods.port};SharedAccessKeyName={POLICY};SharedAccessKey={key_of(POLICY)}"

    @property
    def events_string(self) -> str:
        """The built-in endpoint's connection string."""
        return (
            f"Endpoint=sb://{HOST}:{self.events.port}/;SharedAccessKeyName={POLICY};SharedAccessKey={key_of(POLICY)};"
            f"EntityPath={NAME};UseDevelopmentEmulator=true"
        )

    def _device_refusal(self, device_id: str, token: str) -> str:
        if device_id not in self.known:
            return f"no device {device_id}"
        return sas.refusal(token, f"{HOST}/devices/{device_id}", base64.b64decode(key_of(device_id)))

    def _service_refusal(self, token: str) -> str:
        return sas.refusal(token, HOST, base64.b64decode(key_of(POLICY)), POLICY)

    def _events_refusal(self, token: str, resource: str) -> str:
        """Event Hubs signs with the key's text."""
        return sas.refusal(token, resource, key_of(POLICY).encode(), POLICY)

    async def __aenter__(self) -> Self:
        peers: tuple[DevicesPeer | MethodsPeer | EventHubPeer, ...] = self.mqtt, self.methods, self.events
        for peer, port in zip(peers, self._ports, strict=True):
            await peer.start(BIND, port)
            self._stack.push_async_callback(peer.stop)
        self._stack.callback(self.log.close)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()
