"""Once an hour, let the store drop the days that are past their retention or over its limit; meanwhile look at it."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import structlog

from duco_rt.clock import Clock
from duco_rt.errors import TransportError
from duco_rt.seeing.metrics import Metrics
from duco_rt.transports.base_data import Store

log = structlog.get_logger()

_EVERY_S = 3600.0
_LOOK_S = 20.0
_DAY_MS = 86_400_000
_BELIEVED_S = 86_400.0


class DayClock:
    """The time that days are dropped by. Time is passed in.

    A wall clock that was set ahead by more than a day is believed when it has stayed so for a day: before, a wrong one
    would drop what is young, and a right one can wait.
    """

    def __init__(self) -> None:
        self._last: tuple[int, float] | None = None
        self._ahead: tuple[int, float] | None = None

    @property
    def ahead_s(self) -> float:
        """How far the wall clock is ahead of the time that is believed; 0 where it is believed itself."""
        return 0.0 if self._ahead is None else self._ahead[0] / 1000

    def now_ms(self, wall_ms: int, steady_s: float) -> int:
        """Unix ms that may be believed."""
        last_ms, last_s = self._last or (wall_ms, steady_s)
        expected_ms = last_ms + round(1000 * (steady_s - last_s))
        ahead_ms = wall_ms - expected_ms
        if ahead_ms > _DAY_MS:
            before = self._ahead
            if before is None or abs(ahead_ms - before[0]) > _DAY_MS:
                self._ahead = ahead_ms, steady_s
            elif steady_s - before[1] >= _BELIEVED_S:
                self._ahead = None
        else:
            self._ahead = None
        now_ms = wall_ms if self._ahead is None else expected_ms
        self._last = now_ms, steady_s
        return now_ms


class Retention:
    """Belongs to `distribute`."""

    def __init__(self, store: Store, clock: Clock, metrics: Metrics) -> None:
        self._store = store
        self._clock = clock
        self._metrics = metrics
        self._days = DayClock()
        metrics.gauge("retention_clock_ahead_seconds", lambda: self._days.ahead_s)

    async def run(self) -> None:
        """Until cancelled; a failure is tried again an hour later."""
        while True:
            await self._expire()
            for _ in range(max(1, round(_EVERY_S / _LOOK_S))):
                await asyncio.sleep(min(_LOOK_S, _EVERY_S))
                with suppress(TransportError):  # `/readyz` says it
                    # A store that merges by itself may meet a disk that fails while nobody writes or asks.
                    await self._store.check()

    async def _expire(self) -> None:
        now_ms = self._days.now_ms(self._clock.wall_ms(), self._clock.steady_s())
        if self._days.ahead_s:
            event = "the clock was set ahead: old days are not dropped by it until it has stayed so for a day"
            log.warning(event, ahead_s=round(self._days.ahead_s))
        try:
            await self._store.expire(now_ms)
        except TransportError as e:
            self._metrics.count("retention_failed_total")
            log.warning("old days not dropped", error=str(e))
