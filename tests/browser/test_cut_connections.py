"""Ten minutes of a machine while every connection is cut again and again: the chart has every point, each once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest
from playwright.async_api import Page

from duco_rt.config import Web
from duco_rt.model import LastSeen, Peer, Sample
from tests.browser.cutting import Cutter
from tests.browser.page import chromium, page_at, series
from tests.web.conftest import NOW_MS, Site

PEER = Peer("duco", "DUCO_001", "vehicle_can")
SECONDS = 600
BEFORE = 40
"""Seconds that the machine has sent when the page is opened."""
STORED_AFTER_S = 1.5
"""By the machine's clock."""

WATCH = """() => {
    window.held = new Map();
    window.wrong = [];
    window.look = () => {
        const { seq, ts, v } = window.ducoPage.series('vehicle_can', 'speed');
        seq.forEach((each, i) => {
            if (i > 0 && each <= seq[i - 1]) window.wrong.push(`${each} after ${seq[i - 1]}`);
            const point = `${ts[i]} ${v[i]}`;
            if (window.held.has(each) && window.held.get(each) !== point) window.wrong.push(`${each} changed`);
            window.held.set(each, point);
        });
    };
    setInterval(window.look, 100);
}"""


class Machine:
    """Sends a sample a second by its own clock, which runs `pace` times as fast as ours; the store has each late.

    Some samples do not reach the live transport, and some swap with the next one.
    """

    def __init__(self, site: Site, random: Random, pace: float) -> None:
        self._site = site
        self._random = random
        self._pace = pace

    def expected(self, seq: int) -> str:
        """The chart's point of a sample."""
        return f"{self._ts_ms(seq)} {seq / 2:g}"

    async def run_on(self, tasks: asyncio.TaskGroup, last: int, cutter: Cutter, cuts: int) -> int:
        """Go on until the page was cut so often: where it comes back slowly, later than planned. The last second."""
        while cutter.cuts < cuts:
            await self.run(tasks, last + 1, last + 10)
            last += 10
        return last

    async def run(self, tasks: asyncio.TaskGroup, first: int, last: int) -> None:
        """Send seconds `first` to `last`."""
        loop = asyncio.get_running_loop()
        begun_s, waiting = loop.time(), None
        for n, seq in enumerate(range(first, last + 1)):
            await asyncio.sleep(begun_s + n / self._pace - loop.time())
            self._site.clock.now_s = self._ts_ms(seq) / 1000 + 1
            tasks.create_task(self._store(seq))
            chance = self._random.random()
            if chance < 0.02 and seq < last:
                continue
            if chance < 0.06 and waiting is None and seq < last:
                waiting = seq
                continue
            await self._publish(seq)
            if waiting is not None:
                await self._publish(waiting)
                waiting = None

    def _ts_ms(self, seq: int) -> int:
        return NOW_MS + seq * 1000

    async def _publish(self, seq: int) -> None:
        message = {"payload": {"speed": seq / 2}, "ts": self._ts_ms(seq), "seq": seq}
        await self._site.live.publish(PEER.channel, json.dumps(message).encode())

    async def _store(self, seq: int) -> None:
        received_ms = self._ts_ms(seq) + 1000
        await asyncio.sleep(STORED_AFTER_S / self._pace)
        row = Sample(PEER, self._ts_ms(seq), seq, received_ms, {"speed": seq / 2})
        await self._site.store.insert_parsed([row])
        self._site.store.seen[PEER] = LastSeen(row.ts_ms, received_ms, seq, True, received_ms)


@asynccontextmanager
async def cut_site(folder: Path, random: Random, least_s: float, most_s: float) -> AsyncIterator[tuple[Site, Cutter]]:
    """A studio that keeps five seconds at hand, so that what a viewer lacks is often the store's to give."""
    async with Site(folder, Web(port=0, recent_s=5.0)).running() as site:
        await site.device()
        port = int(site.url.rpartition(":")[2])
        async with Cutter(port, random, least_s, most_s).running() as cutter:
            yield site, cutter


async def whole(page: Page, last: int, timeout_s: float) -> None:
    """Until the page has held so many samples."""
    await page.wait_for_function(
        "last => { window.look(); return window.held.size >= last; }", arg=last, timeout=timeout_s * 1000
    )


async def watch(folder: Path, pace: float, least_s: float, most_s: float, cuts: int) -> int:
    """A page over the machine's ten minutes, and over so many cuts at least; the number of cuts."""
    random = Random(5)
    async with cut_site(folder, random, least_s, most_s) as (site, cutter), chromium() as browser:
        machine = Machine(site, random, pace)
        async with asyncio.TaskGroup() as tasks:
            await machine.run(tasks, 1, BEFORE)
            address = f"http://127.0.0.1:{cutter.port}/#/duco/DUCO_001"
            async with page_at(browser, address, server_ends=True) as page:
                await page.evaluate(WATCH)
                await whole(page, 1, 30)  # what it asks for is no longer than two minutes of the machine
                sending: Coroutine[Any, Any, None] = machine.run(tasks, BEFORE + 1, SECONDS)
                await tasks.create_task(sending)
                last = await machine.run_on(tasks, SECONDS, cutter, cuts)
                cutter.is_cutting = False
                try:
                    await whole(page, last, 20)
                finally:
                    held = dict(await page.evaluate("[...window.held]"))
                    missing = [seq for seq in range(1, last + 1) if seq not in held]
                    print(f"{cutter.cuts} cuts, missing: {missing}")
                assert await page.evaluate("window.wrong") == []
                assert held == {seq: machine.expected(seq) for seq in range(1, last + 1)}
                shown = (await series(page, "speed"))["seq"]
                assert shown == list(range(shown[0], last + 1))
    return cutter.cuts


@pytest.mark.long  # test_cuts_and_jumps.py has the same and more
@pytest.mark.timeout(180)
async def test_ten_minutes_in_one(tmp_path: Path) -> None:
    """Ten machine minutes in one of ours, cut every second or two: no point is missing, double or wrong."""
    assert await watch(tmp_path, 10, 1, 2, 20) >= 20


@pytest.mark.long
@pytest.mark.timeout(900)
async def test_ten_minutes(tmp_path: Path) -> None:
    """The same in real time, cut every one to five seconds."""
    assert await watch(tmp_path, 1, 1, 5, 80) >= 80
