"""The page in Debian's Chromium."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from playwright.async_api import Browser, Page, async_playwright, expect
from playwright.async_api import TimeoutError as BrowserTimeout

from tests.needs import needs

ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


# A page is drawn late where several browsers share two cores; what has to be quick says so itself.
expect.set_options(timeout=20_000)


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """A headless browser; the test skips where there is none."""
    path = needs("chromium")
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=str(path), args=ARGUMENTS)
        try:
            yield browser
        finally:
            await browser.close()


@asynccontextmanager
async def page_at(
    browser: Browser,
    url: str,
    width: int = 1440,
    scheme: Any = "light",
    *,
    server_ends: bool = False,
    expected: str = "",
) -> AsyncIterator[Page]:
    """A page at an address; an error on its console fails the test when the block ends.

    Where the server ends meanwhile, the browser's own lines about that are no error of the page; nor is what the
    regular expression `expected` finds.
    """
    errors: list[str] = []
    context = await browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = await context.new_page()
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    await page.goto(url)
    try:
        yield page
    finally:
        await context.close()
    assert server_ends or [error for error in errors if not expected or not re.search(expected, error)] == []


async def wait_state(page: Page, state: str, timeout_s: float = 30) -> None:
    """Until the page shows `connecting`, `live` or `offline`."""
    await page.wait_for_function(
        "state => document.documentElement.dataset.state === state", arg=state, timeout=timeout_s * 1000
    )


async def series(page: Page, field: str, msg_type: str = "vehicle_can") -> dict[str, list[Any]]:
    """What the page holds of a field: seq, ts, v."""
    found: dict[str, list[Any]] = await page.evaluate(
        "([type, field]) => { const s = window.ducoPage.series(type, field);"
        " return {seq: [...s.seq], ts: [...s.ts], v: [...s.v]}; }",
        [msg_type, field],
    )
    return found


async def wait_whole(page: Page, field: str, timeout_s: float = 30) -> None:
    """Until the seqs that the page holds of a field have no step; the test goes on where they keep one."""
    step = "s => s.length > 0 && s.at(-1) - s[0] === s.length - 1"
    with suppress(BrowserTimeout):
        await page.wait_for_function(
            f"field => ({step})(window.ducoPage.series('vehicle_can', field).seq)", arg=field, timeout=timeout_s * 1000
        )


async def wait_changes(page: Page, field: str, changes: int, timeout_s: float = 30) -> None:
    """Until the value shown for a field has changed that often."""
    await page.wait_for_function(
        """([field, changes]) => {
            const shown = document.querySelector(`[data-field="${field}"]`)?.textContent;
            const seen = (window.__seen ??= {});
            const own = (seen[field] ??= new Set());
            if (shown) own.add(shown);
            return own.size > changes;
        }""",
        arg=[field, changes],
        timeout=timeout_s * 1000,
    )
