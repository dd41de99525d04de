"""What every keeper of leases promises, on every adapter."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import NamedTuple

import pytest

from duco_rt.transports.base import Leases
from tests.servers.redis import RedisServer


class Kept(NamedTuple):
    """An adapter's leases, another process's view of the same, and a way to let time pass."""

    leases: Leases
    other: Leases
    wait: Callable[[float], Awaitable[None]]


class _Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def wall_ms(self) -> int:
        return round(self.now_s * 1000)

    def steady_s(self) -> float:
        return self.now_s


async def _memory(_: pytest.FixtureRequest) -> Kept:
    from duco_rt.transports.leases_memory import MemoryLeases

    clock = _Clock()

    async def wait(seconds: float) -> None:
        clock.now_s += seconds

    leases = MemoryLeases(clock)
    return Kept(leases, leases, wait)  # one process alone can share it


async def _redis(request: pytest.FixtureRequest) -> Kept:
    from duco_rt.transports.leases_redis import RedisLeases

    server: RedisServer = request.getfixturevalue("redis")
    server.cli("FLUSHALL")
    return Kept(RedisLeases(server.url), RedisLeases(server.url), asyncio.sleep)


ADAPTERS = [
    pytest.param(_memory, id="memory"),
    pytest.param(_redis, id="redis", marks=pytest.mark.servers),
]


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """One server for all of these tests."""
    server = RedisServer(tmp_path_factory.mktemp("redis")).start()
    yield server
    server.kill()


@pytest.fixture(params=ADAPTERS)
async def kept(request: pytest.FixtureRequest) -> AsyncIterator[Kept]:
    """Fresh leases of the adapter."""
    opened: Kept = await request.param(request)
    yield opened
    for leases in (opened.leases, opened.other, opened.leases):
        await leases.close()


TTL = 2.0


async def test_only_the_first_viewer_of_a_key_is_the_first(kept: Kept) -> None:
    """One lease a key, however many hold it; each key has its own."""
    assert (await kept.leases.renew("A", "v1", TTL)).first
    assert not (await kept.other.renew("A", "v2", TTL)).first
    assert not (await kept.leases.renew("A", "v1", TTL)).first
    assert (await kept.other.renew("B", "v1", TTL)).first
    assert await kept.leases.held() == {"A": 2, "B": 1}


async def test_a_lease_ends_with_its_time(kept: Kept) -> None:
    """After it the next viewer is the first again."""
    await kept.leases.renew("A", "v1", TTL)
    await kept.wait(TTL * 0.5)
    assert await kept.leases.held() == {"A": 1}
    await kept.wait(TTL * 0.6)
    assert await kept.leases.held() == {}
    assert (await kept.leases.renew("A", "v2", TTL)).first


async def test_a_heartbeat_prolongs_its_own_viewer_alone(kept: Kept) -> None:
    """A viewer that went without a word is out after its own time."""
    await kept.leases.renew("A", "v1", TTL)
    await kept.leases.renew("A", "v2", TTL)
    await kept.wait(TTL * 0.6)
    assert not (await kept.leases.renew("A", "v1", TTL)).first
    await kept.wait(TTL * 0.6)
    assert await kept.leases.held() == {"A": 1}
    assert await kept.leases.drop("A", "v1")


async def test_drop_tells_whether_one_is_left(kept: Kept) -> None:
    """Taken out one by one, or all; who is not there changes nothing."""
    await kept.leases.renew("A", "v1", TTL)
    await kept.leases.renew("A", "v2", TTL)
    assert not await kept.leases.drop("A", "v3")
    assert not await kept.other.drop("A", "v1")
    assert await kept.leases.held() == {"A": 1}
    assert await kept.leases.drop("A", "v2")
    assert await kept.leases.held() == {}
    assert await kept.leases.drop("A", "v2")
    await kept.leases.renew("A", "v1", TTL)
    await kept.leases.renew("A", "v2", TTL)
    assert await kept.leases.drop("A", None)
    assert await kept.leases.held() == {}
    assert await kept.leases.drop("nobody", None)


async def test_drop_counts_the_live_viewers_alone(kept: Kept) -> None:
    """The last live one is the last, though another's time has just run out."""
    await kept.leases.renew("A", "old", TTL)
    await kept.wait(TTL * 0.6)
    await kept.leases.renew("A", "new", TTL)
    await kept.wait(TTL * 0.6)
    assert await kept.leases.drop("A", "new")


async def test_a_note_lives_with_its_lease(kept: Kept) -> None:
    """Every process reads the newest; without a live lease nothing is kept, and None forgets it."""
    await kept.leases.note("A", 5)
    assert await kept.other.renew("A", "v1", TTL) == (True, None)
    await kept.leases.note("A", 7)
    await kept.other.note("A", 8)
    assert await kept.leases.renew("A", "v2", TTL) == (False, 8)
    assert await kept.other.noted("A") == 8
    assert await kept.leases.renew("B", "v2", TTL) == (True, None)
    await kept.other.note("A", None)
    assert await kept.leases.renew("A", "v1", TTL) == (False, None)
    await kept.leases.note("A", 9)
    await kept.leases.drop("A", None)
    assert await kept.leases.noted("A") is None
    assert await kept.leases.renew("A", "v1", TTL) == (True, None)
    await kept.leases.note("A", 10)
    await kept.wait(TTL * 1.1)
    assert await kept.leases.renew("A", "v1", TTL) == (True, None)


async def test_a_turn_is_taken_once_a_period(kept: Kept) -> None:
    """Over all processes; each name has its own."""
    assert [await leases.turn("cron", TTL) for leases in (kept.leases, kept.other, kept.leases)] == [True, False, False]
    assert await kept.other.turn("another", TTL)
    await kept.wait(TTL * 0.5)
    assert not await kept.other.turn("cron", TTL)
    await kept.wait(TTL * 0.6)
    assert await kept.other.turn("cron", TTL)
    assert not await kept.leases.turn("cron", TTL)
