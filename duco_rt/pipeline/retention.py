"""Once an hour, let the store drop the days that are past their retention or over its limit."""

from __future__ import annotations

import asyncio

import structlog

from duco_rt.clock import Clock
from duco_rt.errors import TransportError
from duco_rt.metrics import Metrics
from duco_rt.transports.base_data import Store

log = structlog.get_logger()

_EVERY_S = 3600.0


class Retention:
    """Belongs to `distribute`."""

    def __init__(self, store: Store, clock: Clock, metrics: Metrics) -> None:
        self._store = store
        self._clock = clock
        self._metrics = metrics

    async def run(self) -> None:
        """Until cancelled; a failure is tried again an hour later."""
        while True:
            try:
                await self._store.expire(self._clock.wall_ms())
            except TransportError as e:
                self._metrics.count("retention_failed_total")
                log.warning("old days not dropped", error=str(e))
            await asyncio.sleep(_EVERY_S)
