"""The machine's clocks."""

from __future__ import annotations

import time

import pytest

from duco_rt.clock import SystemClock, WallTime


def test_wall_time_is_unix_ms_and_steady_time_never_goes_back() -> None:
    """Whole ms of now; seconds that only grow."""
    clock = SystemClock()
    before, wall, after = time.time() * 1000, clock.wall_ms(), time.time() * 1000
    assert type(wall) is int
    assert before - 1 <= wall <= after + 1
    steady = [clock.steady_s() for _ in range(1000)]
    assert steady == sorted(steady)


def test_wall_time_of_steady_moments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Even as long as the clocks go together; after the wall clock was set by what it says."""
    now = {"wall": 1_000.0, "steady": 50.0}
    monkeypatch.setattr(time, "time", lambda: now["wall"])
    monkeypatch.setattr(time, "monotonic", lambda: now["steady"])
    wall = WallTime()
    now["wall"] += 0.01  # a pause between two looks
    assert wall.of(51.5) == 1_001.5
    for set_s in (3_600.0, -86_400.0, 0.5):
        now["wall"] += set_s
        assert wall.of(60.0) == now["wall"] - now["steady"] + 60.0
