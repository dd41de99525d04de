"""Frames by stream as the two readings take them: pieces of longer messages put together first. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from duco_rt.body import CanSecond, Stream
from duco_rt.pipeline.decoding.multi_packet import Open, put_together
from duco_rt.pipeline.decoding.plan import FAST, FRAME, TRANSPORT, Plan
from duco_rt.pipeline.decoding.rows import Rows, rows_of

Slice = tuple[Stream, NDArray[np.int32] | NDArray[np.int64], bytes | memoryview]
"""A stream's frames in one second: times (count,) in µs from the second's ts, and count * length bytes."""


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
        kind = _kind(plan, each.stream)
        (transport if kind == TRANSPORT else fast if kind == FAST else whole).append(each)
    made, open_ = put_together(transport, fast, open_, problems)
    return whole + made, open_


def whole_slices(plan: Plan, second: CanSecond, open_: Open, problems: Counter[str]) -> tuple[list[Slice], Open]:
    """The same for one second, without an array a stream: the live path looks at few of its frames."""
    if not plan.has_groups:
        return list(second.slices()), open_
    whole: list[Slice] = []
    transport: list[Rows] = []
    fast: list[Rows] = []
    base_us = second.ts_ms * 1000
    for each in second.slices():
        stream, times, data = each
        kind = _kind(plan, stream)
        if kind in (TRANSPORT, FAST):
            rows = Rows(
                stream,
                times.astype(np.int64) + base_us,
                np.frombuffer(data, np.uint8).reshape(stream.count, stream.length),
            )
            (transport if kind == TRANSPORT else fast).append(rows)
        else:
            whole.append(each)
    made, open_ = put_together(transport, fast, open_, problems)
    whole += [(rows.stream, rows.times_us - base_us, rows.data.tobytes()) for rows in made]
    return whole, open_


def is_read(plan: Plan, stream: Stream) -> bool:
    """Whether the plan has a use for frames of a stream."""
    match = plan.match(stream)
    return bool(match.messages) or match.kind in (TRANSPORT, FAST)


def _kind(plan: Plan, stream: Stream) -> int:
    """A longer frame (CAN FD) is no piece of anything."""
    return plan.match(stream).kind if stream.length <= 8 else FRAME
