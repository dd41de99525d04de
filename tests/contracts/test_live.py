"""What every live transport does with its messages, on every adapter."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from duco_rt.metrics import Metrics
from duco_rt.model import Peer
from duco_rt.transports.base import Live

Open = Callable[[int], Awaitable[Live]]
CHANNEL = Peer("duco", "DUCO_001", "vehicle_can").channel
WITHIN_S = 5.0


async def _memory(messages_max: int, metrics: Metrics) -> Live:
    from duco_rt.transports.live_memory import MemoryLive

    return MemoryLive(messages_max, metrics)


ADAPTERS = {"memory": _memory}


@pytest.fixture
def metrics() -> Metrics:
    """The registry that the transport counts in."""
    return Metrics()


@pytest.fixture(params=ADAPTERS)
async def opened(request: pytest.FixtureRequest, metrics: Metrics) -> AsyncIterator[Open]:
    """Opens the adapter with so many messages for a slow reader, and closes it."""
    transports: list[Live] = []

    async def open_(messages_max: int) -> Live:
        transports.append(await ADAPTERS[request.param](messages_max, metrics))
        return transports[-1]

    yield open_
    for transport in transports:
        await transport.close()


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
    await source.aclose()  # type: ignore[attr-defined]  # every adapter's subscription is an async generator


async def test_the_channel_is_called_as_documented() -> None:
    """Other publishers find it by its name."""
    assert CHANNEL == "live-stream/duco/consumer-DUCO_001/vehicle_can"


async def test_every_subscriber_gets_every_message_in_order(live: Live) -> None:
    """However many there are; the bytes are the publisher's."""
    messages = [b'{"payload":{"a":%d}}' % i for i in range(20)] + [b"\xff\x00", b""]
    sources = [live.subscribe(CHANNEL) for _ in range(3)]
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
    source = live.subscribe(CHANNEL)
    await live.publish(other.channel, b"foreign")
    await live.publish(CHANNEL, b"own")
    assert await read(source, 1) == [b"own"]
    await close(source)


async def test_nothing_is_kept_for_a_later_subscriber(live: Live) -> None:
    """A subscription begins with what comes after it; one that ended is over."""
    await live.publish(CHANNEL, b"before")
    source = live.subscribe(CHANNEL)
    await live.publish(CHANNEL, b"first")
    assert await read(source, 1) == [b"first"]
    await close(source)
    await live.publish(CHANNEL, b"between")
    again = live.subscribe(CHANNEL)
    await live.publish(CHANNEL, b"second")
    assert await read(again, 1) == [b"second"]
    await close(again)


async def test_a_slow_reader_loses_the_oldest_counted(opened: Open, metrics: Metrics) -> None:
    """Publishing does not wait for it, and another reader has all."""
    live = await opened(5)
    slow, quick = live.subscribe(CHANNEL), live.subscribe(CHANNEL)
    for i in range(8):
        await asyncio.wait_for(live.publish(CHANNEL, b"%d" % i), WITHIN_S)
        assert await read(quick, 1) == [b"%d" % i]
    assert await read(slow, 5) == [b"3", b"4", b"5", b"6", b"7"]
    assert metrics.value("live_dropped_total") == 3
    await close(slow)
    await close(quick)


async def test_closing_ends_all_subscriptions(live: Live) -> None:
    """A reader that waits is let go; closing twice is safe."""
    source = live.subscribe(CHANNEL)
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
