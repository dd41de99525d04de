"""Retry, back-off and a bounded rate of log lines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from duco_rt.errors import BadInput, DeviceTimeout, TransportError
from duco_rt.pipeline import runner
from duco_rt.seeing.metrics import Metrics


@given(st.integers(0, 10_000), st.floats(0, 1))
def test_back_off_doubles_up_to_a_limit(attempt: int, jitter: float) -> None:
    """Between half and all of 0.1 s, 0.2 s, … 3 s, however often it failed."""
    ceiling = min(3.0, 0.1 * 2 ** min(attempt, 10))
    assert ceiling / 2 <= runner.backoff_s(attempt, jitter=jitter) <= ceiling
    assert ceiling / 2 <= runner.backoff_s(attempt) <= ceiling
    assert runner.backoff_s(attempt, first_s=1, most_s=3, jitter=1) == min(3, 2 ** min(attempt, 10))


def test_back_off_is_spread() -> None:
    """Many that failed together do not come back together."""
    assert len({runner.backoff_s(3) for _ in range(20)}) > 10


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The attempts that were waited for, without the waiting."""
    seen: list[int] = []

    def no_wait(attempt: int) -> float:
        seen.append(attempt)
        return 0.0

    monkeypatch.setattr(runner, "backoff_s", no_wait)
    return seen


async def test_many_that_fail_together_are_one_line(waits: list[int]) -> None:
    """A log that is away with thousands of messages waiting does not fill the disk; how many wait is a gauge."""
    metrics, away = Metrics(), [True]

    async def work() -> None:
        await asyncio.sleep(0)
        if away[0]:
            raise TransportError("away")

    with structlog.testing.capture_logs() as lines:
        async with asyncio.TaskGroup() as tasks:
            for _ in range(500):
                tasks.create_task(runner.retry("log", work, metrics))
            for _ in range(10):
                await asyncio.sleep(0)
            assert metrics.failing["log"] == 500
            assert 'duco_transport_failing{what="log"} 500' in metrics.text()
            away[0] = False
    assert metrics.failing["log"] == 0
    assert len(lines) == 1


async def test_readings_go_on_after_a_loss(waits: list[int]) -> None:
    """A reading that ends with TransportError is begun again; what it gave stays given, other errors are raised."""
    metrics, begun, closed = Metrics(), [0], [0]

    async def read() -> AsyncIterator[int]:
        begun[0] += 1
        try:
            if begun[0] in (1, 2):
                raise TransportError("away")
            yield begun[0]
            if begun[0] == 3:
                raise TransportError("lost")
            raise BadInput("no retry for this")
        finally:
            closed[0] += 1

    found = []
    with pytest.raises(BadInput):
        async with aclosing(runner.readings("log", read, metrics)) as items:
            async for item in items:
                found.append(item)  # noqa: PERF401  # kept at the error
    assert (found, begun, closed) == ([3, 4], [4], [4])
    assert metrics.value("transport_retries_total", what="log") == 3
    assert waits == [0, 1, 0]


async def test_readings_end_with_their_reader() -> None:
    """Whoever leaves in the middle ends the transport's reading, too."""
    closed = asyncio.Event()

    async def read() -> AsyncIterator[int]:
        try:
            while True:
                yield 1
        finally:
            closed.set()

    async with aclosing(runner.readings("log", read, Metrics())) as items:
        async for _ in items:
            break
    assert closed.is_set()


@pytest.mark.parametrize("failures", [0, 1, 7, 200])
async def test_retry_never_gives_up_on_a_transport(waits: list[int], failures: int) -> None:
    """Tried until it works, each failure counted and waited for; few log lines."""
    metrics, left = Metrics(), iter(range(failures))

    async def work() -> str:
        if next(left, None) is not None:
            raise DeviceTimeout("no answer") if failures % 2 else TransportError("away")
        return "done"

    with structlog.testing.capture_logs() as lines:
        assert await runner.retry("store", work, metrics) == "done"
    assert metrics.value("transport_retries_total", what="store") == failures
    assert waits == list(range(failures))
    assert len(lines) <= 2 + failures // 60


async def test_retry_raises_anything_else(waits: list[int]) -> None:
    """A mistake is not repeated."""

    async def work() -> None:
        raise BadInput("wrong")

    with pytest.raises(BadInput):
        await runner.retry("store", work, Metrics())
    assert waits == []


async def test_until_first_ends_the_others() -> None:
    """The first that ends ends all."""
    ended = []

    async def wait_for_ever(name: str) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(name)

    await runner.until_first(wait_for_ever("a"), asyncio.sleep(0), wait_for_ever("b"))
    assert sorted(ended) == ["a", "b"]


async def test_until_first_raises_what_failed() -> None:
    """Errors come out, and the others are ended too."""

    async def fail() -> None:
        raise TransportError("gone")

    with pytest.raises(ExceptionGroup) as caught:
        await runner.until_first(asyncio.sleep(3600), fail())
    assert caught.group_contains(TransportError)


def test_complaints_are_counted_always_and_logged_now_and_then() -> None:
    """One line per kind and minute, with the context of the first."""
    metrics = Metrics()
    complaints = runner.Complaints("process", metrics)
    with structlog.testing.capture_logs() as lines:
        for now_s in (100.0, 100.0, 130.0, 159.9, 160.0, 200.0):
            complaints.add("short_frame", now_s, 2, chassis_id=f"at {now_s}")
        complaints.add("unknown_id", 130.0)
    assert metrics.value("process_problems_total", kind="short_frame") == 12
    assert metrics.value("process_problems_total", kind="unknown_id") == 1
    assert [(line["kind"], line.get("chassis_id")) for line in lines] == [
        ("short_frame", "at 100.0"),
        ("short_frame", "at 160.0"),
        ("unknown_id", None),
    ]
