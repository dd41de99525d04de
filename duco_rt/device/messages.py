"""Seconds become hub messages: packed, compressed, cut where they would be too large. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from duco_rt import body
from duco_rt.body import CanSecond, JsonSecond
from duco_rt.errors import BadInput
from duco_rt.model import CLIENT_RAW_DATA, VEHICLE_CAN, HubMessage
from duco_rt.parts import size_bytes, split


def can_messages(chassis_id: str, seconds: Sequence[CanSecond], *, realtime: bool) -> list[HubMessage]:
    """As few messages as fit the limit: a batch is cut between seconds, a larger second into parts."""
    groups: list[list[CanSecond]] = [[]]
    used = 0
    for second in seconds:
        for part in split(second, body.PART_BYTES_MAX):
            size = size_bytes(part)
            if groups[-1] and used + size > body.PART_BYTES_MAX:
                groups.append([])
                used = 0
            groups[-1].append(part)
            used += size
    return [_can_message(chassis_id, group, realtime) for group in groups if group]


def json_messages(chassis_id: str, seconds: Sequence[JsonSecond], *, realtime: bool) -> list[HubMessage]:
    """The same for ready values; a single second over the limit is refused, it could not be cut."""
    raw = body.encode_json(seconds)
    if len(raw) <= body.PART_BYTES_MAX:
        return [_message(chassis_id, CLIENT_RAW_DATA, realtime, seconds[0], body.JSON_TYPE, raw)]
    if len(seconds) == 1:
        raise BadInput(f"client_raw_data of second {seconds[0].seq} has {len(raw)} bytes")
    middle = len(seconds) // 2
    return [
        *json_messages(chassis_id, seconds[:middle], realtime=realtime),
        *json_messages(chassis_id, seconds[middle:], realtime=realtime),
    ]


def _can_message(chassis_id: str, seconds: Sequence[CanSecond], realtime: bool) -> HubMessage:
    return _message(chassis_id, VEHICLE_CAN, realtime, seconds[0], body.CAN_TYPE, body.encode_can(seconds))


def _message(
    chassis_id: str,
    msg_type: str,
    realtime: bool,
    first: CanSecond | JsonSecond,
    content_type: str,
    raw: bytes,
) -> HubMessage:
    packed = body.deflate(raw)
    encoding = "deflate" if len(packed) < len(raw) else "identity"
    sent = packed if encoding == "deflate" else raw
    return HubMessage(chassis_id, msg_type, realtime, first.ts_ms, first.seq, content_type, encoding, sent)
