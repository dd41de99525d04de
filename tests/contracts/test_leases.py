"""What every keeper of leases promises, on every adapter."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import NamedTuple

import pytest

from duco_rt.transports.base import Leases


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


async def _memory() -> Kept:
    from duco_rt.transports.leases_memory import MemoryLeases

    clock = _Clock()

    async def wait(seconds: float) -> None:
        clock.now_s += seconds

    leases = MemoryLeases(clock)
    return Kept(leases, leases, wait)  # one process alone can share it


ADAPTERS = {"memory": _memory}


@pytest.fixture(params=ADAPTERS)
async def kept(request: pytest.FixtureRequest) -> AsyncIterator[Kept]:
    """Fresh leases of the adapter."""
    opened = await ADAPTERS[request.param]()
    yield opened
    for leases in (opened.leases, opened.other, opened.leases):
        await leases.close()


TTL = 1.0


async def test_only_the_first_viewer_of_a_key_is_the_first(kept: Kept) -> None:
    """One lease a key, however many hold it; each key has its own."""
    assert await kept.leases.renew("A", "v1", TTL)
    assert not await kept.other.renew("A", "v2", TTL)
    assert not await kept.leases.renew("A", "v1", TTL)
    assert await kept.other.renew("B", "v1", TTL)
    assert await kept.leases.held() == {"A": 2, "B": 1}


async def test_a_lease_ends_with_its_time(kept: Kept) -> None:
    """After it the next viewer is the first again."""
    await kept.leases.renew("A", "v1", TTL)
    await kept.wait(TTL * 0.5)
    assert await kept.leases.held() == {"A": 1}
    await kept.wait(TTL * 0.6)
    assert await kept.leases.held() == {}
    assert await kept.leases.renew("A", "v2", TTL)


async def test_a_heartbeat_prolongs_its_own_viewer_alone(kept: Kept) -> None:
    """A viewer that went without a word is out after its own time."""
    await kept.leases.renew("A", "v1", TTL)
    await kept.leases.renew("A", "v2", TTL)
    await kept.wait(TTL * 0.6)
    assert not await kept.leases.renew("A", "v1", TTL)
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


async def test_a_turn_is_taken_once_a_period(kept: Kept) -> None:
    """Over all processes; each name has its own."""
    assert [await leases.turn("cron", 1.0) for leases in (kept.leases, kept.other, kept.leases)] == [True, False, False]
    assert await kept.other.turn("another", 1.0)
    await kept.wait(0.5)
    assert not await kept.other.turn("cron", 1.0)
    await kept.wait(0.6)
    assert await kept.other.turn("cron", 1.0)
    assert not await kept.leases.turn("cron", 1.0)
