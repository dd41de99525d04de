"""The ring of recent samples."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from duco_rt.web.live.recent import ENTRIES_MAX, Recent


def ring(*seqs: int | None, keep_s: float = 100.0, bytes_max: int = 1000) -> Recent:
    """One a second."""
    recent = Recent(keep_s, bytes_max)
    for at, seq in enumerate(seqs):
        recent.add(seq, at * 1000, b"0123456789", 0, float(at))
    return recent


def test_what_is_old_or_too_much_goes() -> None:
    """By arrival, by bytes and by number; the newest stays whatever it is."""
    assert [entry.seq for entry in ring(1, 2, 3, 4, keep_s=2.0).since(0)] == [2, 3, 4]
    small = ring(1, 2, 3, bytes_max=25)
    assert (small.first, small.end, small.bytes) == (1, 3, 20)
    assert len(ring(1, bytes_max=5)) == 1
    assert len(ring(*range(ENTRIES_MAX + 5), keep_s=1e9, bytes_max=10**9)) == ENTRIES_MAX


def test_where_a_position_is() -> None:
    """The first sample after it, in the present numbering only."""
    recent = ring(None, 5, 6, None, 9)
    assert recent.numbered() is not None
    assert [entry.index for entry in (recent.numbered(), recent.numbered(6)) if entry] == [1, 4]
    assert recent.numbered(9) is None
    assert (recent.has(6), recent.has(7), recent.has(10)) == (True, False, False)
    recent.add(2, 9000, b"", 0, 9.0)
    assert (recent.epoch, recent.newest_seq, recent.has(6), recent.has(2)) == (5, 2, False, True)


def test_where_a_time_is() -> None:
    """By the machine's clock; the end where nothing is that new."""
    recent = ring(1, 2, 3)
    assert [recent.from_time(ms) for ms in (-1, 1000, 1001, 5000)] == [0, 1, 2, 3]


@given(st.lists(st.integers(0, 50), max_size=60), st.integers(1, 60))
def test_indexes_grow_by_one(lengths: list[int], bytes_max: int) -> None:
    """Whatever goes, what is held lies without a hole up to the end, within its bytes but for the newest."""
    recent = Recent(1e9, bytes_max)
    for at, length in enumerate(lengths):
        recent.add(at, 0, bytes(length), 0, 0.0)
    held = list(recent.since(0))
    assert [entry.index for entry in held] == list(range(recent.first, recent.end))
    assert recent.bytes == sum(len(entry.message) for entry in held)
    assert recent.bytes <= bytes_max or len(held) == 1
