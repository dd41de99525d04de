"""Roles that are killed at random moments lose nothing and double nothing."""

from __future__ import annotations

import asyncio
import random
import time
from pathlib import Path

import aiohttp
import pytest

from tests.e2e.processes import everything_stored, first_seq
from tests.e2e.real import Servers, System
from tests.e2e.viewer import Viewer


@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("live", ["redis-pubsub", "redis-streams"])
async def test_twenty_kills(tmp_path: Path, live: str) -> None:
    """Each of the ten processes twice, in any order: live is back within 10 s each time; in the end the store has
    every second that the device closed, once."""
    moments = random.Random(f"kills {live}")
    servers = Servers(tmp_path)
    system = System(servers, tmp_path / "system", live)
    async with servers.running(), aiohttp.ClientSession() as http, system.running():
        watched, first = system.studios[0], await first_seq(http, system.device)
        async with Viewer(lambda: watched.url).watching(http) as viewer:
            await viewer.until(3)
            for process in moments.sample(system.each * 2, 20):
                await asyncio.sleep(moments.uniform(0, 3))  # the moment of the kill is what is tested
                begun_s = time.monotonic()
                await process.restart()
                await viewer.until(1, within_s=10)
                print(f"{process.name}: live again after {viewer.came_s[-1] - begun_s:.1f} s")
            seqs = [message["seq"] for message in viewer.samples]
            assert seqs == sorted(set(seqs)), "a viewer saw a sample twice, or late"
        await everything_stored(http, watched.program, system.device, first, 40)
