"""Pick signals out of many frames at once: shifts on 8-byte windows of the data, a row a signal. Pure.

Signals of one window (`bits`) are one matrix operation, signals × frames, with no mask and no step per frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from duco_rt.pipeline.decoding.bits import (
    Data,
    Values,
    Words,
    bytes_of,
    floats_of,
    frozen,
    left_of,
    window_byte,
    words_of,
)
from duco_rt.pipeline.decoding.signals import SignalPlan
from duco_rt.pipeline.decoding.wide import Wide, compile_wide, is_wide


class Window(NamedTuple):
    """Signals within 8 bytes from `byte` on, at rows `first` to `end` of the block; a float window has one row.

    Rows: those that have raw values which are no value, other unsigned ones, from row `signed` on signed ones.
    `left`, `right`: (rows, 1). Of the first rows `count` raw values from `none` on are no value, both (rows with a
    limit, 1); `states`: pairs of a row and a raw value among these that is a value all the same.
    """

    byte: int
    big: bool
    first: int
    end: int
    left: Words
    right: Words
    signed: int
    none: Words
    count: Words  # type: ignore[assignment]  # nobody asks a tuple for its method of that name
    states: tuple[tuple[int, int], ...]
    float_bits: int = 0


class BlockPlan(NamedTuple):
    """Signals of a message that are read together; `scale` and `offset` (rows, 1), None where none is needed.

    `flat` has the same for `blocks.decode_blocks`: the rows' left, right, sign bit, none, count, byte, whether they are
    big, and the bits of scale and offset (9, rows); None where a signal needs more (float and wide ones, odd states).
    """

    fields: tuple[str, ...]
    windows: tuple[Window, ...]
    wides: tuple[Wide, ...]
    scale: Values | None
    offset: Values | None
    may_lack: bool
    has_big: bool
    has_signed: bool
    flat: NDArray[np.uint64] | None

    def decode(self, data: Data, out: Values | None = None) -> Values:
        """Physical values (rows, n) of frames (n, bytes); NaN where a frame has no (finite) value.

        `out` takes them where it is given: many blocks in one piece of memory cost far less than one each.
        """
        if out is None:
            out = np.empty((len(self.fields), len(data)))
        raw = np.empty(out.shape, np.uint64)
        for window in self.windows:
            first, end = window.first, window.end
            numbers = _raw(words_of(data, window.byte, window.big), window, raw[first:end])
            if self.scale is None:
                out[first:end] = numbers
            else:
                np.multiply(numbers, self.scale[first:end], out=out[first:end])
        for wide in self.wides:
            out[wide.row] = wide.decode(data)
            if self.scale is not None:
                out[wide.row] *= self.scale[wide.row]
        if self.offset is not None:
            out += self.offset
        if self.may_lack:
            for window in self.windows:
                _leave_out(out, raw, window)
            for wide in self.wides:
                if wide.signal.is_float:
                    _leave_out_infinite(out[wide.row])
        return out


def _raw(word: Words, window: Window, raw: Words) -> NDArray[Any]:
    """The raw numbers of a window in `raw` (rows, n)."""
    np.left_shift(word, window.left, out=raw)
    split = window.signed
    if split == len(raw):
        np.right_shift(raw, window.right, out=raw)
    else:
        if split:
            np.right_shift(raw[:split], window.right[:split], out=raw[:split])
        signed = raw[split:].view(np.int64)
        np.right_shift(signed, window.right[split:].view(np.int64), out=signed)
    return floats_of(raw, window.float_bits) if window.float_bits else raw.view(np.int64)


def _leave_out(out: Values, raw: Words, window: Window) -> None:
    """NaN for what is no value."""
    first, limited = window.first, len(window.none)
    if limited:
        lacking = raw[first : first + limited] - window.none < window.count
        for row, state in window.states:
            lacking[row] &= raw[first + row] != state
        np.copyto(out[first : first + limited], np.nan, where=lacking)
    elif window.float_bits:
        _leave_out_infinite(out[first : window.end])


def _leave_out_infinite(values: Values) -> None:
    """NaN for a float's infinity, which a scale may have made."""
    values[~np.isfinite(values)] = np.nan


def compile_block(signals: Sequence[SignalPlan], length_bytes: int) -> BlockPlan:
    """The plan of signals of a message of `length_bytes`."""
    groups: dict[bool, list[SignalPlan]] = {}
    for s in sorted(signals, key=lambda s: bytes_of(s.signal)):
        if not is_wide(s.signal) and not s.signal.is_float:
            groups.setdefault(not s.signal.intel, []).append(s)
    ordered: list[SignalPlan] = []
    windows: list[Window] = []
    for big, members in groups.items():
        for byte, held in _share(members, length_bytes):
            held.sort(key=lambda s: (s.signal.signed, s.limit is None))
            windows.append(_window(held, byte, big, len(ordered)))
            ordered += held
    for s in signals:
        if s.signal.is_float and not is_wide(s.signal):
            byte = window_byte(s.signal, length_bytes)
            windows.append(_window([s], byte, not s.signal.intel, len(ordered), s.signal.length))
            ordered.append(s)
    wides = [s for s in signals if is_wide(s.signal)]
    pieces = tuple(compile_wide(s, len(ordered) + i, length_bytes) for i, s in enumerate(wides))
    ordered += wides
    scale = np.array([[float(s.signal.scale)] for s in ordered]).reshape(-1, 1)
    offset = np.array([[float(s.signal.offset)] for s in ordered]).reshape(-1, 1)
    return BlockPlan(
        tuple(s.field for s in ordered),
        tuple(windows),
        pieces,
        frozen(scale) if (scale != 1).any() else None,
        frozen(offset) if offset.any() else None,
        any(s.may_lack for s in ordered),
        any(window.big for window in windows),
        any(window.signed < window.end - window.first for window in windows),
        _flat(windows, scale, offset) if not wides else None,
    )


def _flat(windows: Sequence[Window], scale: Values, offset: Values) -> NDArray[np.uint64] | None:
    if any(window.float_bits or window.states for window in windows):
        return None
    found = np.zeros((9, len(scale)), np.uint64)
    for window in windows:
        rows = slice(window.first, window.end)
        found[0, rows], found[1, rows] = window.left[:, 0], window.right[:, 0]
        signed = slice(window.first + window.signed, window.end)
        found[2, signed] = np.uint64(1) << (np.uint64(63) - found[1, signed])
        limited = slice(window.first, window.first + len(window.none))
        found[3, limited], found[4, limited] = window.none[:, 0], window.count[:, 0]
        found[5, rows], found[6, rows] = window.byte, window.big
    found[7], found[8] = scale[:, 0].view(np.uint64), offset[:, 0].view(np.uint64)
    return frozen(found)


def _share(signals: Sequence[SignalPlan], length_bytes: int) -> list[tuple[int, list[SignalPlan]]]:
    """Few windows for signals in order of their bytes."""
    found: list[tuple[int, list[SignalPlan]]] = []
    for s in signals:
        if not found or bytes_of(s.signal)[1] >= found[-1][0] + 8:
            found.append((window_byte(s.signal, length_bytes), []))
        found[-1][1].append(s)
    return found


def _window(held: Sequence[SignalPlan], byte: int, big: bool, first: int, float_bits: int = 0) -> Window:
    none = [_none_of(s) for s in held if s.limit is not None]
    return Window(
        byte,
        big,
        first,
        first + len(held),
        _column([left_of(s.signal, byte) for s in held]),
        _column([64 - s.signal.length for s in held]),
        sum(not s.signal.signed or s.signal.is_float for s in held),
        _column([low for low, _, _ in none]),
        _column([count for _, count, _ in none]),
        tuple((row, state) for row, (_, _, states) in enumerate(none) for state in states),
        float_bits,
    )


def _none_of(s: SignalPlan) -> tuple[int, int, list[int]]:
    """The raw values without a value: from which on, how many, and the states among them."""
    low, end = s.limit or 0, 1 << s.signal.length
    states = set(s.states)
    while low in states:
        states.remove(low)
        low += 1
    while end - 1 in states:
        states.remove(end - 1)
        end -= 1
    return low, max(0, end - low), sorted(states)


def _column(values: Sequence[int]) -> Words:
    return frozen(np.array(values, np.uint64).reshape(-1, 1))
