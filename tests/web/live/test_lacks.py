"""Holes that viewers were told of."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from duco_rt.web.live.lacks import KEEP_S, Hole, Lacks, hole_between


def test_asked_for_again_and_again_but_not_for_ever() -> None:
    """With growing pauses, for five minutes."""
    lacks: Lacks[str] = Lacks()
    hole = Hole(3, 5, 0, 9)
    lacks.add("a", hole, 0.0)
    assert lacks.due(0.9) == {}
    asked = []
    while (due_s := lacks.due_s) is not None:
        if lacks.due(due_s):
            asked.append(due_s)
    assert asked[:4] == [1.0, 2.0, 4.0, 8.0]
    assert max(b - a for a, b in itertools.pairwise(asked)) == 30.0
    assert asked[-1] < KEEP_S


def test_what_was_not_told_is_no_hole() -> None:
    """A viewer that fell behind is told in its turn; one that left lacks nothing."""
    lacks: Lacks[str] = Lacks()
    for at in (10, 20):
        lacks.add("a", Hole(at, at + 1, 0, 9), 0.0)
    lacks.untold("a", 15)
    assert [lacks.fill("a", seq) for seq in (10, 20)] == [True, False]
    lacks.forget("a")
    assert not lacks.fill("a", 11)
    assert lacks.due_s is None


def test_the_oldest_of_very_many_goes() -> None:
    """At most 64 a viewer."""
    lacks: Lacks[str] = Lacks()
    for at in range(0, 200, 2):
        lacks.add("a", Hole(at, at, 0, 9), 0.0)
    assert [seq for seq in range(200) if lacks.fill("a", seq)] == list(range(72, 200, 2))


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 5)), max_size=8), st.lists(st.integers(0, 120)))
def test_filled_once(parts: list[tuple[int, int]], seqs: list[int]) -> None:
    """Exactly the positions that were told, each once, in any order."""
    lacks: Lacks[str] = Lacks()
    told: set[int] = set()
    at = 0
    for skip, length in parts:
        at += skip + 1
        lacks.add("a", Hole(at, at + length, 0, 9), 0.0)
        told |= set(range(at, at + length + 1))
        at += length + 1
    filled = [seq for seq in seqs if lacks.fill("a", seq)]
    assert len(filled) == len(set(filled))
    assert set(filled) == told & set(seqs)
    assert (lacks.due_s is None) == (told <= set(seqs))


def test_a_hole_in_the_machine_s_time() -> None:
    """Between the samples around it, not longer than is asked for; wider where the clock stepped back."""
    assert hole_between(3, 4, 1000, 9000, 600_000) == Hole(3, 4, 1000, 9000)
    assert hole_between(3, 4, 1000, 9000, 5000) == Hole(3, 4, 4000, 9000)
    assert hole_between(3, 4, 100_000, 90_000, 600_000) == Hole(3, 4, 30_000, 160_000)
    assert hole_between(3, 4, 1_700_000_000_000, 0, 600_000).to_ms == 1_700_000_060_000
