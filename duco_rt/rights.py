"""Who may do what: roles in tenants, and what is kept of a token or session. Pure.

A role has what those before it have. `monitor` reads metrics, `viewer` watches, `operator` commands machines and
changes chart groups, `admin` changes devices, parsings and tokens, `service` is another process of duco_rt.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import Literal, NamedTuple

import msgspec

Role = Literal["monitor", "viewer", "operator", "admin", "service"]
ROLES: tuple[Role, ...] = ("monitor", "viewer", "operator", "admin", "service")

EVERY = "*"
"""In the place of a tenant: all of them, those to come as well."""

TENANT_ROLES: tuple[Role, ...] = ("viewer", "operator", "admin")
"""What a role in a single tenant can be; the others are for EVERY."""

Grants = Mapping[str, Role]
"""Tenant, or EVERY, → role."""

_TOKEN = re.compile(r"duco_([0-9a-f]{16})_([A-Za-z0-9_-]{43})\Z")


class Credential(msgspec.Struct, frozen=True):
    """What is kept of a token or a browser's session: never the secret, only its SHA-256.

    The secret is 256 random bits, so that a plain hash of it tells nothing. `parent` is the token that a session was
    opened with: it ends with that.
    """

    id: str
    kind: Literal["token", "session"]
    name: str
    grants: dict[str, Role]
    digest: str
    created_ms: int
    expires_ms: int | None = None
    parent: str | None = None

    def is_secret(self, secret: str) -> bool:
        """Whether that is its secret, in a time that does not tell where they differ."""
        return hmac.compare_digest(digest_of(secret), self.digest)

    def is_expired(self, now_ms: int) -> bool:
        """Whether its time is over."""
        return self.expires_ms is not None and now_ms >= self.expires_ms


class Identity(NamedTuple):
    """Who a request is from. `credential`: the id of the token or session, empty where there is none."""

    name: str
    kind: Literal["anonymous", "token", "session", "jwt", "monitor", "service", "local"]
    grants: Grants
    credential: str = ""
    expires_ms: int | None = None

    def role_in(self, tenant: str) -> Role | None:
        """The higher of the role in the tenant and in all; None: to this one the tenant is not there."""
        held = [role for role in (self.grants.get(tenant), self.grants.get(EVERY)) if role is not None]
        return max(held, key=ROLES.index, default=None)

    def may(self, role: Role, tenant: str = EVERY) -> bool:
        """Whether it has the role, or one above it, in the tenant; by default in all of them."""
        held = self.role_in(tenant)
        return held is not None and ROLES.index(held) >= ROLES.index(role)

    def may_anywhere(self, role: Role) -> bool:
        """Whether it has the role in one tenant at least."""
        return any(self.may(role, tenant) for tenant in self.grants)

    @property
    def is_service(self) -> bool:
        """Another process of duco_rt, or somebody on this machine who can read its data directory."""
        return self.grants.get(EVERY) == "service"


ANONYMOUS = Identity("anonymous", "anonymous", {EVERY: "service"})
"""Whoever reaches a process without authentication, which serves its own machine alone."""


def digest_of(secret: str) -> str:
    """What is kept of a secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


def token_text(credential_id: str, secret: str) -> str:
    """A token, or a session's cookie, as its owner has it. `secret`: `secrets.token_urlsafe(32)`."""
    return f"duco_{credential_id}_{secret}"


def read_token(text: str) -> tuple[str, str] | None:
    """Id and secret of a token's text; None where it is none."""
    found = _TOKEN.match(text)
    return None if found is None else (found[1], found[2])
