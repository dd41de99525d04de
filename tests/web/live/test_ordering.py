"""Samples in the order of seq, whatever several ingestors make of it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from duco_rt.web.live.ordering import Ordering


def due(order: Ordering[str]) -> float | None:
    """When something has waited long enough; a call, as it changes with each sample."""
    return order.due_s


def test_neighbours_that_swapped() -> None:
    """The later one waits for the earlier; nothing waits where nothing is missing."""
    order: Ordering[str] = Ordering(0.5)
    assert order.add(7, "7", 0.0) == ["7"]
    assert order.add(9, "9", 1.0) == []
    assert due(order) == 1.5
    assert order.add(8, "8", 1.1) == ["8", "9"]
    assert due(order) is None
    assert order.add(10, "10", 2.0) == ["10"]


def test_what_does_not_come_is_given_up() -> None:
    """After the wait the next goes on over the hole; what comes later still is left to the history, counted."""
    order: Ordering[str] = Ordering(0.5)
    order.add(1, "1", 0.0)
    assert order.add(3, "3", 1.0) == []
    assert order.add(6, "6", 1.2) == []
    assert order.give_up(1.4) == []
    assert order.give_up(1.5) == ["3"]
    assert order.due_s == 1.7
    assert order.add(2, "2", 1.6) == []
    assert order.late == 1
    assert order.give_up(1.7) == ["6"]
    assert order.add(6, "6 again", 2.0) == []
    assert order.late == 2


def test_without_seq_nothing_waits() -> None:
    """A message of another publisher goes on at once."""
    order: Ordering[str] = Ordering(0.5)
    order.add(1, "1", 0.0)
    order.add(3, "3", 0.0)
    assert order.add(None, "x", 0.1) == ["x"]


def test_a_machine_that_lost_its_memory_begins_anew() -> None:
    """A step far back is no late sample; what was held goes before it."""
    order: Ordering[str] = Ordering(0.5)
    order.add(10_000, "a", 0.0)
    order.add(10_002, "b", 0.0)
    assert order.add(9_000, "c", 0.1) == ["b", "c"]
    assert order.add(9_001, "d", 0.2) == ["d"]


def test_a_spool_that_drains_is_late() -> None:
    """Seconds from far back between those of now are the store's, however many come; the order goes on."""
    order: Ordering[str] = Ordering(0.5)
    for second in range(60):
        assert order.add(10_000 + second, "now", float(second), 10_000_000 + second * 1000) == ["now"]
        for old in range(20):
            seq = 5000 + second * 20 + old
            assert order.add(seq, "old", second + old / 50, seq * 1000) == []
    assert order.late == 1200


def test_lost_memory_is_told_from_a_spool() -> None:
    """By time that went on; by a clock that was lost, too; by the pace of live samples where it was only set back."""
    for ts_ms in (10_001_000, 0):
        order: Ordering[str] = Ordering(0.5)
        order.add(10_000, "a", 0.0, 10_000_000 if ts_ms else 1_700_000_000_000)
        assert order.add(100, "b", 1.0, ts_ms) == ["b"]
    order = Ordering(0.5)
    order.add(10_000, "a", 0.0, 10_000_000)
    shown = [order.add(100 + at, "b", 1.0 + at, 9_000_000 + at * 1000) for at in range(13)]
    assert shown == [[]] * 10 + [["b"]] * 3


def test_no_wait_at_all() -> None:
    """With 0 s everything newer goes on at once."""
    order: Ordering[str] = Ordering(0)
    assert [order.add(seq, str(seq), 0.0) for seq in (1, 3, 2, 4)] == [["1"], ["3"], [], ["4"]]


@given(st.permutations(range(30)), st.lists(st.sampled_from([0.0, 0.1, 0.3, 0.6]), min_size=30, max_size=30))
def test_any_order(seqs: list[int], steps: list[float]) -> None:
    """What goes on is always ascending; every sample goes on once or is counted; none waits longer than told."""
    order: Ordering[tuple[int, float]] = Ordering(0.5)
    now_s, out = 0.0, []
    for seq, step_s in zip(seqs, steps, strict=True):
        now_s += step_s
        while (due_s := order.due_s) is not None and due_s <= now_s:
            given_up = order.give_up(due_s)
            assert given_up
            assert due_s - given_up[0][1] <= 0.5 + 1e-9
            out += given_up
        out += order.add(seq, (seq, now_s), now_s)
    out += order.give_up(now_s + 1.0)
    numbers = [seq for seq, _ in out]
    assert numbers == sorted(set(numbers))
    assert len(numbers) + order.late == 30


def test_a_burst_after_a_hole_is_bounded() -> None:
    """However many come within the wait, at most 64 are held."""
    order: Ordering[int] = Ordering(10)
    order.add(0, 0, 0.0)
    out = [seq for seq in range(2, 200, 2) for seq in order.add(seq, seq, 0.0)]
    assert out == list(range(2, 2 * (99 - 64) + 1, 2))
