"""The section "Commands" against the real program."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Request, expect

from tests.browser.page import chromium, page_at, wait_state
from tests.programs import program

ROWS = "#commands-rows tr"
MINE = f'{ROWS}:has(td.c-who:text-is("You"))'


@pytest.mark.timeout(120)
async def test_the_commands_of_a_machine(tmp_path: Path) -> None:
    """Closed it asks for nothing; opened by keyboard it shows the page's own command, acknowledged, and the answer."""
    async with (
        chromium() as browser,
        program(tmp_path / "data") as running,
        page_at(browser, "about:blank") as page,
    ):
        asked: list[Request] = []
        page.on("request", lambda each: asked.append(each) if "/commands?" in each.url else None)
        await page.goto(running.url)
        await wait_state(page, "live")
        assert asked == []
        await page.focus("#commands-summary")
        await page.keyboard.press("Enter")
        mine = page.locator(MINE).last
        state = mine.locator("summary")
        await mine.locator(':text("Acknowledged by the machine")').wait_for(timeout=20_000)
        assert await mine.locator(".c-action").inner_text() == "Real-time on"
        details = mine.locator("dl")
        await expect(details).to_be_hidden()
        await state.focus()
        await page.keyboard.press("Enter")
        await expect(details).to_be_visible()
        await expect(details).to_contain_text("status 200, real-time on")

        for _ in range(2):  # it is asked again when the last answer is shown
            async with page.expect_response("**/commands?*"):
                pass
        await expect(details).to_be_visible()  # a refresh leaves it unfolded
        await expect(state).to_be_focused()


@pytest.mark.timeout(120)
async def test_another_viewers_command(tmp_path: Path) -> None:
    """The command of another page is told as that of another viewer, and the section fits a phone."""
    async with (
        chromium() as browser,
        program(tmp_path / "data") as running,
        page_at(browser, running.url, 390, "dark") as page,
        page_at(browser, running.url) as other,
    ):
        await wait_state(page, "live")
        await wait_state(other, "live")
        await page.wait_for_selector(".card")  # what comes later would push the section out of sight: it asks no more
        await page.focus("#commands-summary")
        await page.keyboard.press("Enter")
        await expect(page.locator("#commands")).to_have_attribute("open", "")
        await page.locator("#commands").evaluate("section => section.scrollIntoView()")
        theirs = page.locator(f'{ROWS}:has(td.c-who:text-is("Another viewer"))')
        await theirs.first.wait_for(timeout=20_000)
        await page.locator(MINE).first.wait_for(timeout=20_000)
        assert await page.evaluate("document.documentElement.scrollWidth") <= 390
