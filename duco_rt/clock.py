"""Time as a thing that is passed in: the one place that reads the machine's clocks."""

from __future__ import annotations

import time
from typing import Protocol

_SET_S = 0.25
"""A wall clock that went off by more than this was set; less is its drift, or a pause between two looks."""


class Clock(Protocol):
    """Wall and steady time."""

    def wall_ms(self) -> int:
        """Unix time in ms; may jump."""
        ...

    def steady_s(self) -> float:
        """Seconds since some fixed moment; never goes back."""
        ...


class WallTime:
    """The wall time of moments of the monotonic clock: evenly, until the wall clock is set."""

    def __init__(self) -> None:
        self._ahead_s = time.time() - time.monotonic()

    def of(self, steady_s: float) -> float:
        """Unix seconds."""
        ahead_s = time.time() - time.monotonic()
        if abs(ahead_s - self._ahead_s) > _SET_S:
            self._ahead_s = ahead_s
        return steady_s + self._ahead_s


class SystemClock:
    """The machine's own clocks."""

    def wall_ms(self) -> int:
        """Unix time in ms."""
        return time.time_ns() // 1_000_000

    def steady_s(self) -> float:
        """Seconds of the monotonic clock."""
        return time.monotonic()
