"""What a described database says of a frame, worked out bit by bit, and what cantools says."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import cantools
from cantools.database.can import Database, Message
from cantools.database.errors import DecodeError

from duco_rt.model import ParsingFile
from duco_rt.pipeline.decoding.described import DescribedMessage, DescribedSignal

_FLOATS = {16: ">e", 32: ">f", 64: ">d"}


def database_of(file: ParsingFile) -> Database:
    """A text as cantools reads it."""
    found = cantools.database.load_string(file.text, file.format)
    assert isinstance(found, Database)
    return found


def cantools_values(message: Message, data: bytes) -> dict[str, object] | None:
    """Physical values of a frame, None for a page that the database does not have."""
    try:
        found = message.decode(data, decode_choices=False)
    except (DecodeError, ValueError, OverflowError):  # no page for NaN or infinity either
        return None
    assert isinstance(found, dict)
    return {**found}


def described_values(message: DescribedMessage, data: bytes) -> dict[str, object]:
    """Physical values of a frame by the described text alone."""
    raws = {signal.name: raw_bits(signal, data) for signal in message.signals if signal.selects}

    def is_there(signal: DescribedSignal) -> bool:
        if signal.multiplexer is None:
            return True
        parents = [s for s in message.signals if s.name == signal.multiplexer and s.selects]
        return any(raws[parent.name] in signal.pages and is_there(parent) for parent in parents)

    return {signal.name: physical(signal, data) for signal in message.signals if is_there(signal)}


def raw_bits(signal: DescribedSignal, data: bytes) -> int:
    """The bits of a signal as an unsigned number."""
    return int("".join(str(data[n // 8] >> n % 8 & 1) for n in bits_of(signal)), 2)


def bits_of(signal: DescribedSignal) -> Iterator[int]:
    """Bit numbers as DBC counts them, the highest bit of the signal first."""
    if signal.intel:
        yield from range(signal.start + signal.length - 1, signal.start - 1, -1)
        return
    at = signal.start
    for _ in range(signal.length):
        yield at
        at = at - 1 if at % 8 else at + 15


def physical(signal: DescribedSignal, data: bytes) -> float | int:
    """`raw * scale + offset` as the described arithmetic says it."""
    raw: float | int = raw_bits(signal, data)
    if signal.is_float:
        raw = float(struct.unpack(_FLOATS[signal.length], int(raw).to_bytes(signal.length // 8, "big"))[0])
    elif signal.signed and int(raw) >> signal.length - 1:
        raw -= 1 << signal.length
    return raw if (signal.scale, signal.offset) == (1, 0) else raw * signal.scale + signal.offset
