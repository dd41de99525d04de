"""Azure IoT Hub's MQTT for one device: MQTT 3.1.1 over TLS, with a SAS token as password or a client certificate."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import Literal
from urllib.parse import parse_qs

from duco_rt.errors import BadInput
from duco_rt.model import HubMessage
from duco_rt.transports.hub_iothub.strings import sas_token
from duco_rt.transports.hub_mqtt.client import Publication
from duco_rt.transports.hub_properties import encode

API_VERSION = "2021-04-12"
_METHOD = "$iothub/methods/POST/"


@dataclass(frozen=True, slots=True)
class IotHubDialect:
    """`key`: the device's, base64; "" where `tls` has its certificate. A token is good for `token_s` seconds."""

    host: str
    port: int
    tls: ssl.SSLContext
    client_id: str
    key: str = ""
    token_s: float = 3600.0
    version: Literal[4] = 4
    may_lose: bool = False
    method_filters: tuple[str, ...] = (_METHOD + "#",)

    @property
    def username(self) -> str:
        """Hub, device and API version."""
        return f"{self.host}/{self.client_id}/?api-version={API_VERSION}"

    def password(self, now_s: float) -> tuple[str | None, float | None]:
        """A token from now on; with a certificate none."""
        if not self.key:
            return None, None
        ends_s = int(now_s + self.token_s)
        return sas_token(f"{self.host}/devices/{self.client_id}", self.key, ends_s), ends_s

    def events_topic(self, message: HubMessage) -> str:
        """The properties are in the topic."""
        return f"devices/{self.client_id}/messages/events/{encode(message)}"

    def parse_method(self, topic: str) -> tuple[str, str]:
        """`$iothub/methods/POST/{name}/?$rid={id}`."""
        name, slash, query = topic.removeprefix(_METHOD).partition("/")
        request_ids = parse_qs(query.removeprefix("?")).get("$rid", [])
        if not topic.startswith(_METHOD) or not name or not slash or len(request_ids) != 1:
            raise BadInput(f"{topic[:200]!r} is no method's topic")
        return name, request_ids[0]

    def answer_topic(self, status: int, request_id: str) -> str:
        """Where the answer goes."""
        return f"$iothub/methods/res/{status}/?$rid={request_id}"

    def presence(self, online: bool, now_ms: int) -> Publication | None:
        """IoT Hub knows by itself."""
        return None
