"""Rows of the raw store to CAN seconds. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from duco_rt import body
from duco_rt.errors import BadBody
from duco_rt.model import RawSecond
from duco_rt.parts import join


def can_seconds(
    rows: Iterable[RawSecond], problems: Counter[str], *, whole: bool = False
) -> Iterator[tuple[body.CanSecond, int]]:
    """The CAN seconds of rows in order of (ts, seq, part), each with the time in ms at which it was received.

    Parts are put together as far as they are there; with `whole`, a second that may lack some is left out.

    `problems` counts `unread_body`: rows that nobody could read when they came, or whose columns do not fit; and
    `incomplete_second`: seconds left out.
    """
    for _, same in groupby(rows, lambda row: (row.ts_ms, row.seq)):
        parts, received_ms, of = [], 0, set[int]()
        for row in same:
            if row.kind == "json1":
                continue
            received_ms = max(received_ms, row.received_ms)
            try:
                if row.kind != "can1":
                    raise BadBody("nobody could read it when it came")
                parts.append(body.unpack_columns(body.columns_of(row), row.ts_ms, row.seq, row.part, row.part + 1))
                of.add(row.parts)
            except BadBody:
                problems["unread_body"] += 1
        if parts and whole and not _are_all(parts, of):
            problems["incomplete_second"] += 1
        elif parts:
            yield join(parts), received_ms


def _are_all(parts: Sequence[body.CanSecond], of: set[int]) -> bool:
    """Whether no part lacks. `of` is how many their rows say there are; of older rows, which do not, one alone is taken
    for its second."""
    counts = of - {0} or {1}
    return len(counts) == 1 and {second.part for second in parts} == set(range(*counts))
