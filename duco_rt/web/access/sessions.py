"""Browsers: signing in by a token or at the issuer, the session that follows, its cookie, and signing out."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from urllib.parse import parse_qs

from aiohttp import hdrs, web

from duco_rt.clock import Clock
from duco_rt.config import Web
from duco_rt.errors import NotFound, TransportError, Unauthorized
from duco_rt.rights import EVERY, TENANT_ROLES, Identity
from duco_rt.tls import is_tls
from duco_rt.transports.base_data import Meta
from duco_rt.web.access.address import Addresses
from duco_rt.web.access.admission import user_of
from duco_rt.web.access.audit import note
from duco_rt.web.access.authentication import Authentication, cookie_name
from duco_rt.web.access.door import IDENTITY, identity_of
from duco_rt.web.access.jwt_bearer import JwtRefused
from duco_rt.web.access.oidc import Begun, NotSignedInError, Oidc, read_begun
from duco_rt.web.access.rates import Rates
from duco_rt.web.access.sign_in_page import SignInPage
from duco_rt.web.access.tokens import mint

FORM_BYTES_MAX = 4096
AT_ISSUER_S = 600
"""How long somebody may take at the issuer."""

_OPENINGS_PER_S = 1.0
_OPENINGS_BURST = 10
"""Sessions of one token or user: each is written down, and the oldest of too many ends."""

_BACK = "/sign-in/oidc/back"
_UNKNOWN = "This token is not known, has ended, or was taken back."
_PROGRAM = "This token is for programs. Sign in with one that has the role viewer, operator or admin."
_LATER = "Who you are cannot be checked at the moment. Please try again."
_OFTEN = "This was signed in with too often in a row. Please try again in a minute."
_REFUSED = "What the issuer answered was not accepted. Please try again."


class Sessions:
    """A browser's sessions: credentials of their own, which end with the token that they were opened with."""

    def __init__(self, config: Web, meta: Meta, authentication: Authentication, clock: Clock) -> None:
        self._name = cookie_name(config)
        self._is_tls = is_tls(config)
        self._hours = config.session_hours
        self._meta = meta
        self._authentication = authentication
        self._clock = clock

    async def open(self, of: Identity, response: web.Response, expires_ms: int | None) -> Identity:
        """Begin one: its cookie goes out with the response. `expires_ms`: when it ends at the latest."""
        now_ms = self._clock.wall_ms()
        ends_ms = now_ms + round(self._hours * 3_600_000)
        if expires_ms is not None:
            ends_ms = min(ends_ms, expires_ms)
        credential, text = mint("session", of.name, of.grants, now_ms, ends_ms, of.credential or None)
        await self._meta.add_credential(credential)
        self.set_cookie(response, self._name, text, (ends_ms - now_ms) // 1000)
        return Identity(of.name, "session", of.grants, credential.id, ends_ms)

    async def end(self, request: web.Request, response: web.Response) -> Identity | None:
        """End the one that a request has; whose it was. Raises TransportError, and then it goes on."""
        identity = None
        with suppress(Unauthorized):
            identity = await self._authentication.identify(request)
        if identity is not None and identity.kind == "session":
            with suppress(NotFound):
                await self._meta.remove_credential(identity.credential)
            self._authentication.forget(identity.credential)
        self.set_cookie(response, self._name, "", 0)
        return identity

    def set_cookie(self, response: web.Response, name: str, value: str, max_age_s: int) -> None:
        """No script reads it, and no other site's form sends it."""
        response.set_cookie(
            name, value, max_age=max_age_s, path="/", secure=self._is_tls, httponly=True, samesite="Lax"
        )


class SignIn:
    """The sign-in page and what it leads to."""

    def __init__(
        self,
        config: Web,
        meta: Meta,
        authentication: Authentication,
        clock: Clock,
        static: Path | None,
        oidc: Oidc | None = None,
    ) -> None:
        """`oidc` is for auth = "oidc"."""
        self._auth = config.auth
        self._meta = meta
        self._authentication = authentication
        self._oidc = oidc
        self._addresses = Addresses(config)
        self._sessions = Sessions(config, meta, authentication, clock)
        self._clock = clock
        self._openings = Rates(_OPENINGS_PER_S, _OPENINGS_BURST / _OPENINGS_PER_S)
        self._at_issuer = "__Host-duco_oidc" if is_tls(config) else "duco_oidc"
        self._page = SignInPage(static, None if oidc is None else oidc.issuer_name)

    def routes(self) -> list[web.RouteDef]:
        """All of them."""
        return [
            web.get("/sign-in", self.page),
            web.post("/sign-in", self.by_token),
            web.get("/sign-in/oidc", self.to_issuer),
            web.get(_BACK, self.from_issuer),
            web.post("/sign-out", self.sign_out),
            web.get("/api/session", self.session),
        ]

    async def page(self, request: web.Request) -> web.Response:
        """GET /sign-in."""
        return self._page.answer(request) if self._auth != "none" else _see("/")

    async def by_token(self, request: web.Request) -> web.Response:
        """POST /sign-in, form field `token`; the door has looked at its Origin."""
        text = (await _form(request)).get("token", "").strip()
        try:
            identity = await self._authentication.of_token(text)
        except Unauthorized:
            return self._page.answer(request, 401, _UNKNOWN)
        except TransportError:
            return self._page.answer(request, 503, _LATER)
        if not any(role in TENANT_ROLES for role in identity.grants.values()):
            return self._page.answer(request, 403, _PROGRAM)
        return await self._open(request, identity, identity.expires_ms, "")

    async def to_issuer(self, request: web.Request) -> web.Response:
        """GET /sign-in/oidc; `at`: the place on our page, `#/…`, to come back to."""
        if self._oidc is None:
            return _see("/sign-in")
        try:
            address, begun = await self._oidc.begin(self._back(request), request.query.get("at", ""))
        except TransportError:
            return self._page.answer(request, 503, f"{self._oidc.issuer_name} does not answer. Please try again.")
        response = _see(address)
        self._sessions.set_cookie(response, self._at_issuer, begun.text(), AT_ISSUER_S)
        return response

    async def from_issuer(self, request: web.Request) -> web.Response:
        """GET /sign-in/oidc/back. What was begun is over after it, however it ends."""
        begun = read_begun(request.cookies.get(self._at_issuer, ""))
        response = await self._finish(request, begun)
        self._sessions.set_cookie(response, self._at_issuer, "", 0)
        return response

    async def sign_out(self, request: web.Request) -> web.Response:
        """POST /sign-out: the session is over, here and at MetaAPI. At the issuer one stays signed in."""
        response = _see("/sign-in" if self._auth != "none" else "/")
        try:
            identity = await self._sessions.end(request, response)
        except TransportError:
            return self._page.answer(request, 503, "Signing out did not work at the moment. Please try again.")
        if identity is not None:
            request[IDENTITY] = identity
        return response

    async def session(self, request: web.Request) -> web.Response:
        """GET /api/session: who asks, and which tenants there are for it."""
        identity = identity_of(request)
        tenants = sorted(tenant for tenant in identity.grants if tenant != EVERY)
        if EVERY in identity.grants and self._auth != "none":
            tenants = sorted({device.tenant for device in await self._meta.devices()}.union(tenants))
        return web.json_response(
            {
                "auth": self._auth,
                "name": identity.name,
                "grants": dict(identity.grants),
                "tenants": tenants,
                "expires": identity.expires_ms,
            }
        )

    def _back(self, request: web.Request) -> str:
        return self._addresses.origin(request) + _BACK

    async def _finish(self, request: web.Request, begun: Begun | None) -> web.Response:
        if self._oidc is None:
            return _see("/sign-in")
        try:
            identity = await self._oidc.finish(request.query, begun, self._back(request))
        except NotSignedInError as e:
            note(request, why=str(e))
            return self._page.answer(request, 401, str(e))
        except JwtRefused as e:
            note(request, why=e.reason)
            return self._page.answer(request, 401, _REFUSED)
        except TransportError:
            return self._page.answer(request, 503, f"{self._oidc.issuer_name} does not answer. Please try again.")
        if not identity.grants:
            note(request, why=f"{identity.name} has no role")
            words = f"You are {identity.name}, and have no role here yet. Ask who administers this system."
            return self._page.answer(request, 403, words)
        return await self._open(request, identity, None, begun.fragment if begun else "")

    async def _open(
        self, request: web.Request, identity: Identity, expires_ms: int | None, fragment: str
    ) -> web.Response:
        """A session, and to the page. Without a fragment of ours browsers keep that of the form's address."""
        response = _see(f"/{fragment}")
        user = user_of(identity)
        wait_s = self._openings.allow(identity.name if user is None else user, self._clock.steady_s())
        if wait_s:
            return self._page.answer(request, 429, _OFTEN, wait_s)
        try:
            await self._sessions.end(request, response)  # an earlier one of this browser
            request[IDENTITY] = await self._sessions.open(identity, response, expires_ms)
        except NotFound:  # the token was taken back meanwhile
            return self._page.answer(request, 401, _UNKNOWN)
        except TransportError:
            return self._page.answer(request, 503, _LATER)
        return response


def _see(address: str) -> web.Response:
    """Go there by GET."""
    return web.Response(status=303, headers={hdrs.LOCATION: address, hdrs.CACHE_CONTROL: "no-store"})


async def _form(request: web.Request) -> Mapping[str, str]:
    """The fields of a short form; nothing where it is none."""
    length = request.content_length
    if length is None or length > FORM_BYTES_MAX:
        raise web.HTTPRequestEntityTooLarge(FORM_BYTES_MAX, length or 0)
    body = (await request.read()).decode("ascii", "replace")
    with suppress(ValueError):
        return {name: values[0] for name, values in parse_qs(body, max_num_fields=8).items()}
    return {}
