"""Parsed log → parsed store. A batch is committed when the store has it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing
from functools import partial

from duco_rt.clock import Clock, SystemClock
from duco_rt.model import Sample
from duco_rt.pipeline.runner import readings, retry
from duco_rt.seeing.delays import FRESH_MS, Delays, StoreLag
from duco_rt.seeing.logs import steps
from duco_rt.seeing.metrics import Metrics
from duco_rt.transports.base import Log
from duco_rt.transports.base_data import Store


class Distribute:
    """The role."""

    def __init__(
        self, parsed_log: Log, store: Store, batch: tuple[int, float], metrics: Metrics, clock: Clock | None = None
    ) -> None:
        self._log = parsed_log
        self._store = store
        self._messages_max, self._age_max_s = batch
        self._metrics = metrics
        self._clock = clock = clock or SystemClock()
        self._delays, self._lag = Delays(metrics, "parsed", FRESH_MS), StoreLag()
        self._insert = metrics.histogram("store_insert_seconds", table="parsed")
        metrics.gauge("store_lag_seconds", lambda: self._lag.lag_s(clock.wall_ms()), table="parsed")

    async def run(self) -> None:
        """Until cancelled."""
        read = partial(self._log.read_parsed, self._messages_max, self._age_max_s)
        async with aclosing(readings("log", read, self._metrics)) as batches:
            async for batch in batches:
                await self._keep(batch.records)
                await retry("log", batch.commit, self._metrics)
                self._metrics.count("distribute_samples_total", len(batch.records))
                self._metrics.count("distribute_values_total", sum(len(s.payload) for s in batch.records))

    async def _keep(self, samples: Sequence[Sample]) -> None:
        begun_s = self._clock.steady_s()
        self._lag.begin(min((sample.received_ms for sample in samples), default=self._clock.wall_ms()))
        await retry("store", partial(self._store.insert_parsed, samples), self._metrics)
        self._insert.observe(self._clock.steady_s() - begun_s)
        now_ms = self._clock.wall_ms()
        self._lag.end(now_ms)
        for sample in samples:
            self._delays.note(sample.ts_ms, sample.received_ms, now_ms)
            if steps.on:
                steps.log("parsed stored", sample.peer.chassis_id, sample.peer.msg_type, sample.seq)
