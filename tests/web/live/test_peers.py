"""A watched machine as its viewers see it: what they lack first, then live, over every kind of source."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from duco_rt.config import Web
from duco_rt.errors import TransportError
from duco_rt.model import History, Peer
from duco_rt.seeing.metrics import Metrics
from duco_rt.transports.live_memory import MemoryLive
from duco_rt.web.live import place
from tests.web.conftest import NOW_MS, ListStore, Site
from tests.web.live.viewing import (
    LIVE,
    PEER,
    becomes,
    is_quiet,
    narrow,
    publish,
    receive,
    receive_until,
    shown,
    store,
    ts_of,
    viewing,
    watch,
)

pytestmark = pytest.mark.servers  # a web server of its own each

OTHER = Peer("other", "DUCO_001", "vehicle_can")


class KeepingLive(MemoryLive):
    """A transport that still has what was published before anybody watched."""

    def __init__(self, kept: Sequence[bytes]) -> None:
        super().__init__(100, Metrics())
        self.kept = list(kept)
        self.is_away = False

    async def recent(self, channel: str, back_s: float) -> list[bytes]:
        """What it was given."""
        if self.is_away:
            raise TransportError("redis://x: recent: no answer in time")
        return self.kept if channel == PEER.channel else []


class AwayStore(ListStore):
    """A store that answers when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.is_away = True

    async def history(
        self, peer: Peer, fields: Sequence[str], from_ms: int, to_ms: int, stats: bool = False
    ) -> History:
        """What was kept, in order of time."""
        if self.is_away:
            raise TransportError("store: no answer in time")
        return await super().history(peer, fields, from_ms, to_ms, stats)


def text(seq: int | None, received_ms: int = NOW_MS) -> bytes:
    """A sample as another program finds it."""
    message: dict[str, object] = {"payload": {"a": seq}, "received": received_ms}
    return json.dumps(message | ({} if seq is None else {"ts": ts_of(seq), "seq": seq})).encode()


async def test_history_comes_first_then_live(site: Site) -> None:
    """From the store and the stream together: no hole, nothing double, one order."""
    store(site, range(1, 101))
    site.clock.now_s = ts_of(101) / 1000
    async with viewing(site, ["a"]):
        await publish(site, {"a": 99}, 99)
        await publish(site, {"a": 100}, 100)
        async with viewing(site, ["a"], history=50) as late:
            await publish(site, {"a": 101}, 101)
            found = await receive_until(late, 101)
            assert shown(found) == list(range(found[0]["seq"], 102))
            assert 45 <= len(found) <= 58
            assert all(message["payload"] == {"a": message["seq"]} for message in found)
            await publish(site, {"a": 102}, 102)
            assert shown([await receive(late)]) == [102]


@pytest.mark.parametrize("stored", [False, True], ids=["ring", "store"])
async def test_since_continues_where_a_connection_ended(site: Site, stored: bool) -> None:
    """What came while the viewer was away, from the ring, or where that has nothing of it, from the store."""
    async with viewing(site, ["a"], since=0) as first:
        for seq in (1, 2, 3):
            await publish(site, {"a": seq}, seq)
        assert shown(await receive_until(first, 3))[-3:] == [1, 2, 3]
    await becomes(site, "live_viewers", 0)
    if stored:
        site.service._forget(PEER)  # as after 30 s
        store(site, range(1, 7))
        site.clock.now_s = ts_of(7) / 1000
    else:
        for seq in (4, 5, 6):
            await publish(site, {"a": seq}, seq)
    async with viewing(site, ["a"], since=3) as again:
        assert shown(await receive_until(again, 6)) == [4, 5, 6]
        await publish(site, {"a": 7}, 7)
        assert shown([await receive(again)]) == [7]
        assert await is_quiet(again)


async def test_what_is_missing_is_told_and_filled(site: Site) -> None:
    """A GAP in its place, and the sample as soon as the store has it; a viewer that did not resume sees neither."""
    async with viewing(site, ["a"], since=0) as told, viewing(site, ["a"]) as plain:
        await publish(site, {"a": 1}, 1)
        await publish(site, {"a": 3}, 3)  # 2 is waited for, half a second
        store(site, [1, 2, 3])
        assert shown([await receive(told) for _ in range(4)]) == [1, (2, 2, "missing"), 3, -2]
        assert shown([await receive(plain) for _ in range(2)]) == [1, 3]
        assert await is_quiet(plain)
        assert site.metrics.value("live_missing_total") == 1


async def test_a_store_that_is_away_holds_up_nobody(tmp_path: Path, web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    """Live data comes after a hole that is told, counted; what the store has in the end fills it."""
    monkeypatch.setattr(place, "PATIENCE_S", 0.3)
    site = Site(tmp_path, web)
    site.store = away = AwayStore()
    site.service._means = site.service._means._replace(store=away)
    site.service._work = site.service._work._replace(means=site.service._means)
    async with site.running():
        store(site, range(1, 10))
        site.clock.now_s = ts_of(10) / 1000
        async with viewing(site, ["a"], since=5) as ws:
            await becomes_more(site, "live_store_questions_total", result="failed")
            for seq in (10, 11):
                await publish(site, {"a": seq}, seq)
            found = shown(await receive_until(ws, 11))
            assert found == [(6, 9, "missing"), 10, 11]
            away.is_away = False
            assert shown([await receive(ws) for _ in range(4)]) == [-6, -7, -8, -9]


async def becomes_more(site: Site, name: str, **labels: str) -> None:
    """Wait until a figure of the server is not 0."""
    async with asyncio.timeout(20):
        while not site.metrics.value(name, **labels):
            await asyncio.sleep(0.005)


@pytest.mark.usefixtures("unasked")
async def test_another_tenants_history_is_never_seen(site: Site) -> None:
    """The store is asked for the peer of the address, whatever tenant the device has."""
    store(site, range(1, 6))
    site.clock.now_s = ts_of(6) / 1000
    path = f"/api/resources/{OTHER.tenant}/_common/datasets/DUCO_001/live"
    async with viewing(site, ["a", "s*"], path, history=60, last=False) as foreign:
        await publish(site, {"a": "foreign"}, 9, peer=OTHER)
        assert (await receive(foreign))["payload"] == {"a": "foreign"}
        assert await is_quiet(foreign)


@pytest.mark.parametrize("is_away", [False, True])
async def test_what_the_transport_keeps_is_there_at_once(
    tmp_path: Path, web: Web, is_away: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For who resumes; a plain viewer gets nothing of it. Where it cannot be had, live goes on all the same."""
    monkeypatch.setattr(place, "PATIENCE_S", 0.3)
    site = Site(tmp_path, web)
    messages = [text(None), b"nonsense", *(text(seq, NOW_MS - 1000 * (6 - seq)) for seq in range(1, 6))]
    site.live = KeepingLive(messages)
    site.live.is_away = is_away
    site.service._work = site.service._work._replace(means=site.service._means._replace(live=site.live))
    async with site.running(), viewing(site, ["a"]) as plain, viewing(site, ["a"], since=2) as resumed:
        await site.live.publish(PEER.channel, text(5))  # read twice: it is no other one
        await publish(site, {"a": 6}, 6)
        found = shown(await receive_until(resumed, 6))
        assert found == ([(3, 4, "missing"), 5, 6] if is_away else [3, 4, 5, 6])
        assert shown(await receive_until(plain, 6)) == ([5, 6] if is_away else [6])


async def test_patterns_reach_the_store_by_the_parsings_names(site: Site) -> None:
    """A list of patterns alone gets its history, before the machine has said anything."""
    store(site, [1, 2], field="speed")
    store(site, [1, 2], field="nobody_knows")
    site.clock.now_s = ts_of(3) / 1000
    await site.parsings.get("DUCO_001")  # read before: nobody waits for it longer than two seconds
    async with viewing(site, ["sp*"], history=60) as ws:
        found = [await receive(ws) for _ in range(2)]
        assert [message["payload"] for message in found] == [{"speed": 1}, {"speed": 2}]


async def test_one_that_reads_slowly_gets_everything_or_is_told(tmp_path: Path, web: Web) -> None:
    """Each position once, as a sample or in a hole, in order."""
    site = Site(tmp_path, web)
    site.service._work = site.service._work._replace(means=site.service._means._replace(reorder_s=0))
    async with site.running(), narrow(site) as session, session.ws_connect(LIVE) as ws:
        await watch(site, ws, ["a"], since=0)
        seen = []
        async with viewing(site, ["a"], since=0) as quick:
            for seq in (seq for seq in range(1, 400) if seq % 5):
                await publish(site, {"a": "x" * 15_000}, seq)
                await receive_until(quick, seq)
                if seq % 40 == 1:
                    seen.append(await receive(ws))
            seen += await receive_until(ws, 399)
    at = 0
    for message in seen:
        is_sample = message["type"] == "LIVE_DATA"
        assert (message["seq"] if is_sample else message["from"]) == at + 1, shown([message])
        at = message["seq"] if is_sample else message["to"]
    assert at == 399
    assert {message.get("reason") for message in seen} == {None, "missing", "slow"}


KEPT: dict[str, tuple[dict[str, object], float]] = {
    "as the ingestor says": ({"received": NOW_MS - 20_000, "ts": NOW_MS - 90_000}, 20),
    "its clock is a little ahead": ({"received": NOW_MS + 3_000, "ts": NOW_MS - 90_000}, 0),
    "its clock is wrong": ({"received": NOW_MS + 9_000, "ts": NOW_MS - 90_000}, 89),
    "from the end of its second": ({"ts": NOW_MS - 91_000}, 90),
    "the machine's clock is ahead": ({"ts": NOW_MS + 60_000}, 150),
    "the machine's clock is dead": ({"ts": 0}, 150),
    "nothing is said": ({}, 150),
}


@pytest.mark.parametrize("case", KEPT)
async def test_what_was_kept_does_not_pass_for_new(tmp_path: Path, web: Web, case: str) -> None:
    """Its age is what can be known of it, at worst that of the oldest that is kept."""
    times, age_s = KEPT[case]
    site = Site(tmp_path, web)
    site.live = KeepingLive([json.dumps({"payload": {"a": 5}, "seq": 5, **times}).encode()])
    site.service._work = site.service._work._replace(means=site.service._means._replace(live=site.live))
    async with site.running(), viewing(site) as ws:
        await ws.send_json({"type": "INIT_FIELD_LIST", "payload": ["a"], "last": True})
        found = await receive(ws)
        assert found["payload"] == {"a": 5} and 0 <= found["age_ms"] / 1000 - age_s < 8
        await ws.send_json({"type": "STATUS"})
        status = (await receive(ws))["payload"]
        assert 0 <= status["age_ms"] / 1000 - age_s < 8
        assert status["stream"] == ("live" if age_s < 10 else "silent")
        newest = site.service._peers[PEER].stream.recent.newest
        assert newest is not None and newest.wall_ms == NOW_MS - 1000 * age_s
