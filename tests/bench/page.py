"""The Live Data page in Debian's Chromium: `make bench-page`, or `python -m tests.bench.page [--minutes 10]`.

12 charts of 6 series each on a machine whose every second has spans. At 1 Hz: long tasks (> 50 ms), frame times, the
main thread's share, growth of the heap; at 10 Hz long tasks; from navigation to the first drawn data; from the last
data to "offline". The page settles for ten seconds before anything is counted. All on this machine: the browser, the
studio and the sender share its cores.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median
from typing import Any

from playwright.async_api import Browser, CDPSession, Page

from tests.browser.page import chromium, wait_state
from tests.programs import REPO, program

SETTLE_S = 10
NAVIGATIONS = 7

WATCH = """
window.benched = { tasks: [], frames: [], first: null, offlineAt: null };
new PerformanceObserver((list) => {
    for (const task of list.getEntries()) window.benched.tasks.push([task.startTime, task.duration]);
}).observe({ type: 'longtask', buffered: true });
addEventListener('DOMContentLoaded', () => {
    new MutationObserver(() => {
        if (document.documentElement.dataset.state === 'offline') window.benched.offlineAt ??= Date.now();
    }).observe(document.documentElement, { attributes: true, attributeFilter: ['data-state'] });
});
let last = 0;
const frame = (now) => {
    if (last) window.benched.frames.push(now - last);
    last = now;
    if (window.benched.first === null && window.ducoPage?.drawn > 0) window.benched.first = now;
    requestAnimationFrame(frame);
};
requestAnimationFrame(frame);
"""
"""Its own callback a frame is in the main thread's share."""


class Machine:
    """`tests.bench.page_machine` in a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process, url: str) -> None:
        self._process = process
        self.url = url

    async def say(self, word: str) -> int:
        """Give it a word; its answer."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(f"{word}\n".encode())
        return int(await self._process.stdout.readline())


@asynccontextmanager
async def machine(hz: float) -> AsyncIterator[Machine]:
    """Sends as long as the block."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench.page_machine", "--hz", str(hz),
        cwd=REPO, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdin is not None and process.stdout is not None
    try:
        yield Machine(process, (await process.stdout.readline()).decode().strip())
    finally:
        process.stdin.close()
        await process.wait()


@asynccontextmanager
async def watched(browser: Browser, url: str) -> AsyncIterator[tuple[Page, CDPSession]]:
    """The page with the counters in it; 12 charts of 2 columns are higher than the screen, as they are for a reader."""
    context = await browser.new_context(viewport={"width": 1440, "height": 900})
    await context.add_init_script(WATCH)
    page = await context.new_page()
    session = await context.new_cdp_session(page)
    await session.send("Performance.enable")
    await page.goto(f"{url}#/duco/DUCO_001")
    await wait_state(page, "live")
    yield page, session
    await context.close()


async def measured(session: CDPSession) -> dict[str, float]:
    """Chromium's own counters, in seconds and bytes."""
    found = await session.send("Performance.getMetrics")
    return {metric["name"]: metric["value"] for metric in found["metrics"]}


async def heap_mb(session: CDPSession) -> float:
    """What JavaScript holds after a collection."""
    for _ in range(3):
        await session.send("HeapProfiler.collectGarbage")
        await asyncio.sleep(0.5)
    return (await measured(session))["JSHeapUsedSize"] / 1e6


def percentile(values: list[float], share: float) -> float:
    """Of at least one."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


async def look(page: Page, session: CDPSession, seconds: float) -> str:
    """Long tasks, frames and the main thread over some time."""
    await asyncio.sleep(SETTLE_S)
    await page.evaluate("window.benched.tasks.length = window.benched.frames.length = 0")
    before, drawn = await measured(session), await page.evaluate("window.ducoPage.drawn")
    await asyncio.sleep(seconds)
    after = await measured(session)
    found: dict[str, Any] = await page.evaluate("window.benched")
    redraws = (await page.evaluate("window.ducoPage.drawn") - drawn) / seconds
    share = (after["TaskDuration"] - before["TaskDuration"]) / (after["Timestamp"] - before["Timestamp"])
    longest = max((round(duration) for _, duration in found["tasks"]), default=0)
    frames = [float(frame) for frame in found["frames"]]
    return (
        f"{len(found['tasks'])} long tasks{f' (longest {longest} ms)' if longest else ''}, "
        f"frames p50 {percentile(frames, 0.5):.1f} p99 {percentile(frames, 0.99):.1f} max {max(frames):.0f} ms, "
        f"main thread {100 * share:.1f} %, {redraws:.1f} redraws/s"
    )


async def at_1_hz(browser: Browser, minutes: float) -> None:
    """Everything that takes time, on one page."""
    async with machine(1) as sender, watched(browser, sender.url) as (page, session):
        first = minutes / 2
        print(f"1 Hz, {first:g} minutes: {await look(page, session, 60 * first)}", flush=True)
        begun, begun_s = await heap_mb(session), time.monotonic()
        await asyncio.sleep(60 * minutes)
        grown, took_s = await heap_mb(session) - begun, time.monotonic() - begun_s
        print(f"heap {begun:.1f} MB, {grown:+.2f} MB in {took_s / 60:.1f} minutes", flush=True)
        print(f"moving over a chart: {await hover(page, session)}", flush=True)
        sent_ms = await sender.say("pause")
        await wait_state(page, "offline", 20)
        shown_ms = await page.evaluate("window.benched.offlineAt")
        print(f"offline {(shown_ms - sent_ms) / 1000:.2f} s after the last data was published", flush=True)


async def hover(page: Page, session: CDPSession) -> str:
    """Move over a chart for ten seconds, a move a frame or so."""
    box = await page.locator(".plot").first.bounding_box()
    assert box is not None
    await page.evaluate("window.benched.tasks.length = window.benched.frames.length = 0")
    before, moves, end_s = await measured(session), 0, time.monotonic() + 10
    while time.monotonic() < end_s:
        share = (moves % 100) / 100
        await page.mouse.move(box["x"] + box["width"] * (0.1 + 0.8 * share), box["y"] + box["height"] / 2)
        moves += 1
    after = await measured(session)
    tasks: list[list[float]] = await page.evaluate("window.benched.tasks")
    took_ms = 1000 * (after["ScriptDuration"] - before["ScriptDuration"]) / moves
    return f"{moves} moves, {took_ms:.1f} ms of script each (live drawing in it), {len(tasks)} long tasks"


async def at_10_hz(browser: Browser, seconds: float) -> None:
    """Ten samples a second."""
    async with machine(10) as sender, watched(browser, sender.url) as (page, session):
        print(f"10 Hz, {seconds:g} s: {await look(page, session, seconds)}", flush=True)


async def first_data(browser: Browser) -> None:
    """The demo of `make run`, each time in a browser context that has nothing cached."""
    with tempfile.TemporaryDirectory() as folder:
        async with program(Path(folder) / "data") as running:
            async with watched(browser, running.url):
                await asyncio.sleep(20)
            took_ms = []
            for _ in range(NAVIGATIONS):
                async with watched(browser, running.url) as (page, _):
                    await page.wait_for_function("() => window.benched.first !== null")
                    took_ms.append(float(await page.evaluate("window.benched.first")))
    print(f"first data {median(took_ms):.0f} ms after navigation (median of {NAVIGATIONS}; {max(took_ms):.0f} at most)")


async def bench(minutes: float) -> None:
    """All of it."""
    async with chromium() as browser:
        await first_data(browser)
        await at_1_hz(browser, minutes)
        await at_10_hz(browser, min(60.0, 60 * minutes))


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=10.0, help="of the heap; half as long for the frames")
    asyncio.run(bench(parser.parse_args().minutes))
    return 0


if __name__ == "__main__":
    sys.exit(main())
