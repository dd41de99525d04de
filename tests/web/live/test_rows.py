"""Columns of the store as live samples: what went into the store as a live message comes out as one."""

from __future__ import annotations

import json
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from duco_rt.model import History, SpanColumns
from duco_rt.web.live.rows import samples_of
from duco_rt.web.live.samples import UNKNOWN, read_sample

VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**53), 2**53), st.floats(allow_nan=False, allow_infinity=False), st.text()
)
ROWS = st.lists(st.dictionaries(st.sampled_from(["a", "b", 'q"\n']), VALUES), max_size=5)


@given(rows=ROWS)
def test_values_are_those_of_the_store(rows: list[dict[str, Any]]) -> None:
    """Each in its row, as JSON text of the same value and type; None is absent; the order stays."""
    names = ["a", "b", 'q"\n']
    columns = {name: [row.get(name) for row in rows] for name in names}
    history = History(0, 9, list(range(7, 7 + len(rows))), [10 * n for n in range(len(rows))], columns)
    samples = samples_of(history)
    assert [(sample.seq, sample.ts_ms) for sample in samples] == [(7 + n, 10 * n) for n in range(len(rows))]
    for row, sample in zip(rows, samples, strict=True):
        found = {name: json.loads(bytes(text)) for name, text in sample.payload.items()}
        wanted = {name: value for name, value in row.items() if value is not None}
        assert found == wanted
        assert {name: type(value) for name, value in found.items()} == {n: type(v) for n, v in wanted.items()}
        assert sample.stats == UNKNOWN


def test_spans_are_those_of_a_live_message() -> None:
    """As texts that `Sample.spans` reads; a row that the store was told nothing of has none of the field."""
    stats = {"a": SpanColumns([1, None], [2.5, None], [3, None]), "b": SpanColumns([0, 0], [0, 1], [2, 4])}
    history = History(0, 9, [1, 2], [1000, 2000], {"a": [2, 3], "b": [0, 1]}, stats)
    first, second = samples_of(history)
    message = {"payload": {"a": 2, "b": 0}, "ts": 1000, "seq": 1, "stats": {"a": [1, 2.5, 3], "b": [0, 0, 2]}}
    assert first.spans() == read_sample(msgspec.json.encode(message), 0).spans()
    message |= {"stats": {"b": [0, 1, 4]}}
    assert second.spans() == read_sample(msgspec.json.encode(message), 0).spans()


def test_nothing_is_nothing() -> None:
    """No rows, no samples; rows of no fields are samples without any."""
    assert samples_of(History(0, 9, [], [], {"a": []}, {"a": SpanColumns([], [], [])})) == []
    assert [sample.payload for sample in samples_of(History(0, 9, [1], [5], {}))] == [{}]
