"""What is not saved in the editor of chart groups is not lost: by a click, a reload, or somebody else who saves."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.browser.groups import editor, is_reason, listed, one, press, retitle, said, site, titles


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
        await page.wait_for_selector(".g-list [aria-current=true]")
        await expect(title).to_have_value("Driving")
        await expect(press(page, "Save")).to_be_enabled()
        await expect(listed(page, "N")).to_contain_text("unsaved")
        assert "Driving" not in await titles(running)

        await press(page, "Discard").click()
        await expect(title).to_have_value("Drive")
        await retitle(page, "Typed since")
        for undone, dropped in (("Driving", "Typed since"), ("Typed since", "Driving"), ("Driving", "Typed since")):
            await press(page, "Undo").click()
            await expect(title).to_have_value(undone)
            await said(page, f"Discarded the changes of “{dropped}”")
        await page.keyboard.press("Escape")
        await page.locator(".g-editor").wait_for(state="detached")
        await page.click("#edit")  # the first one
        await page.wait_for_selector(".g-list [aria-current=true]")
        await press(page, "Save").click()
        await said(page, "Saved “Driving”")
        await page.wait_for_function("() => location.hash.includes('edit=')")  # the URL follows a bit later
        await page.reload()
        await page.wait_for_selector(".g-list [aria-current=true]")
        await is_reason(page, "Nothing is changed")
        assert (await titles(running))[0] == "Driving"


@pytest.mark.timeout(120)
async def test_what_cannot_be_loaded(tmp_path: Path) -> None:
    """It is said, and asked for again; without the signals the groups can be edited, and what is typed stays."""
    async with site(tmp_path) as (browser, running), editor(browser, running, "drive", refused=True) as page:
        await page.keyboard.press("Escape")
        for what in ("**/_groups", "**/fields?*"):
            await page.route(what, lambda route: route.fulfill(status=500, body="{}"))
        await page.click("#edit")
        note = page.locator(".g-body > .g-note")
        await expect(note).to_have_text("Charts could not be loaded: HTTP 500")
        await expect(page.locator(".g-list")).to_have_count(0)
        await page.unroute("**/_groups")
        await expect(note).to_have_text("All signals could not be loaded: HTTP 500")
        await expect(page.locator(".g-row").first).not_to_contain_text("parsing")
        await retitle(page, "Driving")
        await page.unroute("**/fields?*")
        await expect(note).to_have_count(0)
        await expect(page.get_by_role("textbox", name="Title")).to_be_focused()
        await expect(page.get_by_role("textbox", name="Title")).to_have_value("Driving")
        await expect(page.locator(".g-hits button").first).to_be_visible()


@pytest.mark.timeout(180)
@pytest.mark.parametrize(("choice", "is_deleted"), [("Keep mine", False), ("Discard mine", False), ("Keep mine", True)])
async def test_two_people_at_once(tmp_path: Path, choice: str, is_deleted: bool) -> None:
    """The second to save is told what the first one did, and decides; nothing is lost."""
    async with (
        site(tmp_path) as (browser, running),
        editor(browser, running, "fuel") as theirs,
        editor(browser, running, "fuel", refused=True) as page,
    ):
        await retitle(page, "Mine")
        if is_deleted:
            await press(theirs, "Delete").click()
            await said(theirs, "Deleted “Fuel”")
        else:
            await press(theirs, "Remove Rate").click()
            await press(theirs, "Save").click()
            await said(theirs, "Saved “Fuel”")
        await press(page, "Save").click()
        panel = page.locator(".g-conflict")
        what = "Deleted by somebody else" if is_deleted else "Lines removed: Rate"
        await panel.get_by_text(what).wait_for()
        await is_reason(page, "Choose above first")
        assert "Mine" not in await titles(running)

        await press(page, choice).click()
        await panel.wait_for(state="detached")
        title, fields = ("Mine", ["fuel_rate", "fuel_level"]) if choice == "Keep mine" else ("Fuel", ["fuel_level"])
        await listed(page, title).wait_for()
        assert [line["field"] for line in (await one(running, title))["lines"]] == fields
        if choice == "Discard mine":
            await press(page, "Undo").click()
            await expect(page.get_by_role("textbox", name="Title")).to_have_value("Mine")
            await panel.wait_for()
