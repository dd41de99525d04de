"""What of a partition was handed out and acknowledged. Pure.

A checkpoint may only stand where everything before it is acknowledged: the contiguous prefix.

    handed out   10 11 12 13 14        acknowledged  10 11 -- 13 --
    checkpoint         11              comes again         12 13 14
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from duco_rt.model import HubMessage


class Position(NamedTuple):
    """An event's place in its partition."""

    offset: str
    sequence: int


class Owned:
    """One ownership of a partition, from its claim until it is lost.

    `on_room` is called for each event that leaves the window of those handed out and not yet checkpointable.
    """

    def __init__(self, partition: str, on_room: Callable[[], None]) -> None:
        self.partition = partition
        self.is_lost = False
        self.acked: Position | None = None
        self._newest = -1
        self._window: deque[Event] = deque()
        self._on_room = on_room

    def see(self, sequence: int) -> bool:
        """Whether the event is new: the driver reads some again after it reconnected."""
        is_new = sequence > self._newest
        self._newest = max(sequence, self._newest)
        return is_new

    def add(self, position: Position) -> Event:
        """Take the next event into the window."""
        event = Event(self, position)
        self._window.append(event)
        return event

    def advance(self) -> None:
        """Move the checkpoint over what is acknowledged now."""
        window = self._window
        while window and window[0].is_acked:
            self.acked = window.popleft().position
            self._on_room()

    def lose(self) -> None:
        """It is another's now, or nobody's: acknowledgements count no more, and the window is free."""
        self.is_lost = True
        while self._window:
            self._window.popleft()
            self._on_room()


class Event:
    """One event in the window: its place, not its body."""

    __slots__ = ("is_acked", "owned", "position")

    def __init__(self, owned: Owned, position: Position) -> None:
        self.owned = owned
        self.position = position
        self.is_acked = False

    def ack(self) -> None:
        """The work is done; twice is safe, and so is too late."""
        if not self.is_acked and not self.owned.is_lost:
            self.is_acked = True
            self.owned.advance()


class Handed:
    """A delivery of `stored`."""

    __slots__ = ("event", "message")

    def __init__(self, event: Event, message: HubMessage) -> None:
        self.event = event
        self.message = message

    def ack(self) -> None:
        """The cloud side has it for good."""
        self.event.ack()
