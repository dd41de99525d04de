"""The Live Data page against the real program."""

from __future__ import annotations

import time
from pathlib import Path

import aiohttp
import pytest
from playwright.async_api import expect

from tests.browser.page import chromium, page_at, series, wait_changes, wait_state, wait_whole
from tests.programs import live, program


@pytest.mark.timeout(120)
async def test_demo_moves(tmp_path: Path) -> None:
    """`run` without anything: the page shows moving speed and engine_rpm."""
    async with chromium() as browser, program(tmp_path / "data") as running, page_at(browser, running.url) as page:
        await wait_state(page, "live")
        await wait_changes(page, "engine_rpm", 3)
        await wait_changes(page, "speed", 3)
        # A page that had no time for a while asks again.
        await expect(page.locator("#answer")).to_contain_text("device answered", ignore_case=True)


@pytest.mark.timeout(120)
async def test_first_live_point_soon(tmp_path: Path) -> None:
    """The first live point is there within seconds of the program's start; the figure is printed."""
    async with chromium() as browser:
        begun_s = time.monotonic()
        async with program(tmp_path / "data") as running, page_at(browser, running.url) as page:
            await wait_state(page, "live")
            await page.wait_for_function("() => window.ducoPage.received >= 1", timeout=20_000)
            print(f"\nfrom the start of the program to the first live point: {time.monotonic() - begun_s:.1f} s")


@pytest.mark.timeout(120)
async def test_history_and_live_join(tmp_path: Path) -> None:
    """A page that comes later shows what was before it, and joins live on: every seq once, none missing."""
    async with program(tmp_path / "data") as running, aiohttp.ClientSession() as http:
        await running.start_realtime(http)
        n = 0
        async for first in live(http, running, "DUCO_001", ["speed"]):  # noqa: B007  # the last one is used
            n += 1
            if n == 4:
                break
        async with chromium() as browser, page_at(browser, running.url) as page:
            await wait_state(page, "live")
            several = "() => window.ducoPage.series('vehicle_can', 'speed').seq.length >= 4"
            await page.wait_for_function(several, timeout=20_000)
            await wait_whole(page, "speed")  # what the store had late comes late
            held = await series(page, "speed")
            assert held["seq"] == list(range(held["seq"][0], held["seq"][-1] + 1))
            assert held["seq"][0] <= first["seq"]
            now = held["ts"][-1]
            path = f"/DUCO_001/history?fields=speed&from={held['ts'][0]}&to={now}"
            await page.wait_for_timeout(2000)  # the promise: in history within 2 s
            stored = await running.json(http, path)
            assert stored["fields"]["speed"] == held["v"]


@pytest.mark.timeout(120)
async def test_truck_recording(tmp_path: Path, recordings: Path) -> None:
    """The truck's recording drives the same page."""
    command = ("replay", str(recordings / "truck-j1939-gps.log.gz"), "--device", "DUCO_001", "--speed", "5")
    async with (
        chromium() as browser,
        program(tmp_path / "data", command=command) as running,
        page_at(browser, running.url) as page,
    ):
        await wait_state(page, "live")
        await page.wait_for_function("() => window.ducoPage.received >= 4", timeout=20_000)
        await page.locator('[data-field="EngineSpeed"]:text-is("0")').wait_for()
        await wait_changes(page, "ServiceBrakeCircuit1AirPressure", 1)


@pytest.mark.timeout(120)
async def test_offline_and_refresh(tmp_path: Path) -> None:
    """No data for 10 s: offline with Refresh, the lines stay; Refresh fills the gap from history and goes on."""
    async with chromium() as browser, program(tmp_path / "data") as running, page_at(browser, running.url) as page:
        await wait_state(page, "live")
        await page.wait_for_function("() => window.ducoPage.series('vehicle_can', 'speed').seq.length >= 3")
        async with aiohttp.ClientSession() as http:
            command = {"action": "stop", "reason": "user_action", "commandId": "the-machine-is-needed"}
            body = {"methodName": "setRealTimeUpload", "payload": command}
            address = f"{running.url}api/iothubs/ducohub/devices/DUCO_001/methods"
            async with http.post(address, json=body) as response:
                assert (await response.json())["payload"]["realtime"] is False
        await wait_state(page, "offline", 20)
        assert await page.is_visible("#offline")
        before = await series(page, "speed")
        assert len(before["seq"]) >= 3
        await page.click("#refresh")
        await wait_state(page, "live", 20)
        later = "last => window.ducoPage.series('vehicle_can', 'speed').seq.at(-1) > last + 9"
        await page.wait_for_function(later, arg=before["seq"][-1])
        await wait_whole(page, "speed")
        after = await series(page, "speed")
        assert after["seq"] == list(range(after["seq"][0], after["seq"][-1] + 1))
        assert after["seq"][-1] > before["seq"][-1] + 9


@pytest.mark.timeout(120)
async def test_server_that_comes_back(tmp_path: Path, free_port: int) -> None:
    """The program ends and starts again on its port: the page reconnects by itself, and the break is a gap."""
    port = f"web.port={free_port}"  # one that the system gives to nobody while the program is away
    async with chromium() as browser:
        async with program(tmp_path / "data", port) as running:
            context = await browser.new_context()
            page = await context.new_page()
            await page.goto(running.url)
            await wait_state(page, "live")
            held = "() => window.ducoPage.series('vehicle_can', 'speed').seq.length >= 2"
            await page.wait_for_function(held, timeout=20_000)
            before = await series(page, "speed")
        async with program(tmp_path / "data", port):
            await page.wait_for_function(
                "last => window.ducoPage.series('vehicle_can', 'speed').seq.at(-1) > last + 2",
                arg=before["seq"][-1],
                timeout=40_000,
            )
            after = await series(page, "speed")
            assert after["seq"] == sorted(set(after["seq"]))
            assert set(before["seq"]) <= set(after["seq"])
        await context.close()


@pytest.mark.timeout(120)
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1440, 390])
async def test_fits_the_screen(tmp_path: Path, width: int, scheme: str) -> None:
    """No horizontal scroll at 1440 and 390 px, light and dark."""
    async with (
        chromium() as browser,
        program(tmp_path / "data") as running,
        page_at(browser, running.url, width, scheme) as page,
    ):
        await wait_state(page, "live")
        assert await page.evaluate("document.documentElement.scrollWidth") <= width
