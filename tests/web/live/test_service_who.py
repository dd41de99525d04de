"""Whose machines can be watched: before a WebSocket is made, MetaAPI is asked."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp
import pytest

from duco_rt.config import Web
from duco_rt.errors import TransportError
from duco_rt.model import Device, Parsing
from duco_rt.pipeline.decoding.plan import Plan
from duco_rt.web.live import means
from tests.web.conftest import BASE, Site, is_error
from tests.web.live.viewing import LIVE, PEER, becomes, viewing

NOBODYS = ("/api/resources/other/_common/datasets/DUCO_001/live", f"{BASE}/M_1/live")


@pytest.mark.parametrize("path", NOBODYS)
async def test_no_viewer_of_what_is_not_there(site: Site, path: str) -> None:
    """Nor of another tenant's machine, by the same words as elsewhere; nothing is followed, no place is taken."""
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await site.session.ws_connect(path)
    answer = await site.ask("GET", path)
    assert refused.value.status == 404 and is_error(answer, 404, "not_found")
    assert "is not known" in answer[1]["error"]["message"]
    assert (site.metrics.value("live_peers"), site.metrics.value("live_viewers")) == (0, 0)


async def test_whose_it_is_needs_no_parsing(tmp_path: Path, web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that takes for ever to be read lets in nobody to another tenant's machine, and shuts out nobody."""

    async def compile_parsing(parsing: Parsing, limit_s: float, tenant: str) -> Plan:
        del parsing, limit_s, tenant
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(means, "_PARSING_S", 0.5)
    async with Site(tmp_path, web, compile_parsing).running() as site:
        for path in NOBODYS:
            assert (await site.ask("GET", path))[0] == 404
        async with site.session.ws_connect(LIVE):
            await becomes(site, "live_viewers", 1)
        assert await site.service._work.is_of(PEER)


async def test_a_new_machine_has_viewers(site: Site) -> None:
    """Though somebody asked for it too early."""
    path = f"{BASE}/M_1/live"
    assert (await site.ask("GET", path))[0] == 404
    await site.meta.put_device(Device("M_1", "duco", "", None))
    await site.parsings.refresh()
    async with viewing(site, ["a"], path):
        pass


@pytest.mark.parametrize("hangs", [False, True])
async def test_viewers_while_metaapi_is_away(site: Site, monkeypatch: pytest.MonkeyPatch, hangs: bool) -> None:
    """Come in to every machine that it has not said is not theirs: none is locked out by its going."""
    assert (await site.ask("GET", NOBODYS[0]))[0] == 404  # from now on that machine's tenant is known

    async def device(_: str) -> Device:
        if hangs:
            await asyncio.Event().wait()
        raise TransportError("MetaAPI is away")

    monkeypatch.setattr(means, "_PARSING_S", 0.02)
    monkeypatch.setattr(site.meta, "device", device)
    for path in (LIVE, f"{BASE}/DUCO_002/live"):
        async with site.session.ws_connect(path):
            await becomes(site, "live_viewers", 1)
        await becomes(site, "live_viewers", 0)
    assert (await site.ask("GET", NOBODYS[0]))[0] == 404
