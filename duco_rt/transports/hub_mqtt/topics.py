"""The topics of `hub = mqtt`, made and read. Pure.

devices/{chassisId}/messages/events/{properties}     telemetry
devices/{chassisId}/methods/{name}/{rid}             a direct method, JSON
devices/{chassisId}/methods/res/{status}/{rid}       its answer, JSON
devices/{chassisId}/status                           {"online":true,"ts":ms}, retained
"""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import quote, unquote

from duco_rt.errors import BadInput
from duco_rt.model import NAME, HubMessage
from duco_rt.transports import hub_properties

EVENTS = "devices/+/messages/events/#"
ANSWERS = "devices/+/methods/res/+/+"
STATUSES = "devices/+/status"


class Answer(NamedTuple):
    """Whose answer to which call."""

    chassis_id: str
    request_id: str
    status: int


def shared(group: str, topics: str) -> str:
    """Each message of `topics` to one of the group."""
    return f"$share/{group}/{topics}"


def events(message: HubMessage) -> str:
    """Where a message goes."""
    return f"devices/{message.chassis_id}/messages/events/{hub_properties.encode(message)}"


def read_events(topic: str, body: bytes) -> HubMessage:
    """The message that came in; BadInput where the topic is not of `events`."""
    match topic.split("/"):
        case ["devices", chassis_id, "messages", "events", bag]:
            return hub_properties.decode(chassis_id, bag, body)
    raise BadInput(f"topic {topic[:200]!r}: expected devices/ID/messages/events/PROPERTIES")


def method(chassis_id: str, name: str, request_id: str) -> str:
    """Where a method is called."""
    return f"devices/{chassis_id}/methods/{quote(name, safe='')}/{request_id}"


def methods(chassis_id: str) -> str:
    """All calls to one device."""
    return f"devices/{chassis_id}/methods/+/+"


def read_method(topic: str) -> tuple[str, str]:
    """Name and request id; BadInput where the topic is not of `method`."""
    match topic.split("/"):
        case ["devices", _, "methods", name, request_id]:
            return unquote(name), request_id
    raise BadInput(f"topic {topic[:200]!r}: expected devices/ID/methods/NAME/RID")


def answer(chassis_id: str, status: int, request_id: str) -> str:
    """Where an answer goes."""
    return f"devices/{chassis_id}/methods/res/{status}/{request_id}"


def read_answer(topic: str) -> Answer:
    """Whose answer; BadInput where the topic is not of `answer`."""
    match topic.split("/"):
        case ["devices", chassis_id, "methods", "res", status, request_id] if status.isascii() and status.isdigit():
            return Answer(chassis_id, request_id, int(status[:9]))
    raise BadInput(f"topic {topic[:200]!r}: expected devices/ID/methods/res/STATUS/RID")


def status(chassis_id: str) -> str:
    """Where a device says that it is there."""
    return f"devices/{chassis_id}/status"


def read_status(topic: str) -> str:
    """Whose presence; BadInput where the topic is not of `status`."""
    match topic.split("/"):
        case ["devices", chassis_id, "status"] if NAME.match(chassis_id):
            return chassis_id
    raise BadInput(f"topic {topic[:200]!r}: expected devices/ID/status")
