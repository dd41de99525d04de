"""Fewer points for a wide window: the lowest and the highest value of each bucket of time stay. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from duco_rt.model import History, SpanColumns, Value

Rows = list[tuple[int, int]]
"""First row of each bucket and the one after its last."""


def thin(found: History, points: int) -> History:
    """At most about `points` rows; fewer rows than that come back unchanged.

    The range is cut into points/2 buckets of absolute time; a bucket becomes two rows, at the place of its first and
    its last sample, with the lowest and highest of each numeric field in the order in which they came (other fields:
    first and last).

    With stats there are `points` buckets, and each becomes one row at the place of its last sample: the last value of
    each field, lowest of its `min`, highest of its `max`, sum of its `count`. A sample of which no more is known than
    its last value counts with that as lowest and highest, and `count` is None.
    """
    if len(found.ts) <= points:
        return found
    if found.stats:
        return _with_stats(found, _buckets(found, points))
    rows = _buckets(found, points // 2)
    picks = [i for first, end in rows for i in ((first, end - 1) if end - first > 1 else (first,))]
    columns = {name: _extremes(column, rows) for name, column in found.fields.items()}
    return _picked(found, picks, columns)


def _buckets(found: History, count: int) -> Rows:
    width_ms = max(1, -(-(found.to_ms - found.from_ms + 1) // max(1, count)))
    rows: Rows = []
    start = 0
    for i in range(1, len(found.ts) + 1):
        if i == len(found.ts) or found.ts[i] // width_ms != found.ts[start] // width_ms:
            rows.append((start, i))
            start = i
    return rows


def _picked(found: History, picks: list[int], columns: dict[str, list[Value | None]]) -> History:
    seq, ts = [found.seq[i] for i in picks], [found.ts[i] for i in picks]
    return History(found.from_ms, found.to_ms, seq, ts, columns)


def _with_stats(found: History, rows: Rows) -> History:
    columns = {name: _each(column, rows, lambda held: held[-1]) for name, column in found.fields.items()}
    out = _picked(found, [end - 1 for _, end in rows], columns)
    for name, spans in found.stats.items():
        low, high, counts = _filled(found.fields[name], spans)
        out.stats[name] = SpanColumns(_each(low, rows, min), _each(high, rows, max), _each(counts, rows, _sum))
    return out


def _filled(column: list[Value | None], spans: SpanColumns) -> tuple[list[Any], list[Any], list[Any]]:
    """With the last value in place of an unknown lowest and highest; the count is then NaN, and so is a sum with it."""
    low: list[Any] = [*spans.min]
    high: list[Any] = [*spans.max]
    counts: list[Any] = [*spans.count]
    for i, value in enumerate(column):
        if value is not None and counts[i] is None:
            counts[i] = math.nan
            low[i] = high[i] = None if isinstance(value, str) else +value
    return low, high, counts


def _sum(counts: list[float]) -> float | None:
    total = sum(counts)
    return None if math.isnan(total) else total


def _each(column: list[Any], rows: Rows, of: Callable[[list[Any]], Any]) -> list[Any]:
    buckets = ([value for value in column[first:end] if value is not None] for first, end in rows)
    return [of(held) if held else None for held in buckets]


def _extremes(column: list[Value | None], rows: Rows) -> list[Value | None]:
    out: list[Value | None] = []
    for first, end in rows:
        if end - first == 1:
            out.append(column[first])
            continue
        numbers = [(value, i) for i in range(first, end) if isinstance(value := column[i], int | float)]
        if numbers:
            lowest, highest = min(numbers), max(numbers)
            out += [value for value, _ in sorted((lowest, highest), key=lambda pair: pair[1])]
        else:
            held = [value for value in column[first:end] if value is not None]
            out += [held[0], held[-1]] if held else [None, None]
    return out
