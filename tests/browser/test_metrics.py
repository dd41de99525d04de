"""The metrics view against the real program: track of the simulated machine, health of its App."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, expect

from duco_rt.app_fields import CLIENT_FIELDS
from tests.browser.clipboard import wait_copied
from tests.browser.page import chromium, page_at, series
from tests.programs import program

HASH = "#/duco/DUCO_001/metrics"
PLACE = re.compile(r"(-?\d+\.\d{5}), (-?\d+\.\d{5})")
TIME = re.compile(r"\d\d:\d\d:\d\d")


async def wait_text(page: Page, selector: str, pattern: str) -> str:
    """Until an element's text matches; the text that did."""
    found = await page.wait_for_function(
        """([selector, pattern]) => {
            const text = document.querySelector(selector)?.textContent ?? '';
            return new RegExp(pattern).test(text) && { text };
        }""",
        arg=[selector, pattern],
        timeout=30_000,
    )
    return str((await found.json_value())["text"])


async def wait_track(page: Page) -> None:
    """Until a track of some metres is drawn."""
    await wait_text(page, ".map-facts", r"^[1-9][\d.]* k?m from ")


async def keep_picture(page: Page) -> None:
    """Keep what the map shows, for `changed`."""
    # One that comes back into the page has its size, and is drawn, with the next frame.
    await page.wait_for_function("() => document.querySelector('.map canvas')?.width > 0")
    await page.evaluate(
        """window.__pixels = () => {
            const canvas = document.querySelector('.map canvas');
            return canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
        };
        window.__kept = window.__pixels(); null"""
    )


async def changed(page: Page) -> int:
    """How many pixels are clearly others than in the picture that was kept; another rounding is none."""
    return int(
        await page.evaluate(
            """() => {
                const now = window.__pixels();
                let count = 0;
                for (let i = 3; i < now.length; i += 4) if (Math.abs(now[i] - window.__kept[i]) > 64) count++;
                return count;
            }"""
        )
    )


async def wait_changed(page: Page) -> None:
    """Until the map shows something else, by the same measure."""
    await page.wait_for_function(
        """() => {
            let count = 0;
            const now = window.__pixels();
            for (let i = 3; i < now.length; i += 4) if (Math.abs(now[i] - window.__kept[i]) > 64) count++;
            return count > 20;
        }"""
    )


async def middle(page: Page) -> dict[str, Any]:
    """The middle of the map, where a click reaches it."""
    box = await page.locator(".map canvas").bounding_box()
    assert box is not None
    return {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}


@pytest.mark.timeout(120)
async def test_track(tmp_path: Path) -> None:
    """The map says where the machine is, follows it until a hand moves it, and pins the cursor of all charts."""
    async with (
        chromium() as browser,
        program(tmp_path / "data") as running,
        page_at(browser, running.url + HASH) as page,
    ):
        await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        await wait_track(page)
        found = PLACE.fullmatch(await wait_text(page, ".map-place", PLACE.pattern))
        assert found
        for text, field in zip(found.groups(), ("gps_lat", "gps_lng"), strict=True):
            held = (await series(page, field, "client_raw_data"))["v"]
            assert any(value is not None and abs(value - float(text)) < 1e-5 for value in held)

        await page.click(".map-tools button:has-text('Copy')")
        assert PLACE.fullmatch(await wait_copied(page))

        follow = page.locator(".map-tools button:has-text('Follow')")
        assert await follow.get_attribute("aria-pressed") == "true"
        await page.focus(".map canvas")
        await page.keyboard.press("+")
        await page.keyboard.press("+")
        assert await follow.get_attribute("aria-pressed") == "true"
        at = await middle(page)
        await page.mouse.click(at["x"], at["y"])  # it follows the machine, which is in the middle
        await wait_text(page, ".map-tools .age", TIME.pattern)
        await page.wait_for_function("() => location.hash.includes('t=')")
        await page.focus(".map canvas")
        await page.keyboard.press("Escape")
        await wait_text(page, ".map-tools .age", "^$")

        await page.mouse.move(at["x"], at["y"])
        await page.mouse.down()
        await page.mouse.move(at["x"] + 120, at["y"] + 30, steps=4)
        await page.mouse.up()
        assert await follow.get_attribute("aria-pressed") == "false"
        await follow.click()
        assert await follow.get_attribute("aria-pressed") == "true"


@pytest.mark.timeout(120)
async def test_fixed_window(tmp_path: Path) -> None:
    """What a fixed window shows stands still: zoomed and moved by keys and wheel, all of it comes back with 0."""
    async with (
        chromium() as browser,
        program(tmp_path / "data") as running,
        page_at(browser, running.url + HASH) as page,
    ):
        await wait_track(page)
        held = await series(page, "gps_lat", "client_raw_data")
        ts = [at for at, value in zip(held["ts"], held["v"], strict=True) if value is not None]
        await page.goto(f"{running.url}{HASH}?from={ts[0]}&to={ts[-1]}")
        await expect(page.locator(".map-tools button:has-text('Follow')")).to_be_hidden()
        last = await page.evaluate("ts => new Date(ts).toTimeString().slice(0, 8)", ts[-1])
        await wait_text(page, ".map-facts", rf"^[1-9][\d.]* k?m from .*{last}")  # nothing from after that any more
        await wait_text(page, '[data-metric="cpu_percent"] .value', r"\d")
        await page.focus(".map canvas")
        await page.keyboard.press("0")
        await keep_picture(page)
        for key in ("+", "-", "ArrowLeft", "ArrowUp"):
            await page.keyboard.press(key)
            assert await changed(page) > 200, key
            await page.keyboard.press("0")
            assert await changed(page) < 20, key
        box = await page.locator(".map canvas").bounding_box()
        assert box is not None
        await page.mouse.move(box["x"] + 12, box["y"] + 60)  # no track there, so no cursor
        assert await changed(page) < 20
        await page.keyboard.down("Control")
        await page.mouse.wheel(0, -200)
        await page.keyboard.up("Control")
        await wait_changed(page)
        assert await page.evaluate("scrollY") == 0

        await page.goto(f"{running.url}{HASH}?from=1000000&to=2000000")
        await wait_text(page, ".map-facts", "No position")
        await wait_text(page, ".map-place", "^–$")
        await wait_text(page, '[data-metric="cpu_percent"] .value', "^–$")


@pytest.mark.timeout(120)
async def test_health(tmp_path: Path) -> None:
    """Each field of the App has a tile with its value, and what is old says so; the view is left and comes back."""
    async with (
        chromium() as browser,
        program(tmp_path / "data") as running,
        page_at(browser, running.url + HASH, 390, "dark", server_ends=True) as page,
    ):
        shown = [field for field in CLIENT_FIELDS if field.name not in ("gps_lat", "gps_lng", "timestamp")]
        for field in shown:
            await wait_text(page, f'[data-metric="{field.name}"] .value', r"\d|batches|real time")
            unit = "" if field.name == "uptime_s" else field.unit or ""
            assert await page.inner_text(f'[data-metric="{field.name}"] .unit') == unit
        assert await page.locator("[data-metric]").count() == len(shown)
        assert re.search(r"\d+ (s|min|h|d)$", await page.inner_text('[data-metric="uptime_s"] .value'))
        await wait_text(page, '[data-metric="dropped_messages"] .age', "^fine$")
        assert await page.locator(".cards .card h2").all_inner_texts() == [
            "Track", "App and computer", "Computer", "CAN", "Upload", "App",
        ]  # fmt: skip
        assert await page.evaluate("document.documentElement.scrollWidth") <= 390

        await page.evaluate("location.hash = '#/duco/DUCO_001'")
        await page.locator(".map").wait_for(state="detached")
        await page.evaluate("hash => { location.hash = hash; }", HASH)
        await wait_track(page)
        await keep_picture(page)
        await wait_changed(page)

        await running.end()
        await wait_text(page, ".map-tools .age", r"^\d+ s old$")
        await wait_text(page, '[data-metric="cpu_percent"] .age', r"^\d+ s old$")
