"""The frame of the page: offline in time, keys, theme, words in one file, every width."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from playwright.async_api import WebSocketRoute, expect

from tests.browser.page import chromium, page_at, wait_state
from tests.programs import program

NOTES_DATA = """window.WebSocket = class extends WebSocket {
    constructor(url) {
        super(url);
        this.addEventListener('message', ({ data }) => {
            if (JSON.parse(data).type === 'LIVE_DATA') window.lastAt = performance.now();
        });
    }
};"""
"""When data came to the page last: a look from time to time would be late on a busy machine."""


@pytest.mark.timeout(120)
async def test_offline_in_time(tmp_path: Path) -> None:
    """Ten seconds after the last data it says offline, not half a second later; refresh makes it live again."""
    async with (
        chromium() as browser,
        program(tmp_path / "data") as running,
        page_at(browser, "about:blank") as page,
    ):
        is_cut = False

        def relay(socket: WebSocketRoute) -> None:
            server = socket.connect_to_server()

            def forward(text: str | bytes) -> None:
                if not is_cut:
                    socket.send(text)

            server.on_message(forward)

        await page.route_web_socket("**/live?*", relay)
        await page.add_init_script(NOTES_DATA)
        await page.goto(running.url)
        await wait_state(page, "live")
        await page.evaluate(
            """() => {
                new MutationObserver(() => {
                    if (document.documentElement.dataset.state !== 'offline') return;
                    window.afterMs ??= performance.now() - window.lastAt;
                }).observe(document.documentElement, { attributeFilter: ['data-state'] });
            }"""
        )
        # What comes live is heard when it comes; the last one of the history was heard by the server some time before.
        held = "window.ducoPage.series('vehicle_can', 'speed').seq.length"
        caught_up = await page.evaluate(held)
        await page.wait_for_function(f"() => {held} >= {caught_up} + 3", timeout=20_000)
        is_cut = True
        await wait_state(page, "offline", 20)
        after_ms = await page.evaluate("window.afterMs")
        print(f"\noffline {after_ms:.0f} ms after the last data")
        assert 9_900 <= after_ms <= 10_500
        assert len(await page.evaluate("window.ducoPage.points('vehicle_can', 'speed').ts")) >= 3
        await expect(page.locator("#refresh")).to_be_visible()
        is_cut = False
        await page.evaluate("document.getElementById('refresh').click()")  # it goes as soon as something comes
        await wait_state(page, "live")


@pytest.mark.timeout(120)
async def test_a_server_without_its_live_transport(tmp_path: Path) -> None:
    """Where the server says that it gets nothing the page is not live, at once, and again when data comes."""
    async with (
        chromium() as browser,
        program(tmp_path / "data") as running,
        page_at(browser, "about:blank") as page,
    ):
        is_away = False

        def relay(socket: WebSocketRoute) -> None:
            server = socket.connect_to_server()

            def forward(text: str | bytes) -> None:
                message = json.loads(text)
                if is_away and message["type"] == "STATUS":
                    message["payload"]["stream"] = "away"
                if not is_away or message["type"] != "LIVE_DATA":
                    socket.send(json.dumps(message))

            server.on_message(forward)

        await page.route_web_socket("**/live?*", relay)
        await page.goto(running.url)
        await wait_state(page, "live")
        is_away = True
        await wait_state(page, "connecting", 10)  # STATUS comes every two seconds; without it the page goes offline
        is_away = False
        await wait_state(page, "live")


@pytest.mark.timeout(120)
async def test_keys_theme_and_skip(tmp_path: Path) -> None:
    """The list of keys, the theme by choice that is there before the first paint, the skip link; words in one file."""
    async with chromium() as browser, program(tmp_path / "data") as running, page_at(browser, "about:blank") as page:
        await page.goto(f"{running.url}#/duco/DUCO_001")
        await wait_state(page, "live")
        await page.focus("#state ~ button")
        await page.keyboard.press("?")
        keys = await page.inner_text("dialog[open]")
        assert "Search machines" in keys and "Pause" in keys
        await page.keyboard.press("p")  # belongs to the dialog
        await page.keyboard.press("Escape")
        await expect(page.locator("dialog[open]")).to_have_count(0)
        assert await page.evaluate("window.ducoPage.range.isLive")

        theme = page.locator("#theme")
        for choice, scheme in (
            ("Light", "light"),
            ("Dark", "dark"),
            ("System", None),
            ("Light", "light"),
            ("Dark", "dark"),
        ):
            await theme.click()
            await expect(theme).to_have_text(re.compile(choice))
            assert await page.get_attribute("html", "data-theme") == scheme
        await page.add_init_script(
            "addEventListener('DOMContentLoaded', () => { window.early = document.documentElement.dataset.theme; });"
            "new MutationObserver(() => { window.atBody ??= document.body && document.documentElement.dataset.theme; })"
            ".observe(document, { childList: true, subtree: true });"
        )
        await page.reload()
        await wait_state(page, "live")
        assert await page.evaluate("window.atBody") == "dark"

        await page.evaluate("document.activeElement.blur()")
        await page.keyboard.press("Tab")
        await expect(page.locator("#skip")).to_be_focused()
        await page.keyboard.press("Enter")
        await expect(page.locator("#main")).to_be_focused()
        html = (await (await page.request.get(running.url)).text()).partition("<body>")[2]
        words = re.sub(r"<noscript>.*?</noscript>|<[^>]*>|&\w+;", " ", html, flags=re.DOTALL)
        assert re.findall(r"\w+", words) == []
        assert await page.get_attribute("html", "lang") == "en"


@pytest.mark.timeout(120)
async def test_every_width(tmp_path: Path) -> None:
    """Nothing scrolls sideways, and a wide screen is used to its edge."""
    async with chromium() as browser, program(tmp_path / "data") as running:
        for width in (390, 3840):
            for place in ("#/duco", "#/duco/DUCO_001", "#/duco/DUCO_001/metrics"):
                async with page_at(browser, f"{running.url}{place}", width) as page:
                    await page.wait_for_selector(".card" if "DUCO" in place else "#devices .device")
                    assert await page.evaluate("document.documentElement.scrollWidth") <= width
                    right = await page.evaluate("document.querySelector('main').getBoundingClientRect().right")
                    assert right == width
