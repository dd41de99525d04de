"""Studio's reading endpoints: devices, fields and history."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import Any

import pytest

from duco_rt.config import Web
from duco_rt.errors import TransportError
from duco_rt.model import LastSeen, Peer, Sample, Span, Value
from duco_rt.web.encoding import to_json
from tests.web.conftest import BASE, NOW_MS, Site, is_error

PEER = Peer("duco", "DUCO_001", "vehicle_can")
HISTORY = f"{BASE}/DUCO_001/history"


async def fill(site: Site, seconds: int, peer: Peer = PEER) -> None:
    """A sample a second up to now; every third lacks b."""
    start_ms = NOW_MS - (seconds - 1) * 1000
    for i in range(seconds):
        payload: dict[str, Any] = {"a": float(i), "b": i} if i % 3 else {"a": float(i)}
        await site.store.insert_parsed([Sample(peer, start_ms + i * 1000, 100 + i, NOW_MS, payload)])


async def history(site: Site, place: Any = HISTORY, **query: Any) -> tuple[int, Any]:
    """Ask for history."""
    return await site.ask("GET", place, params={"msgType": "vehicle_can", **{k: str(v) for k, v in query.items()}})


async def test_columns(site: Site) -> None:
    """Columns of the same length; null where a sample lacks the field."""
    await fill(site, 4)
    status, found = await history(site, fields="a,b,never", **{"from": NOW_MS - 3000, "to": NOW_MS})
    assert status == 200
    assert found == {
        "from": NOW_MS - 3000,
        "to": NOW_MS,
        "seq": [100, 101, 102, 103],
        "ts": [NOW_MS - 3000, NOW_MS - 2000, NOW_MS - 1000, NOW_MS],
        "fields": {"a": [0.0, 1.0, 2.0, 3.0], "b": [None, 1, 2, None], "never": [None] * 4},
    }


async def test_the_default_is_the_last_two_minutes(site: Site) -> None:
    """Up to now, or up to `to`; from `from` to now."""
    await fill(site, 600)
    found = (await history(site, fields="a"))[1]
    assert (found["from"], found["to"], len(found["ts"])) == (NOW_MS - 120_000, NOW_MS, 121)
    found = (await history(site, fields="a", to=NOW_MS - 60_000))[1]
    assert (found["from"], found["to"]) == (NOW_MS - 180_000, NOW_MS - 60_000)
    found = (await history(site, fields="a", **{"from": NOW_MS - 5000}))[1]
    assert (found["to"], len(found["ts"])) == (NOW_MS, 6)


# how far the device's clock is behind ours in s → whether "now" is its own
SKEWS = [(0, False), (3, False), (-3, False), (3600, True), (-3600, True)]


@pytest.mark.parametrize(("behind_s", "own"), SKEWS)
async def test_now_is_the_devices_where_its_clock_is_wrong(site: Site, behind_s: int, own: bool) -> None:
    """So that the last two minutes are there whatever its clock says."""
    last_ms = NOW_MS - behind_s * 1000
    site.store.seen[PEER] = LastSeen(last_ms - 1000, NOW_MS, 1, False, NOW_MS)
    assert (await history(site, fields="a"))[1]["to"] == (last_ms if own else NOW_MS)


async def test_tenants_never_mix(site: Site) -> None:
    """A device's name under another tenant is another device."""
    await fill(site, 3)
    await fill(site, 2, Peer("other", "DUCO_001", "vehicle_can"))
    assert len((await history(site, fields="a"))[1]["ts"]) == 3
    foreign = "/api/resources/other/_common/datasets"
    assert len((await history(site, f"{foreign}/DUCO_001/history", fields="a"))[1]["ts"]) == 2
    assert is_error(await site.ask("GET", f"{foreign}/DUCO_001/fields"), 404, "not_found")
    assert await site.ask("GET", foreign) == (200, [])


BAD: dict[str, dict[str, Any]] = {
    "fields": {},
    "no field": {"fields": ",,"},
    "too many": {"fields": ",".join(f"f{i}" for i in range(501))},
    "points": {"fields": "a", "points": 1},
    "no negative": {"fields": "a", "points": -5},
    "resolution": {"fields": "a", "resolution": "minute"},
    "stats": {"fields": "a", "stats": "min,median"},
    "to before from": {"fields": "a", "from": NOW_MS, "to": NOW_MS - 1},
    "too long": {"fields": "a", "from": NOW_MS - 25 * 3_600_000, "to": NOW_MS},
}


@pytest.mark.parametrize("case", BAD)
async def test_what_cannot_be_asked(site: Site, case: str) -> None:
    """400 in the form of every error."""
    assert is_error(await history(site, **BAD[case]), 400, "bad_request")


async def test_fewer_points(site: Site) -> None:
    """As many as asked for, extremes kept; the window stays."""
    await fill(site, 1000)
    found = (await history(site, fields="a", points=50, **{"from": NOW_MS - 999_000}))[1]
    assert 25 <= len(found["ts"]) <= 54
    assert found["fields"]["a"][0] == 0.0
    assert found["fields"]["a"][-1] == 999.0
    assert (found["from"], found["to"]) == (NOW_MS - 999_000, NOW_MS)


# what is asked for → what of it is answered beside the last values
STATS: list[tuple[str, list[str] | None]] = [
    ("min", ["min"]),
    ("max,count", ["max", "count"]),
    ("count,last,min,max,min", ["min", "max", "count"]),
    ("last", None),
    ("", None),
]


async def test_stats(site: Site) -> None:
    """Those that were asked for, for each field; null where the store was not told."""
    spans = {"a": Span(1.0, 3.0, 10)}
    await site.store.insert_parsed([Sample(PEER, NOW_MS - 2000, 1, NOW_MS, {"a": 2.0, "b": 5}, spans)])
    await site.store.insert_parsed([Sample(PEER, NOW_MS - 1000, 2, NOW_MS, {"a": 4.0})])
    columns = {"min": [1.0, None], "max": [3.0, None], "count": [10, None]}
    for asked, kinds in STATS:
        found = (await history(site, fields="a,b", stats=asked))[1]
        assert found["fields"] == {"a": [2.0, 4.0], "b": [5, None]}
        if kinds is None:
            assert "stats" not in found, asked
        else:
            assert found["stats"]["a"] == {kind: columns[kind] for kind in kinds}
            assert found["stats"]["b"] == {kind: [None, None] for kind in kinds}


async def test_stats_with_fewer_points(site: Site) -> None:
    """The lowest of all lowest stays."""
    for n in range(100):
        sample = Sample(PEER, NOW_MS - n * 1000, n, NOW_MS, {"a": 0.0}, {"a": Span(-float(n), float(n), 2)})
        await site.store.insert_parsed([sample])
    found = (await history(site, fields="a", stats="min,count", points=10))[1]
    assert len(found["ts"]) <= 11
    assert min(found["stats"]["a"]["min"]) == -99.0
    assert sum(found["stats"]["a"]["count"]) == 200
    assert list(found["stats"]["a"]) == ["min", "count"]


async def test_values_are_counted_with_their_stats(tmp_path: Path) -> None:
    """A request may be so large; over it the message says what fits, and that does."""
    async with Site(tmp_path, Web(port=0, history_values_max=1200)).running() as site:
        await fill(site, 2)
        # stats → how many seconds two fields may be asked for
        for stats, most_s in {"": 600, "last": 600, "min": 300, "min,max,min": 200, "min,max,count,last": 150}.items():
            query = {"fields": "a,b", "stats": stats, "to": NOW_MS}
            answer = await history(site, **query, **{"from": NOW_MS - 1000 * (most_s + 1)})
            assert is_error(answer, 400, "bad_request"), stats
            assert f"at most 1200: ask for {most_s} s" in answer[1]["error"]["message"]
            assert (await history(site, **query, **{"from": NOW_MS - 1000 * most_s}))[0] == 200, stats


async def test_with_points_what_is_answered_is_counted(tmp_path: Path) -> None:
    """And not how long the range is; where that has fewer seconds than points, those."""
    async with Site(tmp_path, Web(port=0, history_values_max=1200)).running() as site:
        await fill(site, 2)
        day = {"from": NOW_MS - 86_400_000, "to": NOW_MS}
        for stats, most in {"": 600, "min": 300, "mean,seconds": 200, "min,max,mean": 150}.items():
            query = {"fields": "a,b", "stats": stats}
            answer = await history(site, **query, **day, points=most + 1)
            assert is_error(answer, 400, "bad_request"), stats
            assert f"at most 1200: ask for {most} points" in answer[1]["error"]["message"]
            assert (await history(site, **query, **day, points=most))[0] == 200
            short = {"from": NOW_MS - 1000 * most, "to": NOW_MS}
            assert (await history(site, **query, **short, points=10_000))[0] == 200
            answer = await history(site, **query, **{**short, "from": NOW_MS - 1000 * (most + 1)}, points=10_000)
            assert is_error(answer, 400, "bad_request")
            assert f"ask for {most} s" in answer[1]["error"]["message"]


async def test_gaps(site: Site) -> None:
    """Of all samples, where points are asked for, however few those are."""
    for n in (0, 1, 2, 5, 6, 9):
        await site.store.insert_parsed([Sample(PEER, NOW_MS - 9000 + n * 1000, n, NOW_MS, {"a": 1.0})])
    ends = [[NOW_MS - 7000, NOW_MS - 4000], [NOW_MS - 3000, NOW_MS]]
    for points in (2, 3, 100):
        assert (await history(site, fields="a", points=points))[1]["gaps"] == ends
    assert (await history(site, fields="a", points=9, to=NOW_MS - 4000))[1]["gaps"] == ends[:1]
    assert (await history(site, fields="a", points=9, to=NOW_MS - 9000))[1]["gaps"] == []
    assert "gaps" not in (await history(site, fields="a"))[1]


async def test_means(site: Site) -> None:
    """The mean of the values and how many those are, thinned or not, beside what else is asked for."""
    payloads: list[dict[str, Value]] = [{"a": 1.0, "t": "x"}, {"a": 2, "t": "y"}, {"t": "z"}, {"a": True}]
    for i, payload in enumerate(payloads):
        await site.store.insert_parsed([Sample(PEER, NOW_MS - 3000 + i * 1000, i, NOW_MS, payload)])
    stats = {"mean": [1.0, 2.0, None, 1.0], "seconds": [1, 1, 0, 1]}
    none = {"mean": [None] * 4, "seconds": [0] * 4}
    for points in ({}, {"points": 4}):
        found = (await history(site, fields="a,t", stats="seconds,mean", **points))[1]
        assert found["stats"] == {"a": stats, "t": none}
        found = (await history(site, fields="a", stats="mean,count", **points))[1]
        assert found["stats"] == {"a": {"count": [None] * 4, "mean": stats["mean"]}}
    found = (await history(site, fields="a", stats="mean,last,seconds", points=2, **{"from": NOW_MS - 7999}))[1]
    assert found["seq"] == [2, 3]
    assert found["fields"] == {"a": [2, True]}
    assert found["stats"] == {"a": {"mean": [1.5, 1.0], "seconds": [2, 1]}}


async def test_a_large_answer_is_made_beside_the_loop(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that live viewers do not wait; it is the same, and written in pieces."""
    threads: list[bool] = []

    def noted(value: object) -> bytes:
        threads.append(threading.current_thread() is threading.main_thread())
        return to_json(value)

    monkeypatch.setattr("duco_rt.web.datasets.to_json", noted)
    await fill(site, 30_000)
    ask = {"from": NOW_MS - 30_000_000, "to": NOW_MS}
    status, found = await history(site, fields="a,b", points=30_000, **ask)
    assert (status, found["fields"]["a"]) == (200, [float(n) for n in range(30_000)])
    assert (await history(site, fields="a,b", points=30_000, **{**ask, "from": NOW_MS - 9000}))[0] == 200
    assert threads == [False, True]


async def test_fields(site: Site) -> None:
    """Name, unit, range, choices and description, by message type; from the parsing alone."""
    found = (await site.ask("GET", f"{BASE}/DUCO_001/fields?msgType=vehicle_can"))[1]
    names = {field["name"]: field for field in found}
    assert {"speed", "engine_rpm", "brake_status"} <= set(names)
    assert {"name", "unit", "min", "max", "choices", "description"} <= set(names["speed"])
    own = (await site.ask("GET", f"{BASE}/DUCO_001/fields?msgType=client_raw_data"))[1]
    assert {"gps_lat", "gps_lng", "timestamp"} <= {field["name"] for field in own}
    assert await site.ask("GET", f"{BASE}/DUCO_001/fields?msgType=other") == (200, [])
    assert is_error(await site.ask("GET", f"{BASE}/D9/fields"), 404, "not_found")


async def test_devices(site: Site) -> None:
    """Those of the tenant with their state: the newest arrival of any type counts."""
    await site.device()
    site.store.seen[PEER] = LastSeen(NOW_MS - 9000, NOW_MS - 8000, 1, False, NOW_MS - 8000)
    site.store.seen[PEER._replace(msg_type="client_raw_data")] = LastSeen(
        NOW_MS - 2000, NOW_MS - 1000, 1, True, NOW_MS - 1000
    )
    site.store.seen[Peer("other", "DUCO_002", "vehicle_can")] = LastSeen(0, NOW_MS, 1, True, NOW_MS)
    status, (one, two) = await site.ask("GET", BASE)
    assert status == 200
    assert {k: v for k, v in one.items() if k != "name"} == {
        "chassisId": "DUCO_001",
        "online": True,
        "realtime": True,
        "lastSeen": NOW_MS - 1000,
    }
    assert (two["chassisId"], two["online"], two["realtime"], two["lastSeen"]) == ("DUCO_002", False, False, None)
    assert all(set(row) >= {"chassisId", "name", "online", "realtime", "lastSeen"} for row in (one, two))


async def test_many_readers_at_once(site: Site) -> None:
    """Each gets its own answer."""
    await fill(site, 50)
    asked = [(name, count) for name in ("a", "b") for count in range(10)]
    answers = await asyncio.gather(*(history(site, fields=n, **{"from": NOW_MS - c * 1000}) for n, c in asked))
    assert [(list(found["fields"]), len(found["ts"])) for _, found in answers] == [([n], c + 1) for n, c in asked]


async def test_devices_are_listed_while_the_store_is_away(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page that opens then finds its machines: live data goes on."""

    async def away(_: str) -> dict[Peer, LastSeen]:
        raise TransportError("store: away")

    await site.device()
    monkeypatch.setattr(site.store, "last_seen", away)
    status, rows = await site.ask("GET", BASE)
    assert status == 200
    assert {row["chassisId"]: (row["online"], row["lastSeen"]) for row in rows} == {
        "DUCO_001": (True, None),
        "DUCO_002": (False, None),
    }
