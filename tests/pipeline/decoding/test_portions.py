"""Rows in portions of so many values."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from duco_rt.body import CanSecond
from duco_rt.pipeline.decoding.columns import columns_of, decode_columns
from duco_rt.pipeline.decoding.multi_packet import NOTHING_OPEN
from duco_rt.pipeline.decoding.portions import portions
from duco_rt.pipeline.decoding.rows import Rows
from duco_rt.pipeline.decoding.whole import whole_rows
from tests.can_seconds import Frame, second_of, seconds
from tests.pipeline.raw_rows import EEC1, ENGINE, PAGES, plan

PLAN = plan()


def rows_of(found: Sequence[CanSecond]) -> list[Rows]:
    """What is decoded of seconds."""
    return whole_rows(PLAN, found, NOTHING_OPEN, Counter())[0]


def busy(frames: int) -> CanSecond:
    """So many Engine frames (3 fields), and one of each of Pages (3), EEC1 (1) and an unknown id."""
    few = [(PAGES, False), (EEC1, True), (999, False)]
    ids = [(ENGINE, False)] * frames + few
    return second_of([Frame(n, "can1", can_id, ext, 0, bytes([n % 251] * 8)) for n, (can_id, ext) in enumerate(ids)])


def test_each_has_its_bound() -> None:
    """A stream is cut, small ones come together, one frame is never cut; frames that nobody reads cost nothing."""
    rows = rows_of([busy(10)])
    # values at most → frames of each portion
    for values_max, expected in {
        1: [1] * 11 + [2],
        6: [2, 2, 2, 2, 2, 3],
        12: [4, 4, 5],
        30: [10, 3],
        1000: [13],
    }.items():
        found = [sum(each.stream.count for each in portion) for portion in portions(PLAN, rows, values_max)]
        assert found == expected, values_max
        for portion in portions(PLAN, rows, values_max):
            for each in portion:
                assert each.data.shape == (each.stream.count, 8) or not each.data.size
    assert list(portions(PLAN, [])) == []


@given(found=st.lists(seconds(), max_size=3), frames=st.integers(0, 20), values_max=st.integers(1, 40))
def test_nothing_changes(found: list[CanSecond], frames: int, values_max: int) -> None:
    """The same samples in the same order, and the same counts."""
    rows = rows_of([*found, busy(frames)] if frames else found)
    at_once, by_portion = Counter[str](), Counter[str]()
    whole = columns_of(decode_columns(PLAN, rows, at_once))
    blocks = [block for some in portions(PLAN, rows, values_max) for block in decode_columns(PLAN, some, by_portion)]
    parted = columns_of(blocks)
    assert at_once == by_portion
    assert whole.keys() == parted.keys()
    for name, (times_us, values) in whole.items():
        assert np.array_equal(times_us, parted[name].times_us)
        assert np.array_equal(values, parted[name].values)
    assert all(block.values.size <= max(values_max, len(block.fields)) for block in blocks)
