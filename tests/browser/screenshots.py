"""`make screenshots`: pictures of the page's main states, into screenshots/; the README's picture into docs/."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

from playwright.async_api import Page

from tests.browser.page import chromium, page_at, wait_state
from tests.programs import REPO, program

SIZES = ((1440, "light"), (1440, "dark"), (390, "light"), (390, "dark"))
WIDE = (3840, "light")
LOOK_S = 45


async def live(page: Page) -> None:
    """Live Data."""
    await wait_state(page, "live")
    await asyncio.sleep(3)


async def closer(page: Page) -> None:
    """Paused, a part of the window zoomed in, the cursor pinned, statistics."""
    await live(page)
    await page.keyboard.press("s")
    plot = page.locator(".plot").first
    box = await plot.bounding_box()
    assert box is not None
    y = box["y"] + box["height"] / 2
    await page.mouse.move(box["x"] + box["width"] * 0.4, y)
    await page.mouse.down()
    await page.mouse.move(box["x"] + box["width"] * 0.8, y, steps=5)
    await page.mouse.up()
    await asyncio.sleep(2)
    await page.mouse.click(box["x"] + box["width"] * 0.6, y)
    await asyncio.sleep(0.5)


async def table(page: Page) -> None:
    """A chart's values as a table."""
    await live(page)
    await page.locator(".card [data-do=table]").first.click()
    await asyncio.sleep(1)


async def commands(page: Page) -> None:
    """The commands and all signals."""
    await live(page)
    await page.click("#signals-toggle")
    await page.click("#commands-summary")
    await page.locator("#commands-rows summary").last.click()
    await asyncio.sleep(2)


async def editor(page: Page) -> None:
    """The editor of chart groups."""
    await live(page)
    await page.locator(".card [data-do=edit]").nth(1).click()
    await page.locator("dialog[open] [data-do=search]").fill("pressure")
    await asyncio.sleep(2.5)


async def portal(page: Page) -> None:
    """The machines of the tenant."""
    await page.wait_for_selector("#devices .device")
    await asyncio.sleep(1)


STATES: dict[str, tuple[str, Callable[[Page], Awaitable[None]]]] = {
    "live": ("#/duco/DUCO_001", live),
    "closer": ("#/duco/DUCO_001", closer),
    "table": ("#/duco/DUCO_001", table),
    "commands": ("#/duco/DUCO_001", commands),
    "editor": ("#/duco/DUCO_001", editor),
    "portal": ("#/duco", portal),
    "metrics": ("#/duco/DUCO_001/metrics", live),
}


async def take(folder: Path, data_dir: Path, states: list[str]) -> None:
    """The demo after a minute, in each state at each size; then offline."""
    async with chromium() as browser, program(data_dir, "device.simulate=3") as running:
        async with page_at(browser, f"{running.url}#/duco/DUCO_001") as first:
            await wait_state(first, "live")
            await asyncio.sleep(LOOK_S)
            await first.screenshot(path=REPO / "docs" / "live-data.png")
            for name in states:
                place, prepare = STATES[name]
                for width, scheme in (*SIZES, *([WIDE] if name == "live" else [])):
                    async with page_at(browser, f"{running.url}{place}", width, scheme) as page:
                        await prepare(page)
                        await page.screenshot(path=folder / f"{name}-{width}-{scheme}.png", full_page=name != "editor")
        async with page_at(browser, running.url, 390, "light", server_ends=True) as page:
            await live(page)
            await running.end()
            await wait_state(page, "offline", 20)
            await page.screenshot(path=folder / "offline-390-light.png")


def main() -> int:
    """The command; names of states as arguments take those alone."""
    folder = REPO / "screenshots"
    folder.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as data:
        asyncio.run(take(folder, Path(data) / "data", sys.argv[1:] or list(STATES)))
    print("\n".join(str(path.relative_to(REPO)) for path in sorted(folder.iterdir())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
