"""The WebSocket live service as clients speak it, against the running server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any, TypeVar

import aiohttp
import pytest

from duco_rt.model import Peer
from duco_rt.web.live import peers, place, service
from tests.web.conftest import BASE, NOW_MS, Site
from tests.web.live.viewing import (
    PEER,
    WITHIN_S,
    becomes,
    closed,
    is_quiet,
    publish,
    receive,
    receive_until,
    shown,
    store,
    ts_of,
    viewing,
    watch,
)

T = TypeVar("T")


async def test_live_data_is_exactly_as_documented(site: Site) -> None:
    """The fields that were asked for; a sample without any still comes; a list is replaced by the next."""
    async with viewing(site, ["speed", "engine_rpm"]) as socket:
        await publish(site, {"speed": 12.5, "engine_rpm": 1800.0, "other": 1}, 1)
        assert await receive(socket) == {
            "type": "LIVE_DATA",
            "payload": {"speed": 12.5, "engine_rpm": 1800.0},
            "ts": NOW_MS + 1000,
            "seq": 1,
        }
        await publish(site, {"engine_rpm": 1.0}, 2)
        assert (await receive(socket))["payload"] == {"engine_rpm": 1.0}
        await publish(site, {"other": 1}, 3)
        assert (await receive(socket))["payload"] == {}
        await watch(site, socket, ["other"])
        await publish(site, {"speed": 1.0, "other": 7}, 4)
        assert await receive(socket) == {"type": "LIVE_DATA", "payload": {"other": 7}, "ts": NOW_MS + 4000, "seq": 4}
        await watch(site, socket, [])
        await publish(site, {"speed": 1.0}, 5)
        assert (await receive(socket))["payload"] == {}


async def test_stats_are_asked_for_with_the_list(site: Site) -> None:
    """Lowest, highest and number of values, until a list without them; what is unknown is named and changes nothing."""
    async with viewing(site, ["speed"]) as socket, viewing(site, ["speed"]) as plain:
        wish = {"type": "INIT_FIELD_LIST", "payload": ["speed", "gear"], "stats": ["min", "max", "count"]}
        await socket.send_json(wish)
        await socket.send_json(wish | {"stats": ["mode"]})
        error = await receive(socket)
        assert error["payload"]["code"] == "bad_stats" and "'mode'" in error["payload"]["message"]
        message = {"payload": {"speed": 12.5, "gear": 3}, "ts": NOW_MS, "seq": 1, "stats": {"speed": [1.5, 40, 10]}}
        await site.live.publish(PEER.channel, json.dumps(message).encode())
        found = await receive(socket)
        assert found["stats"] == {
            "speed": {"min": 1.5, "max": 40, "count": 10},
            "gear": {"min": 3, "max": 3, "count": 1},
        }
        assert await receive(plain) == {"type": "LIVE_DATA", "payload": {"speed": 12.5}, "ts": NOW_MS, "seq": 1}
        await watch(site, socket, ["speed"])
        await publish(site, {"speed": 1.0}, 2)
        assert "stats" not in await receive(socket)


async def test_nothing_comes_before_the_first_list(site: Site) -> None:
    """Though others watch the same device."""
    async with viewing(site) as silent, viewing(site, ["speed"]) as other:
        await publish(site, {"speed": 1.0})
        assert (await receive(other))["payload"] == {"speed": 1.0}
        assert await is_quiet(silent)


async def test_another_publishers_payload_alone(site: Site) -> None:
    """It gets its time of receipt, and no seq."""
    async with viewing(site, ["speed"]) as socket:
        await site.live.publish(PEER.channel, b'{"payload":{"speed":3}}')
        assert await receive(socket) == {"type": "LIVE_DATA", "payload": {"speed": 3}, "ts": NOW_MS}


@pytest.mark.parametrize("bad", [b"nonsense", b'{"payload":1}', b'{"payload":{"speed":' + b"[" * 99_999, b"\xff"])
async def test_another_publishers_nonsense_harms_nobody(site: Site, bad: bytes) -> None:
    """It is counted; the next message comes."""
    async with viewing(site, ["speed"]) as socket:
        await site.live.publish(PEER.channel, bad)
        await publish(site, {"speed": 1.0})
        assert (await receive(socket))["payload"] == {"speed": 1.0}
        assert site.metrics.value("live_bad_publications_total") == 1


OTHERS = [Peer("other", "DUCO_001", "vehicle_can"), Peer("duco", "DUCO_002", "vehicle_can")]


@pytest.mark.usefixtures("unasked")
@pytest.mark.parametrize("other", [*OTHERS, Peer("duco", "DUCO_001", "client_raw_data")])
async def test_tenants_devices_and_types_never_mix(site: Site, other: Peer) -> None:
    """Each viewer sees its own alone."""
    path = f"/api/resources/{other.tenant}/_common/datasets/{other.chassis_id}/live?msgType={other.msg_type}"
    async with viewing(site, ["v"]) as mine, viewing(site, ["v"], path) as foreign:
        await publish(site, {"v": "foreign"}, peer=other)
        await publish(site, {"v": "mine"})
        assert (await receive(mine))["payload"] == {"v": "mine"}
        assert (await receive(foreign))["payload"] == {"v": "foreign"}
        assert await is_quiet(mine)
        assert await is_quiet(foreign)


BAD: dict[str, tuple[str | bytes, str]] = {
    "no JSON": ("{", "bad_message"),
    "no object": ("[1]", "bad_message"),
    "no type": ('{"payload":["a"]}', "bad_message"),
    "unknown type": ('{"type":"HELLO"}', "unknown_type"),
    "no payload": ('{"type":"INIT_FIELD_LIST"}', "bad_fields"),
    "null payload": ('{"type":"INIT_FIELD_LIST","payload":null}', "bad_fields"),
    "no list": ('{"type":"INIT_FIELD_LIST","payload":"speed"}', "bad_message"),
    "no texts": ('{"type":"INIT_FIELD_LIST","payload":[1]}', "bad_message"),
    "too many": (json.dumps({"type": "INIT_FIELD_LIST", "payload": [""] * 1001}), "bad_fields"),
    "too deep": ('{"type":"INIT_FIELD_LIST","x":' + "[" * 4000, "bad_message"),
    "stats unknown": ('{"type":"INIT_FIELD_LIST","payload":["a"],"stats":["min","mean"]}', "bad_stats"),
    "stats no list": ('{"type":"INIT_FIELD_LIST","payload":["a"],"stats":"min"}', "bad_message"),
    "binary": (b"\x00\x01", "bad_message"),
    "empty": ("", "bad_message"),
    "every_s too small": ('{"type":"STATUS","every_s":0.5}', "bad_option"),
    "since no integer": ('{"type":"INIT_FIELD_LIST","payload":["a"],"since":"1"}', "bad_option"),
    "history too long": ('{"type":"INIT_FIELD_LIST","payload":["a"],"history":601}', "bad_option"),
}


@pytest.mark.parametrize("case", BAD)
async def test_a_bad_message_gets_an_error_and_the_connection_stays(site: Site, case: str) -> None:
    """And the list that was there goes on."""
    text, code = BAD[case]
    async with viewing(site, ["speed"]) as socket:
        await (socket.send_bytes(text) if isinstance(text, bytes) else socket.send_str(text))
        error = await receive(socket)
        assert error == {"type": "ERROR", "payload": {"code": code, "message": error["payload"]["message"]}}
        assert error["payload"]["message"]
        await publish(site, {"speed": 1.0})
        assert (await receive(socket))["payload"] == {"speed": 1.0}


async def test_too_large_closes_with_1009(site: Site) -> None:
    """That connection alone."""
    async with viewing(site, ["speed"]) as other, viewing(site, ["speed"]) as socket:
        await socket.send_str("x" * 5000)
        assert await asyncio.wait_for(closed(socket), WITHIN_S) == 1009
        await publish(site, {"speed": 1.0})
        assert (await receive(other))["payload"] == {"speed": 1.0}


async def test_a_device_is_followed_as_long_as_somebody_watches(site: Site) -> None:
    """One subscription for all viewers; none is left behind."""
    assert site.metrics.value("live_peers") == 0
    async with viewing(site, ["a"]), viewing(site, ["b"]):
        assert site.metrics.value("live_peers") == 1
        assert site.metrics.value("live_viewers") == 2
    await becomes(site, "live_viewers", 0)
    assert site.metrics.value("live_peers") == 0


async def test_a_machine_is_followed_a_while_longer(site: Site) -> None:
    """Who comes back within that finds what it missed; then nothing of it is left."""
    async with viewing(site, ["a"]):
        pass
    await becomes(site, "live_viewers", 0)
    await publish(site, {"a": 1}, 1)
    async with viewing(site, ["a"], since=0) as socket:
        assert (await receive(socket))["seq"] == 1
        assert site.metrics.value("live_recent_bytes") > 0
        site.service._linger_s = 0.2  # only now: who comes back above may take its time
    await becomes(site, "live_recent_bytes", 0)
    assert not site.service._peers and not site.service._lingering


@pytest.mark.usefixtures("unasked")
async def test_machines_that_nobody_watches_any_more_are_bounded(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that goes through names leaves few behind."""
    monkeypatch.setattr(service, "_LINGERING_MAX", 2)
    for n in range(4):
        async with viewing(site, ["a"], f"{BASE}/M{n}/live"):
            pass
    await becomes(site, "live_viewers", 0)
    assert [peer.chassis_id for peer in site.service._peers] == ["M2", "M3"]


async def test_a_server_that_stops_says_so(site: Site) -> None:
    """1001 to every viewer."""
    async with viewing(site, ["a"]) as socket:
        closing = asyncio.gather(site.service.close(), closed(socket))
        assert (await asyncio.wait_for(closing, WITHIN_S))[1] == 1001


@pytest.mark.parametrize(
    "path", [f"{BASE}/a.b/live", f"{BASE}/D/live?msgType=a/b", "/api/resources/a.b/_common/datasets/D/live"]
)
async def test_names_that_are_none(site: Site, path: str) -> None:
    """Refused before the connection is made."""
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await site.session.ws_connect(path)
    assert refused.value.status == 400


async def test_samples_that_swapped_come_in_order(site: Site) -> None:
    """A later one waits for its elder; one that comes after the wait is left to the history, counted."""
    async with viewing(site, ["a"]) as socket:
        for seq in (1, 3, 2, 4):
            await publish(site, {"a": seq}, seq)
        assert [(await receive(socket))["seq"] for _ in range(4)] == [1, 2, 3, 4]
        await publish(site, {"a": 6}, 6)
        assert await is_quiet(socket)
        assert (await receive(socket))["seq"] == 6  # after half a second
        await publish(site, {"a": 5}, 5)
        await publish(site, {"a": 7}, 7)
        assert (await receive(socket))["seq"] == 7
        assert site.metrics.value("live_late_total") == 1


def failing_once(real: Callable[..., T]) -> Callable[..., T]:
    """The same, but for the first call."""
    calls = 0

    def call(*args: Any) -> T:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise ZeroDivisionError("of the test")
        return real(*args)

    return call


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("publish", "message"),
        ("tick", "tick"),
        ("woken", "settle"),
        ("questions", "settle"),
        ("answer", "question"),
        ("is_wanted", "question"),
    ],
)
async def test_what_nobody_thought_of_ends_one_message_or_question(
    site: Site, monkeypatch: pytest.MonkeyPatch, name: str, what: str
) -> None:
    """It is counted; then all goes on, for those who were there and those who come."""
    monkeypatch.setattr(peers, "_FAILED_S", 0.01)
    monkeypatch.setattr(place, "PATIENCE_S", 0.3)
    store(site, range(1, 5))
    site.clock.now_s = ts_of(5) / 1000
    async with viewing(site, ["a"]) as first:
        stream = site.service._peers[PEER].stream
        monkeypatch.setattr(stream, name, failing_once(getattr(stream, name)))
        async with viewing(site, ["a"], history=60) as ws:
            await publish(site, {"a": 5}, 5)
            await publish(site, {"a": 7}, 7)  # 6 is waited for: a tick
            await becomes(site, "live_failed_total", 1, what=what)
            await receive_until(first, 7)
            await receive_until(ws, 7)
        async with viewing(site, ["a"], since=3) as late:
            await publish(site, {"a": 8}, 8)
            for each in (first, late):
                await receive_until(each, 8)


async def test_a_subscription_that_fails_is_made_again(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it fails of."""
    subscribe, is_there = site.live.subscribe, asyncio.Event()

    async def second(channel: str) -> AsyncIterator[bytes]:
        is_there.set()
        return await subscribe(channel)

    monkeypatch.setattr(site.live, "subscribe", failing_once(second))
    async with viewing(site, ["a"]) as ws:
        await asyncio.wait_for(is_there.wait(), 20)
        assert site.metrics.value("live_failed_total", what="subscription") == 1
        await publish(site, {"a": 5}, 5)
        assert shown([await receive(ws)]) == [5]
