"""Tokens and sessions of a MetaAPI in another process, asked each time: who uses them keeps what it said."""

from __future__ import annotations

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

    def credential(self) -> Credential:
        return Credential(self.id, "token", self.name, self.grants, "", self.created, self.expires)


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
        return [token.credential() for token in self._as(await self._ask("GET", "/tokens"), _Tokens).tokens]

    async def remove_credential(self, credential_id: str) -> None:
        """Take one back with its sessions, or NotFound."""
        await self._ask("DELETE", _place(credential_id))


def _place(credential_id: str) -> str:
    return f"/credentials/{quote(credential_id, safe='')}"
