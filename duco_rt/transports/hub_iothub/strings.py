"""Azure IoT Hub's connection strings and SAS tokens. Pure: time is passed in; no error text shows a key."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from typing import NamedTuple
from urllib.parse import quote, urlencode, urlsplit

from duco_rt.errors import ConfigError

MQTT_PORT = 8883
HTTPS_PORT = 443
DEVICE_KEY = "hub.device_connection_string"
SERVICE_KEY = "hub.service_connection_string"
EVENTS_KEY = "hub.events_connection_string"


class DeviceString(NamedTuple):
    """Where one device connects, and its key."""

    host: str
    port: int
    device_id: str
    key: str


class ServiceString(NamedTuple):
    """Where direct methods go, and the shared access policy that may call them."""

    host: str
    port: int
    policy: str
    key: str


class EventsString(NamedTuple):
    """The built-in endpoint: `text` goes to the driver as it is; the others are for messages and names of keys."""

    text: str
    namespace: str
    event_hub: str
    is_tls: bool


def device_string(text: str) -> DeviceString:
    """`HostName=…;DeviceId=…;SharedAccessKey=…`; the host may carry a port. ConfigError names what is missing."""
    parts = _parts(text, DEVICE_KEY, ("HostName", "DeviceId", "SharedAccessKey"))
    host, port = host_and_port(parts["HostName"], MQTT_PORT, DEVICE_KEY)
    return DeviceString(host, port, parts["DeviceId"], _key(parts["SharedAccessKey"], DEVICE_KEY))


def service_string(text: str) -> ServiceString:
    """`HostName=…;SharedAccessKeyName=…;SharedAccessKey=…`; the host may carry a port."""
    parts = _parts(text, SERVICE_KEY, ("HostName", "SharedAccessKeyName", "SharedAccessKey"))
    host, port = host_and_port(parts["HostName"], HTTPS_PORT, SERVICE_KEY)
    return ServiceString(host, port, parts["SharedAccessKeyName"], _key(parts["SharedAccessKey"], SERVICE_KEY))


def events_string(text: str) -> EventsString:
    """`Endpoint=sb://…/;SharedAccessKeyName=…;SharedAccessKey=…;EntityPath=…`, as `az iot hub connection-string
    show --default-eventhub` prints it; `UseDevelopmentEmulator=true` means plaintext and a port in the endpoint.
    """
    parts = _parts(text, EVENTS_KEY, ("Endpoint", "SharedAccessKeyName", "SharedAccessKey", "EntityPath"))
    namespace = urlsplit(parts["Endpoint"]).netloc
    if not namespace:
        raise ConfigError(f"{EVENTS_KEY}: Endpoint is no sb://host/ address")
    return EventsString(text, namespace, parts["EntityPath"], parts.get("UseDevelopmentEmulator") != "true")


def host_and_port(text: str, port: int, config_key: str) -> tuple[str, int]:
    """`name` or `name:port`."""
    try:
        split = urlsplit(f"//{text}")
        name, given = split.hostname, split.port
    except ValueError:
        name, given = None, None
    if not name or split.netloc != text:
        raise ConfigError(f"{config_key}: {text!r} is no host name")
    return name, port if given is None else given


def sas_token(resource: str, key: str, expires_s: int, policy: str = "") -> str:
    """A token for a resource (`host/devices/id`, or `host` with a policy) that ends at Unix time `expires_s`."""
    signed = f"{quote(resource, safe='')}\n{expires_s}".encode()
    signature = base64.b64encode(hmac.new(base64.b64decode(key), signed, hashlib.sha256).digest())
    fields = {"sr": resource, "sig": signature.decode(), "se": str(expires_s)} | ({"skn": policy} if policy else {})
    return "SharedAccessSignature " + urlencode(fields, quote_via=quote, safe="")


def _parts(text: str, config_key: str, names: tuple[str, ...]) -> dict[str, str]:
    """The string's fields; a key's own `=` at its end stays."""
    if not text:
        raise ConfigError(f"{config_key} is not set")
    fields = [field.partition("=") for field in text.strip().split(";") if field.strip()]
    parts = {name.strip(): value.strip() for name, _, value in fields}
    missing = [name for name in names if not parts.get(name)]
    if missing:
        raise ConfigError(f"{config_key} has no {', '.join(missing)}; it has {', '.join(parts)}")
    return parts


def _key(key: str, config_key: str) -> str:
    try:
        base64.b64decode(key, validate=True)
    except (binascii.Error, ValueError):
        raise ConfigError(f"{config_key}: SharedAccessKey is not base64") from None
    return key
