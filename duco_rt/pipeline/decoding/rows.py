"""Frames of one stream as arrays, and messages that were put together from several frames. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from duco_rt.body import CanSecond, Stream, StreamKey

Reads = Callable[[Stream], bool]
"""Whether somebody reads the frames of a stream."""


class Rows(NamedTuple):
    """Frames that share channel, id, flags and length, in order of arrival.

    `times_us` (n,) Unix µs, int64; `data` (n, length) uint8. `stream.count` is n. A message of several frames is a
    row like any other: the id says who sent it (priority, group, source), its time is that of its last frame, and
    `stream.length` is its size, up to 1785 bytes. What nobody reads has its `stream` alone, and empty arrays.
    """

    stream: Stream
    times_us: NDArray[np.int64]
    data: NDArray[np.uint8]


_NO_TIMES = np.empty(0, np.int64)
_NO_DATA = np.empty((0, 0), np.uint8)


def rows_of(seconds: Sequence[CanSecond], reads: Reads | None = None) -> list[Rows]:
    """The frames of seconds, which are in order, by stream; `reads` None: all are read."""
    if len(seconds) == 1:
        return _rows_of_one(seconds[0], reads)
    places = _Places()
    # No step of Python for a stream of a second: a bus has 70 streams, of which few may be read.
    every = chain.from_iterable([second.streams for second in seconds])
    numbers = np.fromiter(map(places.__getitem__, every), np.intp)
    if not len(numbers):
        return []
    counts = np.array([stream.count for stream in places])[numbers]
    owners = np.array(places.owners)[numbers]
    totals = np.bincount(owners, counts).astype(np.int64).tolist()
    streams = [Stream(*key, n) for key, n in zip(places.by_key, totals, strict=True)]
    return _gather(seconds, streams, [reads is None or reads(stream) for stream in streams], owners, counts)


class _Places(dict[Stream, int]):
    """Streams by number; those that differ in their count alone have one owner, an index of `by_key`."""

    def __init__(self) -> None:
        super().__init__()
        self.owners: list[int] = []
        self.by_key: dict[StreamKey, int] = {}

    def __missing__(self, stream: Stream) -> int:
        self.owners.append(self.by_key.setdefault(stream[:5], len(self.by_key)))
        number = self[stream] = len(self)
        return number


def _rows_of_one(second: CanSecond, reads: Reads | None) -> list[Rows]:
    times_us = second.times_us + np.int64(second.ts_ms * 1000)
    frames = np.frombuffer(second.data, np.uint8)
    found, row, byte = [], 0, 0
    for stream in second.streams:
        _, _, _, _, length, n = stream
        row_end, byte_end = row + n, byte + n * length
        if reads is None or reads(stream):
            found.append(Rows(stream, times_us[row:row_end], frames[byte:byte_end].reshape(n, length)))
        else:
            found.append(Rows(stream, _NO_TIMES, _NO_DATA))
        row, byte = row_end, byte_end
    return found


def _gather(
    seconds: Sequence[CanSecond],
    streams: Sequence[Stream],
    read: Sequence[bool],
    owners: NDArray[np.int64],
    counts: NDArray[np.int64],
) -> list[Rows]:
    """Rows by stream out of pieces, each of an owner (an index of `streams`) and a count, one after the other."""
    pieces = np.flatnonzero(np.array(read)[owners])
    if not len(pieces):
        return [Rows(stream, _NO_TIMES, _NO_DATA) for stream in streams]
    order = pieces[np.argsort(owners[pieces].astype(np.int32), kind="stable")]
    sizes, starts = counts[order], (counts.cumsum() - counts)[order]
    ends = sizes.cumsum()
    # One piece of memory: pages that the system has to find for an array each would take most of the time.
    taken, times_us, frames = np.empty((3, int(ends[-1])), np.int64)
    taken.fill(1)  # every frame's place, by owner: a step of one within a piece, a jump to the next
    taken[0] = starts[0]
    taken[ends[:-1]] = starts[1:] - starts[:-1] - sizes[:-1] + 1
    np.cumsum(taken, out=taken)
    base_us = np.repeat([second.ts_ms * 1000 for second in seconds], [len(second.streams) for second in seconds])
    from_base_us = np.concatenate([second.times_us for second in seconds]).take(taken, mode="clip")
    np.add(from_base_us, np.repeat(base_us[order], sizes), out=times_us)
    data = b"".join([second.data for second in seconds])
    lengths = np.array([stream.length for stream in streams])
    if (lengths == 8).all():
        np.frombuffer(data, np.int64).take(taken, out=frames, mode="clip")
        flat = frames.view(np.uint8)
    else:
        piece_bytes = counts * lengths[owners]
        byte_to = piece_bytes.cumsum()
        places = map(slice, (byte_to - piece_bytes)[order].tolist(), byte_to[order].tolist())
        flat = np.frombuffer(b"".join(map(data.__getitem__, places)), np.uint8)
    found, row, byte = [], 0, 0
    for stream, is_read in zip(streams, read, strict=True):
        if is_read:
            n, length = stream.count, stream.length
            row_end, byte_end = row + n, byte + n * length
            found.append(Rows(stream, times_us[row:row_end], flat[byte:byte_end].reshape(n, length)))
            row, byte = row_end, byte_end
        else:
            found.append(Rows(stream, _NO_TIMES, _NO_DATA))
    return found
