"""Every value of every field as columns: a block a message, with no step per frame. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from duco_rt.pipeline.decoding.blocks import Job, decode_blocks, jobs_of
from duco_rt.pipeline.decoding.plan import Plan
from duco_rt.pipeline.decoding.rows import Rows
from duco_rt.pipeline.decoding.whole import Slice, described


class Block(NamedTuple):
    """What frames of one stream say of one message, or of some of its pages.

    `fields` (s,); `times_us` (n,) Unix µs in order of arrival; `values` (s, n), NaN where a frame has no value.
    Whole numbers beyond 2^53 are the nearest float.
    """

    fields: tuple[str, ...]
    times_us: NDArray[np.int64]
    values: NDArray[np.float64]


def decode_columns(plan: Plan, rows: Iterable[Rows | Slice], problems: Counter[str]) -> list[Block]:
    """Blocks of all frames that the plan knows; `problems` counts frames: unknown_id, short_frame, error_frame.

    Slices of one second give times from its begin on.
    """
    jobs: list[Job] = []
    times: list[NDArray[Any]] = []
    for message, (stream, times_us, data) in described(plan, rows, problems):
        for job, chosen in jobs_of(message, stream, data):
            jobs.append(job)
            times.append(times_us if chosen is None else times_us[chosen])
    values = decode_blocks(jobs).blocks
    return [Block(job.block.fields, at, block) for job, at, block in zip(jobs, times, values, strict=True)]


class Column(NamedTuple):
    """All values of one field in order of time: `times_us` (n,) Unix µs, `values` (n,) without NaN."""

    times_us: NDArray[np.int64]
    values: NDArray[np.float64]


def columns_of(blocks: Iterable[Block]) -> dict[str, Column]:
    """Columns by field; a field without a value has none. Values of one time stay in order of arrival."""
    parts: dict[str, list[tuple[NDArray[np.int64], NDArray[np.float64]]]] = {}
    for fields, times_us, values in blocks:
        for field, column in zip(fields, values, strict=True):
            parts.setdefault(field, []).append((times_us, column))
    found = {}
    for field, held in parts.items():
        times = held[0][0] if len(held) == 1 else np.concatenate([t for t, _ in held])
        column = held[0][1] if len(held) == 1 else np.concatenate([v for _, v in held])
        there = ~np.isnan(column)
        if not there.all():
            times, column = times[there], column[there]
        if len(times) > 1 and (times[1:] < times[:-1]).any():
            order = np.argsort(times, kind="stable")
            times, column = times[order], column[order]
        if len(times):
            found[field] = Column(times, column)
    return found
