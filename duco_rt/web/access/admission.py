"""How much of the server a request may take: guesses of an address, requests of a user, and the time of a body.

Who asks too often is answered late: one that asks again as soon as it has its answer then asks once a second.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from collections.abc import Hashable

from aiohttp import HttpVersion10, HttpVersion11, StreamReader, hdrs, web

from duco_rt.config import Web
from duco_rt.errors import Unauthorized
from duco_rt.rights import EVERY, Identity
from duco_rt.seeing.metrics import Metrics
from duco_rt.web.access.audit import CODE
from duco_rt.web.access.authentication import cookie_name
from duco_rt.web.access.door import TENANT, Handler, address_of, known_identity
from duco_rt.web.access.places import network_of
from duco_rt.web.access.rates import Rates
from duco_rt.web.params import refusal

HOLD_S = 1.0
"""A refusal is given so late, which is when it may be asked again at the earliest."""

_HELD_MAX = 256
"""Refusals that wait, of one user or address; those beyond are given at once, and end their connection."""

_DEBT_S = 2.0
"""Guesses that were begun together count once they are over: however many, they block their address no longer."""

_STRANGERS_BODY_S = 5.0
"""A body of whom nobody knows is a form with a token, and holds a place."""

_GOOD_MAX = 20_000
_SIGN_INS = frozenset({("POST", "/sign-in"), ("GET", "/sign-in/oidc/back")})
_VERSIONS = frozenset({HttpVersion10, HttpVersion11})
_STREAMED = frozenset({"/api/restore"})
"""Bodies that may take as long as they come, and be of any size."""


class LateBody(TimeoutError):
    """A request's body that did not come in time."""


class Admission:
    """Two middlewares: `guard` stands before the door, `share` behind it."""

    def __init__(self, config: Web, metrics: Metrics) -> None:
        self._config = config
        self._metrics = metrics
        self._cookie = cookie_name(config)
        self._requests = Rates(config.requests_user_per_s_max)
        self._of_tenants = Rates(config.requests_tenant_per_s_max)
        self._guesses = Rates(config.denied_per_s_max, debt_s=_DEBT_S)  # by address
        self._tries = Rates(config.denied_per_s_max, debt_s=_DEBT_S)  # the same one again
        self._good: OrderedDict[int, None] = OrderedDict()
        self._held: Counter[Hashable] = Counter()

    @web.middleware
    async def guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Nobody goes on guessing: who was denied too often is not looked up any more.

        What was let in from there before goes on, so that one who guesses does not shut out those beside it; and the
        same wrong token again and again, of a script that was forgotten, counts against that token alone.
        """
        if request.version not in _VERSIONS:
            return _other_version(request)
        said = request.headers.get(hdrs.AUTHORIZATION) or request.cookies.get(self._cookie, "")
        signs_in = (request.method, request.path) in _SIGN_INS
        if self._config.auth == "none" or not (said or signs_in):
            return await handler(request)
        address = network_of(address_of(request))
        tried = hash((address, said))
        if signs_in or tried not in self._good:
            now_s = asyncio.get_running_loop().time()
            wait_s = max(self._guesses.wait_s(address, now_s), 0.0 if signs_in else self._tries.wait_s(tried, now_s))
            if wait_s:
                words = "too many wrong credentials from this address"
                return await self._late_refusal(request, "denied", address, wait_s, words)
        try:
            answer = await handler(request)
        except Unauthorized:
            self._note_wrong(address, None if signs_in else tried)
            raise
        if answer.status == 401 or (signs_in and 400 <= answer.status < 500):
            self._note_wrong(address, None if signs_in else tried)
        elif not signs_in and known_identity(request) is not None:
            self._note_good(tried)
        return answer

    def _note_wrong(self, address: str, tried: int | None) -> None:
        now_s = asyncio.get_running_loop().time()
        if tried is None or tried not in self._tries:
            self._guesses.take(address, now_s)
        if tried is not None:
            self._tries.take(tried, now_s)
            self._good.pop(tried, None)

    def _note_good(self, tried: int) -> None:
        self._good[tried] = None
        self._good.move_to_end(tried)
        if len(self._good) > _GOOD_MAX:
            self._good.popitem(last=False)

    @web.middleware
    async def share(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """No user has more than its share, no body more than its time."""
        if (refused := await self._shares(request)) is not None:
            return refused
        if not request.body_exists or request.path in _STREAMED:
            return await handler(request)
        encoding = request.headers.get(hdrs.CONTENT_ENCODING, "identity")
        if encoding.strip().lower() not in ("", "identity"):
            self._metrics.count("web_refused_total", why="encoding")
            words = f"Content-Encoding {encoding[:80]!r}: bodies are taken as they are, without one"
            return _last(request, 415, "unsupported_media_type", words)
        limit_s = self._config.body_timeout_s
        if self._config.auth != "none" and known_identity(request) is None:
            limit_s = min(limit_s, _STRANGERS_BODY_S)
        late = asyncio.get_running_loop().call_later(limit_s, self._late, request.content, limit_s)
        try:
            return await handler(request)
        except LateBody as e:
            return _last(request, 408, "request_timeout", str(e))
        finally:
            late.cancel()

    async def _shares(self, request: web.Request) -> web.Response | None:
        """The refusal where its user, or the tenant that it is about, has asked too often; None: it may go on."""
        identity, now_s = known_identity(request), asyncio.get_running_loop().time()
        user = user_of(identity)
        if identity is None or user is None:
            return None
        if wait_s := self._requests.allow(user, now_s):
            words = f"more than {self._config.requests_user_per_s_max:g} requests a second of one user"
            return await self._late_refusal(request, "requests", user, wait_s, words)
        tenant = _tenant_of(request, identity)
        if tenant and (wait_s := self._of_tenants.allow(tenant, now_s)):
            words = f"more than {self._config.requests_tenant_per_s_max:g} requests a second of one tenant"
            return await self._late_refusal(request, "requests_tenant", ("tenant", tenant), wait_s, words)
        return None

    def _late(self, body: StreamReader, limit_s: float) -> None:
        if not body.is_eof():
            self._metrics.count("web_cut_total", why="body")
            body.set_exception(LateBody(f"the body did not come within {limit_s:g} s"))

    async def _late_refusal(
        self, request: web.Request, why: str, who: Hashable, wait_s: float, words: str
    ) -> web.Response:
        self._metrics.count("web_refused_total", why=why)
        if self._held[who] >= _HELD_MAX:
            return _last(request, 429, "too_many_requests", words, wait_s)
        self._held[who] += 1
        try:
            await asyncio.sleep(HOLD_S)
        finally:
            self._held[who] -= 1
            if not self._held[who]:
                del self._held[who]
        request[CODE] = "too_many_requests"
        return refusal(429, "too_many_requests", words, wait_s)


def user_of(identity: Identity | None) -> Hashable:
    """Whose share it is: a token's, or a signed-in user's, whatever sessions it has; None for nobody's.

    Other processes and whoever is on this machine have no share. A name alone would be another tenant's as well.
    """
    if identity is None or identity.is_service:
        return None
    if identity.kind in ("session", "jwt"):
        return identity.name, frozenset(identity.grants.items())
    return identity.credential or identity.name


def _tenant_of(request: web.Request, identity: Identity) -> str:
    """Whose share a request is of; empty where it is about several tenants, or none."""
    named = request.match_info.get("tenant") or request.query.get("tenant") or request.get(TENANT, "")
    if named or len(identity.grants) != 1:
        return named
    only = next(iter(identity.grants))
    return "" if only == EVERY else only


def _other_version(request: web.Request) -> web.Response:
    answer = _last(request, 505, "http_version_not_supported", "HTTP/1.1 and HTTP/1.0 are spoken here")
    answer.headers[hdrs.CONNECTION] = "close"  # which these versions would take for granted
    return answer


def _last(request: web.Request, status: int, code: str, words: str, retry_s: float | None = None) -> web.Response:
    """A refusal that ends its connection."""
    request[CODE] = code
    answer = refusal(status, code, words, retry_s)
    answer.force_close()
    return answer
