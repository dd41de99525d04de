"""An event loop whose time runs faster, on real sockets: a day passes in minutes."""

from __future__ import annotations

import asyncio
import selectors
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

_STEP_S_MAX = 0.05
"""What an iteration that does not wait may take of the loop's time: while there is much to do, time goes slower."""


_SLEEP_S = 0.0001


class AcceleratedLoop(asyncio.SelectorEventLoop):
    """Its `time()` runs `scale` times as fast as the machine's while the loop waits.

    Time stands still within an iteration and never passes the next timer, so that neither a slow machine nor the
    coarse waits of the system make a timer late.
    """

    def __init__(self, scale: float) -> None:
        self._now_s = time.monotonic()
        super().__init__(_Selector(self, scale))

    def time(self) -> float:
        """Seconds of its own."""
        return self._now_s

    def advance(self, by_s: float) -> None:
        """Time goes on; for the selector."""
        self._now_s += by_s


class _Selector(selectors.PollSelector):
    """Waits `scale` times shorter than it is asked to, and lets the loop's time go on.

    poll waits whole milliseconds, select takes no file number over 1023: what is left of one is slept.
    """

    def __init__(self, loop: AcceleratedLoop, scale: float) -> None:
        super().__init__()
        self._loop = loop
        self._scale = scale
        self._last_s = time.monotonic()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """As the base class; `timeout` in seconds of the loop."""
        found = self._wait(None if timeout is None else timeout / self._scale)
        now_s = time.monotonic()
        passed_s, self._last_s = (now_s - self._last_s) * self._scale, now_s
        self._loop.advance(passed_s if timeout is None else min(passed_s, max(timeout, _STEP_S_MAX)))
        return found

    def _wait(self, seconds: float | None) -> list[tuple[selectors.SelectorKey, int]]:
        if seconds is None or seconds <= 0:
            return super().select(seconds)
        end_s = time.monotonic() + seconds
        found = super().select(max(0.0, int(seconds * 1000) - 0.5) / 1000)
        while not found and (left_s := end_s - time.monotonic()) > 0:
            time.sleep(min(left_s, _SLEEP_S))
            found = super().select(0)
        return found


class LoopClock:
    """A Clock that follows the running loop; `wall_ms` begins at `start_ms`."""

    def __init__(self, start_ms: int) -> None:
        self._start_ms = start_ms
        self._begun_s = asyncio.get_running_loop().time()

    def wall_ms(self) -> int:
        """Unix time in ms."""
        return self._start_ms + round((self.steady_s() - self._begun_s) * 1000)

    def steady_s(self) -> float:
        """The loop's time."""
        return asyncio.get_running_loop().time()


def run_accelerated(work: Coroutine[Any, Any, T], scale: float) -> T:
    """As asyncio.run, in a loop of its own."""
    with asyncio.Runner(loop_factory=lambda: AcceleratedLoop(scale)) as runner:
        return runner.run(work)
