"""The talk with the engine about buckets, without one; the contract suite has the rest."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from duco_rt.model import History, MeanColumns, Peer, SpanColumns
from duco_rt.transports.store_buckets import Buckets, Request, select_buckets
from duco_rt.transports.store_native import Columns

PEER = Peer("duco", "DUCO_001", "vehicle_can")
ASK = Request(PEER, ["a", "b"], 10_000, 19_999, 5000, means=True)
FLOAT, TEXT = 1, 5


def places(*ts: int) -> Columns:
    """Samples at these times."""
    return {"ts": np.array(ts, np.int64), "seq": np.arange(len(ts), dtype=np.int64)}


def groups(*rows: tuple[int, int, int, float]) -> Columns:
    """Of each bucket, field, count and last value."""
    bucket, field, count, last = (np.array(column) for column in zip(*rows, strict=True))
    one = np.ones(len(rows), np.uint8)
    return {
        "bucket": bucket, "field": field, "count": count, "kinds": one << FLOAT, "kind": one * FLOAT, "num": last,
        "text": [b""] * len(rows), "numbers": count, "total": last * count,
    }  # fmt: skip


def talk(ask: Request, *answers: Columns) -> tuple[list[str], History]:
    """What was asked, and what came of these answers."""
    buckets, asked = Buckets(ask), []
    for answer in answers:
        assert buckets.statement is not None
        asked.append(buckets.statement)
        buckets.take(answer)
    assert buckets.statement is None
    return asked, buckets.found


def test_rows_are_at_the_last_sample_of_their_bucket() -> None:
    """In order of time, whatever the order of the groups; None where a bucket has no group."""
    answer = groups((1, 2, 1, 7.0), (1, 1, 2, 4.0), (0, 1, 1, 3.0))
    asked, found = talk(ASK, places(10_000, 12_000, 15_000, 19_999), answer)
    assert ["FINAL" in statement for statement in asked] == [False, False]
    assert found == History(
        10_000, 19_999, [1, 3], [12_000, 19_999], {"a": [3.0, 4.0], "b": [None, 7.0]},
        means={"a": MeanColumns([3.0, 4.0], [1, 2]), "b": MeanColumns([None, 7.0], [0, 1])},
    )  # fmt: skip


def test_copies_are_collapsed_where_there_are_some() -> None:
    """Both queries are asked in the form that does."""
    double = {"ts": np.array([11_000, 11_000]), "seq": np.array([4, 4])}
    asked, found = talk(ASK, double, places(11_000), groups((0, 1, 1, 3.0)))
    assert ["FINAL" in statement for statement in asked] == [False, True, True]
    assert found.fields == {"a": [3.0], "b": [None]}


def test_copies_that_come_in_between_are_collapsed() -> None:
    """A bucket cannot have a field more often than samples."""
    late = groups((0, 1, 2, 3.0)), places(11_000), groups((0, 1, 1, 3.0))
    asked, found = talk(ASK, places(11_000), *late)
    assert ["FINAL" in statement for statement in asked] == [False, False, True, True]
    assert found.means["a"] == MeanColumns([3.0], [1])


def test_what_comes_in_between_is_left_out() -> None:
    """There is no row for it."""
    _, found = talk(ASK, places(11_000), groups((0, 1, 1, 3.0), (1, 1, 1, 9.0)))
    assert (found.ts, found.fields["a"]) == ([11_000], [3.0])


@pytest.mark.parametrize(("stats", "means"), [(False, False), (True, False), (False, True), (True, True)])
def test_answers_without_rows(stats: bool, means: bool) -> None:
    """An engine gives no columns then: no sample at all, and samples without the fields."""
    ask = ASK._replace(stats=stats, means=means)
    for answers, count in ((({},), 0), ((places(11_000), {}), 1)):
        asked, found = talk(ask, *answers)
        assert len(asked) == len(answers)
        none: list[Any] = [None] * count
        assert found.fields == {"a": none, "b": none}
        assert found.stats == (dict.fromkeys("ab", SpanColumns(none, none, none)) if stats else {})
        assert found.means == (dict.fromkeys("ab", MeanColumns(none, [0] * count)) if means else {})


def test_only_what_is_asked_for_is_read() -> None:
    """The columns of spans are as large as those of the values."""
    assert "value.min" not in select_buckets(ASK)
    assert "value.min" in select_buckets(ASK._replace(stats=True))
    assert "(ts, seq)" not in select_buckets(ASK, equal_times=False)


def test_names_are_literals() -> None:
    """As in every query."""
    text = select_buckets(ASK._replace(fields=["a') OR 1"], from_ms=-7, database="d"))
    assert "') OR" not in text
    assert "FROM d.ce_technology ARRAY JOIN" in text
    assert "ts - (-5000)" in text and "ts >= -7 AND ts <= 19999" in text
