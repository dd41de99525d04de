"""From the parsed log into the store."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest

from duco_rt.model import Sample
from duco_rt.pipeline.distribute import Distribute
from duco_rt.seeing.metrics import Metrics
from duco_rt.transports.log_memory import MemoryLog
from tests.pipeline.line import BATCH, PEER, RecordingStore, spin

SAMPLE = Sample(PEER, 1000, 1, 1400, {"a": 1.0, "b": 2.0})


@pytest.fixture
def metrics() -> Metrics:
    """A registry."""
    return Metrics()


async def test_the_log_keeps_what_the_store_does_not_have(metrics: Metrics, monkeypatch: pytest.MonkeyPatch) -> None:
    """Committed after the insert, however often that failed before; samples and values are counted."""
    monkeypatch.setattr("duco_rt.pipeline.runner.backoff_s", lambda attempt: 0.0)
    log, store = MemoryLog(10, metrics), RecordingStore()
    store.fails["parsed"] = 5
    store.stalled.add("parsed")
    async with asyncio.TaskGroup() as tasks:
        role = tasks.create_task(Distribute(log, store, BATCH, metrics).run())
        append = tasks.create_task(log.append_parsed([SAMPLE] * 3))
        await store.until(lambda: store.waiting)
        await spin()
        assert not append.done() and metrics.value("distribute_samples_total") == 0
        await store.let_go()
        await append
        await spin()
        role.cancel()
    assert store.samples == [SAMPLE] * 3
    assert metrics.value("transport_retries_total", what="store") == 5
    assert metrics.value("distribute_samples_total") == 3
    assert metrics.value("distribute_values_total") == 6


async def test_what_was_not_committed_comes_again(metrics: Metrics) -> None:
    """A role that ends within a batch leaves it to the next one."""
    log, store = MemoryLog(100, metrics), RecordingStore()
    samples = [dataclasses.replace(SAMPLE, seq=n) for n in range(10)]
    store.stalled.add("parsed")
    async with asyncio.TaskGroup() as tasks:
        append = tasks.create_task(log.append_parsed(samples))
        role = tasks.create_task(Distribute(log, store, BATCH, metrics).run())
        await store.until(lambda: store.waiting)
        role.cancel()
        await asyncio.wait([role])
        store.stalled.clear()
        again = tasks.create_task(Distribute(log, store, BATCH, metrics).run())
        await append
        again.cancel()
    assert [sample.seq for sample in store.samples] == list(range(10))
