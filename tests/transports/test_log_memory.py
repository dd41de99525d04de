"""The log inside the process: who appends waits for the commit, and for room."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from duco_rt.model import Peer, Sample
from duco_rt.seeing.metrics import Metrics
from duco_rt.transports.log_memory import MemoryBatch, MemoryLog

SOON_S = 0.02


def sample(seq: int) -> Sample:
    """Return the sample of second seq."""
    return Sample(Peer("duco", "D", "vehicle_can"), seq, seq, seq, {})


@pytest.fixture
def metrics() -> Metrics:
    """The registry that the log counts in."""
    return Metrics()


@pytest.fixture
def log(metrics: Metrics) -> MemoryLog:
    """A log with room for two records."""
    return MemoryLog(2, metrics)


async def take(source: AsyncIterator[MemoryBatch[Sample]]) -> MemoryBatch[Sample]:
    """The next batch."""
    async with asyncio.timeout(20):
        return await anext(source)


async def settle() -> None:
    """Let every task that can go on do so."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_an_append_waits_for_the_commit_of_all_its_records(metrics: Metrics) -> None:
    """It keeps nothing itself: handed out is not done."""
    log = MemoryLog(10, metrics)
    async with asyncio.TaskGroup() as tasks:
        appended = tasks.create_task(log.append_parsed([sample(0), sample(1), sample(2)]))
        source = log.read_parsed(2, SOON_S)
        first = await take(source)
        await settle()
        assert not appended.done()
        await first.commit()
        second = await take(source)
        await settle()
        assert not appended.done()
        await second.commit()
        await second.commit()
        await asyncio.wait_for(appended, 20)


async def test_a_full_log_makes_the_writer_wait(log: MemoryLog, metrics: Metrics) -> None:
    """Never more than its room; taking some out lets the writer go on."""
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(log.append_parsed([sample(i) for i in range(5)]))
        await settle()
        assert metrics.value("log_parsed_depth") == 2
        source = log.read_parsed(1, SOON_S)
        for i in range(5):
            batch = await take(source)
            assert batch.records == [sample(i)]
            await settle()
            assert metrics.value("log_parsed_depth") <= 2
            await batch.commit()


async def test_writers_that_wait_for_room_keep_their_order(log: MemoryLog) -> None:
    """A writer that comes just when room is made does not pass those who wait for it."""
    async with asyncio.TaskGroup() as tasks:
        for first in (0, 2):
            tasks.create_task(log.append_parsed([sample(first), sample(first + 1)]))
            await settle()
        source = log.read_parsed(1, SOON_S)
        seen = []
        for i in range(7):
            taken = tasks.create_task(take(source))
            if i < 3:  # ready to run right after the reader, before the waiting writer is woken
                tasks.create_task(log.append_parsed([sample(4 + i)]))
            batch = await taken
            seen += batch.records
            await batch.commit()
    assert seen == [sample(i) for i in range(7)]
