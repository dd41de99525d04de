"""What every store makes of a range in buckets of time: what `thin_to` makes of the rows."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from duco_rt.errors import TransportError
from duco_rt.model import History, MeanColumns, Sample, Span, SpanColumns, Value
from duco_rt.web.thin import thin_to
from tests.contracts.store_adapters import ADAPTERS, clickhouse_server, merge
from tests.contracts.store_rows import NOW, OTHERS, PEER, sample, typed
from tests.servers.clickhouse import ClickHouseServer

pytestmark = pytest.mark.servers

MODES = [(False, False), (True, False), (False, True), (True, True)]
"""Whether with stats, and with means."""


@pytest.fixture(scope="module")
def clickhouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseServer]:
    """One server for all tests."""
    yield from clickhouse_server(tmp_path_factory)


@pytest.fixture(params=ADAPTERS)
async def store(request: pytest.FixtureRequest) -> AsyncIterator[Any]:
    """A fresh store."""
    opened = await ADAPTERS[request.param](request)
    yield opened
    await opened.close()


async def check(store: Any, fields: Sequence[str], from_ms: int, to_ms: int, width_ms: int) -> None:
    """Both ways give the same, in every mode, and of the same types where a value was not computed."""
    for stats, means in MODES:
        rows = await store.history(PEER, fields, from_ms, to_ms, stats)
        expected = thin_to(rows, width_ms, means)
        found: History = await store.thinned(PEER, fields, from_ms, to_ms, width_ms, stats, means)
        assert replace(found, means={}) == replace(expected, means={})
        assert {name: typed(values) for name, values in found.fields.items()} == {
            name: typed(values) for name, values in expected.fields.items()
        }
        assert found.means.keys() == expected.means.keys()
        for name, (mean, seconds) in found.means.items():
            assert seconds == expected.means[name].seconds
            assert _rounded(mean) == _rounded(expected.means[name].mean)


def _rounded(values: Sequence[float | None]) -> list[Any]:
    return [None if value is None else pytest.approx(value, rel=1e-9, abs=1e-6) for value in values]


async def test_a_bucket_is_a_row(store: Any) -> None:
    """The last value, lowest, highest, count, and the mean of the values by how many there were."""
    spans = [Span(0.0, 3.0, 4), Span(-5.0, 4.0, 2), None]
    payloads: list[dict[str, Value]] = [{"a": 1.0, "t": "x"}, {"a": 4.0, "b": True}, {"b": False, "t": "y"}]
    samples = [replace(sample(i, payload), stats={"a": span} if span else {}) for i, (payload, span)
               in enumerate(zip(payloads, spans, strict=True))]  # fmt: skip
    await store.insert_parsed(samples)
    found = await store.thinned(PEER, ["a", "b", "t", "never"], NOW, NOW + 2999, 10_000, True, True)
    assert (found.from_ms, found.to_ms, found.seq, found.ts) == (NOW, NOW + 2999, [102], [NOW + 2000])
    assert found.fields == {"a": [4.0], "b": [False], "t": ["y"], "never": [None]}
    assert found.stats == {
        "a": SpanColumns([-5.0], [4.0], [6]),
        "b": SpanColumns([0.0], [1.0], [2]),
        "t": SpanColumns([None], [None], [2]),
        "never": SpanColumns([None], [None], [None]),
    }
    assert found.means == {
        "a": MeanColumns([2.5], [2]),
        "b": MeanColumns([0.5], [2]),
        "t": MeanColumns([None], [0]),
        "never": MeanColumns([None], [0]),
    }


async def test_without_stats_a_bucket_is_two_rows(store: Any) -> None:
    """Lowest and highest in the order in which they came, of equal ones the outer; of texts the first and the last."""
    columns: list[tuple[float, Value]] = [(2.0, "p"), (1.0, 5), (1.0, "q"), (7.0, "r"), (7.0, 3), (4.0, "s")]
    await store.insert_parsed([sample(i, {"a": a, "m": m, "t": f"{i}"}) for i, (a, m) in enumerate(columns)])
    found = await store.thinned(PEER, ["a", "m", "t"], NOW, NOW + 5999, 6000)
    assert found == History(
        NOW, NOW + 5999, [100, 105], [NOW, NOW + 5000], {"a": [1.0, 7.0], "m": [5, 3], "t": ["0", "5"]}
    )
    await check(store, ["a", "m", "t"], NOW, NOW + 5999, 6000)


async def test_nothing_there(store: Any) -> None:
    """No rows; rows without the fields."""
    await check(store, ["a"], NOW, NOW + 9000, 1000)
    await store.insert_parsed([sample(i, {}) for i in range(5)])
    await store.insert_parsed([sample(i, {"a": 9.0}, peer=peer) for i in range(9) for peer in OTHERS])
    await check(store, ["a", "b"], NOW, NOW + 9000, 2000)


@pytest.mark.parametrize("merged", [False, True])
async def test_copies_count_once(store: Any, merged: bool) -> None:
    """The latest of them, whole, merged or not."""
    await store.insert_parsed([sample(i, {"a": float(i), "b": 1}) for i in range(20)])
    await store.insert_parsed([sample(i, {"a": float(-i)}) for i in range(5, 15)])
    await store.insert_parsed([sample(19, {"a": 1e6})])
    if merged:
        await merge(store)
    found = await store.thinned(PEER, ["a", "b"], NOW, NOW + 19_999, 20_000, means=True)
    assert found.means["a"].seconds == [20]
    assert found.means["b"].seconds == [9]
    await check(store, ["a", "b"], NOW, NOW + 19_999, 7000)


async def test_samples_of_the_same_time(store: Any) -> None:
    """They are in order of seq: a machine whose clock was set back."""
    seqs = [7, 3, 9, 1]
    await store.insert_parsed(
        [Sample(PEER, NOW, seq, NOW, {"a": float(seq), "d": -seq, "s": str(seq)}) for seq in seqs]
    )
    await store.insert_parsed([Sample(PEER, NOW, 2, NOW, {"a": 9.0})])
    found = await store.thinned(PEER, ["a", "s"], NOW, NOW, 5000, means=True)
    assert (found.seq, found.fields) == ([9], {"a": [9.0], "s": ["9"]})
    await check(store, ["a", "d", "s"], NOW, NOW, 5000)


async def test_large_ints_beside_others(store: Any) -> None:
    """To the last digit, of any size, and the other fields as ever."""
    values: list[Value] = [2**60, 2**60 + 1, 5, 2**60 - 1, 10**400, -(10**400), 1.5, "x", 2**53 + 1]
    await store.insert_parsed([sample(i, {"v": value, "w": float(i)}) for i, value in enumerate(values)])
    for width_ms in (1000, 4000, 100_000):
        await check(store, ["w", "v"], NOW, NOW + 8999, width_ms)


async def test_odd_names_and_clocks(store: Any) -> None:
    """A field of any name; times before 1970."""
    await store.insert_parsed([Sample(PEER, ts, 1, NOW, {"a'b\\": float(ts), "": 1}) for ts in range(-9, 9)])
    await check(store, ["a'b\\", "", "a"], -8, 7, 5)


async def test_values_of_no_bound(store: Any) -> None:
    """A mean that no number is, is none."""
    await store.insert_parsed([sample(i, {"a": value}) for i, value in enumerate([math.inf, -math.inf, 1.0, math.inf])])
    found = await store.thinned(PEER, ["a"], NOW, NOW + 3999, 10_000, True, True)
    assert found.means["a"] == MeanColumns([None], [4])
    await check(store, ["a"], NOW, NOW + 3999, 2000)


async def test_closed(store: Any) -> None:
    """As every other call."""
    await store.close()
    with pytest.raises(TransportError):
        await store.thinned(PEER, ["a"], NOW, NOW, 5)


_VALUE = (
    st.floats(-1e6, 1e6)
    | st.integers(-9, 9)
    | st.booleans()
    | st.text(max_size=3)
    | st.integers(-(2**70), 2**70)
    | st.sampled_from([0.0, -0.0, 1, True, math.inf])
)
_SPANS = st.none() | st.dictionaries(
    st.sampled_from("abc"),
    st.tuples(st.floats(-1e6, 1e6), st.floats(0, 10), st.integers(2, 99)).map(
        lambda parts: Span(parts[0], parts[0] + parts[1], parts[2])
    ),
)
_ROW = st.tuples(st.integers(0, 59), st.integers(0, 3), st.dictionaries(st.sampled_from("abcd"), _VALUE), _SPANS)
_EXAMPLE = count(1)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    inserts=st.lists(st.lists(_ROW, min_size=1, max_size=15), min_size=1, max_size=3),
    ends=st.tuples(st.integers(0, 70_000), st.integers(0, 70_000)),
    width_ms=st.integers(1, 40_000),
)
async def test_any_rows(
    store: Any, inserts: list[list[tuple[int, int, dict[str, Value], Any]]], ends: tuple[int, int], width_ms: int
) -> None:
    """Copies, rows of one time, gaps, absent fields, and values of any kind."""
    begin_ms = NOW + next(_EXAMPLE) * 100_000  # the store is the same in every example
    for rows in inserts:
        await store.insert_parsed(
            [Sample(PEER, begin_ms + i * 1000, seq, NOW, payload, stats) for i, seq, payload, stats in rows]
        )
    await check(store, [*"abcd"], begin_ms + min(ends), begin_ms + max(ends), width_ms)
