"""Frames by stream as the two readings take them: pieces of longer messages put together first. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from duco_rt.body import CanSecond, Stream
from duco_rt.pipeline.decoding.messages import MessagePlan
from duco_rt.pipeline.decoding.multi_packet import Open, put_together
from duco_rt.pipeline.decoding.plan import ERROR_FRAME, FAST, TRANSPORT, UNKNOWN, Plan
from duco_rt.pipeline.decoding.rows import Rows, rows_of

PIECES = frozenset({TRANSPORT, FAST})
"""Kinds of frames that are pieces of longer messages."""

Slice = tuple[Stream, NDArray[np.int32] | NDArray[np.int64], bytes | memoryview]
"""A stream's frames in one second: times (count,) in µs from the second's ts, and count * length bytes."""

R = TypeVar("R", Rows, Slice, Rows | Slice)


def whole_rows(
    plan: Plan, seconds: Sequence[CanSecond], open_: Open, problems: Counter[str]
) -> tuple[list[Rows], Open]:
    """The frames of seconds that follow each other, by stream, and what is open at their end.

    Frames that the plan does not know have their stream alone.
    """
    return put_whole(plan, rows_of(seconds, partial(is_read, plan)), open_, problems)


def put_whole(plan: Plan, rows: list[Rows], open_: Open, problems: Counter[str]) -> tuple[list[Rows], Open]:
    """The same of the frames of any time."""
    if not plan.has_groups:
        return rows, open_
    whole: list[Rows] = []
    transport: list[Rows] = []
    fast: list[Rows] = []
    for each in rows:
        kind, messages = plan.match(each.stream)
        is_piece = kind in PIECES and each.stream.length <= 8  # a longer frame (CAN FD) is no piece of anything
        if is_piece:
            (transport if kind == TRANSPORT else fast).append(each)
        if not is_piece or (kind == TRANSPORT and messages):
            whole.append(each)
    made, open_ = put_together(transport, fast, open_, problems)
    return whole + made, open_


def whole_slices(plan: Plan, second: CanSecond, open_: Open, problems: Counter[str]) -> tuple[list[Slice], Open]:
    """The same for one second, without an array a stream: the live path looks at few of its frames.

    Streams that the plan has no use for are left out; `problems` counts their frames: unknown_id, error_frame.
    """
    whole: list[Slice] = []
    transport: list[Rows] = []
    fast: list[Rows] = []
    matches, times_us, data = plan.matches, second.times_us, memoryview(second.data)
    row_end = byte_end = 0
    for stream in second.streams:
        channel, can_id, extended, flags, length, count = stream
        row, byte = row_end, byte_end
        row_end += count
        byte_end += count * length
        kind, messages = matches[channel, can_id, extended, flags]
        if kind == UNKNOWN:
            problems["unknown_id"] += count
            continue
        if kind in PIECES and length <= 8:
            piece = _piece(second, stream, times_us[row:row_end], data[byte:byte_end])
            (transport if kind == TRANSPORT else fast).append(piece)
            if kind == FAST:
                continue
        if messages:
            whole.append((stream, times_us[row:row_end], data[byte:byte_end]))
        elif kind == ERROR_FRAME:
            problems["error_frame"] += count
    if transport or fast:
        made, open_ = put_together(transport, fast, open_, problems)
        base_us = second.ts_ms * 1000
        whole += [(rows.stream, rows.times_us - base_us, rows.data.tobytes()) for rows in made]
    return whole, open_


def _piece(second: CanSecond, stream: Stream, times_us: NDArray[np.int32], data: memoryview) -> Rows:
    frames = np.frombuffer(data, np.uint8).reshape(stream.count, stream.length)
    return Rows(stream, times_us.astype(np.int64) + second.ts_ms * 1000, frames)


def is_read(plan: Plan, stream: Stream) -> bool:
    """Whether the plan has a use for frames of a stream."""
    match = plan.match(stream)
    return bool(match.messages) or match.kind in PIECES


def described(plan: Plan, rows: Iterable[R], problems: Counter[str]) -> Iterator[tuple[MessagePlan, R]]:
    """Every message that describes frames of a stream, with these; of one stream the first that counts comes first.

    `problems` counts frames: unknown_id, error_frame, and short_frame, once where several messages are longer.
    """
    matches = plan.matches
    for each in rows:
        stream = each[0]
        kind, messages = matches[stream[:4]]
        is_short = False
        for message in messages:
            if stream[4] < message.length_bytes:
                is_short = True
            else:
                yield message, each
        if is_short:
            problems["short_frame"] += stream[5]
        elif kind == UNKNOWN:
            problems["unknown_id"] += stream[5]
        elif kind == ERROR_FRAME:
            problems["error_frame"] += stream[5]
