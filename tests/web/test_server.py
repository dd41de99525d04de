"""The server's door and its errors: foreign callers stay out, every error has the same form."""

from __future__ import annotations

import socket
from os import getpid
from typing import Any

import pytest

from duco_rt.app import static_folder
from duco_rt.config import Web
from duco_rt.errors import ConfigError
from duco_rt.web.server import listen
from tests.web.conftest import BASE, Site, is_error

FOREIGN_HOSTS = [
    "example.com",
    "example.com:8080",
    "127.0.0.1.example.com",
    "0.0.0.0",
    "[::1",
    "",
    "[bad]",
    "192.168.1.5:8080",
]
FOREIGN_ORIGINS = ["http://example.com", "null", "http://127.0.0.1:1", "http://[bad", "", "http://localhost"]
PLACES = ["/healthz", "/api/metaapi/devices", f"{BASE}/DUCO_001/live", "/nowhere", "/"]


@pytest.mark.parametrize("host", FOREIGN_HOSTS)
async def test_a_foreign_host_is_refused(site: Site, host: str) -> None:
    """Everywhere: a name that another page made point here is not this machine."""
    for place in PLACES:
        assert is_error(await site.ask("GET", place, headers={"Host": host}), 403, "foreign_host")


@pytest.mark.parametrize("origin", FOREIGN_ORIGINS)
async def test_a_foreign_origin_is_refused(site: Site, origin: str) -> None:
    """No other page acts for the user, nor reads."""
    device = await site.device()
    body = {"methodName": "setRealTimeUpload", "payload": {"action": "start", "commandId": "c"}}
    headers = {"Origin": origin}
    place = "/api/iothubs/ducohub/devices/DUCO_001/methods"
    assert is_error(await site.ask("POST", place, body, headers=headers), 403, "foreign_origin")
    assert is_error(await site.ask("GET", f"{BASE}/DUCO_001/live", headers=headers), 403, "foreign_origin")
    assert device.calls == []


async def test_its_own_page_and_this_machines_names_are_let_in(site: Site) -> None:
    """With Origin and without; by number or name."""
    port = site.url.rsplit(":", 1)[1]
    for host in (f"127.0.0.1:{port}", f"localhost:{port}", f"[::1]:{port}", "localhost"):
        headers = {"Host": host, "Origin": f"http://{host}"}
        assert (await site.ask("GET", "/healthz", headers=headers))[0] == 200
        assert (await site.ask("GET", "/healthz", headers={"Host": host}))[0] == 200


ERRORS: dict[str, tuple[str, str, dict[str, Any], int, str]] = {
    "no route": ("GET", "/nowhere", {}, 404, "no_such_route"),
    "outside of the page": ("GET", "/../duco_rt/app.py", {}, 404, "no_such_route"),
    "method": ("DELETE", "/healthz", {}, 405, "method_not_allowed"),
    "method of a dataset": ("POST", f"{BASE}/DUCO_001/history", {}, 405, "method_not_allowed"),
    "too large": ("PUT", "/api/metaapi/parsings/p", {"data": b"x" * 300_000}, 413, "request_entity_too_large"),
    "no WebSocket": ("GET", f"{BASE}/DUCO_001/live", {}, 400, "bad_request"),
    "unknown device": ("GET", "/api/metaapi/devices/D9", {}, 404, "not_found"),
    "bad body": ("PUT", "/api/metaapi/devices/D9", {"data": b"{"}, 400, "bad_request"),
}


@pytest.mark.parametrize("case", ERRORS)
async def test_every_error_has_the_same_form(site: Site, case: str) -> None:
    """The right status, a code and a message."""
    method, path, more, status, code = ERRORS[case]
    async with site.session.request(method, path, **more) as response:
        assert response.content_type == "application/json"
        assert is_error((response.status, await response.json()), status, code)


async def test_405_says_what_is_allowed(site: Site) -> None:
    """As HTTP wants it."""
    async with site.session.delete("/healthz") as response:
        assert {name.strip() for name in response.headers["Allow"].split(",")} >= {"GET"}


async def test_a_failure_inside_says_nothing_of_the_inside(site: Site) -> None:
    """500 in the same form; a transport that fails is 503."""
    await site.meta.close()
    assert is_error(await site.ask("GET", "/api/metaapi/devices"), 503, "unavailable")

    async def broken(_: str) -> Any:
        raise RuntimeError("secret")

    site.store.last_seen = broken  # type: ignore[method-assign, assignment]  # a mistake of ours, somewhere
    answer = await site.ask("GET", BASE)
    assert is_error(answer, 500, "internal")
    assert "secret" not in answer[1]["error"]["message"]


async def test_the_page(site: Site) -> None:
    """The index at the root, its files beside it; nothing of others may come in, and no inline style."""
    if static_folder() is None:
        pytest.skip("the page's files are not there")
    async with site.session.get("/") as response:
        assert (response.status, response.content_type) == (200, "text/html")
        policy = response.headers["Content-Security-Policy"]
        assert {"default-src 'none'", "script-src 'self'", "style-src 'self'"} <= set(policy.split("; "))
        assert "unsafe" not in policy
    async with site.session.get("/main.js") as response:
        assert response.status == 200


def test_a_port_that_is_taken() -> None:
    """The error names key and value, and who has it; 0 takes a free one."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(
            ConfigError, match=rf"web\.port = {port}: cannot listen on 127\.0\.0\.1: .*process {getpid()}, "
        ):
            listen(Web(port=port))
    with listen(Web(port=0)) as free:
        assert free.getsockname()[1] > 0
