"""What every log keeps, for both of its topics, on every adapter."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from duco_rt.model import HubMessage, Peer, RawMessage, Sample
from duco_rt.seeing.metrics import Metrics
from duco_rt.transports.base import Log

WITHIN_S = 20.0
SOON_S = 0.02


async def _memory(_request: pytest.FixtureRequest) -> Log:
    from duco_rt.transports.log_memory import MemoryLog

    return MemoryLog(1000, Metrics())


async def _kafka(request: pytest.FixtureRequest) -> Log:
    from duco_rt.transports.log_kafka import KafkaLog
    from tests.servers.kafka import prefix

    servers = request.getfixturevalue("kafka").bootstrap_servers
    return KafkaLog(servers, ["vehicle_can", "own"], Metrics(), prefix=prefix(), partitions=3)


ADAPTERS = {"memory": _memory, "kafka": _kafka}


class Topic(NamedTuple):
    """One topic of a log: how to append, read and make its records."""

    append: Callable[[Sequence[Any]], Awaitable[None]]
    read: Callable[[int, float], AsyncIterator[Any]]
    record: Callable[[int], RawMessage | Sample]


def raw(seq: int) -> RawMessage:
    """Return a raw record."""
    return RawMessage(HubMessage("D", "vehicle_can", False, seq, seq, "x/y", "identity", b"%d" % seq), "duco", seq)


def parsed(seq: int) -> Sample:
    """Return a parsed record."""
    return Sample(Peer("duco", "D", "vehicle_can"), seq, seq, seq, {"a": float(seq)})


@pytest.fixture(params=["memory", pytest.param("kafka", marks=pytest.mark.servers)])
async def log(request: pytest.FixtureRequest) -> AsyncIterator[Log]:
    """A fresh log of the adapter."""
    opened = await ADAPTERS[request.param](request)
    yield opened
    await opened.close()
    await opened.close()


@pytest.fixture(params=["raw", "parsed"])
def topic(request: pytest.FixtureRequest, log: Log) -> Topic:
    """Each topic of the log."""
    if request.param == "raw":
        return Topic(log.append_raw, log.read_raw, raw)
    return Topic(log.append_parsed, log.read_parsed, parsed)


async def take(source: AsyncIterator[Any]) -> Any:
    """The next batch, not committed."""
    return await asyncio.wait_for(anext(source), WITHIN_S)


async def read_all(source: AsyncIterator[Any], count: int) -> list[Any]:
    """So many records, each batch committed."""
    found: list[Any] = []
    while len(found) < count:
        batch = await take(source)
        found += batch.records
        await batch.commit()
    return found


async def close(source: AsyncIterator[Any]) -> None:
    """End a reading as a reader does that goes away."""
    await source.aclose()  # type: ignore[attr-defined]  # every adapter's reading is an async generator


async def test_records_come_in_the_order_of_their_appends(topic: Topic) -> None:
    """One append or many."""
    records = [topic.record(i) for i in range(25)]
    async with asyncio.TaskGroup() as tasks:
        for at in range(0, 25, 5):
            tasks.create_task(_append(topic, records[at : at + 5]))
        source = topic.read(7, SOON_S)
        assert await read_all(source, 25) == records
        await close(source)


async def _append(topic: Topic, records: Sequence[Any]) -> None:
    await topic.append(records)


async def test_an_append_ends_once_the_work_is_done(topic: Topic) -> None:
    """At the latest with the commit of the last of its records."""
    async with asyncio.TaskGroup() as tasks:
        appended = tasks.create_task(_append(topic, [topic.record(i) for i in range(5)]))
        source = topic.read(2, SOON_S)
        await read_all(source, 5)
        await asyncio.wait_for(appended, WITHIN_S)
        await close(source)
    await asyncio.wait_for(topic.append([]), WITHIN_S)


async def test_batches_have_their_size_at_most(topic: Topic) -> None:
    """A full one is handed out at once, whatever its age may be."""
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_append(topic, [topic.record(i) for i in range(6)]))
        source = topic.read(3, 1000.0)
        for _ in range(2):
            batch = await take(source)
            assert len(batch.records) == 3
            await batch.commit()
        await close(source)


async def test_a_batch_does_not_wait_longer_than_its_age(topic: Topic) -> None:
    """A few records are handed out without the rest."""
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_append(topic, [topic.record(0)]))
        source = topic.read(100, 0.05)
        await read_all(source, 1)  # from here on the reader is there
        tasks.create_task(_append(topic, [topic.record(1)]))
        batch = await take(source)  # nothing more comes: without its age it would never be there
        assert batch.records == [topic.record(1)]
        await batch.commit()
        await close(source)


async def test_a_log_that_works_says_so(log: Log) -> None:
    """Before its first use, too; and in time for who asks how the program does."""
    async with asyncio.timeout(5):
        await log.check()


async def test_what_was_not_committed_comes_again(topic: Topic) -> None:
    """To the next reader, in order, before everything that came later."""
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(_append(topic, [topic.record(i) for i in range(6)]))
        source = topic.read(2, SOON_S)
        await (await take(source)).commit()
        assert (await take(source)).records == [topic.record(2), topic.record(3)]
        await close(source)
        again = topic.read(100, SOON_S)
        assert await read_all(again, 4) == [topic.record(i) for i in range(2, 6)]
        await close(again)


async def test_the_topics_are_apart(log: Log) -> None:
    """What is appended to one never shows in the other."""
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(log.append_raw([raw(1)]))
        tasks.create_task(log.append_parsed([parsed(2)]))
        first, second = log.read_raw(10, SOON_S), log.read_parsed(10, SOON_S)
        assert await read_all(first, 1) == [raw(1)]
        assert await read_all(second, 1) == [parsed(2)]
        await close(first)
        await close(second)


_RAW = st.builds(
    RawMessage,
    st.builds(
        HubMessage,
        st.just("DUCO_001"),
        st.just("vehicle_can"),
        st.booleans(),
        st.integers(0, 2**53),
        st.integers(0, 2**53),
        st.just("x/y;v=1"),
        st.just("deflate"),
        st.binary(max_size=300),
    ),
    st.sampled_from(["duco", ""]),
    st.integers(0, 2**53),
)
_VALUES = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(2**53), 2**53) | st.booleans() | st.text()
_SAMPLES = st.builds(
    Sample,
    st.builds(Peer, st.just("duco"), st.just("DUCO_001"), st.sampled_from(["vehicle_can", "own"])),
    st.integers(0, 2**53),
    st.none() | st.integers(0, 2**53),
    st.integers(0, 2**53),
    st.dictionaries(st.text(max_size=10), _VALUES, max_size=5),
)


@pytest.fixture
async def readings(log: Log) -> AsyncIterator[tuple[AsyncIterator[Any], AsyncIterator[Any]]]:
    """A reading of each topic, for all examples of a test."""
    sources = log.read_raw(4, SOON_S), log.read_parsed(4, SOON_S)
    yield sources
    for source in sources:
        await close(source)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(raws=st.lists(_RAW, min_size=1, max_size=4), samples=st.lists(_SAMPLES, min_size=1, max_size=4))
async def test_records_arrive_as_they_were(
    log: Log,
    readings: tuple[AsyncIterator[Any], AsyncIterator[Any]],
    request: pytest.FixtureRequest,
    raws: list[RawMessage],
    samples: list[Sample],
) -> None:
    """Bodies untouched, values with their types; in order per device."""
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(log.append_raw(raws))
        tasks.create_task(log.append_parsed(samples))
        assert await read_all(readings[0], len(raws)) == raws
        got = await read_all(readings[1], len(samples))
    if request.node.callspec.params["log"] != "memory":  # the order of all of them is more than was promised
        got, samples = (sorted(all_, key=lambda sample: sample.peer) for all_ in (got, samples))
    assert got == samples
    assert [[type(v) for v in s.payload.values()] for s in got] == [
        [type(v) for v in s.payload.values()] for s in samples
    ]
