"""The connection is cut again and again, and somebody sets the viewer's clock: the chart has what the machine sent."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest
from playwright.async_api import Page
from playwright.async_api import TimeoutError as BrowserTimeout

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
ENDS = f"last => (([a, z]) => z >= last && z - a >= 100_000)([0, -1].map((i) => {DRAWN}.ts.at(i)))"
UNBROKEN = f"() => (({{ ts }}) => ts.at(-1) - ts[0] === 1000 * (ts.length - 1))({DRAWN})"
PACE = 10
CALM_S = 5
"""At the end the machine goes at our pace, by which the page knows its clock again, wherever ten times as fast led."""
CUTS = 20


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
            await whole(page, 1, 30)  # what it asks for is no longer than two minutes of the machine
            jumping = tasks.create_task(jump(page, (SECONDS - BEFORE) / PACE))
            await machine.run(tasks, BEFORE + 1, SECONDS)
            await jumping
            cut_last = await machine.run_on(tasks, SECONDS, cutter, CUTS)
            last = cut_last + CALM_S
            cutter.is_cutting = False
            await Machine(site, random, 1).run(tasks, cut_last + 1, last)
            await whole(page, last, 20)
            held = dict(await page.evaluate("[...window.held]"))
            assert await page.evaluate("window.wrong") == []
            assert held == {seq: machine.expected(seq) for seq in range(1, last + 1)}
            await page.wait_for_function(ENDS, arg=NOW_MS + 1000 * last, timeout=10_000)
            with suppress(BrowserTimeout):  # what came last is drawn with the next frame
                await page.wait_for_function(UNBROKEN, timeout=10_000)
            drawn = await page.evaluate(DRAWN)
            seqs = [round((ts - NOW_MS) / 1000) for ts in drawn["ts"]]
            assert seqs == list(range(seqs[0], last + 1))
            assert drawn["v"] == [seq / 2 for seq in seqs]
        assert cutter.cuts >= CUTS
        await context.close()
