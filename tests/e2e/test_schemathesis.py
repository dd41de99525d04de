"""The running server against its own description: every answer is one of those that it names, of the shape that it
says; what the description forbids is refused; nothing ends in a 500."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import aiohttp
import jsonschema_rs
import pytest

from duco_rt.config import Web
from duco_rt.rights import Role
from tests.e2e.probing import Json, operations, probe
from tests.programs import program
from tests.web.conftest import Site

pytestmark = pytest.mark.timeout(300)

UNSERVED = frozenset({("POST", "/api/backup"), ("POST", "/api/restore")})
"""Not of the server of the tests; the program has them."""

SLOW = frozenset({("POST", "/api/backup")})
"""Each takes a second; tests/web/test_backup.py asks for it."""


@pytest.fixture
async def open_site(tmp_path: Path) -> AsyncIterator[Site]:
    """Without authentication, with a machine on the hub."""
    async with Site(tmp_path, Web(port=0, body_bytes_max=200_000)).running() as site:
        await site.device()
        yield site


@pytest.fixture
async def token_site(tmp_path: Path) -> AsyncIterator[Site]:
    """With tokens; so many requests as the probe sends are no flood."""
    web = Web(port=0, body_bytes_max=200_000, auth="tokens", requests_user_per_s_max=1e6, denied_per_s_max=1e6)
    async with Site(tmp_path, web).running() as site:
        await site.device()
        yield site


async def description(url: str) -> Json:
    """As the server gives it, to anybody."""
    async with aiohttp.ClientSession() as http, http.get(f"{url.rstrip('/')}/api/openapi.json") as response:
        assert response.status == 200 and response.content_type == "application/json"
        found: Json = await response.json()
        return found


@pytest.mark.long
async def test_a_server_for_its_own_machine(open_site: Site) -> None:
    """Everybody may do everything; quicker runs have a token that may, and the examples below."""
    whole = await description(open_site.url)
    found = await asyncio.to_thread(partial(probe, open_site.url, whole, without=UNSERVED))
    assert not found.problems, "\n".join(found.problems)
    assert found.requests > 1_000


@pytest.mark.parametrize("grants", [{"*": "service"}, pytest.param({"duco": "admin"}, marks=pytest.mark.long)])
async def test_a_server_with_tokens(token_site: Site, grants: dict[str, Role]) -> None:
    """Without a token, or with a wrong one, nothing that needs one is answered. Who may do everything gets the answers
    that the description has, and an admin of one tenant the errors, too."""
    whole = await description(token_site.url)
    header = await token_site.token("probe", grants)
    found = await asyncio.to_thread(partial(probe, token_site.url, whole, header, without=UNSERVED))
    assert not found.problems, "\n".join(found.problems)
    assert found.requests > 1_000


async def test_the_program(tmp_path: Path) -> None:
    """The examples of the description work on the demo, with answers of the shape that it says."""
    async with program(tmp_path / "data") as running, aiohttp.ClientSession() as http:
        whole = await description(running.url)
        await running.start_realtime(http)
        for (method, path), operation in operations(whole):
            if method == "GET" and not path.endswith("/live") and "credentials" not in path:
                await _check_example(http, running.url, path, operation, whole)


async def _check_example(http: aiohttp.ClientSession, url: str, path: str, operation: Json, whole: Json) -> None:
    query = {}
    for each in operation["parameters"]:
        if each["in"] == "path":
            path = path.replace(f"{{{each['name']}}}", each["example"])
        elif each["in"] == "query" and "example" in each:
            value = each["example"]
            query[each["name"]] = ",".join(value) if isinstance(value, list) else str(value)
    async with http.get(url.rstrip("/") + path, params=query) as response:
        assert response.status == 200, (path, await response.text())
        told = operation["responses"]["200"]["content"]
        assert response.content_type in told
        if response.content_type == "application/json":
            schema = {**told[response.content_type]["schema"], "components": whole["components"]}
            jsonschema_rs.validate(schema, json.loads(await response.text()))


@pytest.mark.long
@pytest.mark.timeout(3600)
async def test_the_program_for_long(tmp_path: Path) -> None:
    """The real store behind it, many random requests, and chains of requests that use what earlier ones answered."""
    limits = ("web.requests_user_per_s_max=1e6", "web.denied_per_s_max=1e6", "web.auth=tokens")
    async with program(tmp_path / "data", *limits) as running:
        key = json.loads((tmp_path / "data" / "lock").read_text())["key"]
        whole = await description(running.url)
        header = {"Authorization": f"Bearer {key}"}
        work = partial(probe, running.url, whole, header, examples=60, stateful=True, without=SLOW)
        found = await asyncio.to_thread(work)
        assert not found.problems, "\n".join(found.problems)
        assert await running.end() == 0
    lines = (tmp_path / "data.log").read_text().splitlines()
    assert not [line for line in lines if '"level": "error"' in line]
