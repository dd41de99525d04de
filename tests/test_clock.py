"""The machine's clocks."""

from __future__ import annotations

import time

from duco_rt.clock import SystemClock


def test_wall_time_is_unix_ms_and_steady_time_never_goes_back() -> None:
    """Whole ms of now; seconds that only grow."""
    clock = SystemClock()
    before, wall, after = time.time() * 1000, clock.wall_ms(), time.time() * 1000
    assert type(wall) is int
    assert before - 1 <= wall <= after + 1
    steady = [clock.steady_s() for _ in range(1000)]
    assert steady == sorted(steady)
