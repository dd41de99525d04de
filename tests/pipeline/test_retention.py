"""Old days are dropped once an hour."""

from __future__ import annotations

import asyncio

import pytest
import structlog

from duco_rt.errors import TransportError
from duco_rt.pipeline import retention
from duco_rt.pipeline.retention import DayClock, Retention
from duco_rt.pipeline.runner import until_first
from duco_rt.seeing.metrics import Metrics
from tests.pipeline.line import NOW_MS, FixedClock, RecordingStore


async def test_at_once_and_then_once_an_hour() -> None:
    """The first time at the start, by the clock that is passed in."""
    store = RecordingStore()
    await until_first(Retention(store, FixedClock(), Metrics()).run(), asyncio.sleep(0.01))
    assert store.expired == [NOW_MS]
    assert retention._EVERY_S == 3600


async def test_between_the_hours_the_store_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether anybody asks or not; what is wrong then is for readiness to tell."""
    monkeypatch.setattr(retention, "_LOOK_S", 0.001)
    looks = 0
    enough = asyncio.Event()

    class Looked(RecordingStore):
        async def check(self) -> None:
            nonlocal looks
            looks += 1
            if looks == 3:
                enough.set()
            raise TransportError("store: broken")

    store = Looked()
    await until_first(Retention(store, FixedClock(), Metrics()).run(), enough.wait())  # type: ignore[arg-type]  # of an Event
    assert looks >= 3 and len(store.expired) == 1


async def test_a_failure_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted, and at the next turn it is done."""
    monkeypatch.setattr(retention, "_EVERY_S", 0)
    store, metrics = RecordingStore(), Metrics()
    store.fails["expire"] = 2
    await until_first(Retention(store, FixedClock(), metrics).run(), store.until(lambda: len(store.expired) > 3))
    assert metrics.value("retention_failed_total") == 2 and store.fails["expire"] == 0


HOUR_MS, DAY_MS = 3_600_000, 86_400_000


def believed(*steps: tuple[float, int]) -> list[int]:
    """What is believed after each step of (steady s, wall ms ahead of it), as ms ahead of the steady clock."""
    clock = DayClock()
    return [
        clock.now_ms(NOW_MS + round(1000 * at_s) + ahead, at_s) - NOW_MS - round(1000 * at_s) for at_s, ahead in steps
    ]


def test_a_clock_that_is_right_is_believed() -> None:
    """Also where it is set by hours, or back."""
    assert believed((0, 0), (3600, 0), (7200, HOUR_MS), (10800, DAY_MS), (14400, -DAY_MS), (18000, -400 * DAY_MS)) == [
        0,
        0,
        HOUR_MS,
        DAY_MS,
        -DAY_MS,
        -400 * DAY_MS,
    ]


def test_a_clock_that_was_set_far_ahead_waits_for_a_day() -> None:
    """Meanwhile time goes on from before; a jump back is the end of it, another jump begins the wait anew."""
    year = 365 * DAY_MS
    clock = DayClock()
    found = []
    for hour in range(30):
        found.append(clock.now_ms(NOW_MS + hour * HOUR_MS + (year if hour >= 2 else 0), 3600.0 * hour))
        assert clock.ahead_s == (year / 1000 if 2 <= hour < 26 else 0)
    assert found == [NOW_MS + hour * HOUR_MS + (year if hour >= 26 else 0) for hour in range(30)]
    assert believed((0, 0), (1, year), (40_000, 0), (80_000, year), (90_000, year)) == [0, 0, 0, 0, 0]
    assert believed((0, 0), (1, year), (80_000, 3 * year), (90_000, 3 * year), (170_000, 3 * year)) == [
        0,
        0,
        0,
        0,
        3 * year,
    ]


async def test_nothing_is_dropped_by_a_clock_that_jumped(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said each time, and seen in the metrics."""
    monkeypatch.setattr(retention, "_EVERY_S", 0)
    store, metrics, clock = RecordingStore(), Metrics(), FixedClock()

    async def jump() -> None:
        await store.until(lambda: len(store.expired) > 1)
        clock.now_ms += 365 * DAY_MS
        before = len(store.expired)
        await store.until(lambda: len(store.expired) > before + 2)
        assert metrics.value("retention_clock_ahead_seconds") == 365 * 86_400
        clock.now_s += 86_401
        clock.now_ms += 86_401_000
        before = len(store.expired)
        await store.until(lambda: len(store.expired) > before + 2)

    with structlog.testing.capture_logs() as events:
        await until_first(Retention(store, clock, metrics).run(), jump())
    assert sorted(set(store.expired)) == [NOW_MS, NOW_MS + 366 * DAY_MS + 1000]
    assert events and events[0]["ahead_s"] == 365 * 86_400
