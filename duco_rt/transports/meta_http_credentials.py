"""Tokens and sessions of a MetaAPI in another process, asked each time: who uses them keeps what it said."""

from __future__ import annotations

from typing import Literal
from urllib.parse import quote

import msgspec

from duco_rt.errors import NotFound
from duco_rt.rights import Credential, Role
from duco_rt.transports.meta_http_client import HttpClient


class _Token(msgspec.Struct):
    id: str
    name: str
    grants: dict[str, Role]
    created: int
    expires: int | None

    def credential(self, kind: Literal["token", "session"]) -> Credential:
        return Credential(self.id, kind, self.name, self.grants, "", self.created, self.expires)


class _Tokens(msgspec.Struct):
    tokens: list[_Token]


class HttpCredentials(HttpClient):
    """`Credentials` by MetaAPI's endpoints for other processes."""

    async def add_credential(self, credential: Credential) -> None:
        """Keep a token or session."""
        await self._ask("POST", "/credentials", msgspec.to_builtins(credential))

    async def credential(self, credential_id: str) -> Credential | None:
        """One of them, None where it is not there."""
        try:
            found = await self._ask("GET", _place(credential_id))
        except NotFound:
            return None
        return self._as(found, Credential)

    async def tokens(self) -> list[Credential]:
        """All tokens, oldest first, without their digests."""
        return [each.credential("token") for each in await self._rows_of("")]

    async def sessions(self, tenant: str | None = None) -> list[Credential]:
        """Sessions, newest first, without their digests."""
        query = "?kind=session" + ("" if tenant is None else f"&tenant={quote(tenant, safe='')}")
        return [each.credential("session") for each in await self._rows_of(query)]

    async def _rows_of(self, query: str) -> list[_Token]:
        return self._as(await self._ask("GET", f"/tokens{query}"), _Tokens).tokens

    async def remove_grant(self, credential_id: str, tenant: str) -> None:
        """Take one role out, or NotFound."""
        path = f"/tokens/{quote(credential_id, safe='')}?tenant={quote(tenant, safe='')}"
        await self._ask("DELETE", path)

    async def remove_credential(self, credential_id: str) -> None:
        """Take one back with its sessions, or NotFound."""
        await self._ask("DELETE", _place(credential_id))


def _place(credential_id: str) -> str:
    return f"/credentials/{quote(credential_id, safe='')}"
