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
    base_us = np.repeat([second.ts_ms * 1000 for second in seconds], [len(second.streams) for second in seconds])
    pieces = Pieces(list(places.by_key), owners, counts, base_us)
    from_base_us = np.concatenate([second.times_us for second in seconds])
    return gather(pieces, from_base_us, b"".join([second.data for second in seconds]), reads)


class Pieces(NamedTuple):
    """What streams have in each second, one piece after the other, arrays (pieces,).

    `owners`: an index of `keys`; `counts`: frames; `base_us`: what the piece's times count from, Unix µs.
    """

    keys: Sequence[StreamKey]
    owners: NDArray[np.intp]
    counts: NDArray[np.int64]
    base_us: NDArray[np.int64]


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


def gather(pieces: Pieces, times_us: NDArray[np.int32], data: bytes, reads: Reads | None) -> list[Rows]:
    """Rows by stream out of all pieces' times (from their base) and data."""
    keys, owners, counts, base_us = pieces
    totals = np.bincount(owners, counts, len(keys)).astype(np.int64).tolist()
    streams = [Stream(*key, n) for key, n in zip(keys, totals, strict=True)]
    read = [reads is None or reads(stream) for stream in streams]
    chosen = np.flatnonzero(np.array(read)[owners])
    if not len(chosen):
        return [Rows(stream, _NO_TIMES, _NO_DATA) for stream in streams]
    order = chosen[np.argsort(owners[chosen].astype(np.int32), kind="stable")]
    sizes, starts = counts[order], (counts.cumsum() - counts)[order]
    ends = sizes.cumsum()
    # One piece of memory: pages that the system has to find for an array each would take most of the time.
    taken, at_us, frames = np.empty((3, int(ends[-1])), np.int64)
    _steps(taken, starts, sizes, ends, 1)
    np.add(times_us.take(taken, mode="clip"), np.repeat(base_us[order], sizes), out=at_us)
    lengths = np.array([key[4] for key in keys])
    if (lengths == 8).all():
        np.frombuffer(data, np.int64).take(taken, out=frames, mode="clip")
    else:
        piece_bytes = counts * lengths[owners]
        _steps(taken, (piece_bytes.cumsum() - piece_bytes)[order], sizes, ends, lengths[owners[order]])
        padded = data + bytes(8)
        windows = np.ndarray((len(padded) - 7,), "<i8", padded, 0, (1,))  # the 8 bytes from each byte on
        frames[:] = windows[taken]  # more than a frame's bytes where it is shorter, less where it is longer
    return _cut(streams, read, at_us, frames.view(np.uint8).reshape(-1, 8), taken, data)


def _steps(
    out: NDArray[np.int64],
    starts: NDArray[np.int64],
    sizes: NDArray[np.int64],
    ends: NDArray[np.int64],
    step: int | NDArray[np.int64],
) -> None:
    """Every frame's place: a step within a piece, a jump to the next."""
    out[:] = step if isinstance(step, int) else np.repeat(step, sizes)
    out[0] = starts[0]
    out[ends[:-1]] = starts[1:] - starts[:-1] - (sizes[:-1] - 1) * (step if isinstance(step, int) else step[:-1])
    np.cumsum(out, out=out)


def _cut(
    streams: Sequence[Stream],
    read: Sequence[bool],
    at_us: NDArray[np.int64],
    frames: NDArray[np.uint8],
    places: NDArray[np.int64],
    data: bytes,
) -> list[Rows]:
    """Rows by stream: `frames` (n, 8) has the first 8 bytes from each of `places` in `data` on."""
    found, row = [], 0
    for stream, is_read in zip(streams, read, strict=True):
        if not is_read:
            found.append(Rows(stream, _NO_TIMES, _NO_DATA))
            continue
        end, length = row + stream.count, stream.length
        own = frames[row:end]
        if length < 8:
            own = np.ascontiguousarray(own[:, :length])
        elif length > 8:
            parts = [data[at : at + length] for at in places[row:end].tolist()]
            own = np.frombuffer(b"".join(parts), np.uint8).reshape(-1, length)
        found.append(Rows(stream, at_us[row:end], own))
        row = end
    return found
