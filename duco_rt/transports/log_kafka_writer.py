"""The log's writing side: one idempotent producer for all topics."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from itertools import chain

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, KafkaTimeoutError, MessageSizeTooLargeError

from duco_rt.errors import TransportError
from duco_rt.seeing.logs import sample_key
from duco_rt.seeing.metrics import Metrics
from duco_rt.transports.log_kafka_cluster import CONNECT_S, PART_S, STOP_S, Cluster, done, end
from duco_rt.transports.log_kafka_codec import RECORD_BYTES_MAX, Record, position_of

log = structlog.get_logger()

DELIVERY_S = 60.0
"""How long an append waits for a broker that is away: meanwhile the order stays and nothing is sent twice."""
_BATCH_BYTES_MAX = 256 * 1024
_ATTEMPT_S = 0.2


class Writer:
    """Keeps the order of the calls. A producer that failed is replaced: a hole in its sequence cannot be mended."""

    def __init__(self, cluster: Cluster, metrics: Metrics) -> None:
        self._cluster = cluster
        self._metrics = metrics
        self._producer: AIOKafkaProducer = None
        self._handing_over = asyncio.Lock()
        self._failed: tuple[float, TransportError] | None = None
        self._is_closed = False

    async def append(self, records: Sequence[tuple[str, Record]]) -> None:
        """Return when the broker has all of them, each with its topic; TransportError where that is not known."""
        if not records:
            return
        producer: AIOKafkaProducer = None
        try:
            async with asyncio.timeout(DELIVERY_S):
                async with self._handing_over:
                    producer = await self._started({topic for topic, _ in records})
                    sent = [await self._hand_over(producer, topic, record) for topic, record in records]
                await asyncio.gather(*filter(None, sent))
        except TransportError:
            raise
        except Exception as e:
            await self._give_up(producer)
            raise self._cluster.error("append", e) from e

    async def _started(self, topics: set[str]) -> AIOKafkaProducer:
        if self._is_closed:
            raise TransportError("kafka: the log is closed")
        if self._failed and time.monotonic() - self._failed[0] < _ATTEMPT_S:
            raise TransportError(str(self._failed[1]))  # thousands may wait: one attempt is enough for all of them
        try:
            await self._cluster.ensure(topics)
            if self._producer is None:
                self._producer = await self._start()
        except TransportError as e:
            self._failed = (time.monotonic(), e)
            raise
        return self._producer

    async def _start(self) -> AIOKafkaProducer:
        producer = AIOKafkaProducer(
            **self._cluster.options,
            enable_idempotence=True,
            acks="all",
            max_batch_size=_BATCH_BYTES_MAX,
            max_request_size=RECORD_BYTES_MAX,
        )
        # Its batches would fail, and spoil the producer, where a partition has no leader for longer than a request may
        # take. There is no option for that; where the attribute goes away, an append fails and is repeated instead.
        producer._message_accumulator._batch_ttl = DELIVERY_S
        try:
            async with asyncio.timeout(CONNECT_S):
                await producer.start()
        except BaseException as e:
            await _end(producer)
            if isinstance(e, Exception):
                raise self._cluster.error("connect", e) from e
            raise
        return producer

    async def _hand_over(self, producer: AIOKafkaProducer, topic: str, record: Record) -> asyncio.Future[object] | None:
        while True:
            try:
                sent: asyncio.Future[object] = await producer.send(
                    topic, record.value, record.key, headers=record.headers
                )
            except KafkaTimeoutError:
                continue  # the partition's batch is full: the broker is slow or away, and `append` has its own limit
            except MessageSizeTooLargeError as e:
                self._metrics.count("log_bad_records_total")
                sample = sample_key(*position_of(record))
                log.warning("record too large, left out", topic=topic, sample=sample, why=str(e))
                return None
            sent.add_done_callback(_seen)
            return sent

    async def _give_up(self, producer: AIOKafkaProducer) -> None:
        if producer and producer is self._producer:
            self._producer = None
            self._cluster.forget()
            await _end(producer)

    async def close(self) -> None:
        """Send what was handed over, where that can be done in time."""
        self._is_closed = True
        producer, self._producer = self._producer, None
        if producer is not None:
            await done(producer.flush, STOP_S)
            await _end(producer)


async def _end(producer: AIOKafkaProducer) -> None:
    """What it still holds fails: an idempotent producer that is only stopped sends it whenever the broker is back."""
    await done(producer._sender.close, PART_S)
    accumulator = producer._message_accumulator
    waiting = list(chain.from_iterable(accumulator._batches.values()))
    accumulator._pending_batches.update(waiting)  # those that were sent once are expected there when they end
    accumulator.fail_all(KafkaError("the producer was given up"))
    for batch in waiting:
        _seen(batch._drain_waiter)
    await end(producer)


def _seen(sent: asyncio.Future[object]) -> None:
    """Where nobody waits any more: asyncio would complain of an error that nobody has seen."""
    if not sent.cancelled():
        sent.exception()
