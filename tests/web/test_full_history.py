"""History at full resolution over HTTP: from the raw rows of the store, with today's parsing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from duco_rt.body import CanSecond
from duco_rt.config import Web
from duco_rt.model import CLIENT_RAW_DATA, VEHICLE_CAN, Device, ParsingFile, Peer, RawSecond
from duco_rt.transports.store_chdb import ChdbStore
from duco_rt.web.full_history import raw_chunks
from tests.can_seconds import Frame, second_of
from tests.dbc_texts import dbc_text
from tests.pipeline.raw_rows import PEER, rows_of_second
from tests.web.conftest import BASE, NOW_MS, ListStore, Site, compile_quickly, is_error

DBC = dbc_text("256 Engine 8\nrpm : 0|16@1+ (0.5,0)\ntemp : 16|8@1- (1,0)", "257 Pump 8\npressure : 0|16@1+ (1,0)")
CHANGED = dbc_text("256 Engine 8\nrpm : 0|16@1+ (100,0)")
HISTORY = f"{BASE}/DUCO_001/history"


@pytest.fixture
def web() -> Web:
    """Small bounds."""
    return Web(port=0, history_values_max=4000, full_hours_max=2)


@pytest.fixture
async def site(tmp_path: Path, web: Web) -> AsyncIterator[Site]:
    """A fresh server; its parsings are read in this process."""
    async with Site(tmp_path, web, compile_quickly).running() as running:
        yield running


def engine_second(n: int, rate_hz: int = 10) -> CanSecond:
    """Second n before now (0: the last one): `rate_hz` Engine frames, raw rpm counts them over all seconds."""
    ts_ms, step_us = NOW_MS - 1000 * (n + 1), 1_000_000 // rate_hz
    frames = [
        Frame(i * step_us + 1, "can1", 256, False, 0, (2 * i).to_bytes(2, "little") + bytes([n % 100]) + bytes(5))
        for i in range(rate_hz)
    ]
    return second_of(frames, ts_ms, 10_000 - n)


async def fill(site: Site, seconds: int, rate_hz: int = 10, text: str = DBC) -> None:
    """Seconds up to now, and a parsing of its own for DUCO_001."""
    rows = [row for n in reversed(range(seconds)) for row in rows_of_second(engine_second(n, rate_hz))]
    await site.store.insert_raw(rows)
    await parse(site, text)


async def parse(site: Site, text: str) -> None:
    """A parsing for DUCO_001."""
    await site.meta.put_parsing("own", [ParsingFile("a.dbc", text)])
    await site.meta.put_device(Device("DUCO_001", "duco", "one", "own"))


async def full(site: Site, place: Any = HISTORY, **query: Any) -> tuple[int, Any]:
    """Ask for full resolution."""
    query = {"from": NOW_MS - 3000, "to": NOW_MS, "resolution": "full", **query}
    return await site.ask("GET", place, params={name: str(value) for name, value in query.items()})


async def test_every_sample(site: Site) -> None:
    """Each field with times of its own, to the µs; unknown fields and fields without a frame are empty."""
    await fill(site, 5, 4)
    status, found = await full(site, fields="rpm,temp,pressure,never")
    assert status == 200
    assert (found["from"], found["to"], list(found)) == (NOW_MS - 3000, NOW_MS, ["from", "to", "fields"])
    times = [NOW_MS - 3000 + 250 * n + 0.001 for n in range(12)]
    assert found["fields"] == {
        "rpm": {"ts": times, "v": [0.0, 1.0, 2.0, 3.0] * 3},
        "temp": {"ts": times, "v": [2.0] * 4 + [1.0] * 4 + [0.0] * 4},
        "pressure": {"ts": [], "v": []},
        "never": {"ts": [], "v": []},
    }


async def test_the_default_is_the_last_two_minutes(site: Site) -> None:
    """As with seconds."""
    await fill(site, 150, 1)
    found = (await site.ask("GET", HISTORY, params={"resolution": "full", "fields": "rpm"}))[1]
    assert (found["from"], found["to"]) == (NOW_MS - 120_000, NOW_MS)
    assert len(found["fields"]["rpm"]["ts"]) == 120


async def test_fewer_points(site: Site) -> None:
    """At most so many of each field, a spike among them; where there are fewer, all."""
    await fill(site, 600)
    rows = site.store.raw_rows
    spike = second_of([Frame(5, "can1", 256, False, 0, b"\xff\xff" + bytes(6))], rows[300].ts_ms, rows[300].seq)
    rows[300] = rows_of_second(spike)[0]
    found = (await full(site, fields="rpm,temp", points=100, **{"from": NOW_MS - 600_000}))[1]
    rpm = found["fields"]["rpm"]
    assert len(rpm["ts"]) == len(rpm["v"]) == 100
    assert rpm["ts"] == sorted(rpm["ts"])
    assert rpm["ts"][rpm["v"].index(max(rpm["v"]))] == spike.ts_ms + 0.005
    assert len((await full(site, fields="rpm", points=31))[1]["fields"]["rpm"]["v"]) == 30


async def test_ready_values(site: Site) -> None:
    """client_raw_data has no raw CAN: its samples as they are."""
    row = RawSecond(PEER._replace(msg_type=CLIENT_RAW_DATA), NOW_MS - 500, 1, 0, NOW_MS, True, "json1")
    await site.store.insert_raw([replace(row, body=b'{"ts":1,"seq":1,"payload":{"gps_lat":56.25,"on":true}}')])
    found = (await full(site, fields="gps_lat,on,rpm", msgType=CLIENT_RAW_DATA))[1]
    assert found["fields"] == {
        "gps_lat": {"ts": [NOW_MS - 500], "v": [56.25]},
        "on": {"ts": [NOW_MS - 500], "v": [1.0]},
        "rpm": {"ts": [], "v": []},
    }


async def test_whose_parsing_and_whose_rows(site: Site) -> None:
    """Without parsing, and for another tenant, there is nothing: neither rows nor a word of what they mean."""
    await fill(site, 3)
    foreign = HISTORY.replace("duco", "other", 1)
    await site.store.insert_raw([replace(row, peer=PEER._replace(tenant="other")) for row in site.store.raw_rows])
    assert (await full(site, foreign, fields="rpm"))[1]["fields"] == {"rpm": {"ts": [], "v": []}}
    assert len((await full(site, fields="rpm"))[1]["fields"]["rpm"]["ts"]) == 30
    await site.meta.put_device(Device("D3", "duco", "three", None))
    await site.store.insert_raw([replace(row, peer=Peer("duco", "D3", VEHICLE_CAN)) for row in site.store.raw_rows])
    assert (await full(site, f"{BASE}/D3/history", fields="rpm"))[1]["fields"] == {"rpm": {"ts": [], "v": []}}


# what is asked → what the message must say
BAD: dict[str, tuple[dict[str, Any], list[str]]] = {
    "too long": ({"from": NOW_MS - 3 * 3_600_000}, ["3.0 hours at full resolution", "at most 2", "resolution=second"]),
    "too many points": ({"points": 4001}, ["points 4001", "at most 4000"]),
    "too many points for the fields": ({"points": 2001, "fields": "a,b"}, ["points 2001", "at most 2000"]),
    "one point": ({"points": 1}, ["points 1"]),
    "stats": ({"stats": "min"}, ["stats", "resolution=second"]),
    "no fields": ({"fields": ""}, ["fields"]),
    "too many samples": ({"from": NOW_MS - 6_000}, ["at most 4000", "ask for 4 s", "points"]),
}


async def test_what_cannot_be_asked(site: Site) -> None:
    """400, and what can be asked instead, which then can be."""
    await fill(site, 7, 1000)
    for case, (query, words) in BAD.items():
        answer = await full(site, **{"fields": "rpm", **query})
        assert is_error(answer, 400, "bad_request"), case
        message = answer[1]["error"]["message"]
        assert [word for word in words if word not in message] == [], message
    status, found = await full(site, fields="rpm", **{"from": NOW_MS - 4000})
    assert (status, len(found["fields"]["rpm"]["v"])) == (200, 4000)
    assert (await full(site, fields="rpm", points=100, **{"from": NOW_MS - 7000}))[0] == 200


async def test_pieces_make_up_the_range() -> None:
    """Every second once, in pieces that follow the size of its rows."""
    store = CountingStore()
    large = [replace(row, data=bytes(3_000_000)) for row in rows_of_second(engine_second(0))]
    store.raw_rows += [replace(large[0], ts_ms=1000 * n, seq=n) for n in range(100, 105)]
    seen = [row.ts_ms async for rows in raw_chunks(store, PEER, 500, 1_000_000) for row in rows]
    assert seen == [1000 * n for n in range(100, 105)]
    spans = store.asked
    assert (spans[0][0], spans[-1][1]) == (500, 1_000_000)
    assert all(end + 1 == begin for (_, end), (begin, _) in pairwise(spans))
    assert any(end - begin < 60_000 for begin, end in spans[1:-1])
    assert [rows async for rows in raw_chunks(store, PEER, 1000, 999)] == []


async def test_no_large_piece_after_nothing() -> None:
    """A stretch without rows says nothing of the next one: pieces grow by steps, and not for ever."""
    store = CountingStore()
    assert [rows async for rows in raw_chunks(store, PEER, 0, 999_999) if rows] == []
    lengths = [(end + 1 - begin) // 1000 for begin, end in store.asked]
    assert lengths == [60, *[120] * 7, 100]


class CountingStore(ListStore):
    """Notes what is read; a read can be held up."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[int, int]] = []
        self.go = asyncio.Event()
        self.go.set()

    async def raw(self, peer: Peer, from_ms: int, to_ms: int, order: bool = True) -> list[RawSecond]:
        """The rows, once they may go."""
        self.asked.append((from_ms, to_ms))
        await self.go.wait()
        return await super().raw(peer, from_ms, to_ms, order)


async def until(condition: Callable[[], bool]) -> None:
    """Wait for it."""
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.002)


@pytest.mark.servers
async def test_who_goes_away_ends_the_work(tmp_path: Path, web: Web) -> None:
    """At the next piece: two hours are not read for nobody."""
    site = Site(tmp_path, web, compile_quickly)
    store = site.store = CountingStore()
    async with site.running():
        await fill(site, 1000, 1)
        store.go.clear()
        query = {"resolution": "full", "fields": "rpm", "points": "100", "from": str(NOW_MS - 7_000_000)}
        async with asyncio.TaskGroup() as tasks:
            asking = tasks.create_task(site.ask("GET", HISTORY, params=query))
            await until(lambda: len(store.asked) == 1)
            asking.cancel()
        await site.session.close()
        await until(lambda: site.metrics.value("web_connections") == 0)  # the server has seen it
        store.go.set()
        await until(lambda: site.metrics.total("web_requests_total") == 1)  # the work is over
        assert len(store.asked) < 3


async def test_one_tenant_does_not_take_all_places(tmp_path: Path, web: Web) -> None:
    """Nor does it with parsing-health: the same work, the same turns."""
    site = Site(tmp_path, web, compile_quickly)
    store = site.store = CountingStore()
    async with site.running():
        await fill(site, 3)
        store.go.clear()
        health = HISTORY.replace("history", "parsing-health")
        async with asyncio.TaskGroup() as tasks:
            own = [tasks.create_task(full(site, place, fields="rpm")) for place in (HISTORY, health) for _ in range(9)]
            await until(lambda: sum(task.done() for task in own) == 8)
            assert all(is_error(task.result(), 503, "unavailable") for task in own if task.done())
            other = tasks.create_task(full(site, HISTORY.replace("duco", "other", 1), fields="rpm"))
            store.go.set()
        assert sorted(task.result()[0] for task in own) == [200] * 10 + [503] * 8
        assert other.result()[0] == 200


@pytest.mark.servers
async def test_from_a_real_store(tmp_path: Path, web: Web) -> None:
    """The rows as chDB keeps them, many requests at once, and the parsing of the moment."""
    store = await ChdbStore(tmp_path / "store").open()
    try:
        site = Site(tmp_path, web, compile_quickly)
        site.store = store  # type: ignore[assignment]  # another store
        async with site.running():
            await fill(site, 300)
            asked: Sequence[Coroutine[Any, Any, tuple[int, Any]]] = [
                full(site, fields="rpm", **{"from": NOW_MS - 1000 * s, "to": NOW_MS - 1}) for s in range(1, 11)
            ]
            for seconds, (status, found) in enumerate(await asyncio.gather(*asked), 1):
                assert status == 200
                assert found["fields"]["rpm"]["v"] == [float(n) for n in range(10)] * seconds
            status, found = await full(site, fields="rpm,temp", points=50, **{"from": NOW_MS - 300_000})
            assert (status, len(found["fields"]["rpm"]["v"]), len(found["fields"]["temp"]["v"])) == (200, 50, 50)
        changed = Site(tmp_path, web, compile_quickly)
        changed.store = store  # type: ignore[assignment]  # the same
        async with changed.running():
            await parse(changed, CHANGED)
            found = (await full(changed, fields="rpm", **{"from": NOW_MS - 1000}))[1]
            assert found["fields"]["rpm"]["v"] == [200.0 * n for n in range(10)]
    finally:
        await store.close()
