"""Frames of one stream as arrays, and messages that were put together from several frames. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from duco_rt.body import CanSecond, Stream, StreamKey


class Rows(NamedTuple):
    """Frames that share channel, id, flags and length, in order of arrival.

    `times_us` (n,) Unix µs, int64; `data` (n, length) uint8. `stream.count` is n. A message of several frames is a
    row like any other: the id says who sent it (priority, group, source), its time is that of its last frame, and
    `stream.length` is its size, up to 1785 bytes.
    """

    stream: Stream
    times_us: NDArray[np.int64]
    data: NDArray[np.uint8]


def rows_of(seconds: Iterable[CanSecond]) -> list[Rows]:
    """The frames of seconds, which are in order, by stream."""
    chunks: dict[StreamKey, tuple[list[NDArray[np.int64]], list[memoryview]]] = {}
    for second in seconds:
        base_us = second.ts_ms * 1000
        times_us = second.times_us.astype(np.int64) + base_us
        row, byte, data = 0, 0, memoryview(second.data)
        for stream in second.streams:
            row_end, byte_end = row + stream.count, byte + stream.count * stream.length
            held = chunks.get(stream[:5])
            if held is None:
                held = chunks[stream[:5]] = [], []
            held[0].append(times_us[row:row_end])
            held[1].append(data[byte:byte_end])
            row, byte = row_end, byte_end
    return [_rows(key, times, data) for key, (times, data) in chunks.items()]


def _rows(key: StreamKey, times: list[NDArray[np.int64]], data: list[memoryview]) -> Rows:
    times_us = times[0] if len(times) == 1 else np.concatenate(times)
    joined = data[0] if len(data) == 1 else b"".join(data)
    n, length = len(times_us), key[4]
    return Rows(Stream(*key, n), times_us, np.frombuffer(joined, np.uint8).reshape(n, length))
