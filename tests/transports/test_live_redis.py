"""What both live transports on Redis do when the server goes, hangs, or is used by others."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, nullcontext, suppress
from pathlib import Path
from typing import Protocol

import pytest

from duco_rt.errors import TransportError
from duco_rt.model import Peer
from duco_rt.seeing.metrics import Metrics
from duco_rt.transports.live_redis_pubsub import RedisPubSubLive
from duco_rt.transports.live_redis_streams import RedisStreamsLive
from tests.servers.redis import RedisServer, carried, read

pytestmark = pytest.mark.servers

PASSWORD = "of this test"
CHANNEL = Peer("duco", "DUCO_001", "vehicle_can").channel
BACK_S = 8.0
"""Soon: it tries again each second at least."""

LEFT_S = 7.0
"""A server that hangs is left within 5 s; what is more is the machine's."""

Redis = RedisPubSubLive | RedisStreamsLive


class Make(Protocol):
    """Makes one kind of transport."""

    def __call__(self, url: str, metrics: Metrics, *, user: str = "", password: str = PASSWORD) -> Redis:
        """Of that server."""
        ...


def _pubsub(url: str, metrics: Metrics, *, user: str = "", password: str = PASSWORD) -> Redis:
    return RedisPubSubLive(url, 1000, metrics, pattern=False, user=user, password=password)


def _pattern(url: str, metrics: Metrics, *, user: str = "", password: str = PASSWORD) -> Redis:
    return RedisPubSubLive(url, 1000, metrics, pattern=True, user=user, password=password)


def _streams(url: str, metrics: Metrics, *, user: str = "", password: str = PASSWORD) -> Redis:
    return RedisStreamsLive(url, 1000, metrics, user=user, password=password)


KINDS: dict[str, Make] = {"pubsub": _pubsub, "pattern": _pattern, "streams": _streams}
each_kind = pytest.mark.parametrize("make", KINDS.values(), ids=KINDS)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A server with a password, which keeps nothing."""
    server = RedisServer(tmp_path_factory.mktemp("redis"), password=PASSWORD).start()
    yield server
    server.kill()


async def until_read(live: Redis, source: AsyncIterator[bytes]) -> None:
    """Publish until something arrives."""
    async with asyncio.TaskGroup() as tasks:
        reading = tasks.create_task(read(source, 1, within_s=10))
        while not reading.done():
            await live.publish(CHANNEL, b"again")
            await asyncio.wait([reading], timeout=0.02)


@each_kind
async def test_all_goes_on_when_the_server_is_back(make: Make, tmp_path: Path) -> None:
    """Meanwhile each call fails at once and says why; nobody has to subscribe anew."""
    server = RedisServer(tmp_path, password=PASSWORD).start()
    metrics = Metrics()
    try:
        async with carried(make(server.url, metrics)) as live:
            source, other = [await live.subscribe(CHANNEL) for _ in range(2)]
            await live.publish(CHANNEL, b"1")
            assert await read(source, 1) == await read(other, 1) == [b"1"]
            server.kill()
            begun_s = time.monotonic()
            for call in (live.publish(CHANNEL, b"lost"), live.check(), live.subscribe(CHANNEL)):
                with pytest.raises(TransportError, match="Connect"):
                    await call
            assert time.monotonic() - begun_s < 5  # 6 s if each waited for an answer
            await asyncio.to_thread(server.start)
            begun_s = time.monotonic()
            await until_read(live, source)
            await read(other, 1)
            assert time.monotonic() - begun_s < BACK_S
            await live.check()
            assert metrics.value("live_resubscribed_total") == 1
    finally:
        server.kill()


async def until_well(live: Redis, well: bool) -> None:
    """Wait until `check` says so."""
    async with asyncio.timeout(20):
        while True:
            try:
                await live.check()
                found = True
            except TransportError:
                found = False
            if found == well:
                return
            await asyncio.sleep(0.02)


@each_kind
async def test_a_process_that_watches_nothing_is_well_again_too(make: Make, tmp_path: Path) -> None:
    """An ingestor subscribes to nothing: `check` follows the server all the same."""
    server = RedisServer(tmp_path, password=PASSWORD).start()
    live = make(server.url, Metrics())
    try:
        async with carried(live):
            await until_well(live, True)
            server.kill()
            await until_well(live, False)
            await asyncio.sleep(0.3)  # the subscriber has failed to connect, too
            await asyncio.to_thread(server.start)
            await until_well(live, True)
    finally:
        server.kill()


async def test_a_server_that_hangs_is_given_up(server: RedisServer) -> None:
    """Its connections look alive; the subscriber leaves them within 5 s, and is back when the server is."""
    metrics = {kind: Metrics() for kind in KINDS}
    async with AsyncExitStack() as stack:
        lives = [
            await stack.enter_async_context(carried(make(server.url, metrics[kind]))) for kind, make in KINDS.items()
        ]
        sources = [await live.subscribe(CHANNEL) for live in lives]
        begun_s = time.monotonic()
        server.pause(True)
        try:
            for calls in ([live.publish(CHANNEL, b"") for live in lives], [live.check() for live in lives]):
                failed = await asyncio.gather(*calls, return_exceptions=True)
                assert all(isinstance(error, TransportError) for error in failed)
            async with asyncio.timeout(20):
                while any(live._lost is None for live in lives):
                    await asyncio.sleep(0.01)
            assert time.monotonic() - begun_s < LEFT_S
        finally:
            server.pause(False)
        begun_s = time.monotonic()
        await asyncio.gather(*(until_read(live, source) for live, source in zip(lives, sources, strict=True)))
        assert time.monotonic() - begun_s < BACK_S
        assert [metrics[kind].value("live_resubscribed_total") for kind in KINDS] == [1, 1, 1]


@each_kind
async def test_a_user_that_may_not_subscribe(make: Make, server: RedisServer) -> None:
    """The server answers, but subscriptions do not work: check says so, with the server's reason."""
    rights = ("on", ">pw", "~*", "&*", "+@all", "-subscribe", "-psubscribe", "-xread")
    await asyncio.to_thread(server.cli, "ACL", "SETUSER", "half", *rights)
    async with carried(make(server.url, Metrics(), user="half", password="pw")) as live:
        try:
            await live.subscribe(CHANNEL)
        except TransportError as e:
            assert "no permissions" in str(e)
        await live.publish(CHANNEL, b"1")
        async with asyncio.timeout(20):
            while True:
                try:
                    await live.check()
                except TransportError as e:
                    assert "subscriptions: " in str(e) and "no permissions" in str(e)
                    break
                await asyncio.sleep(0.01)


async def test_a_subscription_that_nothing_carries(server: RedisServer) -> None:
    """Without `run`, Pub/Sub says so in time, as it has no word of the server; a stream's waits for it."""
    pubsub, streams = _pubsub(server.url, Metrics()), _streams(server.url, Metrics())
    begun_s = time.monotonic()
    with pytest.raises(TransportError, match="subscribe: no answer in time"):
        await pubsub.subscribe(CHANNEL)
    assert time.monotonic() - begun_s < 5
    source = await streams.subscribe(CHANNEL)
    await streams.publish(CHANNEL, b"1")
    async with carried(streams):
        assert await read(source, 1) == [b"1"]
    await pubsub.close()


@each_kind
async def test_another_publisher_is_heard(make: Make, server: RedisServer) -> None:
    """redis-cli's bytes arrive untouched."""
    message = '{"payload":{"näme":1.50}}\n'.encode()
    async with carried(make(server.url, Metrics())) as live:
        source = await live.subscribe(CHANNEL)
        command = ("XADD", CHANNEL, "*", "data") if isinstance(live, RedisStreamsLive) else ("PUBLISH", CHANNEL)
        await asyncio.to_thread(server.cli, *command, data=message)
        assert await read(source, 1) == [message]


@each_kind
async def test_viewers_that_come_and_go_miss_nothing(make: Make, server: RedisServer) -> None:
    """However their subscriptions overlap, each gets what is published while it lasts, and nothing else."""
    rng = random.Random(1)

    async def viewer(live: Redis, number: int) -> None:
        for turn in range(15):
            channel = f"{CHANNEL}{rng.randrange(3)}"
            hurried = rng.random() < 0.3  # goes again before it has anything
            with suppress(TimeoutError) if hurried else nullcontext():
                async with asyncio.timeout(rng.random() * 0.003 if hurried else 30):
                    source = await live.subscribe(channel)
                    own = b"%d/%d" % (number, turn)
                    await live.publish(channel, own)
                    while await anext(source) != own:
                        pass
                    await source.aclose()  # type: ignore[attr-defined]
            await asyncio.sleep(rng.random() * 0.003)

    async with carried(make(server.url, Metrics())) as live:
        await asyncio.gather(*(viewer(live, number) for number in range(20)))


async def test_the_loss_is_logged_at_most_once_a_minute(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A server that is away for long does not fill the log."""
    async with carried(_pubsub(RedisServer(tmp_path).url, Metrics())) as live:
        for _ in range(3):
            with pytest.raises(TransportError):
                await live.subscribe(CHANNEL)
    assert capsys.readouterr().out.count("live subscriptions lost") == 1
