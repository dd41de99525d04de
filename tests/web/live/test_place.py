"""A viewer's way from the store over the ring to live."""

from __future__ import annotations

from duco_rt.web.live.place import PATIENCE_S, Gap, Phase, Place, Row
from duco_rt.web.live.recent import Entry, Recent
from tests.web.live.simulation import BASE_MS, message_of, sample_of


def ring(*seqs: int, bytes_max: int = 10_000) -> Recent:
    """With samples of these seconds."""
    recent = Recent(1000.0, bytes_max)
    for seq in seqs:
        recent.add(seq, BASE_MS + seq * 1000, message_of(seq), 0, float(seq))
    return recent


def rows(*seqs: int) -> list[Row]:
    """Of the store."""
    return [Row(seq, BASE_MS + seq * 1000, sample_of(seq), {}) for seq in seqs]


def given_to(place: Place, recent: Recent, now_s: float) -> list[object]:
    """Positions, and gaps as (from, to, reason)."""
    return [
        (item.hole.from_seq, item.hole.to_seq, item.reason) if isinstance(item, Gap) else item.seq
        for item in place.items(recent, now_s)
    ]


def test_an_old_hole_is_told_at_once_a_young_one_is_waited_for() -> None:
    """The store may still be writing what is a few seconds old."""
    place = Place(1, 60_000, Phase.ASK, 0.0)
    place.answered(rows(2, 4, 20, 22), 0.0)
    assert given_to(place, ring(), 0.0) == [2, (3, 3, "missing"), 4]
    assert place.due_s == PATIENCE_S
    place.answered(rows(19, 20, 21, 22), 0.3)
    assert given_to(place, ring(), PATIENCE_S) == [(5, 18, "missing"), 19, 20, 21, 22]
    assert place.due_s is None


def test_live_data_that_begins_later_is_joined() -> None:
    """Without live data it waits; the first sample gives it new patience for what lies between."""
    place = Place(None, 60_000, Phase.ASK, 0.0)
    place.answered(rows(2, 3), 0.0)
    assert given_to(place, ring(), 0.0) == [2, 3]
    recent = ring(50)
    place.meet_ring(recent, 50.0)
    assert given_to(place, recent, 50.0) == []
    assert (place.phase, place.due_s) == (Phase.ASK, 50.0 + PATIENCE_S)
    assert given_to(place, recent, 52.9) == []
    assert not place.wake(52.9)
    assert place.wake(53.0)
    assert not place.wake(53.0)
    assert given_to(place, recent, 53.0) == [(4, 49, "missing"), 50]
    assert place.is_done(recent)


def test_an_old_second_out_of_a_spool_is_no_new_numbering() -> None:
    """Though it is all that the ring has yet: the viewer keeps its place, and gets none of it."""
    place = Place(None, 60_000, Phase.ASK, 0.0)
    place.answered(rows(1000, 1001), 0.0)
    assert given_to(place, ring(), 0.0) == [1000, 1001]
    recent = ring(350)
    place.meet_ring(recent, 1.0)
    assert given_to(place, recent, 9.0) == []
    for seq in (351, 1001, 1002):
        recent.add(seq, BASE_MS + seq * 1000, message_of(seq), 0, 10.0)
    assert given_to(place, recent, 10.0) == [1002]
    assert place.is_done(recent)


def test_a_ring_that_went_on_without_it() -> None:
    """What was overwritten before the viewer read it counts as slow."""
    recent = ring(1, 2)
    place = Place(1, 60_000, Phase.WAIT, 0.0)
    assert given_to(place, recent, 2.0) == [2]
    lapped = ring(*range(1, 40), bytes_max=500)
    assert given_to(place, lapped, 40.0)[0] == (3, lapped.first, "slow")


def test_interrupted_anywhere_it_goes_on_there() -> None:
    """Each item counts as given when it is taken, so a viewer may be given one at a time."""
    recent, out = ring(8, 10), list[object]()
    place = Place(1, 60_000, Phase.ASK, 0.0)
    place.meet_ring(recent, 0.0)
    place.answered(rows(2, 4, 5), 10.0)
    while (item := next(place.items(recent, 20.0), None)) is not None:
        out.append("gap" if isinstance(item, Gap) else item.seq)
    assert out == [2, "gap", 4, 5, "gap", 8, "gap", 10]


def test_a_new_numbering_in_the_store() -> None:
    """Rows that begin anew far below are no doubles."""
    place = Place(None, 60_000, Phase.ASK, 0.0)
    low = [Row(seq, BASE_MS + 8_002_000 + seq * 1000, sample_of(seq), {}) for seq in (5, 6)]
    place.answered([*rows(8000, 8001), *low], 0.0)
    assert given_to(place, ring(), 0.0) == [8000, 8001, 5, 6]


def test_publishers_without_positions() -> None:
    """They have the ring alone, from the window on."""
    recent = Recent(1000.0, 10_000)
    for at in range(5):
        recent.add(None, at * 1000, b"{}", 0, 0.0)
    place = Place(None, 2000, Phase.ASK, 0.0)
    place.answered([], 0.0)
    taken = [item for item in place.items(recent, 0.0) if isinstance(item, Entry)]
    assert [item.ts_ms for item in taken] == [2000, 3000, 4000]
    assert place.is_done(recent)


def test_an_empty_store_may_be_late_with_everything() -> None:
    """While it has nothing at all the ring is not taken for the beginning, as long as patience lasts."""
    recent = ring(11, 12)
    place = Place(None, 60_000, Phase.ASK, 0.0)
    place.meet_ring(recent, 0.0)
    place.answered([], 0.0)
    assert given_to(place, recent, 0.0) == []
    place.answered(rows(8, 9, 10), 1.0)
    assert given_to(place, recent, 1.0) == [8, 9, 10, 11, 12]


def test_the_window_is_the_viewer_s_own() -> None:
    """An answer that reaches further back, for another viewer of the list, gives it no more."""
    place = Place(None, 3000, Phase.ASK, 0.0)
    place.answered(rows(*range(1, 10)), 0.0)
    assert given_to(place, ring(), 0.0) == [6, 7, 8, 9]
