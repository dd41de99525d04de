"""The page over real transports, and studios that are restarted one after the other under it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp
import pytest

from tests.browser.page import chromium, page_at, series, wait_changes, wait_state, wait_whole
from tests.e2e.processes import Process, everything_stored, first_seq, running
from tests.e2e.real import Servers, System


async def online(process: Process) -> None:
    """Until its device is: a process is ready without it, and that a page asks in vain is an error on its console."""
    async with aiohttp.ClientSession() as http, asyncio.timeout(40):
        while not any(device["online"] for device in await process.program.json(http, "")):
            await asyncio.sleep(0.2)


@pytest.mark.timeout(120)
async def test_one_process_on_real_servers(tmp_path: Path) -> None:
    """The page sees no difference: history first, then moving values, whole."""
    servers = Servers(tmp_path)
    roles = ["device", "ingest", "process", "distribute", "studio", "metaapi"]
    process = Process("all", tmp_path, roles, servers.settings("redis-pubsub"))
    async with servers.running(), running([process]), chromium() as browser:
        await online(process)
        async with page_at(browser, process.url) as page:
            await wait_state(page, "live", 30)
            await wait_changes(page, "speed", 2)
            await wait_changes(page, "engine_rpm", 2)
            await wait_whole(page, "speed")  # what the server left out comes a moment later
            seqs = (await series(page, "speed"))["seq"]
            assert seqs == list(range(seqs[0], seqs[-1] + 1))


@pytest.mark.timeout(240)
async def test_a_rolling_restart_leaves_no_hole(tmp_path: Path) -> None:
    """Two studios behind one port, each ended in order and started again: pages come back by themselves, and their
    charts have every second."""
    servers = Servers(tmp_path)
    system = System(servers, tmp_path / "system", one_port=True)
    url = system.studios[0].url
    async with (
        servers.running(),
        aiohttp.ClientSession() as http,
        system.running(),
        chromium() as browser,
        page_at(browser, url, server_ends=True) as page,
        page_at(browser, url, server_ends=True) as other,
    ):
        first = await first_seq(http, system.device)
        for each in (page, other):
            await wait_state(each, "live", 30)
            await wait_changes(each, "engine_rpm", 2)
        begun = (await series(page, "speed"))["seq"][-1]
        for studio in system.studios:
            before = [await each.evaluate("window.ducoPage.received") for each in (page, other)]
            assert await studio.end() == 0
            for each, received in zip((page, other), before, strict=True):
                await each.wait_for_function("n => window.ducoPage.received > n + 2", arg=received, timeout=40_000)
            await studio.start()
        for each in (page, other):
            await wait_whole(each, "speed")  # what the new studio did not have comes when the store has it
            seqs = (await series(each, "speed"))["seq"]
            assert seqs[-1] > begun + 2
            assert seqs == list(range(seqs[0], seqs[-1] + 1)), "the chart has a hole"
            await wait_state(each, "live")
        await everything_stored(http, system.studios[0].program, system.device, first, 60)
