"""Live messages of any publisher: passed on, or counted and left out; viewers of all kinds get the next good one."""

from __future__ import annotations

import json
from itertools import count
from typing import Any

import msgspec
from aiohttp import ClientWebSocketResponse
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.messages import INT64, JSON, mangled
from tests.fuzz.test_stages import Run, with_examples
from tests.web.conftest import NOW_MS, Site
from tests.web.live.viewing import LIVE, PEER, WITHIN_S

GOOD = json.dumps(
    {
        "payload": {"speed": 12.5, "on": True, "x": "ü"},
        "ts": NOW_MS,
        "seq": 5,
        "received": NOW_MS,
        "stats": {"speed": [1, 2, 3]},
    },
    ensure_ascii=False,
).encode()

MEMBERS = st.fixed_dictionaries(
    {"payload": st.dictionaries(st.sampled_from(["speed", "on", ""]) | st.text(max_size=5), JSON, max_size=4)},
    optional={
        "ts": INT64 | JSON,
        "seq": st.integers(-5, 10) | INT64 | JSON,
        "received": INT64 | JSON,
        "stats": st.dictionaries(st.sampled_from(["speed", "on"]), JSON | st.lists(INT64, min_size=3, max_size=3))
        | JSON,
        "more": JSON,
    },
)
ODD = st.sampled_from(
    [
        b"",
        b"null",
        b'{"payload":{"speed":1e999}}',
        b'{"payload":{"speed":-1e999,"on":' + b"9" * 400 + b"}}",
        b'{"payload":{"speed":NaN}}',
        b'{"payload":{"speed":"\\ud800"}}',
        b'{"payload":{"speed":"\xff"}}',
        b'{"payload":{"speed":' + b"[" * 100_000 + b"]" * 100_000 + b"}}",
        b'{"payload":{"speed":' + b'{"a":' * 600 + b"1" + b"}" * 600 + b"}}",
        b'{"payload":{"speed":1},"stats":{"speed":[1e999,2,3]}}',
        b'{"payload":{"speed":1},"seq":3,"seq":4}',
        b'{"payload":{"speed":1},"ts":' + b"9" * 300 + b"}",
    ]
)
PUBLICATIONS = st.binary(max_size=80) | mangled(GOOD) | MEMBERS.map(msgspec.json.encode) | ODD


async def test_any_publications_and_then_a_good_one(site: Site) -> None:
    """No viewer is cut off, no peer stops, and of what is not passed on each is counted."""
    numbers = count(10**6)
    wish: dict[str, object] = {"type": "INIT_FIELD_LIST", "payload": ["speed", "o*", "x"]}
    plain = await _viewer(site, wish)
    full = await _viewer(site, wish | {"stats": ["min", "max", "count"], "last": True, "on_change": True})
    packed = await _viewer(site, wish | {"stats": ["min"], "history": 60}, "duco.msgpack")

    async def bad_then_good(bad: list[bytes], number: int) -> None:
        for text in bad:
            await site.live.publish(PEER.channel, text)
        await _publish(site, number)
        for viewer in (plain, full, packed):
            await _until(viewer, number)

    def fuzz(run: Run) -> None:
        @given(st.lists(PUBLICATIONS, min_size=1, max_size=8))
        def examples(bad: list[bytes]) -> None:
            run(bad_then_good(bad, next(numbers)))

        examples()

    await with_examples(fuzz)
    assert site.metrics.value("live_bad_publications_total")
    for what in ("message", "viewer"):  # nothing failed in a way that nobody thought of
        assert not site.metrics.value("live_problems_total", kind=f"failed {what}")
    late = await _viewer(site, wish | {"last": True, "history": 600})
    await _publish(site, number := next(numbers))
    await _until(late, number)
    for viewer in (plain, full, packed, late):
        assert not viewer.closed
        await viewer.close()


async def _viewer(site: Site, wish: dict[str, object], *protocols: str) -> ClientWebSocketResponse:
    viewer = await site.session.ws_connect(LIVE, protocols=protocols, max_msg_size=0)
    await viewer.send_json(wish | {"ack": True})
    while (await _receive(viewer))["type"] != "ACK":
        pass
    return viewer


async def _publish(site: Site, number: int) -> None:
    """Without a position: one that a bad message claimed may be taken for the newest for some seconds."""
    await site.live.publish(PEER.channel, b'{"payload":{"speed":%d}}' % number)


async def _until(viewer: ClientWebSocketResponse, number: int) -> None:
    while True:
        read = await _receive(viewer)
        if read["type"] == "LIVE_DATA" and read["payload"].get("speed") == number:
            return


async def _receive(viewer: ClientWebSocketResponse) -> Any:
    message = await viewer.receive(WITHIN_S)
    assert isinstance(message.data, str | bytes), message  # a close has its code
    return json.loads(message.data) if isinstance(message.data, str) else msgspec.msgpack.decode(message.data)
