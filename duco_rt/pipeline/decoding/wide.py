"""Signals that no 8-byte window holds, out of many frames: 58 to 64 bits across 9 bytes, and longer ones. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from duco_rt.pipeline.decoding.bits import Data, Values, Words, bytes_of, floats_of, left_of, window_byte, words_of
from duco_rt.pipeline.decoding.described import DescribedSignal
from duco_rt.pipeline.decoding.signals import SignalPlan, top_of

_PIECE_BITS = 32
_UNSIGNED_BITS_MAX = 63
"""Up to here a number fits int64, which becomes a float faster than uint64 does; one of 64 bits is read as wide."""


class Piece(NamedTuple):
    """Up to 32 bits of a signal in the window from `byte` on."""

    byte: int
    left: np.uint64
    right: np.uint64


class Wide(NamedTuple):
    """A signal as pieces from the lowest bit up, for `row` of a block.

    With `limited` its two highest raw values, but for `states`, are no value.
    """

    row: int
    signal: DescribedSignal
    pieces: tuple[Piece, ...]
    limited: bool
    states: frozenset[int]

    def decode(self, data: Data) -> Values:
        """The unscaled values (n,): exact up to 64 bits, to the precision of a float beyond; NaN for none."""
        big = not self.signal.intel
        parts = [(words_of(data, p.byte, big) << p.left) >> p.right for p in self.pieces]
        found = _number(parts, self.signal) if self.signal.length <= 64 else _longer(parts, self.signal)
        if self.limited:
            found[_lacking(parts, self)] = np.nan
        return found


def is_wide(signal: DescribedSignal) -> bool:
    """Whether it has to be read in pieces."""
    first, last = bytes_of(signal)
    return last - first >= 8 or (signal.length > _UNSIGNED_BITS_MAX and not signal.signed and not signal.is_float)


def compile_wide(s: SignalPlan, row: int, length_bytes: int) -> Wide:
    """Cut into pieces from the lowest bit up."""
    signal, pieces = s.signal, []
    for low in range(0, signal.length, _PIECE_BITS):
        bits = min(_PIECE_BITS, signal.length - low)
        if signal.intel:
            start = signal.start + low
        else:
            top = top_of(signal) + signal.length - low - bits
            start = 8 * (top // 8) + 7 - top % 8
        part = DescribedSignal("", start, bits, signal.intel)
        byte = window_byte(part, length_bytes)
        pieces.append(Piece(byte, np.uint64(left_of(part, byte)), np.uint64(64 - bits)))
    return Wide(row, signal, tuple(pieces), s.limit is not None, s.states)


def _lacking(parts: Sequence[Words], wide: Wide) -> NDArray[np.bool_]:
    """Where it has one of its two highest raw values, which no state of that signal's database names."""
    ones = [np.uint64((1 << bits) - 1) for bits in (*[_PIECE_BITS] * (len(parts) - 1), _top_bits(wide.signal))]
    lacking = parts[0] >= ones[0] - np.uint64(1)
    for part, full in zip(parts[1:], ones[1:], strict=True):
        lacking &= part == full
    for state in wide.states:
        lacking &= parts[0] != np.uint64(state & 0xFFFF_FFFF)
    return lacking


def _top_bits(signal: DescribedSignal) -> int:
    """How many bits the last piece has."""
    return (signal.length - 1) % _PIECE_BITS + 1


def _number(parts: Sequence[Words], signal: DescribedSignal) -> Values:
    raw = parts[0]
    for i, part in enumerate(parts[1:], 1):
        raw = raw | part << np.uint64(i * _PIECE_BITS)
    if signal.is_float:
        return floats_of(raw, signal.length)
    if not signal.signed:
        return raw.astype(np.float64)
    up = 64 - signal.length
    numbers: Values = ((raw << np.uint64(up)).view(np.int64) >> np.int64(up)).astype(np.float64)
    return numbers


def _longer(parts: Sequence[Words], signal: DescribedSignal) -> Values:
    """Over 64 bits: a negative number by its inverse, so that small ones keep their digits."""
    top_bits = _top_bits(signal)
    negative = (parts[-1] >> np.uint64(top_bits - 1) == 1) & signal.signed
    total = np.zeros(len(parts[0]))
    for i, part in enumerate(parts):
        bits = top_bits if i == len(parts) - 1 else _PIECE_BITS
        flipped = part ^ np.where(negative, np.uint64((1 << bits) - 1), np.uint64(0))
        total += flipped.astype(np.float64) * 2.0 ** (i * _PIECE_BITS)
    return np.where(negative, -total - 1, total)
