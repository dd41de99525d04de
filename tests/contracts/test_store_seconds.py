"""What every store keeps of what happened within a second, and which of two readings of a second stays."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import astuple

from duco_rt.model import History, Sample, Span, SpanColumns, Stats, Value
from tests.contracts.store_adapters import ADAPTERS, again, clickhouse_server, merge
from tests.contracts.store_rows import DAY, NOW, PEER, raw, sample
from tests.servers.clickhouse import ClickHouseServer

pytestmark = pytest.mark.servers


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


def spanned(i: int, payload: dict[str, Value], stats: Stats | None) -> Sample:
    """The sample of second i."""
    return replace(sample(i, payload), stats=stats)


async def read(store: Any, *fields: str) -> History:
    """Everything, with what the fields did within each second."""
    found: History = await store.history(PEER, fields, 0, NOW + 5 * DAY, stats=True)
    return found


async def test_what_a_field_did_within_the_second_comes_back(store: Any) -> None:
    """One value: it is the lowest and the highest; not told: nothing is known; absent: nothing to know."""
    await store.insert_parsed(
        [
            spanned(0, {"a": 2.0, "b": 7, "c": True}, {"a": Span(1.0, 3.0, 9), "b": Span(7, 8.5, 2)}),
            spanned(1, {"a": 2.0, "b": 7, "c": False}, None),
            spanned(2, {"a": -math.inf, "c": True}, {"a": Span(-math.inf, math.inf, 3), "c": Span(0.0, 1.0, 4)}),
            spanned(3, {"b": 2**60, "c": False}, {}),
        ]
    )
    found = await read(store, "a", "b", "c", "never")
    assert found.fields["a"] == [2.0, 2.0, -math.inf, None]
    assert found.stats == {
        "a": SpanColumns([1.0, None, -math.inf, None], [3.0, None, math.inf, None], [9, None, 3, None]),
        "b": SpanColumns([7.0, None, None, 2.0**60], [8.5, None, None, 2.0**60], [2, None, None, 1]),
        "c": SpanColumns([1.0, None, 0.0, 0.0], [1.0, None, 1.0, 0.0], [1, None, 4, 1]),
        "never": SpanColumns([None] * 4, [None] * 4, [None] * 4),
    }


async def test_texts_are_counted_only(store: Any) -> None:
    """They have no lowest."""
    await store.insert_parsed([spanned(0, {"t": "x", "u": "y"}, {"t": Span(1.0, 2.0, 3)})])
    found = await read(store, "t", "u")
    assert found.stats == {"t": SpanColumns([None], [None], [3]), "u": SpanColumns([None], [None], [1])}


async def test_only_who_asks_gets_them(store: Any) -> None:
    """With the same samples and fields."""
    await store.insert_parsed([spanned(0, {"a": 2.0}, {"a": Span(1.0, 3.0, 9)})])
    without = await store.history(PEER, ["a"], NOW, NOW)
    assert without == History(NOW, NOW, [100], [NOW], {"a": [2.0]})
    nothing = await store.history(PEER, ["a"], NOW + 1, NOW + 2, stats=True)
    assert nothing == History(NOW + 1, NOW + 2, [], [], {"a": []}, {"a": SpanColumns([], [], [])})


_SPAN = st.tuples(st.floats(allow_nan=False), st.floats(allow_nan=False)).flatmap(
    lambda pair: st.builds(Span, st.just(min(pair)), st.just(max(pair)), st.integers(2, 2**32 - 1))
)
_FIELD = st.tuples(st.floats(allow_nan=False) | st.integers(-(2**60), 2**60), st.none() | _SPAN)
_EXAMPLE = count()


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seconds=st.lists(st.dictionaries(st.text(max_size=3), _FIELD, max_size=5), min_size=1, max_size=6))
async def test_any_second(store: Any, seconds: list[dict[str, tuple[float, Span | None]]]) -> None:
    """Whatever goes in comes out."""
    first = next(_EXAMPLE) * 10
    stats = [{name: span for name, (_, span) in fields.items() if span} for fields in seconds]
    payloads = [{name: value for name, (value, _) in fields.items()} for fields in seconds]
    await store.insert_parsed([spanned(first + i, {**payloads[i]}, stats[i]) for i in range(len(seconds))])
    names = sorted({name for payload in payloads for name in payload})
    ends = NOW + first * 1000, NOW + (first + 9) * 1000
    found = await store.history(PEER, names, *ends, stats=True)
    for name in names:
        expected = [
            astuple(stats[i].get(name, Span(float(payload[name]), float(payload[name]), 1)))
            if name in payload
            else (None,) * 3
            for i, payload in enumerate(payloads)
        ]
        assert list(zip(*found.stats[name], strict=True)) == expected
        assert found.fields[name] == [payload.get(name) for payload in payloads]


@pytest.mark.parametrize("merged", [False, True])
async def test_a_second_read_again_replaces_the_first_reading(
    store: Any, request: pytest.FixtureRequest, merged: bool
) -> None:
    """As it has the same time of receipt the latest insert counts, whole, also after a restart."""
    old = {"a": 1.0, "b": 1.0, "c": 1.0}
    await store.insert_parsed([spanned(i, {**old}, {"a": Span(0.0, 9.0, 5)}) for i in range(4)])
    await store.insert_parsed([spanned(1, {"a": 2.0}, None), spanned(2, {"a": 2.0, "d": 2}, {"a": Span(1, 3, 2)})])
    store = await again(store, request)
    await store.insert_parsed([spanned(2, {"a": 3.0}, {}), spanned(3, {}, {})])
    if merged:
        await merge(store)
        store = await again(store, request)
    found = await read(store, "a", "b", "d")
    await store.close()
    assert found.seq == [100, 101, 102, 103]
    assert found.fields == {"a": [1.0, 2.0, 3.0, None], "b": [1.0, None, None, None], "d": [None] * 4}
    assert found.stats["a"] == SpanColumns([0.0, None, 3.0, None], [9.0, None, 3.0, None], [5, None, 1, None])


async def test_many_readings_of_one_range(store: Any) -> None:
    """Each in inserts of its own: the last one is read, in order and complete."""
    for reading in range(5):
        for first in range(0, 60, 20):
            seconds = range(first, first + 20)
            await store.insert_parsed([sample(i, {"a": float(reading), f"b{reading}": 1}) for i in seconds])
    found = await read(store, "a", "b3", "b4")
    assert found.seq == list(range(100, 160))
    assert found.fields == {"a": [4.0] * 60, "b3": [None] * 60, "b4": [1] * 60}


async def test_raw_rows_without_their_order(store: Any) -> None:
    """All else is as it was."""
    rows = [raw(i, streams=b"\0", order=b"\0\1", times=b"12345678", data=b"xy") for i in range(3)]
    await store.insert_raw(rows)
    assert await store.raw(PEER, NOW, NOW + 9000, order=False) == [replace(row, order=b"") for row in rows]
    assert await store.raw(PEER, NOW, NOW + 9000) == rows
