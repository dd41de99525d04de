"""A server of the sign-in alone: real door, real credentials in SQLite."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from duco_rt.config import Web
from duco_rt.errors import TransportError
from duco_rt.model import Device
from duco_rt.rights import Credential, Role
from duco_rt.seeing.metrics import Metrics
from duco_rt.transports.meta_sqlite import SqliteMeta
from duco_rt.web.access.authentication import Authentication
from duco_rt.web.access.door import Door, no_device
from duco_rt.web.access.jwt_bearer import JwtBearer
from duco_rt.web.access.oidc import Oidc
from duco_rt.web.access.sessions import SignIn
from duco_rt.web.access.tokens import mint
from duco_rt.web.server import Server, listen
from tests.web.access.test_jwt_bearer import MovedClock

STATIC = Path(__file__).resolve().parents[3] / "static"


class BrokenMeta(SqliteMeta):
    """One that can be away."""

    is_away = False

    async def add_credential(self, credential: Credential) -> None:
        """Unless it is away."""
        self._check()
        await super().add_credential(credential)

    async def credential(self, credential_id: str) -> Credential | None:
        """Unless it is away."""
        self._check()
        return await super().credential(credential_id)

    async def remove_credential(self, credential_id: str) -> None:
        """Unless it is away."""
        self._check()
        await super().remove_credential(credential_id)

    def _check(self) -> None:
        if self.is_away:
            raise TransportError("MetaAPI is away")


class SignInServer:
    """The running one, and a browser's cookies."""

    def __init__(self, meta: BrokenMeta, clock: MovedClock, http: aiohttp.ClientSession, url: str) -> None:
        self.meta = meta
        self.clock = clock
        self.http = http
        self.url = url

    async def token(self, name: str = "anna", hours: float | None = None, **grants: Role) -> str:
        """A token's text; a role in all tenants is named `every`."""
        now_ms = self.clock.wall_ms()
        roles = {"*" if tenant == "every" else tenant: role for tenant, role in grants.items()}
        ends_ms = None if hours is None else now_ms + round(hours * 3_600_000)
        credential, text = mint("token", name, roles, now_ms, ends_ms)
        await self.meta.add_credential(credential)
        return text

    async def post(self, path: str, data: Any = None, **headers: str) -> aiohttp.ClientResponse:
        """A form as the page sends it: with its Origin, the answer as it is."""
        named = {"Origin": self.url, **headers}
        sent = {name: value for name, value in named.items() if value}
        return await self.http.post(f"{self.url}{path}", data=data, headers=sent, allow_redirects=False)

    async def get(self, path: str, **more: Any) -> aiohttp.ClientResponse:
        """The answer as it is."""
        return await self.http.get(f"{self.url}{path}", allow_redirects=False, **more)

    async def sign_in(self, text: str) -> aiohttp.ClientResponse:
        """By a token."""
        return await self.post("/sign-in", {"token": text})

    async def session(self) -> dict[str, Any] | int:
        """What `/api/session` says, or the status of its refusal."""
        async with await self.get("/api/session") as answer:
            return await answer.json() if answer.status == 200 else answer.status


def said(page: str) -> str:
    """The message that a sign-in page shows, as its HTML has it; '' where that is hidden."""
    found = re.search(r'role="alert" (hidden)?>([^<]*)<', page)
    assert found is not None, page
    return "" if found[1] else found[2]


@asynccontextmanager
async def sign_in_server(folder: Path, config: Web) -> AsyncIterator[SignInServer]:
    """As long as the block."""
    clock = MovedClock()
    async with AsyncExitStack() as stack:
        meta = BrokenMeta(folder / "meta.sqlite", clock)
        stack.push_async_callback(meta.close)
        await meta.open()
        await meta.put_parsing("p", [])
        for number, tenant in enumerate(("duco", "acme", "acme")):
            await meta.put_device(Device(f"{tenant}_{number}", tenant, "", "p"))
        jwt = JwtBearer(config, clock, Metrics()) if config.auth == "oidc" else None
        authentication = Authentication(config, meta, "", clock, jwt)
        sign_in = SignIn(config, meta, authentication, clock, STATIC, Oidc(config, jwt) if jwt else None)
        door = Door(config, authentication, no_device)
        server = Server(config, stack.enter_context(listen(config)), sign_in.routes(), door, clock=clock)
        await server.start()
        stack.push_async_callback(server.close)
        jar = aiohttp.CookieJar(unsafe=True)
        http = await stack.enter_async_context(aiohttp.ClientSession(cookie_jar=jar))
        yield SignInServer(meta, clock, http, server.url.rstrip("/"))
