"""How a device speaks to an MQTT broker of one's own."""

from __future__ import annotations

import json
import ssl
from dataclasses import dataclass
from typing import Literal

from duco_rt.model import HubMessage
from duco_rt.transports.hub_mqtt import topics
from duco_rt.transports.hub_mqtt.client import Publication


@dataclass(frozen=True)
class BrokerDialect:
    """MQTT 5; presence by a retained status and the last will."""

    chassis_id: str
    host: str
    port: int
    tls: ssl.SSLContext | None
    username: str | None
    secret: str | None
    version: Literal[4, 5] = 5
    may_lose: bool = True

    @property
    def client_id(self) -> str:
        """One a device: a connection of the same device replaces the one before."""
        return f"duco-device-{self.chassis_id}"

    @property
    def method_filters(self) -> tuple[str, ...]:
        """Every method of this device."""
        return (topics.methods(self.chassis_id),)

    def password(self, _: float) -> tuple[str | None, float | None]:
        """The same for ever."""
        return self.secret, None

    def events_topic(self, message: HubMessage) -> str:
        """The device's own topic, with the properties."""
        return topics.events(message)

    def parse_method(self, topic: str) -> tuple[str, str]:
        """Name and request id."""
        return topics.read_method(topic)

    def answer_topic(self, status: int, request_id: str) -> str:
        """Where the answer goes."""
        return topics.answer(self.chassis_id, status, request_id)

    def presence(self, online: bool, now_ms: int) -> Publication:
        """The retained status; in a last will `ts` is the time of the connection."""
        payload = json.dumps({"online": online, "ts": now_ms}, separators=(",", ":")).encode()
        return Publication(topics.status(self.chassis_id), payload, retain=True)
