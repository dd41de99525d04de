"""Fewer points for a wide window: no peak is lost, nothing is invented."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from duco_rt.model import History, SpanColumns, Value
from duco_rt.web.thin import thin


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
    """At the place of its last sample: last value, lowest, highest, number of values; None where none is known."""
    low, high = [0.0, -5.0, None, 2.0, None, None], [1.0, 1.0, None, 9.0, None, None]
    stats = {"a": SpanColumns([*low], [*high], [2, 3, None, 4, None, None])}
    ts = [i * 1000 for i in range(6)]
    found = History(0, 5999, list(range(10, 16)), ts, {"a": [0.5, None, 0.7, 2.0, None, 3.0]}, stats)
    assert thin(found, 6) is found
    out = thin(found, 2)
    assert (out.ts, out.seq) == ([2000, 5000], [12, 15])
    assert out.fields == {"a": [0.7, 3.0]}
    assert out.stats == {"a": SpanColumns([-5.0, 2.0], [1.0, 9.0], [5, 4])}
    out = thin(found, 3)
    assert out.fields == {"a": [0.5, 2.0, 3.0]}
    assert out.stats == {"a": SpanColumns([-5.0, 2.0, None], [1.0, 9.0, None], [5, 4, None])}


_ROW = st.none() | st.tuples(st.floats(-1e6, 1e6), st.integers(1, 50))


@given(values=st.lists(_ROW, max_size=200), points=st.integers(1, 60), from_ms=st.integers(0, 10**6))
def test_with_stats_any_column(values: list[tuple[float, int] | None], points: int, from_ms: int) -> None:
    """No more rows than asked for but one at an end, every value counted once, extremes kept."""
    low: list[float | None] = [v and v[0] for v in values]
    high: list[float | None] = [v and v[0] + v[1] for v in values]
    counts: list[int | None] = [v and v[1] for v in values]
    ts = [from_ms + i * 1000 for i in range(len(values))]
    found = History(
        from_ms, from_ms + len(values) * 1000, [*range(len(values))], ts, {"a": [*low]},
        {"a": SpanColumns(low, high, counts)},
    )  # fmt: skip
    out = thin(found, points)
    assert len(out.ts) == len(out.fields["a"]) <= points + 1
    assert out.ts[-1:] == ts[-1:]
    known = [v for v in values if v]
    thinned = out.stats["a"]
    assert sum(n or 0 for n in thinned.count) == sum(n for _, n in known)
    if known:
        assert min(v for v in thinned.min if v is not None) == min(v for v, _ in known)
        assert max(v for v in thinned.max if v is not None) == max(v + n for v, n in known)
