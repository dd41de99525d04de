"""Tokens over HTTP: who may make, see and take back which, and that a secret is told once."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from structlog.testing import capture_logs

from duco_rt.app_access import token_routes
from duco_rt.config import Web
from duco_rt.errors import BadRequest
from duco_rt.rights import Identity, Role, read_token
from duco_rt.seeing.metrics import Metrics
from duco_rt.transports.meta_sqlite import SqliteMeta
from duco_rt.web.access.authentication import REFUSED, Authentication
from duco_rt.web.access.door import Door, no_device
from duco_rt.web.access.tokens import DAYS_MAX, may_give, mint, new_token
from duco_rt.web.server import Server, listen
from tests.web.conftest import NOW_MS, SetClock, is_error

KEY = "k" * 43
DAY_MS = 86_400_000
TOKENS, CREDENTIALS = "/api/metaapi/tokens", "/api/metaapi/credentials"


class Place:
    """A MetaAPI with the routes of tokens alone."""

    def __init__(self, folder: Path) -> None:
        self.clock = SetClock()
        self.meta = SqliteMeta(folder / "meta.sqlite", self.clock)
        self.texts: list[str] = []
        self.session: aiohttp.ClientSession

    async def serve(self, stack: AsyncExitStack) -> None:
        """As long as the stack."""
        await self.meta.open()
        stack.push_async_callback(self.meta.close)
        config = Web(port=0, auth="tokens")
        authentication = self.authentication = Authentication(config, self.meta, KEY, self.clock)
        table = token_routes(self.meta, authentication, self.clock)
        door = Door(config, authentication, no_device)
        listening = stack.enter_context(listen(config))
        server = Server(config, listening, table, door, metrics=Metrics(), clock=self.clock)
        await server.start()
        stack.push_async_callback(server.close)
        self.session = await stack.enter_async_context(aiohttp.ClientSession(server.url))

    async def ask(self, method: str, path: str, bearer: str, body: object = None) -> tuple[int, Any]:
        """Status and JSON."""
        headers = {"Authorization": f"Bearer {bearer}"}
        async with self.session.request(method, path, json=body, headers=headers) as response:
            return response.status, await response.json()

    async def make(self, bearer: str, name: str, **grants: str) -> tuple[str, str]:
        """Id and text of a new token."""
        self.clock.now_s += 0.001  # tokens are listed in the order in which they were made
        status, made = await self.ask("POST", TOKENS, bearer, {"name": name, "grants": grants})
        assert status == 201, made
        self.texts.append(made["token"])
        return made["id"], made["token"]

    async def listed(self, bearer: str, tenant: str | None = None) -> list[tuple[str, dict[str, str]]]:
        """Names and roles of what one sees."""
        status, found = await self.ask("GET", TOKENS + (f"?tenant={tenant}" if tenant else ""), bearer)
        assert status == 200, found
        for row in found["tokens"]:
            assert set(row) == {"id", "name", "grants", "created", "expires"}
        return [(row["name"], row["grants"]) for row in found["tokens"]]


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    """No token yet; the local key is good."""
    opened = Place(tmp_path)
    async with AsyncExitStack() as stack:
        await opened.serve(stack)
        yield opened


@pytest.mark.servers
async def test_a_token_is_told_once_and_is_good_at_once(place: Place) -> None:
    """Its maker gets it; nobody else ever, and MetaAPI keeps what checks it alone."""
    asked = {"name": "anna", "grants": {"duco": "admin"}, "days": 90}
    status, made = await place.ask("POST", TOKENS, KEY, asked)
    assert status == 201
    text = made.pop("token")
    token_id, secret = read_token(text) or ("", "")
    expected = {"id": token_id, "name": "anna", "grants": {"duco": "admin"}, "created": NOW_MS}
    assert made == {**expected, "expires": NOW_MS + 90 * DAY_MS}
    status, found = await place.ask("GET", TOKENS, KEY)
    assert (status, found) == (200, {"tokens": [made]})
    kept = await place.meta.credential(token_id)
    assert kept is not None and kept.is_secret(secret) and kept.digest not in json.dumps(found)
    assert await place.listed(text, "duco") == [("anna", {"duco": "admin"})]
    place.clock.now_s += 90 * 86_400
    assert is_error(await place.ask("GET", f"{TOKENS}?tenant=duco", text), 401, "unauthorized")


@pytest.mark.servers
async def test_an_admin_gives_what_it_has(place: Place) -> None:
    """Roles in its own tenants; in all of them only who has that itself, and service and monitor only a service."""
    _, duco = await place.make(KEY, "duco", duco="admin")
    _, two = await place.make(KEY, "two", duco="admin", other="operator")
    _, every = await place.make(KEY, "every", **{"*": "admin"})
    _, service = await place.make(KEY, "service", **{"*": "service"})
    for role in ("viewer", "operator", "admin"):
        for bearer in (duco, two, every, service):
            await place.make(bearer, "x", duco=role)
        for bearer in (every, service):
            await place.make(bearer, "x", duco=role, somewhere=role)
            await place.make(bearer, "x", **{"*": role})
    forbidden = [(duco, {"other": "viewer"}), (two, {"other": "viewer"}), (duco, {"duco": "viewer", "other": "viewer"})]
    forbidden += [(bearer, {"*": role}) for bearer in (duco, two) for role in ("viewer", "admin")]
    forbidden += [(bearer, {"*": role}) for bearer in (duco, two, every) for role in ("service", "monitor")]
    count = len(await place.meta.tokens())
    for bearer, grants in forbidden:
        answer = await place.ask("POST", TOKENS, bearer, {"name": "x", "grants": grants})
        assert is_error(answer, 403, "forbidden"), (grants, answer)
    assert len(await place.meta.tokens()) == count
    await place.make(service, "metrics", **{"*": "monitor"})
    _, operator = await place.make(KEY, "operator", duco="operator")
    assert is_error(
        await place.ask("POST", TOKENS, operator, {"name": "x", "grants": {"duco": "viewer"}}), 403, "forbidden"
    )


@pytest.mark.servers
async def test_an_admin_sees_those_of_its_tenant(place: Place) -> None:
    """With the roles in it alone: which other tenants there are is not told."""
    _, duco = await place.make(KEY, "duco", duco="admin")
    await place.make(KEY, "both", duco="viewer", other="admin")
    await place.make(KEY, "foreign", other="viewer")
    await place.make(KEY, "studio", **{"*": "service"})
    _, every = await place.make(KEY, "every", **{"*": "admin"})
    seen = [("duco", {"duco": "admin"}), ("both", {"duco": "viewer"})]
    assert await place.listed(duco, "duco") == seen
    assert is_error(await place.ask("GET", f"{TOKENS}?tenant=other", duco), 404, "not_found")
    assert is_error(await place.ask("GET", TOKENS, duco), 403, "forbidden")
    assert len(await place.listed(every)) == 5
    assert await place.listed(every, "other") == [
        ("both", {"duco": "viewer", "other": "admin"}),
        ("foreign", {"other": "viewer"}),
    ]


@pytest.mark.servers
async def test_who_may_take_a_token_back(place: Place) -> None:
    """Who could have given it; to everybody else it is the very same as one that is not there."""
    _, duco = await place.make(KEY, "duco", duco="admin")
    _, every = await place.make(KEY, "every", **{"*": "admin"})
    both, _ = await place.make(KEY, "both", duco="viewer", other="viewer")
    service, _ = await place.make(KEY, "studio", **{"*": "service"})
    mine, text = await place.make(duco, "mine", duco="viewer")
    session, _ = mint("session", "mine", {"duco": "viewer"}, NOW_MS, NOW_MS + DAY_MS, mine)
    await place.meta.add_credential(session)
    for hidden, bearer in ((both, duco), (service, duco), (service, every), ("0" * 16, duco)):
        answer = await place.ask("DELETE", f"{TOKENS}/{hidden}", bearer)
        assert answer == (404, {"error": {"code": "not_found", "message": f"token '{hidden}' is not known"}})
    for odd in ("x", "0" * 17, "%00", "a%2Fb"):
        assert is_error(await place.ask("DELETE", f"{TOKENS}/{odd}", KEY), 404, "not_found")
    assert await place.meta.credential(both) is not None and await place.meta.credential(service) is not None
    assert await place.ask("DELETE", f"{TOKENS}/{mine}", duco) == (200, {})
    assert await place.meta.credential(session.id) is None
    refused = await place.ask("GET", TOKENS, text)
    assert refused == (401, {"error": {"code": "unauthorized", "message": REFUSED}})
    assert await place.ask("DELETE", f"{TOKENS}/{both}", every) == (200, {})
    assert await place.ask("DELETE", f"{TOKENS}/{service}", KEY) == (200, {})


@pytest.mark.servers
async def test_one_that_was_used_is_refused_at_once(place: Place) -> None:
    """Where it was taken back, nobody waits for the refresh."""
    token_id, text = await place.make(KEY, "anna", duco="admin")
    assert await place.listed(text, "duco")
    await place.ask("DELETE", f"{TOKENS}/{token_id}", KEY)
    assert is_error(await place.ask("GET", f"{TOKENS}?tenant=duco", text), 401, "unauthorized")


@pytest.mark.servers
async def test_the_audit_log_says_what_was_done(place: Place) -> None:
    """Made and taken back: by whom, which, with which roles; never a secret, nor what checks one."""
    with capture_logs() as lines:
        token_id, text = await place.make(KEY, "anna", duco="viewer", other="admin")
        await place.ask("POST", TOKENS, text, {"name": "x", "grants": {"duco": "viewer"}})
        await place.ask("DELETE", f"{TOKENS}/{token_id}", KEY)
    made, refused, removed = [line for line in lines if line["event"] == "audit"]
    for line in (made, removed):
        assert line["event_kind"] == "token" and line["result"] == "done" and line["who"] == "local"
        assert (line["token_id"], line["token_name"], line["roles"]) == (token_id, "anna", "duco:viewer other:admin")
    assert refused["result"] == "denied" and refused["credential"] == token_id
    said = json.dumps(lines)
    assert text not in said and (read_token(text) or ("", ""))[1] not in said and KEY not in said


BAD: dict[str, object] = {
    "no name": {"grants": {"duco": "viewer"}},
    "an empty name": {"name": "", "grants": {"duco": "viewer"}},
    "a long name": {"name": "x" * 65, "grants": {"duco": "viewer"}},
    "a name of two lines": {"name": "a\nb", "grants": {"duco": "viewer"}},
    "a name with a space in front": {"name": " a", "grants": {"duco": "viewer"}},
    "no roles": {"name": "a", "grants": {}},
    "too many roles": {"name": "a", "grants": {f"t{n}": "viewer" for n in range(101)}},
    "a role that there is not": {"name": "a", "grants": {"duco": "owner"}},
    "service in one tenant": {"name": "a", "grants": {"duco": "service"}},
    "monitor in one tenant": {"name": "a", "grants": {"duco": "monitor"}},
    "a tenant's name": {"name": "a", "grants": {"a b": "viewer"}},
    "no tenant": {"name": "a", "grants": {"": "viewer"}},
    "no days": {"name": "a", "grants": {"duco": "viewer"}, "days": 0},
    "many days": {"name": "a", "grants": {"duco": "viewer"}, "days": DAYS_MAX + 1},
    "days as text": {"name": "a", "grants": {"duco": "viewer"}, "days": "90"},
    "something else": {"name": "a", "grants": {"duco": "viewer"}, "expires": 1},
    "a list": [1],
}


@pytest.mark.servers
async def test_what_cannot_be_a_token(place: Place) -> None:
    """Is refused with words, and nothing is kept."""
    for case, body in BAD.items():
        assert is_error(await place.ask("POST", TOKENS, KEY, body), 400, "bad_request"), case
    assert await place.meta.tokens() == []


@pytest.mark.servers
async def test_credentials_are_for_other_processes(place: Place) -> None:
    """Only a service reads, keeps and removes them; what is kept must be able to be one."""
    _, every = await place.make(KEY, "every", **{"*": "admin"})
    _, service = await place.make(KEY, "studio", **{"*": "service"})
    kept, _ = mint("session", "anna", {"duco": "viewer"}, NOW_MS, NOW_MS + DAY_MS)
    one, body = f"{CREDENTIALS}/{kept.id}", msgspec.to_builtins(kept)
    for method, path in (("GET", one), ("POST", CREDENTIALS), ("DELETE", one)):
        assert is_error(await place.ask(method, path, every, body), 403, "forbidden")
    assert is_error(await place.ask("GET", one, service), 404, "not_found")
    assert await place.ask("POST", CREDENTIALS, service, body) == (201, {})
    assert await place.ask("GET", one, service) == (200, body)
    assert is_error(await place.ask("POST", CREDENTIALS, service, body), 409, "conflict")
    for wrong in ({"id": "x"}, {"digest": "x"}, {"grants": {"duco": "owner"}}, {"kind": "jwt"}, {"created_ms": "x"}):
        assert is_error(await place.ask("POST", CREDENTIALS, service, {**body, **wrong}), 400, "bad_request"), wrong
    assert await place.ask("DELETE", one, service) == (200, {})
    assert is_error(await place.ask("DELETE", one, service), 404, "not_found")


def test_what_is_minted() -> None:
    """Text and credential belong together, and two are never the same."""
    (first, text), (second, other) = (new_token("anna", {"duco": "viewer"}, 1, NOW_MS) for _ in range(2))
    token_id, secret = read_token(text) or ("", "")
    assert (first.id, first.expires_ms) == (token_id, NOW_MS + DAY_MS) and first.is_secret(secret)
    assert first.id != second.id and text != other and not second.is_secret(secret)
    assert secret not in repr(first)
    with pytest.raises(BadRequest, match="name 'a\\\\x00'"):
        new_token("a\0", {"duco": "viewer"}, None, NOW_MS)


GIVES: list[tuple[dict[str, Role], dict[str, Role], bool]] = [
    ({"a": "admin"}, {"a": "admin"}, True),
    ({"a": "operator"}, {"a": "viewer"}, False),
    ({"a": "admin"}, {"a": "viewer", "b": "viewer"}, False),
    ({"a": "admin", "b": "admin"}, {"a": "viewer", "b": "viewer"}, True),
    ({"a": "admin", "*": "viewer"}, {"*": "viewer"}, False),
    ({"*": "admin"}, {"*": "admin", "b": "viewer"}, True),
    ({"*": "admin"}, {"*": "monitor"}, False),
    ({"*": "service"}, {"*": "service"}, True),
]


@pytest.mark.parametrize(("own", "given", "expected"), GIVES)
def test_who_may_give_what(own: dict[str, Role], given: dict[str, Role], expected: bool) -> None:
    """Never more than one has."""
    assert may_give(Identity("x", "token", own), given) is expected
