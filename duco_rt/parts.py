"""Cut a second that is too large for one hub message into parts, and put parts together. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from duco_rt.body import CanSecond, Order, Stream, StreamKey, order_type

_FRAME_BYTES = 2 + 4
_STREAM_BYTES = 11
_SECOND_BYTES = 36 + 8


def size_bytes(second: CanSecond) -> int:
    """An upper bound of its size in a body."""
    rows = second.frames * _FRAME_BYTES + len(second.data)
    return _head_bytes(second) + len(second.streams) * _STREAM_BYTES + rows


def _head_bytes(second: CanSecond) -> int:
    """Body and second header, and the names of the channels."""
    channels = {stream.channel for stream in second.streams}
    return _SECOND_BYTES + 1 + sum(1 + len(name.encode()) for name in channels)


def split(second: CanSecond, limit_bytes: int) -> list[CanSecond]:
    """The second in parts of at most `limit_bytes`; in one where it fits.

    Cut between streams, so that all frames of an id stay together; a stream larger than the limit is cut by time.
    """
    if size_bytes(second) <= limit_bytes:
        return [second]
    groups: list[list[tuple[int, int, int]]] = [[]]
    used = head = _head_bytes(second)
    for index, stream in enumerate(second.streams):
        row_bytes = stream.length + _FRAME_BYTES
        rows_max = max(1, (limit_bytes - head - _STREAM_BYTES) // row_bytes)
        for first in range(0, stream.count, rows_max):
            rows = min(rows_max, stream.count - first)
            need = _STREAM_BYTES + rows * row_bytes
            if groups[-1] and used + need > limit_bytes:
                groups.append([])
                used = head
            groups[-1].append((index, first, first + rows))
            used += need
    return [_take(second, group, part, len(groups)) for part, group in enumerate(groups)]


def _take(second: CanSecond, group: Sequence[tuple[int, int, int]], part: int, parts: int) -> CanSecond:
    """The rows `(stream, first, end)` of a second as a part of their own, order of arrival kept."""
    counts = np.array([s.count for s in second.streams])
    lengths = np.array([s.length for s in second.streams])
    row_of = np.concatenate([[0], np.cumsum(counts)])
    byte_of = np.concatenate([[0], np.cumsum(counts * lengths)])
    grouped_at = np.argsort(second.order, kind="stable")
    streams, times, data, places = [], [], [], []
    for index, first, end in group:
        s = second.streams[index]
        streams.append(Stream(s.channel, s.can_id, s.extended, s.flags, s.length, end - first))
        rows = slice(row_of[index] + first, row_of[index] + end)
        times.append(second.times_us[rows])
        places.append(grouped_at[rows])
        start = byte_of[index]
        data.append(second.data[start + first * s.length : start + end * s.length])
    owner = np.repeat(np.arange(len(group)), [len(p) for p in places])
    order = owner[np.argsort(np.concatenate(places), kind="stable")]
    return CanSecond(
        second.ts_ms,
        second.seq,
        part,
        parts,
        tuple(streams),
        order.astype(order_type(len(streams))),
        np.concatenate(times),
        b"".join(data),
    )


def join(parts: Sequence[CanSecond]) -> CanSecond:
    """The second from its parts (some may be missing). Frames of one stream keep their order.

    Arrival over streams follows time, which is what the parts still tell.
    """
    if len(parts) == 1:
        return parts[0]
    rows: dict[StreamKey, tuple[list[NDArray[np.int32]], list[bytes]]] = {}
    for part in sorted(parts, key=lambda p: p.part):
        for s, times, data in part.slices():
            held = rows.setdefault((s.channel, s.can_id, s.extended, s.flags, s.length), ([], []))
            held[0].append(times)
            held[1].append(bytes(data))
    all_times = [np.concatenate(times) for times, _ in rows.values()]
    flat = np.concatenate([np.empty(0, np.int32), *all_times])
    owner = np.repeat(np.arange(len(rows)), np.array([len(t) for t in all_times], np.intp))
    order: Order = owner[np.argsort(flat, kind="stable")].astype(order_type(len(rows)))
    first = parts[0]
    return CanSecond(
        first.ts_ms,
        first.seq,
        0,
        1,
        tuple(Stream(*key, count=len(t)) for key, t in zip(rows, all_times, strict=True)),
        order,
        flat,
        b"".join(chunk for _, chunks in rows.values() for chunk in chunks),
    )
