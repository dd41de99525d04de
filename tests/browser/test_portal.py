"""From the portal to a machine, by keyboard and by address; what the frame of the page does by itself."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from playwright.async_api import Page, Route, WebSocketRoute, expect

from tests.browser.page import chromium, page_at, wait_state
from tests.programs import program

DEVICES = re.compile(r"/_common/datasets$")
DEVICE = "#devices .device"
FOCUSED = "document.activeElement.dataset.chassis ?? document.activeElement.id"


def fleet(count: int) -> list[dict[str, Any]]:
    """The demo's machine, and others that are not there, every third of them online."""
    others = [
        {
            "chassisId": f"M_{n:04}", "name": f"Crane {n}" if n % 2 else "", "online": n % 3 == 0,
            "realtime": n % 6 == 0, "lastSeen": None if n % 5 == 1 else 1_700_000_000_000,
        }
        for n in range(count - 1)
    ]  # fmt: skip
    own = {"chassisId": "DUCO_001", "name": "Wheel loader 001", "online": True, "realtime": True, "lastSeen": None}
    return [*others, own]


async def show_fleet(page: Page, count: int) -> None:
    """Let the server's list of machines be this one."""

    async def answer(route: Route) -> None:
        await route.fulfill(json=fleet(count))

    await page.route(DEVICES, answer)


async def wait_hash(page: Page, pattern: str) -> None:
    """Until the address matches."""
    await page.wait_for_function("pattern => new RegExp(pattern).test(location.hash)", arg=pattern, timeout=10_000)


@pytest.mark.timeout(120)
async def test_by_keyboard_alone(tmp_path: Path) -> None:
    """Search, move, open, go back: the search is in the address, and Back has it again."""
    async with chromium() as browser, program(tmp_path / "data") as running, page_at(browser, "about:blank") as page:
        await show_fleet(page, 12)
        await page.goto(f"{running.url}#/duco")
        await expect(page.locator(DEVICE)).to_have_count(12)
        assert await page.inner_text("#machines-count") == "12 machines, 5 online"
        assert await page.inner_text(f"{DEVICE}[data-chassis=M_0001] .device-seen") == "never"
        assert await page.locator(f"{DEVICE}[data-chassis=M_0006] .badge").is_visible()
        assert not await page.locator(f"{DEVICE}[data-chassis=M_0001] .badge").is_visible()

        await page.keyboard.press("/")
        await page.keyboard.type("crane m_000")
        await expect(page.locator(DEVICE)).to_have_count(5)
        assert await page.inner_text("#machines-count") == "5 of 12 machines, 2 online"
        await wait_hash(page, r"^#/duco\?q=crane%20m_000$")
        await page.keyboard.press("ArrowDown")
        assert await page.evaluate(FOCUSED) == "M_0001"
        await page.keyboard.press("ArrowRight")
        assert await page.evaluate(FOCUSED) == "M_0003"
        await page.keyboard.press("ArrowUp")
        assert await page.evaluate(FOCUSED) == "filter"
        await page.keyboard.press("Escape")
        await expect(page.locator(DEVICE)).to_have_count(12)
        await page.keyboard.type("loader")
        await wait_hash(page, r"q=loader$")
        await page.keyboard.press("ArrowDown")
        await page.keyboard.press("Enter")

        await wait_state(page, "live")
        await wait_hash(page, "^#/duco/DUCO_001")
        assert await page.evaluate(FOCUSED) == "main"
        assert await page.inner_text("h1") == "Wheel loader 001"
        await page.go_back()
        await expect(page.locator("h1")).to_have_text("Live View")
        assert await page.input_value("#filter") == "loader"
        assert await page.locator(DEVICE).count() == 1
        await page.go_forward()
        await wait_state(page, "live")


@pytest.mark.timeout(120)
async def test_thousands_of_machines(tmp_path: Path) -> None:
    """The first 200 hits are in the page and the rest is counted; a search is quick."""
    async with chromium() as browser, program(tmp_path / "data") as running, page_at(browser, "about:blank") as page:
        await show_fleet(page, 5000)
        await page.goto(f"{running.url}#/duco")
        await expect(page.locator(DEVICE)).to_have_count(200)
        assert await page.inner_text("#machines-more") == "… 4800 more, refine the search"
        took_ms = await page.evaluate(
            """() => {
                const filter = document.getElementById('filter');
                const begun = performance.now();
                for (const text of ['c', 'cr', 'cra', 'crane 49', 'crane 499', '']) {
                    filter.value = text;
                    filter.dispatchEvent(new Event('input'));
                    document.body.offsetHeight;
                }
                return (performance.now() - begun) / 6;
            }"""
        )
        print(f"\na search among 5000: {took_ms:.0f} ms")
        assert took_ms < 100
        await page.fill("#filter", "loader")
        await expect(page.locator(DEVICE)).to_have_count(1)
        assert not await page.is_visible("#machines-more")
        await page.fill("#filter", "nothing like this")
        await expect(page.locator("#machines-more")).to_have_text("No machine matches the search.")


@pytest.mark.timeout(120)
async def test_an_address_has_the_whole_view(tmp_path: Path) -> None:
    """Window, pinned cursor and hidden lines follow into the address; a colleague who opens it sees the same."""
    async with chromium() as browser, program(tmp_path / "data") as running:
        async with page_at(browser, f"{running.url}#/duco/DUCO_001?w=30") as page:
            await wait_state(page, "live")
            await page.wait_for_function("() => window.ducoPage.received >= 16", timeout=20_000)
            assert await page.evaluate("window.ducoPage.range.to - window.ducoPage.range.from") == pytest.approx(30_000)
            await page.click('.entry:has([data-field="speed"])')
            await wait_hash(page, "hide=[^&]*speed")
            await page.keyboard.press("p")
            await wait_hash(page, r"from=\d+&to=\d+")
            box = await page.locator(".surface").first.bounding_box()
            assert box is not None
            await page.mouse.click(box["x"] + box["width"] * 0.85, box["y"] + box["height"] / 2)
            await wait_hash(page, r"[?&]t=\d+")
            await page.click("#tab-metrics")
            await wait_hash(page, r"^#/duco/DUCO_001/metrics\?.*t=\d+.*hide=")
            await page.go_back()
            await wait_hash(page, r"^#/duco/DUCO_001\?.*t=\d+.*hide=")
            link = page.url
            held = await page.evaluate("window.ducoPage.range")
        async with page_at(browser, link) as other:
            await expect(other.locator('.entry:has([data-field="speed"])')).to_have_attribute("aria-pressed", "false")
            theirs = await other.evaluate("window.ducoPage.range")
            assert (theirs["from"], theirs["to"]) == (held["from"], held["to"])
            await expect(other.locator(".tip:visible").first).to_be_visible()
            await other.wait_for_timeout(1200)  # the address is written twice a second
            assert other.url == link


@pytest.mark.timeout(120)
async def test_editor_in_the_address(tmp_path: Path) -> None:
    """`edit=` opens the editor with that chart; it leaves the address when it is closed."""
    async with (
        chromium() as browser,
        program(tmp_path / "data") as running,
        page_at(browser, f"{running.url}#/duco/DUCO_001?edit=new") as page,
    ):
        await page.wait_for_selector("dialog[open]")
        await wait_state(page, "live")
        await page.keyboard.press("Escape")
        await wait_hash(page, "^#/duco/DUCO_001$")
        await page.click("#edit")
        await page.wait_for_selector("dialog[open]")
        await wait_hash(page, "edit=")


@pytest.mark.timeout(120)
async def test_a_colleagues_chart_appears(tmp_path: Path) -> None:
    """When the page is looked at again it shows what others made of the charts; the rest stays as it is."""
    async with (
        chromium() as browser,
        program(tmp_path / "data") as running,
        page_at(browser, f"{running.url}#/duco/DUCO_001") as page,
        aiohttp.ClientSession() as http,
    ):
        await wait_state(page, "live")
        await page.keyboard.press("p")
        await wait_hash(page, "from=")
        await page.evaluate("document.querySelector('.card').isTheSame = true")
        window = await page.evaluate("window.ducoPage.range.from")
        group = {"title": "By a colleague", "lines": [{"field": "engine_rpm"}, {"field": "fuel_level"}], "order": -1}
        async with http.post(running.address("/_groups"), json=group) as response:
            assert response.status == 201
        await page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        await expect(page.locator(".card h2").first).to_have_text("By a colleague")
        assert await page.evaluate("document.querySelectorAll('.card')[1].isTheSame")
        assert await page.evaluate("window.ducoPage.range.from") == window


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
        await page.goto(running.url)
        await wait_state(page, "live")
        await page.evaluate(
            """() => {
                let received = 0;
                let lastAt = 0;
                const look = () => {
                    if (window.ducoPage.received !== received) lastAt = performance.now();
                    received = window.ducoPage.received;
                };
                setInterval(look, 5);
                new MutationObserver(() => {
                    if (document.documentElement.dataset.state !== 'offline') return;
                    window.afterMs ??= performance.now() - lastAt;
                }).observe(document.documentElement, { attributeFilter: ['data-state'] });
            }"""
        )
        await page.wait_for_function("() => window.ducoPage.received >= 3", timeout=20_000)
        is_cut = True
        await wait_state(page, "offline", 20)
        after_ms = await page.evaluate("window.afterMs")
        print(f"\noffline {after_ms:.0f} ms after the last data")
        assert 9_900 <= after_ms <= 10_500  # when the page looked may be a bit after the data
        assert len(await page.evaluate("window.ducoPage.points('vehicle_can', 'speed').ts")) >= 3
        is_cut = False
        await page.click("#refresh")
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
        await wait_state(page, "connecting", 4)  # STATUS comes every two seconds
        is_away = False
        await wait_state(page, "live", 5)


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
        assert await page.locator("dialog[open]").count() == 0
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
        assert await page.evaluate("document.activeElement.id") == "skip"
        await page.keyboard.press("Enter")
        assert await page.evaluate("document.activeElement.id") == "main"
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
                    await page.wait_for_selector(".card" if "DUCO" in place else DEVICE)
                    assert await page.evaluate("document.documentElement.scrollWidth") <= width
                    right = await page.evaluate("document.querySelector('main').getBoundingClientRect().right")
                    assert right == width
