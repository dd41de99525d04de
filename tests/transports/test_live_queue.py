"""The queues behind every live transport."""

from __future__ import annotations

import asyncio
import gc

import pytest

from duco_rt.seeing.metrics import Metrics
from duco_rt.transports.live_queue import Queues, Reader

A, B = "a", "b"


@pytest.fixture
def left() -> list[str]:
    """The channels whose last subscription ended, in order."""
    return []


@pytest.fixture
def metrics() -> Metrics:
    """What the queues count in."""
    return Metrics()


@pytest.fixture
def queues(metrics: Metrics, left: list[str]) -> Queues:
    """Room for three messages."""
    return Queues(3, metrics, left.append)


async def test_each_subscription_has_a_queue_of_its_own(queues: Queues, metrics: Metrics) -> None:
    """A full one loses its oldest, counted; a channel that nobody watches costs nothing."""
    full, quick, other = (Reader(queues, queues.open(channel)) for channel in (A, A, B))
    for i in range(5):
        queues.offer(A, b"%d" % i)
        queues.offer("nobody", b"")
        assert await anext(quick) == b"%d" % i
    assert [await anext(full) for _ in range(3)] == [b"2", b"3", b"4"]
    assert metrics.value("live_dropped_total") == 2
    queues.offer(B, b"x")
    assert await anext(other) == b"x"


async def test_the_last_to_leave_is_told_once(queues: Queues, left: list[str]) -> None:
    """However often it leaves, and though it never read."""
    readers = [Reader(queues, queues.open(A)) for _ in range(2)]
    assert list(queues.channels) == [A]
    await readers[0].aclose()
    await readers[0].aclose()
    assert left == []
    await readers[1].aclose()
    assert left == [A]
    assert not queues.channels


def test_a_reader_that_is_let_go_of_leaves(queues: Queues, left: list[str]) -> None:
    """A task that was cancelled closes nothing."""
    reader = Reader(queues, queues.open(A))
    del reader
    gc.collect()
    assert left == [A]


async def test_the_end_lets_a_reader_have_the_rest(queues: Queues) -> None:
    """What had come is read; then it is over, for one that waits too."""
    busy, waiting = Reader(queues, queues.open(A)), Reader(queues, queues.open(B))
    queues.offer(A, b"1")
    async with asyncio.TaskGroup() as tasks:
        rest = tasks.create_task(_all(waiting))
        await asyncio.sleep(0)
        queues.close()
    assert rest.result() == []
    assert await _all(busy) == [b"1"]


async def test_a_reader_that_goes_has_no_rest(queues: Queues) -> None:
    """It said that it wants no more."""
    reader = Reader(queues, queues.open(A))
    queues.offer(A, b"1")
    await reader.aclose()
    assert await _all(reader) == []


async def _all(reader: Reader) -> list[bytes]:
    return [message async for message in reader]
