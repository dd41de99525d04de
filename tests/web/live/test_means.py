"""What the watched machines of a process share."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from duco_rt.errors import TransportError
from duco_rt.model import History, Peer
from duco_rt.web.live import means
from tests.web.conftest import ListStore, Site
from tests.web.live.viewing import PEER, store

CLIENT = Peer("duco", "DUCO_001", "client_raw_data")


async def test_the_names_of_a_machine_are_those_of_its_parsing(site: Site) -> None:
    """Of the tenant's own machine alone; the App's own fields need no parsing."""
    work = site.service._work
    assert {"speed", "engine_rpm", "brake_status"} <= set(await work.names(PEER))
    assert {"gps_lat", "timestamp"} <= set(await work.names(CLIENT))
    for nobody in (PEER._replace(tenant="other"), PEER._replace(chassis_id="X"), PEER._replace(msg_type="x")):
        assert not await work.names(nobody)


async def test_whose_a_machine_is(site: Site) -> None:
    """As MetaAPI says; nobody's where it does not say."""
    work = site.service._work
    assert await work.is_of(PEER)
    assert not await work.is_of(PEER._replace(tenant="other"))
    assert not await work.is_of(PEER._replace(chassis_id="X"))


@pytest.mark.parametrize("hangs", [False, True])
async def test_a_metaapi_that_is_away_or_hangs_is_not_waited_for(
    site: Site, monkeypatch: pytest.MonkeyPatch, hangs: bool
) -> None:
    """No names then, and nobody's machine; a question that hangs is not cut off."""
    over = asyncio.Event()

    async def get(_: str) -> None:
        if hangs:
            await over.wait()
        raise TransportError("meta: no answer in time")

    monkeypatch.setattr(means, "_PARSING_S", 0.02)
    monkeypatch.setattr(site.parsings, "get", get)
    assert not await site.service._work.names(PEER)
    assert not await site.service._work.is_of(PEER)
    over.set()


async def test_questions_to_the_store_are_bounded(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four at once in the process; a large answer is the same as a small one."""
    store(site, range(1, 6))
    go, now, most = asyncio.Event(), 0, 0
    answer = ListStore.history

    async def history(
        self: ListStore, peer: Peer, fields: Sequence[str], from_ms: int, to_ms: int, stats: bool = False
    ) -> History:
        nonlocal now, most
        now += 1
        most = max(most, now)
        await go.wait()
        now -= 1
        return await answer(self, peer, fields, from_ms, to_ms, stats)

    monkeypatch.setattr(ListStore, "history", history)
    monkeypatch.setattr(means, "_ROWS_AT_ONCE", 2)
    asking = [site.service._work.samples(PEER, ["a"], 0, 2**50, False) for _ in range(9)]
    async with asyncio.TaskGroup() as tasks:
        asked = [tasks.create_task(each) for each in asking]
        while now < 4:
            await asyncio.sleep(0)
        go.set()
    assert most == 4
    assert [[sample.seq for sample in each.result()] for each in asked] == [[1, 2, 3, 4, 5]] * 9
