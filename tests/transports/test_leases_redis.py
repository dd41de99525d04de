"""What Redis adds to leases: many processes, a server's clock, and a server that may go."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from duco_rt.errors import TransportError
from duco_rt.transports.leases_redis import RedisLeases
from tests.servers.redis import RedisServer

pytestmark = pytest.mark.servers

PASSWORD = "of this test"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A server with a password, which keeps nothing."""
    server = RedisServer(tmp_path_factory.mktemp("redis"), password=PASSWORD).start()
    yield server
    server.kill()


@pytest.fixture
async def processes(server: RedisServer) -> list[RedisLeases]:
    """The leases as four processes see them."""
    server.cli("FLUSHALL")
    return [RedisLeases(server.url, password=PASSWORD) for _ in range(4)]


async def close(processes: list[RedisLeases]) -> None:
    """End all of them."""
    for leases in processes:
        await leases.close()


async def test_processes_agree_on_first_last_and_turn(processes: list[RedisLeases]) -> None:
    """However they hurry: one is the first of a key, one the last, and one has the turn."""
    for key in "ABCDE":
        renewed = await asyncio.gather(
            *(leases.renew(key, f"viewer {i}", 60) for i in range(5) for leases in processes)
        )
        assert sum(each.first for each in renewed) == 1
        assert await processes[0].held() == {key: 5}
        dropped = await asyncio.gather(*(processes[i % 4].drop(key, f"viewer {i}") for i in range(5)))
        assert sorted(dropped) == [False] * 4 + [True]
        turns = await asyncio.gather(*(leases.turn(key, 60) for _ in range(5) for leases in processes))
        assert sum(turns) == 1
    await close(processes)


async def test_many_keys_are_counted_without_blocking_the_server(
    server: RedisServer, processes: list[RedisLeases]
) -> None:
    """All of them, in steps (SCAN); other keys of the server are not taken for leases."""
    for names in range(0, 2500, 500):
        await asyncio.gather(*(processes[0].renew(f"D{i}", "v", 60) for i in range(names, names + 500)))
    await processes[0].note("D1", 5)
    await processes[0].turn("cron", 60)
    await processes[1].renew("D1", "w", 60)
    server.cli("CONFIG", "RESETSTAT")
    assert await processes[1].held() == {"D1": 2} | {f"D{i}": 1 for i in range(2500) if i != 1}
    calls = server.cli("INFO", "commandstats")
    assert "cmdstat_keys:" not in calls
    assert "cmdstat_scan:" in calls
    await close(processes)


async def test_nothing_outlives_its_last_viewer(server: RedisServer, processes: list[RedisLeases]) -> None:
    """Each key of the server has the time to live of the viewer that stays longest."""
    leases = processes[0]
    await leases.renew("A", "long", 60)
    await leases.renew("A", "short", 3)
    await leases.note("A", 5)
    for key in ("duco:lease:A", "duco:lease-answer:A"):
        assert 50_000 < int(server.cli("PTTL", key)) <= 60_000
    assert not await leases.drop("A", "long")
    for key in ("duco:lease:A", "duco:lease-answer:A"):
        assert 0 < int(server.cli("PTTL", key)) <= 3000
    async with asyncio.timeout(20):
        while await leases.is_held("A"):
            await asyncio.sleep(0.05)
        assert await leases.noted("A") is None
        await leases.turn("cron", 0.1)
        while server.cli("KEYS", "*").split():
            await asyncio.sleep(0.05)
    await close(processes)


async def test_keys_that_others_touched(server: RedisServer, processes: list[RedisLeases]) -> None:
    """A note without its lease (evicted) is not believed, nor a viewer whose end has passed."""
    leases = processes[0]
    await leases.renew("A", "v", 60)
    await leases.note("A", 5)
    server.cli("DEL", "duco:lease:A")
    assert await leases.renew("A", "v", 60) == (True, None)
    server.cli("ZADD", "duco:lease:B", "1", "v")
    assert await leases.held() == {"A": 1}
    await close(processes)


async def test_a_viewer_may_be_called_anything(processes: list[RedisLeases]) -> None:
    """Names are data; none of them means "all", and patterns mean nothing."""
    leases = processes[0]
    for viewer in ("all", "", "*", "näme", "-inf"):
        await leases.renew("key*[a]", viewer, 60)
    assert not await leases.drop("key*[a]", "all")
    assert not await leases.drop("key*[a]", "")
    assert await leases.held() == {"key*[a]": 3}
    assert await leases.drop("key*[a]", None)
    await close(processes)


async def test_a_server_that_came_back_empty(tmp_path: Path) -> None:
    """Meanwhile each call fails at once; then the first of a key is the first again, scripts and all."""
    server = RedisServer(tmp_path).start()
    leases = RedisLeases(server.url)
    try:
        assert (await leases.renew("A", "v1", 60)).first
        await leases.note("A", 5)
        server.kill()
        async with asyncio.timeout(5):  # for eight calls, each of which may take 2 s to an answer
            for call in (
                leases.renew("A", "v1", 60),
                leases.note("A", 6),
                leases.noted("A"),
                leases.drop("A", "v1"),
                leases.is_held("A"),
                leases.held(),
                leases.turn("cron", 60),
                leases.check(),
            ):
                with pytest.raises(TransportError, match=f"{server.url}: "):
                    await call
        await asyncio.to_thread(server.start)
        await leases.check()
        assert await leases.held() == {}
        assert await leases.renew("A", "v1", 60) == (True, None)
        await leases.note("A", 7)
        assert await leases.renew("A", "v2", 60) == (False, 7)
    finally:
        await leases.close()
        await leases.close()
        server.kill()
