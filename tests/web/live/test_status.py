"""What viewers may ask about the stream itself: STATUS and LAST_KNOWN."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientWebSocketResponse

from duco_rt.config import Web
from duco_rt.errors import TransportError
from duco_rt.model import History, LastSeen, Peer
from duco_rt.web.live import status
from duco_rt.web.live.status import Kept
from tests.web.conftest import NOW_MS, ListStore, Site
from tests.web.live.viewing import PEER, age, is_quiet, publish, receive, store, ts_of, viewing, watch

OTHER = "/api/resources/other/_common/datasets/DUCO_001/live"


async def ask(ws: ClientWebSocketResponse, **more: float) -> Any:
    """STATUS as it is answered."""
    await ws.send_json({"type": "STATUS", **more})
    answer = await receive(ws)
    assert answer["type"] == "STATUS" and set(answer) == {"type", "payload"}
    return answer["payload"]


async def test_before_anything_is_known(site: Site) -> None:
    """Every key is there; a viewer that has no list yet is none."""
    async with viewing(site) as ws:
        assert await ask(ws) == {
            "stream": "waiting",
            "age_ms": None,
            "ts": None,
            "seq": None,
            "delay_ms": None,
            "ingest_ms": None,
            "server_ts": NOW_MS,
            "viewers": 0,
            "watching": 0,
            "watchdog_s": None,
            "lacking": 0,
            "counts": {"missing": 0, "late": 0, "unreadable": 0, "merged": 0},
        }


async def test_the_newest_sample_and_its_delay(site: Site) -> None:
    """From the end of its second, of which that up to the ingestor; then its age, by the server's clock."""
    async with viewing(site, ["a"]) as ws, viewing(site, ["b"]):
        site.clock.now_s = (ts_of(3) + 1250) / 1000
        message = b'{"payload":{"a":1},"ts":%d,"seq":3,"received":%d}' % (ts_of(3), ts_of(3) + 1100)
        await site.live.publish(PEER.channel, b"nonsense")
        await site.live.publish(PEER.channel, message)
        await receive(ws)
        age(site, 2)
        site.clock.now_s += 3600  # somebody sets it: that makes nothing older
        found = await ask(ws)
        assert (found["stream"], found["viewers"]) == ("live", 2) and 2000 <= found["age_ms"] < 9000
        site.clock.now_s -= 3598
        assert (found["ts"], found["seq"], found["delay_ms"], found["ingest_ms"]) == (ts_of(3), 3, 250, 100)
        assert found["counts"]["unreadable"] == 1
        await site.live.publish(PEER.channel, b'{"payload":{"a":1}}')  # another publisher's: no seq, no received
        await receive(ws)
        found = await ask(ws)
        assert (found["ts"], found["seq"], found["ingest_ms"]) == (ts_of(3) + 3250, None, None)


async def test_a_stream_that_fell_silent_or_is_lost_says_so(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Silent after a while without a sample; away where the transport is, whatever came before."""

    async def check() -> None:
        raise TransportError("redis://x: ping: no answer in time")

    async with viewing(site, ["a"]) as ws:
        await publish(site, {"a": 1})
        await receive(ws)
        monkeypatch.setattr(status, "_SILENT_S", -1)
        assert (await ask(ws))["stream"] == "silent"
        monkeypatch.setattr(site.live, "check", check)
        site.service._status._works._until_s = 0
        assert (await ask(ws))["stream"] == "away"


@pytest.mark.usefixtures("unasked")
async def test_who_keeps_real_time_on_and_for_how_long(site: Site) -> None:
    """Viewers with a lease, and the watchdog's time from the last acknowledged start; none of it to another tenant."""
    await site.leases.renew("DUCO_001", "one", 60)
    await site.leases.renew("DUCO_001", "two", 60)
    site.acknowledged["DUCO_001"] = NOW_MS - 30_000
    async with viewing(site, ["a"]) as ws, viewing(site, ["a"], OTHER) as foreign:
        found = await ask(ws)
        assert (found["watching"], found["watchdog_s"]) == (2, 150.0)
        found = await ask(foreign)
        assert (found["watching"], found["watchdog_s"]) == (0, None)
        site.acknowledged["DUCO_001"] = NOW_MS - 300_000
        assert (await ask(ws))["watchdog_s"] == 0
        site.acknowledged["DUCO_001"] = NOW_MS + 3_600_000  # our clock was set back since
        assert (await ask(ws))["watchdog_s"] == 180


async def test_again_and_again_until_told_to_stop(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """At once, then every so many seconds; only to the viewer that asked, by one timer however often it asks."""
    sleeps: asyncio.Queue[tuple[float, asyncio.Event]] = asyncio.Queue()
    real = asyncio.sleep

    async def sleep(delay_s: float) -> None:
        if delay_s < 7:
            return await real(delay_s)
        over = asyncio.Event()
        sleeps.put_nowait((delay_s, over))
        await over.wait()

    async with viewing(site, ["a"]) as ws, viewing(site, ["a"]) as other:
        monkeypatch.setattr(asyncio, "sleep", sleep)
        for every_s in (7, 8):
            await ask(ws, every_s=every_s)
        assert [(await sleeps.get())[0] for _ in range(1)] == [7]
        delay_s, over = await sleeps.get()
        assert delay_s == 8
        over.set()
        assert (await receive(ws))["type"] == "STATUS"
        _, over = await sleeps.get()
        await ask(ws, every_s=0)
        over.set()
        assert await is_quiet(ws) and sleeps.empty()
        assert await is_quiet(other)


async def test_an_answer_is_kept_for_a_second() -> None:
    """All who ask within it share one; a transport that is away gives none."""
    asked = 0

    async def read() -> int:
        nonlocal asked
        asked += 1
        if asked > 1:
            raise TransportError("away")
        return asked

    kept = Kept(read)
    assert await asyncio.gather(*(kept.get() for _ in range(5))) == [1] * 5
    kept._until_s = 0
    assert await kept.get() is None
    assert asked == 2


async def test_last_known_of_the_stream(site: Site) -> None:
    """The newest value of each field, with its age, before any live data; times of older ones beside."""
    async with viewing(site, ["a"]) as first:
        site.clock.now_s = ts_of(5) / 1000
        await publish(site, {"a": 1, "b": "x"}, 1)
        await publish(site, {"a": 2}, 2)
        for _ in range(2):
            await receive(first)
        age(site, 1.5)
        site.clock.now_s -= 3600
        async with viewing(site) as ws:
            await ws.send_json({"type": "INIT_FIELD_LIST", "payload": ["a", "b"], "last": True})
            found = await receive(ws)
            assert 1500 <= found["age_ms"] < 20_000
            assert found == {
                "type": "LAST_KNOWN",
                "payload": {"a": 2, "b": "x"},
                "ts": ts_of(2),
                "seq": 2,
                "age_ms": found["age_ms"],
                "ts_of": {"b": ts_of(1)},
            }
            await publish(site, {"a": 3}, 3)
            assert (await receive(ws))["payload"] == {"a": 3}


async def test_last_known_of_the_store(site: Site) -> None:
    """What the stream has not seen comes from the last two minutes of the store, however long ago these were."""
    store(site, range(1, 200), field="a")
    store(site, [150], field="b")
    store(site, [10], field="c")
    site.store.seen[PEER] = LastSeen(ts_of(199), ts_of(200) + 300, 199, True, ts_of(200) + 300)
    site.clock.now_s = (ts_of(200) + 60_300) / 1000
    wish = {"type": "INIT_FIELD_LIST", "payload": ["a", "b", "c"], "last": True, "history": 2}
    async with viewing(site) as ws:
        await ws.send_json(wish)
        assert await receive(ws) == {
            "type": "LAST_KNOWN",
            "payload": {"a": 199, "b": 150},
            "ts": ts_of(199),
            "seq": 199,
            "age_ms": 60_000,
            "ts_of": {"b": ts_of(150)},
        }
        await publish(site, {"a": 200}, 200)
        while (message := await receive(ws))["seq"] != 200:
            assert message["type"] == "LIVE_DATA"  # its history, after it
        await ws.send_json(wish)
        found = await receive(ws)
        assert found["payload"] == {"a": 200, "b": 150}
        assert (found["ts"], found["seq"], found["ts_of"]) == (ts_of(200), 200, {"b": ts_of(150)})


@pytest.mark.usefixtures("unasked")
async def test_nothing_known(site: Site) -> None:
    """No values, and null elsewhere; also for another tenant's viewer."""
    store(site, [1, 2])
    for path in (OTHER, f"{OTHER}?msgType=mystery"):
        async with viewing(site, None, path) as ws:
            await ws.send_json({"type": "INIT_FIELD_LIST", "payload": ["a", "s*"], "last": True})
            nothing: dict[str, object] = {"type": "LAST_KNOWN", "payload": {}, "ts": None, "seq": None, "age_ms": None}
            assert await receive(ws) == nothing


class SlowStore(ListStore):
    """A store that counts its questions, and answers when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0
        self.go = asyncio.Event()
        self.is_away = False

    async def history(
        self, peer: Peer, fields: Sequence[str], from_ms: int, to_ms: int, stats: bool = False
    ) -> History:
        """What was kept."""
        self.asked += 1
        await self.go.wait()
        if self.is_away:
            raise TransportError("store: no answer in time")
        return await super().history(peer, fields, from_ms, to_ms, stats)


@pytest.mark.parametrize("is_away", [False, True])
async def test_viewers_that_come_together_ask_the_store_once(
    tmp_path: Path, web: Web, is_away: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And where it is away they go on with what the stream knows."""
    monkeypatch.setattr(status, "_STORE_S", 20.0)
    site = Site(tmp_path, web)
    site.store = slow = SlowStore()
    slow.is_away = is_away
    means = site.service._means._replace(store=slow)
    site.service._last._work = site.service._work._replace(means=means)
    async with site.running(), viewing(site) as one, viewing(site) as other:
        store(site, [1])
        for ws in (one, other):
            await ws.send_json({"type": "INIT_FIELD_LIST", "payload": ["a"], "last": True})
        async with asyncio.timeout(20):
            while not slow.asked or len(site.service._last._of_viewer) < 2:  # both wait for it
                await asyncio.sleep(0.005)
        slow.go.set()
        for ws in (one, other):
            assert (await receive(ws))["payload"] == ({} if is_away else {"a": 1})
            await watch(site, ws, ["a"])
        assert slow.asked == 1
