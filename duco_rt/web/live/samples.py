"""A live message, read once: its position, its times, and the JSON text of each value. Pure.

Values are never decoded: their text goes through to viewers as the publisher wrote it.
"""

from __future__ import annotations

from typing import Annotated, NamedTuple

import msgspec

from duco_rt.errors import BadBody

UNKNOWN = msgspec.Raw(b"null")
"""What a publisher does not say. A value that is equal to it counts as absent."""

Spans = dict[str, tuple[msgspec.Raw, msgspec.Raw, msgspec.Raw]]
"""Lowest, highest and number of values, by field."""

Int64 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
"""What the store and MessagePack can hold."""

_DIGITS_MAX = 16


class _Message(msgspec.Struct):
    payload: dict[str, msgspec.Raw]
    ts: Int64 | None = None
    seq: Int64 | None = None
    received: msgspec.Raw = UNKNOWN
    stats: msgspec.Raw = UNKNOWN


_read = msgspec.json.Decoder(_Message)
_read_spans = msgspec.json.Decoder(Spans | None)


class Sample(NamedTuple):
    """A live message: the JSON text of each value, `ts` in ms, `seq` where it has one, when the ingestor got it, and
    the text of its spans.

    `stats` is null where the publisher does not say; it is read when a viewer asks for it.
    """

    payload: dict[str, msgspec.Raw]
    ts_ms: int
    seq: int | None
    received_ms: int | None = None
    stats: msgspec.Raw = UNKNOWN

    def spans(self) -> Spans | None:
        """Lowest, highest and number of values of fields with several; None where they are not known."""
        try:
            found: Spans | None = _read_spans.decode(self.stats)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None  # another publisher's idea of stats
        return found


def read_sample(message: bytes, received_ms: int) -> Sample:
    """Read a live message; without `ts` it gets `received_ms`. Raises BadBody where it is none.

    The sample's own `received_ms` is what the publisher says, None where it says nothing or no time.
    """
    try:
        read = _read.decode(message)
        if not message.isascii():
            message.decode()  # raw values are not looked at, and a text frame must be UTF-8
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
        raise BadBody(f"live message: {e}") from e
    received = bytes(read.received)
    is_time = received.isdigit() and len(received) <= _DIGITS_MAX
    ts_ms = received_ms if read.ts is None else read.ts
    return Sample(read.payload, ts_ms, read.seq, int(received) if is_time else None, read.stats)
