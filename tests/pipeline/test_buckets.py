"""All samples of a range, or the lowest and highest of each bucket of time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise, permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from duco_rt.pipeline.buckets import Series
from duco_rt.pipeline.decoding.columns import Column

Pairs = list[tuple[int, float]]

FROM_US, TO_US = 1_700_000_000_000_000, 1_700_000_000_000_999


def given_in(pieces: Sequence[Pairs], points: int | None, from_us: int = FROM_US, to_us: int = TO_US) -> Series:
    """A series of (µs after `from_us`, value) pairs, handed over in pieces."""
    series = Series(from_us, to_us, points)
    for piece in pieces:
        times = np.array([from_us + at for at, _ in piece], np.int64)
        series.add(times, np.array([value for _, value in piece], np.float64))
    return series


def pairs(samples: Column, from_us: int = FROM_US) -> Pairs:
    """Samples as pairs."""
    return list(zip((samples.times_us - from_us).tolist(), samples.values.tolist(), strict=True))


def plain(rows: Pairs, points: int, span_us: int = 1000) -> Pairs:
    """The same reduction, sample by sample."""
    kept = [(at, value) for at, value in rows if math.isfinite(value) and 0 <= at < span_us]
    if len(kept) <= points:
        return sorted(kept, key=lambda row: row[0])
    width = -(-span_us // max(1, points // 2))
    out: Pairs = []
    for bucket in sorted({at // width for at, _ in kept}):
        mine = [row for row in kept if row[0] // width == bucket]
        low = min(mine, key=lambda row: (row[1], row[0]))
        high = max(mine, key=lambda row: (row[1], row[0]))
        out += [low] if low == high else sorted((low, high), key=lambda row: row[0])
    return out


# what comes in (points, rows) → what is given
CASES: dict[str, tuple[int | None, Pairs, Pairs]] = {
    "nothing": (4, [], []),
    "all where no points are asked": (None, [(5, 1.0), (1, 2.0)], [(1, 2.0), (5, 1.0)]),
    "all where they are few": (3, [(1, 2.0), (5, 1.0), (9, 0.0)], [(1, 2.0), (5, 1.0), (9, 0.0)]),
    "extremes in order of time": (2, [(0, 1.0), (1, 9.0), (2, -9.0), (3, 2.0)], [(1, 9.0), (2, -9.0)]),
    "both ends of a constant": (2, [(0, 1.0), (1, 1.0), (2, 1.0)], [(0, 1.0), (2, 1.0)]),
    "one sample in a bucket": (2, [(0, 1.0), (0, 1.0), (0, 1.0)], [(0, 1.0)]),
    "buckets are of absolute time": (
        4,
        [(499, 1.0), (500, 2.0), (0, 3.0), (1, 5.0), (2, 4.0)],
        [(1, 5.0), (499, 1.0), (500, 2.0)],
    ),
    "no value is no sample": (2, [(0, math.nan), (1, math.inf), (2, -math.inf), (3, 1.0)], [(3, 1.0)]),
    "the ends are in": (None, [(-1, 1.0), (0, 2.0), (999, 3.0), (1000, 4.0)], [(0, 2.0), (999, 3.0)]),
    "two senders at one time": (None, [(7, 2.0), (7, 1.0)], [(7, 2.0), (7, 1.0)]),
    "the fewest points": (1, [(0, 1.0), (1, 2.0)], [(0, 1.0), (1, 2.0)]),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_given(case: str) -> None:
    """By what came in and how many points were asked for."""
    points, rows, expected = CASES[case]
    assert pairs(given_in([rows], points).samples()) == expected


_VALUES = st.one_of(st.floats(width=16), st.sampled_from([0.0, 1.0, -1.0, math.nan]))
_ROWS = st.lists(st.tuples(st.integers(-20, 1020), _VALUES), max_size=60, unique_by=lambda row: row[0])


@given(rows=_ROWS, points=st.integers(2, 30), cut=st.lists(st.integers(0, 60), max_size=6))
def test_pieces_and_order_change_nothing(rows: Pairs, points: int, cut: list[int]) -> None:
    """The reduction equals the plain one whatever the pieces, and gives as many as asked for at most."""
    ends = sorted({0, len(rows), *(min(at, len(rows)) for at in cut)})
    pieces = [rows[a:b] for a, b in pairwise(ends)]
    found = pairs(given_in(pieces, points).samples())
    assert found == plain(rows, points)
    assert len(found) <= points


def test_equal_values_in_any_order_of_pieces() -> None:
    """The first and the last of a constant, whichever piece comes when."""
    for pieces in permutations([[(0, 1.0), (1, 1.0)], [(5, 1.0)], [(9, 1.0), (3, 1.0)]]):
        assert pairs(given_in(pieces, 2).samples()) == [(0, 1.0), (9, 1.0)]


def test_a_spike_survives_an_hour() -> None:
    """One sample in 180,000, however few the points."""
    values = np.sin(np.arange(180_000) / 500)
    values[77_777] = 99.0
    series = Series(0, 3_600_000_000, 100)
    for start in range(0, len(values), 7_000):
        piece = slice(start, start + 7_000)
        series.add(np.arange(180_000, dtype=np.int64)[piece] * 20_000, values[piece])
    found = series.samples()
    assert (series.count, len(found.values) <= 100) == (180_000, True)
    assert found.times_us[found.values.argmax()] == 77_777 * 20_000
    assert (found.values.max(), found.values.min()) == (99.0, values.min())
    assert (np.diff(found.times_us) > 0).all()
