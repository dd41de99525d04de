"""Parsed log → parsed store. A batch is committed when the store has it."""

from __future__ import annotations

from contextlib import aclosing
from functools import partial

from duco_rt.metrics import Metrics
from duco_rt.pipeline.runner import readings, retry
from duco_rt.transports.base import Log
from duco_rt.transports.base_data import Store


class Distribute:
    """The role."""

    def __init__(self, parsed_log: Log, store: Store, batch: tuple[int, float], metrics: Metrics) -> None:
        self._log = parsed_log
        self._store = store
        self._messages_max, self._age_max_s = batch
        self._metrics = metrics

    async def run(self) -> None:
        """Until cancelled."""
        read = partial(self._log.read_parsed, self._messages_max, self._age_max_s)
        async with aclosing(readings("log", read, self._metrics)) as batches:
            async for batch in batches:
                await retry("store", partial(self._store.insert_parsed, batch.records), self._metrics)
                await retry("log", batch.commit, self._metrics)
                self._metrics.count("distribute_samples_total", len(batch.records))
                self._metrics.count("distribute_values_total", sum(len(s.payload) for s in batch.records))
