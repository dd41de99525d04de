"""What Redis Streams add: nothing is lost with a connection, nothing is kept for long."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from duco_rt.model import Peer
from duco_rt.seeing.metrics import Metrics
from duco_rt.transports.live_redis_streams import RedisStreamsLive
from tests.servers.redis import RedisServer, carried, read
from tests.servers.server import HOST

pytestmark = pytest.mark.servers

CHANNEL = Peer("duco", "DUCO_001", "vehicle_can").channel
OTHER = Peer("duco", "DUCO_002", "vehicle_can").channel


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """One that keeps nothing."""
    server = RedisServer(tmp_path_factory.mktemp("redis")).start()
    yield server
    server.kill()


@pytest.fixture(autouse=True)
def empty(server: RedisServer) -> None:
    """Nothing of another test is on it."""
    server.cli("FLUSHALL")


@pytest.fixture
def metrics() -> Metrics:
    """What the transport counts in."""
    return Metrics()


def numbers(first: int, end: int) -> list[bytes]:
    """Messages that tell a hole, a copy and a wrong order."""
    return [b"%d" % i for i in range(first, end)]


async def test_a_cut_connection_costs_nothing(server: RedisServer, metrics: Metrics) -> None:
    """Cut again and again in the middle of a flow: each message comes once, in order."""

    def cut() -> int:
        readers = [line for line in server.cli("CLIENT", "LIST").splitlines() if "cmd=xread" in line.split()]
        return sum(server.cli("CLIENT", "KILL", "ID", line.split()[0][3:]).strip() == "1" for line in readers)

    async with carried(RedisStreamsLive(server.url, 1000, metrics)) as live:
        source = await live.subscribe(CHANNEL)
        cuts = 0
        for i in range(300):
            await live.publish(CHANNEL, b"%d" % i)
            await asyncio.sleep(0.001)
            if i % 60 == 30:
                cuts += await asyncio.to_thread(cut)
        assert await read(source, 300) == numbers(0, 300)
        assert cuts >= 2
        assert 1 <= metrics.value("live_resubscribed_total") <= cuts


async def test_a_restart_costs_nothing(tmp_path: Path, metrics: Metrics) -> None:
    """Of a server that kept its data, killed: what it had, and what came before the reader was back."""
    server = RedisServer(tmp_path, appendonly=True).start()
    publisher = RedisStreamsLive(server.url, 1, metrics)
    try:
        async with carried(RedisStreamsLive(server.url, 1000, metrics)) as live:
            source = await live.subscribe(CHANNEL)
            for message in numbers(0, 50):
                await publisher.publish(CHANNEL, message)
            assert await read(source, 20) == numbers(0, 20)
            server.kill()
            await asyncio.to_thread(server.start)
            for message in numbers(50, 300):
                await publisher.publish(CHANNEL, message)
            assert await read(source, 280) == numbers(20, 300)
    finally:
        await publisher.close()
        server.kill()


async def test_a_server_that_came_back_empty_is_read_anew(tmp_path: Path, metrics: Metrics) -> None:
    """Its clock may be behind: a position that it has not reached must not be waited for."""
    server = RedisServer(tmp_path).start()
    try:
        async with carried(RedisStreamsLive(server.url, 100, metrics)) as live:
            source, other = await live.subscribe(CHANNEL), await live.subscribe(OTHER)
            for channel in (CHANNEL, OTHER):
                await asyncio.to_thread(server.cli, "XADD", channel, "9999999999999-7", "data", "of the future")
            assert await read(source, 1) == await read(other, 1) == [b"of the future"]
            server.kill()
            await asyncio.to_thread(server.start)
            await live.publish(CHANNEL, b"early")  # for this one its newest entry decides
            async with asyncio.timeout(20):
                while not metrics.value("live_resubscribed_total"):
                    await asyncio.sleep(0.01)
            await live.publish(CHANNEL, b"anew")
            await live.publish(OTHER, b"anew")
            first = await read(source, 1)
            if first == [b"early"]:  # the subscription was quicker than it
                first = await read(source, 1)
            assert (first, await read(other, 1)) == ([b"anew"], [b"anew"])
    finally:
        server.kill()


async def test_changes_reach_a_read_that_is_blocked(server: RedisServer, metrics: Metrics) -> None:
    """A new viewer has its first message in far less than the second that a read may block."""
    async with carried(RedisStreamsLive(server.url, 100, metrics)) as live:
        took_s: list[float] = []
        for i in range(10):
            await asyncio.sleep(0.02)  # nothing comes: the read is blocked
            channel = f"{CHANNEL}{i}"
            source = await live.subscribe(channel)
            begun_s = time.monotonic()
            await live.publish(channel, b"1")
            assert await read(source, 1) == [b"1"]
            took_s.append(time.monotonic() - begun_s)
            await source.aclose()  # type: ignore[attr-defined]
    assert sorted(took_s)[5] < 0.3, took_s
    assert max(took_s) < 0.8, took_s  # a read that was not woken ends after 0.95 s


async def test_what_nobody_watches_is_not_read(server: RedisServer, metrics: Metrics) -> None:
    """When its last viewer went, the server is not asked for the channel any more."""
    async with carried(RedisStreamsLive(server.url, 100, metrics)) as live:
        source, other = await live.subscribe(CHANNEL), await live.subscribe(OTHER)
        await live.publish(CHANNEL, b"1")
        assert await read(source, 1) == [b"1"]
        told, monitor = await asyncio.open_connection(HOST, server.port)
        monitor.write(b"MONITOR\r\n")
        await source.aclose()  # type: ignore[attr-defined]
        async with asyncio.timeout(20):
            while b'"XREAD"' not in (line := await told.readline()) or CHANNEL.encode() in line:
                pass  # the read that still was for it
            for _ in range(20):
                await live.publish(CHANNEL, b"2")
            await live.publish(OTHER, b"3")
            assert await read(other, 1) == [b"3"]
            while b'"XADD"' not in (line := await told.readline()) or OTHER.encode() not in line:
                assert b'"XREAD"' not in line or CHANNEL.encode() not in line
        monitor.close()


async def test_more_than_one_answer_holds(server: RedisServer, metrics: Metrics) -> None:
    """What has piled up comes in several answers, of all channels."""
    live = RedisStreamsLive(server.url, 1000, metrics)
    sources = [await live.subscribe(channel) for channel in (CHANNEL, OTHER)]
    for message in numbers(0, 350):
        await live.publish(CHANNEL, message)
        await live.publish(OTHER, message)
    async with carried(live):
        for source in sources:
            assert await read(source, 350) == numbers(0, 350)


async def test_entries_without_data_are_skipped(server: RedisServer, metrics: Metrics) -> None:
    """Counted; other fields beside `data` do not matter."""
    async with carried(RedisStreamsLive(server.url, 100, metrics)) as live:
        source = await live.subscribe(CHANNEL)
        for fields in (("payload", "x"), ("a", "b", "data", "1", "data", "2"), ("data", "")):
            await asyncio.to_thread(server.cli, "XADD", CHANNEL, "*", *fields)
        assert await read(source, 2) == [b"1", b""]
        assert metrics.value("live_bad_publications_total") == 1


async def test_entries_go_when_they_are_old(server: RedisServer, metrics: Metrics) -> None:
    """With the next message, to the last one; of a machine that is gone nothing stays."""
    live = RedisStreamsLive(server.url, 100, metrics, keep_s=60)
    now_s = int(server.cli("TIME").split()[0])
    for age_s in (90, 80, 70, 30):  # by its number, which is the server's time
        server.cli("XADD", CHANNEL, f"{now_s - age_s}000-0", "data", f"{age_s}")
    await live.publish(CHANNEL, b"new")
    assert server.cli("XRANGE", CHANNEL, "-", "+").split()[2::3] == ["30", "new"]
    assert 0 < int(server.cli("PTTL", CHANNEL)) <= 60_000
    await live.close()
    live = RedisStreamsLive(server.url, 100, metrics, keep_s=0.5)
    await live.publish(CHANNEL, b"last")
    async with asyncio.timeout(20):
        while server.cli("EXISTS", CHANNEL).strip() != "0":
            await asyncio.sleep(0.05)
    await live.close()


async def test_nothing_of_this_process_stays_on_the_server(server: RedisServer, metrics: Metrics) -> None:
    """The key that wakes a read goes by itself."""
    async with carried(RedisStreamsLive(server.url, 100, metrics)) as live:
        await live.subscribe("nobody publishes here")
        async with asyncio.timeout(20):
            while not (keys := (await asyncio.to_thread(server.cli, "KEYS", "duco:live-wake:*")).split()):
                await asyncio.sleep(0.01)
        assert all([0 < int(await asyncio.to_thread(server.cli, "PTTL", key)) <= 10_000 for key in keys])
