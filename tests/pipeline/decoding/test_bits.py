"""Windows of eight bytes out of many frames."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from duco_rt.pipeline.decoding.bits import bytes_of, floats_of, frozen, left_of, window_byte, words_of
from duco_rt.pipeline.decoding.described import DescribedSignal


def of(start: int, length: int, intel: bool = True) -> DescribedSignal:
    """A signal at that place."""
    return DescribedSignal("s", start, length, intel)


PLACES: dict[str, tuple[DescribedSignal, tuple[int, int]]] = {
    "a byte": (of(8, 8), (1, 1)),
    "across two": (of(4, 8), (0, 1)),
    "across nine": (of(7, 64), (0, 8)),
    "one bit": (of(63, 1), (7, 7)),
    "Motorola byte": (of(15, 8, False), (1, 1)),
    "Motorola across two": (of(3, 8, False), (0, 1)),
    "Motorola across nine": (of(0, 64, False), (0, 8)),
    "Motorola's last bit": (of(56, 1, False), (7, 7)),
}


@pytest.mark.parametrize("case", PLACES)
def test_bytes_of_a_signal(case: str) -> None:
    """First and last."""
    signal, found = PLACES[case]
    assert bytes_of(signal) == found


@pytest.mark.parametrize(("length", "byte"), [(0, 0), (5, 0), (8, 0), (9, 1), (12, 4), (64, 5)])
def test_a_window_does_not_reach_past_the_end(length: int, byte: int) -> None:
    """It begins earlier instead."""
    assert window_byte(of(40, 8), length) == byte


@given(st.integers(1, 20), st.integers(0, 3), st.data())
def test_a_number_out_of_a_window(length: int, n: int, data: st.DataObject) -> None:
    """`(word << left) >> (64 - length)` is the signal, of frames of any length, none of them too."""
    bits = data.draw(st.integers(1, min(57, 8 * length)))
    first = data.draw(st.integers(0, 8 * length - bits))
    intel = data.draw(st.booleans())
    signal = of(first if intel else first ^ 7, bits, intel)
    frames = data.draw(st.lists(st.binary(min_size=length, max_size=length), min_size=n, max_size=n))
    byte = window_byte(signal, length)
    words = words_of(np.frombuffer(b"".join(frames), np.uint8).reshape(n, length), byte, not intel)
    found = words << np.uint64(left_of(signal, byte)) >> np.uint64(64 - bits)
    down = first if intel else 8 * length - first - bits
    order = "little" if intel else "big"
    numbers = [int.from_bytes(frame, "little" if order == "little" else "big") for frame in frames]
    assert found.tolist() == [number >> down & (1 << bits) - 1 for number in numbers]


@pytest.mark.parametrize(
    ("bits", "raw", "value"), [(16, 0x3E00, 1.5), (32, 0xBFC0_0000, -1.5), (64, 0x7FF << 52, np.inf)]
)
def test_floats(bits: int, raw: int, value: float) -> None:
    """IEEE 754 of each length."""
    assert floats_of(np.array([raw, 0], np.uint64), bits).tolist() == [value, 0.0]


def test_frozen() -> None:
    """It is the same array, read-only from now on."""
    array = np.zeros(2)
    assert frozen(array) is array
    with pytest.raises(ValueError, match="read-only"):
        array[0] = 1
