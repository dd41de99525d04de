"""Time as a thing that is passed in: the one place that reads the machine's clocks."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Wall and steady time."""

    def wall_ms(self) -> int:
        """Unix time in ms; may jump."""
        ...

    def steady_s(self) -> float:
        """Seconds since some fixed moment; never goes back."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def wall_ms(self) -> int:
        """Unix time in ms."""
        return time.time_ns() // 1_000_000

    def steady_s(self) -> float:
        """Seconds of the monotonic clock."""
        return time.monotonic()
