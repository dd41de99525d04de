"""The wiring of who may do what: authentication, the door of the server, and the routes of tokens and signing in."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from aiohttp import web

from duco_rt.adapters import Transports, needs
from duco_rt.clock import Clock
from duco_rt.config import Config
from duco_rt.seeing.metrics import Metrics
from duco_rt.transports.base_data import Meta
from duco_rt.web.access.authentication import Authentication
from duco_rt.web.access.door import Door, TenantOf, no_device
from duco_rt.web.access.jwt_bearer import JwtBearer
from duco_rt.web.access.oidc import Oidc
from duco_rt.web.access.sessions import SignIn
from duco_rt.web.access.tokens import CredentialsApi, TokensApi


class Access(NamedTuple):
    """What the web side of a process is told of it."""

    authentication: Authentication
    door: Door
    routes: list[web.RouteDef]


def build_access(
    config: Config, t: Transports, local_key: str, static: Path | None, clock: Clock, metrics: Metrics
) -> Access:
    """`local_key`: `DataDir.key`. A process that does not ask MetaAPI knows the local key and the monitor's alone."""
    meta = t.meta if needs(config, "ingest", "process", "studio", "metaapi") else None
    jwt = JwtBearer(config.web, clock, metrics) if config.web.auth == "oidc" else None
    shared = config.meta.token if needs(config, "metaapi") else ""
    authentication = Authentication(config.web, meta, local_key, clock, jwt, metrics, shared)
    door = Door(config.web, authentication, no_device if meta is None else tenant_of(meta))
    table: list[web.RouteDef] = []
    if meta is not None and needs(config, "studio"):
        oidc = None if jwt is None else Oidc(config.web, jwt)
        table += SignIn(config.web, meta, authentication, clock, static, oidc).routes()
    if meta is not None and needs(config, "metaapi"):
        table += token_routes(meta, authentication, clock)
    return Access(authentication, door, table)


def token_routes(meta: Meta, authentication: Authentication, clock: Clock) -> list[web.RouteDef]:
    """MetaAPI's endpoints of tokens and of what the other processes ask about them."""
    base, forget = "/api/metaapi", authentication.forget
    return [*TokensApi(meta, clock, forget).routes(base), *CredentialsApi(meta, forget).routes(base)]


def tenant_of(meta: Meta) -> TenantOf:
    """Asks for the tenant of a device."""

    async def ask(chassis_id: str) -> str:
        return (await meta.device(chassis_id)).tenant

    return ask
