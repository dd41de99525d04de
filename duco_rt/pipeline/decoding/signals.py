"""Pick signals out of a frame's bits. Pure; the conversion of each signal is chosen once, when it is compiled.

A frame's data is read as one integer twice, little-endian (`intel`) and big-endian (`motorola`); a signal is a
shift and a mask on one of them:

```
Intel    start = its lowest bit, counted from bit 0 of byte 0 upwards            intel >> start
Motorola start = its highest bit; in `motorola` byte 0 is the top byte           motorola >> (8*n - p - length)
         p = 8 * (start // 8) + 7 - start % 8, counted from the top bit
```
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import NamedTuple

from cantools.database.can import Signal

from duco_rt.pipeline.decoding import j1939

_FLOATS = {16: ("<e", 2), 32: ("<f", 4), 64: ("<d", 8)}


class SignalPlan(NamedTuple):
    """How to read one signal. `read(intel, motorola)` gives the physical value, None where J1939 has none."""

    field: str
    read: Callable[[int, int], float | int | None]


def compile_signal(signal: Signal, field: str, length_bytes: int, j1939_group: bool) -> SignalPlan:
    """The plan of a signal in a message of `length_bytes`."""
    mask = (1 << signal.length) - 1
    intel = signal.byte_order == "little_endian"
    if intel:
        shift = signal.start
    else:
        top = 8 * (signal.start // 8) + 7 - signal.start % 8
        shift = 8 * length_bytes - top - signal.length
    to_number = _number(signal)
    limit = _limit(signal) if j1939_group else None
    if limit is None:
        if intel:
            return SignalPlan(field, lambda lo, hi: to_number((lo >> shift) & mask))
        return SignalPlan(field, lambda lo, hi: to_number((hi >> shift) & mask))
    states = _states(signal, limit)

    def read(lo: int, hi: int) -> float | int | None:
        raw = ((lo if intel else hi) >> shift) & mask
        return None if raw >= limit and raw not in states else to_number(raw)

    return SignalPlan(field, read)


def raw_reader(signal: Signal, length_bytes: int) -> Callable[[int, int], int]:
    """The raw number of a multiplexer signal."""
    mask = (1 << signal.length) - 1
    if signal.byte_order == "little_endian":
        return lambda lo, hi: (lo >> signal.start) & mask
    shift = 8 * length_bytes - (8 * (signal.start // 8) + 7 - signal.start % 8) - signal.length
    return lambda lo, hi: (hi >> shift) & mask


def _limit(signal: Signal) -> int | None:
    """First raw value without a value; signed and float signals use their whole range."""
    if signal.is_signed or signal.is_float:
        return None
    return j1939.value_limit(signal.length)


def _states(signal: Signal, limit: int) -> frozenset[int]:
    """Raw values past the limit that the database names as states of their own."""
    choices: dict[int, object] = {**(signal.choices or {})}
    return frozenset(int(raw) for raw, name in choices.items() if raw >= limit and j1939.names_a_value(str(name)))


def _number(signal: Signal) -> Callable[[int], float | int]:
    """From raw bits to the physical value, in cantools' own arithmetic: raw * scale + offset."""
    scale, offset = signal.conversion.scale, signal.conversion.offset
    unscaled = scale == 1 and offset == 0
    if signal.is_float:
        code, size = _FLOATS[signal.length]
        unpack = struct.Struct(code).unpack
        if unscaled:
            return lambda raw: float(unpack(raw.to_bytes(size, "little"))[0])
        return lambda raw: float(unpack(raw.to_bytes(size, "little"))[0] * scale + offset)
    if signal.is_signed:
        sign = 1 << (signal.length - 1)
        if unscaled:
            return lambda raw: (raw ^ sign) - sign
        return lambda raw: ((raw ^ sign) - sign) * scale + offset
    if unscaled:
        return lambda raw: raw
    return lambda raw: raw * scale + offset
