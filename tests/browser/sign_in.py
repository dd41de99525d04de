"""Who signs in: tokens of a running program, made and taken back with its machine's own key."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from playwright.async_api import Browser, Page, expect

from tests.browser.page import page_at
from tests.programs import Program, program

REFUSED = r"status of 40[134]|Failed to load resource|WebSocket connection"
"""What a browser writes on its console where a server refuses: no error of the page."""


class Tokens:
    """Of one program."""

    def __init__(self, running: Program, data_dir: Path) -> None:
        self.url = running.url
        self._key = json.loads((data_dir / "lock").read_text("utf-8"))["key"]

    async def add(self, name: str, **grants: str) -> str:
        """Its text; `every` names all tenants."""
        roles = {"*" if tenant == "every" else tenant: role for tenant, role in grants.items()}
        made = await self._ask("POST", "", {"name": name, "grants": roles, "days": 1})
        return str(made["token"])

    async def remove(self, text: str) -> None:
        """Take it back."""
        await self._ask("DELETE", f"/{text.split('_')[1]}", None)

    async def _ask(self, method: str, path: str, body: object) -> Any:
        address, headers = f"{self.url}api/metaapi/tokens{path}", {"Authorization": f"Bearer {self._key}"}
        own = aiohttp.TCPConnector(ssl=False)  # of this machine
        async with (
            aiohttp.ClientSession(connector=own) as http,
            http.request(method, address, json=body, headers=headers) as answer,
        ):
            assert answer.status < 300, await answer.text()
            return await answer.json()


@asynccontextmanager
async def guarded(data_dir: Path, *settings: str) -> AsyncIterator[tuple[Program, Tokens]]:
    """The program with auth = "tokens"."""
    async with program(data_dir, "web.auth=tokens", "web.token_refresh_s=0.5", *settings) as running:
        yield running, Tokens(running, data_dir)


async def sign_in(page: Page, token: str) -> None:
    """On the sign-in page, as people do."""
    await page.wait_for_load_state()  # its script sends the place along
    await page.fill("#token", token)
    await page.press("#token", "Enter")


@asynccontextmanager
async def signed_in(
    browser: Browser, url: str, token: str, width: int = 1440, scheme: str = "light"
) -> AsyncIterator[Page]:
    """A page of somebody who came to an address and signed in with a token."""
    async with page_at(browser, url, width, scheme, expected=REFUSED) as page:
        await comes_to(page, "**/sign-in**")
        await sign_in(page, token)
        await page.wait_for_selector("#account:not([hidden])", state="attached")
        yield page


async def comes_to(page: Page, address: str) -> None:
    """Until the page is at an address, in which ** is anything; of two ways there at once the browser gives up one."""
    pattern = re.compile(re.escape(address).replace(r"\*\*", ".*"))
    await expect(page).to_have_url(pattern)
    await page.wait_for_load_state()
