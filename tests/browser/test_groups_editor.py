"""The editor of chart groups against the real program: by keyboard and mouse, in one page and in two at once."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from playwright.async_api import Browser, Locator, Page, expect

from tests.browser.page import chromium, page_at
from tests.programs import Program, program

NAME = "<img src=x onerror=alert(1)>"


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
    async with page_at(browser, url, width, server_ends=refused) as page:
        await page.wait_for_selector(".g-list [aria-current]")
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


@pytest.mark.timeout(120)
async def test_a_new_chart_by_keyboard(tmp_path: Path) -> None:
    """Title, signals by search with their present values, saved: it is there for everybody and on the page behind."""
    async with site(tmp_path) as (browser, running), editor(browser, running, "new") as page:
        keys = page.keyboard
        await is_reason(page, "1 to 200 characters")
        await keys.type(NAME)
        await keys.press("Tab")
        await keys.type("temperature degC oil")
        hits = page.locator("#g-hits li")
        await hits.filter(has_text="engine_oil_temperature").get_by_text("°C").wait_for()  # its present value
        for field in ("engine_oil_temperature", "hydraulics_oil_temperature"):
            while field not in await page.locator("#g-hits [aria-selected=true]").inner_text():
                await keys.press("ArrowDown")
            await keys.press("Enter")
        await keys.press("Escape")
        await expect(hits).to_have_count(0)
        await keys.press("Control+s")
        await said(page, f"Saved “{NAME}”")
        group = await one(running, NAME)
        assert [line["field"] for line in group["lines"]] == ["engine_oil_temperature", "hydraulics_oil_temperature"]
        assert (group["msgType"], group["version"]) == ("vehicle_can", 1)
        assert (await titles(running))[-1] == NAME
        await keys.press("Escape")
        await expect(page.locator(".g-editor")).to_have_count(0)
        await page.locator(".card h2", has_text=NAME).wait_for(timeout=8_000)  # not only with the next look, in 30 s
        await page.wait_for_function("() => !location.hash.includes('edit=')")


@pytest.mark.timeout(120)
async def test_lines_axes_and_limits(tmp_path: Path) -> None:
    """What is wrong is said at the field and cannot be saved; what is right is saved as it was chosen."""
    async with site(tmp_path) as (browser, running), editor(browser, running, "brakes") as page:
        await is_reason(page, "Nothing is changed")
        await page.get_by_label("Label of brake_pressure_rear").fill("Back")
        await page.get_by_label("Colour of Front", exact=True).select_option("purple")
        await page.get_by_label("Any colour of Back").fill("#123456")
        await page.get_by_label("Style of Back").select_option("steps")
        await page.get_by_label("dashed").nth(1).check()
        for key in ("Alt+ArrowUp", "Alt+ArrowDown", "Alt+ArrowUp"):
            await page.get_by_label("Label of brake_pressure_rear").press(key)
            await expect(page.get_by_label("Label of brake_pressure_rear")).to_be_focused()
        await press(page, "Remove Brake").click()
        low, high = (page.get_by_label(f"{name} of axis bar") for name in ("Minimum", "Maximum"))
        await low.fill("ten")
        await is_reason(page, "Axes: not a number")
        await expect(low).to_have_attribute("aria-invalid", "true")
        await low.fill("10")
        await high.fill("2,5")
        await is_reason(page, "Axes: must be above 10")
        await high.fill("12,5")
        await page.get_by_label("Side of axis bar").select_option("right")
        await press(page, "Add a limit").click()
        await is_reason(page, "Limits: a value is needed")
        await page.get_by_label("Kind of limit 1").select_option("Band")
        await page.get_by_label("To of limit 1").fill("3")
        await page.get_by_label("Level of limit 1").select_option("danger")
        await page.get_by_label("Label of limit 1").fill("Too low")
        await press(page, "Save").click()
        await said(page, "Saved “Brakes”")
        await is_reason(page, "Nothing is changed")
        group = await one(running, "Brakes")
        purple = group["lines"][1].pop("color")
        assert purple.startswith("#")
        assert group["lines"] == [
            {"field": "brake_pressure_rear", "label": "Back", "color": "#123456", "style": "step", "dash": True},
            {"field": "brake_pressure_front", "label": "Front", "style": None, "dash": False},
        ]
        assert group["axes"] == [{"unit": "bar", "side": "right", "min": 10, "max": 12.5}]
        assert group["limits"] == [{"unit": "bar", "from": None, "to": 3, "label": "Too low", "level": "bad"}]


@pytest.mark.timeout(120)
async def test_copy_order_delete_and_undo(tmp_path: Path) -> None:
    """A move changes two groups only; a deletion can be undone, by keyboard and after the editor was closed."""
    async with site(tmp_path) as (browser, running), editor(browser, running, "work") as page:
        before = await titles(running)
        puts: list[str] = []
        page.on("request", lambda request: puts.append(request.url) if request.method == "PUT" else None)
        await listed(page, "Work cycle").press("Alt+ArrowDown")
        await expect(page.locator(".g-list li").nth(2)).to_contain_text("Work cycle")
        await expect(listed(page, "Work cycle")).to_be_focused()
        assert sorted(url.rsplit("/", 1)[1] for url in puts) == ["hydraulics", "work"]
        assert await titles(running) == [before[0], before[2], before[1], *before[3:]]
        await press(page, "Move Work cycle up (Alt+↑)").click()
        await expect(page.locator(".g-list li").nth(1)).to_contain_text("Work cycle")
        assert await titles(running) == before

        await press(page, "Copy").click()
        assert await titles(running) == before  # not before it is saved
        await press(page, "Save").click()
        await said(page, "Saved “Work cycle (copy)”")
        assert await titles(running) == [*before, "Work cycle (copy)"]
        assert (await one(running, "Work cycle (copy)"))["lines"] == (await one(running, "Work cycle"))["lines"]

        await listed(page, "Work cycle").click()
        await page.get_by_role("button", name="Delete", exact=True).press("Enter")
        await said(page, "Deleted “Work cycle”")
        assert await titles(running) == [before[0], *before[2:], "Work cycle (copy)"]
        while await page.evaluate("document.activeElement.textContent") != "Undo":
            await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")
        await listed(page, "Work cycle").wait_for()
        assert await titles(running) == [*before, "Work cycle (copy)"]
        assert (await one(running, "Work cycle"))["groupId"] == "work"

        await press(page, "Delete").click()
        await said(page, "Deleted “Work cycle”")
        await press(page, "Close").click()
        await press(page, "Undo").click()
        await page.locator(".card h2", has_text="Work cycle").first.wait_for()
        await expect(page.locator(".g-toast", has_text="Deleted “Work cycle”")).to_have_count(0)
        assert await titles(running) == [*before, "Work cycle (copy)"]


@pytest.mark.timeout(120)
async def test_export_and_import(tmp_path: Path) -> None:
    """What was exported comes in as new groups at the end, many at once; what is not right comes in not at all."""
    async with site(tmp_path) as (browser, running), editor(browser, running, "drive") as page:
        before = await stored(running)
        async with page.expect_download() as download:
            await press(page, "Export all").click()
        file = json.loads(Path(await (await download.value).path()).read_text())
        assert [group["title"] for group in file["groups"]] == [group["title"] for group in before]
        file["groups"] = (file["groups"] * 5)[:50]
        chooser = page.locator(".g-import input")

        async def choose(content: str) -> None:
            await chooser.set_input_files({"name": "x.json", "mimeType": "", "buffer": content.encode()})

        await choose(json.dumps(file))
        await said(page, "50 of 50 charts imported")
        after = await stored(running)
        assert after[: len(before)] == before
        assert len({group["groupId"] for group in after}) == len(before) + 50
        assert [group["title"] for group in after[len(before) :]] == [group["title"] for group in file["groups"]]
        assert after[len(before)]["lines"] == before[0]["lines"]
        await expect(page.locator(".g-list li")).to_have_count(len(after))

        file["groups"][1]["lines"][0]["field"] = 7
        await choose(json.dumps(file))
        await said(page, f"Chart 2 “{before[1]['title']}”, lines[0].field: missing or not allowed")
        await choose("{}")
        await said(page, "not a file of chart groups")
        assert await stored(running) == after


@pytest.mark.timeout(120)
async def test_unsaved_changes_are_kept(tmp_path: Path) -> None:
    """Over choosing another group, closing, and leaving the page; until they are discarded, which can be undone."""
    async with site(tmp_path) as (browser, running), editor(browser, running, "drive") as page:
        title = page.get_by_role("textbox", name="Title")
        await retitle(page, "Driving")
        await listed(page, "Brakes").click()
        await expect(title).to_have_value("Brakes")
        await expect(listed(page, "Driving")).to_contain_text("unsaved")
        await press(page, "New").click()
        await title.press_sequentially("N")
        await page.reload()
        await page.wait_for_selector(".g-list [aria-current]")
        await expect(title).to_have_value("Driving")
        await expect(page.locator("#g-why")).to_contain_text("Unsaved changes from ")
        await expect(listed(page, "N")).to_contain_text("unsaved")
        assert "Driving" not in await titles(running)

        await press(page, "Discard").click()
        await expect(title).to_have_value("Drive")
        await press(page, "Undo").click()
        await expect(title).to_have_value("Driving")
        await page.keyboard.press("Escape")
        await page.locator(".g-editor").wait_for(state="detached")
        await page.click("#edit")  # the first one
        await page.wait_for_selector(".g-list [aria-current]")
        await press(page, "Save").click()
        await said(page, "Saved “Driving”")
        await page.reload()
        await page.wait_for_selector(".g-list [aria-current]")
        await is_reason(page, "Nothing is changed")
        assert (await titles(running))[0] == "Driving"


@pytest.mark.timeout(180)
@pytest.mark.parametrize("choice", ["Keep mine", "Take theirs", "Save mine as a copy", "Save as new"])
async def test_two_people_at_once(tmp_path: Path, choice: str) -> None:
    """The second to save is told what the first one did, and decides; nothing is lost."""
    async with (
        site(tmp_path) as (browser, running),
        editor(browser, running, "fuel") as theirs,
        editor(browser, running, "fuel", refused=True) as page,
    ):
        await retitle(page, "Mine")
        if choice == "Save as new":
            await press(theirs, "Delete").click()
            await said(theirs, "Deleted “Fuel”")
        else:
            await press(theirs, "Remove Rate").click()
            await press(theirs, "Save").click()
            await said(theirs, "Saved “Fuel”")
        await press(page, "Save").click()
        panel = page.locator(".g-conflict")
        what = "Deleted by somebody else" if choice == "Save as new" else "Lines removed: Rate"
        await panel.get_by_text(what).wait_for()
        await is_reason(page, "Choose above first")
        assert "Mine" not in await titles(running)

        await press(page, choice).click()
        await panel.wait_for(state="detached")
        fields = {
            "Fuel": ["fuel_level"],
            "Mine": ["fuel_rate", "fuel_level"],
            "Mine (copy)": ["fuel_rate", "fuel_level"],
        }
        left = {"Keep mine": ["Mine"], "Take theirs": ["Fuel"], "Save mine as a copy": ["Fuel", "Mine (copy)"]}
        for title in left.get(choice, ["Mine"]):
            await listed(page, title).wait_for()
            assert [line["field"] for line in (await one(running, title))["lines"]] == fields[title]
        if choice == "Take theirs":
            await press(page, "Undo").click()
            await expect(page.get_by_role("textbox", name="Title")).to_have_value("Mine")
            await panel.wait_for()
        elif choice == "Keep mine":
            await press(page, "Undo").click()
            await listed(page, "Fuel").wait_for()
            assert [line["field"] for line in (await one(running, "Fuel"))["lines"]] == fields["Fuel"]


@pytest.mark.timeout(120)
async def test_on_a_phone(tmp_path: Path) -> None:
    """It fills the screen and no more; a signal of another source is explained, not added."""
    async with site(tmp_path) as (browser, running), editor(browser, running, "drive", 390) as page:
        box = await page.locator(".g-editor").bounding_box()
        assert box is not None and (box["x"], box["y"], box["width"], box["height"]) == (0, 0, 390, 900)
        await page.locator("[data-do=search]").fill("cpu_percent")
        await page.locator("#g-hits li").first.click()
        await page.get_by_text("A chart has lines of one source").wait_for()
        await expect(page.locator(".g-form ol li")).to_have_count(2)
        assert await page.evaluate("document.querySelector('.g-columns').scrollWidth") <= 390
        assert await page.evaluate("document.documentElement.scrollWidth") <= 390
