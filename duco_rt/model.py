"""The data that moves through the system. Plain values: no I/O, no clock."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import msgspec

Value = float | int | bool | str
"""A field's value. None and NaN count as absent and are not stored or sent."""

VEHICLE_CAN = "vehicle_can"
CLIENT_RAW_DATA = "client_raw_data"

NAME = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
"""What a tenant, a chassisId, a msgType and a parsing may be called."""


class Span(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What a field did within a second: its lowest and highest value and how many it had. In JSON [min, max, count].

    No tuple, as a second of a full bus makes 640 of them.
    """

    min: float
    max: float
    count: int


Stats = dict[str, Span]
"""The spans of fields that had several values in the second; of the others min = max = last and count = 1."""


class Peer(NamedTuple):
    """Whose data: another tenant's can never match."""

    tenant: str
    chassis_id: str
    msg_type: str

    @property
    def channel(self) -> str:
        """The live channel and stream key."""
        return f"live-stream/{self.tenant}/consumer-{self.chassis_id}/{self.msg_type}"


@dataclass(frozen=True, slots=True)
class HubMessage:
    """One message as the hub hands it on.

    `body` is what the device sent, untouched; `ts_ms` and `seq` are the position of its first second.
    """

    chassis_id: str
    msg_type: str
    realtime: bool
    ts_ms: int
    seq: int
    content_type: str
    content_encoding: str
    body: bytes


@dataclass(frozen=True, slots=True)
class RawMessage:
    """A hub message in the raw log, with what ingest added: its clock, and the device's tenant ("" where unknown)."""

    message: HubMessage
    tenant: str
    received_ms: int


@dataclass(frozen=True, slots=True)
class Sample:
    """The parsed values of one second of one device and message type.

    `ts_ms` is the device's clock at the start of the second; `seq` is None in a message of another
    publisher; `received_ms` is ingest's clock. `payload` has the last value of each field in the second.
    """

    peer: Peer
    ts_ms: int
    seq: int | None
    received_ms: int
    payload: dict[str, Value]
    stats: Stats | None = None


@dataclass(frozen=True, slots=True)
class RawSecond:
    """One row of the raw store: a second (or a part of a large one) as it came in.

    For CAN the four columns of `duco_rt.body` are kept apart (`streams`, `order`, `times`, `data`), so that a
    reader fetches only the bytes of the streams it needs; everything else is kept whole in `body`.
    `tenant` is empty where the device was unknown when the message came in. `parts`: in how many the CAN second came,
    0 where that is not known (older rows).
    """

    peer: Peer
    ts_ms: int
    seq: int
    part: int
    received_ms: int
    realtime: bool
    kind: Literal["can1", "json1", "unread"]
    streams: bytes = b""
    order: bytes = b""
    times: bytes = b""
    data: bytes = b""
    body: bytes = b""
    parts: int = 0


@dataclass(frozen=True, slots=True)
class History:
    """Columns of parsed samples, oldest first; `fields[name][i]` is None where sample i lacks the field.

    `stats`, where it was asked for, has the same fields; None also where the store was not told (older rows, text).
    So has `means`. A row of a range that was thinned stands for a bucket of time.
    """

    from_ms: int
    to_ms: int
    seq: list[int]
    ts: list[int]
    fields: dict[str, list[Value | None]]
    stats: dict[str, SpanColumns] = field(default_factory=dict)
    means: dict[str, MeanColumns] = field(default_factory=dict)


class SpanColumns(NamedTuple):
    """Lowest, highest and number of values of a field, a row a sample."""

    min: list[float | None]
    max: list[float | None]
    count: list[int | None]  # type: ignore[assignment]  # nobody asks a tuple for its method of that name


class MeanColumns(NamedTuple):
    """How many samples of a row have the field as a number, and the mean of their last values, None where none has.

    A bool is 0 or 1. So the mean over several rows is that of theirs, each as often as its `seconds`.
    """

    mean: list[float | None]
    seconds: list[int]


@dataclass(frozen=True, slots=True)
class LastSeen:
    """The newest second of one peer in the store: device clock, ingest clock, position, upload mode.

    `arrived_ms` is when anything came last, which may be an old second out of a spool.
    """

    ts_ms: int
    received_ms: int
    seq: int
    realtime: bool
    arrived_ms: int


@dataclass(frozen=True, slots=True)
class ParsingFile:
    """One database text of a parsing; `bus` None matches every channel; `sources` are kept apart (J1939 addresses)."""

    name: str
    text: str
    bus: str | None = None
    format: str = "dbc"
    sources: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Parsing:
    """One version of a device's parsing logic."""

    name: str
    version: int
    files: tuple[ParsingFile, ...]


@dataclass(frozen=True, slots=True)
class Device:
    """What MetaAPI knows of a device; `parsing` is the name of its parsing, None for none."""

    chassis_id: str
    tenant: str
    name: str
    parsing: str | None = None


@dataclass(frozen=True, slots=True)
class MethodResult:
    """The device's own answer to a direct method."""

    status: int
    payload: dict[str, object] = field(default_factory=dict)


CommandState = Literal["leased", "queued", "sent", "acknowledged", "failed", "expired"]
"""Of one `setRealTimeUpload`.

leased        studio answered it from the lease; nobody sent it
queued        waits for its turn
sent          handed to the hub
acknowledged  the device's own 200; for good
failed        offline, another status, or the transport's error
expired       no answer in time, its turn came too late, or MetaAPI ended meanwhile

queued → sent → acknowledged | failed | expired, and queued → failed | expired. A start that was leased, and a command
that failed or expired, may be tried again: it begins anew as queued or sent.
"""

UNDER_WAY: tuple[CommandState, ...] = ("queued", "sent")
"""Nobody knows yet whether it will act."""

COMMAND_ID_MAX = 128
"""Characters of a commandId and of a viewerId."""


class Command(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    rename={
        "chassis_id": "chassisId",
        "command_id": "commandId",
        "queued_ms": "queued",
        "sent_ms": "sent",
        "answered_ms": "answered",
        "last_beat_ms": "lastBeat",
    },
):
    """A row of the command ledger, and its JSON. Times in Unix ms by the server's clock, None where not.

    `who`: the viewerId, "cron" or "anonymous". `answer`: what the device said; of a leased stop, what studio said.
    `error`: why there is no answer. `beats`: how often the same id came again, the last time at `last_beat_ms`.
    """

    chassis_id: str
    command_id: str
    action: Literal["start", "stop"]
    reason: str
    who: str
    state: CommandState
    queued_ms: int
    sent_ms: int | None = None
    answered_ms: int | None = None
    answer: MethodResult | None = None
    error: str | None = None
    beats: int = 0
    last_beat_ms: int | None = None

    @property
    def is_settled(self) -> bool:
        """Whether it acted: the same id again gets `answer`, and does not act."""
        return self.answer is not None and self.state in ("acknowledged", "leased")
