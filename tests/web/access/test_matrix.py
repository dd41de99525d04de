"""Every route, asked by everybody: what each answers follows from `needs.py`, by a rule of this file's own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import pytest

from duco_rt.config import Web
from duco_rt.model import Device
from duco_rt.rights import Credential
from duco_rt.web.access.needs import NEEDS, Need
from tests.web.conftest import LOCAL_KEY, NOW_MS, Site

DBC = 'VERSION ""\nBU_: ECU\nBO_ 256 Key: 1 ECU\n SG_ Ignition : 0|1@1+ (1,0) [0|1] "" Vector__XXX\n'
GROUP = {"title": "Engine", "lines": [{"field": "speed"}]}
TOKEN_ID = "0123456789abcdef"
DIGEST = "0" * 64
COMMAND = {"commandId": "c1", "action": "start", "reason": "", "who": "v1", "state": "sent", "queued": NOW_MS}
LEDGER = {"chassisId": "DUCO_001", **COMMAND}
START = {"methodName": "setRealTimeUpload", "payload": {"action": "start", "commandId": "c9"}}

VALUES = {
    "tenant": "duco",
    "chassisId": "DUCO_001",
    "groupId": "g1",
    "name": "demo",
    "hub": "ducohub",
    "id": TOKEN_ID,
}


class Ask(NamedTuple):
    """How a route is asked for, and what it answers to who may ask."""

    status: int = 200
    body: object = None
    query: str = ""


_SIGN_IN = ("POST", "/sign-in")
_STUDIO = "/api/resources/{tenant}/_common/datasets"
_META = "/api/metaapi"
_LEDGER = f"{_META}/devices/{{chassisId}}"
_OF_TENANT = "?tenant=duco"

ASKS: dict[tuple[str, str], Ask] = {
    ("POST", "/api/restore"): Ask(400),  # of nothing
    _SIGN_IN: Ask(303),
    ("GET", "/sign-in/oidc"): Ask(303),
    ("GET", "/sign-in/oidc/back"): Ask(303),
    ("POST", "/sign-out"): Ask(303),
    ("GET", f"{_STUDIO}/{{chassisId}}/history"): Ask(query="?fields=speed"),
    ("GET", f"{_STUDIO}/{{chassisId}}/live"): Ask(101),
    ("POST", f"{_STUDIO}/_groups"): Ask(201, GROUP),
    ("PUT", f"{_STUDIO}/_groups/{{groupId}}"): Ask(body=GROUP),
    ("POST", "/api/reparse"): Ask(body={"device": "DUCO_001", "from": NOW_MS, "to": NOW_MS + 1000}),
    ("POST", "/api/iothubs/{hub}/devices/{chassisId}/methods"): Ask(409, START),  # the device is not on the hub
    ("GET", f"{_META}/devices"): Ask(query=_OF_TENANT),
    ("GET", f"{_META}/presence"): Ask(query=_OF_TENANT),
    ("PUT", f"{_META}/devices/{{chassisId}}"): Ask(body={"tenant": "duco", "parsing": "demo"}),
    ("PUT", f"{_META}/parsings/{{name}}"): Ask(body={"files": [{"name": "a.dbc", "text": DBC}]}),
    ("GET", f"{_META}/groups"): Ask(query=_OF_TENANT),
    ("POST", f"{_META}/groups"): Ask(201, GROUP, _OF_TENANT),
    ("GET", f"{_META}/groups/{{groupId}}"): Ask(query=_OF_TENANT),
    ("PUT", f"{_META}/groups/{{groupId}}"): Ask(body=GROUP, query=_OF_TENANT),
    ("DELETE", f"{_META}/groups/{{groupId}}"): Ask(query=_OF_TENANT),
    ("GET", f"{_META}/tokens"): Ask(query=_OF_TENANT),
    ("POST", f"{_META}/tokens"): Ask(201, {"name": "new", "grants": {"duco": "viewer"}}),
    ("POST", f"{_META}/credentials"): Ask(
        201,
        {
            "id": "f" * 16,
            "kind": "token",
            "name": "x",
            "grants": {"duco": "viewer"},
            "digest": DIGEST,
            "created_ms": NOW_MS,
        },
    ),
    ("POST", f"{_LEDGER}/commands"): Ask(body=LEDGER),
    ("PUT", f"{_LEDGER}/commands"): Ask(body={**LEDGER, "state": "expired"}, query="?was=sent"),
    ("PUT", f"{_LEDGER}/acknowledged"): Ask(body={"ms": NOW_MS}),
    ("POST", f"{_META}/commands"): Ask(body={"commands": [{**LEDGER, "state": "leased"}]}),
}
"""Of all others: 200, without a body."""

OTHERS = {
    ("GET", "/api/session"): 200,  # is about who asks
    ("POST", f"{_META}/tokens"): 403,  # what is asked for is named in the body, and nothing is told by it
    ("PUT", f"{_META}/parsings/{{name}}"): 409,  # a name can be had once
}
"""What of scope `anywhere` an admin of another tenant gets, where it is not 404."""

RANKS = ["monitor", "viewer", "operator", "admin", "service"]


def expected(route: tuple[str, str], need: Need, who: str) -> int:
    """The status, by the words of `needs.py` and docs/security.md."""
    good = ASKS.get(route, Ask()).status
    if need.scope == "open":
        return good
    if who in ("nobody", "garbage", "ended"):
        return 401
    if who == "service":
        return good
    if who == "stranger":
        if need.scope == "all":
            return 403
        return OTHERS.get(route, 404) if need.scope == "anywhere" else 404
    if need.scope == "all":
        return 403
    return good if RANKS.index(who) >= RANKS.index(need.role) else 403


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    """With tokens."""
    async with Site(tmp_path, Web(port=0, auth="tokens", denied_per_s_max=1000)).running() as running:
        yield running


async def askers(site: Site) -> dict[str, dict[str, str]]:
    """Everybody, with what they send."""
    return {
        "nobody": {},
        "garbage": {"Authorization": "Bearer duco_0000000000000000_" + "x" * 43},
        "ended": await site.token("ended", {"*": "service"}, ends_ms=NOW_MS - 1),
        "stranger": await site.token("stranger", other="admin"),
        "viewer": await site.token("viewer", duco="viewer"),
        "operator": await site.token("operator", duco="operator"),
        "admin": await site.token("admin", duco="admin"),
        "service": await site.token("service", {"*": "service"}),
    }


async def prepare(site: Site) -> None:
    """The things that routes are about, as no request before can have left them."""
    await site.meta.put_device(Device("DUCO_001", "duco", "Wheel loader", "demo"))
    await site.meta.put_group("duco", {"groupId": "g1", **GROUP, "msgType": "vehicle_can", "order": 0})
    if await site.meta.credential(TOKEN_ID) is None:
        token = Credential(TOKEN_ID, "token", "t", {"duco": "viewer"}, DIGEST, NOW_MS)
        await site.meta.add_credential(token)
    if await site.meta.credential("f" * 16) is not None:
        await site.meta.remove_credential("f" * 16)


def address(path: str, **others: str) -> str:
    """A route's path with its values."""
    return "/main.js" if path == "page" else path.format(**{**VALUES, **others})


async def answer(site: Site, route: tuple[str, str], headers: Mapping[str, str], path: str = "") -> tuple[int, str]:
    """Status and code of the error, with everything that a page of ours sends."""
    ask, own = ASKS.get(route, Ask()), {**headers, "Origin": site.url}
    path = path or address(route[1]) + ask.query
    if route[1].endswith("/live"):
        try:
            async with site.session.ws_connect(path, headers=own):
                return 101, ""
        except aiohttp.WSServerHandshakeError as e:
            return e.status, ""
    more: dict[str, Any] = {"allow_redirects": False}
    if ask.body is not None:
        more["json"] = ask.body
    if route == _SIGN_IN:
        more["data"] = {"token": (await site.token("form", duco="viewer"))["Authorization"].partition(" ")[2]}
    async with site.session.request(route[0], path, headers=own, **more) as response:
        is_error = response.status >= 400 and response.content_type == "application/json"
        return response.status, (await response.json())["error"]["code"] if is_error else ""


CODES = {401: "unauthorized", 403: "forbidden", 404: "not_found"}


async def test_everybody_at_every_route(site: Site) -> None:
    """Each cell of routes and people: its status, and the code that goes with it."""
    wrong = []
    people = await askers(site)
    for route, need in NEEDS.items():
        for who, headers in people.items():
            await prepare(site)
            found, code = await answer(site, route, headers)
            status = expected(route, need, who)
            is_right = found == status and (not code or CODES.get(status, code) == code)
            if not is_right:
                wrong.append(f"{route[0]} {route[1]} as {who}: {found} {code}, not {status}")
    assert not wrong, "\n".join(wrong)


async def test_head_needs_what_get_needs(site: Site) -> None:
    """Of every route that can be read."""
    people = await askers(site)
    for (method, path), need in NEEDS.items():
        if method == "GET" and not path.endswith("/live") and need.scope != "open":
            ask = ASKS.get((method, path), Ask())
            await prepare(site)
            for who in ("nobody", "stranger", "viewer"):
                place = address(path) + ask.query
                async with site.session.head(place, headers=people[who], allow_redirects=False) as response:
                    assert response.status == expected((method, path), need, who), (path, who)


async def test_the_keys_of_the_machine_itself(site: Site) -> None:
    """The local key may everything; it is the command line's."""
    wrong = []
    for route in NEEDS:
        await prepare(site)
        found, code = await answer(site, route, {"Authorization": f"Bearer {LOCAL_KEY}"})
        if found >= 500 or found in (401, 403):
            wrong.append(f"{route[0]} {route[1]}: {found} {code}")
    assert not wrong, "\n".join(wrong)


UNKNOWN = {"tenant": "docu", "chassisId": "DUCO_999", "groupId": "g9", "name": "dome", "id": "fedcba9876543210"}
"""As long as `VALUES`, and nowhere."""


async def test_what_is_another_tenants_is_not_there(site: Site) -> None:
    """Byte for byte the same answer as to what does not exist, with a name of the same length in it."""
    stranger = await site.token("stranger", other="admin")
    compared = 0
    for (method, path), need in NEEDS.items():
        if need.scope not in ("tenant", "query", "device", "anywhere") or "{" not in path or path.endswith("/live"):
            continue
        await prepare(site)
        ask = ASKS.get((method, path), Ask())
        told = []
        for values in (VALUES, UNKNOWN):
            place = path.format(**{**values, "hub": "ducohub"}) + ask.query.replace("duco", values["tenant"])
            body = ask.body
            if method == "PUT" and values is UNKNOWN and need.scope == "anywhere":
                continue  # it would be made
            async with site.session.request(method, place, headers=stranger, json=body) as response:
                headers = {name: value for name, value in response.headers.items() if name != "Date"}
                text = await response.text()
                for key, value in VALUES.items():
                    text = text.replace(UNKNOWN.get(key, value), value)
                told.append((response.status, headers, text))
        assert told[0][0] == OTHERS.get((method, path), 404), path
        assert len(told) == 1 or told[0] == told[1], (method, path)
        compared += len(told) == 2
    assert compared > 15


async def test_the_reading_of_a_foreign_machine_again_is_that_of_an_unknown_one(site: Site) -> None:
    """Whatever else is wrong with the question."""
    stranger = await site.token("stranger", other="admin")
    for body in ({"from": NOW_MS, "to": NOW_MS}, {"from": "soon", "to": -1}):
        told = []
        for device in ("DUCO_001", "DUCO_999"):
            found = await site.ask("POST", "/api/reparse", {"device": device, **body}, headers=stranger)
            told.append((found[0], found[1]["error"]["message"].replace("DUCO_999", "DUCO_001")))
        assert told[0] == told[1] == (404, "device 'DUCO_001' is not known")
