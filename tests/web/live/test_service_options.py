"""What a client may ask for beside a plain list of fields, against the running server."""

from __future__ import annotations

import asyncio
import json
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import ClientWebSocketResponse, WSMsgType
from hypothesis import given, settings
from hypothesis import strategies as st

from duco_rt.config import Web
from duco_rt.model import LastSeen, Peer
from duco_rt.web.live import place, status
from tests.web.conftest import NOW_MS, Site
from tests.web.live.viewing import LIVE, PEER, WITHIN_S, becomes, closed, is_quiet, publish, receive, store, viewing

pytestmark = pytest.mark.servers  # a web server of its own each


@pytest.mark.parametrize("kind", ["ADD_FIELDS", "REMOVE_FIELDS"])
async def test_a_change_needs_a_list(site: Site, kind: str) -> None:
    """Before the first one it is an error that says so, and nothing is followed."""
    async with viewing(site) as socket:
        await socket.send_json({"type": kind, "payload": ["a"], "ack": True})
        error = (await receive(socket))["payload"]
        assert error["code"] == "bad_fields" and kind in error["message"]
        assert site.metrics.value("live_peers") == 0


async def test_lists_grow_and_shrink(site: Site) -> None:
    """By names and patterns, at once for the next sample; who asks is told the list and what of it is unknown."""
    async with viewing(site, ["speed"]) as socket:

        async def change(kind: str, *entries: str) -> object:
            await socket.send_json({"type": kind, "payload": entries, "ack": True})
            return (await receive(socket))["payload"]

        sample: dict[str, object] = {"speed": 1, "x_1": 2, "x_2": 3, "y": 4}
        known = {"fields": ["speed", "y", "x_*"], "unknown": ["y", "x_*"]}
        assert await change("ADD_FIELDS", "x_*", "speed", "y") == known
        await publish(site, sample, 1)
        assert (await receive(socket))["payload"] == {"speed": 1, "y": 4, "x_1": 2, "x_2": 3}
        assert await change("ADD_FIELDS") == known | {"unknown": []}  # the machine has said them
        assert await change("REMOVE_FIELDS", "x_1", "y") == {"fields": ["speed", "x_*"], "unknown": []}
        await publish(site, sample, 2)
        assert (await receive(socket))["payload"] == {"speed": 1, "x_1": 2, "x_2": 3}
        await socket.send_json({"type": "REMOVE_FIELDS", "payload": ["x_*", "speed"]})
        await socket.send_json({"type": "ADD_FIELDS", "payload": ["y"]})
        assert await change("ADD_FIELDS") == {"fields": ["y"], "unknown": []}
        await publish(site, sample, 3)
        assert (await receive(socket))["payload"] == {"y": 4}


@pytest.mark.usefixtures("unasked")
async def test_another_tenants_names_are_unknown(site: Site) -> None:
    """What a list is answered with says nothing of a machine that is not the tenant's."""
    path = "/api/resources/other/_common/datasets/DUCO_001/live"
    async with viewing(site, None, path) as socket:
        await socket.send_json({"type": "INIT_FIELD_LIST", "payload": ["speed", "*"], "ack": True})
        assert (await receive(socket))["payload"]["unknown"] == ["speed", "*"]


async def test_a_rate_of_its_own(site: Site) -> None:
    """At once, then the newest values when it is time, which say for how many samples they stand."""
    async with viewing(site, ["a", "b"], max_hz=0.5) as socket:
        await publish(site, {"a": 1, "b": 1}, 1)
        assert (await receive(socket))["seq"] == 1
        await publish(site, {"a": 2, "b": 2}, 2)
        await publish(site, {"a": 3}, 3)
        assert await is_quiet(socket)
        assert await receive(socket) == {
            "type": "LIVE_DATA",
            "payload": {"a": 3, "b": 2},
            "ts": NOW_MS + 3000,
            "seq": 3,
            "merged": 2,
            "ts_of": {"b": NOW_MS + 2000},
        }


async def test_only_what_changed(site: Site) -> None:
    """A sample without any change still comes, with nothing in it."""
    async with viewing(site, ["a", "b"], on_change=True) as socket:
        for seq, payload in enumerate(({"a": 1, "b": 1}, {"a": 1, "b": 2}, {"a": 1, "b": 2}), 1):
            await publish(site, dict(payload), seq)
        assert [(await receive(socket))["payload"] for _ in range(3)] == [{"a": 1, "b": 1}, {"b": 2}, {}]


async def test_a_list_that_would_grow_too_long_stays_as_it_is(site: Site) -> None:
    """What was added before stays, and the error says why the rest was not."""
    async with viewing(site, ["a"]) as socket:
        for first in (0, 40):
            await socket.send_json({"type": "ADD_FIELDS", "payload": [f"{n}_*" for n in range(first, first + 40)]})
        error = (await receive(socket))["payload"]
        assert error["code"] == "bad_fields" and "80 patterns" in error["message"]
        await publish(site, {"a": 1, "1_x": 2, "79_x": 3}, 1)
        assert (await receive(socket))["payload"] == {"a": 1, "1_x": 2}


async def test_a_client_that_asks_for_nothing_sees_samples_and_errors_alone(site: Site) -> None:
    """Through holes, swaps, other viewers' wishes and its own mistakes: no other type, no other key."""
    plain = {"type": "INIT_FIELD_LIST", "payload": ["a"]}
    async with viewing(site) as old, viewing(site, ["*"], since=5, max_hz=1, stats=["min"]):
        await old.send_json(plain)
        await old.send_str("?")
        found = [await receive(old)]
        for seq in (1, 2, 4, 3, 7, 8, 1):
            await publish(site, {"a": seq}, seq)
        await old.send_json(plain | {"payload": ["a", "b"]})
        while found[-1].get("seq") != 8:
            found.append(await receive(old))
        assert [message["type"] for message in found] == ["ERROR"] + ["LIVE_DATA"] * 6
        assert [message["seq"] for message in found[1:]] == [1, 2, 3, 4, 7, 8]
        assert {tuple(message) for message in found[1:]} == {("type", "payload", "ts", "seq")}


async def test_one_question_for_last_values_at_a_time_a_client(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who asks for one list after the other waits for itself, though it had its answers without the store."""
    monkeypatch.setattr(status, "_STORE_S", 0.001)
    store(site, range(1, 5))
    last_seen, now, most, asked = site.store.last_seen, 0, 0, 0

    async def slow(tenant: str) -> dict[Peer, LastSeen]:
        nonlocal now, most, asked
        now, asked = now + 1, asked + 1
        most = max(most, now)
        await asyncio.sleep(0.01)
        now -= 1
        return await last_seen(tenant)

    site.store.last_seen = slow  # type: ignore[method-assign]
    async with viewing(site) as flood, viewing(site) as ws:
        for at in range(30):
            await flood.send_json({"type": "INIT_FIELD_LIST", "payload": [f"a{at}"], "last": True})
        await ws.send_json({"type": "INIT_FIELD_LIST", "payload": ["a"], "last": True})
        assert (await receive(ws))["type"] == "LAST_KNOWN"
        for _ in range(30):
            assert (await receive(flood))["type"] == "LAST_KNOWN"
        assert most <= 2 and asked > 1


async def test_last_values_that_nobody_waits_for_any_more_are_not_asked_for(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The viewer went on without them before their turn had come."""
    monkeypatch.setattr(status, "_STORE_S", 0.01)
    asked: list[str] = []

    async def last_seen(tenant: str) -> dict[Peer, LastSeen]:
        asked.append(tenant)
        return {}

    site.store.last_seen = last_seen  # type: ignore[method-assign]
    for _ in range(4):
        await site.service._work.asking.acquire()
    async with viewing(site) as ws:
        await ws.send_json({"type": "INIT_FIELD_LIST", "payload": ["a"], "last": True})
        assert (await receive(ws))["payload"] == {}
        (task,) = site.service._last._asked.values()
        for _ in range(4):
            site.service._work.asking.release()
        assert await task is None and not asked


@pytest.mark.parametrize("every_s", [None, 1])
async def test_a_viewer_that_something_fails_for_is_closed_with_1011(
    site: Site, monkeypatch: pytest.MonkeyPatch, every_s: int | None
) -> None:
    """It alone, whether at its own word or by the clock."""
    async with viewing(site, ["a"]) as other, viewing(site, ["a"]) as ws:
        monkeypatch.setattr(site.service._status, "of", lambda *_: 1 / 0)
        await ws.send_json({"type": "STATUS"} | ({} if every_s is None else {"every_s": every_s}))
        assert await asyncio.wait_for(closed(ws), WITHIN_S) == 1011
        assert site.metrics.value("live_failed_total", what="viewer") == 1
        await publish(site, {"a": 1})
        assert (await receive(other))["seq"] == 1


# --- what another publisher may say ---------------------------------------------------------------------------------

_NAMES = st.sampled_from(["a", "b", "n_1", "n_2", "", '"', "*", "\x00", "ü"])
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4) | st.just(10**400),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner, max_size=3),
    max_leaves=6,
)
_COUNTS = st.sampled_from([1, 2, 1e308, -1, 0, 2**53, 2**64, 1.5, "x", None, 10**4299])
_STATS = st.dictionaries(_NAMES, st.tuples(_VALUES, _VALUES, _COUNTS), max_size=3) | _VALUES
_SEQS = st.integers(1, 40) | st.integers(-(2**65), 2**65) | _VALUES
_MESSAGES = st.fixed_dictionaries(
    {"payload": st.dictionaries(_NAMES, _VALUES, max_size=4)},
    optional={"seq": _SEQS, "ts": _SEQS | st.integers(NOW_MS, NOW_MS + 99_000), "stats": _STATS, "received": _VALUES},
)
_TEXTS = st.builds(lambda message: json.dumps(message).encode(), _MESSAGES | _VALUES) | st.binary(max_size=9)

HOSTILE = [
    b'{"payload":{"a":1},"ts":%d,"seq":%d,"stats":{"a":[0,1,%s]}}' % (NOW_MS + 1000 * seq, seq, count)
    for seq, count in enumerate([b"1", b"1e308", b"1e308", b"9" * 4300, b"9" * 4300, b"-1", b"[]", b"1"], 1)
]
"""Each of these a number of values, for a viewer whose samples are put together."""

WISHES: list[dict[str, Any]] = [
    {"max_hz": 100, "stats": ["min", "max", "count"]},
    {"max_hz": 5, "on_change": True, "stats": ["count"]},
    {"on_change": True},
    {"stats": ["min", "count"]},
    {"since": 1},
    {"history": 600, "stats": ["max"]},
    {"last": True, "ack": True},
]


async def wishing(site: Site, stack: AsyncExitStack, wish: dict[str, Any], packs: bool) -> ClientWebSocketResponse:
    """A viewer of a kind; one that packs has its messages compressed, too."""
    protocols = ("duco.msgpack",) if packs else ()
    ws = await stack.enter_async_context(site.session.ws_connect(LIVE, protocols=protocols, compress=15 * packs))
    await ws.send_json({"type": "INIT_FIELD_LIST", "payload": ["a", "n_*", "*"], **wish})
    return ws


async def hears_it(ws: ClientWebSocketResponse) -> None:
    """Read whole messages until that of the good sample."""
    while True:
        message = await ws.receive(WITHIN_S)
        assert message.type in (WSMsgType.TEXT, WSMsgType.BINARY), message
        is_text = message.type == WSMsgType.TEXT
        content = json.loads(message.data) if is_text else msgspec.msgpack.decode(message.data)
        if content.get("payload", {}).get("a") == "good":
            return


@settings(max_examples=6)
@given(messages=st.lists(_TEXTS, min_size=25, max_size=25))
def test_whatever_is_published_the_service_goes_on(messages: list[bytes]) -> None:
    """Viewers of every kind: none is let go of, and a good sample reaches all of them afterwards."""

    async def run(folder: str) -> None:
        site = Site(Path(folder), Web(port=0))
        store(site, range(1, 20))
        async with site.running(), AsyncExitStack() as stack:
            viewers = [await wishing(site, stack, wish, packs) for wish in WISHES for packs in (False, True)]
            await becomes(site, "live_peers", 1)
            while len(next(iter(site.service._peers.values())).stream) < len(viewers):
                await asyncio.sleep(0.002)
            for message in [*HOSTILE, *messages]:
                await site.live.publish(PEER.channel, message)
                await asyncio.sleep(0)
            await site.live.publish(PEER.channel, b'{"payload":{"a":"good"}}')
            await asyncio.gather(*map(hears_it, viewers))
            assert site.metrics.total("live_failed_total") == 0

    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.setattr(place, "PATIENCE_S", 0.1)
        asyncio.run(run(folder))
