"""Every value of every field as columns."""

from __future__ import annotations

from collections import Counter

import numpy as np

from duco_rt.body import ERROR, REMOTE
from duco_rt.pipeline.decoding.columns import Block, Column, columns_of, decode_columns
from duco_rt.pipeline.decoding.plan import Plan
from duco_rt.pipeline.decoding.rows import rows_of
from tests.can_seconds import TS_MS, Frame, second_of
from tests.dbc_texts import J1939_TAIL, dbc_text, plan_of

MUX = dbc_text("256 M 2\npage M : 0|8@1+ (1,0)\na m0 : 8|8@1+ (1,0)\nb m1 : 8|8@1+ (1,0)")
ENGINE = dbc_text("2364540158 EEC1 8\nrpm : 24|16@1+ (0.125,0)", tail=J1939_TAIL)

Plain = dict[str, list[tuple[int, float]]]


def plain(columns: dict[str, Column]) -> Plain:
    """Times from the second's begin, and values."""
    base_us = TS_MS * 1000
    return {field: list(zip((t - base_us).tolist(), v.tolist(), strict=True)) for field, (t, v) in columns.items()}


def columns(plan: Plan, *frames: Frame) -> tuple[Plain, dict[str, int]]:
    """The columns of a second of these frames, and the problems."""
    problems: Counter[str] = Counter()
    blocks = decode_columns(plan, rows_of([second_of(frames)]), problems)
    for block in blocks:
        assert block.values.shape == (len(block.fields), len(block.times_us))
        assert block.times_us.dtype == np.int64 and block.values.dtype == np.float64
    return plain(columns_of(blocks)), dict(problems)


def frame(time_us: int, data: bytes, can_id: int = 256, *, flags: int = 0) -> Frame:
    """A frame, of 29 bits where the id needs it."""
    return Frame(time_us, "c", can_id, can_id > 0x7FF, flags, data)


def test_pages_have_times_of_their_own() -> None:
    """What is on a page is there only where a frame has the page; an unknown one has the multiplexer alone."""
    found, problems = columns(
        plan_of(MUX), *(frame(t, data) for t, data in enumerate((b"\0\7", b"\1\5", b"\0\6", b"\x09\1")))
    )
    assert found == {"page": [(0, 0), (1, 1), (2, 0), (3, 9)], "a": [(0, 7), (2, 6)], "b": [(1, 5)]}
    assert problems == {}


def test_streams_of_one_field_are_joined_by_time() -> None:
    """Two senders, and frames of another length; what is not available has no row."""
    data = {n: bytes([0, 0, 0, *(8 * n).to_bytes(2, "little"), 0, 0, 0]) for n in range(5)}
    rows = [
        frame(40, data[4], 0x0CF00400),
        frame(10, data[1], 0x0CF00401),
        frame(20, b"\xff" * 8, 0x0CF00401),
        frame(30, data[3] + b"\0", 0x0CF00401),
        frame(40, data[2], 0x0CF00401),
    ]
    found, _ = columns(plan_of(ENGINE), *rows)
    assert found == {"rpm": [(10, 1), (30, 3), (40, 4), (40, 2)]}


def test_a_field_without_any_value_has_no_column() -> None:
    """Nor has an empty second."""
    assert columns(plan_of(ENGINE), frame(1, b"\xff" * 8, 0x0CF00400)) == ({}, {})
    assert columns(plan_of(ENGINE)) == ({}, {})
    assert columns_of([]) == {}


def test_problems_are_counted() -> None:
    """By kind, as in the reading of last values."""
    rows = [frame(1, b"\0"), frame(2, b"", 9), frame(3, b"\0\1", flags=ERROR), frame(4, b"", flags=REMOTE)]
    assert columns(plan_of(MUX), *rows) == ({}, {"short_frame": 1, "unknown_id": 1, "error_frame": 1})


def test_times_that_go_back_are_put_in_order() -> None:
    """Within one stream as over several; equal ones stay as they came."""
    times, values = np.array([3, 1, 2, 2]), np.array([[30.0, 10.0, 20.0, 21.0]])
    (column,) = columns_of([Block(("a",), times, values)]).values()
    assert (column.times_us.tolist(), column.values.tolist()) == ([1, 2, 2, 3], [10, 20, 21, 30])


def test_blocks_are_not_changed() -> None:
    """Columns may share memory with blocks that are in order already."""
    times, values = np.array([2, 1]), np.array([[1.0, np.nan], [3.0, 4.0]])
    found = columns_of([Block(("a", "b"), times, values)])
    assert times.tolist() == [2, 1] and np.isnan(values[0, 1])
    assert found["a"].values.tolist() == [1] and found["b"].values.tolist() == [4, 3]
