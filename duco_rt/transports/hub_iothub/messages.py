"""Events of IoT Hub's built-in endpoint as hub messages. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from duco_rt.errors import BadInput
from duco_rt.model import HubMessage
from duco_rt.transports.hub_properties import from_properties

if TYPE_CHECKING:
    from azure.eventhub import EventData


def message_of(event: EventData) -> HubMessage:
    """An event of the built-in endpoint as the device sent it; BadInput where it is not one of ours."""
    system = event.system_properties
    device = system.get(b"iothub-connection-device-id")
    if device is None:
        raise BadInput("no iothub-connection-device-id: not a device's message")
    properties = {_text(name): _text(value) for name, value in (event.properties or {}).items()}
    content = [system.get(name) for name in (b"content-type", b"content-encoding")]
    if None in content:
        raise BadInput("content type or encoding is missing")
    return from_properties(_text(device), properties, _text(content[0]), _text(content[1]), _body(event))


def is_realtime(event: EventData) -> bool:
    """Whether live wants it; cheaper than the whole message."""
    properties = event.properties or {}
    return properties.get(b"realtime") in (b"1", "1")


def _body(event: EventData) -> bytes:
    data: Any = event.body  # parts of bytes: a device's message has no other body
    return data if isinstance(data, bytes) else b"".join(data)


def _text(value: object) -> str:
    try:
        return value.decode() if isinstance(value, bytes) else str(value)
    except UnicodeDecodeError as e:
        raise BadInput(f"{value!r:.80} is not UTF-8") from e
