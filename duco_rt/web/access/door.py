"""The door of the server: every request is from somebody who may do it, or it goes no further.

`needs.py` says what each route needs. What a request is about only the handler knows where its scope is `anywhere`:
that one asks `require`, and answers what is another tenant's with `hidden`, as if it were not there.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Final, Protocol

from aiohttp import hdrs, web

from duco_rt.config import Web
from duco_rt.errors import DucoError, Forbidden, NotFound, Unauthorized
from duco_rt.rights import ANONYMOUS, EVERY, Identity, Role
from duco_rt.web.access.address import Addresses
from duco_rt.web.access.needs import Need, need_of
from duco_rt.web.page_files import PageFile
from duco_rt.web.params import name_of, tenant_of

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

TenantOf = Callable[[str], Awaitable[str]]
"""chassisId → the device's tenant. Raises NotFound, TransportError."""

ADDRESS: Final = web.RequestKey("address", str)
IDENTITY: Final = web.RequestKey("identity", Identity)
TENANT: Final = web.RequestKey("tenant", str)
"""Of the device in the path, where that was looked up."""

DENIED: Final = web.RequestKey("denied", str)
"""Why a request was refused, for the audit log and its counter."""

UNAUTHORIZED = "sign in, or send a token: Authorization: Bearer duco_…"

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_PROBES = frozenset({"/healthz", "/readyz"})
_TELLS_MORE = frozenset({"/readyz"})
"""Open routes that tell more to who may know it."""


class Identifies(Protocol):
    """Who a request is from; `Authentication` is the one that looks."""

    async def identify(self, request: web.BaseRequest) -> Identity | None:
        """None: it has no credentials. Raises Unauthorized for wrong ones, TransportError where that is not known."""
        ...


class Anyone:
    """For auth = "none": whoever reaches this machine."""

    async def identify(self, _: web.BaseRequest) -> Identity | None:
        """Anonymous."""
        return ANONYMOUS


async def no_device(chassis_id: str) -> str:
    """In a process that knows no devices."""
    raise NotFound(unknown_device(chassis_id))


class Door:
    """Of one server; `learn` its routes before it serves."""

    def __init__(
        self, config: Web, authentication: Identifies, tenant_of: TenantOf, addresses: Addresses | None = None
    ) -> None:
        self._has_authentication = config.auth != "none"
        self._authentication = authentication
        self._tenant_of = tenant_of
        self.addresses = addresses or Addresses(config)
        self._needs: dict[web.AbstractRoute, Need] = {}

    def learn(self, routes: Iterable[web.AbstractRoute]) -> None:
        """Note what each route needs. Raises LookupError naming one that nobody has said it of."""
        for route in routes:
            need = need_of(route.method, path_of(route))
            if need is None:
                raise LookupError(f"{route.method} {path_of(route)}: access/needs.py does not say what it needs")
            self._needs[route] = need

    def need(self, request: web.Request) -> Need | None:
        """What a request's route needs; None where there is no such route."""
        return self._needs.get(request.match_info.route)

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Let in who may come in."""
        self._check_place(request)
        need = self.need(request)
        if need is None:  # the handler says 404 or 405
            return await handler(request)
        if need.scope == "open":
            await self._look(request)
            self._check_page(request, is_of_session=self._has_authentication)
        else:
            identity = await self._identify(request)
            self._check_page(request, is_of_session=identity.kind == "session")
            await self._check(request, identity, need)
        return await handler(request)

    def _check_place(self, request: web.Request) -> None:
        """No page of another origin speaks for the user, nor one whose name was made to point here."""
        is_asked_by_name = request.path not in _PROBES and hdrs.AUTHORIZATION not in request.headers
        if (is_asked_by_name or not self._has_authentication) and not self.addresses.is_own_host(request):
            host = request.headers.get(hdrs.HOST, "")[:200]
            raise self._foreign(request, "foreign_host", f"Host {host!r} is not this server")
        for origin in request.headers.getall(hdrs.ORIGIN, ()):
            if not self.addresses.is_own_origin(request, origin):
                raise self._foreign(request, "foreign_origin", f"Origin {origin[:200]!r} is not this server")

    def _check_page(self, request: web.Request, *, is_of_session: bool) -> None:
        """What a browser does by its cookie comes from our own page."""
        changes = request.method not in _SAFE or request.headers.get(hdrs.UPGRADE) is not None
        if not is_of_session or not changes or hdrs.ORIGIN in request.headers:  # a foreign one is refused before
            return
        if request.headers.get("Sec-Fetch-Site") != "same-origin":
            raise self._foreign(request, "foreign_origin", "with a session's cookie this needs the page's own Origin")

    def _foreign(self, request: web.Request, code: str, words: str) -> Foreign:
        request[DENIED] = code
        return Foreign(code, words)

    async def _look(self, request: web.Request) -> None:
        """Who asks for an open route that tells some people more; one who is not known gets what all get."""
        if request.path not in _TELLS_MORE:
            return
        try:
            identity = await self._authentication.identify(request)
        except Unauthorized:
            request[DENIED] = "unauthorized"
        except DucoError:
            return  # that MetaAPI is away is what it has to tell
        else:
            if identity is not None:
                request[IDENTITY] = identity

    async def _identify(self, request: web.Request) -> Identity:
        try:
            identity = await self._authentication.identify(request)
            if identity is None:
                raise Unauthorized(UNAUTHORIZED)
        except Unauthorized:
            request[DENIED] = "unauthorized"
            raise
        request[IDENTITY] = identity
        return identity

    async def _check(self, request: web.Request, identity: Identity, need: Need) -> None:
        if need.scope == "anywhere":
            if not identity.may_anywhere(need.role):
                raise forbidden(request, need.role, "in one tenant at least")
        elif need.scope == "device":
            await self._check_device(request, need.role)
        elif need.scope == "tenant":
            require(request, need.role, request.match_info["tenant"])
        elif need.scope == "query" and "tenant" in request.query:
            require(request, need.role, tenant_of(request))
        elif not identity.may(need.role):
            where = "in all tenants" + ("; name one: ?tenant=" if need.scope == "query" else "")
            raise forbidden(request, need.role, where)

    async def _check_device(self, request: web.Request, role: Role) -> None:
        if identity_of(request).may(role):
            return
        chassis_id = name_of(request, "chassisId")
        request[TENANT] = await self._tenant_of(chassis_id)
        require(request, role, request[TENANT], unknown_device(chassis_id))


class Foreign(Forbidden):
    """A request by another host's or origin's name; it has a code of its own."""

    def __init__(self, code: str, words: str) -> None:
        super().__init__(words)
        self.code = code


def path_of(route: web.AbstractRoute) -> str:
    """A route's path as `NEEDS` has it."""
    if isinstance(getattr(route.handler, "__self__", None), PageFile):
        return "page"
    return "" if route.resource is None else route.resource.canonical


def identity_of(request: web.BaseRequest) -> Identity:
    """Who a request is from that the door has let in, by a route that is not open."""
    return request[IDENTITY]


def known_identity(request: web.BaseRequest) -> Identity | None:
    """The same, None on an open route where nobody is known."""
    return request.get(IDENTITY)


def address_of(request: web.BaseRequest) -> str:
    """The address that a request is from, behind `web.proxies` too."""
    return request.get(ADDRESS) or request.remote or ""


def require(request: web.BaseRequest, role: Role, tenant: str, unknown: str | None = None) -> None:
    """Raise Forbidden where who asks has too low a role in the tenant; where it has none there, NotFound with the words
    `unknown`, by default that the tenant is not known."""
    identity = identity_of(request)
    if identity.may(role, tenant):
        return
    if not identity.may("viewer", tenant):
        raise hidden(request, unknown or f"tenant {tenant[:80]!r} is not known")
    raise forbidden(request, role, f"in tenant {tenant!r}" if tenant != EVERY else "in all tenants")


def forbidden(request: web.BaseRequest, role: Role, where: str) -> Forbidden:
    """The error of a role that is not enough."""
    request[DENIED] = "forbidden"
    return Forbidden(f"this needs the role {role} {where}")


def hidden(request: web.BaseRequest, words: str) -> NotFound:
    """The error of another tenant's thing: that of one that is not there, and a line in the audit log."""
    request[DENIED] = "foreign"
    return NotFound(words)


def unknown_device(chassis_id: str) -> str:
    """What MetaAPI says of a device that it does not know."""
    return f"device {chassis_id!r} is not known"
