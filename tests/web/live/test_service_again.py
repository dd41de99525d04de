"""The live service after an error that nobody thought of: viewers are told to come again, and lack nothing then."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest

from duco_rt.clock import SystemClock
from duco_rt.supervisor import Pauses, Supervisor
from tests.web.conftest import Site
from tests.web.live.viewing import LIVE, PEER, closed, publish, receive, receive_until, store, viewing


@pytest.fixture
async def parts(site: Site) -> AsyncIterator[Supervisor]:
    """Carries the site's live service, in place of the site itself."""
    running = site._connections[0]
    running.cancel()
    await asyncio.wait([running])
    async with Supervisor(site.metrics, SystemClock(), Pauses(1000.0, 1000.0)) as parts:
        parts.start("live service", site.service.run)
        await asyncio.sleep(0)
        yield parts


async def _fails() -> None:
    raise RuntimeError("a defect")


async def fail(site: Site, parts: Supervisor) -> None:
    """Return when it waits to be begun again."""
    site.service._tasks.create_task(_fails())
    async with asyncio.timeout(20):
        while parts.states()["live service"] == "ok":
            await asyncio.sleep(0)


async def begun_again(site: Site, parts: Supervisor) -> None:
    """End its pause, and return when it takes viewers."""
    parts.hurry()
    async with asyncio.timeout(20):
        while not site.service._is_running:
            await asyncio.sleep(0.01)


async def test_viewers_are_told_to_come_again_and_lack_nothing(site: Site, parts: Supervisor) -> None:
    """Who came is closed with 1012, who comes meanwhile gets 503; from then on all is as before, old timers too."""
    async with viewing(site, ["speed"]) as first, viewing(site) as idle, viewing(site, ["speed"]) as gone:
        await publish(site, {"speed": 1.0}, 1)
        assert (await receive(first))["seq"] == 1
        await gone.close()
        await fail(site, parts)
        with pytest.raises(aiohttp.WSServerHandshakeError, match="503"):
            await site.session.ws_connect(LIVE)
        await publish(site, {"speed": 2.0}, 2)
        store(site, [1, 2], "speed")
        assert [await closed(each) for each in (first, idle)] == [1012, 1012]
    await begun_again(site, parts)
    assert site.metrics.value("live_viewers") == 0
    async with viewing(site, ["speed"], since=1) as again:
        await publish(site, {"speed": 3.0}, 3)
        assert [each["seq"] for each in await receive_until(again, 3)] == [2, 3]
        assert (site.metrics.value("live_viewers"), site.metrics.value("live_peers")) == (1, 1)
    assert len(site.live._queues.of(PEER.channel)) == 1  # one subscription: those of before are ended


async def test_again_and_again(site: Site, parts: Supervisor) -> None:
    """Nothing of it gathers."""
    for seq in range(3):
        async with viewing(site, ["speed"]) as viewer:
            await publish(site, {"speed": 1.0}, seq)
            assert (await receive(viewer))["seq"] == seq
            await fail(site, parts)
            assert await closed(viewer) == 1012
        await begun_again(site, parts)
    assert len(site.live._queues.of(PEER.channel)) == 0
    assert (site.service._peers, site.service._viewers, dict(site.service._lingering)) == ({}, {}, {})
