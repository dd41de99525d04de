"""Old days are dropped once an hour."""

from __future__ import annotations

import asyncio

import pytest

from duco_rt.metrics import Metrics
from duco_rt.pipeline import retention
from duco_rt.pipeline.retention import Retention
from duco_rt.pipeline.runner import until_first
from tests.pipeline.line import NOW_MS, FixedClock, RecordingStore


async def test_at_once_and_then_once_an_hour() -> None:
    """The first time at the start, by the clock that is passed in."""
    store = RecordingStore()
    await until_first(Retention(store, FixedClock(), Metrics()).run(), asyncio.sleep(0.01))
    assert store.expired == [NOW_MS]
    assert retention._EVERY_S == 3600


async def test_a_failure_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted, and at the next turn it is done."""
    monkeypatch.setattr(retention, "_EVERY_S", 0)
    store, metrics = RecordingStore(), Metrics()
    store.fails["expire"] = 2
    await until_first(Retention(store, FixedClock(), metrics).run(), store.until(lambda: len(store.expired) > 3))
    assert metrics.value("retention_failed_total") == 2 and store.fails["expire"] == 0
