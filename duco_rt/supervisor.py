"""Keeps the parts of a process running: one that fails is told, counted and begun again, and takes no other along."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import NamedTuple, Self

import structlog

from duco_rt.clock import Clock
from duco_rt.errors import ConfigError, Conflict
from duco_rt.pipeline.runner import backoff_s
from duco_rt.seeing.metrics import Metrics

log = structlog.get_logger()

_HURRY_S_MAX = 1.0
_END_S = 5.0
"""So long a part may take to end in order."""


class Pauses(NamedTuple):
    """Before a part is begun again: `first_s` doubling to `most_s`; from the beginning after `healthy_s` of health."""

    first_s: float = 1.0
    most_s: float = 30.0
    healthy_s: float = 60.0


class _Part:
    """One that runs, or waits to be begun again."""

    def __init__(self, name: str, kind: str, run: Callable[[], Awaitable[None]]) -> None:
        self.name = name
        self.kind = kind
        self.run = run
        self.failures = 0
        self.why = ""
        self.again_s = 0.0
        self.told = ""
        """Of which error the log has all."""
        self.is_asked_to_end = False


class Supervisor:
    """Use it in an `async with`: leaving the block cancels what still runs, and waits for it.

    A part is a coroutine function that returns only when it is cancelled, and may be called again after it failed.
    An error that the operator has to mend (ConfigError, Conflict) before `ready()` is raised there; afterwards, and
    any other one always, the part is begun again, counted (component_restarts_total by kind).
    """

    def __init__(self, metrics: Metrics, clock: Clock, pauses: Pauses = Pauses()) -> None:  # noqa: B008  # immutable
        self._metrics = metrics
        self._clock = clock
        self._pauses = pauses
        self._group = asyncio.TaskGroup()
        self._parts: dict[asyncio.Task[None], _Part] = {}
        self._refusal: ConfigError | Conflict | None = None
        self._is_ready = self._is_ending = False
        self._hurried: asyncio.Event = asyncio.Event()

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        left = set(self._parts)
        while left:
            self.cancel()  # again, where one took it for something else
            _done, left = await asyncio.wait(left, timeout=_END_S)
        await self._group.__aexit__(None, None, None)  # told of the block's error, it would wrap it

    def start(self, name: str, run: Callable[[], Awaitable[None]], *, kind: str = "") -> Callable[[], None]:
        """Run a part, until what this returns is called. `kind`: what it counts as, by default its name."""
        part = _Part(name, kind or name, run)
        self._begin(part)
        return partial(self._end, part)

    def _begin(self, part: _Part) -> None:
        task = self._group.create_task(self._keep(part), name=part.name)
        self._parts[task] = part
        task.add_done_callback(self._done)

    def _end(self, part: _Part) -> None:
        part.is_asked_to_end = True
        for task, each in list(self._parts.items()):
            if each is part:
                task.cancel()

    def _done(self, task: asyncio.Task[None]) -> None:
        """Begin again what ended though nobody asked it to: by a cancel from within that looked as one from outside."""
        part = self._parts.pop(task)
        if task.cancelled() and not self._is_ending and not part.is_asked_to_end:
            with suppress(RuntimeError):  # the group is ending, by an exit of the program
                self._begin(part)

    def ready(self) -> None:
        """The process has started; raises the ConfigError or Conflict that a part met until now."""
        self._is_ready = True
        if self._refusal is not None:
            raise self._refusal

    def hurry(self) -> None:
        """The process drains: who waits to be begun again is, within a second from now on."""
        self._hurried.set()

    def cancel(self) -> None:
        """End all parts."""
        self._is_ending = True
        for task in list(self._parts):
            task.cancel()

    def states(self) -> Mapping[str, str]:
        """By name: `ok`, or `restarting in 4 s: RuntimeError: …`."""
        now_s = self._clock.steady_s()
        return {part.name: _state(part, now_s) for part in self._parts.values()}

    async def _keep(self, part: _Part) -> None:
        while True:
            begun_s, part.why = self._clock.steady_s(), ""
            error = await _failure(part)
            if self._is_ending or part.is_asked_to_end:
                raise asyncio.CancelledError  # and what came of it
            if not self._is_ready and (refusal := _refusal(error)) is not None:
                self._refusal = self._refusal or refusal
            if self._clock.steady_s() - begun_s >= self._pauses.healthy_s:
                part.failures = 0
            await self._pause(part, error)

    async def _pause(self, part: _Part, error: Exception) -> None:
        pause_s = backoff_s(part.failures, self._pauses.first_s, self._pauses.most_s)
        part.failures += 1
        part.why, part.again_s = _in_short(error), self._clock.steady_s() + pause_s
        self._metrics.count("component_restarts_total", component=part.kind)
        told, part.told = part.told, part.why
        context = {"part": part.name, "failures": part.failures, "again_s": round(pause_s, 1)}
        log.error(
            "part failed, beginning it again", error=part.why, exc_info=None if told == part.why else error, **context
        )
        try:
            async with asyncio.timeout(pause_s):
                await self._hurried.wait()
            await asyncio.sleep(min(pause_s, _HURRY_S_MAX, self._pauses.first_s))  # what fails at once must not spin
        except TimeoutError:
            pass


async def _failure(part: _Part) -> Exception:
    """What a part ended with, though it was not to end."""
    task = asyncio.current_task()
    assert task is not None
    asked = task.cancelling()
    try:
        await part.run()
    except asyncio.CancelledError as e:
        if task.cancelling() > asked:
            raise
        error = RuntimeError("cancelled, by nobody here")  # a library's own, that came out of it
        error.__cause__ = e
        return error
    except Exception as e:
        while task.cancelling() > asked:  # of a group of tasks that failed (until Python 3.13)
            task.uncancel()
        return e
    return RuntimeError("it ended by itself")


def _state(part: _Part, now_s: float) -> str:
    return f"restarting in {max(0.0, part.again_s - now_s):.0f} s: {part.why}" if part.why else "ok"


def leaves(error: BaseException) -> list[BaseException]:
    """The errors of a group, and of the groups in it; of any other error itself."""
    if not isinstance(error, BaseExceptionGroup):
        return [error]
    return [leaf for each in error.exceptions for leaf in leaves(each)]


def _in_short(error: Exception) -> str:
    first, *others = leaves(error)
    text = f"{type(first).__name__}: {first}" if str(first) else type(first).__name__
    return text[:500] + (f" (and {len(others)} more)" if others else "")


def _refusal(error: Exception) -> ConfigError | Conflict | None:
    return next((leaf for leaf in leaves(error) if isinstance(leaf, ConfigError | Conflict)), None)
