"""What `parsing-health` answers, for the API's description alone. Pure."""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType


class UnknownId(Struct):
    """Frames that no database describes; pgn and source of 29-bit ids alone."""

    channel: str
    id: int
    extended: bool
    count: int
    rate_hz: float
    lengths: list[int]
    pgn: int | UnsetType = UNSET
    source: int | UnsetType = UNSET


class OffLength(Struct):
    """A message that came with another length than its database says, in bytes."""

    message: str
    channel: str
    id: int
    extended: bool
    length: int
    needed: int
    count: int
    rate_hz: float


class OutOfRange(Struct):
    """A field with values outside of its database's range."""

    field: str
    count: int
    lowest: float
    highest: float
    min: float | None
    max: float | None


class NoValue(Struct):
    """A field whose frames came, never with a value."""

    field: str
    count: int


class ParsingName(Struct):
    """A version of a parsing."""

    name: str
    version: int


class ParsingHealthReport(Struct, rename={"from_": "from"}):
    """How a device's parsing fits what it sent in the range; docs/formats.md says what each number is."""

    from_: int
    to: int
    parsing: ParsingName | None
    seconds: int
    frames: int
    decoded: int
    pieces: int
    unknown: list[UnknownId]
    unknown_total: int
    short: list[OffLength]
    long: list[OffLength]
    error_frames: int
    remote_frames: int
    out_of_range: list[OutOfRange]
    no_value: list[NoValue]
    never_seen: list[str]
    multipacket: dict[str, int]
    unread: int
