"""The connection is cut again and again, and somebody sets the viewer's clock: the chart has what the machine sent."""

from __future__ import annotations

import asyncio
from pathlib import Path
from random import Random

import pytest
from playwright.async_api import Page

from tests.browser.page import chromium
from tests.browser.test_cut_connections import BEFORE, SECONDS, WATCH, Machine, cut_site, whole
from tests.web.conftest import NOW_MS

CLOCK = """(() => {
    const Real = Date;
    let shiftMs = 0;
    window.setClock = (byMs) => { shiftMs += byMs; };
    window.Date = class extends Real {
        constructor(...parts) { if (parts.length) super(...parts); else super(Real.now() + shiftMs); }
        static now() { return Real.now() + shiftMs; }
    };
})();"""
"""The wall clock of the viewer's machine can be set; `performance.now` goes on, as in a browser."""

JUMPS_MS = (3_600_000, -7_200_000, 86_400_000 * 30, 4_000, -86_400_000 * 365)
DRAWN = "window.ducoPage.points('vehicle_can', 'speed')"
PACE = 10
CALM_S = 5
"""At the end the machine goes at our pace, by which the page knows its clock again, wherever ten times as fast led."""
LAST = SECONDS + CALM_S


async def jump(page: Page, seconds: float) -> None:
    """The jumps, spread over the time."""
    for by_ms in JUMPS_MS:
        await asyncio.sleep(seconds / (len(JUMPS_MS) + 1))
        await page.evaluate("by => window.setClock(by)", by_ms)


@pytest.mark.timeout(180)
async def test_twenty_cuts_and_five_jumps(tmp_path: Path) -> None:
    """Held and drawn points are the machine's by `seq`, none missing, none double, and the window is where it is."""
    random = Random(7)
    async with cut_site(tmp_path, random, 1, 2) as (site, cutter), chromium() as browser:
        machine = Machine(site, random, PACE)
        context = await browser.new_context(viewport={"width": 1440, "height": 900})
        await context.add_init_script(CLOCK)
        page = await context.new_page()
        async with asyncio.TaskGroup() as tasks:
            await machine.run(tasks, 1, BEFORE)
            await page.goto(f"http://127.0.0.1:{cutter.port}/#/duco/DUCO_001")
            await page.evaluate(WATCH)
            jumping = tasks.create_task(jump(page, (SECONDS - BEFORE) / PACE))
            await machine.run(tasks, BEFORE + 1, SECONDS)
            await jumping
            cutter.is_cutting = False
            await Machine(site, random, 1).run(tasks, SECONDS + 1, LAST)
            await whole(page, LAST, 20)
            held = dict(await page.evaluate("[...window.held]"))
            assert await page.evaluate("window.wrong") == []
            assert held == {seq: machine.expected(seq) for seq in range(1, LAST + 1)}
            ends = "last => (([a, z]) => z >= last && z - a >= 100_000)([0, -1].map((i) => DRAWN.ts.at(i)))"
            await page.wait_for_function(ends.replace("DRAWN", DRAWN), arg=NOW_MS + 1000 * LAST, timeout=10_000)
            drawn = await page.evaluate(DRAWN)
            seqs = [round((ts - NOW_MS) / 1000) for ts in drawn["ts"]]
            assert seqs == list(range(seqs[0], LAST + 1))
            assert drawn["v"] == [seq / 2 for seq in seqs]
        assert cutter.cuts >= 20
        await context.close()
