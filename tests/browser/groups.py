"""What tests of the editor of chart groups do: open it, press its buttons, ask the server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from playwright.async_api import Browser, Locator, Page, expect

from tests.browser.page import chromium, page_at
from tests.programs import Program, program

TOASTS_STAY = """(() => {
    const real = window.setTimeout;
    window.dueToasts = [];
    window.setTimeout = (act, ms, ...parts) => ms === 20_000 ? window.dueToasts.push(act) : real(act, ms, ...parts);
})();"""
"""What is said, and its “Undo”, goes after 20 s; a busy machine may need those to get there, so a test says when."""
TOASTS_DUE = "window.dueToasts.splice(0).forEach((act) => act())"


@asynccontextmanager
async def site(tmp_path: Path) -> AsyncIterator[tuple[Browser, Program]]:
    """A browser and the demo."""
    async with chromium() as browser, program(tmp_path / "data") as running:
        yield browser, running


@asynccontextmanager
async def editor(
    browser: Browser, running: Program, group_id: str, width: int = 1440, *, refused: bool = False
) -> AsyncIterator[Page]:
    """A page whose URL opens the editor; `refused`: the browser says that the server refused, which is no error."""
    url = f"{running.url}#/duco/DUCO_001?edit={group_id}"
    async with page_at(browser, "about:blank", width, server_ends=refused) as page:
        await page.add_init_script(TOASTS_STAY)
        await page.goto(url)
        await page.wait_for_selector(".g-list [aria-current=true]")
        yield page


async def stored(running: Program) -> list[dict[str, Any]]:
    """The groups that the server has."""
    async with aiohttp.ClientSession() as http:
        groups: list[dict[str, Any]] = (await running.json(http, "/_groups"))["groups"]
        return groups


async def titles(running: Program) -> list[str]:
    """Their titles in order."""
    return [str(group["title"]) for group in await stored(running)]


async def one(running: Program, title: str) -> dict[str, Any]:
    """The group of that title."""
    (found,) = [group for group in await stored(running) if group["title"] == title]
    return found


def listed(page: Page, title: str) -> Locator:
    """A group in the editor's list."""
    return page.locator(".g-list li button").filter(has=page.get_by_text(title, exact=True))


def press(page: Page, name: str) -> Locator:
    """A button of the editor, or of what stays of it after it was closed."""
    return page.locator(".g-editor, .g-toasts").get_by_role("button", name=name, exact=True)


async def said(page: Page, text: str) -> None:
    """It says so."""
    await page.locator(".g-toast", has_text=text).first.wait_for()


async def retitle(page: Page, title: str) -> None:
    """Type another title."""
    await page.get_by_role("textbox", name="Title").fill(title)


async def is_reason(page: Page, text: str) -> None:
    """Save is disabled, with this reason."""
    await expect(press(page, "Save")).to_be_disabled()
    await expect(page.locator("#g-why")).to_contain_text(text)
