"""What clients say, read and checked, and what the service says beside samples, as JSON text. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Generic, NamedTuple, NoReturn, TypeVar

import msgspec
from msgspec import Meta

from duco_rt.web.live.field_lists import ENTRIES_MAX, STATS, FieldList, Refused, check_length, field_list

__all__ = [
    "AskStatus",
    "Change",
    "Refused",
    "Wish",
    "ack_text",
    "error_text",
    "gap_text",
    "last_known_text",
    "read_message",
    "status_text",
]

T = TypeVar("T")

_TYPES = ("INIT_FIELD_LIST", "ADD_FIELDS", "REMOVE_FIELDS", "STATUS")
_SHOWN_CHARACTERS = 80
_MESSAGE_CHARACTERS_MAX = 500
_EVERY_S_MIN = 1.0
_ABSENT = msgspec.Raw(b"")


class Wish(NamedTuple):
    """INIT_FIELD_LIST: from now on these fields, after what the client lacks. `history_s` is seconds back from now."""

    fields: FieldList
    since: int | None = None
    history_s: float | None = None
    last: bool = False
    ack: bool = False

    @property
    def resumes(self) -> bool:
        """Whether the client first gets what it lacks, and is told of what it does not get."""
        return self.since is not None or self.history_s is not None


class Change(NamedTuple):
    """ADD_FIELDS or REMOVE_FIELDS."""

    entries: tuple[str, ...]
    add: bool
    ack: bool = False


class AskStatus(NamedTuple):
    """STATUS: once (None), every so many seconds, or no more (0)."""

    every_s: float | None = None


class _Message(msgspec.Struct):
    type: str
    payload: list[str] | None = None
    stats: list[str] | None = None
    since: msgspec.Raw = _ABSENT
    history: msgspec.Raw = _ABSENT
    last: msgspec.Raw = _ABSENT
    max_hz: msgspec.Raw = _ABSENT
    on_change: msgspec.Raw = _ABSENT
    ack: msgspec.Raw = _ABSENT
    every_s: msgspec.Raw = _ABSENT


class _Option(Generic[T]):
    """An option's own type and range, and how to say them."""

    def __init__(self, name: str, kind: object, wanted: str) -> None:
        self._name = name
        self._wanted = wanted
        self._json = msgspec.json.Decoder(kind)
        self._msgpack = msgspec.msgpack.Decoder(kind)

    def read(self, raw: msgspec.Raw, is_msgpack: bool) -> T | None:
        """Its value, None where it is not given or null. Raises Refused."""
        if raw == _ABSENT:
            return None
        try:
            value: T | None = (self._msgpack if is_msgpack else self._json).decode(raw)
        except (ValueError, RecursionError) as e:
            self.refuse(e)
        return value

    def refuse(self, why: object) -> NoReturn:
        """Say what is wrong with it, and what it may be."""
        raise Refused("bad_option", f"{self._name} is to be {self._wanted}: {why}")


_read_json = msgspec.json.Decoder(_Message)
_read_msgpack = msgspec.msgpack.Decoder(_Message)

_since: _Option[int] = _Option(
    "since", Annotated[int, Meta(ge=0, le=2**63 - 1)] | None, "the seq of a sample, an integer of 0 or more"
)
_history: _Option[float] = _Option("history", Annotated[float, Meta(gt=0)] | None, "seconds, more than 0")
_last: _Option[bool] = _Option("last", bool | None, "true or false")
_max_hz: _Option[float] = _Option(
    "max_hz", Annotated[float, Meta(ge=0.01, le=100)] | None, "messages a second, 0.01 to 100"
)
_on_change: _Option[bool] = _Option("on_change", bool | None, "true or false")
_ack: _Option[bool] = _Option("ack", bool | None, "true or false")
_every_s: _Option[float] = _Option(
    "every_s", Annotated[float, Meta(ge=0, le=3600)] | None, "seconds, 1 to 3600, or 0 to end it"
)


def read_message(
    data: str | bytes, msgpack: bool, resume_s_max: float, fields_max: int = ENTRIES_MAX
) -> Wish | Change | AskStatus:
    """A client's message: `data` is str for a text frame, bytes (MessagePack) for a binary one, which only `msgpack`
    allows. `resume_s_max` limits `history`, `fields_max` a list's entries. Raises Refused, and nothing else.
    """
    is_msgpack = isinstance(data, bytes)
    if is_msgpack and not msgpack:
        raise Refused("bad_message", "a message must be text: only the subprotocol duco.msgpack has binary ones")
    try:
        read = _read_msgpack.decode(data) if isinstance(data, bytes) else _read_json.decode(data)
    except (ValueError, RecursionError) as e:
        raise Refused("bad_message", f"not a message of this service: {e}") from e
    if read.type not in _TYPES:
        raise Refused("unknown_type", f"type {read.type[:_SHOWN_CHARACTERS]!r} is not one of {', '.join(_TYPES)}")
    if read.type == "STATUS":
        return _ask_status(read, is_msgpack)
    if read.payload is None:
        raise Refused("bad_fields", f"{read.type} needs a payload of at most {fields_max} field names")
    check_length(read.payload, fields_max)
    ack = bool(_ack.read(read.ack, is_msgpack))
    if read.type == "INIT_FIELD_LIST":
        return _wish(read, read.payload, is_msgpack, resume_s_max)._replace(ack=ack)
    return Change(tuple(read.payload), read.type == "ADD_FIELDS", ack)


def _ask_status(read: _Message, is_msgpack: bool) -> AskStatus:
    every_s = _every_s.read(read.every_s, is_msgpack)
    if every_s is not None and 0 < every_s < _EVERY_S_MIN:
        _every_s.refuse(f"{every_s} is less than {_EVERY_S_MIN:g}")
    return AskStatus(every_s)


def _wish(read: _Message, payload: Sequence[str], is_msgpack: bool, resume_s_max: float) -> Wish:
    for name in read.stats or ():
        if name not in (*STATS, "last"):
            shown = name[:_SHOWN_CHARACTERS]
            raise Refused("bad_stats", f"stats {shown!r} is not one of last, {', '.join(STATS)}")
    history_s = _history.read(read.history, is_msgpack)
    if history_s is not None and history_s > resume_s_max:
        _history.refuse(f"{history_s:g} is over {resume_s_max:g}, the limit of this server")
    max_hz = _max_hz.read(read.max_hz, is_msgpack)
    on_change = bool(_on_change.read(read.on_change, is_msgpack))
    fields = field_list(payload, read.stats or (), max_hz, on_change)
    return Wish(fields, _since.read(read.since, is_msgpack), history_s, bool(_last.read(read.last, is_msgpack)))


def gap_text(from_seq: int | None, to_seq: int, reason: str) -> bytes:
    """GAP: the samples between, both included, that do not come in order."""
    return msgspec.json.encode({"type": "GAP", "from": from_seq, "to": to_seq, "reason": reason})


def ack_text(fields: Sequence[str], unknown: Sequence[str]) -> bytes:
    """ACK: the list as it is now, and its entries that no known field matches."""
    return msgspec.json.encode({"type": "ACK", "payload": {"fields": fields, "unknown": unknown}})


def last_known_text(
    values: Mapping[str, tuple[bytes, int]], ts_ms: int | None, seq: int | None, age_ms: int | None
) -> bytes:
    """LAST_KNOWN: of each field its JSON text and time in ms; the newest sample's time, position and age."""
    payload = {name: msgspec.Raw(value) for name, (value, _) in values.items()}
    message = {"type": "LAST_KNOWN", "payload": payload, "ts": ts_ms, "seq": seq, "age_ms": age_ms}
    earlier = {name: of_ms for name, (_, of_ms) in values.items() if of_ms != ts_ms}
    return msgspec.json.encode(message | {"ts_of": earlier} if earlier else message)


def error_text(code: str, message: str) -> bytes:
    """ERROR, at most 500 characters of it; the message may quote anything."""
    shown = message[:_MESSAGE_CHARACTERS_MAX].encode("utf-8", "replace").decode()
    return msgspec.json.encode({"type": "ERROR", "payload": {"code": code, "message": shown}})


def status_text(payload: Mapping[str, object]) -> bytes:
    """STATUS: its keys are those of docs/live.md."""
    return msgspec.json.encode({"type": "STATUS", "payload": payload})
