"""Errors that nobody waits for: of callbacks, of tasks that are forgotten, of threads."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import structlog

from duco_rt.clock import Clock
from duco_rt.seeing.metrics import Metrics

log = structlog.get_logger()

_TOLD_S = 60.0
_TOLD_MAX = 100


class LoopErrors:
    """Errors that nobody waits for, of callbacks, forgotten tasks and threads: counted (loop_errors_total), logged."""

    def __init__(self, metrics: Metrics, clock: Clock) -> None:
        self._metrics = metrics
        self._clock = clock
        self._told_s: dict[str, float] = {}

    @contextmanager
    def watched(self) -> Iterator[None]:
        """For the time of the block, in the running loop and in all threads; who watched before is told, too."""
        loop, threads_before = asyncio.get_running_loop(), threading.excepthook
        loop_before = loop.get_exception_handler()

        def in_loop(loop: asyncio.AbstractEventLoop, context: dict[str, object]) -> None:
            error = context.get("exception")
            self._tell("loop", str(context.get("message")), error if isinstance(error, BaseException) else None)
            if loop_before is not None:
                loop_before(loop, context)

        def in_thread(failed: threading.ExceptHookArgs) -> None:
            name = failed.thread.name if failed.thread is not None else "unknown"
            tell = partial(self._tell, "thread", f"thread {name} ended", failed.exc_value)
            try:
                loop.call_soon_threadsafe(tell)
            except RuntimeError:  # the loop is closed
                tell()

        loop.set_exception_handler(in_loop)
        threading.excepthook = in_thread
        try:
            yield
        finally:
            if loop.get_exception_handler() is in_loop:
                loop.set_exception_handler(loop_before)
            if threading.excepthook is in_thread:
                threading.excepthook = threads_before

    def _tell(self, where: str, message: str, error: BaseException | None) -> None:
        self._metrics.count("loop_errors_total", where=where)
        kind, now_s = f"{message} {type(error).__name__}", self._clock.steady_s()
        if now_s < self._told_s.get(kind, now_s):
            return
        if len(self._told_s) >= _TOLD_MAX:
            self._told_s.clear()
        self._told_s[kind] = now_s + _TOLD_S
        log.error("error that nobody waits for", where=where, message=message, error=repr(error), exc_info=error)
