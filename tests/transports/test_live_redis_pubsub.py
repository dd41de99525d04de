"""What Redis Pub/Sub adds: what the server is subscribed to, and how a loss is noticed."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator

import pytest

from duco_rt.model import Peer
from duco_rt.seeing.metrics import Metrics
from duco_rt.transports.live_redis_pubsub import RedisPubSubLive
from tests.servers.redis import RedisServer, carried, read
from tests.servers.server import HOST

pytestmark = pytest.mark.servers

CHANNELS = [Peer("duco", f"DUCO_00{i}", "vehicle_can").channel for i in range(3)]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A server that cuts a subscriber with 1 MB waiting for it."""
    options = {"client-output-buffer-limit": "pubsub 1mb 0 0"}
    server = RedisServer(tmp_path_factory.mktemp("redis"), options=options).start()
    yield server
    server.kill()


async def until(server: RedisServer, command: tuple[str, ...], expected: set[str]) -> None:
    """Wait until the server answers so, in any order."""
    async with asyncio.timeout(20):
        while set((await asyncio.to_thread(server.cli, *command)).split()) != expected:
            await asyncio.sleep(0.01)


async def test_the_server_knows_the_watched_channels_alone(server: RedisServer) -> None:
    """Each once, however many watch it, until the last of them goes."""
    watched = ("PUBSUB", "CHANNELS")
    async with carried(RedisPubSubLive(server.url, 100, Metrics(), pattern=False)) as live:
        first, second, other = [await live.subscribe(CHANNELS[i]) for i in (0, 0, 1)]
        await until(server, watched, {CHANNELS[0], CHANNELS[1]})
        assert (await asyncio.to_thread(server.cli, "PUBSUB", "NUMSUB", CHANNELS[0])).split() == [CHANNELS[0], "1"]
        await first.aclose()  # type: ignore[attr-defined]
        await other.aclose()  # type: ignore[attr-defined]
        await until(server, watched, {CHANNELS[0]})
        await second.aclose()  # type: ignore[attr-defined]
        await until(server, watched, set())


async def test_a_call_that_was_given_up_leaves_nothing(server: RedisServer) -> None:
    """Be it before or after the server's word."""
    async with carried(RedisPubSubLive(server.url, 100, Metrics(), pattern=False)) as live:
        for i in range(20):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(i * 5e-5):
                    await live.subscribe(CHANNELS[0])
                    await asyncio.sleep(1)
        await until(server, ("PUBSUB", "CHANNELS"), set())


async def test_a_call_that_is_cancelled_as_it_succeeds_leaves_nothing(server: RedisServer) -> None:
    """Another one got the same word of the server a moment earlier, and cancels it."""
    async with (
        carried(RedisPubSubLive(server.url, 100, Metrics(), pattern=False)) as live,
        asyncio.TaskGroup() as tasks,
    ):

        async def first() -> None:
            source = await live.subscribe(CHANNELS[0])
            second.cancel()
            await asyncio.wait([second])
            await source.aclose()  # type: ignore[attr-defined]

        one = tasks.create_task(first())
        second = tasks.create_task(live.subscribe(CHANNELS[0]))
        await one
        assert second.cancelled()
        await until(server, ("PUBSUB", "CHANNELS"), set())


async def test_the_pattern_is_for_all_channels(server: RedisServer) -> None:
    """One subscription of the server, there while anybody watches; a reader gets its own channel alone."""
    async with carried(RedisPubSubLive(server.url, 100, Metrics(), pattern=True)) as live:
        await until(server, ("PUBSUB", "NUMPAT"), {"0"})
        sources = [await live.subscribe(channel) for channel in CHANNELS[:2]]
        await until(server, ("PUBSUB", "NUMPAT"), {"1"})
        for channel in [*CHANNELS, "live-streams/else", "else"]:
            await live.publish(channel, channel.encode())
        for channel, source in zip(CHANNELS, sources, strict=False):
            await live.publish(channel, b"end")
            assert await read(source, 2) == [channel.encode(), b"end"]
            await source.aclose()  # type: ignore[attr-defined]
        await until(server, ("PUBSUB", "NUMPAT"), {"0"})


@pytest.mark.parametrize("pattern", [False, True])
async def test_a_subscriber_that_was_cut_notices(server: RedisServer, pattern: bool) -> None:
    """The server ends the connection of one that reads too slowly: counted, and the subscription goes on."""
    metrics = Metrics()
    async with carried(RedisPubSubLive(server.url, 100, metrics, pattern=pattern)) as live:
        source = await live.subscribe(CHANNELS[0])
        command = b"PUBLISH %s %s\r\n" % (CHANNELS[0].encode(), b"x" * 60_000)
        with socket.create_connection((HOST, server.port)) as publisher:
            for _ in range(400):  # 24 MB, without a turn of the loop
                publisher.sendall(command)
                receivers = publisher.recv(100)
        assert receivers == b":0\r\n"
        async with asyncio.timeout(20):
            while not metrics.value("live_resubscribed_total"):
                await asyncio.sleep(0.01)
        await live.publish(CHANNELS[0], b"after")
        async with asyncio.timeout(20):
            while await anext(source) != b"after":
                pass
    assert metrics.value("live_resubscribed_total") == 1
