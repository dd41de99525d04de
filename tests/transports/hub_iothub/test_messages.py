"""Events of the built-in endpoint as messages."""

from __future__ import annotations

from typing import Any

import pytest
from azure.eventhub import EventData
from azure.eventhub._pyamqp.message import Message, Properties

from duco_rt.errors import BadInput
from duco_rt.model import HubMessage
from duco_rt.transports.hub_iothub.messages import is_realtime, message_of

OURS: dict[bytes, Any] = {b"msgType": b"vehicle_can", b"seq": b"7", b"ts": b"7000", b"realtime": b"1"}


def event(properties: dict[bytes, Any], device: bytes | None = b"D1", content: tuple[Any, Any] = (b"x/y", b"z")) -> Any:
    """As it comes from the endpoint: names and texts are bytes."""
    annotations = {b"x-opt-sequence-number": 1} | ({b"iothub-connection-device-id": device} if device else {})
    parts = Properties(content_type=content[0], content_encoding=content[1])
    given: dict[str, Any] = {"application_properties": properties, "message_annotations": annotations}
    return EventData._from_message(Message(properties=parts, data=[b"bo", b"dy"], **given))


@pytest.mark.parametrize("texts", [OURS, {name: value.decode() for name, value in OURS.items()}])
def test_an_event_of_a_device(texts: dict[bytes, Any]) -> None:
    """The chassisId is what the hub says; the body is put together."""
    message = message_of(event(texts))
    assert message == HubMessage("D1", "vehicle_can", True, 7000, 7, "x/y", "z", b"body")
    assert is_realtime(event(texts))


@pytest.mark.parametrize(
    ("properties", "device", "content", "says"),
    [
        (OURS, None, (b"x/y", b"z"), "no iothub-connection-device-id"),
        ({}, b"D1", (b"x/y", b"z"), "msgType"),
        ({**OURS, b"seq": b"-1"}, b"D1", (b"x/y", b"z"), "seq"),
        ({**OURS, b"ts": b"\xff"}, b"D1", (b"x/y", b"z"), "not UTF-8"),
        (OURS, b"D/1", (b"x/y", b"z"), "chassisId"),
        (OURS, b"D1", (None, b"z"), "content type"),
        (OURS, b"D1", (b"x/y", None), "content type"),
    ],
)
def test_an_event_that_is_none_of_ours(
    properties: dict[bytes, Any], device: bytes | None, content: tuple[Any, Any], says: str
) -> None:
    """BadInput says why."""
    with pytest.raises(BadInput, match=says):
        message_of(event(properties, device, content))
