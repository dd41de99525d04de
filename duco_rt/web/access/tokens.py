"""Tokens at MetaAPI: made, listed and taken back by admins; and what the other processes ask about them."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Literal

import msgspec
from aiohttp import web

from duco_rt.clock import Clock
from duco_rt.errors import BadRequest, Forbidden, NotFound
from duco_rt.model import NAME
from duco_rt.rights import EVERY, TENANT_ROLES, Credential, Grants, Identity, Role, digest_of, token_text
from duco_rt.transports.base_data import Credentials
from duco_rt.web.access.audit import note
from duco_rt.web.access.door import DENIED, hidden, identity_of
from duco_rt.web.params import body_of, reply

DAYS_MAX = 3_650
GRANTS_MAX = 100
NAME_MAX = 64

_DAY_MS = 86_400_000
_ID = re.compile(r"[0-9a-f]{16}\Z")
_DIGEST = re.compile(r"[0-9a-f]{64}\Z")


class AskedToken(msgspec.Struct, forbid_unknown_fields=True):
    """A token as it is asked for; `days` null: until it is taken back."""

    name: str
    grants: dict[str, Role]
    days: int | None = None


def mint(
    kind: Literal["token", "session"],
    name: str,
    grants: Grants,
    created_ms: int,
    expires_ms: int | None,
    parent: str | None = None,
) -> tuple[Credential, str]:
    """A new credential, and its text with the secret, which is kept nowhere."""
    credential_id, secret = secrets.token_hex(8), secrets.token_urlsafe(32)
    digest = digest_of(secret)
    kept = Credential(credential_id, kind, name, dict(grants), digest, created_ms, expires_ms, parent)
    return kept, token_text(credential_id, secret)


def new_token(name: str, grants: Mapping[str, Role], days: int | None, now_ms: int) -> tuple[Credential, str]:
    """A token that is good for `days` (None: until it is taken back). Raises BadRequest naming what is wrong."""
    if not 1 <= len(name) <= NAME_MAX or not name.isprintable() or name != name.strip():
        raise BadRequest(f"name {name[:80]!r}: 1 to {NAME_MAX} printable characters, no space around them")
    if not 1 <= len(grants) <= GRANTS_MAX:
        raise BadRequest(f"grants: 1 to {GRANTS_MAX} tenants, {len(grants)} given")
    for tenant, role in grants.items():
        if tenant != EVERY and not NAME.match(tenant):
            raise BadRequest(f"grants: tenant {tenant[:80]!r}: {EVERY!r}, or 1 to 64 of A-Z a-z 0-9 _ -")
        if tenant != EVERY and role not in TENANT_ROLES:
            raise BadRequest(f"grants: {tenant}: the role {role} is one in all tenants, {EVERY!r}")
    if days is not None and not 1 <= days <= DAYS_MAX:
        raise BadRequest(f"days {days}: 1 to {DAYS_MAX}, or null for a token without an end")
    return mint("token", name, grants, now_ms, None if days is None else now_ms + days * _DAY_MS)


def may_give(giver: Identity, grants: Grants) -> bool:
    """Whether somebody may give, and take back, all of these roles."""
    for tenant, role in grants.items():
        needed: Role = "admin" if role in TENANT_ROLES else "service"
        if not giver.may(needed, tenant):
            return False
    return True


class TokensApi:
    """`/api/metaapi/tokens`. No answer has a secret or its digest, but the one to who makes a token: that once."""

    def __init__(self, credentials: Credentials, clock: Clock, forget: Callable[[str], None] | None = None) -> None:
        """`forget` is told of an id that was taken back: `Authentication.forget`."""
        self._credentials = credentials
        self._clock = clock
        self._forget = forget or (lambda _: None)

    def routes(self, base: str) -> list[web.RouteDef]:
        """Its routes below `base`."""
        place = f"{base}/tokens"
        return [web.get(place, self.list), web.post(place, self.add), web.delete(f"{place}/{{id}}", self.remove)]

    async def list(self, request: web.Request) -> web.Response:
        """All tokens, or those with a role in `?tenant=`; of these the roles alone that the asker may give. With
        `?kind=session` the browsers that are signed in, newest first."""
        asker, tenant = identity_of(request), request.query.get("tenant")
        rows = []
        for token in await self._listed(request.query.get("kind", "token"), tenant):
            if tenant is None or tenant in token.grants:
                shown = token.grants if tenant is None else _those_of(asker, token.grants)
                rows.append(_row(token, shown))
        return reply({"tokens": rows})

    async def _listed(self, kind: str, tenant: str | None) -> Sequence[Credential]:
        if kind == "token":
            return await self._credentials.tokens()
        if kind != "session":
            raise BadRequest(f"kind {kind[:80]!r}: token or session")
        now_ms = self._clock.wall_ms()
        return [each for each in await self._credentials.sessions(tenant) if not each.is_expired(now_ms)]

    async def add(self, request: web.Request) -> web.Response:
        """Make a token: {"name","grants":{"tenant":"role"},"days":90|null}; 201 with its text, this once."""
        asked = await body_of(request, AskedToken)
        credential, text = new_token(asked.name, asked.grants, asked.days, self._clock.wall_ms())
        if not may_give(identity_of(request), credential.grants):
            request[DENIED] = "forbidden"
            raise Forbidden("grants: this needs the role admin in each of the tenants, service for service and monitor")
        await self._credentials.add_credential(credential)
        note(request, **_facts(credential))
        return reply({**_row(credential, credential.grants), "token": text}, 201)

    async def remove(self, request: web.Request) -> web.Response:
        """Take a token back, and the sessions opened with it, or end a session; of `?tenant=` the role in it alone. To
        who could not have given what is taken, it is not there."""
        credential_id = request.match_info["id"]
        words = f"token {credential_id[:80]!r} is not known"
        found = await self._credentials.credential(credential_id) if _ID.match(credential_id) else None
        if found is None:
            raise NotFound(words)
        tenant = request.query.get("tenant")
        taken = {name: role for name, role in found.grants.items() if tenant in (None, name)}
        if not taken or not may_give(identity_of(request), taken):
            raise hidden(request, words)
        note(request, **_facts(found), **({} if tenant is None else {"tenant": tenant}))
        if tenant is None:
            await self._credentials.remove_credential(credential_id)
        else:
            await self._credentials.remove_grant(credential_id, tenant)
        self._forget(credential_id)
        return reply({})


class CredentialsApi:
    """`/api/metaapi/credentials`, for the other processes of duco_rt."""

    def __init__(self, credentials: Credentials, forget: Callable[[str], None] | None = None) -> None:
        self._credentials = credentials
        self._forget = forget or (lambda _: None)

    def routes(self, base: str) -> list[web.RouteDef]:
        """Its routes below `base`."""
        place = f"{base}/credentials"
        one = f"{place}/{{id}}"
        return [web.get(one, self.read), web.post(place, self.add), web.delete(one, self.remove)]

    async def read(self, request: web.Request) -> web.Response:
        """A token or session as it is kept."""
        credential_id = request.match_info["id"]
        found = await self._credentials.credential(credential_id)
        if found is None:
            raise NotFound(f"credential {credential_id[:80]!r} is not known")
        return reply(found)

    async def add(self, request: web.Request) -> web.Response:
        """Keep a token or session that another process made."""
        credential = await body_of(request, Credential)
        if not _ID.match(credential.id) or not _DIGEST.match(credential.digest):
            raise BadRequest("id: 16, and digest: 64 of 0-9 a-f")
        await self._credentials.add_credential(credential)
        return reply({}, 201)

    async def remove(self, request: web.Request) -> web.Response:
        """Take one back."""
        credential_id = request.match_info["id"]
        await self._credentials.remove_credential(credential_id)
        self._forget(credential_id)
        return reply({})


def _row(token: Credential, grants: Grants) -> dict[str, object]:
    """A token as it is shown."""
    said: dict[str, object] = {"id": token.id, "name": token.name, "grants": grants}
    return {**said, "created": token.created_ms, "expires": token.expires_ms}


def _those_of(giver: Identity, grants: Grants) -> Grants:
    """Those of some roles that somebody may give."""
    return {tenant: role for tenant, role in grants.items() if may_give(giver, {tenant: role})}


def _facts(token: Credential) -> dict[str, str]:
    """What the audit log says of it."""
    roles = " ".join(f"{tenant}:{role}" for tenant, role in sorted(token.grants.items()))
    return {"token_id": token.id, "token_name": token.name, "roles": roles}
