"""All signals, and charts without values, against the real program."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.async_api import Page, WebSocket, WebSocketRoute, expect

from tests.browser.page import chromium, page_at, wait_state
from tests.programs import program

ROWS = "#signals-table tr[data-signal]"
CARDS = ".cards .card:not([hidden])"


async def wait_rows(page: Page, at_least: int) -> None:
    """Until so many signals are shown with a value."""
    await page.wait_for_function(
        """([rows, least]) => [...document.querySelectorAll(rows)].filter((row) =>
            !row.hidden && !['', '–'].includes(row.querySelector('.s-value').textContent)).length >= least""",
        arg=[ROWS, at_least],
        timeout=30_000,
    )


async def wait_received(page: Page, more: int) -> None:
    """Until so many more live samples came for the charts."""
    before = await page.evaluate("window.ducoPage.received")
    await page.wait_for_function("least => window.ducoPage.received >= least", arg=before + more)


@pytest.mark.timeout(120)
async def test_signals_of_the_truck(tmp_path: Path, recordings: Path) -> None:
    """Collapsed there is no socket more; opened, thirty signals and more have values, and a search finds among them."""
    command = ("replay", str(recordings / "truck-j1939-gps.log.gz"), "--device", "DUCO_001", "--speed", "4")
    async with (
        chromium() as browser,
        program(tmp_path / "data", command=command) as running,
        page_at(browser, "about:blank") as page,
    ):
        opened: list[WebSocket] = []
        closed: list[WebSocket] = []

        def follow(socket: WebSocket) -> None:
            opened.append(socket)
            socket.on("close", lambda ended: closed.append(ended))

        page.on("websocket", follow)
        await page.goto(running.url)
        await wait_state(page, "live")
        await wait_received(page, 4)
        assert len(opened) == 2  # one a msgType, for the charts
        assert await page.get_attribute("#signals", "open") is None

        await page.click("#signals-toggle")
        await wait_rows(page, 30)
        assert len(opened) == 4
        assert await page.get_attribute("#signals", "open") is not None
        count = await page.inner_text("#signals-count")
        assert "signals have values" in count and int(count.split()[0]) >= 30
        assert (await page.inner_text('[data-signal="EngineSpeed"] .s-unit')) == "rpm"

        await page.fill("#signals-search", "EngineSpeed rpm")
        await page.wait_for_function(
            "rows => [...document.querySelectorAll(rows)].filter((row) => !row.hidden).length === 1", arg=ROWS
        )
        await page.fill("#signals-search", "")

        await page.click("#signals-toggle")
        for socket in opened[2:]:
            if not socket.is_closed():
                await socket.wait_for_event("close")
        await expect(page.locator(ROWS)).to_have_count(0)
        await wait_received(page, 2)
        assert len(closed) == 2
        assert len(opened) == 4


@pytest.mark.timeout(120)
async def test_open_signals_are_remembered(tmp_path: Path) -> None:
    """The choice outlives the page, by keyboard too, and values move; the table fits a phone."""
    async with (
        chromium() as browser,
        program(tmp_path / "data") as running,
        page_at(browser, running.url, 390, "dark") as page,
    ):
        await wait_state(page, "live")
        await page.focus("#signals-toggle")
        await page.keyboard.press("Enter")
        await wait_rows(page, 30)
        await page.reload()
        await wait_rows(page, 30)
        speed = '[data-signal="engine_rpm"] .s-value'
        before = await page.inner_text(speed)
        await page.wait_for_function(
            "([cell, before]) => document.querySelector(cell).textContent !== before", arg=[speed, before]
        )
        assert await page.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.timeout(120)
async def test_charts_without_values_are_folded(tmp_path: Path) -> None:
    """What the demo's machine does not send is one line below the grid; its cards can be shown and keep their place."""
    async with chromium() as browser, program(tmp_path / "data") as running, page_at(browser, running.url) as page:
        await page.wait_for_selector(CARDS)
        every = await page.locator(".cards .card h2").all_text_contents()  # folded ones, too: that may come early
        await page.wait_for_selector("#folded:not([hidden])", timeout=30_000)
        text = await page.inner_text("#folded-text")
        assert "without values from this machine" in text
        folded = [title for title in every if title in text]
        assert {"Air supply (J1939)", "Motion (GPS module)"} <= set(folded)
        left = await page.locator(f"{CARDS} h2").all_inner_texts()
        assert left == [title for title in every if title not in folded]
        assert "Drive" in left and "Computer on the machine" in left

        await page.click("#folded-toggle")
        assert await page.locator(f"{CARDS} h2").all_inner_texts() == every
        await page.click("#folded-toggle")
        assert await page.locator(f"{CARDS} h2").all_inner_texts() == left


@pytest.mark.timeout(120)
async def test_folded_chart_returns(tmp_path: Path) -> None:
    """As soon as a value arrives the chart is back at its place. The value is put into the messages on their way."""
    is_sent = False
    async with (
        chromium() as browser,
        program(tmp_path / "data") as running,
        page_at(browser, "about:blank") as page,
    ):

        def relay(socket: WebSocketRoute) -> None:
            server = socket.connect_to_server()

            def forward(text: str | bytes) -> None:
                message = json.loads(text)
                if is_sent and "engine_rpm" in message.get("payload", {}):
                    message["payload"]["GnssAccelerationX"] = 1.5
                socket.send(json.dumps(message))

            server.on_message(forward)

        await page.route_web_socket("**/live?*", relay)
        await page.goto(running.url)
        await page.wait_for_selector("#folded:not([hidden])", timeout=30_000)
        assert "Motion (GPS module)" in await page.inner_text("#folded-text")
        before = await page.locator(f"{CARDS} h2").all_inner_texts()
        is_sent = True
        await page.wait_for_selector('[data-field="GnssAccelerationX"]:visible')
        after = await page.locator(f"{CARDS} h2").all_inner_texts()
        place = after.index("Motion (GPS module)")
        assert after[:place] + after[place + 1 :] == before
        assert after[place + 1] == "Computer on the machine"
        assert "Motion" not in await page.inner_text("#folded-text")
