"""NMEA 2000 fast packets put together, all streams in one pass over arrays. Pure. Source: canboat, IEC 61162-3.

```
byte 0        sequence (3 bits) | number of the frame (5 bits)
frame 0       byte 1: length of the message, 1 to 223 bytes; bytes 2..7: its first 6
frames 1..31  bytes 1..7: the next 7; what is left of the last one is filled up or not sent
```

A sender takes the next sequence for the next message of a group, so frames of two messages may interleave: frames are
looked at by *slot*, which is stream and sequence. Within a slot they come in order; a *run* is what follows each other
without a hole, and a message is the begin of a run that starts with frame 0.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from duco_rt.body import ERROR, REMOTE, Stream
from duco_rt.pipeline.decoding.rows import Rows

TIMEOUT_US = 750_000
"""The longest pause between two frames of a message: the same that receivers of NMEA 2000 allow."""

LENGTH_MAX = 223
OPEN_MAX = 256
"""Unfinished messages that are kept from call to call; of more, the oldest are given up."""

Integers = NDArray[np.int64]
_StreamOf = tuple[str, int, int]


class _Frames(NamedTuple):
    """The frames of every stream, (n,) each: `slot` = index of the stream * 8 + sequence; `data` is (n, 8).

    `lengths` is None where all have 8 bytes. `order` sorts by slot, and within one by arrival.
    """

    streams: list[_StreamOf]
    times_us: Integers
    data: NDArray[np.uint8]
    lengths: NDArray[np.uint8] | None
    slot: NDArray[np.unsignedinteger[Any]]
    order: NDArray[np.intp]


class _Runs(NamedTuple):
    """Runs, (m,) each. `begin`: place in `order`; `frames`: how many; `total`, `need`: mean nothing without frame 0.

    `whole`: a message is all there. `unfinished`: its next frame may still come.
    """

    begin: Integers
    frames: Integers
    total: Integers
    need: Integers
    whole: NDArray[np.bool_]
    unfinished: NDArray[np.bool_]


def put_fast_together(
    rows: Sequence[Rows], latest_us: int, problems: Counter[str]
) -> tuple[list[Rows], tuple[Rows, ...]]:
    """The messages of `rows`, and the frames of those whose end is still to come: put them before the next rows.

    Streams of one id whose frames have other lengths are one sender, in order of time. `latest_us` is the newest time
    that anything was received at. Messages of one id and length are one Rows, in order of completion.
    """
    frames = _frames(rows, problems)
    if frames is None:
        return [], ()
    runs = _runs(frames, latest_us, problems)
    return _messages(frames, runs), _kept(frames, runs, problems)


def _frames(rows: Sequence[Rows], problems: Counter[str]) -> _Frames | None:
    used: list[Rows] = []
    for piece in rows:
        if not len(piece.times_us) or not piece.stream.extended or piece.stream.flags & (ERROR | REMOTE):
            continue
        if 1 <= piece.stream.length <= 8:
            used.append(piece)
        else:
            problems["fastpacket_bad"] += len(piece.times_us)
    if not used:
        return None
    all_full = all(piece.stream.length == 8 for piece in used)
    if not all_full:  # at the same time the shorter frame comes later: it is the last of its message
        used.sort(key=lambda piece: -piece.stream.length)
    index: dict[_StreamOf, int] = {}
    of = [index.setdefault((s.channel, s.can_id, s.flags), len(index)) for s, _, _ in used]
    counts = [len(piece.times_us) for piece in used]
    times_us = used[0].times_us if len(used) == 1 else np.concatenate([piece.times_us for piece in used])
    data = used[0].data if all_full and len(used) == 1 else np.concatenate([_padded(piece.data) for piece in used])
    kind = np.uint16 if len(index) <= 0x2000 else np.uint32  # 16 bits are sorted in linear time
    slot = np.repeat(np.array([at << 3 for at in of], kind), counts) | (data[:, 0] >> 5)
    if all_full:
        return _Frames(list(index), times_us, data, None, slot, np.argsort(slot, kind="stable"))
    lengths = np.repeat(np.array([piece.stream.length for piece in used], np.uint8), counts)
    return _Frames(list(index), times_us, data, lengths, slot, np.lexsort((times_us, slot)))


def _padded(data: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if data.shape[1] == 8:
        return data
    out = np.zeros((len(data), 8), np.uint8)
    out[:, : data.shape[1]] = data
    return out


def _runs(frames: _Frames, latest_us: int, problems: Counter[str]) -> _Runs:
    order, lengths = frames.order, None if frames.lengths is None else frames.lengths[frames.order]
    slot, times_us, head = frames.slot[order], frames.times_us[order], frames.data[:, 0][order]
    follows = (head[1:] == head[:-1] + 1) & (slot[1:] == slot[:-1]) & (np.diff(times_us) <= TIMEOUT_US)
    if lengths is not None:
        follows &= lengths[:-1] == 8
    begin = np.concatenate(([0], np.flatnonzero(~follows) + 1))
    end = np.append(begin[1:], len(order))
    count = end - begin
    started = head[begin] & 31 == 0
    total = frames.data[order[begin], 1].astype(np.int64)
    need = (total + 7) // 7
    good = started & (total > 0) & (total <= LENGTH_MAX)
    enough = count >= need
    whole = good & enough
    unfinished = good & ~enough & (latest_us - times_us[end - 1] <= TIMEOUT_US)
    unfinished[:-1] &= slot[begin[1:]] != slot[begin[:-1]]  # another run in its slot: the next frame was lost
    if lengths is not None:
        last = lengths[np.where(whole, begin + need, end) - 1].astype(np.int64)
        whole &= last >= total - 7 * need + 9
        unfinished &= last == 8
    _count(problems, "fastpacket_bad", started & ~good)
    _count(problems, "fastpacket_incomplete", good & ~whole & ~unfinished)
    used = np.where(good, np.minimum(count, need), started)  # of what cannot be, the begin alone
    headless = len(order) - int(used.sum())
    if headless:
        problems["multipacket_headless"] += headless
    return _Runs(begin, count, total, need, whole, unfinished)


def _count(problems: Counter[str], kind: str, which: NDArray[np.bool_]) -> None:
    if n := int(np.count_nonzero(which)):
        problems[kind] += n


def _messages(frames: _Frames, runs: _Runs) -> list[Rows]:
    begin, total, need = runs.begin[runs.whole], runs.total[runs.whole], runs.need[runs.whole]
    if not len(begin):
        return []
    last = frames.order[begin + need - 1]
    times_us = frames.times_us[last]
    group = (frames.slot[last].astype(np.int64) >> 3) << 8 | total
    by = np.lexsort((last, times_us, group))
    group = group[by]
    edges = [0, *(np.flatnonzero(np.diff(group)) + 1).tolist(), len(group)]
    out = []
    for at, to in pairwise(edges):
        which = by[at:to]
        (channel, can_id, flags), length = frames.streams[int(group[at]) >> 8], int(group[at]) & 0xFF
        places = begin[which][:, None] + np.arange((length + 7) // 7)
        packed = frames.data[frames.order[places], 1:].reshape(to - at, -1)  # length, then the bytes
        stream = Stream(channel, can_id, True, flags, length, to - at)
        out.append(Rows(stream, times_us[which], np.ascontiguousarray(packed[:, 1 : 1 + length])))
    return out


def _kept(frames: _Frames, runs: _Runs, problems: Counter[str]) -> tuple[Rows, ...]:
    """The frames of unfinished messages, which all have 8 bytes, as read-only copies."""
    which = np.flatnonzero(runs.unfinished)
    if not len(which):
        return ()
    if len(which) > OPEN_MAX:
        newest = frames.times_us[frames.order[(runs.begin + runs.frames - 1)[which]]]
        problems["fastpacket_incomplete"] += len(which) - OPEN_MAX
        which = np.sort(which[np.argsort(newest, kind="stable")[-OPEN_MAX:]])
    spans = zip(runs.begin[which].tolist(), runs.frames[which].tolist(), strict=True)
    taken: dict[int, list[NDArray[np.intp]]] = {}
    for begin, count in spans:
        indices = frames.order[begin : begin + count]
        taken.setdefault(int(frames.slot[indices[0]]) >> 3, []).append(indices)
    return tuple(_copy(frames, *frames.streams[index], np.concatenate(parts)) for index, parts in taken.items())


def _copy(frames: _Frames, channel: str, can_id: int, flags: int, indices: NDArray[np.intp]) -> Rows:
    times_us, data = frames.times_us[indices], frames.data[indices]
    times_us.setflags(write=False)
    data.setflags(write=False)
    return Rows(Stream(channel, can_id, True, flags, 8, len(indices)), times_us, data)
