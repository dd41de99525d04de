"""Stored rows to CAN seconds."""

from __future__ import annotations

from collections import Counter

from duco_rt.pipeline.raw_seconds import Needed, can_seconds
from tests.can_seconds import Frame, frames_in, same, second_of
from tests.pipeline.raw_rows import EEC1, ENGINE, PAGES, plan, rows_of_second


def test_only_what_is_needed_is_taken() -> None:
    """The frames of messages that have the fields, in every part."""
    frames = [
        Frame(n, "can1", can_id, can_id > 0x7FF, 0, bytes([n]) * 8)
        for n, can_id in enumerate([ENGINE, PAGES, 1, 2, EEC1, ENGINE])
    ]
    needed = Needed(plan().only(["rpm"]))
    for part_bytes in (1_000_000, 100):
        [(second, _)] = can_seconds(
            rows_of_second(second_of(frames), part_bytes), problems := Counter[str](), needed.unpack
        )
        assert [(s.can_id, s.count) for s in second.streams] == [(ENGINE, 2)]
        assert (second.times_us.tolist(), second.data) == ([0, 5], frames[0].data + frames[5].data)
        assert not problems


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
