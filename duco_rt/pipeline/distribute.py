"""Parsed log → parsed store. A batch is committed when the store has it."""

from __future__ import annotations

from functools import partial

from duco_rt.metrics import Metrics
from duco_rt.pipeline.runner import retry
from duco_rt.transports.base import Log, Store


class Distribute:
    """The role."""

    def __init__(self, parsed_log: Log, store: Store, batch: tuple[int, float], metrics: Metrics) -> None:
        self._log = parsed_log
        self._store = store
        self._messages_max, self._age_max_s = batch
        self._metrics = metrics

    async def run(self) -> None:
        """Until cancelled."""
        async for batch in self._log.read_parsed(self._messages_max, self._age_max_s):
            await retry("store", partial(self._store.insert_parsed, batch.records), self._metrics)
            await batch.commit()
            self._metrics.count("distribute_samples_total", len(batch.records))
            self._metrics.count("distribute_values_total", sum(len(s.payload) for s in batch.records))
