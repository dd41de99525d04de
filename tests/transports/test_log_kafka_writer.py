"""The order of appends, and a producer that is beyond repair."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from duco_rt.errors import TransportError
from duco_rt.seeing.metrics import Metrics
from duco_rt.transports import log_kafka_writer
from duco_rt.transports.log_kafka_cluster import Cluster, Login
from duco_rt.transports.log_kafka_codec import RECORD_BYTES_MAX, Record
from duco_rt.transports.log_kafka_writer import Writer
from tests.servers.kafka import KafkaServer, prefix

pytestmark = pytest.mark.servers


def record(value: bytes) -> Record:
    """A record of one device."""
    return Record(b"D", value, [])


@pytest.fixture
def topic() -> str:
    """A topic of the test's own."""
    return f"{prefix()}.raw"


@pytest.fixture
async def make(kafka: KafkaServer) -> AsyncIterator[Callable[[str], Writer]]:
    """A writer to these servers, "" for the shared one."""
    made = []

    def one(servers: str) -> Writer:
        made.append(Writer(Cluster(servers or kafka.bootstrap_servers, "test", Login(), 1, 1), Metrics()))
        return made[-1]

    yield one
    for writer in made:
        await writer.close()
        await writer.close()


async def values(kafka: KafkaServer, topic: str) -> list[bytes]:
    """All that the topic has."""
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka.bootstrap_servers)
    await consumer.start()
    part = TopicPartition(topic, 0)
    consumer.assign([part])
    await consumer.seek_to_beginning(part)
    end = (await consumer.end_offsets([part]))[part]
    found: list[bytes] = []
    async with asyncio.timeout(20):
        while len(found) < end:
            found += [r.value for records in (await consumer.getmany(timeout_ms=100)).values() for r in records]
    await consumer.stop()
    return found


async def test_concurrent_appends_stay_in_the_order_of_their_calls(
    make: Callable[[str], Writer], kafka: KafkaServer, topic: str
) -> None:
    """Also where batches fill up and make some of them wait."""
    writer = make("")
    sent = [b"%d" % i + bytes(20_000) for i in range(900)]
    async with asyncio.TaskGroup() as tasks:
        for at in range(0, len(sent), 3):
            tasks.create_task(writer.append([(topic, record(value)) for value in sent[at : at + 3]]))
            await asyncio.sleep(0.0005)  # some come while earlier ones wait
    assert await values(kafka, topic) == sent


async def test_a_producer_that_failed_is_replaced(
    make: Callable[[str], Writer], kafka: KafkaServer, topic: str
) -> None:
    """A hole in the sequence makes the broker refuse all that follows; the next append works all the same."""
    writer = make("")
    await writer.append([(topic, record(b"1"))])
    writer._producer._txn_manager.increment_sequence_number(TopicPartition(topic, 0), 5)
    with pytest.raises(TransportError, match=kafka.bootstrap_servers):
        await writer.append([(topic, record(b"2"))])
    await writer.append([(topic, record(b"3"))])
    assert await values(kafka, topic) == [b"1", b"3"]


async def test_an_append_has_an_end_where_the_broker_has_none(
    make: Callable[[str], Writer],
    tmp_path: Path,
    topic: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """All that wait fail; once the broker is back, with nothing of what it had, the next append works. The driver's
    own tasks end without complaints."""
    monkeypatch.setattr(log_kafka_writer, "DELIVERY_S", 1.0)
    server = KafkaServer(tmp_path / "one").start()
    try:
        writer = make(server.bootstrap_servers)
        await writer.append([(topic, record(b"1"))])
        await asyncio.to_thread(server.kill)
        appends = [writer.append([(topic, record(b"x"))]) for _ in range(3)]
        results = await asyncio.gather(*appends, return_exceptions=True)
        assert [type(result) for result in results] == [TransportError] * 3
        with pytest.raises(TransportError, match=server.bootstrap_servers):
            await writer.append([(topic, record(b"2"))])
        monkeypatch.setattr(log_kafka_writer, "DELIVERY_S", 60.0)
        again = KafkaServer(tmp_path / "two")
        again.port = server.port
        server = again
        await asyncio.to_thread(server.start)
        await asyncio.sleep(log_kafka_writer._ATTEMPT_S)
        await writer.append([(topic, record(b"3"))])
        assert await values(server, topic) == [b"3"]
        gc.collect()
        assert not [line for line in caplog.records if line.name == "asyncio"]
    finally:
        server.kill()


async def test_a_cancelled_append_leaves_the_others_alone(
    make: Callable[[str], Writer], kafka: KafkaServer, topic: str
) -> None:
    """It may have been written or not."""
    writer = make("")
    await writer.append([(topic, record(b"1"))])
    async with asyncio.TaskGroup() as tasks:
        cancelled = tasks.create_task(writer.append([(topic, record(b"x"))]))
        await asyncio.sleep(0)
        tasks.create_task(writer.append([(topic, record(b"2"))]))
        cancelled.cancel()
    assert [value for value in await values(kafka, topic) if value != b"x"] == [b"1", b"2"]


async def test_a_record_that_no_broker_takes_is_left_out(
    make: Callable[[str], Writer], kafka: KafkaServer, topic: str
) -> None:
    """It is counted; it would stop the pipeline for ever. Anything a little smaller passes."""
    writer = make("")
    large = bytes(RECORD_BYTES_MAX - 100)
    await writer.append([(topic, record(bytes(RECORD_BYTES_MAX))), (topic, record(large))])
    assert writer._metrics.value("log_bad_records_total") == 1
    assert await values(kafka, topic) == [large]


async def test_a_closed_writer_takes_nothing(make: Callable[[str], Writer], topic: str) -> None:
    """It would open a connection that nobody closes."""
    writer = make("")
    await writer.append([])
    await writer.close()
    with pytest.raises(TransportError):
        await writer.append([(topic, record(b"1"))])
