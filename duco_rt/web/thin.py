"""Fewer points for a wide window: the lowest and the highest value of each bucket of time stay. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from duco_rt.model import History, MeanColumns, SpanColumns, Value

GAP_MS = 2_000
"""Samples further apart than this have a gap between them."""

GAPS_MAX = 1_000

Rows = list[tuple[int, int]]
"""First row of each bucket and the one after its last."""


def thin(found: History, points: int, means: bool = False) -> History:
    """At most about `points` rows; fewer rows than that come back unchanged.

    The range is cut into points/2 buckets of absolute time; a bucket becomes two rows, at the place of its first and
    its last sample, with the lowest and highest of each numeric field in the order in which they came (other fields:
    first and last).

    With stats or `means` there are `points` buckets, and each becomes one row at the place of its last sample: the last
    value of each field, lowest of its `min`, highest of its `max`, sum of its `count`. A sample of which no more is
    known than its last value counts with that as lowest and highest, and `count` is None. `means` adds those.
    """
    if len(found.ts) > points:
        return thin_to(found, bucket_ms(found.from_ms, found.to_ms, points, bool(found.stats) or means), means)
    return with_means(found) if means else found


def bucket_ms(from_ms: int, to_ms: int, points: int, one_row: bool) -> int:
    """How wide `thin` makes a bucket; `one_row`: whether it becomes one row, and not two."""
    return max(1, -(-(to_ms - from_ms + 1) // max(1, points if one_row else points // 2)))


def thin_to(found: History, width_ms: int, means: bool = False) -> History:
    """As `thin`, for buckets of that width, however many rows there are: bucket n has the ts of n × `width_ms` on."""
    rows = _buckets(found, width_ms)
    if found.stats or means:
        return _with_stats(found, rows, means)
    picks = [i for first, end in rows for i in ((first, end - 1) if end - first > 1 else (first,))]
    columns = {name: _extremes(column, rows) for name, column in found.fields.items()}
    return _picked(found, picks, columns)


def with_means(found: History) -> History:
    """The same samples, and the mean of each: its value."""
    rows = [(i, i + 1) for i in range(len(found.ts))]
    return replace(found, means={name: _means(column, rows) for name, column in found.fields.items()})


def gaps(seq: Sequence[int], ts: Sequence[int], most: int = GAPS_MAX) -> list[tuple[int, int]]:
    """Where samples are missing between these, of which each has a seq: ts of the last one before and the first after.

    That is where seq goes on by more than one, or more than 2 s lie between, or the time goes back. In order; of more
    than `most` the longest.
    """
    places, times = np.array(seq, np.int64), np.array(ts, np.int64)
    ahead = places[1:] > places[:-1]
    step = places[1:].view(np.uint64) - places[:-1].view(np.uint64)  # right where ahead, however far
    ms = np.diff(times)
    at = np.flatnonzero(ahead & (step > 1) | (ms > GAP_MS) | (ms < 0))
    if len(at) > most:
        at = np.sort(at[np.argsort(-ms[at], kind="stable")[:most]])
    return list(zip(times[at].tolist(), times[at + 1].tolist(), strict=True))


def _buckets(found: History, width_ms: int) -> Rows:
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


def _with_stats(found: History, rows: Rows, means: bool) -> History:
    columns = {name: _each(column, rows, lambda held: held[-1]) for name, column in found.fields.items()}
    out = _picked(found, [end - 1 for _, end in rows], columns)
    for name, spans in found.stats.items():
        low, high, counts = _filled(found.fields[name], spans)
        out.stats[name] = SpanColumns(_each(low, rows, min), _each(high, rows, max), _each(counts, rows, _sum))
    if means:
        out.means.update({name: _means(column, rows) for name, column in found.fields.items()})
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


def _means(column: list[Value | None], rows: Rows) -> MeanColumns:
    out = MeanColumns([], [])
    for first, end in rows:
        held = [_float(value) for value in column[first:end] if isinstance(value, int | float)]
        mean = sum(held) / len(held) if held else math.nan
        out.mean.append(mean if math.isfinite(mean) else None)
        out.seconds.append(len(held))
    return out


def _float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


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
