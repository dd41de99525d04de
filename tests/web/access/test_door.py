"""The door of a real server: without credentials, with wrong ones, with a cookie, from another page."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from duco_rt.config import Web
from duco_rt.errors import Forbidden, NotFound
from duco_rt.rights import Identity
from duco_rt.web.access.door import DENIED, IDENTITY, address_of, hidden, known_identity, no_device, require
from duco_rt.web.server import Server, listen
from tests.web.conftest import BASE, NOW_MS, Site, is_error

METHODS = "/api/iothubs/ducohub/devices/DUCO_001/methods"
START: dict[str, Any] = {"methodName": "setRealTimeUpload", "payload": {"action": "start", "commandId": "c"}}


@pytest.fixture
def web_config() -> Web:
    """A test may have its own."""
    return Web(port=0, auth="tokens")


@pytest.fixture
async def site(tmp_path: Path, web_config: Web) -> AsyncIterator[Site]:
    """With tokens."""
    async with Site(tmp_path, web_config).running() as running:
        yield running


async def test_who_has_no_credentials_is_told_what_to_do(site: Site) -> None:
    """401 as HTTP wants it."""
    for place in (BASE, "/metrics", "/api/session"):
        async with site.session.get(place) as response:
            answer = response.status, await response.json()
            assert response.headers["WWW-Authenticate"] == "Bearer"
        assert is_error(answer, 401, "unauthorized") and "token" in answer[1]["error"]["message"]


async def test_wrong_credentials_are_all_answered_alike(site: Site) -> None:
    """Whether a token is unknown, is over, was taken back, or is another's with a part of this one."""
    over = await site.token("over", duco="viewer", ends_ms=NOW_MS)
    good, gone = await site.token("good", duco="viewer"), await site.token("gone", duco="viewer")
    await site.meta.remove_credential(gone["Authorization"].split("_")[1])
    forged = {"Authorization": good["Authorization"][:-43] + "x" * 43}
    none = {"Authorization": "Bearer duco_0123456789abcdef_" + "x" * 43}
    told = set()
    for who in (over, gone, forged, none, {"Authorization": "Bearer nonsense"}, {"Authorization": "Bearer "}):
        async with site.session.get(BASE, headers=who) as response:
            told.add((response.status, await response.text()))
    assert [status for status, _ in told] == [401] * len(told) and len(told) <= 2  # none at all, and wrong ones
    assert (await site.ask("GET", BASE, headers=good))[0] == 200


async def test_what_is_not_there_needs_no_credentials(site: Site) -> None:
    """404 and 405 as everywhere; nothing is told by them."""
    assert is_error(await site.ask("GET", "/nowhere"), 404, "no_such_route")
    assert is_error(await site.ask("DELETE", BASE), 405, "method_not_allowed")
    for place in ("/healthz", "/readyz", "/", "/main.js", "/sign-in"):
        async with site.session.get(place, headers={"Authorization": "Bearer nonsense"}) as response:
            assert response.status == 200, place


async def test_too_low_a_role_is_told_which_one_is_needed(site: Site) -> None:
    """And where."""
    viewer = await site.token("viewer", duco="viewer")
    device = await site.device()
    answer = await site.ask("POST", METHODS, START, headers=viewer)
    assert is_error(answer, 403, "forbidden") and "operator in tenant 'duco'" in answer[1]["error"]["message"]
    assert device.calls == []
    answer = await site.ask("GET", "/metrics", headers=viewer)
    assert is_error(answer, 403, "forbidden") and "monitor in all tenants" in answer[1]["error"]["message"]
    answer = await site.ask("POST", "/api/reparse", {}, headers=viewer)
    assert is_error(answer, 403, "forbidden") and "admin in one tenant" in answer[1]["error"]["message"]
    operator = await site.token("operator", duco="operator")
    assert (await site.ask("POST", METHODS, START, headers=operator))[0] == 200


async def test_a_monitor_reads_metrics_alone(site: Site) -> None:
    """No machine is there for it."""
    monitor = await site.token("monitor", {"*": "monitor"})
    async with site.session.get("/metrics", headers=monitor) as response:
        assert response.status == 200
    for place in (BASE, "/api/metaapi/devices/DUCO_001", "/api/metaapi/devices/DUCO_999"):
        assert is_error(await site.ask("GET", place, headers=monitor), 404, "not_found")
    assert is_error(await site.ask("GET", "/api/metaapi/devices", headers=monitor), 403, "forbidden")


async def test_a_role_in_all_and_a_higher_one_in_a_tenant(site: Site) -> None:
    """The higher one counts."""
    who = await site.token("anna", {"*": "viewer", "duco": "operator"})
    assert is_error(await site.ask("POST", METHODS, START, headers=who), 409, "device_offline")
    assert is_error(
        await site.ask("POST", f"{BASE.replace('duco', 'other')}/_groups", {}, headers=who), 403, "forbidden"
    )


async def test_a_session_acts_from_our_own_page_alone(site: Site) -> None:
    """What a browser does with its cookie when another page makes it do so is refused."""
    cookie = await site.session_of("operator")
    device = await site.device()
    assert (await site.ask("GET", BASE, headers=cookie))[0] == 200
    refused: list[dict[str, str]] = [
        {},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Origin": "null"},
        {"Origin": site.url.replace("127.0.0.1", "localhost")},
    ]
    for more in refused:
        answer = await site.ask("POST", METHODS, START, headers={**cookie, **more})
        assert is_error(answer, 403, "foreign_origin"), more
    assert device.calls == []
    for more in ({"Origin": site.url}, {"Sec-Fetch-Site": "same-origin"}):
        assert (await site.ask("POST", METHODS, START, headers={**cookie, **more}))[0] == 200


async def test_a_sessions_websocket_comes_from_our_own_page_alone(site: Site) -> None:
    """It is a GET that browsers let any page make."""
    cookie, place = await site.session_of("viewer"), f"{BASE}/DUCO_001/live"
    for headers in (cookie, {**cookie, "Origin": "http://evil.example"}):
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await site.session.ws_connect(place, headers=headers)
        assert refused.value.status == 403
    async with site.session.ws_connect(place, headers={**cookie, "Origin": site.url}):
        pass
    async with site.session.ws_connect(place, headers=await site.token("script", duco="viewer")):
        pass


async def test_a_token_in_the_header_counts_before_the_cookie(site: Site) -> None:
    """No other page can send it, so it needs no Origin; one that is foreign is refused all the same."""
    both = {**await site.session_of("viewer"), **await site.token("script", duco="operator")}
    assert is_error(await site.ask("POST", METHODS, START, headers=both), 409, "device_offline")
    answer = await site.ask("POST", METHODS, START, headers={**both, "Origin": "http://evil.example"})
    assert is_error(answer, 403, "foreign_origin")


async def test_signing_in_and_out_is_for_our_own_page(site: Site) -> None:
    """Nobody is signed in, or out, by another one."""
    for place in ("/sign-in", "/sign-out"):
        for more in ({}, {"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
            async with site.session.post(place, data={"token": "x"}, headers=more) as response:
                assert is_error((response.status, await response.json()), 403, "foreign_origin")


@pytest.mark.parametrize("web_config", [Web(port=0, auth="tokens", public_url="https://duco.example.com")])
async def test_behind_a_public_address(site: Site) -> None:
    """Its name is asked for; by another one, by number, only who sends a token, and probes."""
    token, cookie = await site.token("anna", duco="viewer"), await site.session_of("operator")
    assert "__Host-" in cookie["Cookie"]
    public, inside = {"Host": "duco.example.com"}, {"Host": "10.1.2.3:8080"}
    assert (await site.ask("GET", BASE, headers={**cookie, **public}))[0] == 200
    assert is_error(await site.ask("GET", BASE, headers={**cookie, **inside}), 403, "foreign_host")
    assert (await site.ask("GET", BASE, headers={**token, **inside}))[0] == 200
    assert (await site.ask("GET", "/healthz", headers=inside))[0] == 200
    own = {**cookie, **public, "Origin": "https://duco.example.com"}
    assert is_error(await site.ask("POST", METHODS, START, headers=own), 409, "device_offline")
    other = {**own, "Origin": "http://duco.example.com"}
    assert is_error(await site.ask("POST", METHODS, START, headers=other), 403, "foreign_origin")
    async with site.session.get("/", headers=public) as response:
        assert response.headers["Strict-Transport-Security"].startswith("max-age=")
        policy = response.headers["Content-Security-Policy"]
        assert policy.endswith("frame-ancestors 'self' http://duco.example.com:* https://duco.example.com:*")
    async with site.session.get("/") as response:
        assert "Strict-Transport-Security" not in response.headers


async def test_a_metaapi_that_is_away_is_no_wrong_token(site: Site) -> None:
    """Who is not known yet comes again; what is open goes on."""
    token = await site.token("anna", duco="viewer")
    await site.meta.close()
    assert is_error(await site.ask("GET", BASE, headers=token), 503, "unavailable")
    async with site.session.get("/readyz", headers=token) as response:
        assert response.status in (200, 503)


async def test_every_answer_guards_itself(site: Site) -> None:
    """No sniffing; nothing is kept by caches but what has a tag."""
    token = await site.token("anna", duco="viewer")
    cached = {f"{BASE}/_groups": "no-cache", "/main.js": "no-cache", BASE: "no-store", "/nowhere": "no-store"}
    for place, expected in {**cached, "/healthz": "no-store", "/api/openapi.json": "no-store"}.items():
        async with site.session.get(place, headers=token) as response:
            headers = response.headers
            assert (headers["X-Content-Type-Options"], headers["Cache-Control"]) == ("nosniff", expected), place
            assert headers["Server"] == "duco_rt" and "Strict-Transport-Security" not in headers


def test_a_route_that_nobody_thought_of_is_not_served() -> None:
    """The server does not start, and says which."""

    async def handle(_: web.Request) -> web.Response:
        return web.Response()

    config = Web(port=0)
    with listen(config) as listening, pytest.raises(LookupError, match=r"/api/new: access/needs\.py"):
        Server(config, listening, [web.get("/api/new", handle)])


def test_a_server_without_its_door_does_not_start() -> None:
    """Where anybody has to be let in."""
    config = Web(port=0, auth="tokens")
    with listen(config) as listening, pytest.raises(ValueError, match="door"):
        Server(config, listening, [])


async def test_a_process_without_devices() -> None:
    """Knows none."""
    with pytest.raises(NotFound, match="'D1' is not known"):
        await no_device("D1")


def test_what_handlers_ask() -> None:
    """`require`: 404 for who is not there, 403 for who is and may not."""
    request = make_mocked_request("GET", "/")
    assert known_identity(request) is None
    request[IDENTITY] = Identity("anna", "token", {"duco": "viewer"})
    require(request, "viewer", "duco")
    with pytest.raises(Forbidden, match="admin in tenant 'duco'"):
        require(request, "admin", "duco")
    assert request[DENIED] == "forbidden"
    with pytest.raises(NotFound, match="tenant 'other' is not known"):
        require(request, "viewer", "other")
    with pytest.raises(NotFound, match="no such thing"):
        require(request, "viewer", "other", "no such thing")
    assert request[DENIED] == "foreign"
    assert str(hidden(request, "words")) == "words"
    assert address_of(request.clone(remote="192.0.2.1")) == "192.0.2.1"
