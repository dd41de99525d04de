"""Stored rows to CAN seconds."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from duco_rt.model import RawSecond
from duco_rt.pipeline.raw_seconds import can_seconds
from tests.can_seconds import TS_MS, Frame, frames_in, same, second_of
from tests.pipeline.raw_rows import rows_of_second

FRAME = Frame(0, "can1", 1, False, 0, bytes(8))


def parted() -> list[RawSecond]:
    """The rows of second 2, in three parts."""
    return rows_of_second(second_of([FRAME._replace(can_id=n) for n in (1, 2, 3)], TS_MS + 2000, 2), 70)


def test_seconds_are_whole() -> None:
    """Parts come together; one that lacks takes only its own frames away."""
    frames = [Frame(n, "can1", can_id, False, 0, bytes(8)) for n, can_id in enumerate([1, 2, 3, 1, 2, 3])]
    rows = rows_of_second(second_of(frames), 100)
    assert len(rows) == 3
    [(whole, received_ms)] = can_seconds(rows, problems := Counter[str]())
    assert same(whole, second_of(frames)) and received_ms == rows[0].received_ms
    [(less, _)] = can_seconds(rows[1:], problems)
    assert [frame.can_id for frame in frames_in(less)] == [2, 3, 2, 3]
    assert not problems


def test_a_second_that_may_lack_parts_is_left_out() -> None:
    """Where that is asked for, and counted; the whole ones around it are not."""
    rows = parted()
    there = {
        "all": (rows, True),
        "no first": (rows[1:], False),
        "no last": (rows[:2], False),
        "the first alone": (rows[:1], False),
        "the last alone": (rows[2:], False),
        "of an older version": ([replace(row, parts=0) for row in rows], False),
        "one of an older version": ([replace(rows[0], parts=0), *rows[1:]], True),
        "of two cuts": ([replace(rows[0], parts=2), *rows[1:]], False),
        "one that cannot be read": ([*rows[:2], replace(rows[2], data=b"")], False),
    }
    around = [replace(rows_of_second(second_of([FRAME], TS_MS + 1000 * n, n))[0], parts=n % 2) for n in (0, 1, 3)]
    for case, (found, is_whole) in there.items():
        problems = Counter[str]()
        seconds = can_seconds([*around[:2], *found, around[2]], problems, whole=True)
        assert [second.seq for second, _ in seconds] == ([0, 1, 2, 3] if is_whole else [0, 1, 3]), case
        assert problems["incomplete_second"] == (not is_whole), case
        assert problems["unread_body"] == ("cannot" in case), case


@given(st.sets(st.integers(0, 2)))
def test_every_set_of_parts(there: set[int]) -> None:
    """All of them, or none."""
    seconds = list(can_seconds([parted()[n] for n in sorted(there)], problems := Counter[str](), whole=True))
    assert len(seconds) == (there == {0, 1, 2})
    assert problems["incomplete_second"] == (0 < len(there) < 3)
