"""A hub message's properties as Azure writes them into a topic, a URL-encoded bag, and back. Pure.

    msgType=vehicle_can&seq=17&ts=1795352000000&realtime=1&%24.ct=application%2Fx&%24.ce=identity

`realtime` is there only when true. Keys that are not ours are left alone: hubs add their own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote, unquote

from duco_rt.errors import BadInput
from duco_rt.model import NAME, HubMessage

CONTENT_TYPE, CONTENT_ENCODING = "$.ct", "$.ce"
"""Azure's names of the two system properties in a bag."""

_NUMBER = re.compile(r"[0-9]{1,18}\Z")


def application_properties(message: HubMessage) -> dict[str, str]:
    """All properties but content type and encoding."""
    found = {"msgType": message.msg_type, "seq": str(message.seq), "ts": str(message.ts_ms)}
    return found | {"realtime": "1"} if message.realtime else found


def encode(message: HubMessage) -> str:
    """Return the bag; it holds no '/', '+' or '#', so it is one level of a topic."""
    system = {CONTENT_TYPE: message.content_type, CONTENT_ENCODING: message.content_encoding}
    pairs = application_properties(message) | system
    return "&".join(f"{quote(key, safe='')}={quote(value, safe='')}" for key, value in pairs.items())


def decode(chassis_id: str, bag: str, body: bytes) -> HubMessage:
    """Return the message; BadInput where a property is missing, doubled or malformed."""
    found: dict[str, str] = {}
    for pair in bag.split("&"):
        key, equals, value = pair.partition("=")
        try:
            key, value = unquote(key, errors="strict"), unquote(value, errors="strict")
        except UnicodeDecodeError as e:
            raise BadInput(f"properties {bag[:200]!r}: not UTF-8") from e
        if not equals or key in found:
            raise BadInput(f"properties {bag[:200]!r}: {pair[:50]!r} is no key=value, or comes twice")
        found[key] = value
    content_type, encoding = _needed(found, CONTENT_TYPE), _needed(found, CONTENT_ENCODING)
    return from_properties(chassis_id, found, content_type, encoding, body)


def from_properties(
    chassis_id: str, properties: Mapping[str, str], content_type: str, content_encoding: str, body: bytes
) -> HubMessage:
    """Return the message whose hub keeps content type and encoding apart; BadInput as in `decode`."""
    msg_type, realtime = _needed(properties, "msgType"), properties.get("realtime", "0")
    for what, name in (("chassisId", chassis_id), ("msgType", msg_type)):
        if not NAME.match(name):
            raise BadInput(f"{what} {name[:80]!r}: expected 1-64 of A-Z a-z 0-9 _ -")
    if realtime not in ("0", "1"):
        raise BadInput(f"realtime {realtime[:20]!r}: expected 1 or 0")
    ts_ms, seq = _number(properties, "ts"), _number(properties, "seq")
    return HubMessage(chassis_id, msg_type, realtime == "1", ts_ms, seq, content_type, content_encoding, body)


def _needed(properties: Mapping[str, str], key: str) -> str:
    try:
        return properties[key]
    except KeyError as e:
        raise BadInput(f"property {key} is missing") from e


def _number(properties: Mapping[str, str], key: str) -> int:
    text = _needed(properties, key)
    if not _NUMBER.match(text):
        raise BadInput(f"{key} {text[:30]!r}: expected a whole number, not negative")
    return int(text)
