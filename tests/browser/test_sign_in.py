"""Signing in and out in a browser, by a token and at an issuer; what each role sees; and how an open page ends."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, Request, expect

from tests.browser.page import chromium, page_at, wait_changes, wait_state
from tests.browser.sign_in import REFUSED, comes_to, guarded, sign_in, signed_in
from tests.browser.test_for_everybody import LOOKS, OVERLAPS
from tests.certificates import Certificates
from tests.programs import program
from tests.servers.oidc import CLIENT_ID, OidcIssuer, oidc_issuer

pytestmark = pytest.mark.timeout(180)

PLACE = "#/duco/DUCO_001?w=60"
LIST = re.compile(r"/_common/datasets$")


async def test_by_a_token(tmp_path: Path) -> None:
    """From a link to the sign-in page; a wrong token is told; a good one leads to the link, with live data; and out."""
    async with chromium() as browser, guarded(tmp_path / "data") as (running, tokens):
        token = await tokens.add("anna", duco="operator")
        async with page_at(browser, f"{running.url}{PLACE}", expected=REFUSED) as page:
            await comes_to(page, f"**/sign-in{PLACE}")
            await expect(page.locator("#token")).to_be_focused()
            await sign_in(page, f"{token[:-1]}{'A' if token[-1] != 'A' else 'B'}")
            await expect(page.locator("[role=alert]")).to_have_text(
                "This token is not known, has ended, or was taken back."
            )
            assert await page.input_value("#token") == ""
            await sign_in(page, token)
            await comes_to(page, f"{running.url}{PLACE}")
            await wait_state(page, "live")
            await wait_changes(page, "speed", 2)
            assert await page.inner_text("#user") == "anna"
            assert await page.evaluate("document.cookie") == ""
            await page.click("#commands-summary")
            await expect(page.locator("#commands-rows .c-who").last).to_have_text("You")

            await page.focus("#account button")
            await page.keyboard.press("Enter")
            await comes_to(page, f"{running.url}sign-in")
            assert await page.locator("[role=alert]").is_hidden()
            await page.go_back()
            await comes_to(page, "**/sign-in**")
            async with page.context.expect_page() as opened:
                await page.evaluate("open('/')")
            await comes_to(await opened.value, "**/sign-in")


async def test_a_token_that_is_taken_back(tmp_path: Path) -> None:
    """Ends the open page, and a page that nobody looks at; signing in again leads back."""
    async with chromium() as browser, guarded(tmp_path / "data") as (running, tokens):
        token = await tokens.add("anna", duco="operator")
        async with signed_in(browser, f"{running.url}{PLACE}", token) as page:
            await wait_state(page, "live")
            await page.evaluate("Object.defineProperty(document, 'hidden', {get: () => true})")  # it asks for no lists
            await tokens.remove(token)
            await comes_to(page, f"**/sign-in{PLACE}")
            await sign_in(page, token)
            await expect(page.locator("[role=alert]")).to_be_visible()
            await sign_in(page, await tokens.add("anna", duco="operator"))
            await comes_to(page, f"{running.url}{PLACE}")
            await wait_state(page, "live")


async def test_over_tls(tmp_path: Path) -> None:
    """The cookie is Secure and of this host alone; live data comes over it, and one gets out again."""
    files = Certificates(tmp_path / "ca").server("127.0.0.1")
    tls = (f"web.cert_file={files.cert}", f"web.key_file={files.key}")
    async with chromium() as browser, guarded(tmp_path / "data", *tls) as (running, tokens):
        assert running.url.startswith("https://")
        page = await browser.new_page(ignore_https_errors=True)
        await page.goto(f"{running.url}{PLACE}")
        await comes_to(page, f"**/sign-in{PLACE}")
        await sign_in(page, await tokens.add("anna", duco="operator"))
        await comes_to(page, f"{running.url}{PLACE}")
        await wait_state(page, "live")
        (cookie,) = await page.context.cookies()
        kept = {name: cookie.get(name) for name in ("name", "secure", "httpOnly", "sameSite", "path", "domain")}
        assert kept == {
            "name": "__Host-duco_session", "secure": True, "httpOnly": True, "sameSite": "Lax", "path": "/",
            "domain": "127.0.0.1",
        }  # fmt: skip
        await page.click("#account button")
        await comes_to(page, f"{running.url}sign-in")
        assert await page.context.cookies() == []


def commands(page: Page) -> list[Any]:
    """What the page asks machines from now on."""
    found: list[Any] = []

    def note(request: Request) -> None:
        if request.url.endswith("/methods"):
            found.append(json.loads(request.post_data or "{}")["payload"]["action"])

    page.on("request", note)
    return found


async def test_who_only_watches(tmp_path: Path) -> None:
    """Has nothing to command or change with, and is told why nothing comes; it comes once an operator is there."""
    async with chromium() as browser, guarded(tmp_path / "data") as (running, tokens):
        viewer, operator = await tokens.add("vera", duco="viewer"), await tokens.add("otto", duco="operator")
        async with signed_in(browser, f"{running.url}{PLACE}&edit=new", viewer) as page:
            asked = commands(page)
            await page.wait_for_selector(".card")
            off = "Real-time upload is off; an operator can start it"
            await expect(page.locator("#answer")).to_have_text(off)
            await expect(page.locator("#offline-title")).to_have_text(off, timeout=30_000)  # after ten seconds
            await page.route(LIST, lambda route: route.abort())  # it would say it within five, too
            for tool in ("#edit", "#realtime", "#beat"):
                await expect(page.locator(tool)).to_be_hidden()
            await expect(page.locator(".card [data-do=edit]")).to_have_count(0)
            await expect(page.locator("dialog")).to_have_count(0)
            async with signed_in(browser, f"{running.url}{PLACE}", operator) as other:
                await wait_state(other, "live")
                await expect(other.locator("#realtime")).to_have_text("Stop")
                await expect(other.locator(".card [data-do=edit]").first).to_be_visible()
                await wait_state(page, "live")
                await wait_changes(page, "speed", 2)
                await expect(page.locator("#answer")).to_have_text("Real-time upload is on")
                await page.click("#commands-summary")
                await expect(page.locator("#commands-rows .c-who").last).to_have_text("otto")
            assert asked == []


async def test_several_tenants(tmp_path: Path) -> None:
    """Are listed, found by search and keyboard, and one step away from each; a foreign one is not there."""
    async with chromium() as browser, guarded(tmp_path / "data") as (running, tokens):
        token = await tokens.add("anna", acme="viewer", duco="admin")
        async with signed_in(browser, running.url, token, 390) as page:
            await expect(page.locator("#devices .device")).to_have_count(2)
            assert await page.inner_text("#title") == "Tenants"
            assert await page.inner_text("#machines-count") == "2 tenants"
            await page.keyboard.press("/")
            await page.keyboard.type("duc")
            await expect(page.locator("#devices .device")).to_have_count(1)
            await page.keyboard.press("Enter")
            await comes_to(page, "**/#/duco")
            await expect(page.locator("#devices [data-chassis=DUCO_001]")).to_be_visible()
            await page.click("#crumb-tenant")
            await comes_to(page, "**/#/")
            await expect(page.locator("#devices .device")).to_have_count(2)
            await page.evaluate("location.hash = '#/other'")
            await expect(page.locator("#empty-detail")).to_contain_text("'other'")
            assert await page.inner_text("#empty-title") == "The server refused the request"


def settings(issuer: OidcIssuer) -> list[str]:
    """The program's."""
    issuer.secret = ""
    return ["web.auth=oidc", f"web.oidc_issuer={issuer.url}", f"web.oidc_client_id={CLIENT_ID}"]


async def test_at_an_issuer(tmp_path: Path) -> None:
    """There and back again, to the place that was wanted; a forged answer does not let in."""
    async with (
        chromium() as browser,
        oidc_issuer() as issuer,
        program(tmp_path / "data", *settings(issuer)) as running,
        page_at(browser, f"{running.url}{PLACE}", expected=REFUSED) as page,
    ):
        await comes_to(page, f"**/sign-in{PLACE}")
        await expect(page.locator("#token")).to_be_hidden()
        await page.click("#issuer")
        await page.click("#approve")
        await comes_to(page, f"{running.url}{PLACE}")
        await wait_state(page, "live")
        assert await page.inner_text("#user") == "anna"
        await page.click("#account button")
        await comes_to(page, f"{running.url}sign-in")

        await page.goto(f"{running.url}sign-in/oidc/back?code=stolen&state={'x' * 43}")
        await expect(page.locator("[role=alert]")).to_contain_text("another window")
        await page.goto(running.url)
        await comes_to(page, "**/sign-in**")
        issuer.refuses = "access_denied"
        await page.click("#issuer")
        await page.click("#approve")
        await expect(page.locator("[role=alert]")).to_have_text("The issuer did not sign you in: access_denied.")


async def test_for_everybody(tmp_path: Path) -> None:
    """The sign-in page in each look, with and without an issuer, and what comes after it: all in order, for axe too."""
    wrong = []
    async with (
        chromium() as browser,
        oidc_issuer() as issuer,
        program(tmp_path / "data", *settings(issuer)) as both,
        guarded(tmp_path / "other") as (alone, tokens),
    ):
        for width, scheme in LOOKS:
            async with page_at(browser, f"{alone.url}sign-in", width, scheme, expected=REFUSED) as page:
                await sign_in(page, "wrong")
                await expect(page.locator("[role=alert]")).to_be_visible()
                wrong += await judged(page, width)
                await page.goto(f"{both.url}sign-in")
                await page.click("summary")
                wrong += await judged(page, width)
            token = await tokens.add("somebody.with.a.long.name@example.com", duco="viewer", acme="admin")
            async with signed_in(browser, f"{alone.url}#/duco/DUCO_001", token, width, scheme) as page:
                await page.wait_for_selector(".card")
                wrong += await judged(page, width)
                for place in ("#/duco", "#/"):
                    await page.goto(f"{alone.url}{place}")
                    await page.wait_for_selector("html[data-view=portal] #devices .device")
                    await page.wait_for_selector(f"#crumb-tenant:text-is('{'duco' if len(place) > 2 else 'Tenants'}')")
                    await expect(page.locator("#account button")).to_be_visible()
                    wrong += await judged(page, width)
    assert wrong == []


async def judged(page: Page, width: int) -> list[str]:
    """What is wrong with how a page looks, once it has its styles."""
    await page.wait_for_load_state()
    wrong = [f"{each['id']} {[node['target'] for node in each['nodes']]}" for each in await violations(page)]
    wrong += await page.evaluate(OVERLAPS)
    scroll_px = await page.evaluate("document.documentElement.scrollWidth")
    return wrong + ([f"{scroll_px} px wide"] if scroll_px > width else [])


async def violations(page: Page) -> list[Any]:
    """What axe finds."""
    found: list[Any] = (await Axe().run(page)).response["violations"]
    return found
