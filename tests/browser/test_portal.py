"""From the portal to a machine, by keyboard and by address; an address that has the whole view."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from playwright.async_api import Page, Route, expect

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
    await page.wait_for_function("pattern => new RegExp(pattern).test(location.hash)", arg=pattern)


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
        assert await page.evaluate(FOCUSED) == "M_0001"
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
            await page.wait_for_function("() => window.ducoPage.received >= 16")
            span_ms = await page.evaluate("(({ from, to }) => to - from)(window.ducoPage.range)")  # one look: it moves
            assert span_ms == pytest.approx(30_000)
            # By key: a button that a slow machine holds down for half a second shows the line alone.
            await page.locator('.entry:has([data-field="speed"])').press("Enter")
            await wait_hash(page, "hide=[^&]*speed")
            await page.keyboard.press("p")
            await wait_hash(page, r"from=\d+&to=\d+")
            box = await page.locator(".surface").first.bounding_box()
            assert box is not None
            await page.mouse.click(box["x"] + box["width"] * 0.85, box["y"] + box["height"] / 2)
            await wait_hash(page, r"[?&]t=\d+")
            await expect(page.locator(".tip:visible").first).to_be_visible()
            shown = await page.evaluate("window.ducoPage.range")
            # Left and back, as out of the browser's cache: it goes on where it was.
            await page.evaluate("dispatchEvent(new PageTransitionEvent('pagehide'))")
            await page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))")
            await page.wait_for_function("() => window.ducoPage.range !== null")
            again = await page.evaluate("window.ducoPage.range")
            assert (again["from"], again["to"]) == (shown["from"], shown["to"])
            await page.click("#tab-metrics")
            await wait_hash(page, r"^#/duco/DUCO_001/metrics\?.*t=\d+.*hide=")
            await page.go_back()
            await wait_hash(page, r"^#/duco/DUCO_001\?.*t=\d+.*hide=")
            link = str(await page.evaluate("location.href"))
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
