"""Leases inside the process: a pure table that is given the time, and the transport around it."""

from __future__ import annotations

from duco_rt.clock import Clock
from duco_rt.transports.base import Renewed


class LeaseTable:
    """Viewers by key with the moment each ends. Time in seconds from any fixed moment."""

    def __init__(self) -> None:
        self._ends: dict[str, dict[str, float]] = {}
        self._turns: dict[str, float] = {}
        self._notes: dict[str, int] = {}

    def renew(self, key: str, viewer: str, ttl_s: float, now_s: float) -> Renewed:
        """Add or renew; first where no viewer of the key was live."""
        self._prune(key, now_s)
        viewers = self._ends.setdefault(key, {})
        first = not viewers
        viewers[viewer] = now_s + ttl_s
        return Renewed(first, self._notes.get(key))

    def note(self, key: str, answer_ms: int | None, now_s: float) -> None:
        """Keep a time as long as the key is live; None forgets it."""
        self._prune(key, now_s)
        if answer_ms is None:
            self._notes.pop(key, None)
        elif key in self._ends:
            self._notes[key] = answer_ms

    def noted(self, key: str, now_s: float) -> int | None:
        """What was noted of a live key."""
        self._prune(key, now_s)
        return self._notes.get(key)

    def drop(self, key: str, viewer: str | None, now_s: float) -> bool:
        """Take one viewer out, or all; True where none is left."""
        self._prune(key, now_s)
        viewers = self._ends.get(key, {})
        viewers = {} if viewer is None else {v: end for v, end in viewers.items() if v != viewer}
        if viewers:
            self._ends[key] = viewers
        else:
            self._forget(key)
        return not viewers

    def held(self, now_s: float) -> dict[str, int]:
        """Live keys and their number of viewers."""
        for key in list(self._ends):
            self._prune(key, now_s)
        return {key: len(viewers) for key, viewers in self._ends.items()}

    def turn(self, name: str, period_s: float, now_s: float) -> bool:
        """True once a period."""
        if now_s < self._turns.get(name, now_s):
            return False
        self._turns[name] = now_s + period_s
        return True

    def _prune(self, key: str, now_s: float) -> None:
        viewers = self._ends.get(key)
        if viewers is None:
            return
        for viewer in [v for v, end in viewers.items() if end <= now_s]:
            del viewers[viewer]
        if not viewers:
            self._forget(key)

    def _forget(self, key: str) -> None:
        self._ends.pop(key, None)
        self._notes.pop(key, None)


class MemoryLeases:
    """A LeaseTable with the process's clock."""

    def __init__(self, clock: Clock) -> None:
        self._table = LeaseTable()
        self._clock = clock

    async def renew(self, key: str, viewer: str, ttl_s: float) -> Renewed:
        """Add or renew a viewer."""
        return self._table.renew(key, viewer, ttl_s, self._clock.steady_s())

    async def note(self, key: str, answer_ms: int | None) -> None:
        """Keep the time of the device's last answer while the key is held."""
        self._table.note(key, answer_ms, self._clock.steady_s())

    async def noted(self, key: str) -> int | None:
        """What was noted of a held key."""
        return self._table.noted(key, self._clock.steady_s())

    async def drop(self, key: str, viewer: str | None) -> bool:
        """Take a viewer (None: all) out; True where none is left."""
        return self._table.drop(key, viewer, self._clock.steady_s())

    async def is_held(self, key: str) -> bool:
        """Whether the key has a live lease."""
        return key in self._table.held(self._clock.steady_s())

    async def held(self) -> dict[str, int]:
        """Live keys and their number of viewers."""
        return self._table.held(self._clock.steady_s())

    async def turn(self, name: str, period_s: float) -> bool:
        """True for one caller a period."""
        return self._table.turn(name, period_s, self._clock.steady_s())

    async def check(self) -> None:
        """Works as long as the process does."""

    async def close(self) -> None:
        """Nothing to release."""
