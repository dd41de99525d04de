"""Viewers that lag: they get what they lack as they read, or are let go of, and cost the others nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import ClientWebSocketResponse

from duco_rt.config import Web
from tests.web.conftest import Site
from tests.web.live.viewing import (
    LIVE,
    WITHIN_S,
    becomes,
    closed,
    narrow,
    pause,
    publish,
    receive,
    receive_until,
    resume,
    shown,
    viewing,
    watch,
)

TEXT = "x" * 50_000


@pytest.fixture
def web() -> Web:
    """A viewer is let go of soon."""
    return Web(port=0, viewer_stall_s=0.4, viewer_queue_bytes_max=4096)


@asynccontextmanager
async def slow_and_quick(site: Site) -> AsyncIterator[tuple[ClientWebSocketResponse, ClientWebSocketResponse]]:
    """A viewer whose connection holds little, and one that reads all."""
    async with narrow(site) as session, session.ws_connect(LIVE) as slow, viewing(site, ["text"]) as quick:
        yield slow, quick


async def flood(site: Site, quick: ClientWebSocketResponse, first: int, count: int) -> int:
    """Publish so many large samples, each of which the quick viewer gets; gives the next position."""
    for seq in range(first, first + count):
        await publish(site, {"text": TEXT, "n": seq}, seq)
        assert shown([await receive(quick)]) == [seq]
    return first + count


async def test_a_viewer_that_reads_nothing_is_closed_with_1013_and_others_get_every_sample(site: Site) -> None:
    """It is let go of though it takes no byte; one that reads again in time hears why."""
    await let_go_of(site)


def test_the_same_on_uvloop(tmp_path: Path, web: Web) -> None:
    """Its transports count what was written later, and raise once they are closed."""
    uvloop = pytest.importorskip("uvloop")

    async def run() -> None:
        async with Site(tmp_path, web).running() as site:
            await let_go_of(site)

    uvloop.run(run())


async def let_go_of(site: Site) -> None:
    """A viewer reads nothing until it is closed; another one gets all samples before, meanwhile and after."""
    async with slow_and_quick(site) as (slow, quick):
        await watch(site, slow, ["text"])
        pause(slow)
        seq = await flood(site, quick, 1, 40)
        await becomes(site, "live_overloaded_total", 1)
        seq = await flood(site, quick, seq, 10)
        resume(slow)
        assert await asyncio.wait_for(closed(slow), WITHIN_S) == 1013
        await becomes(site, "live_viewers", 1)
        await flood(site, quick, seq, 10)


async def test_a_viewer_that_stays_away_is_cut(site: Site) -> None:
    """Nothing of it is left at the server, though it never reads the close."""
    async with slow_and_quick(site) as (slow, quick):
        await watch(site, slow, ["text"])
        pause(slow)
        await flood(site, quick, 1, 40)
        await becomes(site, "live_viewers", 1)
        async with asyncio.timeout(WITHIN_S):
            while len(site.service._pumps):
                await asyncio.sleep(0.01)
        resume(slow)


async def test_one_that_reads_again_is_told_and_gets_the_newest_values(tmp_path: Path) -> None:
    """GAP slow over what it did not get, and one message that stands for all of it; then live."""
    site = Site(tmp_path, Web(port=0))
    async with site.running(), slow_and_quick(site) as (slow, quick):
        await watch(site, slow, ["text", "n", "once"], since=0)
        pause(slow)
        await publish(site, {"text": TEXT}, 1)
        assert shown([await receive(quick)]) == [1]
        await publish(site, {"text": TEXT, "n": 2}, 2)
        assert shown([await receive(quick)]) == [2]
        await publish(site, {"text": TEXT, "once": 7}, 3)
        assert shown([await receive(quick)]) == [3]
        end = await flood(site, quick, 4, 40)
        resume(slow)
        found = await receive_until(slow, end - 1)
        *before, gap, merged = found
        assert shown([*before, gap]) == [*range(1, gap["from"]), (gap["from"], end - 2, "slow")]
        assert merged["merged"] == end - gap["from"] and merged["payload"]["n"] == end - 1
        assert site.metrics.value("live_merged_total") == merged["merged"] - 1
        await flood(site, quick, end, 1)
        assert shown([await receive(slow)]) == [end]


async def test_a_slow_viewer_without_resume_sees_samples_only(tmp_path: Path) -> None:
    """No type and no key that it did not ask for: a step in `seq` tells it."""
    site = Site(tmp_path, Web(port=0))
    async with site.running(), slow_and_quick(site) as (slow, quick):
        await watch(site, slow, ["n", "text"])
        await flood(site, quick, 1, 1)
        assert shown([await receive(slow)]) == [1]
        pause(slow)
        end = await flood(site, quick, 2, 40)
        resume(slow)
        found = await receive_until(slow, end - 1)
        assert len(found) < 30
        assert {tuple(message) for message in found} == {("type", "payload", "ts", "seq")}


async def test_answers_to_one_that_does_not_read_are_bounded(site: Site) -> None:
    """A client that asks and asks and reads nothing is closed with 1013."""
    async with narrow(site) as session, session.ws_connect(LIVE) as slow:
        pause(slow)
        for _ in range(2000):
            await slow.send_str("?" * 300)
            if site.metrics.value("live_overloaded_total"):
                break
        await becomes(site, "live_overloaded_total", 1)
        resume(slow)
        assert await asyncio.wait_for(closed(slow), WITHIN_S) in (1013, 1006)


async def test_a_stalled_viewer_does_not_hold_up_the_end(tmp_path: Path) -> None:
    """It takes no bytes: the server still ends within seconds."""
    site = Site(tmp_path, Web(port=0))
    async with site.running(), narrow(site) as session, session.ws_connect(LIVE) as slow:
        async with viewing(site, ["text"]) as quick:
            await watch(site, slow, ["text"])
            pause(slow)
            await flood(site, quick, 1, 20)
        await asyncio.wait_for(site.service.close(), WITHIN_S)
        await becomes(site, "live_viewers", 0)
        resume(slow)
