"""A MetaAPI in another process: asked by ETag, used from the cache while it is away, its answers' errors kept apart."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from duco_rt.errors import BadRequest, DeviceOffline, DeviceTimeout, DucoError, NotFound, TransportError
from duco_rt.metrics import Metrics
from duco_rt.model import Device, MethodResult, ParsingFile
from duco_rt.transports.meta_http import HttpMeta
from tests.dbc_texts import dbc_text
from tests.metaapi_server import MetaApiServer
from tests.servers.server import free_port

pytestmark = pytest.mark.servers

ONE = Device("D1", "duco", "Eins", "p")
FILES = [ParsingFile("a.dbc", dbc_text("256 Engine 2\nrpm : 0|16@1+ (1,0)"))]


async def fill(server: MetaApiServer) -> None:
    """One device with a parsing."""
    await server.meta.put_parsing("p", FILES)
    await server.meta.put_device(ONE)


async def test_the_cache_serves_while_metaapi_is_away(tmp_path: Path) -> None:
    """What was asked before is answered, counted, and `check` says that it is away; the rest waits for its return."""
    metrics, port = Metrics(), free_port()
    meta = HttpMeta(f"http://127.0.0.1:{port}", metrics)
    async with MetaApiServer(tmp_path, port).running() as server:
        await fill(server)
        assert await meta.device("D1") == ONE
        parsing = await meta.parsing("p")
    assert await meta.device("D1") == ONE
    assert await meta.parsing("p") == parsing
    assert metrics.value("meta_from_cache_total") == 2
    for work in (meta.device("D2"), meta.devices(), meta.put_device(ONE), meta.check()):
        with pytest.raises(TransportError, match=f"127.0.0.1:{port}"):
            await work
    assert await meta.connected("duco") == {}
    async with MetaApiServer(tmp_path, port).running() as server:
        await meta.check()
        await server.meta.put_device(Device("D1", "other", "Neu", None))
        assert await meta.device("D1") == Device("D1", "other", "Neu", None)
        await server.meta.remove_device("D1")
        with pytest.raises(NotFound):
            await meta.device("D1")
    with pytest.raises(TransportError):  # what was taken away is not served from the cache
        await meta.device("D1")
    await meta.close()


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


@asynccontextmanager
async def device_on(server: MetaApiServer, result: MethodResult | None) -> AsyncIterator[None]:
    """Device D1 on the hub; it answers with `result`, or never."""

    async def answer(_: str, payload: dict[str, object]) -> MethodResult:
        if result is None:
            await asyncio.Event().wait()
        assert result is not None
        return MethodResult(result.status, {**result.payload, **payload})

    async with asyncio.TaskGroup() as tasks:
        device = server.hub.device("D1")
        running = tasks.create_task(device.run(answer, lambda: None))
        await device.online()
        yield
        running.cancel()


async def test_methods(tmp_path: Path) -> None:
    """The device's own answer comes through as it is; presence is the hub's word."""
    payload: dict[str, object] = {"action": "start", "commandId": "c1"}
    async with MetaApiServer(tmp_path).running() as server:
        await fill(server)
        meta = HttpMeta(server.url, Metrics())
        assert await meta.connected("duco") == {"D1": False}
        async with device_on(server, MethodResult(207, {"x": 1})):
            found = await meta.call("ducohub", "D1", "setRealTimeUpload", payload)
            assert found == MethodResult(207, {"x": 1, **payload})
            assert await meta.connected("duco") == {"D1": True}
            assert await meta.connected("other") == {}
        await meta.close()


CALLS: dict[str, tuple[str, str, dict[str, object], type[DucoError]]] = {
    "unknown hub": ("nohub", "D1", {"action": "start", "commandId": "c"}, NotFound),
    "unknown device": ("ducohub", "D9", {"action": "start", "commandId": "c"}, NotFound),
    "bad body": ("ducohub", "D1", {"action": "jump", "commandId": "c"}, BadRequest),
    "silent": ("ducohub", "D1", {"action": "start", "commandId": "c"}, DeviceTimeout),
    "offline": ("ducohub", "D2", {"action": "start", "commandId": "c"}, DeviceOffline),
}


@pytest.mark.parametrize("case", CALLS)
async def test_errors_of_methods(tmp_path: Path, case: str) -> None:
    """404, 400, 409 and 504 become what they were."""
    hub, chassis_id, payload, error = CALLS[case]
    async with MetaApiServer(tmp_path).running() as server:
        await fill(server)
        await server.meta.put_device(Device("D2", "duco", "", None))
        meta = HttpMeta(server.url, Metrics())
        async with device_on(server, None):
            with pytest.raises(error):
                await meta.call(hub, chassis_id, "setRealTimeUpload", payload)
        await meta.close()
