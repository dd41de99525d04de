"""Samples to columns and back, without a server; the contract suite has the rest."""

from __future__ import annotations

import math
from enum import IntEnum
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from duco_rt.errors import TransportError
from duco_rt.model import History, Peer, Sample, Span, SpanColumns, Stats, Value
from duco_rt.transports import store_parsed
from duco_rt.transports.store_native import Columns, read_blocks

PEER = Peer("duco", "DUCO_001", "vehicle_can")


def sample(i: int, payload: dict[str, Any], stats: Stats | None = None) -> Sample:
    """The sample of second i."""
    return Sample(PEER, i, i, i, payload, stats)


def columns(samples: list[Sample], values_max: int = 1000) -> Columns:
    """What the table holds."""
    return read_blocks(b"".join(store_parsed.parsed_blocks(samples, values_max)))


def read(samples: list[Sample], fields: list[str], values_max: int = 1000) -> History:
    """The history of the fields, which are all that there are; the query is done by hand."""
    found = columns(samples, values_max)
    answer = {name.removeprefix("value."): column for name, column in found.items()}
    answer["field"] = np.array(
        [fields.index(name.decode("utf-8", "surrogatepass")) + 1 for name in found["value.name"]]
    )
    answer["field.size"] = found["value.name.size"]
    return store_parsed.history(answer, fields, 0, 9, stats=True)


def test_values_of_samples_are_arrays() -> None:
    """NaN is left out, text is kept where a float cannot hold the value."""
    mixed: dict[str, Any] = {"a": True, "n": float("nan"), "i": 2**60, "s": "x", "f": 1}
    found = columns([sample(i, payload) for i, payload in enumerate([{"a": 1.5, "b": 2.5}, {}, mixed])])
    assert found["value.name.size"].tolist() == [2, 0, 4]
    assert found["value.name"] == [b"a", b"b", b"a", b"i", b"s", b"f"]
    assert found["value.kind"].tolist() == [1, 1, 4, 3, 5, 2]
    assert found["value.num"].tolist() == [1.5, 2.5, 1.0, 0.0, 0.0, 1.0]
    assert found["value.text"] == [b"", b"", b"", b"1152921504606846976", b"x", b""]
    assert found["value.count"].tolist() == [0] * 6
    assert found["chassisId"] == [b"DUCO_001"] * 3


def test_a_span_that_equals_the_last_value_is_stored_as_nan() -> None:
    """So that it takes no room; a NaN that somebody else made is never one of several values."""
    payload: dict[str, Any] = {"a": 2.0, "b": 2.0, "c": 7, "t": "x", "n": math.nan, "once": 5, "bad": 1.0, "less": 1.0}
    payload["big"] = 2**60
    stats = {
        "a": Span(1.0, 2.0, 3), "b": Span(2.0, 4.0, 2**40), "c": Span(7, 7, 2), "t": Span(0, 0, 4),
        "n": Span(1.0, 1.0, 2), "bad": Span(math.nan, 1.0, 4), "less": Span(1.0, 2.0, 0), "big": Span(0.0, 9.0, 2),
        "other": Span(1, 2, 3),
    }  # fmt: skip
    found = columns([sample(0, payload, stats)])
    assert found["value.name"] == [b"a", b"b", b"c", b"t", b"once", b"bad", b"less", b"big"]
    assert str(found["value.min"].tolist()) == "[1.0, nan, nan, nan, nan, nan, nan, 0.0]"
    assert str(found["value.max"].tolist()) == "[nan, 4.0, nan, nan, nan, nan, nan, 9.0]"
    assert found["value.count"].tolist() == [3, 2**32 - 1, 2, 4, 1, 0, 0, 2]


def test_blocks_are_split_by_values() -> None:
    """Between samples; a large sample is a block of its own."""
    samples = [sample(i, {f"f{k}": 1.0 for k in range(9)}) for i in range(5)]
    for values_max, blocks in ((1, 5), (10, 5), (20, 3), (50, 1), (10**6, 1)):
        assert len(list(store_parsed.parsed_blocks(samples, values_max))) == blocks
    assert list(store_parsed.parsed_blocks([], 1)) == []


class _Gear(IntEnum):
    REVERSE = -1


CASES: list[tuple[Any, Value]] = [
    (np.float64(1.5), 1.5), (_Gear.REVERSE, -1), (2**53, 2**53), (-(2**53), -(2**53)), (2**53 + 1, 2**53 + 1),
    (-(2**53) - 1, -(2**53) - 1), (2**63, 2**63), (10**400, 10**400), (-(10**400), -(10**400)), (True, True),
    (0, 0), ("\ud800", "\ud800"), ("", ""), (math.inf, math.inf),
]  # fmt: skip


@pytest.mark.parametrize("beside", [{}, {"b": 1, "c": 2.5}, {"b": math.nan}, {"b": None, "c": "x"}, {"b": 10**400}])
@pytest.mark.parametrize(("value", "shown"), CASES)
def test_a_value_keeps_its_type_whatever_is_beside_it(value: Any, shown: Value, beside: dict[str, Any]) -> None:
    """Also a type that derives from one of the usual."""
    found = read([sample(0, {**beside, "a": value}), sample(1, {"c": 5, **beside})], ["a", "b", "c"])
    assert found.fields["a"] == [shown, None]
    assert type(found.fields["a"][0]) is type(shown)


def test_no_value_is_an_error_that_names_it() -> None:
    """Not the field beside it."""
    with pytest.raises(TransportError, match=r"'b' of .*DUCO_001.*: bytes is no value"):
        columns([sample(0, {"a": None, "c": math.nan}), sample(1, {"a": 1.0, "b": b"bytes"})])


@pytest.mark.parametrize("span", [(10**400, 10**401, 2), ("x", 1, 2), (1.0, None, 2), None])
def test_a_span_that_is_none_is_not_known(span: Any) -> None:
    """The other ones are."""
    stats = {"a": span and Span(*span), "b": Span(0.0, 2.0, 2)}
    found = read([sample(0, {"a": 1.0, "b": 1.0}, stats)], ["a", "b"])
    assert found.fields == {"a": [1.0], "b": [1.0]}
    assert found.stats == {"a": SpanColumns([None], [None], [None]), "b": SpanColumns([0.0], [2.0], [2])}


_VALUE = st.floats() | st.integers() | st.booleans() | st.text(max_size=3) | st.none()
_SPAN = st.builds(Span, st.floats(allow_nan=False), st.floats(allow_nan=False), st.integers(2, 2**32 - 1))
_FIELD = st.sampled_from("abcdef")
_STATS = st.none() | st.dictionaries(_FIELD, _SPAN)
_SECONDS = st.lists(st.tuples(st.dictionaries(_FIELD, _VALUE), _STATS), max_size=8)


def _expected(value: Any, stats: Stats | None, name: str) -> tuple[Any, Any, Any]:
    if value is None or value != value or stats is None:
        return None, None, None
    span = stats.get(name, Span(value, value, 1))
    if isinstance(value, str):
        return None, None, span.count
    try:
        return float(span.min), float(span.max), span.count
    except OverflowError:
        return math.copysign(math.inf, span.min), math.copysign(math.inf, span.max), span.count


@given(seconds=_SECONDS, values_max=st.integers(1, 20))
def test_any_samples(seconds: list[tuple[dict[str, Any], Stats | None]], values_max: int) -> None:
    """Values and what they did come back, in any mixture and any blocks."""
    fields = [*"abcdef"]
    found = read([sample(i, *second) for i, second in enumerate(seconds)], fields, values_max) if seconds else None
    for name in fields if found else []:
        assert found is not None
        values = [payload.get(name) for payload, _ in seconds]
        kept = [None if value != value else value for value in values]
        assert [(type(v), v) for v in found.fields[name]] == [(type(v), v) for v in kept]
        spans = [_expected(value, stats, name) for value, (_, stats) in zip(values, seconds, strict=True)]
        assert list(zip(*found.stats[name], strict=True)) == spans


def test_answers_without_rows() -> None:
    """They have no columns at all."""
    assert store_parsed.history({}, ["a"], 1, 2) == History(1, 2, [], [], {"a": []})
    assert store_parsed.history({}, ["a"], 1, 2, stats=True).stats == {"a": SpanColumns([], [], [])}
    assert not store_parsed.has_copies({})
