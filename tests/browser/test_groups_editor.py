"""The editor of chart groups against the real program, by keyboard and mouse."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.async_api import expect

from tests.browser.groups import TOASTS_DUE, editor, is_reason, listed, one, press, said, site, stored, titles

NAME = "<img src=x onerror=alert(1)>"


@pytest.mark.timeout(120)
async def test_a_new_chart_by_keyboard(tmp_path: Path) -> None:
    """Title, signals by search with their present values, saved: it is there for everybody and on the page behind."""
    async with site(tmp_path) as (browser, running), editor(browser, running, "new") as page:
        keys = page.keyboard
        await is_reason(page, "1 to 200 characters")
        await expect(page.get_by_role("textbox", name="Title")).to_be_focused()
        await keys.type(NAME)
        await keys.press("Tab")
        await keys.type("temperature degC oil")
        await (
            page.get_by_role("option", name="engine_oil_temperature").get_by_text("°C").wait_for()
        )  # its present value
        await keys.press("Tab")
        for field in ("engine_oil_temperature", "hydraulics_oil_temperature"):
            while field not in await page.locator(":focus").inner_text():
                await keys.press("ArrowDown")
            await keys.press("Enter")
            await expect(page.locator(":focus")).to_contain_text("in the chart")
        await press(page, "Save").press("Enter")
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
async def test_a_hidden_tab_asks_for_no_values(tmp_path: Path) -> None:
    """The sockets of the search are closed while nobody sees it, and are there again then."""
    hide = (
        "isHidden => { Object.defineProperty(document, 'hidden', {value: isHidden, configurable: true});"
        " document.dispatchEvent(new Event('visibilitychange')); }"
    )
    opened = "n => window.sockets.filter(({readyState}) => readyState === WebSocket.OPEN).length === n"
    async with site(tmp_path) as (browser, running), editor(browser, running, "drive") as page:
        await page.keyboard.press("Escape")
        # The page behind may connect anew when it is seen again: it asks only for what charts have.
        charted = [line["field"] for group in await stored(running) for line in group["lines"]]
        await page.evaluate(
            """charted => {
                const sockets = window.sockets = [];
                window.WebSocket = class extends WebSocket {
                    send(text) {
                        super.send(text);
                        const { type, payload } = JSON.parse(text);
                        const isSearch = () => payload.some((name) => !charted.includes(name));
                        if (type === 'INIT_FIELD_LIST' && isSearch()) sockets.push(this);
                    }
                };
            }""",
            charted,
        )
        await page.click("#edit")
        await page.wait_for_function(opened, arg=2)  # one a source
        await page.evaluate(hide, True)
        await page.wait_for_function(opened, arg=0)
        await page.evaluate(hide, False)
        await page.wait_for_function(opened, arg=2)
        await page.keyboard.press("Escape")
        await page.wait_for_function(opened, arg=0)


@pytest.mark.timeout(120)
async def test_lines_axes_and_limits(tmp_path: Path) -> None:
    """What is wrong is said at the field and cannot be saved; what is right is saved as it was chosen."""
    async with site(tmp_path) as (browser, running), editor(browser, running, "brakes") as page:
        await is_reason(page, "Nothing is changed")
        await page.get_by_label("Label of brake_pressure_rear").fill("Back")
        await page.get_by_label("Colour of Back").fill("#123456")
        await page.get_by_label("automatic colour").first.uncheck()
        await page.get_by_label("Style of Back").select_option("steps")
        await page.get_by_label("dashed").nth(1).check()
        for where in ("up", "down", "up"):
            await press(page, f"Move Back {where}").press("Enter")
            await expect(press(page, f"Move Back {where}")).to_be_focused()
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
        await press(page, "Remove limit 1").click()
        await press(page, "Add a band").click()
        await page.get_by_label("To of limit 1").fill("3")
        await page.get_by_label("Level of limit 1").select_option("danger")
        await page.get_by_label("Label of limit 1").fill("Too low")
        await press(page, "Save").click()
        await said(page, "Saved “Brakes”")
        await is_reason(page, "Nothing is changed")
        group = await one(running, "Brakes")
        assert group["lines"] == [
            {"field": "brake_pressure_rear", "label": "Back", "color": "#123456", "style": "step", "dash": True},
            {"field": "brake_pressure_front", "label": "Front", "color": "#0062a3", "style": None, "dash": False},
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
        await press(page, "Move Work cycle down").press("Enter")
        await expect(page.locator(".g-list li").nth(2)).to_contain_text("Work cycle")
        await expect(press(page, "Move Work cycle down")).to_be_focused()
        assert sorted(url.rsplit("/", 1)[1] for url in puts) == ["hydraulics", "work"]
        assert await titles(running) == [before[0], before[2], before[1], *before[3:]]
        await press(page, "Move Work cycle up").click()
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
        await page.evaluate(TOASTS_DUE)  # not from under the hands of who is about to use it
        assert await page.locator(".g-toast", has_text="Deleted “Work cycle”").count() == 1
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
    """What was exported comes in as new groups at the end, many at once, and can be taken back."""
    async with site(tmp_path) as (browser, running), editor(browser, running, "drive", refused=True) as page:
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
        await said(page, "lines[0].field")
        await said(page, "1 of 50 charts imported")
        assert len(await stored(running)) == len(after) + 1
        for count in (1, 50):
            toast = page.locator(".g-toast", has_text=f"{count} of 50")
            await toast.get_by_role("button", name="Undo").click()
            await toast.wait_for(state="detached")
        assert await stored(running) == before
        await choose("{}")
        await said(page, "not a file of chart groups")
        assert await stored(running) == before


@pytest.mark.timeout(120)
async def test_on_a_phone(tmp_path: Path) -> None:
    """It fills the screen and no more; a signal of another source is not offered, and why."""
    async with site(tmp_path) as (browser, running), editor(browser, running, "drive", 390) as page:
        box = await page.locator(".g-editor").bounding_box()
        assert box is not None and (box["x"], box["y"], box["width"], box["height"]) == (0, 0, 390, 900)
        await page.locator("[data-do=search]").fill("cpu_percent")
        await page.get_by_text("A chart has signals of one source").wait_for()
        await expect(page.locator(".g-hits button")).to_have_count(0)
        assert await page.evaluate("document.querySelector('.g-columns').scrollWidth") <= 390
        assert await page.evaluate("document.documentElement.scrollWidth") <= 390
