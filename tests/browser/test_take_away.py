"""Take away: CSV of the window, pictures, a link to exactly this view."""

from __future__ import annotations

import asyncio
import csv
import re
import struct
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Error as BrowserError
from playwright.async_api import Page, Route, expect

from tests.browser.page import chromium, page_at, series, wait_state
from tests.programs import program

MENU = ".bar-end .menu"


async def _choose(page: Page, entry: str) -> None:
    """An entry of the menu, by key."""
    await page.keyboard.press("t")
    # Unfolded, the menu gives its first entry the focus: only then a key goes where it is meant to.
    await expect(page.locator(MENU).get_by_role("button", name="CSV of the window", exact=True)).to_be_focused()
    await page.locator(MENU).get_by_role("button", name=entry, exact=True).press("Enter")


async def _saved(page: Page, entry: str, folder: Path) -> Path:
    """The file that an entry of the menu gives."""
    async with page.expect_download() as download:
        await _choose(page, entry)
    file = await download.value
    path = folder / file.suggested_filename
    await file.save_as(path)
    return path


def _size(png: Path) -> tuple[int, int]:
    data = png.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", data[16:24])
    return width, height


def _rows(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """The names of the columns, and time (device ms) and cells of each row."""
    with path.open(encoding="utf-8", newline="") as file:
        head, *rows = csv.reader(file)
    times = [round(datetime.fromisoformat(row[0]).timestamp() * 1000) for row in rows]
    assert times == sorted(times)
    return head, [(time, row[1:]) for time, row in zip(times, rows, strict=True)]


async def _received(page: Page, more: int) -> None:
    await page.wait_for_function(
        "([before, more]) => window.ducoPage.received >= before + more",
        arg=[await page.evaluate("window.ducoPage.received"), more],
        timeout=30_000,
    )


async def _range(page: Page) -> dict[str, Any]:
    found: dict[str, Any] = await page.evaluate("window.ducoPage.range")
    return found


@pytest.mark.timeout(120)
async def test_csv_of_the_window(tmp_path: Path) -> None:
    """Live it has each second as the page holds it, all charts aligned by time; of a short fixed window every frame."""
    async with chromium() as browser, program(tmp_path / "data") as running, page_at(browser, running.url) as page:
        await wait_state(page, "live")
        await _received(page, 8)
        held = await series(page, "speed")
        path = await _saved(page, "CSV of the window", tmp_path)
        assert re.fullmatch(r"DUCO_001_\d{4}-\d\d-\d\d_\d{6}\.csv", path.name)
        await expect(page.locator(".note")).to_have_text(re.compile(r"^CSV saved, \d+ rows$"))
        head, rows = _rows(path)
        assert head[0] == "time"
        assert len(set(head)) == len(head)
        speed = head.index("Drive: Speed [km/h]") - 1
        by_time = dict(rows)
        assert len(by_time) == len(rows)
        for ts, value in zip(held["ts"], held["v"], strict=True):
            assert float(by_time[ts][speed]) == value

        await page.keyboard.press("p")
        await expect(page.locator(".resolution")).to_have_text("every frame")
        shown = await _range(page)
        _, frames = _rows(await _saved(page, "CSV of the window", tmp_path))
        assert shown["from"] <= frames[0][0] <= frames[-1][0] <= shown["to"]
        assert len([ts for ts, cells in frames if cells[speed]]) > 3 * len(held["ts"])

        # A line that is hidden stays here. By key: held down for half a second, as slowly as that, it is shown alone.
        await page.get_by_role("button", name=re.compile("^Speed")).first.press("Enter")
        head, _ = _rows(await _saved(page, "CSV of the window", tmp_path))
        assert "Drive: Speed [km/h]" not in head

        at_once = "menu => { const [summary] = menu.children; summary.focus(); summary.blur(); summary.click(); }"
        await page.locator(MENU).evaluate(at_once)
        await expect(page.locator(MENU).get_by_role("button", name="CSV of the window")).to_be_focused()
        await expect(page.locator(MENU)).to_have_attribute("open", "")


@pytest.mark.timeout(120)
async def test_a_long_csv_can_be_ended(tmp_path: Path) -> None:
    """While the server works on it the page says how far it is, and Cancel ends it."""
    async with chromium() as browser, program(tmp_path / "data") as running, page_at(browser, running.url) as page:
        await wait_state(page, "live")
        downloads: list[Any] = []
        page.on("download", lambda download: downloads.append(download))
        await page.select_option(".bar select", label="3 h")
        await expect(page.locator(".resolution")).to_have_text(re.compile("buckets"))
        goes_on = asyncio.Event()

        async def hold(route: Route) -> None:
            await goes_on.wait()
            with suppress(BrowserError):  # the page waits no more
                await route.continue_()

        await page.route("**/history?*", hold)
        await _choose(page, "CSV of the window")
        await expect(page.locator(".note")).to_have_text(re.compile(r"^CSV: \d+ %$"))
        await page.get_by_role("button", name="Cancel").click()
        await expect(page.get_by_role("button", name="Cancel")).to_be_hidden()
        goes_on.set()
        await page.unroute("**/history?*")
        await expect(page.locator(".note")).to_have_text("")
        assert downloads == []


@pytest.mark.timeout(120)
async def test_pictures(tmp_path: Path) -> None:
    """The page's picture has all its charts in their columns; a chart's has that one."""
    async with chromium() as browser, program(tmp_path / "data") as running, page_at(browser, running.url) as page:
        await wait_state(page, "live")
        await _received(page, 4)
        whole = await _saved(page, "PNG of the page", tmp_path)
        await expect(page.locator(".note")).to_have_text("PNG saved")  # for some seconds
        assert re.fullmatch(r"DUCO_001_\d{4}-\d\d-\d\d_\d{6}\.png", whole.name)
        card = page.locator(".card:visible").first
        box = await card.bounding_box()
        assert box is not None
        async with page.expect_download() as download:
            await card.get_by_role("button", name=re.compile("PNG|picture", re.I)).click()
        one = tmp_path / (await download.value).suggested_filename
        await (await download.value).save_as(one)
        assert one.name.startswith("DUCO_001_")
        title = re.sub(r"\W+", "_", await card.locator("h2").inner_text())
        assert title in one.name
        width, height = _size(one)
        cards = await page.locator(".card:visible").count()
        columns = round((await page.evaluate("document.querySelector('#cards').clientWidth")) / box["width"])
        assert abs(_size(whole)[0] - columns * width) < 16 * (columns + 3)
        assert _size(whole)[1] > height * (cards // columns) * 0.8


@pytest.mark.timeout(120)
async def test_a_link_to_exactly_this_view(tmp_path: Path) -> None:
    """A live view stays live with its length; a link to a moment, and that of a fixed window, show the same times."""
    async with chromium() as browser, program(tmp_path / "data") as running, page_at(browser, running.url) as page:
        await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        await wait_state(page, "live")
        await page.select_option(".bar select", label="5 min")
        await page.get_by_role("button", name=re.compile("^Engine speed")).first.press("Enter")

        async def copied(entry: str) -> str:
            await _choose(page, entry)
            await expect(page.locator(MENU)).not_to_have_attribute("open", "")
            text: str = await page.evaluate("navigator.clipboard.readText()")
            return text

        live = await copied("Copy link")
        assert "from=" not in live
        before = await _range(page)
        moment = await copied("Copy link to this moment")
        await page.keyboard.press("p")
        fixed = await _range(page)
        link = await copied("Copy link")
        async with page_at(browser, live) as other:
            await wait_state(other, "live")
            shown = await _range(other)
            assert shown["isLive"]
            assert round(shown["to"] - shown["from"]) == 300_000
            entry = other.get_by_role("button", name=re.compile("^Engine speed")).first
            await expect(entry).to_have_attribute("aria-pressed", "false")
        async with page_at(browser, moment) as other:
            await expect(other.locator(".behind")).to_be_visible()
            shown = await _range(other)
            assert shown["to"] - shown["from"] == 300_000
            assert before["to"] - 50 <= shown["to"] <= fixed["to"]  # the page's clock is corrected by some ms
        async with page_at(browser, link) as other:
            await expect(other.locator(".behind")).to_be_visible()
            shown = await _range(other)
            assert (shown["from"], shown["to"]) == (fixed["from"], fixed["to"])


@pytest.mark.timeout(120)
async def test_a_browser_that_lets_no_page_copy(tmp_path: Path) -> None:
    """The link is shown to be copied by hand."""
    async with chromium() as browser, program(tmp_path / "data") as running, page_at(browser, "about:blank") as page:
        await page.add_init_script(
            "Object.defineProperty(navigator, 'clipboard', {value: undefined}); document.execCommand = () => false;"
        )
        await page.goto(running.url)
        await wait_state(page, "live")
        await _choose(page, "Copy link")
        field = page.get_by_role("textbox", name="Link to this view")
        await expect(field).to_have_value(re.compile(r"^http://127\.0\.0\.1:\d+/#/duco/DUCO_001"))
        await expect(field).to_be_focused()
        assert await page.evaluate("getSelection().toString()") == await field.input_value()
        await page.keyboard.press("Escape")
        await expect(field).to_be_hidden()
        await expect(page.locator(f"{MENU} summary")).to_be_focused()
