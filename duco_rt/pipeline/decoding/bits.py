"""The bits of many frames: 8-byte windows, and where a signal lies in them. Pure.

A window is 8 bytes of every frame read as one integer (`big` for Motorola). A signal of `length` bits that lies
`left` bits below the window's top is

```
(word << left) >> (64 - length)        unsigned: a logical shift; signed: an arithmetic one
```
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from duco_rt.pipeline.decoding.described import DescribedSignal
from duco_rt.pipeline.decoding.signals import top_of

Data = NDArray[np.uint8]
"""Frames (n, bytes)."""

Values = NDArray[np.float64]
Words = NDArray[np.uint64]

_FLOATS = {16: np.float16, 32: np.float32, 64: np.float64}


def bytes_of(signal: DescribedSignal) -> tuple[int, int]:
    """The first and the last byte that hold a bit of it."""
    first = signal.start if signal.intel else top_of(signal)
    return first // 8, (first + signal.length - 1) // 8


def window_byte(signal: DescribedSignal, length_bytes: int) -> int:
    """Where its window begins in a message of `length_bytes`: at its first byte, but not past the end."""
    return min(bytes_of(signal)[0], max(0, length_bytes - 8))


def left_of(signal: DescribedSignal, byte: int) -> int:
    """How many bits of the window from `byte` on are above the signal."""
    if signal.intel:
        return 64 - (signal.start - 8 * byte) - signal.length
    return top_of(signal) - 8 * byte


def words_of(data: Data, byte: int, big: bool) -> Words:
    """8 bytes of every frame from `byte` on, shorter frames filled with zeros."""
    n, length = data.shape
    if length == 8:
        window = data
    elif length < 8:
        window = np.zeros((n, 8), np.uint8)
        window[:, :length] = data
    else:
        window = np.ascontiguousarray(data[:, byte : byte + 8])
    words: Words = window.view("<u8").reshape(n)
    return words.byteswap() if big else words


def floats_of(raw: Words, bits: int) -> Values:
    """The floats that raw numbers of so many bits are."""
    if bits == 64:
        return raw.view(np.float64)
    return raw.astype(np.uint32 if bits == 32 else np.uint16).view(_FLOATS[bits]).astype(np.float64)


def frozen(array: NDArray[Any]) -> NDArray[Any]:
    """The array, which nobody can change from now on."""
    array.setflags(write=False)
    return array
