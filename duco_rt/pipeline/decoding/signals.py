"""Pick one signal out of one frame's bits. Pure; the conversion of each signal is chosen once, when it is compiled.

A frame's data is read as one integer, little-endian for Intel signals and big-endian for Motorola ones; a signal is a
shift and a mask on it:

```
Intel    start = its lowest bit, counted from bit 0 of byte 0 upwards            word >> start
Motorola start = its highest bit; byte 0 is the top byte of the word             word >> (8*n - top - length)
         top = 8 * (start // 8) + 7 - start % 8, counted from the top bit
```
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import NamedTuple

from duco_rt.pipeline.decoding import j1939
from duco_rt.pipeline.decoding.described import DescribedSignal, Number

_FLOATS = {16: ("<e", 2), 32: ("<f", 4), 64: ("<d", 8)}

Read = Callable[[int], Number | None]
"""From a frame's word to the physical value; None where J1939 has none."""


class SignalPlan(NamedTuple):
    """How to read one signal of a message and which field it is."""

    signal: DescribedSignal
    field: str
    read: Read
    limit: int | None
    states: frozenset[int]

    @property
    def may_lack(self) -> bool:
        """Whether a frame may have no (finite) value of it."""
        return self.limit is not None or self.signal.is_float


def top_of(signal: DescribedSignal) -> int:
    """The highest bit of a Motorola signal, counted from the top bit of byte 0."""
    return 8 * (signal.start // 8) + 7 - signal.start % 8


def compile_signal(signal: DescribedSignal, field: str, length_bytes: int, j1939_group: bool) -> SignalPlan:
    """The plan of a signal in a message of `length_bytes`."""
    limit = _limit(signal) if j1939_group else None
    states = frozenset[int]() if limit is None else _states(signal, limit)
    shift, mask = _shift(signal, length_bytes), (1 << signal.length) - 1
    if limit is None:
        return SignalPlan(field=field, signal=signal, read=_reader(signal, shift, mask), limit=None, states=states)
    scale, offset = signal.scale, signal.offset
    unscaled, first = scale == 1 and offset == 0, limit

    def read(word: int) -> Number | None:
        raw = word >> shift & mask
        if raw >= first and raw not in states:
            return None
        return raw if unscaled else raw * scale + offset

    return SignalPlan(signal, field, read, limit, states)


def raw_reader(signal: DescribedSignal, length_bytes: int) -> Callable[[int], int]:
    """The raw number of a multiplexer signal."""
    shift, mask = _shift(signal, length_bytes), (1 << signal.length) - 1
    return lambda word: word >> shift & mask


def _shift(signal: DescribedSignal, length_bytes: int) -> int:
    return signal.start if signal.intel else 8 * length_bytes - top_of(signal) - signal.length


def _limit(signal: DescribedSignal) -> int | None:
    """First raw value without a value; signed and float signals use their whole range."""
    return None if signal.signed or signal.is_float else j1939.value_limit(signal.length)


def _states(signal: DescribedSignal, limit: int) -> frozenset[int]:
    """Raw values past the limit that the database names as states of their own."""
    return frozenset(raw for raw, name in signal.choices.items() if raw >= limit and j1939.names_a_value(name))


def _reader(signal: DescribedSignal, shift: int, mask: int) -> Read:
    """From the word to the physical value, in cantools' own arithmetic: raw * scale + offset."""
    scale, offset = signal.scale, signal.offset
    unscaled = scale == 1 and offset == 0
    if signal.is_float:
        code, size = _FLOATS[signal.length]
        unpack = struct.Struct(code).unpack
        if unscaled:
            return lambda word: float(unpack((word >> shift & mask).to_bytes(size, "little"))[0])
        return lambda word: float(unpack((word >> shift & mask).to_bytes(size, "little"))[0] * scale + offset)
    if signal.signed:
        sign = 1 << (signal.length - 1)
        if unscaled:
            return lambda word: ((word >> shift & mask) ^ sign) - sign
        return lambda word: (((word >> shift & mask) ^ sign) - sign) * scale + offset
    if unscaled:
        return lambda word: word >> shift & mask
    return lambda word: (word >> shift & mask) * scale + offset
