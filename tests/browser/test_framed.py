"""Who may show the page within another: a notebook on this machine, at any port; no other host."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from aiohttp import web

from duco_rt.app import static_folder
from duco_rt.config import Web
from tests.browser.page import chromium, page_at
from tests.needs import lacks
from tests.web.conftest import Site


async def notebook(address: str) -> web.AppRunner:
    """A server with a page that shows another one; it listens on all of this machine's addresses."""

    async def show(_: web.Request) -> web.Response:
        return web.Response(
            text=f'<!doctype html><link rel="icon" href="data:,"><iframe src="{address}"></iframe>',
            content_type="text/html",
        )

    application = web.Application()
    application.add_routes([web.get("/", show)])
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    await web.TCPSite(runner, "127.0.0.2", urlsplit(f"http://{_at(runner)}").port).start()
    return runner


def _at(runner: web.AppRunner) -> str:
    host, port = runner.addresses[0]
    return f"{host}:{port}"


async def test_a_notebook_shows_the_page(tmp_path: Path) -> None:
    """By number and by name; a page of another host shows nothing of it."""
    if static_folder() is None:
        lacks("the page's files", "put static/ beside the package")
    async with chromium() as browser, Site(tmp_path, Web(port=0)).running() as site:
        await site.device()
        runner = await notebook(site.url + "/")
        port = _at(runner).rpartition(":")[2]
        try:
            for host, is_shown in (("127.0.0.1", True), ("localhost", True), ("127.0.0.2", False)):
                refused = "" if is_shown else "frame-ancestors|Refused to frame|Framing"
                async with page_at(browser, f"http://{host}:{port}/", expected=refused) as page:
                    frame = page.frames[1]
                    assert ("Live Data" in await frame.title()) == is_shown, host
        finally:
            await runner.cleanup()
