"""Records of the log as Kafka keeps them. Pure.

The key of both is the chassisId. A raw record's value is the device's body, untouched; its headers are the message's
properties (`msgType`, `realtime` "1" or "0", `seq`, `ts`, `contentType`, `contentEncoding`) and what ingest added
(`tenant`, `received`). A parsed record is the JSON of interfaces.md, and where they are known `stats`, of fields with
several values [min, max, count]. In it an int is written without a point and a float with one, so both keep their type;
infinity is 1e999, which is JSON and is read as infinity everywhere.

As a field that `stats` lacks had one value, they are known all or not at all: with a span that cannot be written or
read, or where the record would be too large with them, all are left out. `problems` counts that, as `stats`.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from typing import Annotated, NamedTuple

import msgspec

from duco_rt.errors import BadInput
from duco_rt.model import HubMessage, Peer, RawMessage, Sample, Span, Stats, Value

RECORD_BYTES_MAX = 1_000_000
"""What a broker takes by default, less the overhead."""
_HEAD_BYTES = 100  # what the driver adds to key and value when it looks how large a record is

Headers = list[tuple[str, bytes]]  # the driver takes no tuple


class Record(NamedTuple):
    """What goes into one record of a topic."""

    key: bytes
    value: bytes
    headers: Headers


_Int = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]  # what a store can keep


class _Parsed(msgspec.Struct, rename="camel"):
    tenant: str
    chassis_id: str
    msg_type: str
    ts: _Int
    seq: _Int | None
    received: _Int
    payload: dict[str, Value | None]
    stats: Stats | None = None


class _Place(msgspec.Struct, rename="camel"):
    chassis_id: str
    msg_type: str
    seq: _Int | None


_parsed = msgspec.json.Decoder(_Parsed)
_place = msgspec.json.Decoder(_Place)
_encoder = msgspec.json.Encoder()


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogatepass")


def _int(text: bytes) -> int:
    value = int(text)
    if not -(2**63) <= value < 2**63:
        raise ValueError(f"{value} is out of range")
    return value


def encode_raw(raw: RawMessage) -> Record:
    """Return the record of a raw message."""
    message = raw.message
    headers = [
        ("msgType", _bytes(message.msg_type)),
        ("realtime", b"1" if message.realtime else b"0"),
        ("seq", b"%d" % message.seq),
        ("ts", b"%d" % message.ts_ms),
        ("contentType", _bytes(message.content_type)),
        ("contentEncoding", _bytes(message.content_encoding)),
        ("tenant", _bytes(raw.tenant)),
        ("received", b"%d" % raw.received_ms),
    ]
    return Record(_bytes(message.chassis_id), message.body, headers)


def decode_raw(key: bytes | None, value: bytes | None, headers: Iterable[tuple[str, bytes]]) -> RawMessage:
    """Return the raw message of a record; BadInput where it is none."""
    if key is None or value is None:
        raise BadInput("raw record without key or value")
    found = dict(headers)
    try:
        message = HubMessage(
            _text(key),
            _text(found["msgType"]),
            found["realtime"] == b"1",
            _int(found["ts"]),
            _int(found["seq"]),
            _text(found["contentType"]),
            _text(found["contentEncoding"]),
            value,
        )
        return RawMessage(message, _text(found["tenant"]), _int(found["received"]))
    except (KeyError, ValueError, TypeError, AttributeError) as e:  # a header may lack, be no number, or be null
        raise BadInput(f"raw record: {type(e).__name__}: {e}") from e


def position_of(record: Record) -> tuple[str, str, int | None]:
    """chassisId, msgType and seq of a record, as log lines name it. Never raises: what it does not tell is "?"."""
    try:
        if record.headers:
            raw = decode_raw(record.key, record.value, record.headers).message
            return raw.chassis_id, raw.msg_type, raw.seq
        found = _place.decode(record.value)
    except (BadInput, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return record.key.decode("utf-8", "replace"), "?", None
    return found.chassis_id, found.msg_type, found.seq


def encode_parsed(sample: Sample, problems: Counter[str]) -> Record:
    """Return the record of a sample. Never raises: a value that JSON cannot carry is left out."""
    peer = sample.peer
    key = _bytes(peer.chassis_id)
    top: dict[str, object] = {
        "tenant": peer.tenant,
        "chassisId": peer.chassis_id,
        "msgType": peer.msg_type,
        "ts": sample.ts_ms,
        "seq": sample.seq,
        "received": sample.received_ms,
    }
    stats = {} if sample.stats is None else {"stats": sample.stats}
    try:
        floats = [value for value in sample.payload.values() if isinstance(value, float)]
        if not math.isfinite(sum(floats) + sum([s.min + s.max + s.count for s in (sample.stats or {}).values()])):
            raise ValueError  # msgspec would write null
        text = _encoder.encode({**top, "payload": sample.payload, **stats})
    except (ValueError, TypeError, OverflowError):  # rare: infinity, half of a surrogate pair
        members = {name: _value(value) for name, value in top.items()} | {"payload": _payload(sample.payload)}
        text = _object(members | {"stats": _stats(sample.stats, problems)})
    if sample.stats and len(key) + len(text) > RECORD_BYTES_MAX - _HEAD_BYTES:
        problems["stats"] += 1
        return encode_parsed(replace(sample, stats=None), problems)
    return Record(key, text, [])


def _payload(payload: dict[str, Value]) -> str:
    return _object({name: _value(value) for name, value in payload.items()}).decode()


def _stats(stats: Stats | None, problems: Counter[str]) -> str:
    if stats is None:
        return ""
    members = {name: _span(span) for name, span in stats.items()}
    if not all(members.values()):
        problems["stats"] += 1
        return ""
    return _object(members).decode()


def _span(span: Span) -> str:
    try:
        parts = [_value(float(span.min)), _value(float(span.max)), _value(int(span.count))]
    except (OverflowError, TypeError, ValueError):
        return ""
    return f"[{','.join(parts)}]" if all(parts) else ""


def _object(members: dict[str, str]) -> bytes:
    return ("{" + ",".join(f"{json.dumps(name)}:{text}" for name, text in members.items() if text) + "}").encode()


def _value(value: object) -> str:
    """JSON in ASCII; "" for what is no value (NaN counts as absent)."""
    if isinstance(value, float) and not math.isfinite(value):
        return "" if math.isnan(value) else "1e999" if value > 0 else "-1e999"
    try:
        return json.dumps(value)
    except (ValueError, TypeError, RecursionError):  # an int of thousands of digits
        return ""


def decode_parsed(value: bytes | None, problems: Counter[str]) -> Sample:
    """Return the sample of a record; BadInput where it is none. Its `stats` may be anything."""
    if value is None:
        raise BadInput("parsed record without value")
    try:
        try:
            found = _parsed.decode(value)
        except (ValueError, RecursionError):  # msgspec refuses 1e999 and halves of surrogate pairs, json does not
            read = json.loads(value)
            stats = read.pop("stats", None) if isinstance(read, dict) else None
            found = msgspec.convert(read, _Parsed)
            found.stats = _known(stats, problems)
    except (ValueError, OverflowError, RecursionError) as e:
        raise BadInput(f"parsed record: {e}") from e
    payload = {name: v for name, v in found.payload.items() if v is not None and v == v}
    peer = Peer(found.tenant, found.chassis_id, found.msg_type)
    return Sample(peer, found.ts, found.seq, found.received, payload, found.stats)


def _known(read: object, problems: Counter[str]) -> Stats | None:
    try:
        stats: Stats | None = msgspec.convert(read, Stats | None)
    except (ValueError, OverflowError):
        problems["stats"] += 1
        return None
    if any(math.isnan(span.min) or math.isnan(span.max) for span in (stats or {}).values()):
        problems["stats"] += 1
        return None
    return stats
