"""What every live transport does with its messages, on every adapter."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack

import pytest

from duco_rt.model import Peer
from duco_rt.seeing.metrics import Metrics
from duco_rt.transports.base import Live
from tests.servers.redis import RedisServer

Open = Callable[[int], Awaitable[Live]]
CHANNEL = Peer("duco", "DUCO_001", "vehicle_can").channel
WITHIN_S = 20.0


def _memory(_: pytest.FixtureRequest, messages_max: int, metrics: Metrics) -> Live:
    from duco_rt.transports.live_memory import MemoryLive

    return MemoryLive(messages_max, metrics)


def _redis_pubsub(request: pytest.FixtureRequest, messages_max: int, metrics: Metrics) -> Live:
    from duco_rt.transports.live_redis_pubsub import RedisPubSubLive

    return RedisPubSubLive(request.getfixturevalue("redis").url, messages_max, metrics, pattern=False)


def _redis_pattern(request: pytest.FixtureRequest, messages_max: int, metrics: Metrics) -> Live:
    from duco_rt.transports.live_redis_pubsub import RedisPubSubLive

    return RedisPubSubLive(request.getfixturevalue("redis").url, messages_max, metrics, pattern=True)


def _redis_streams(request: pytest.FixtureRequest, messages_max: int, metrics: Metrics) -> Live:
    from duco_rt.transports.live_redis_streams import RedisStreamsLive

    return RedisStreamsLive(request.getfixturevalue("redis").url, messages_max, metrics)


ADAPTERS = [
    pytest.param(_memory, id="memory"),
    pytest.param(_redis_pubsub, id="redis-pubsub", marks=pytest.mark.servers),
    pytest.param(_redis_pattern, id="redis-pubsub-pattern", marks=pytest.mark.servers),
    pytest.param(_redis_streams, id="redis-streams", marks=pytest.mark.servers),
]


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """One server for all of these tests."""
    server = RedisServer(tmp_path_factory.mktemp("redis")).start()
    yield server
    server.kill()


@pytest.fixture
def metrics() -> Metrics:
    """The registry that the transport counts in."""
    return Metrics()


@pytest.fixture(params=ADAPTERS)
async def opened(request: pytest.FixtureRequest, metrics: Metrics) -> AsyncIterator[Open]:
    """Opens the adapter with so many messages for a slow reader, carries it, and closes it."""
    async with AsyncExitStack() as stack:
        tasks = await stack.enter_async_context(asyncio.TaskGroup())

        async def open_(messages_max: int) -> Live:
            live: Live = request.param(request, messages_max, metrics)
            stack.callback(tasks.create_task(live.run()).cancel)
            stack.push_async_callback(live.close)
            return live

        yield open_


@pytest.fixture
async def live(opened: Open) -> Live:
    """A transport with plenty of room."""
    return await opened(100)


async def read(source: AsyncIterator[bytes], count: int) -> list[bytes]:
    """The next messages."""
    async with asyncio.timeout(WITHIN_S):
        return [await anext(source) for _ in range(count)]


async def close(source: AsyncIterator[bytes]) -> None:
    """End a subscription as a reader does that goes away."""
    await source.aclose()  # type: ignore[attr-defined]  # every adapter's subscription has it


async def test_the_channel_is_called_as_documented() -> None:
    """Other publishers find it by its name."""
    assert CHANNEL == "live-stream/duco/consumer-DUCO_001/vehicle_can"


async def test_every_subscriber_gets_every_message_in_order(live: Live) -> None:
    """However many there are; the bytes are the publisher's."""
    messages = [b'{"payload":{"a":%d}}' % i for i in range(20)] + [b"\xff\x00", b""]
    sources = [await live.subscribe(CHANNEL) for _ in range(3)]
    for message in messages:
        await live.publish(CHANNEL, message)
    for source in sources:
        assert await read(source, len(messages)) == messages
        await close(source)


@pytest.mark.parametrize(
    "other",
    [Peer("other", "DUCO_001", "vehicle_can"), Peer("duco", "DUCO_002", "vehicle_can"), Peer("duco", "DUCO_001", "x")],
)
async def test_channels_are_apart(live: Live, other: Peer) -> None:
    """Another tenant, device or type is another channel."""
    source = await live.subscribe(CHANNEL)
    await live.publish(other.channel, b"foreign")
    await live.publish(CHANNEL, b"own")
    assert await read(source, 1) == [b"own"]
    await close(source)


async def test_nothing_is_kept_for_a_later_subscriber(live: Live) -> None:
    """A subscription begins with what comes after it; one that ended is over."""
    await live.publish(CHANNEL, b"before")
    source = await live.subscribe(CHANNEL)
    await live.publish(CHANNEL, b"first")
    assert await read(source, 1) == [b"first"]
    await close(source)
    await live.publish(CHANNEL, b"between")
    again = await live.subscribe(CHANNEL)
    await live.publish(CHANNEL, b"second")
    assert await read(again, 1) == [b"second"]
    await close(again)


async def test_a_subscription_begins_with_its_own_call(live: Live) -> None:
    """Though the channel has been watched for long; what another one still has to read is not for it."""
    first = await live.subscribe(CHANNEL)
    for i in range(20):
        await live.publish(CHANNEL, b"before %d" % i)
        late = await live.subscribe(CHANNEL)
        await live.publish(CHANNEL, b"%d" % i)
        assert await read(late, 1) == [b"%d" % i]
        await close(late)
    assert await read(first, 40) == [text % i for i in range(20) for text in (b"before %d", b"%d")]
    await close(first)


async def test_a_reader_that_goes_leaves_the_others(live: Live) -> None:
    """Before it read anything, or in the middle; the last one to go may come back at once."""
    first, second, third = [await live.subscribe(CHANNEL) for _ in range(3)]
    await live.publish(CHANNEL, b"1")
    assert await read(first, 1) == [b"1"]
    await close(first)
    await close(second)
    await live.publish(CHANNEL, b"2")
    assert await read(third, 2) == [b"1", b"2"]
    await close(third)
    again = await live.subscribe(CHANNEL)
    await live.publish(CHANNEL, b"3")
    assert await read(again, 1) == [b"3"]
    await close(again)


async def test_a_reader_may_stop_waiting_and_go_on(live: Live) -> None:
    """A time-out of its own costs it nothing."""
    source = await live.subscribe(CHANNEL)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(anext(source), 0.01)
    await live.publish(CHANNEL, b"1")
    assert await read(source, 1) == [b"1"]
    await close(source)


async def test_a_slow_reader_loses_the_oldest_counted(opened: Open, metrics: Metrics) -> None:
    """Publishing does not wait for it, and another reader has all."""
    live = await opened(5)
    slow, quick = await live.subscribe(CHANNEL), await live.subscribe(CHANNEL)
    for i in range(8):
        await asyncio.wait_for(live.publish(CHANNEL, b"%d" % i), WITHIN_S)
        assert await read(quick, 1) == [b"%d" % i]
    assert await read(slow, 5) == [b"3", b"4", b"5", b"6", b"7"]
    assert metrics.value("live_dropped_total") == 3
    await close(slow)
    await close(quick)


async def test_recent_messages_are_those_that_are_kept(live: Live, request: pytest.FixtureRequest) -> None:
    """Oldest first, of this channel alone; a transport that keeps none says so."""
    channel, other = f"{CHANNEL}-recent", f"{CHANNEL}-recent-other"
    assert await live.recent(channel, 60) == []
    messages = [b'{"payload":{"a":%d}}' % i for i in range(5)] + [b"\xff\x00", b""]
    for message in messages:
        await live.publish(channel, message)
    await live.publish(other, b"foreign")
    keeps = "redis-streams" in request.node.callspec.id
    assert await live.recent(channel, 60) == (messages if keeps else [])


async def test_recent_messages_are_bounded(opened: Open, request: pytest.FixtureRequest) -> None:
    """By their number, the newest stay, and by their age."""
    live, channel = await opened(3), f"{CHANNEL}-bounded"
    for i in range(8):
        await live.publish(channel, b"%d" % i)
    keeps = "redis-streams" in request.node.callspec.id
    assert await live.recent(channel, 60) == ([b"5", b"6", b"7"] if keeps else [])
    if keeps:
        await asyncio.sleep(2.05)  # as long as the question may take after the message, too
    await live.publish(channel, b"new")
    assert await live.recent(channel, 2.0) == ([b"new"] if keeps else [])


async def test_closing_ends_all_subscriptions(live: Live) -> None:
    """A reader that waits is let go; closing twice is safe."""
    source = await live.subscribe(CHANNEL)
    await live.publish(CHANNEL, b"1")
    assert await read(source, 1) == [b"1"]

    async def rest() -> list[bytes]:
        return [message async for message in source]

    async with asyncio.TaskGroup() as tasks:
        reader = tasks.create_task(rest())
        await asyncio.sleep(0)
        await live.close()
        await live.close()
        assert await asyncio.wait_for(reader, WITHIN_S) == []
