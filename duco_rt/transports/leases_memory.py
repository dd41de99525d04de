"""Leases inside the process: a pure table that is given the time, and the transport around it."""

from __future__ import annotations

from duco_rt.clock import Clock


class LeaseTable:
    """Viewers by key with the moment each ends. Time in seconds from any fixed moment."""

    def __init__(self) -> None:
        self._ends: dict[str, dict[str, float]] = {}
        self._turns: dict[str, float] = {}

    def renew(self, key: str, viewer: str, ttl_s: float, now_s: float) -> bool:
        """Add or renew; True where no viewer of the key was live."""
        self._prune(key, now_s)
        viewers = self._ends.setdefault(key, {})
        first = not viewers
        viewers[viewer] = now_s + ttl_s
        return first

    def drop(self, key: str, viewer: str | None, now_s: float) -> bool:
        """Take one viewer out, or all; True where none is left."""
        self._prune(key, now_s)
        if viewer is None:
            self._ends.pop(key, None)
            return True
        viewers = self._ends.get(key, {})
        viewers.pop(viewer, None)
        if not viewers:
            self._ends.pop(key, None)
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
            del self._ends[key]


class MemoryLeases:
    """A LeaseTable with the process's clock."""

    def __init__(self, clock: Clock) -> None:
        self._table = LeaseTable()
        self._clock = clock

    async def renew(self, key: str, viewer: str, ttl_s: float) -> bool:
        """Add or renew a viewer; True where the key had no live lease."""
        return self._table.renew(key, viewer, ttl_s, self._clock.steady_s())

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
