"""JWTs of the issuer: who one is from, and with which roles."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jwt
import structlog
from jwt.types import Options

from duco_rt.clock import Clock
from duco_rt.config import Web
from duco_rt.errors import TransportError, Unauthorized
from duco_rt.model import NAME
from duco_rt.rights import EVERY, ROLES, TENANT_ROLES, Identity, Role
from duco_rt.seeing.metrics import Metrics
from duco_rt.web.access.authentication import REFUSED
from duco_rt.web.access.issuer import Issuer

log = structlog.get_logger()

ALGORITHMS = ("RS256", "ES256")
LEEWAY_S = 30.0
"""The issuer's clock and ours may differ by so much."""

TEXT_MAX = 8 * 1024
NAME_MAX = 64
"""Characters of a shown name."""

_OPTIONS: Options = {
    "require": ["iss", "aud", "exp", "sub"],
    # The times are looked at by the clock that was passed in.
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
}
_TEN_THOUSAND_YEARS_S = 3e11


class JwtRefused(Unauthorized):
    """The one error of every refusal; the reason is for the audit log, never for who asks."""

    def __init__(self, reason: str) -> None:
        super().__init__(REFUSED)
        self.reason = reason


class JwtBearer:
    """Verifies JWTs by the issuer's keys."""

    def __init__(self, config: Web, clock: Clock, metrics: Metrics) -> None:
        """Raises ConfigError where `web.oidc_issuer` is not safe."""
        self.issuer = Issuer(config, clock, metrics)
        self._audience = config.oidc_audience or config.oidc_client_id
        self._roles_claim = config.oidc_roles_claim
        self._name_claim = config.oidc_name_claim
        self._clock = clock
        self._metrics = metrics

    async def verify(self, text: str) -> Identity:
        """Who a bearer token is from. Raises Unauthorized where it is not good, TransportError where that is not known
        because the issuer does not answer."""
        return self.identity(await self.claims(text, self._audience))

    async def claims(self, text: str, audience: str, text_max: int = TEXT_MAX) -> dict[str, Any]:
        """What it says, once signature, issuer, audience and times are right; raises as `verify`."""
        try:
            if len(text) > text_max:
                raise jwt.InvalidTokenError(f"more than {text_max} characters")
            header = jwt.get_unverified_header(text)
            key = await self._key(header)
            claims: dict[str, Any] = jwt.decode(
                text,
                key,
                algorithms=[key.algorithm_name],
                audience=audience,
                issuer=self.issuer.name,
                options=_OPTIONS,
            )
            self._check_times(claims)
        except (jwt.PyJWTError, ValueError, TypeError, ArithmeticError, RecursionError) as e:
            raise self.refused(f"{type(e).__name__}: {e}") from e
        return claims

    def identity(self, claims: Mapping[str, Any]) -> Identity:
        """Name and roles of good claims; of a role that is none the claims say nothing."""
        wanted = claims.get(self._name_claim)
        name = _printable(wanted if isinstance(wanted, str) and wanted.strip() else str(claims["sub"]))
        grants, ignored = grants_of(claim_of(claims, self._roles_claim))
        if ignored:
            self._metrics.count("oidc_roles_ignored_total", ignored)
            log.debug("roles of a JWT were ignored", who=name, count=ignored)
        return Identity(name, "jwt", grants, "", int(claims["exp"] * 1000))

    def refused(self, reason: str) -> JwtRefused:
        """The error, counted."""
        self._metrics.count("oidc_refused_total")
        log.debug("a JWT was refused", reason=reason[:200])
        return JwtRefused(reason)

    async def _key(self, header: Mapping[str, Any]) -> jwt.PyJWK:
        """Chosen among the issuer's, never made of what the token says."""
        algorithm, key_id = header.get("alg"), header.get("kid")
        if algorithm not in ALGORITHMS:
            raise jwt.InvalidAlgorithmError(f"algorithm {algorithm!r}")
        try:
            keys = await self.issuer.keys(algorithm, key_id)
        except TransportError as e:  # `Issuer` has logged why; where it is asked is not for whoever asks here
            raise TransportError("who you are cannot be checked now: the OpenID issuer does not answer") from e
        if len(keys) != 1:
            raise jwt.InvalidKeyError(f"{len(keys)} keys of the issuer have the id {key_id!r}")
        return keys[0]

    def _check_times(self, claims: Mapping[str, Any]) -> None:
        now_s = self._clock.wall_ms() / 1000
        for name in ("exp", "nbf", "iat"):
            value = claims.get(name, now_s if name != "exp" else None)
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            # compared before anything is done with it: an integer can be too large to become a float
            if not is_number or not -_TEN_THOUSAND_YEARS_S <= value <= _TEN_THOUSAND_YEARS_S:
                raise jwt.InvalidTokenError(f"{name} is no time")
            if now_s >= value + LEEWAY_S if name == "exp" else now_s < value - LEEWAY_S:
                raise jwt.InvalidTokenError(f"{name} = {value}, and it is {now_s}")


def claim_of(claims: Mapping[str, Any], name: str) -> object:
    """The claim of that name or, where there is none, at that path: `realm_access.roles` as Keycloak nests it. Pure."""
    if name in claims:
        return claims[name]
    found: object = claims
    for part in name.split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def grants_of(claim: object) -> tuple[dict[str, Role], int]:
    """Roles by tenant of a claim, a list or a text of words, and how many entries are none.

    An entry is `TENANT:ROLE` or `*:ROLE`; of several in one tenant the highest counts. Pure.
    """
    entries = claim.split() if isinstance(claim, str) else claim if isinstance(claim, list) else []
    grants: dict[str, Role] = {}
    ignored = 0
    for entry in entries:
        tenant, _, role = entry.partition(":") if isinstance(entry, str) else ("", "", "")
        if role not in TENANT_ROLES or not (tenant == EVERY or NAME.match(tenant)):
            ignored += 1
        elif tenant not in grants or ROLES.index(role) > ROLES.index(grants[tenant]):
            grants[tenant] = role
    return grants, ignored


def _printable(name: str) -> str:
    """A name that can stand in a line of a log."""
    shown = "".join(char if char.isprintable() else " " for char in name)
    return shown.strip()[:NAME_MAX].strip() or "unnamed"
