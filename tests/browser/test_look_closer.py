"""Look closer: pause, zoom, length of the window, any time, one cursor over all charts, statistics."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.browser.clipboard import wait_copied
from tests.browser.page import chromium, page_at, series, wait_state, wait_whole
from tests.programs import program

SURFACE = ".card:not(.waiting, [hidden]) .surface"


async def _range(page: Page) -> dict[str, Any]:
    """The window of all charts: from, to, now (device ms), isLive."""
    found: dict[str, Any] = await page.evaluate("window.ducoPage.range")
    return found


async def _points(page: Page, field: str) -> dict[str, list[float]]:
    found: dict[str, list[float]] = await page.evaluate("field => window.ducoPage.points('vehicle_can', field)", field)
    return found


async def _received(page: Page, more: int) -> None:
    """Until so many more live samples have come."""
    await page.wait_for_function(
        "([before, more]) => window.ducoPage.received >= before + more",
        arg=[await page.evaluate("window.ducoPage.received"), more],
        timeout=30_000,
    )


async def _drag(page: Page, chart: int, begin: float, end: float) -> None:
    """With the mouse over a chart, from one share of its width to another."""
    surface = page.locator(SURFACE).nth(chart)
    await surface.scroll_into_view_if_needed()
    box = await surface.bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    await page.mouse.move(box["x"] + begin * box["width"], middle)
    await page.mouse.down()
    await page.mouse.move(box["x"] + (begin + end) / 2 * box["width"], middle, steps=4)
    await page.mouse.move(box["x"] + end * box["width"], middle, steps=4)
    await page.mouse.up()


@pytest.mark.timeout(120)
async def test_pause_keeps_collecting(tmp_path: Path) -> None:
    """Paused by key the charts stand still and a badge counts, while data goes on coming; back at now nothing lacks."""
    async with chromium() as browser, program(tmp_path / "data") as running, page_at(browser, running.url) as page:
        await wait_state(page, "live")
        await _received(page, 4)
        assert not await page.is_visible(".behind")
        await page.keyboard.press("p")
        paused = await _range(page)
        assert not paused["isLive"]
        held = await series(page, "speed")
        await _received(page, 6)
        await expect(page.locator(".behind")).to_have_text(re.compile(r"^([3-9]|[1-9]\d) s behind$"))
        assert [(await _range(page))[key] for key in ("from", "to")] == [paused["from"], paused["to"]]
        assert max((await _points(page, "speed"))["ts"]) <= paused["to"] + 2000  # the line leaves at the edge
        await page.keyboard.press(" ")
        await expect(page.locator(".behind")).to_be_hidden()
        await page.wait_for_function(
            "last => window.ducoPage.points('vehicle_can', 'speed').ts.at(-1) > last + 3000", arg=held["ts"][-1]
        )
        await wait_whole(page, "speed")  # where the server left something out it comes a moment later
        after = await series(page, "speed")
        assert after["seq"] == list(range(after["seq"][0], after["seq"][-1] + 1))
        assert after["seq"][-1] >= held["seq"][-1] + 3


@pytest.mark.timeout(120)
async def test_zoom_by_drag_on_one_chart(tmp_path: Path) -> None:
    """All charts follow, with every single frame; the URL says so; zooms are taken back one by one by key."""
    async with chromium() as browser, program(tmp_path / "data") as running, page_at(browser, running.url) as page:
        await wait_state(page, "live")
        await page.select_option(".bar select", label="30 s")
        await _received(page, 12)
        begun_s = time.monotonic()
        await _drag(page, 0, 0.7, 0.9)
        took_ms = (time.monotonic() - begun_s) * 1000  # meanwhile the window went on below the pointer
        zoomed = await _range(page)
        assert not zoomed["isLive"]
        assert 3000 < zoomed["to"] - zoomed["from"] < 12_000 + took_ms
        await expect(page.locator(".resolution")).to_have_text("every frame")
        await page.wait_for_function("() => window.ducoPage.points('vehicle_can', 'speed').ts.length > 30")
        for field in ("speed", "bucket_height"):  # charts are drawn one after the other
            await page.wait_for_function(
                """([field, least, most]) => {
                    const { ts } = window.ducoPage.points('vehicle_can', field);
                    return ts.length > 0 && Math.min(...ts) > least && Math.max(...ts) < most;
                }""",
                arg=[field, zoomed["from"] - 5000, zoomed["to"] + 5000],
            )
        await page.wait_for_function(
            "window => location.hash.includes(window)", arg=f"from={zoomed['from']}&to={zoomed['to']}"
        )
        await _drag(page, 1, 0.4, 0.6)
        assert (await _range(page))["to"] < zoomed["to"]
        await page.keyboard.press("z")
        assert (await _range(page))["from"] == zoomed["from"]
        await page.keyboard.press("z")
        assert (await _range(page))["isLive"]
        await page.wait_for_function("() => !location.hash.includes('from=')")


@pytest.mark.timeout(120)
async def test_every_length_and_any_time(tmp_path: Path) -> None:
    """From 30 s to 24 h at a resolution that is told; any time can be gone to; arrows pan."""
    async with chromium() as browser, program(tmp_path / "data") as running, page_at(browser, running.url) as page:
        await wait_state(page, "live")
        for label, span_ms in (("30 s", 30_000), ("1 h", 3_600_000), ("24 h", 86_400_000)):
            await page.select_option(".bar select", label=label)
            shown = await _range(page)
            assert round(shown["to"] - shown["from"]) == span_ms
        await expect(page.locator(".resolution")).to_have_text(re.compile(r"^buckets of (\d+ min|\d+ s)"))
        await page.keyboard.press("f")
        await expect(page.locator(".note")).to_have_text(re.compile("at most 6 hours"))
        await page.select_option(".bar select", label="2 min")

        await page.keyboard.press("g")
        await expect(page.locator('input[name="from"]')).to_be_focused()  # by then it has its own times in it
        await page.fill('input[name="from"]', "2026-01-02T03:04:05")
        await page.fill('input[name="to"]', "2026-01-02T03:04:04")
        await page.keyboard.press("Enter")
        await expect(page.locator('.menu [role="alert"]')).to_have_text(re.compile("the earlier one"))
        await page.fill('input[name="to"]', "2026-01-02T03:24:05")
        await page.keyboard.press("Enter")
        begin = await page.evaluate("new Date(2026, 0, 2, 3, 4, 5).getTime()")
        gone = await _range(page)
        assert (gone["from"], gone["to"]) == (begin, begin + 1_200_000)
        await expect(page.get_by_text("2026-01-02 03:04:05 – 03:24:05")).to_be_focused()
        await page.keyboard.press("ArrowLeft")
        assert (await _range(page))["from"] == begin - 600_000
        await page.keyboard.press("ArrowRight")
        assert (await _range(page))["from"] == begin
        await page.keyboard.press("n")
        assert (await _range(page))["isLive"]


@pytest.mark.timeout(120)
async def test_one_cursor_over_all_charts(tmp_path: Path) -> None:
    """Over one chart it shows the values of all at that time; a click pins it, and the values can be copied."""
    async with chromium() as browser, program(tmp_path / "data") as running, page_at(browser, running.url) as page:
        await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        await wait_state(page, "live")
        await page.select_option(".bar select", label="30 s")
        await _received(page, 6)
        await expect(page.locator("#folded")).to_be_visible()  # then the cards have their places
        await page.keyboard.press("p")
        surface = page.locator(SURFACE).first
        box = await surface.bounding_box()
        assert box is not None
        x, y = box["x"] + 0.88 * box["width"], box["y"] + box["height"] / 2
        await page.mouse.move(x, y)
        tips = page.locator(".tip:visible")
        await expect(tips).not_to_have_count(0)
        in_sight = await page.locator(SURFACE).evaluate_all(  # or so little below that it is drawn as well
            "all => all.filter((one) => one.closest('.card').getBoundingClientRect().top < innerHeight + 80).length"
        )
        await expect(tips).to_have_count(in_sight)
        assert in_sight >= 2
        times = await tips.locator(".tip-time").all_inner_texts()
        assert len(set(times)) == 1
        await page.mouse.click(x, y)
        await page.mouse.move(5, 5)
        await expect(tips).to_have_count(in_sight)
        await page.wait_for_function("() => /[?&]t=\\d+/.test(location.hash)")
        await tips.first.get_by_role("button").click()
        copied = await wait_copied(page)
        rows = [line.split("\t") for line in copied.splitlines()]
        assert {len(row) for row in rows} == {3}
        assert {"Speed", "Bucket height"} <= {row[0] for row in rows}
        await surface.focus()
        await page.keyboard.press("Escape")
        await page.locator("body").click(position={"x": 3, "y": 300})
        await expect(tips).to_have_count(0)


@pytest.mark.timeout(120)
async def test_statistics_of_what_is_shown(tmp_path: Path) -> None:
    """Minimum, mean and maximum of the window, of every line; switched by key, and remembered."""
    async with chromium() as browser, program(tmp_path / "data") as running, page_at(browser, running.url) as page:
        await wait_state(page, "live")
        await _received(page, 4)
        button = page.get_by_role("button", name="Statistics")
        await page.keyboard.press("s")
        await expect(button).to_have_attribute("aria-pressed", "true")
        said = page.locator('li:has([data-field="engine_rpm"]) .statistics')
        await expect(said).to_have_text(re.compile("min.*mean.*max"))
        numbers = [float(text) for text in re.findall(r"[\d.]+", await said.inner_text())]
        assert numbers == sorted(numbers)
        assert numbers[0] < numbers[2]
        await page.reload()
        await expect(button).to_have_attribute("aria-pressed", "true")
        await expect(said).to_be_visible()
        await page.keyboard.press("s")
        await expect(said).to_be_hidden()
