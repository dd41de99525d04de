"""What the watched machines of a process share."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from duco_rt.errors import TransportError
from duco_rt.model import History, LastSeen, Peer
from duco_rt.web.live import means
from duco_rt.web.live.asking import Question
from duco_rt.web.live.field_lists import field_list, matcher
from tests.web.conftest import ListStore, Site
from tests.web.live.viewing import PEER, becomes, is_quiet, publish, receive, store, ts_of, viewing

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
    monkeypatch.setattr(site.parsings, "now", get)
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
    wanted = set(range(9))
    questions = [Question(at, field_list(["a"]), 0, 2**50, 0) for at in wanted]
    asking = [site.service._work.answer(PEER, each, (), lambda each: each.number in wanted) for each in questions]
    async with asyncio.TaskGroup() as tasks:
        asked = [tasks.create_task(each) for each in asking]
        while now < 4:
            await asyncio.sleep(0)
        wanted.remove(0)  # asked already
        wanted.remove(7)
        go.set()
    assert most == 4
    found = [None if (samples := each.result()) is None else [sample.seq for sample in samples] for each in asked]
    assert found == [[1, 2, 3, 4, 5]] * 7 + [None] + [[1, 2, 3, 4, 5]]


async def test_now_by_the_machines_clock_is_asked_for_as_part_of_the_question(site: Site) -> None:
    """While four others are answered it waits with the rest of it."""
    asked = []

    async def last_seen(tenant: str) -> dict[Peer, LastSeen]:
        asked.append(tenant)
        return {}

    site.store.last_seen = last_seen  # type: ignore[method-assign]
    work, question = site.service._work, Question(1, field_list(["a"]), None, None, 60_000)
    async with asyncio.TaskGroup() as tasks:
        for _ in range(4):
            await work.asking.acquire()
        answer = tasks.create_task(work.answer(PEER, question, (), lambda _: True))
        await asyncio.sleep(0)
        assert not asked
        work.asking.release()
        assert await answer == []
    assert asked == ["duco"]


async def test_a_list_is_matched_beside_the_loop_and_remembered(site: Site) -> None:
    """Many names in a thread; the same as few at once, and each pattern looks at a name once."""
    fields = field_list(["x", "a_*", "z_*"])
    matcher.cache_clear()
    few = await site.service._work.matched(fields, ["a_1", "b"])
    assert few == (["x", "a_1"], ["x", "z_*"])
    many = [f"a_{at}" for at in range(500)]
    found = await site.service._work.matched(fields, dict.fromkeys(many))
    assert found == (["x", *many], ["x", "z_*"])
    assert set(many) <= set(matcher(fields.patterns)._memo)


async def test_what_nobody_thought_of_ends_one_piece_of_work(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is counted, and as if it were not known; the service goes on."""

    async def get(_: str) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(site.parsings, "get", get)
    monkeypatch.setattr(site.parsings, "now", get)
    assert not await site.service._work.names(PEER)
    assert not await site.service._work.is_of(PEER)
    assert site.metrics.value("live_failed_total", what="parsing") == 2


async def test_who_asks_for_one_list_after_the_other_holds_up_nobody(site: Site) -> None:
    """One question at a time is asked for it, and those that it does not wait for any more are not asked at all."""
    store(site, range(1, 50))
    site.clock.now_s = ts_of(50) / 1000
    history, open_, most, asked = site.store.history, 0, 0, 0
    go = asyncio.Event()

    async def slow(*args: Any, **more: Any) -> History:
        nonlocal open_, most, asked
        open_ += 1
        asked += 1
        most = max(most, open_)
        await go.wait()
        await asyncio.sleep(0.005)
        open_ -= 1
        return await history(*args, **more)

    site.store.history = slow  # type: ignore[method-assign]
    async with viewing(site) as flood, viewing(site) as other:
        for at in range(40):
            kind = "ADD_FIELDS" if at % 3 else "INIT_FIELD_LIST"
            await flood.send_json({"type": kind, "payload": [f"a{at}"], **({} if at % 3 else {"history": 600})})
            while not asked:
                await asyncio.sleep(0.005)
        await flood.send_json({"type": "?"})
        assert await is_quiet(flood)  # it waits for itself
        await other.send_json({"type": "INIT_FIELD_LIST", "payload": ["a"], "history": 100})
        while asked < 2:
            await asyncio.sleep(0.005)
        assert (asked, most) == (2, 2)
        go.set()
        assert (await receive(other))["type"] == "LIVE_DATA"
        assert asked < 10 and most == 2
    async with asyncio.timeout(20):
        while any(each._open for each in site.service._peers.values()):
            await asyncio.sleep(0.005)


async def test_a_question_that_nobody_waits_for_any_more_is_not_asked(site: Site) -> None:
    """Its viewer left before its turn had come."""
    asking = site.service._work.asking
    for _ in range(4):
        await asking.acquire()
    async with viewing(site, ["a"], history=100):
        await publish(site, {"a": 1})
    await becomes(site, "live_viewers", 0)
    for _ in range(4):
        asking.release()
    await becomes(site, "live_store_questions_total", 1, result="dropped")
    assert not site.service._peers[PEER]._open
