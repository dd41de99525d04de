"""Readers of the log on Kafka that share the work, and what a broker's or a reader's end leaves behind."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.protocol.group import LeaveGroupRequest

from duco_rt.errors import TransportError
from duco_rt.model import HubMessage, Peer, RawMessage, Sample, Span, Value
from duco_rt.pipeline.runner import readings, retry
from duco_rt.seeing.metrics import Metrics
from duco_rt.transports import log_kafka, log_kafka_cluster
from duco_rt.transports.log_kafka import KafkaLog
from duco_rt.transports.log_kafka_codec import Record
from tests.servers.kafka import KafkaServer, prefix

pytestmark = pytest.mark.servers

REPO = Path(__file__).resolve().parents[2]
SOON_S = 0.02
WITHIN_S = 20.0
DEVICES = [f"DUCO_{i}" for i in range(12)]
Seen = dict[str, list[int]]


def raw(device: str, seq: int) -> RawMessage:
    """A raw record."""
    return RawMessage(HubMessage(device, "vehicle_can", False, seq, seq, "x/y", "identity", b"body"), "duco", seq)


@pytest.fixture
async def make(kafka: KafkaServer) -> AsyncIterator[Callable[[], KafkaLog]]:
    """Logs of several processes, so to say: all with the same topics and groups."""
    name, made = prefix(), []

    def one() -> KafkaLog:
        log = KafkaLog(kafka.bootstrap_servers, ["vehicle_can"], Metrics(), prefix=name, partitions=4)
        made.append(log)
        return log

    yield one
    for log in made:
        await log.close()


async def read(log: KafkaLog, seen: Seen, metrics: Metrics) -> None:
    """A reader that does its work and commits, until cancelled."""
    async with aclosing(readings("log", lambda: log.read_raw(50, SOON_S), metrics)) as batches:
        async for batch in batches:
            for record in batch.records:
                seen[record.message.chassis_id].append(record.message.seq)
            await retry("log", batch.commit, metrics)


async def until(is_so: Callable[[], bool]) -> None:
    """Wait for it."""
    async with asyncio.timeout(WITHIN_S):
        while not is_so():
            await asyncio.sleep(0.01)


async def next_(source: AsyncIterator[Any]) -> Any:
    """The next batch."""
    return await asyncio.wait_for(anext(source), WITHIN_S)


async def joined(log: KafkaLog, source: AsyncIterator[Any]) -> None:
    """Return when the reader has its partitions."""
    await log.append_raw([raw(device, 0) for device in DEVICES])
    await (await next_(source)).commit()


async def rounds(log: KafkaLog, source: AsyncIterator[Any], done: Seen) -> Any:
    """Append a record a device, again and again, until this reader has lost partitions to another; its last batch."""
    for seq in range(1, 1000):
        await log.append_raw([raw(device, seq) for device in DEVICES])
        batch = await next_(source)
        if len({record.message.chassis_id for record in batch.records}) < len(DEVICES):
            return batch
        for record in batch.records:
            done[record.message.chassis_id].append(record.message.seq)
        await batch.commit()
    raise AssertionError("one reader keeps all partitions")


async def test_what_a_closed_reader_had_goes_to_the_other(make: Callable[[], KafkaLog]) -> None:
    """Both have a part of the devices; what the one did not commit comes to the other."""
    log, other, seen, done = make(), make(), defaultdict[str, list[int]](list), defaultdict[str, list[int]](list)
    source = log.read_raw(1000, 0.2)
    await joined(log, source)
    async with asyncio.TaskGroup() as tasks:
        reader = tasks.create_task(read(other, seen, Metrics()))
        batch = await rounds(log, source, done)
        open_ = [record.message for record in batch.records]
        await source.aclose()  # type: ignore[attr-defined]  # every adapter's reading is an async generator
        last = open_[0].seq
        await until(lambda: all(message.seq in seen[message.chassis_id] for message in open_))
        await until(lambda: all({*seen[device], *done[device]} >= {*range(1, last + 1)} for device in DEVICES))
        reader.cancel()


_OTHER = """
import asyncio, sys
from duco_rt.seeing.metrics import Metrics
from duco_rt.transports import log_kafka, log_kafka_cluster

log_kafka.SESSION_S = 1.0

async def main():
    log = log_kafka.KafkaLog(sys.argv[1], ["vehicle_can"], Metrics(), prefix=sys.argv[2])
    async for batch in log.read_raw(1000, 0.2):
        print("read", flush=True)
        await asyncio.sleep(1000)

asyncio.run(main())
"""


async def test_what_a_killed_reader_had_goes_to_the_other(
    make: Callable[[], KafkaLog], kafka: KafkaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once its session has run out."""
    monkeypatch.setattr(log_kafka, "HEARTBEAT_S", 0.2)
    log, seen = make(), defaultdict[str, list[int]](list)
    await log.append_raw([raw(device, 1) for device in DEVICES])
    command = (sys.executable, "-c", _OTHER, kafka.bootstrap_servers, log._prefix)
    other = await asyncio.create_subprocess_exec(*command, cwd=REPO, stdout=asyncio.subprocess.PIPE)
    assert other.stdout
    assert await asyncio.wait_for(other.stdout.readline(), WITHIN_S) == b"read\n"
    async with asyncio.TaskGroup() as tasks:
        reader = tasks.create_task(read(log, seen, Metrics()))
        os.kill(other.pid, signal.SIGKILL)
        await until(lambda: all(seen[device] == [1] for device in DEVICES))
        reader.cancel()
    await other.wait()


async def test_a_batch_whose_partitions_went_away_is_not_committed(
    make: Callable[[], KafkaLog], monkeypatch: pytest.MonkeyPatch
) -> None:
    """That is no error: it is counted, and whoever has the partitions now does the work again."""
    monkeypatch.setattr(log_kafka, "HEARTBEAT_S", 0.2)
    log, other = make(), make()
    source, its = log.read_raw(1000, 1.0), other.read_raw(1000, 1.0)  # all that is there in one batch
    async with aclosing(source), aclosing(its):  # type: ignore[type-var]  # every adapter's reading is an async generator
        await log.append_raw([raw(device, 1) for device in DEVICES])
        batch = await next_(source)
        assert len(batch.records) == len(DEVICES)
        theirs = await next_(its)  # it joins the group: all partitions are given anew
        await batch.commit()
        assert log._metrics.value("log_commits_lost_total") == 1
        await theirs.commit()
        again = await next_(source)
        assert len(theirs.records) + len(again.records) == len(DEVICES)
        await again.commit()
    await batch.commit()
    await theirs.commit()
    assert log._metrics.value("log_commits_lost_total") == 2


async def test_a_reader_that_the_group_has_lost_joins_again(make: Callable[[], KafkaLog]) -> None:
    """It learns of it at its commit, as after a long pause of its process; that is no error either."""
    log = make()
    await log.append_raw([raw("D", 1)])
    async with aclosing(log.read_raw(1, 1.0)) as source:  # type: ignore[type-var]
        batch = await next_(source)
        member = batch._reading._consumer._coordinator
        await member._send_req(LeaveGroupRequest(member.group_id, member.member_id))
        await batch.commit()
        assert log._metrics.value("log_commits_lost_total") == 1
        again = await next_(source)
        assert again.records == [raw("D", 1)]
        await again.commit()
    assert log._metrics.value("log_commits_lost_total") == 1


async def test_a_short_outage_loses_nothing_and_keeps_the_order(tmp_path: Path) -> None:
    """The broker is killed and started again while appends go on; each record comes once, a device's in their order."""
    server = KafkaServer(tmp_path).start()
    log = KafkaLog(server.bootstrap_servers, ["vehicle_can"], Metrics(), partitions=4)
    seen, sent, is_over = defaultdict[str, list[int]](list), 0, asyncio.Event()
    try:
        async with asyncio.TaskGroup() as tasks:
            reader = tasks.create_task(read(log, seen, Metrics()))
            outage = tasks.create_task(_outage(server, log, is_over))
            while not outage.done():
                for device in DEVICES:
                    tasks.create_task(log.append_raw([raw(device, sent)]))
                sent += 1
                await asyncio.sleep(0.02)
            await until(lambda: all(len(seen[device]) >= sent for device in DEVICES))
            reader.cancel()
    finally:
        await log.close()
        server.kill()
    assert is_over.is_set()
    for device in DEVICES:
        first_time = list(dict.fromkeys(seen[device]))
        assert first_time == list(range(sent))


async def _outage(server: KafkaServer, log: KafkaLog, is_over: asyncio.Event) -> None:
    """About 3 s; `check` tells of it, and a reader may go away meanwhile."""
    source = log.read_parsed(1, SOON_S)
    await log.append_parsed([Sample(Peer("duco", "D", "vehicle_can"), 1, 1, 1, {})])
    assert (await next_(source)).records
    await asyncio.sleep(0.5)  # so that some records are through, some under way
    await asyncio.to_thread(server.kill)
    async with asyncio.timeout(20):
        with pytest.raises(TransportError, match=server.bootstrap_servers):
            await log.check()
    await asyncio.sleep(1.0)
    await source.aclose()  # type: ignore[attr-defined]
    await asyncio.to_thread(server.start)
    async with asyncio.timeout(20):
        while True:
            try:
                await log.check()
                break
            except TransportError:
                await asyncio.sleep(0.05)
    is_over.set()


async def test_a_reading_that_hears_nothing_for_long_ends(
    make: Callable[[], KafkaLog], kafka: KafkaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The brokers may have moved to other addresses. Nothing of it stays in the group: the next one has all devices."""
    monkeypatch.setattr(log_kafka, "SESSION_S", 1.0)
    monkeypatch.setattr(log_kafka_cluster, "STOP_S", 0.2)
    log, seen = make(), defaultdict[str, list[int]](list)
    source = log.read_raw(1000, 0.2)
    await joined(log, source)
    with pytest.raises(TransportError, match="no answer in time"):
        try:
            kafka.pause(True)
            monkeypatch.setattr(log_kafka, "SILENCE_S", 1.5)
            await next_(source)
        finally:
            kafka.pause(False)
            monkeypatch.undo()  # what follows is an ordinary reader, which a slow machine does not cost its session
    async with asyncio.TaskGroup() as tasks:
        reader = tasks.create_task(read(log, seen, Metrics()))
        await log.append_raw([raw(device, 1) for device in DEVICES])
        await until(lambda: all(seen[device] == [1] for device in DEVICES))
        reader.cancel()


async def test_a_foreign_record_is_left_out(make: Callable[[], KafkaLog], kafka: KafkaServer) -> None:
    """It is counted; what is around it arrives, and it does not come again."""
    log = make()
    await log.append_raw([raw("D", 1)])
    garbage = AIOKafkaProducer(bootstrap_servers=kafka.bootstrap_servers)
    await garbage.start()
    for value, key in ((b"\xff", b"D"), (b"{}", None), (None, b"D")):
        await garbage.send_and_wait(f"{log._prefix}.raw", value, key)
    await garbage.stop()
    async with aclosing(log.read_raw(2, 0.5)) as source:  # type: ignore[type-var]
        batch = await next_(source)
        assert batch.records == [raw("D", 1)]
        await batch.commit()
        await log.append_raw([raw("D", 2)])
        assert (await next_(source)).records == [raw("D", 2)]
    async with aclosing(log.read_raw(1, 10.0)) as source:  # type: ignore[type-var]
        assert (await next_(source)).records == [raw("D", 2)]
    assert log._metrics.value("log_bad_records_total") == 3


async def test_a_sample_passes_whatever_its_stats_are(make: Callable[[], KafkaLog], kafka: KafkaServer) -> None:
    """Too large a record goes without them, and malformed ones are not known; both are counted."""
    log = make()
    payload: dict[str, Value] = {f"Message_{i:05}.SignalOfTheEngine": 1.5 for i in range(10_000)}
    stats = {name: Span(-12345.678901234, 12345.678901234, 1000) for name in payload}
    await log.append_parsed([Sample(Peer("t", "D", "vehicle_can"), 1, 1, 1, payload, stats)])
    text = b'{"tenant":"t","chassisId":"D","msgType":"vehicle_can","ts":1,"seq":2,"received":3,"payload":{"a":1}'
    await log._writer.append([(f"{log._prefix}.parsed.vehicle_can", Record(b"D", text + b',"stats":{"a":[1]}}', []))])
    async with aclosing(log.read_parsed(2, 5.0)) as source:  # type: ignore[type-var]
        found = (await next_(source)).records
    assert [(sample.payload, sample.stats) for sample in found] == [(payload, None), ({"a": 1}, None)]
    assert log._metrics.value("log_stats_left_out_total") == 2
    assert log._metrics.value("log_bad_records_total") == 0


async def test_without_a_broker_reading_ends_with_an_error() -> None:
    """So that the caller can say so and begin again."""
    log = KafkaLog("127.0.0.1:1", ["vehicle_can"], Metrics())
    with pytest.raises(TransportError, match=r"127\.0\.0\.1:1"):
        await next_(log.read_raw(1, 1.0))
    await log.close()
