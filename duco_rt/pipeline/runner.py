"""The policies that every transport shares: retry with back-off and jitter, readings that go on after a loss, and a
bounded rate of log lines."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import aclosing
from typing import TypeVar

import structlog

from duco_rt.errors import TransportError
from duco_rt.seeing.metrics import Metrics

T = TypeVar("T")
log = structlog.get_logger()


def backoff_s(attempt: int, first_s: float = 0.1, most_s: float = 3.0, jitter: float | None = None) -> float:
    """How long to wait after failure `attempt` (0, 1, …): doubling, with full jitter in its upper half."""
    ceiling = min(most_s, first_s * 2 ** min(attempt, 20))
    share = random.random() if jitter is None else jitter  # nosec B311  # spreading retries needs no secrecy
    return float(ceiling * (0.5 + 0.5 * share))


async def retry(what: str, work: Callable[[], Awaitable[T]], metrics: Metrics) -> T:
    """Do `work` until it succeeds; a TransportError is counted and tried again, anything else is raised."""
    with _Failures(what, metrics) as failures:
        while True:
            try:
                return await work()
            except TransportError as e:
                await failures.add(e)


async def readings(what: str, read: Callable[[], AsyncIterator[T]], metrics: Metrics) -> AsyncGenerator[T, None]:
    """What `read()` gives; where it ends with TransportError, counted, it is begun again.

    Use it within `aclosing`, so that the transport's reading ends with the reader.
    """
    with _Failures(what, metrics) as failures:
        while True:
            try:
                async with aclosing(read()) as items:  # type: ignore[type-var]  # every adapter's reading is an async generator
                    async for item in items:
                        failures.end()
                        yield item
                return
            except TransportError as e:
                await failures.add(e)


class _Failures:
    """One work's failures in a row: each is counted and waited for; of all works on one transport one is logged."""

    def __init__(self, what: str, metrics: Metrics) -> None:
        self._what = what
        self._metrics = metrics
        self._attempt = 0

    def __enter__(self) -> _Failures:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    async def add(self, error: TransportError) -> None:
        """It failed again: return when it is time for the next try."""
        self._metrics.count("transport_retries_total", what=self._what)
        failing = self._metrics.failing
        failing[self._what] += self._attempt == 0
        if failing[self._what] == 1 and (self._attempt in (0, 5) or self._attempt % 60 == 59):
            log.warning("transport failed, trying again", what=self._what, attempt=self._attempt + 1, error=str(error))
        attempt, self._attempt = self._attempt, self._attempt + 1
        await asyncio.sleep(backoff_s(attempt))

    def end(self) -> None:
        """It works, or is given up."""
        if self._attempt:
            self._attempt = 0
            self._metrics.failing[self._what] -= 1


async def until_first(*works: Coroutine[object, object, None]) -> None:
    """Run all until the first ends, then cancel the others. Errors come as an ExceptionGroup."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(work) for work in works]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()


class Complaints:
    """Problems counted by kind, and logged at most once per kind and `period_s`. Time is passed in."""

    def __init__(self, stage: str, metrics: Metrics, period_s: float = 60.0) -> None:
        self._stage = stage
        self._metrics = metrics
        self._period_s = period_s
        self._next_s: dict[str, float] = {}

    def add(
        self, kind: str, now_s: float, count: int = 1, event: str = "bad input, kept raw", **context: object
    ) -> None:
        """Count, and log the first of each period."""
        self._metrics.count(f"{self._stage}_problems_total", count, kind=kind)
        if now_s >= self._next_s.get(kind, now_s):
            self._next_s[kind] = now_s + self._period_s
            log.warning(event, stage=self._stage, kind=kind, count=count, **context)
