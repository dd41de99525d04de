"""Whose a device is, while its parsing is not there."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from duco_rt.errors import TransportError
from duco_rt.model import Device, Parsing, ParsingFile
from duco_rt.pipeline.parsing_cache import Known, ParsingCache
from duco_rt.seeing.metrics import Metrics
from duco_rt.transports.meta_http import HttpMeta
from tests.metaapi_server import MetaApiServer
from tests.pipeline.compiler import Compiler, version
from tests.pipeline.line import DBC, AwayMeta, message, running

SLOW = [ParsingFile("slow.dbc", DBC.replace("VERSION", "VERSION "))]


async def test_whose_a_device_is_needs_no_parsing(
    meta: AwayMeta, cache: ParsingCache, compiler: Compiler, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither its answer nor its reading; who asks for the plan waits, and one that does not come stops no round."""
    parsing, comes = meta.parsing, asyncio.Event()

    async def slow(name: str, version: int | None = None) -> Parsing:
        if name == "slow":
            await comes.wait()
            raise TransportError("too large")
        return await parsing(name, version)

    monkeypatch.setattr(meta, "parsing", slow)
    await meta.put_parsing("slow", SLOW)
    await meta.put_device(Device("EVIL", "evil", "evil", "slow"))
    assert await cache.now("EVIL") == Known("evil", None, waits=True)
    group = asyncio.TaskGroup()
    async with asyncio.timeout(20), group:
        task = group.create_task(cache.run())
        waiting = group.create_task(cache.soon("EVIL"))
        assert version(await cache.soon("DUCO_001")) == 1
        assert not waiting.done()
        comes.set()
        assert await waiting == Known("evil", None, waits=True)
        await meta.put_parsing("p", [ParsingFile("b.dbc", DBC)])
        while version(await cache.get("DUCO_001")) != 2:
            await asyncio.sleep(0.001)
        task.cancel()
    assert compiler.tenants == {"duco"}
    with pytest.raises(TransportError, match="too large"):
        await cache.get("EVIL")


async def test_who_stops_waiting_does_not_stop_the_reading(
    meta: AwayMeta, cache: ParsingCache, compiler: Compiler
) -> None:
    """A live message waits 2 s at most; its parsing is read all the same, once."""
    compiler.held["p"] = asyncio.Event()
    group = asyncio.TaskGroup()
    async with asyncio.timeout(20), group:
        task = group.create_task(cache.run())
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await cache.soon("DUCO_001")
        await compiler.begun.wait()
        compiler.held.pop("p").set()
        assert version(await cache.soon("DUCO_001")) == 1
        task.cancel()
    assert compiler.compiled == [("p", 1)]


@pytest.mark.servers
async def test_a_device_that_moves_is_noticed_over_http(tmp_path: Path) -> None:
    """By the next round: what comes after it is the new tenant's, what came before stays."""
    (tmp_path / "metaapi").mkdir()
    async with MetaApiServer(tmp_path / "metaapi").running() as server:
        remote = HttpMeta(server.url, Metrics())
        await server.meta.put_parsing("p", [ParsingFile("a.dbc", DBC)])
        await server.meta.put_device(Device("DUCO_001", "duco", "one", "p"))
        async with running(tmp_path, asked=remote, refresh_s=0.01) as line:
            await asyncio.gather(*line.send(message(1)))
            await server.meta.put_device(Device("DUCO_001", "other", "one", "p"))
            while (known := await line.parsings.get("DUCO_001")) is None or known.tenant != "other":
                await asyncio.sleep(0.001)
            await asyncio.gather(*line.send(message(2)))
            wanted = {1: "duco", 2: "other"}
            assert {row.seq: row.peer.tenant for row in line.store.raw_rows} == wanted
            assert {sample.seq: sample.peer.tenant for sample in line.store.samples} == wanted
        await remote.close()
