"""Light and dark, phone to desktop: axe finds nothing, nothing overlaps, nothing scrolls sideways."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page

from tests.browser.page import chromium, page_at, wait_state
from tests.programs import program

LOOKS = ((1440, "light"), (1440, "dark"), (390, "light"), (390, "dark"))

OVERLAPS = """() => {
    const boxes = [];
    const top = document.querySelector('dialog[open]') ?? document.body;
    const walker = document.createTreeWalker(top, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const node = walker.currentNode;
        const parent = node.parentElement;
        if (!node.textContent.trim() || parent.closest('[hidden], noscript, script, .sr-only, option')) continue;
        if (!parent.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
        const range = document.createRange();
        range.selectNodeContents(node);
        for (const box of range.getClientRects()) {
            if (box.width < 1 || box.height < 1) continue;
            const x = box.left + box.width / 2, y = box.top + box.height / 2;
            const seen = document.elementFromPoint(x, y);
            if (!seen || !(parent.contains(seen) || seen.contains(parent))) continue; // scrolled away, or below another
            boxes.push([node.textContent.trim(), box]);
        }
    }
    const found = [];
    boxes.forEach(([a, p], i) => boxes.slice(i + 1).forEach(([b, q]) => {
        const wide = Math.min(p.right, q.right) - Math.max(p.left, q.left);
        const high = Math.min(p.bottom, q.bottom) - Math.max(p.top, q.top);
        if (wide > 2 && high > 4) found.push(`${a} | ${b}`);
    }));
    return found;
}"""


async def live(page: Page) -> None:
    """Charts, the table of one of them, all signals and the commands."""
    await wait_state(page, "live")
    await page.wait_for_function("() => window.ducoPage.received >= 3", timeout=20_000)
    await page.locator(".card [data-do=table]").first.click()
    await page.click("#signals-toggle")
    await page.wait_for_selector("#signals-table tr[data-signal]")
    await page.click("#commands-summary")
    await page.wait_for_selector("#commands-rows tr")


async def looked_closer(page: Page) -> None:
    """A fixed window with a pinned cursor, and the statistics."""
    await wait_state(page, "live")
    await page.wait_for_function("() => window.ducoPage.received >= 3", timeout=20_000)
    await page.keyboard.press("p")
    await page.locator(".plot").first.click()
    await page.wait_for_selector(".tip")


async def editor(page: Page) -> None:
    """The editor with a search."""
    await wait_state(page, "live")
    await page.locator(".card [data-do=edit]").first.click()
    await page.wait_for_selector("dialog[open] input")


async def portal(page: Page) -> None:
    """The machines."""
    await page.wait_for_selector("#devices .device")


async def metrics(page: Page) -> None:
    """Map and health."""
    await page.wait_for_selector(".map canvas")
    await wait_state(page, "live")


STATES: dict[str, tuple[str, Callable[[Page], Awaitable[None]]]] = {
    "live": ("#/duco/DUCO_001", live),
    "looked_closer": ("#/duco/DUCO_001", looked_closer),
    "editor": ("#/duco/DUCO_001", editor),
    "portal": ("#/duco", portal),
    "metrics": ("#/duco/DUCO_001/metrics", metrics),
}


@pytest.mark.timeout(240)
@pytest.mark.parametrize("state", STATES)
async def test_axe_and_layout(tmp_path: Path, state: str) -> None:
    """In each look: no violation of any rule of axe, no two texts on each other, no horizontal scroll."""
    place, prepare = STATES[state]
    wrong = []
    async with chromium() as browser, program(tmp_path / "data") as running:
        for width, scheme in LOOKS:
            async with page_at(browser, f"{running.url}{place}", width, scheme) as page:
                await prepare(page)
                for violation in (await Axe().run(page)).response["violations"]:
                    nodes = [node["target"] for node in violation["nodes"]][:4]
                    wrong.append(f"{width} {scheme}: {violation['id']} {nodes}")
                wrong += [f"{width} {scheme}: overlap {pair}" for pair in await page.evaluate(OVERLAPS)]
                scroll_px = await page.evaluate("document.documentElement.scrollWidth")
                if scroll_px > width:
                    wrong.append(f"{width} {scheme}: {scroll_px} px wide")
    assert wrong == []
