"""History as a pyarrow table: every column has one type that holds its values."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from duco_rt.model import History, SpanColumns, Value
from duco_rt.table import history_table


def table(values: list[Value | None]) -> pa.Table:
    """A table with that column `a`."""
    places = list(range(len(values)))
    return history_table(History(0, 9, places, [1000 * n for n in places], {"a": values}))


CASES: list[tuple[list[Value | None], str, list[Value | None]]] = [
    ([], "double", []),
    ([None, None], "double", [None, None]),
    ([1, 2.5, None], "double", [1.0, 2.5, None]),
    ([2**60 + 1, 10**400, -(10**400)], "double", [2.0**60, math.inf, -math.inf]),
    ([True, None, False], "bool", [True, None, False]),
    (["a", None, "ü"], "string", ["a", None, "ü"]),
    ([1, "a", None], "string", ["1", "a", None]),
    ([True, 1.0], "string", ["True", "1.0"]),
]


@pytest.mark.parametrize(("values", "kind", "shown"), CASES)
def test_a_column_takes_the_type_of_its_values(values: list[Value | None], kind: str, shown: list[Value]) -> None:
    """Numbers are float64, all bools bool, all text string; mixed ones are text, absent ones null."""
    column = table(values)["a"]
    assert str(column.type) == kind
    assert column.to_pylist() == shown


def test_time_and_position_come_first() -> None:
    """ts is a time in UTC to the ms, seq a whole number, then the fields as asked for."""
    found = history_table(History(0, 9, [5, 6], [1_700_000_000_123, 0], {"b": [1.0, None], "a": [None, "x"]}))
    assert found.column_names == ["ts", "seq", "b", "a"]
    assert found["ts"].to_pylist()[0] == datetime(2023, 11, 14, 22, 13, 20, 123_000, UTC)
    assert found["seq"].to_pylist() == [5, 6]


@given(st.lists(st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text())))
def test_any_column_can_be_made(values: list[Value | None]) -> None:
    """As many rows as samples, null exactly where one lacks the field."""
    column = table(values)["a"]
    assert [value.is_valid for value in column] == [value is not None for value in values]


def test_what_a_field_did_within_each_second_comes_after_it() -> None:
    """Numbers with their types, null where it is not known."""
    stats = {"a": SpanColumns([0.5, None], [2.0, None], [9, None]), "t": SpanColumns([None] * 2, [None] * 2, [1, 2])}
    found = history_table(History(0, 9, [5, 6], [1, 2], {"a": [1.0, 2.0], "t": ["x", "y"]}, stats))
    assert found.column_names == ["ts", "seq", "a", "a.min", "a.max", "a.count", "t", "t.min", "t.max", "t.count"]
    assert [str(found[f"a.{part}"].type) for part in ("min", "max", "count")] == ["double", "double", "int64"]
    assert found["a.min"].to_pylist() == [0.5, None]
    assert found["t.max"].to_pylist() == [None, None]
    assert found["t.count"].to_pylist() == [1, 2]


@pytest.mark.parametrize("spanned", [False, True])
def test_fields_that_are_called_as_other_columns(spanned: bool) -> None:
    """Each column is there once, and holds its own values."""
    names = ["ts", "field.ts", "a.min", "a", "field.a.min", "seq"]
    values: dict[str, list[Value | None]] = {name: [float(i)] for i, name in enumerate(names)}
    stats = {name: SpanColumns([i + 0.25], [i + 0.5], [i]) for i, name in enumerate(names)} if spanned else {}
    found = history_table(History(0, 9, [7], [8], values, stats))
    assert len(set(found.column_names)) == len(found.column_names) == 2 + len(names) * (4 if spanned else 1)
    fields = [found[name].to_pylist()[0] for name in found.column_names[2 :: 4 if spanned else 1]]
    assert fields == [float(i) for i in range(len(names))]
    assert found["seq"].to_pylist() == [7]
    if spanned:
        assert [found[f"{name}.min"].to_pylist()[0] for name in names] == [i + 0.25 for i in range(len(names))]
        assert found["field.a.min"].to_pylist() == [2.0]
