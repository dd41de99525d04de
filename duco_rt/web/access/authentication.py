"""Who a request is from: the machine's own key, a token, a browser's session, a JWT, the monitor's token."""

from __future__ import annotations

import hmac
from typing import Protocol

from aiohttp import hdrs, web

from duco_rt.clock import Clock
from duco_rt.config import Web
from duco_rt.errors import TransportError, Unauthorized
from duco_rt.rights import ANONYMOUS, EVERY, Credential, Identity, read_token
from duco_rt.seeing.metrics import Metrics
from duco_rt.tls import is_tls
from duco_rt.transports.base_data import Credentials
from duco_rt.web.access.known import Known

REFUSED = "the token, or the sign-in, is not known, is over, or was taken back"
"""Of every refusal: which of these it was is told to nobody."""

LOCAL = Identity("local", "local", {EVERY: "service"})
MONITOR = Identity("monitor", "monitor", {EVERY: "monitor"})
SERVICE = Identity("service", "service", {EVERY: "service"})

_HEADER_MAX = 8 * 1024


class Jwt(Protocol):
    """Who a JWT of the issuer is from."""

    async def verify(self, text: str) -> Identity:
        """Unauthorized where it is not good, TransportError where that cannot be told now."""
        ...


class Authentication:
    """Tells who a request is from, as `web.auth` says."""

    def __init__(
        self,
        config: Web,
        credentials: Credentials | None,
        local_key: str,
        clock: Clock,
        jwt: Jwt | None = None,
        metrics: Metrics | None = None,
        service_secret: str = "",  # nosec B107  # none
    ) -> None:
        """`credentials` None: a process that knows no MetaAPI; only the local key and the monitor's token are good.

        `local_key`: `DataDir.key`; where it is empty nothing is let in by it, nor by an empty `service_secret`, which
        the other processes show as their `meta.token`. `jwt` is for auth = "oidc".
        """
        self._mode = config.auth
        self._monitor = config.monitor_token
        self._cookie = cookie_name(config)
        self._local_key = local_key
        self._service_secret = service_secret
        self._clock = clock
        self._jwt = jwt
        refresh_s = config.token_refresh_s
        self._known = None if credentials is None else Known(credentials, refresh_s, clock, metrics or Metrics())

    async def identify(self, request: web.BaseRequest) -> Identity | None:
        """Who a request is from; None where it has no credentials at all.

        A bearer token in the header counts before the cookie. Raises Unauthorized for what is wrong, over or taken
        back; TransportError or TooMany where that cannot be told now.
        """
        if self._mode == "none":
            return ANONYMOUS
        bearer = _bearer(request)
        if bearer is not None:
            return await self.of_bearer(bearer)
        cookie = request.cookies.get(self._cookie)
        return None if not cookie else self._identity(await self._good(cookie, "session"))

    async def of_bearer(self, text: str) -> Identity:
        """Who a bearer token is of; raises as `identify`."""
        if is_same(text, self._local_key):
            return LOCAL
        if is_same(text, self._monitor):
            return MONITOR
        if is_same(text, self._service_secret):
            return SERVICE
        if read_token(text) is not None or self._jwt is None:
            return await self.of_token(text)
        try:
            return await self._jwt.verify(text)
        except Unauthorized as e:
            raise Unauthorized(REFUSED) from e

    async def of_token(self, text: str) -> Identity:
        """Who a token (`duco_…`) is of, and nothing else; raises as `identify`. For the sign-in page."""
        return self._identity(await self._good(text, "token"))

    async def is_good(self, identity: Identity) -> bool:
        """Whether an identity of an earlier request is neither over nor taken back; for what stays open."""
        if identity.expires_ms is not None and self._clock.wall_ms() >= identity.expires_ms:
            return False
        if identity.kind not in ("token", "session"):
            return True
        try:
            found = None if self._known is None else await self._known.credential(identity.credential)
            return found is not None and found.grants == identity.grants  # a role that was taken out ends it as well
        except TransportError:
            return False  # nobody confirmed it for an hour

    def forget(self, credential_id: str) -> None:
        """One was taken back here: it, and the sessions that were opened with it, are not believed any more."""
        if self._known is not None:
            self._known.forget(credential_id)

    async def _good(self, text: str, kind: str) -> Credential:
        found = read_token(text)
        if found is None or self._known is None:
            raise Unauthorized(REFUSED)
        credential_id, secret = found
        credential = await self._known.credential(credential_id)
        if credential is None or credential.kind != kind or not credential.is_secret(secret):
            raise Unauthorized(REFUSED)
        if credential.is_expired(self._clock.wall_ms()):
            raise Unauthorized(REFUSED)
        return credential

    def _identity(self, found: Credential) -> Identity:
        return Identity(found.name, found.kind, found.grants, found.id, found.expires_ms)


def cookie_name(config: Web) -> str:
    """The session cookie; under TLS its name keeps other hosts of the same domain from setting it."""
    return "__Host-duco_session" if is_tls(config) else "duco_session"


def is_same(text: str, secret: str) -> bool:
    """Whether a text is a secret that is not empty, in a time that does not tell where they differ."""
    same = hmac.compare_digest(text.encode(errors="backslashreplace"), secret.encode())
    return same and bool(secret)


def _bearer(request: web.BaseRequest) -> str | None:
    """The token of the header; None without one. Other schemes are not ours: a proxy in front may use them."""
    found = [value.strip().partition(" ") for value in request.headers.getall(hdrs.AUTHORIZATION, ())]
    texts = [text.strip() for scheme, _, text in found if scheme.lower() == "bearer"]
    if not texts:
        return None
    if len(texts) > 1 or len(texts[0]) > _HEADER_MAX:
        raise Unauthorized(REFUSED)
    return texts[0]
