"""A MetaAPI in another process: asked by ETag, used from the cache while it is away, its answers' errors kept apart."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from duco_rt.errors import BadRequest, DeviceOffline, DeviceTimeout, DucoError, NotFound, TransportError
from duco_rt.model import Device, MethodResult, ParsingFile
from duco_rt.seeing.metrics import Metrics
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
