"""Rows in portions of so many values: what is decoded at once has a bound, whatever the database and the bus. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from duco_rt.pipeline.decoding.plan import Plan
from duco_rt.pipeline.decoding.rows import Rows

VALUES_MAX = 1_000_000
"""Values of a portion: 8 MB."""


def portions(plan: Plan, rows: Iterable[Rows], values_max: int = VALUES_MAX) -> Iterator[list[Rows]]:
    """The same rows in the same order, cut where need be: `values_max` values at most, or those of one frame."""
    portion: list[Rows] = []
    values = 0
    for each in rows:
        in_frame = sum(len(message.names) for message in plan.match(each.stream).messages)
        for some in _cut(each, max(1, values_max // in_frame)) if in_frame else (each,):
            more = some.stream.count * in_frame
            if portion and values + more > values_max:
                yield portion
                portion, values = [], 0
            portion.append(some)
            values += more
    if portion:
        yield portion


def _cut(rows: Rows, frames_max: int) -> Iterator[Rows]:
    stream, times_us, data = rows
    if stream.count <= frames_max:
        yield rows
        return
    for at in range(0, stream.count, frames_max):
        end = min(at + frames_max, stream.count)
        yield Rows(stream._replace(count=end - at), times_us[at:end], data[at:end])
