"""Fewer points for a wide window: no peak is lost, nothing is invented."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duco_rt.model import History, MeanColumns, SpanColumns, Value
from duco_rt.web.thin import bucket_ms, gaps, thin, thin_to


def history(values: list[Value | None], from_ms: int = 0) -> History:
    """Return a sample a second."""
    ts = [from_ms + i * 1000 for i in range(len(values))]
    return History(from_ms, from_ms + len(values) * 1000, list(range(len(values))), ts, {"a": values})


def test_few_rows_stay_as_they_are() -> None:
    """As many as were asked for, or fewer."""
    found = history([1.0, None, 3.0])
    assert thin(found, 3) is found
    assert thin(found, 1000) is found
    assert thin(history([]), 2) == history([])


def test_a_peak_of_one_second_stays() -> None:
    """Lowest and highest of each bucket in the order in which they came."""
    values: list[Value | None] = [0.0] * 100
    values[41], values[47] = 99.0, -99.0
    thinned = thin(history(values), 20)
    assert 99.0 in thinned.fields["a"]
    assert thinned.fields["a"].index(99.0) + 1 == thinned.fields["a"].index(-99.0)
    assert len(thinned.ts) <= 24


def test_other_kinds() -> None:
    """Texts: the first and the last; buckets without a value: null."""
    values: list[Value | None] = [*"abcdefgh", *([None] * 8)]
    out = thin(history(values), 4).fields["a"]
    assert out[0] == "a"
    assert set(out) <= {*"abcdefgh", None}
    assert out[-1] is None


_VALUES = st.lists(st.none() | st.floats(-1e6, 1e6) | st.booleans() | st.text(max_size=2), max_size=300)


@given(values=_VALUES, points=st.integers(2, 100), from_ms=st.integers(0, 10**6))
def test_any_column(values: list[Value | None], points: int, from_ms: int) -> None:
    """About as many rows as asked for, in order, values of their own bucket, extremes kept."""
    found = history(values, from_ms)
    out = thin(found, points)
    assert len(out.ts) == len(out.seq) == len(out.fields["a"]) <= max(points + 4, 4)
    assert out.ts == sorted(out.ts)
    assert set(out.seq) <= set(found.seq)
    assert all(value is None or any(value is v or value == v for v in values) for value in out.fields["a"])
    numbers = [v for v in values if isinstance(v, int | float)]
    if numbers and all(isinstance(v, int | float | None) for v in values):
        kept = [v for v in out.fields["a"] if isinstance(v, int | float)]
        assert (min(kept), max(kept)) == (min(numbers), max(numbers))


def test_all_columns_share_the_rows() -> None:
    """Each has its own extremes, at the rows' times."""
    one: list[Value | None] = [math.sin(i / 9) for i in range(500)]
    two: list[Value | None] = [float(i) for i in range(500)]
    both = History(0, 500_000, list(range(500)), [i * 1000 for i in range(500)], {"a": one, "b": two})
    out = thin(both, 50)
    assert {len(column) for column in out.fields.values()} == {len(out.ts)}
    assert out.fields["b"] == sorted(out.fields["b"])  # type: ignore[type-var]
    assert (out.from_ms, out.to_ms) == (0, 500_000)


def test_with_stats_a_bucket_is_one_row() -> None:
    """At the place of its last sample: last value, lowest, highest, number of values; None where there is no value."""
    low, high = [0.0, -5.0, None, 2.0, None, None], [1.0, 1.0, None, 9.0, None, None]
    stats = {"a": SpanColumns([*low], [*high], [2, 3, None, 4, None, None])}
    ts = [i * 1000 for i in range(6)]
    found = History(0, 5999, list(range(10, 16)), ts, {"a": [0.5, 0.7, None, 2.0, None, None]}, stats)
    assert thin(found, 6) is found
    out = thin(found, 2)
    assert (out.ts, out.seq) == ([2000, 5000], [12, 15])
    assert out.fields == {"a": [0.7, 2.0]}
    assert out.stats == {"a": SpanColumns([-5.0, 2.0], [1.0, 9.0], [5, 4])}
    out = thin(found, 3)
    assert out.fields == {"a": [0.7, 2.0, None]}
    assert out.stats == {"a": SpanColumns([-5.0, 2.0, None], [1.0, 9.0, None], [5, 4, None])}


Known = tuple[float | None, float | None, int | None]
MIXED: dict[str, tuple[list[Value | None], list[Known], Known]] = {
    "higher": ([2.0, 500.0], [(1.0, 3.0, 9), (None, None, None)], (1.0, 500.0, None)),
    "lower": ([-2, 2, 4], [(None, None, None), (1, 3, 9), (4, 4, 1)], (-2, 4, None)),
    "all": ([2.0, -3.0], [(None, None, None)] * 2, (-3.0, 2.0, None)),
    "bools": ([True, False, True], [(None, None, None)] * 3, (0, 1, None)),
    "large": ([1.0, 10**400], [(0.0, 1.0, 2), (None, None, None)], (0.0, 10**400, None)),
    "texts": (["x", "y"], [(None, None, 2), (None, None, 3)], (None, None, 5)),
    "older texts": (["x", "y"], [(None, None, 2), (None, None, None)], (None, None, None)),
    "absent": ([2.0, None], [(1.0, 3.0, 9), (None, None, None)], (1.0, 3.0, 9)),
}


@pytest.mark.parametrize("case", MIXED)
def test_samples_of_which_only_the_last_value_is_known(case: str) -> None:
    """The band holds their value, and how many there were is not known."""
    values, spans, expected = MIXED[case]
    stats = {"a": SpanColumns(*(list(part) for part in zip(*spans, strict=True)))}
    rows = list(range(len(values)))
    [*found] = zip(*thin(History(0, 999, rows, rows, {"a": values}, stats), 1).stats["a"], strict=True)
    assert found == [expected]
    assert not any(isinstance(part, bool) for part in found[0])


_ROW = st.none() | st.tuples(st.floats(-1e6, 1e6), st.none() | st.integers(1, 50))


@given(values=st.lists(_ROW, max_size=200), points=st.integers(1, 60), from_ms=st.integers(0, 10**6))
def test_with_stats_any_column(values: list[tuple[float, int | None] | None], points: int, from_ms: int) -> None:
    """No more rows than asked for but one at an end, each value counted once, extremes kept, bands hold their value."""
    low: list[float | None] = [v[0] if v and v[1] else None for v in values]
    high: list[float | None] = [v[0] + v[1] if v and v[1] else None for v in values]
    counts: list[int | None] = [v and v[1] for v in values]
    ts = [from_ms + i * 1000 for i in range(len(values))]
    column: list[Value | None] = [v and v[0] for v in values]
    stats = {"a": SpanColumns(low, high, counts)}
    found = History(from_ms, from_ms + len(values) * 1000, [*range(len(values))], ts, {"a": column}, stats)
    out = thin(found, points)
    assert len(out.ts) == len(out.fields["a"]) <= points + 1
    assert out.ts[-1:] == ts[-1:]
    if out is found:
        return
    known = [v for v in values if v]
    thinned = out.stats["a"]
    if None not in [n for _, n in known]:
        assert sum(n or 0 for n in thinned.count) == sum(n or 0 for _, n in known)
    for value, least, most in zip(out.fields["a"], thinned.min, thinned.max, strict=True):
        assert value is None or sorted([least, value, most]) == [least, value, most]  # type: ignore[type-var]
    if known:
        assert min(v for v in thinned.min if v is not None) == min(v for v, _ in known)
        assert max(v for v in thinned.max if v is not None) == max(v + (n or 0) for v, n in known)


def test_means_of_buckets() -> None:
    """Of the last values that are numbers, with how many those are; a bucket is then one row."""
    column: list[Value | None] = [1.0, 2, True, "x", None, 4.5, "y", None]
    out = thin(history(column), 4, means=True)
    assert (out.seq, out.fields["a"]) == ([2, 4, 6, 7], [True, "x", "y", None])
    assert out.means == {"a": MeanColumns([4 / 3, None, 4.5, None], [3, 0, 1, 0])}
    assert out.stats == {}


def test_means_of_samples() -> None:
    """Where nothing is thinned each has its own."""
    out = thin(history([1.5, True, "x", None, 10**400, math.inf]), 9, means=True)
    assert out.means == {"a": MeanColumns([1.5, 1.0, None, None, None, None], [1, 1, 0, 0, 1, 1])}
    assert out.fields == history([1.5, True, "x", None, 10**400, math.inf]).fields
    assert thin(history([1.5]), 9).means == {}


@given(values=st.lists(st.none() | st.floats(-1e3, 1e3) | st.booleans() | st.text(max_size=1), max_size=200),
       points=st.integers(2, 50))  # fmt: skip
def test_any_mean(values: list[Value | None], points: int) -> None:
    """The mean of a window is that of its rows, each as often as it says."""
    out = thin(history(values), points, means=True).means["a"]
    numbers = [v for v in values if isinstance(v, int | float)]
    assert sum(out.seconds) == len(numbers)
    total = sum((mean or 0.0) * seconds for mean, seconds in zip(out.mean, out.seconds, strict=True))
    assert total == pytest.approx(sum(numbers), abs=1e-6)
    assert [mean is None for mean in out.mean] == [seconds == 0 for seconds in out.seconds]


@given(values=st.lists(st.none() | st.integers(-9, 9), max_size=120), points=st.integers(2, 50),
       from_ms=st.integers(-(10**5), 10**5), means=st.booleans())  # fmt: skip
def test_buckets_of_one_width_can_be_thinned_apart(
    values: list[Value | None], points: int, from_ms: int, means: bool
) -> None:
    """A range cut where a bucket begins gives the same rows."""
    found = history(values, from_ms)
    width_ms = bucket_ms(found.from_ms, found.to_ms, points, means)
    whole = thin_to(found, width_ms, means)
    cut = next((i for i, ts in enumerate(found.ts) if ts // width_ms > from_ms // width_ms), len(values))
    parts = [
        thin_to(History(0, 0, found.seq[some], found.ts[some], {"a": values[some]}), width_ms, means)
        for some in (slice(cut), slice(cut, None))
    ]
    assert parts[0].ts + parts[1].ts == whole.ts
    assert parts[0].fields["a"] + parts[1].fields["a"] == whole.fields["a"]
    if len(values) > points:
        assert thin(found, points, means) == whole


# ts, seq → gaps
GAPS: dict[str, tuple[list[int], list[int], list[tuple[int, int]]]] = {
    "none": ([0, 1000, 3000, 3001], [1, 2, 3, 4], []),
    "too few": ([5], [1], []),
    "nothing": ([], [], []),
    "a step in seq": ([0, 1000, 2000], [1, 2, 4], [(1000, 2000)]),
    "2 s, and more": ([0, 2000, 4001], [1, 2, 3], [(2000, 4001)]),
    "seq begins anew": ([0, 1000, 2000], [900, 1, 2], []),
    "the time goes back": ([5000, 3000, 4000], [1, 2, 3], [(5000, 3000)]),
    "several": ([0, 9000, 10_000, 11_000], [1, 2, 9, 10], [(0, 9000), (9000, 10_000)]),
    "far": ([0, 1, 2], [-(2**63), 2**63 - 1, 0], [(0, 1)]),
}


@pytest.mark.parametrize("case", GAPS)
def test_gaps(case: str) -> None:
    """From the last sample before to the first one after."""
    ts, seq, expected = GAPS[case]
    assert gaps(seq, ts) == expected


def test_the_longest_gaps_stay() -> None:
    """In order; of equal ones the first."""
    ts = [0, 3000, 12_000, 15_000, 19_000, 22_000]
    assert gaps(range(6), ts, 3) == [(0, 3000), (3000, 12_000), (15_000, 19_000)]
    many = range(0, 10_000_000, 2500)
    assert gaps(range(4000), many) == [(ts, ts + 2500) for ts in many[:1000]]
