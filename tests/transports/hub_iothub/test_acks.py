"""A checkpoint stands where everything before it is acknowledged."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from duco_rt.transports.hub_iothub.acks import Event, Owned, Position


class Room:
    """Counts what is given back."""

    def __init__(self) -> None:
        self.freed = 0

    def __call__(self) -> None:
        """One more."""
        self.freed += 1


def taken(owned: Owned, count: int) -> list[Event]:
    """So many events, handed out."""
    return [owned.add(Position(f"at {n}", n)) for n in range(count)]


@given(st.permutations(range(8)))
def test_the_checkpoint_is_the_end_of_the_acknowledged_prefix(order: list[int]) -> None:
    """In whatever order the acknowledgements come, and room is given back as it moves."""
    room = Room()
    owned = Owned("0", room)
    events, done = taken(owned, 8), set[int]()
    for number in order:
        events[number].ack()
        events[number].ack()
        done.add(number)
        prefix = next((n for n in range(8) if n not in done), 8)
        assert owned.acked == (Position(f"at {prefix - 1}", prefix - 1) if prefix else None)
        assert room.freed == prefix


def test_nothing_counts_after_the_loss() -> None:
    """Acknowledgements come too late, and all room is free at once."""
    room = Room()
    owned = Owned("0", room)
    events = taken(owned, 4)
    events[0].ack()
    events[2].ack()
    owned.lose()
    assert (owned.is_lost, room.freed) == (True, 4)
    events[1].ack()
    assert (owned.acked, room.freed) == (Position("at 0", 0), 4)


def test_what_the_driver_reads_again_is_known() -> None:
    """A number that was seen, or an older one, is no new event."""
    owned = Owned("0", Room())
    assert [owned.see(number) for number in (5, 6, 5, 6, 7, 3, 8)] == [True, True, False, False, True, False, True]
