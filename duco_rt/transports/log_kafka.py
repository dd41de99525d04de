"""The log on Kafka: topics `{prefix}.raw` and `{prefix}.parsed.{msgType}`, in order per device and msgType.

Readers of all processes are one consumer group a log (`{prefix}-process`, `{prefix}-distribute`). While the broker is
away they wait and go on where they were: a member that takes leave and joins again would be slower.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Generic, TypeVar

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError

from duco_rt.errors import BadInput
from duco_rt.model import RawMessage, Sample
from duco_rt.seeing.metrics import Metrics
from duco_rt.transports.log_kafka_cluster import Cluster, Login, end
from duco_rt.transports.log_kafka_codec import decode_parsed, decode_raw, encode_parsed, encode_raw
from duco_rt.transports.log_kafka_writer import Writer

T = TypeVar("T")
log = structlog.get_logger()

SESSION_S = 8.0
HEARTBEAT_S = 1.0
_JOIN_S = 30.0
_COMMIT_S = 30.0
_WAIT_S = 1.0
SILENCE_S = 60.0
_FETCH_WAIT_S = 0.25


class KafkaBatch(Generic[T]):
    """Records handed to a reader, and how far they go."""

    def __init__(
        self, records: Sequence[T], reading: _Reading[T], generation: int, offsets: dict[TopicPartition, int]
    ) -> None:
        self.records = records
        self._reading = reading
        self._generation = generation
        self._offsets = offsets

    async def commit(self) -> None:
        """The work is done. Where the partitions went to another reader meanwhile, it is repeated there; counted."""
        await self._reading.commit(self._generation, self._offsets)


class _Reading(ConsumerRebalanceListener, Generic[T]):  # type: ignore[misc]  # the driver is not annotated
    """One member of a consumer group."""

    def __init__(self, cluster: Cluster, group: str, decode: Callable[[ConsumerRecord], T], metrics: Metrics) -> None:
        self._cluster = cluster
        self._decode = decode
        self._metrics = metrics
        self._consumer = AIOKafkaConsumer(
            **cluster.options,
            group_id=group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            session_timeout_ms=int(1000 * SESSION_S),
            heartbeat_interval_ms=int(1000 * HEARTBEAT_S),
            fetch_max_wait_ms=int(1000 * _FETCH_WAIT_S),
        )
        self._waiting: list[T] = []
        self._offsets: dict[TopicPartition, int] = {}
        self._first_s = 0.0
        self._generation = 0
        self._bad = 0
        self._polls: list[int | None] = []
        self._heard_s = 0.0

    async def start(self, topics: Sequence[str]) -> None:
        """Return when the group has given it its partitions."""
        try:
            self._consumer.subscribe(topics, listener=self)
            async with asyncio.timeout(_JOIN_S):
                await self._consumer.start()
        except Exception as e:
            raise self._cluster.error("join", e) from e

    def on_partitions_revoked(self, revoked: object) -> None:
        """What is not committed comes again, to this reader or another."""
        self._generation += 1
        self._waiting.clear()
        self._offsets.clear()

    def on_partitions_assigned(self, assigned: object) -> None:
        """Reading begins at what is committed."""

    async def batch(self, records_max: int, age_max_s: float) -> KafkaBatch[T]:
        """The next one; waits for its first record as long as it takes."""
        self._heard_s = time.monotonic()
        while len(self._waiting) < records_max:
            wait_s = _WAIT_S
            if self._waiting:
                wait_s = min(wait_s, self._first_s + age_max_s - time.monotonic())
                if wait_s <= 0:
                    break
            try:
                found = await self._consumer.getmany(
                    timeout_ms=1000 * wait_s, max_records=records_max - len(self._waiting)
                )
                self._listen()
            except Exception as e:
                raise self._cluster.error("read", e) from e
            for partition, records in found.items():
                self._take(partition, records)
        batch = KafkaBatch(self._waiting, self, self._generation, self._offsets)
        self._waiting, self._offsets = [], {}
        return batch

    def _take(self, partition: TopicPartition, records: Sequence[ConsumerRecord]) -> None:
        if not self._waiting:
            self._first_s = time.monotonic()
        for record in records:
            try:
                self._waiting.append(self._decode(record))
            except BadInput as e:
                self._metrics.count("log_bad_records_total")
                if not self._bad:
                    log.warning("foreign record, left out", topic=record.topic, offset=record.offset, why=str(e))
                self._bad += 1
            self._offsets[partition] = record.offset + 1

    def _listen(self) -> None:
        """A consumer that knows only addresses where no broker is any more would wait for ever."""
        polls = [self._consumer.last_poll_timestamp(partition) for partition in self._consumer.assignment()]
        now_s = time.monotonic()
        if polls != self._polls or not polls:
            self._polls, self._heard_s = polls, now_s
        elif now_s - self._heard_s > SILENCE_S:
            raise TimeoutError

    async def commit(self, generation: int, offsets: dict[TopicPartition, int]) -> None:
        """Commit what was read since the partitions were given; TransportError where the broker is away."""
        try:
            if generation == self._generation:
                async with asyncio.timeout(_COMMIT_S):
                    await self._consumer.commit(offsets)
                return
        except (CommitFailedError, IllegalStateError):
            pass
        except Exception as e:
            raise self._cluster.error("commit", e) from e
        self._metrics.count("log_commits_lost_total")

    async def end(self) -> None:
        """Leave the group."""
        self._generation += 1
        await end(self._consumer)


class KafkaLog:
    """Raw and parsed topics."""

    def __init__(
        self,
        bootstrap_servers: str,
        msg_types: Sequence[str],
        metrics: Metrics,
        *,
        prefix: str = "duco",
        partitions: int = 12,
        replicas: int = 1,
        client_id: str = "duco-rt",
        user: str = "",
        password: str = "",
        ca_file: str = "",
    ) -> None:
        self._cluster = Cluster(bootstrap_servers, client_id, Login(user, password, ca_file), partitions, replicas)
        self._metrics = metrics
        self._writer = Writer(self._cluster, metrics)
        self._prefix = prefix
        self._msg_types = tuple(msg_types)

    def _parsed(self, msg_type: str) -> str:
        return f"{self._prefix}.parsed.{msg_type}"

    async def append_raw(self, records: Sequence[RawMessage]) -> None:
        """Return when the brokers have the records."""
        await self._writer.append([(f"{self._prefix}.raw", encode_raw(record)) for record in records])

    async def append_parsed(self, records: Sequence[Sample]) -> None:
        """Return when the brokers have the records."""
        problems = Counter[str]()
        encoded = [(self._parsed(record.peer.msg_type), encode_parsed(record, problems)) for record in records]
        self._count(problems)
        await self._writer.append(encoded)

    def read_raw(self, records_max: int, age_max_s: float) -> AsyncIterator[KafkaBatch[RawMessage]]:
        """Batches for `process`."""
        return self._read("process", [f"{self._prefix}.raw"], _raw, records_max, age_max_s)

    def read_parsed(self, records_max: int, age_max_s: float) -> AsyncIterator[KafkaBatch[Sample]]:
        """Batches for `distribute`."""
        topics = [self._parsed(msg_type) for msg_type in self._msg_types]
        return self._read("distribute", topics, self._sample, records_max, age_max_s)

    def _sample(self, record: ConsumerRecord) -> Sample:
        problems = Counter[str]()
        sample = decode_parsed(record.value, problems)
        self._count(problems)
        return sample

    def _count(self, problems: Counter[str]) -> None:
        if problems:
            self._metrics.count("log_stats_left_out_total", problems.total())

    async def _read(
        self,
        group: str,
        topics: Sequence[str],
        decode: Callable[[ConsumerRecord], T],
        records_max: int,
        age_max_s: float,
    ) -> AsyncIterator[KafkaBatch[T]]:
        await self._cluster.ensure(topics)
        reading = _Reading(self._cluster, f"{self._prefix}-{group}", decode, self._metrics)
        try:
            await reading.start(topics)
            while True:
                yield await reading.batch(records_max, age_max_s)
        finally:
            await reading.end()

    async def check(self) -> None:
        """Raises TransportError within 2 s where no broker answers or a partition has no leader."""
        await self._cluster.check()

    async def close(self) -> None:
        """Stop writing; a reading ends with its reader."""
        await self._writer.close()


def _raw(record: ConsumerRecord) -> RawMessage:
    return decode_raw(record.key, record.value, record.headers)
