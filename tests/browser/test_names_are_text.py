"""Names come from databases and people: markup in them is shown as what it is, everywhere."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html import escape
from pathlib import Path

import pytest
from playwright.async_api import Page

from duco_rt.config import Web
from duco_rt.model import Peer
from tests.browser.page import chromium, page_at, wait_state
from tests.web.conftest import BASE, NOW_MS, Site

NAME = '<img src=x onerror="window.hacked=1">'
PEER = Peer("duco", "DUCO_001", "vehicle_can")
E = escape(NAME, quote=True)
KCD = f"""<?xml version="1.0"?>
<NetworkDefinition xmlns="http://kayak.2codeornot2code.org/1.0"><Document name="a"/><Bus name="b">
<Message id="0x100" length="8" name="{E}"><Notes>{E}</Notes>
<Signal name="{E}" offset="0" length="8"><Notes>{E}</Notes><Value unit="{E}"/></Signal>
<Signal name="state" offset="8" length="8"><Notes>{E}</Notes><Value unit="{E}"/>
<LabelSet><Label name="{E}" value="1"/><Label name="off" value="0"/></LabelSet></Signal></Message></Bus>
</NetworkDefinition>"""


async def prepare(site: Site) -> None:
    """The name as that of a machine, a message, signals, units, texts and states, a group, a line, a limit."""
    file = {"name": "x.kcd", "bus": None, "format": "kcd", "text": KCD}
    assert (await site.ask("PUT", "/api/metaapi/parsings/p", {"version": 0, "files": [file]}))[0] == 200
    device = {"chassisId": PEER.chassis_id, "tenant": PEER.tenant, "name": NAME, "parsing": "p"}
    assert (await site.ask("PUT", f"/api/metaapi/devices/{PEER.chassis_id}", device))[0] == 200
    for group in (await site.ask("GET", f"{BASE}/_groups"))[1]["groups"]:
        await site.ask("DELETE", f"{BASE}/_groups/{group['groupId']}")
    lines = [{"field": NAME, "label": NAME}, {"field": NAME}, {"field": "state"}]
    limit = {"unit": NAME, "from": 5, "to": 5, "label": NAME, "level": "bad"}
    group = {"title": NAME, "lines": lines, "limits": [limit]}
    assert (await site.ask("POST", f"{BASE}/_groups", group))[0] == 201


async def send(site: Site) -> None:
    """A sample a second."""
    for n in range(10_000):
        site.clock.now_s = NOW_MS / 1000 + n + 1
        message = {"payload": {NAME: n % 9, "state": n % 2}, "ts": NOW_MS + 1000 * n, "seq": n + 1}
        await site.live.publish(PEER.channel, json.dumps(message).encode())
        await asyncio.sleep(1)


@asynccontextmanager
async def hostile(folder: Path) -> AsyncIterator[Site]:
    """A site with these names, live."""
    async with Site(folder, Web(port=0)).running() as site, asyncio.TaskGroup() as tasks:
        await site.device()
        await prepare(site)
        sending = tasks.create_task(send(site))
        yield site
        sending.cancel()


async def is_text(page: Page, where: str, least: int = 1) -> None:
    """The name is there, as text, and nothing came of it."""
    await page.wait_for_function(
        "([where, name, least]) => [...document.querySelectorAll(where)].filter((node) =>"
        " (node.matches('input') ? node.value : node.textContent).includes(name)"
        " && node.checkVisibility()).length >= least",
        arg=[where, NAME, least],
    )
    assert await page.evaluate("window.hacked") is None
    assert await page.locator("img[src=x]").count() == 0


@pytest.mark.timeout(120)
async def test_everywhere(tmp_path: Path) -> None:
    """Portal, machine, chart, tip, table, all signals, editor with its search, metrics."""
    async with hostile(tmp_path) as site, chromium() as browser:
        async with page_at(browser, f"{site.url}/#/duco") as page:
            await is_text(page, ".device-name")
            await page.fill("#filter", NAME)
            await page.wait_for_function("() => location.hash.includes('q=')")
            await page.reload()
            await is_text(page, "#filter")
        async with page_at(browser, f"{site.url}/#/duco/DUCO_001") as page:
            await wait_state(page, "live")
            await is_text(page, "h1")
            await is_text(page, ".card h2")
            await is_text(page, ".legend .label", 2)
            await is_text(page, ".legend .unit")
            await is_text(page, ".legend .value")  # the state's name
            assert NAME in await page.title()
            await page.locator(".plot").first.hover()
            await is_text(page, ".tip")
            await page.locator(".card [data-do=table]").first.click()
            await is_text(page, ".card table th")
            await page.click("#signals-toggle")
            await is_text(page, "#signals-table .s-name")
            await is_text(page, "#signals-table .s-about")
            await page.locator(".card [data-do=edit]").first.click()
            await is_text(page, "dialog[open] input")
            search = page.locator("dialog[open] [data-do=search]")
            await search.fill("img")
            await is_text(page, "dialog[open] [role=option]")
        async with page_at(browser, f"{site.url}/#/duco/DUCO_001/metrics") as page:
            await is_text(page, "h1")
