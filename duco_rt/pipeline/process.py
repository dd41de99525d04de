"""Raw log → raw store, and parsed → parsed log. A batch is committed when both have it.

A machine whose parsing is not read yet holds up nobody: its seconds are kept raw, and parsed by `later`.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import structlog

from duco_rt.body import INFLATED_BYTES_MAX
from duco_rt.clock import Clock
from duco_rt.model import Peer, RawMessage, RawSecond, Sample
from duco_rt.pipeline.later import Later
from duco_rt.pipeline.later_file import LaterFile
from duco_rt.pipeline.parse import Parser, Problems
from duco_rt.pipeline.parsing_cache import Known, ParsingCache
from duco_rt.pipeline.runner import Complaints, readings, retry
from duco_rt.seeing.delays import Delays, StoreLag
from duco_rt.seeing.logs import sample_key, steps
from duco_rt.seeing.metrics import Metrics
from duco_rt.transports.base import Log, RawBatch
from duco_rt.transports.base_data import Store

log = structlog.get_logger()

_NEXT_MS = 3_000
"""Where the next second of a device begins at the latest; usually it is 1,000 ms."""

_PAST_MS = 15_000
"""Longer than a message of several frames takes (J1939: 255 packets, 50 ms apart)."""


_HELD_BYTES_MAX = 64 * 1024 * 1024
"""Of a batch at a time: bodies that grow a thousandfold when they are inflated do not fill the memory together."""

_ROW_BYTES = 500
"""What a row takes besides its columns, with its sample."""


class _Position(NamedTuple):
    """A second of a peer; of `next` only the earliest time is known."""

    peer: Peer
    ts_ms: int
    seq: int

    def next(self) -> _Position:
        """The second after."""
        return self._replace(ts_ms=self.ts_ms + 1, seq=self.seq + 1)


class Process:
    """The role. One batch at a time; what comes meanwhile waits in the log."""

    def __init__(
        self,
        raw_log: Log,
        store: Store,
        parsings: ParsingCache,
        msg_types: tuple[str, ...],
        batch: tuple[int, float],
        clock: Clock,
        metrics: Metrics,
        *,
        inflated_bytes_max: int = INFLATED_BYTES_MAX,
        later_file: Path | None = None,
    ) -> None:
        """`later_file` has, over the end of the process, what waits for its parsing."""
        self._log = raw_log
        self._store = store
        self._parsings = parsings
        self._make_parser = partial(Parser, msg_types, inflated_bytes_max=inflated_bytes_max)
        self._parser = self._make_parser()
        self._messages_max, self._age_max_s = batch
        self._clock = clock
        self._metrics = metrics
        self._complaints = Complaints("process", metrics)
        self._later = Later(store, raw_log, parsings, msg_types, LaterFile(later_file), metrics)
        self._delays, self._lag = Delays(metrics, "raw"), StoreLag()
        self._insert = metrics.histogram("store_insert_seconds", table="raw")
        metrics.gauge("store_lag_seconds", lambda: self._lag.lag_s(clock.wall_ms()), table="raw")

    async def run(self) -> None:
        """Until cancelled. After a failure the log gives again what was not committed."""
        self._parser = self._make_parser()  # what an error left behind in one is not gone on with
        read = partial(self._log.read_raw, self._messages_max, self._age_max_s)
        await self._later.load()
        async with asyncio.TaskGroup() as tasks, aclosing(readings("log", read, self._metrics)) as batches:
            later = tasks.create_task(self._later.run())
            async for batch in batches:
                await self._work(batch)
            later.cancel()

    async def _work(self, batch: RawBatch) -> None:
        rows: list[RawSecond] = []
        samples: list[Sample] = []
        wanted: dict[_Position, int] = {}
        waiting: list[RawSecond] = []
        size_bytes = 0
        self._lag.begin(min((record.received_ms for record in batch.records), default=self._clock.wall_ms()))
        for record in batch.records:
            problems = Problems()
            known = await self._known(record.message.chassis_id) if record.tenant else None
            await self._see_past(record, known)
            for parsed in self._parser.parse(record, known, problems):
                rows.append(parsed.raw)
                position = _Position(parsed.raw.peer, parsed.raw.ts_ms, parsed.raw.seq)
                if parsed.sample is not None:
                    samples.append(parsed.sample)
                    wanted.pop(position, None)
                elif parsed.lacks_parts:
                    wanted[position] = parsed.lacks_parts
                if parsed.next_again:
                    wanted[position.next()] = 0
                if parsed.waits:
                    waiting.append(replace(parsed.raw, streams=b"", order=b"", times=b"", data=b""))
                size_bytes += _size_bytes(parsed.raw)
                if size_bytes >= _HELD_BYTES_MAX:
                    await self._keep_both(rows, samples)
                    rows, samples, size_bytes = [], [], 0
                await asyncio.sleep(0)  # the live path goes between any two seconds
            message = record.message
            self._complain(sample_key(message.chassis_id, message.msg_type, message.seq), problems)
        await self._keep_both(rows, samples)
        if wanted:
            await self._parse_stored(wanted)
        if waiting:
            self._complain(waiting[0].peer.chassis_id, await self._later.add(waiting))
        await retry("log", batch.commit, self._metrics)
        self._metrics.count("process_messages_total", len(batch.records))

    async def _keep_both(self, rows: list[RawSecond], samples: list[Sample]) -> None:
        async with asyncio.TaskGroup() as both:
            both.create_task(self._keep(rows))
            both.create_task(retry("log", lambda: self._log.append_parsed(samples), self._metrics))
        self._metrics.count("process_seconds_total", len(rows))

    async def _keep(self, rows: list[RawSecond]) -> None:
        begun_s = self._clock.steady_s()
        await retry("store", lambda: self._store.insert_raw(rows), self._metrics)
        self._insert.observe(self._clock.steady_s() - begun_s)
        now_ms = self._clock.wall_ms()
        self._lag.end(now_ms)
        for row in rows:
            self._delays.note(row.ts_ms, row.received_ms, now_ms, row.realtime)
            if steps.on:
                steps.log("raw stored", row.peer.chassis_id, row.peer.msg_type, row.seq, part=row.part, kind=row.kind)

    async def _see_past(self, record: RawMessage, known: Known | None) -> None:
        """Before a second whose predecessor was not seen here: what is stored may have begun a longer message."""
        if known is None or not self._parser.lacks_past(record, known):
            return
        message = record.message
        peer = Peer(record.tenant, message.chassis_id, message.msg_type)
        read = partial(self._store.raw, peer, message.ts_ms - _PAST_MS, message.ts_ms - 1)
        rows = [row for row in await retry("store", read, self._metrics) if row.seq < message.seq]
        try:
            for _ in self._parser.see_past(rows, known):
                await asyncio.sleep(0)
        except Exception as e:  # what is stored must not hold up what comes
            problems = Problems()
            problems.fail(e)
            self._complain(message.chassis_id, problems)

    async def _parse_stored(self, wanted: dict[_Position, int]) -> None:
        """Parse stored seconds: large ones (of so many parts) whose other parts another process has stored, one that
        was killed or had the device before; and those (0) that came before the second that they go on from."""
        samples: list[Sample] = []
        waiting = list(wanted.items())
        while waiting:  # one that is parsed again may have another again: as far as the parser remembers
            position, parts = waiting.pop(0)
            peer, ts_ms, seq = position
            problems = Problems()
            to_ms = ts_ms if parts else ts_ms + _NEXT_MS
            rows = await retry("store", partial(self._store.raw, peer, ts_ms, to_ms), self._metrics)
            mine = [row for row in rows if row.seq == seq]
            parts = parts or max((row.parts for row in mine), default=0) or 1
            known = await self._known(peer.chassis_id)
            try:
                sample, next_again = self._parser.stored(mine, seq, parts, known, problems)
            except Exception as e:  # as in `_see_past`
                problems.fail(e)
                sample, next_again = None, False
            if sample is not None:
                samples.append(sample)
            if next_again and sample is not None:
                waiting.append((_Position(peer, sample.ts_ms, seq).next(), 0))
            self._complain(sample_key(peer.chassis_id, peer.msg_type, seq), problems)
        await retry("log", lambda: self._log.append_parsed(samples), self._metrics)

    async def _known(self, chassis_id: str) -> Known | None:
        return await retry("meta", partial(self._parsings.now, chassis_id), self._metrics)

    def _complain(self, sample: str, problems: Problems) -> None:
        why = {"why": problems.why} if problems.why else {}
        for kind, count in problems.items():
            self._complaints.add(kind, self._clock.steady_s(), count, sample=sample, **why)


def _size_bytes(row: RawSecond) -> int:
    return _ROW_BYTES + len(row.streams) + len(row.order) + len(row.times) + len(row.data) + len(row.body)
