"""Take every message off the hub: all of them to the raw log, the real-time ones parsed to live.

Two readings of the hub that never wait for each other: a store that stalls leaves live going, and a slow live
path leaves the store going.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import aclosing
from functools import partial

import msgspec
import structlog

from duco_rt.body import CAN_TYPE, INFLATED_BYTES_MAX
from duco_rt.clock import Clock
from duco_rt.errors import TransportError
from duco_rt.model import HubMessage, RawMessage, Sample
from duco_rt.pipeline.parse import Parser, Problems
from duco_rt.pipeline.parsing_cache import Known, ParsingCache
from duco_rt.pipeline.runner import Complaints, backoff_s, readings, retry
from duco_rt.seeing.delays import Arrivals, Delays
from duco_rt.seeing.logs import sample_key, steps
from duco_rt.seeing.metrics import Metrics
from duco_rt.transports.base import Delivery, HubCloud, Live, Log

log = structlog.get_logger()

_APPENDS_MAX = 4096
_PUBLISHES_MAX = 64
"""Live messages on their way to who publishes them: no more than this wait for a server's round trip."""
_META_S = 2.0
_AGAIN_S_MAX = 30.0


class _Line:
    """A machine's live messages that wait for its parsing."""

    def __init__(self) -> None:
        self.turn = asyncio.Lock()
        self.length = 0


class Ingest:
    """The role. At most 4,096 messages wait for the raw log; the hub keeps the others."""

    def __init__(
        self,
        hub: HubCloud,
        raw_log: Log,
        live: Live,
        parsings: ParsingCache,
        msg_types: tuple[str, ...],
        clock: Clock,
        metrics: Metrics,
        *,
        stats: bool = True,
        inflated_bytes_max: int = INFLATED_BYTES_MAX,
    ) -> None:
        """`stats`: whether live messages carry the spans of their fields."""
        self._hub = hub
        self._log = raw_log
        self._live = live
        self._parsings = parsings
        self._make_parser = partial(Parser, msg_types, stats=stats, inflated_bytes_max=inflated_bytes_max)
        self._parser = self._make_parser()
        self._msg_types = frozenset(msg_types)
        self._complaints = Complaints("ingest", metrics)
        self._clock = clock
        self._metrics = metrics
        self._room = asyncio.Semaphore(_APPENDS_MAX)
        self._live_room = asyncio.Semaphore(_PUBLISHES_MAX)
        self._lines: dict[str, _Line] = {}  # by machine
        self._beside: Counter[str] = Counter()  # by tenant: live messages that wait for their parsing
        self._open = 0
        self._open_high = metrics.depth("ingest_depth", lambda: self._open)
        self._arrivals, self._delays = Arrivals(metrics), Delays(metrics, "live")

    async def run(self) -> None:
        """Until cancelled. After a failure the hub gives again what was not acknowledged."""
        self._parser = self._make_parser()  # what an error left behind in one is not gone on with
        self._room, self._live_room = asyncio.Semaphore(_APPENDS_MAX), asyncio.Semaphore(_PUBLISHES_MAX)
        self._open = 0
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._to_live())
            async with aclosing(readings("hub", self._hub.stored, self._metrics)) as deliveries:
                async for delivery in deliveries:
                    await self._room.acquire()
                    self._open += 1
                    tasks.create_task(self._to_log(delivery))

    async def _to_log(self, delivery: Delivery) -> None:
        message, received_ms = delivery.message, self._clock.wall_ms()
        self._open_high.see(self._open)
        if steps.on:
            kind = "real-time" if message.realtime else "batch"
            steps.log("ingest took", message.chassis_id, message.msg_type, message.seq, upload=kind)
        try:
            await self._keep(message, received_ms)
            delivery.ack()
            kind = message.msg_type if message.msg_type in self._msg_types else "other"
            self._metrics.count("ingest_messages_total", msg_type=kind)
        finally:
            self._open -= 1
            self._room.release()

    async def _keep(self, message: HubMessage, received_ms: int) -> None:
        """Into the raw log, however long that takes: a message that fails waits for itself alone."""
        attempt = 0
        while True:
            try:
                known = await retry("meta", lambda: self._parsings.now(message.chassis_id), self._metrics)
                record = RawMessage(message, known.tenant if known else "", received_ms)
                await retry("log", partial(self._log.append_raw, [record]), self._metrics)
                return
            except Exception as e:
                why, now_s = f"{type(e).__name__}: {e}", self._clock.steady_s()
                event = "message not kept yet, trying again"
                self._complaints.add("keep_failed", now_s, event=event, sample=_key(message), why=why, exc_info=e)
                await asyncio.sleep(backoff_s(attempt, most_s=_AGAIN_S_MAX))
                attempt += 1

    async def _to_live(self) -> None:
        async with (
            aclosing(readings("hub", self._hub.live, self._metrics)) as messages,
            asyncio.TaskGroup() as publishing,
        ):
            async for message in messages:
                await self._live_room.acquire()
                publishing.create_task(self._try_publish(message))

    async def _try_publish(self, message: HubMessage) -> None:
        try:
            await self._publish(message)
        except (TransportError, TimeoutError) as e:  # at most once: what live cannot take now is in the history
            self._metrics.count("ingest_live_lost_total")
            now_s = self._clock.steady_s()
            self._complaints.add("live_away", now_s, event="live path is away", sample=_key(message), error=str(e))
        except Exception as e:  # the live path outlives whatever one message does to it
            why, now_s = f"{type(e).__name__}: {e}", self._clock.steady_s()
            self._complaints.add("live_failed", now_s, event="real-time message failed", sample=_key(message), why=why)
        finally:
            self._live_room.release()

    async def _publish(self, message: HubMessage) -> None:
        async with asyncio.timeout(_META_S):  # the storage path waits as long as it takes
            known = await self._parsings.now(message.chassis_id)
        needs_plan = message.content_type == CAN_TYPE
        if known is not None and needs_plan and (known.waits or message.chassis_id in self._lines):
            known = await self._with_plan(message.chassis_id, known.tenant)
        if known is None:
            return  # the storage path counts and keeps it
        if known.waits and needs_plan:
            self._metrics.count("ingest_live_lost_total")
            return
        problems = Problems()
        record = RawMessage(message, known.tenant, self._clock.wall_ms())
        self._arrivals.note(message.ts_ms, record.received_ms)
        for parsed in self._parser.parse(record, known, problems):
            if parsed.sample is not None:
                await self._live.publish(parsed.sample.peer.channel, encode_live(parsed.sample))
                self._published(parsed.sample)

    async def _with_plan(self, chassis_id: str, tenant: str) -> Known | None:
        """Wait for a parsing that is being read: a machine's messages in order, beside those of others."""
        if self._beside[tenant] >= _PUBLISHES_MAX:
            raise TimeoutError(f"{_PUBLISHES_MAX} messages of {tenant} wait for their parsing")
        self._beside[tenant] += 1
        line = self._lines.setdefault(chassis_id, _Line())
        line.length += 1
        self._live_room.release()
        try:
            async with asyncio.timeout(_META_S), line.turn:
                return await self._parsings.soon(chassis_id)
        except TimeoutError:
            raise TimeoutError(f"its parsing is not read within {_META_S:g} s") from None
        finally:
            await self._live_room.acquire()
            self._beside[tenant] -= 1
            if not self._beside[tenant]:
                del self._beside[tenant]
            line.length -= 1
            if not line.length:
                del self._lines[chassis_id]

    def _published(self, sample: Sample) -> None:
        self._metrics.count("ingest_live_total")
        self._delays.note(sample.ts_ms, sample.received_ms, self._clock.wall_ms())
        if steps.on:
            steps.log("live published", sample.peer.chassis_id, sample.peer.msg_type, sample.seq)


def _key(message: HubMessage) -> str:
    return sample_key(message.chassis_id, message.msg_type, message.seq)


def encode_live(sample: Sample) -> bytes:
    """A live message as interfaces.md has it, and the spans of fields where they are known."""
    message: dict[str, object] = {"payload": sample.payload, "ts": sample.ts_ms, "seq": sample.seq}
    message["received"] = sample.received_ms
    if sample.stats is not None:
        message["stats"] = sample.stats
    return msgspec.json.encode(message)
