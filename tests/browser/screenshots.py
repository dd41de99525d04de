"""`make screenshots`: pictures of the page's main states, into screenshots/; the README's picture into docs/."""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

from tests.browser.page import chromium, page_at, wait_state
from tests.programs import REPO, program

SIZES = ((1440, "light"), (1440, "dark"), (390, "light"), (390, "dark"))
LOOK_S = 60


async def take(folder: Path, data_dir: Path) -> None:
    """The demo after a minute and its commands, at each size; then offline."""
    async with chromium() as browser, program(data_dir, "device.upload_interval_s=2") as running:
        async with page_at(browser, running.url) as first:
            await wait_state(first, "live")
            await asyncio.sleep(LOOK_S)
            await first.screenshot(path=REPO / "docs" / "live-data.png")
            for width, scheme in SIZES:
                async with page_at(browser, running.url, width, scheme) as page:
                    await wait_state(page, "live")
                    await asyncio.sleep(3)
                    await page.screenshot(path=folder / f"live-{width}-{scheme}.png", full_page=True)
                    await page.click("#commands-summary")
                    await page.locator("#commands-rows summary").last.click()
                    await page.locator("#commands").screenshot(path=folder / f"commands-{width}-{scheme}.png")
        async with page_at(browser, running.url, 390, "light", server_ends=True) as page:
            await wait_state(page, "live")
            await running.end()
            await wait_state(page, "offline", 20)
            await page.screenshot(path=folder / "offline-390-light.png")


def main() -> int:
    """The command."""
    folder = REPO / "screenshots"
    folder.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as data:
        asyncio.run(take(folder, Path(data) / "data"))
    print("\n".join(str(path.relative_to(REPO)) for path in sorted(folder.iterdir())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
