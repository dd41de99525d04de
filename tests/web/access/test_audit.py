"""The audit log: a line for what is done and for what is refused, and never a secret in it."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from duco_rt.config import Web
from duco_rt.seeing import logs
from duco_rt.web.access.audit import Refusals, open_log
from tests.web.conftest import BASE, LOCAL_KEY, Site
from tests.web.test_metaapi import FILES

METHODS = "/api/iothubs/ducohub/devices/DUCO_001/methods"

Lines = list[dict[str, Any]]


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    """With tokens."""
    async with Site(tmp_path, Web(port=0, auth="tokens")).running() as running:
        yield running


@pytest.fixture
def lines() -> Iterator[Lines]:
    """What the audit log got."""
    with capture_logs() as captured:
        yield captured  # type: ignore[misc]  # dicts


def audited(lines: Lines) -> Lines:
    """Those of the audit log, without what is always the same."""
    return [line for line in lines if line["event"] == "audit"]


def start(**more: object) -> dict[str, object]:
    """The body of a command."""
    return {"methodName": "setRealTimeUpload", "payload": {"action": "start", "commandId": "c1", **more}}


async def test_a_command_that_is_done(site: Site, lines: Lines) -> None:
    """Who, from where, what, on which machine, and how it ended."""
    who = await site.token("anna", duco="operator")
    await site.device()
    await site.ask("POST", METHODS, start(), headers=who)
    (line,) = audited(lines)
    credential = who["Authorization"].split("_")[1]
    assert line == {
        "event": "audit",
        "log_level": "info",
        "event_kind": "command",
        "who": "anna",
        "kind": "token",
        "credential": credential,
        "address": "127.0.0.1",
        "method": "POST",
        "path": METHODS,
        "tenant": "duco",
        "device": "DUCO_001",
        "methodName": "setRealTimeUpload",
        "action": "start",
        "commandId": "c1",
        "status": "200",
        "result": "done",
    }


async def test_what_is_refused(site: Site, lines: Lines) -> None:
    """With the reason that the asker is not told; wherever it is, with an event of its own or not."""
    viewer, other = await site.token("viewer", duco="viewer"), await site.token("other", other="admin")
    asks: list[tuple[str, str, dict[str, str], object]] = [
        ("POST", METHODS, viewer, start()),
        ("POST", METHODS, {}, start()),
        ("GET", BASE, other, None),
        ("GET", BASE, {"Host": "[bad"}, None),
        ("GET", BASE, {**viewer, "Origin": "http://evil.example"}, None),
        ("PUT", "/api/metaapi/parsings/demo", other, {"files": FILES}),
        ("GET", "/readyz", {"Authorization": "Bearer nonsense"}, None),
        ("GET", "/nowhere", {}, None),
    ]
    for method, path, headers, body in asks:
        await site.ask(method, path, body, headers=headers)
    told = [(line["event_kind"], line["reason"], line.get("status"), line["result"]) for line in audited(lines)]
    assert told == [
        ("command", "forbidden", "403", "denied"),
        ("command", "unauthorized", "401", "denied"),
        ("request", "foreign", "404", "denied"),
        ("request", "foreign_host", "403", "denied"),
        ("request", "foreign_origin", "403", "denied"),
        ("parsing", "foreign", "409", "denied"),
        ("request", "unauthorized", "200", "denied"),
    ]
    assert site.metrics.value("web_denied_total", reason="foreign") == 2
    assert site.metrics.value("web_denied_total", reason="unauthorized") == 2


async def test_what_fails_is_told_as_such(site: Site, lines: Lines) -> None:
    """With the code of the error."""
    admin = await site.token("admin", duco="admin")
    await site.ask("PUT", "/api/metaapi/parsings/p", {"files": []}, headers=admin)
    await site.ask("POST", METHODS, start(), headers=admin)
    told = [(line["event_kind"], line["result"], line["code"], line["tenant"]) for line in audited(lines)]
    assert told == [
        ("parsing", "failed", "bad_request", "duco"),
        ("command", "failed", "device_offline", "duco"),
    ]


async def test_a_heartbeat_is_not_in_it(site: Site, lines: Lines) -> None:
    """Nor what a studio renews for those who watch; it is for whom a studio asks that is."""
    await site.device()
    anna, studio = await site.token("anna", duco="operator"), await site.token("studio", {"*": "service"})
    for number in range(3):
        await site.ask("POST", METHODS, start(commandId=f"c{number}", viewerId="v1"), headers=anna)
    await site.ask("POST", METHODS, start(commandId="c4", reason="lease"), headers=studio)
    stop = start(action="stop", commandId="c5", askedBy="ben")
    await site.ask("POST", METHODS, stop, headers=studio)
    forged = start(action="stop", commandId="c6", askedBy="ben", reason="lease")
    await site.ask("POST", METHODS, forged, headers=anna)
    told = [(line["who"], line["commandId"], line.get("asked_by")) for line in audited(lines)]
    assert told == [("anna", "c0", None), ("studio", "c5", "ben"), ("anna", "c6", None)]


async def test_what_is_only_read_is_not_in_it(site: Site, lines: Lines) -> None:
    """Nor what is asked for by who need not say who they are."""
    viewer = await site.token("viewer", duco="viewer")
    for place in (BASE, f"{BASE}/_groups", "/healthz", "/readyz", "/api/session"):
        await site.ask("GET", place, headers=viewer)
    assert audited(lines) == []


async def test_signing_in_and_out(site: Site, lines: Lines) -> None:
    """Whose session it is; a wrong token says nobody's."""
    token = (await site.token("anna", duco="viewer"))["Authorization"].partition(" ")[2]
    own: dict[str, Any] = {"headers": {"Origin": site.url}, "allow_redirects": False}
    async with site.session.post("/sign-in", data={"token": token}, **own) as response:
        cookie = response.headers["Set-Cookie"].partition(";")[0]
    await site.session.post("/sign-in", data={"token": token[:-1]}, **own)
    own["headers"]["Cookie"] = cookie
    await site.session.post("/sign-out", **own)
    told = [(line["event_kind"], line["who"], line.get("kind"), line["result"]) for line in audited(lines)]
    assert told == [
        ("sign-in", "anna", "session", "done"),
        ("sign-in", "", None, "denied"),
        ("sign-out", "anna", "session", "done"),
    ]


async def test_no_secret_is_ever_in_it(site: Site, lines: Lines) -> None:
    """Not from headers, cookies, queries, paths and bodies, whether they belong there or not."""
    header = await site.token("anna", duco="admin")
    token = header["Authorization"].partition(" ")[2]
    secret = token.split("_", 2)[2]
    cookie = await site.session_of("operator")
    session = cookie["Cookie"].partition("=")[2].split("_", 2)[2]
    asks: list[tuple[str, str, dict[str, str], object]] = [
        ("POST", METHODS, header, start(reason=token)),
        ("POST", METHODS, header, start(commandId=token)),
        ("POST", METHODS, cookie, start()),
        ("GET", f"{BASE}?token={token}", {}, None),
        ("GET", f"/api/metaapi/parsings/{token}", {}, None),
        ("DELETE", f"/api/metaapi/tokens/{token}", header, None),
        ("GET", "/sign-in/oidc/back?code=issuers-one-time-code&state=x", {}, None),
        ("POST", "/api/metaapi/tokens", header, {"name": "b", "grants": {"duco": "viewer"}}),
        ("GET", "/metrics", {"Authorization": f"Bearer {LOCAL_KEY}x"}, None),
    ]
    made = ""
    for method, path, headers, body in asks:
        more: dict[str, Any] = {"headers": headers, "json": body, "allow_redirects": False}
        async with site.session.request(method, path, **more) as response:
            if path.endswith("/tokens"):
                made = (await response.json())["token"].split("_", 2)[2]
    text = json.dumps(audited(lines), default=str)
    assert len(audited(lines)) == 9 and "commandId" in text and made
    for each in (secret, made, LOCAL_KEY, "issuers-one-time-code", session):
        assert each not in text and each[:12] not in text


async def test_a_line_is_one_line(site: Site, lines: Lines) -> None:
    """Whatever somebody writes into a name, a path or an id; and not a long one."""
    who = await site.token("anna", duco="operator")
    await site.ask("POST", METHODS, start(commandId="c\n2026 audit who=root\x1b[2J"), headers=who)
    await site.ask("POST", f"/api/iothubs/{'h' * 2000}/devices/DUCO_001%0Aaudit/methods", start(), headers=who)
    for line in audited(lines):
        for value in line.values():
            assert value.isprintable() if isinstance(value, str) else value is not None
            assert len(str(value)) <= 200
    assert len(audited(lines)) == 2


async def test_the_level_of_the_log_does_not_switch_it_off(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    """An audit log that can be left out is none."""
    before, root = structlog.get_config(), (logging.getLogger().handlers[:], logging.getLogger().level)
    try:
        logs.configure("error", "json")
        open_log().info("audit", who="anna")
        structlog.get_logger().info("not this")
    finally:
        structlog.configure(**before)
        logging.getLogger().handlers[:], logging.getLogger().level = root[0], root[1]
    written = capsys.readouterr().err
    assert '"who": "anna"' in written and "not this" not in written


def test_a_flood_of_refusals_is_cut_short() -> None:
    """Twenty of one asker at once, then one a second; how many were left out is told."""
    refusals = Refusals()
    told = [refusals.next("a", 0.0) for _ in range(100)]
    assert told == [0] * 20 + [None] * 80
    assert refusals.next("b", 0.0) == 0
    assert [refusals.next("a", 1.0), refusals.next("a", 1.0)] == [80, None]
    assert refusals.next("a", 2.0) == 1


def test_a_flood_from_many_places_is_cut_short() -> None:
    """And leaves nothing behind: of names, a bounded number."""
    refusals = Refusals()
    written = [refusals.next(f"address {n}", 0.0) for n in range(10_000)].count(0)
    assert written == 200
    assert len(refusals._left_out) <= 1_000
    assert refusals.next("somebody", 1.0) == 0
