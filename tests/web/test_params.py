"""Parts of a request that cannot be read are the asker's mistake: 400 with the name of the part."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import RawTestServer

from duco_rt.model import LastSeen, Peer
from duco_rt.web.params import device_now_ms, reply_text
from tests.web.conftest import BASE, NOW_MS, ListStore, Site, is_error

NAMES = ["a.b", "ü", "x" * 65, "a b", "a\n", "%"]
PLACES = {
    "tenant": "/api/resources/{}/_common/datasets",
    "chassisId": BASE + "/{}/fields",
    "msgType": BASE + "/DUCO_001/fields?msgType={}",
    "name": "/api/metaapi/parsings/{}",
    "groupId": BASE + "/_groups/{}",
}


@pytest.mark.parametrize("place", PLACES)
async def test_names(site: Site, place: str) -> None:
    """1 to 64 of A-Z a-z 0-9 _ -, everywhere."""
    for name in NAMES:
        answer = await site.ask("GET", PLACES[place].format(quote(name, safe="")))
        assert is_error(answer, 400, "bad_request"), name
        assert place in answer[1]["error"]["message"]


INTEGERS = ["x", "1.5", "", "1e3", "²", "0x10", "1_000", " 1", "9" * 400, "-" + "9" * 400, "nan"]


@pytest.mark.parametrize("name", ["from", "to", "points", "version"])
async def test_integers(site: Site, name: str) -> None:
    """Plain decimal ones that a clock can reach."""
    place = "/api/metaapi/parsings/demo" if name == "version" else f"{BASE}/DUCO_001/history"
    for value in INTEGERS:
        answer = await site.ask("GET", place, params={"fields": "speed", name: value})
        assert is_error(answer, 400, "bad_request"), value
        assert name in answer[1]["error"]["message"]


# query → the word that the message must have
DETAIL = {
    "resolution=minute": "minute",
    "resolution=": "''",
    "stats=median": "median",
    "stats=min,,Max": "Max",
    "stats=min&resolution=full": "stats",
}


async def test_detail(site: Site) -> None:
    """Resolutions and stats that there are, and that go together."""
    for query, word in DETAIL.items():
        answer = await site.ask("GET", f"{BASE}/DUCO_001/history?fields=speed&{query}")
        assert is_error(answer, 400, "bad_request"), query
        assert word in answer[1]["error"]["message"]


BODIES = [b"", b"{", b"null", b"\xff", b"[" * 100_000, b'"text"', b'{"tenant":1}', b'{"tenant":"\\ud800"}']


async def test_bodies(site: Site) -> None:
    """Whatever is no JSON of the right form."""
    for body in BODIES:
        async with site.session.put("/api/metaapi/devices/D1", data=body) as response:
            assert is_error((response.status, await response.json()), 400, "bad_request"), body[:20]


@pytest.mark.parametrize("size", [0, 1000, 256 * 1024, 256 * 1024 + 1, 1_000_000])
async def test_an_answer_that_is_json(size: int) -> None:
    """A large one comes in pieces, which the asker does not see: it is told the length."""
    text = bytes(i % 251 for i in range(size))

    async def answer(_: web.BaseRequest) -> web.Response:
        return reply_text(text)

    async with (
        RawTestServer(answer) as server,
        ClientSession() as session,
        session.get(server.make_url("/")) as response,
    ):
        assert (response.content_type, response.content_length) == ("application/json", size)
        assert await response.read() == text


async def test_now_by_the_devices_clock() -> None:
    """Where its newest arrival shows that it is off; one that is still to come shows that ours was."""
    store, peer, hour_ms = ListStore(), Peer("duco", "D", "vehicle_can"), 3_600_000
    assert await device_now_ms(store, peer, NOW_MS) == NOW_MS
    for received_ms, ts_ms, now_ms in (
        (NOW_MS, NOW_MS - 1000 - hour_ms, NOW_MS - hour_ms),
        (NOW_MS, NOW_MS - 1000 + hour_ms, NOW_MS + hour_ms),
        (NOW_MS, NOW_MS - 3000, NOW_MS),
        (NOW_MS + hour_ms, NOW_MS - 1000, NOW_MS),
    ):
        store.seen[peer] = LastSeen(ts_ms, received_ms, 1, True, received_ms)
        assert await device_now_ms(store, peer, NOW_MS) == now_ms
