"""Questions to the store."""

from __future__ import annotations

from duco_rt.web.live.asking import Asking
from duco_rt.web.live.field_lists import field_list
from duco_rt.web.live.lacks import Hole
from duco_rt.web.live.place import Phase, Place
from duco_rt.web.live.recent import Recent

A, B = field_list(["a"]), field_list(["b"])


def place(since: int, window_s: float = 60.0) -> Place:
    """A viewer on its way."""
    return Place(since, round(window_s * 1000), Phase.ASK, 0.0)


def test_one_question_a_list() -> None:
    """From where the earliest of its viewers is, up to the ring; the next one after the answer."""
    asking: Asking[str] = Asking()
    recent = Recent(9.0, 999)
    recent.add(7, 100_000, b"", 0, 0.0)
    waiting = [(A, place(1, 60.0)), (B, place(1, 30.0)), (A, place(1, 90.0))]
    first, second = asking.for_places(waiting, recent)
    assert (first.fields, first.from_ms, first.to_ms) == (A, 10_000, 100_000)
    assert (second.fields, second.from_ms, second.to_ms) == (B, 70_000, 100_000)
    assert asking.for_places(waiting, recent) == []
    assert asking.close(first).places == [waiting[0][1], waiting[2][1]]
    assert (asking.is_open(A), asking.is_open(B)) == (False, True)


def test_without_live_data_the_machine_s_clock_is_asked() -> None:
    """Nothing is known of its time: the window counts from what the store knows as now."""
    asking: Asking[str] = Asking()
    (question,) = asking.for_places([(A, place(1))], Recent(9.0, 999))
    assert (question.from_ms, question.to_ms, question.window_ms) == (None, None, 60_000)


def test_holes_of_many_viewers_are_one_question() -> None:
    """From the earliest to the latest; they do not keep a place of the same list waiting."""
    asking: Asking[str] = Asking()
    holes = {"x": (A, [Hole(1, 2, 5, 6)]), "y": (A, [Hole(3, 4, 2, 4), Hole(8, 9, 7, 9)]), "z": (B, [Hole(1, 1, 1, 3)])}
    first, second = asking.for_holes(holes, 100)
    assert (first.fields, first.from_ms, first.to_ms, second.fields) == (A, 2, 9, B)
    assert not asking.is_open(A)
    assert list(asking.close(first).viewers) == ["x", "y"]


def test_a_clock_that_was_set_makes_no_endless_question() -> None:
    """Not further back than the window, whatever the machine's times are; holes far apart are asked for apart."""
    for times in ((1_700_000_000_000, 1000), (1000, 1_700_000_000_000)):
        asking: Asking[str] = Asking()
        recent = Recent(9.0, 999)
        for seq, ts_ms in enumerate(times):
            recent.add(seq, ts_ms, b"", 0, 0.0)
        (question,) = asking.for_places([(A, place(0))], recent)
        assert (question.from_ms, question.to_ms) == (times[0] - 60_000, times[0])
    holes = {"x": (A, [Hole(1, 2, 0, 1000), Hole(3, 4, 1_700_000_000_000, 1_700_000_001_000)])}
    first, second = asking.for_holes(holes, 600_000)
    assert (first.to_ms, second.from_ms) == (1000, 1_700_000_000_000)
