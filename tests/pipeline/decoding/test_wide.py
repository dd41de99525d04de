"""Signals that no window of eight bytes holds."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from duco_rt.pipeline.decoding.described import DescribedSignal
from duco_rt.pipeline.decoding.signals import compile_signal
from duco_rt.pipeline.decoding.wide import compile_wide, is_wide
from tests.databases import put_raw


def of(length: int, first: int = 0, *, intel: bool = True, signed: bool = False, **more: object) -> DescribedSignal:
    """A signal whose first bit in the frame is `first`."""
    start = first if intel else first ^ 7
    return DescribedSignal("s", start, length, intel, signed, **more)  # type: ignore[arg-type]  # choices, is_float


WIDE: dict[str, tuple[DescribedSignal, bool]] = {
    "57 bits in 8 bytes": (of(57, 7), False),
    "58 bits in 9 bytes": (of(58, 7), True),
    "64 bits": (of(64), True),
    "64 bits, signed": (of(64, signed=True), False),
    "64 bits, float": (of(64, is_float=True), False),
    "64 bits, float in 9 bytes": (of(64, 1, is_float=True), True),
    "63 bits": (of(63), False),
    "65 bits": (of(65, signed=True), True),
}


@pytest.mark.parametrize("case", WIDE)
@pytest.mark.parametrize("intel", [True, False])
def test_what_is_wide(case: str, intel: bool) -> None:
    """What reaches into a ninth byte, and what int64 does not hold."""
    signal, found = WIDE[case]
    start = signal.start if intel else signal.start ^ 7
    assert is_wide(DescribedSignal("s", start, signal.length, intel, signal.signed, signal.is_float)) == found


def values(signal: DescribedSignal, raws: list[int], length: int, *, group: bool = False) -> list[float]:
    """What is read of frames with these raw values between ones and zeros."""
    wide = compile_wide(compile_signal(signal, "s", length, group), 0, length)
    frames = [bytearray([0xA5]) * length for _ in raws]
    for frame, raw in zip(frames, raws, strict=True):
        put_raw(frame, signal, raw)
    found = wide.decode(np.frombuffer(b"".join(frames), np.uint8).reshape(len(raws), length))
    return [float(value) for value in found]


@given(st.integers(57, 512), st.integers(0, 7), st.booleans(), st.booleans(), st.data())
def test_whole_numbers(bits: int, shift: int, intel: bool, signed: bool, data: st.DataObject) -> None:
    """As Python has them: the nearest float to 64 bits, and to 15 digits beyond; small negative ones too."""
    top = 1 << bits
    raws = [*data.draw(st.lists(st.integers(0, top - 1), max_size=3)), 0, 1, top - 1, top - 2, top >> 1, (top >> 1) - 1]
    numbers = [raw - top if signed and raw >= top >> 1 else raw for raw in raws]
    found = values(of(bits, shift, intel=intel, signed=signed), raws, (bits + shift + 7) // 8 + 1)
    for mine, wanted in zip(found, numbers, strict=True):
        assert mine == float(wanted) if bits <= 64 else math.isclose(mine, wanted, rel_tol=1e-15)


@pytest.mark.parametrize("bits", [58, 64, 65, 96, 100])
@pytest.mark.parametrize("intel", [True, False])
def test_two_raw_values_are_none_in_a_group(bits: int, intel: bool) -> None:
    """ "Error" and "not available", unless the database names a state; a signed one has neither."""
    top = (1 << bits) - 1
    raws, length = [top, top - 1, top - 2, 0, 0xFFFF_FFFF, top ^ 0xFFFF_FFFF], bits // 8 + 2
    found = values(of(bits, 3, intel=intel), raws, length, group=True)
    assert [math.isnan(value) for value in found] == [True, True, *[False] * 4]
    assert not any(map(math.isnan, values(of(bits, 3, intel=intel), raws, length)))
    assert not any(map(math.isnan, values(of(bits, 3, intel=intel, signed=True), raws, length, group=True)))
    if bits <= 64:
        named = of(bits, 3, intel=intel, choices={top - 1: "Other", top: "Not available"})
        found = values(named, raws, length, group=True)
        assert [math.isnan(value) for value in found] == [True, *[False] * 5]


@pytest.mark.parametrize("intel", [True, False])
def test_floats_across_nine_bytes(intel: bool) -> None:
    """As they are, infinity and NaN too: whoever scales leaves them out."""
    raws = [0x3FF8 << 48, 0x7FF << 52, 0xFFF8 << 48]
    found = values(of(64, 5, intel=intel, is_float=True), raws, 9)
    assert found[:2] == [1.5, math.inf] and math.isnan(found[2])
