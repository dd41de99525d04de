"""Questions to a MetaAPI: asked again by ETag, and what is no answer of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from duco_rt.errors import TransportError
from duco_rt.model import Device
from duco_rt.seeing.metrics import Metrics
from duco_rt.transports.meta_http import HttpMeta
from tests.metaapi_server import MetaApiServer
from tests.servers.server import free_port
from tests.transports.test_meta_http import FILES, ONE, fill

pytestmark = pytest.mark.servers


@asynccontextmanager
async def stub(answer: web.Response | None, seen: list[str]) -> AsyncIterator[str]:
    """A server that gives one answer (None: never) and notes the ETags that it was asked with."""

    async def serve(request: web.Request) -> web.Response:
        seen.append(request.headers.get("If-None-Match", ""))
        if answer is None:
            await asyncio.Event().wait()
        assert answer is not None
        if seen[-1]:
            return web.Response(status=304)
        return web.Response(status=answer.status, body=answer.body, headers=answer.headers)

    application = web.Application()
    application.router.add_route("*", "/{any:.*}", serve)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port := free_port())
    await site.start()
    try:
        yield f"http://127.0.0.1:{port}/"
    finally:
        await runner.cleanup()


async def test_what_has_not_changed_is_not_sent_again() -> None:
    """The second question carries the ETag of the first answer, and 304 means the same."""
    row = b'{"chassisId":"D1","tenant":"duco","name":"Eins","parsing":"p"}'
    seen: list[str] = []
    async with stub(web.Response(body=row, headers={"ETag": '"x"'}), seen) as url:
        meta = HttpMeta(url, Metrics())
        assert [await meta.device("D1") for _ in range(2)] == [ONE, ONE]
        await meta.close()
    assert seen == ["", '"x"']


async def test_the_real_metaapi_tags_what_it_says(tmp_path: Path) -> None:
    """The tag changes with the answer alone."""
    async with MetaApiServer(tmp_path).running() as server:
        await fill(server)
        meta = HttpMeta(server.url, Metrics())
        tags = []
        for name in ("Eins", "Eins", "Zwei"):
            await server.meta.put_device(Device("D1", "duco", name, "p"))
            await meta.device("D1")
            tags.append(meta._cache["/devices/D1"][0])
        await meta.close()
    assert tags[0] == tags[1] != tags[2]


NO_ANSWERS: dict[str, web.Response | None] = {
    "an error of the server": web.Response(status=500, text="broken"),
    "a gateway's page": web.Response(status=200, text="<html>"),
    "another error's form": web.Response(status=404, text='{"detail":"x"}'),
    "another duco_rt process": web.Response(
        status=404, text='{"error":{"code":"no_such_route","message":"GET /api/metaapi/devices/D1: Not Found"}}'
    ),
    "a row of another version": web.Response(status=200, text='{"id":"D1"}'),
    "a list": web.Response(status=200, text="[1]"),
    "nothing": None,
}


@pytest.mark.parametrize("what", NO_ANSWERS)
async def test_what_is_no_answer_of_metaapi(what: str) -> None:
    """Counts as away, never as "not known": a device's data waits for it."""
    async with stub(NO_ANSWERS[what], []) as url:
        meta = HttpMeta(url, Metrics(), timeout_s=0.2)
        works = [
            meta.device("D1"),
            meta.devices(),
            meta.parsing("p"),
            meta.groups("duco"),
            meta.put_parsing("p", FILES),
            meta.commands("D1", 10),
            meta.acknowledged_ms("D1"),
            meta.note_commands([]),
        ]
        if NO_ANSWERS[what] is not None:
            works.append(meta.call("ducohub", "D1", "m", {}))
        for work in works[: 1 if NO_ANSWERS[what] is None else None]:
            with pytest.raises(TransportError):
                await work
        for work in works:
            work.close()
        with pytest.raises(TransportError):
            await meta.check()
        await meta.close()


async def test_an_old_answer_is_given_and_seen(tmp_path: Path) -> None:
    """Only the list is not to be had, and MetaAPI answers all else: data goes on, and `check` says how old it is."""
    broken = False

    async def devices(_: web.Request) -> web.Response:
        row = {"chassisId": "D1", "tenant": "duco", "name": "Eins", "parsing": "p"}
        return web.json_response([row], status=500 if broken else 200, headers={"ETag": '"x"'})

    async def presence(_: web.Request) -> web.Response:
        return web.json_response({})

    application = web.Application()
    application.router.add_get("/api/metaapi/devices", devices)
    application.router.add_get("/api/metaapi/presence", presence)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port := free_port())
    await site.start()
    metrics = Metrics()
    meta = HttpMeta(f"http://127.0.0.1:{port}", metrics, stale_s=0.0)
    try:
        assert await meta.devices() == [ONE]
        await meta.check()
        broken = True
        assert await meta.devices() == [ONE]
        with pytest.raises(TransportError, match=r"^last answer to GET /devices is 0 s old: MetaAPI: GET .* 500"):
            await meta.check()
        assert metrics.value("meta_stale_total") == 1
        broken = False
        assert await meta.devices() == [ONE]
        await meta.check()
    finally:
        await meta.close()
        await runner.cleanup()
