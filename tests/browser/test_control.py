"""The strip "Real-time": what is known of the stream, and stop and start by the viewer."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, Request, WebSocketRoute, expect

from tests.browser.page import chromium, page_at, wait_state
from tests.programs import program

DELAY = re.compile(r"^[0-2]\.\d s from the machine to this screen$")
FALLEN = """least => {
    const told = document.querySelector('.control .lasts').textContent.match(/\\d+/g);
    if (!told) return false;
    const now = { left: 60 * told[0] + Number(told[1]), ms: performance.now() };
    const begun = window.__begun;
    if (!begun || now.left > begun.left) window.__begun = now; // also where the machine was asked to go on meanwhile
    else if (now.left <= begun.left - least) return [begun.left - now.left, (now.ms - begun.ms) / 1000];
    return false;
}"""
"""Seconds by which it fell, and how many that took, once it fell by `least`: both looked at in the same moment."""


async def _told(page: Page, fact: str, text: re.Pattern[str] | str) -> None:
    """Wait until the strip tells it."""
    await expect(page.locator(f".control .{fact}")).to_have_text(text, timeout=20_000)


def _commands(page: Page) -> list[str]:
    """The actions of all commands that the page sends from now on."""
    sent: list[str] = []

    def note(request: Request) -> None:
        if "/methods" in request.url:
            sent.append(json.loads(request.post_data or "")["payload"]["action"])

    page.on("request", note)
    return sent


@pytest.mark.timeout(120)
async def test_what_is_known_of_the_stream(tmp_path: Path) -> None:
    """Heartbeat, viewers, how long the machine goes on without them, and the delay; all of it counts by itself."""
    async with chromium() as browser, program(tmp_path / "data") as running, page_at(browser, running.url) as page:
        await wait_state(page, "live")
        await _told(page, "beat", re.compile(r"^heartbeat [1-9]\d? s ago$"))
        await _told(page, "watch", "1 viewer")
        await _told(page, "delay", DELAY)
        await _told(page, "lasts", re.compile(r"^goes on for [12]:\d\d without us$"))
        fell_s, took_s = await (await page.wait_for_function(FALLEN, arg=6)).json_value()
        assert abs(fell_s - took_s) <= 2
        async with page_at(browser, running.url) as other:
            await wait_state(other, "live")
            await _told(page, "watch", "2 viewers")
            await other.close()  # the rest of its browser stays, by which it says that it leaves
            await _told(page, "watch", "1 viewer")


@pytest.mark.timeout(120)
async def test_stop_and_start(tmp_path: Path) -> None:
    """By keyboard: the machine stops and answers; the end of data is no alarm; nothing but Start starts it again."""
    async with chromium() as browser, program(tmp_path / "data") as running, page_at(browser, running.url) as page:
        await wait_state(page, "live")
        sent = _commands(page)
        await page.locator(".control").get_by_role("button", name="Stop").press("Enter")
        await expect(page.locator("#answer")).to_have_text(
            re.compile(r"^Stopped by you\. Device answered: real-time off, \d\d:\d\d:\d\d$")
        )
        await wait_state(page, "offline", 25)
        assert await page.inner_text("#offline-title") == "Stopped by you"
        assert "Start begins again" in await page.inner_text("#offline-detail")
        async with page.expect_websocket():
            await page.click("#refresh")
        assert sent == ["stop"]
        await page.locator(".control").get_by_role("button", name="Start").press("Enter")
        await wait_state(page, "live", 20)
        await expect(page.locator("#answer")).to_have_text(re.compile("^Device answered: real-time on"))
        assert sent[0] == "stop"
        assert set(sent[1:]) == {"start"}  # a page that had no time for a while asks again
        await page.locator(".control").get_by_role("button", name="History").press("Enter")
        stopped = page.locator('#commands-rows tr:has(td:text-is("Real-time off")):has(td:text-is("You"))')
        await expect(stopped.locator("summary")).to_have_text("Acknowledged by the machine", timeout=20_000)
        await expect(page.locator("#commands-summary")).to_be_focused()


@pytest.mark.timeout(120)
async def test_others_keep_it_on(tmp_path: Path) -> None:
    """Who stops leaves the others their data, and is told that they keep it on."""
    async with (
        chromium() as browser,
        program(tmp_path / "data") as running,
        page_at(browser, running.url) as page,
        page_at(browser, running.url) as other,
    ):
        await wait_state(page, "live")
        await wait_state(other, "live")
        await _told(page, "watch", "2 viewers")
        await page.locator(".control").get_by_role("button", name="Stop").click()
        await expect(page.locator("#answer")).to_have_text(re.compile(r"^Stopped by you\. Others keep it on\. "))
        await _told(page, "watch", "1 viewer")
        received = await other.evaluate("ducoPage.received")
        await other.wait_for_function("received => ducoPage.received > received + 2", arg=received, timeout=20_000)
        assert await other.evaluate("document.documentElement.dataset.state") == "live"


def _with_status(changes: dict[str, Any]) -> Any:
    """A route for the live service that changes what STATUS says."""

    def relay(client: WebSocketRoute) -> None:
        server = client.connect_to_server()

        def changed(text: str | bytes) -> None:
            message = json.loads(text)
            if message["type"] == "STATUS":
                for key, change in changes.items():
                    value = message["payload"][key]
                    message["payload"][key] = (
                        value + change if isinstance(change, int) and value is not None else change
                    )
            client.send(json.dumps(message))

        server.on_message(changed)

    return relay


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("off_ms", "said"),
    [(-15_000, "clock is 1[0-4] s ahead"), (95_000, "clock is 1 min behind")],  # less what the way takes
)
async def test_a_machine_whose_clock_is_wrong(tmp_path: Path, off_ms: int, said: str) -> None:
    """Instead of a delay the page says how far off the machine's clock is; what is not known is a dash."""
    async with chromium() as browser, program(tmp_path / "data") as running, page_at(browser, "about:blank") as page:
        await page.route_web_socket(
            re.compile("/live"), _with_status({"delay_ms": off_ms, "watchdog_s": None, "watching": None})
        )
        await page.goto(running.url)
        await wait_state(page, "live")
        await _told(page, "delay", re.compile(f"^machine.s {said}$"))
        await _told(page, "watch", "– viewers")
        await _told(page, "lasts", "goes on for – without us")
