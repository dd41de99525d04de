"""The HTTP server of a process: routes by role, errors as JSON, and what stands before them."""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from ipaddress import ip_address
from pathlib import Path

import psutil
import structlog
from aiohttp import hdrs, web

from duco_rt import errors
from duco_rt.clock import Clock, SystemClock
from duco_rt.config import Web
from duco_rt.seeing.metrics import Metrics
from duco_rt.tls import is_tls, leaf_sha256, server_context
from duco_rt.web.access.accepting import Accepting
from duco_rt.web.access.address import LOOPBACK, host_name
from duco_rt.web.access.admission import Admission
from duco_rt.web.access.audit import CODE, Audit
from duco_rt.web.access.door import Anyone, Door, Handler, no_device
from duco_rt.web.access.slow_clients import Connections
from duco_rt.web.commands import Call
from duco_rt.web.datasets import Datasets
from duco_rt.web.groups import Groups
from duco_rt.web.health import Health
from duco_rt.web.live.service import LiveService
from duco_rt.web.measured import Measured
from duco_rt.web.metaapi import MetaApi, handle_method
from duco_rt.web.page_files import page_routes
from duco_rt.web.params import refusal
from duco_rt.web.reparse import ReparseApi

log = structlog.get_logger()

_STATUS: tuple[tuple[type[errors.DucoError], int, str], ...] = (
    (errors.Unauthorized, 401, "unauthorized"),
    (errors.Forbidden, 403, "forbidden"),
    (errors.TooMany, 429, "too_many_requests"),
    (errors.NotFound, 404, "not_found"),
    (errors.BadInput, 400, "bad_request"),
    (errors.Conflict, 409, "conflict"),
    (errors.DeviceOffline, 409, "device_offline"),
    (errors.DeviceTimeout, 504, "device_timeout"),
    (errors.TransportError, 503, "unavailable"),
)


def routes(
    health: Health,
    *,
    studio: tuple[Datasets, Groups, LiveService] | None,
    metaapi: MetaApi | None,
    call: Call | None,
    static: Path | None,
    reparse: ReparseApi | None = None,
    more: Sequence[web.RouteDef] = (),
) -> list[web.RouteDef]:
    """The routes of the roles that this process has, and `more`, which are known by their makers alone."""
    table = [
        web.get("/healthz", health.alive),
        web.get("/readyz", health.ready),
        web.get("/metrics", health.metrics_text),
    ]
    if call is not None:
        table.append(web.post("/api/iothubs/{hub}/devices/{chassisId}/methods", partial(handle_method, call=call)))
    if metaapi is not None:
        base = "/api/metaapi"
        table += [
            web.get(f"{base}/devices", _tagged(metaapi.devices)),
            web.get(f"{base}/presence", metaapi.presence),
            web.get(f"{base}/devices/{{chassisId}}", _tagged(metaapi.device)),
            web.put(f"{base}/devices/{{chassisId}}", metaapi.put_device),
            web.delete(f"{base}/devices/{{chassisId}}", metaapi.remove_device),
            web.get(f"{base}/devices/{{chassisId}}/parsing", _tagged(metaapi.device_parsing)),
            web.get(f"{base}/devices/{{chassisId}}/before", metaapi.tenant_before),
            web.get(f"{base}/parsings/{{name}}", _tagged(metaapi.parsing)),
            web.put(f"{base}/parsings/{{name}}", metaapi.put_parsing),
            web.get(f"{base}/parsings/{{name}}/tenants", metaapi.parsing_tenants),
            *_group_routes(f"{base}/groups", metaapi.groups),
            *metaapi.ledger.routes(base),
        ]
    if reparse is not None:
        table.append(web.post("/api/reparse", reparse.handle))
    if studio is not None:
        table += _studio_routes(*studio)
        table += page_routes(static)
    return [*table, *more]


def _studio_routes(datasets: Datasets, groups: Groups, live: LiveService) -> list[web.RouteDef]:
    base = "/api/resources/{tenant}/_common/datasets"
    table = [
        web.get(base, datasets.devices),
        web.get(f"{base}/{{chassisId}}/fields", datasets.fields),
        web.get(f"{base}/{{chassisId}}/history", datasets.history),
        web.get(f"{base}/{{chassisId}}/parsing-health", datasets.health.handle),
        web.get(f"{base}/{{chassisId}}/commands", datasets.commands.handle),
        web.get(f"{base}/{{chassisId}}/live", live.handle),
    ]
    return table + _group_routes(f"{base}/_groups", groups)


def _group_routes(place: str, groups: Groups) -> list[web.RouteDef]:
    return [
        web.get(place, _tagged(groups.list)),
        web.post(place, groups.create),
        web.get(f"{place}/{{groupId}}", groups.read),
        web.put(f"{place}/{{groupId}}", groups.replace),
        web.delete(f"{place}/{{groupId}}", groups.remove),
    ]


def _tagged(handler: Callable[[web.Request], Awaitable[web.Response]]) -> Handler:
    """An answer with an ETag, which follows from its text; 304 where the asker has it."""

    async def serve(request: web.Request) -> web.StreamResponse:
        response = await handler(request)
        assert isinstance(response.body, bytes)
        etag = f'"{hashlib.blake2b(response.body, digest_size=12).hexdigest()}"'
        if request.headers.get("If-None-Match") == etag:
            return web.Response(status=304, headers={"ETag": etag})
        response.headers["ETag"] = etag
        return response

    return serve


@web.middleware
async def _errors_as_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except web.HTTPException as e:
        if e.status < 400:
            raise
        code = "no_such_route" if e.status == 404 else e.reason.lower().replace(" ", "_")
        message = f"{request.method} {request.path}: {e.reason}"
        answer = _refusal(request, e.status, code, message)
        answer.headers.update({name: value for name, value in e.headers.items() if name == "Allow"})
        errors.drop_frames(e)
        return answer
    except errors.DucoError as e:
        status, code = next((s, c) for kind, s, c in _STATUS if isinstance(e, kind))
        answer = _refusal(request, status, getattr(e, "code", code), str(e), getattr(e, "retry_s", None))
        if status == 401:
            answer.headers[hdrs.WWW_AUTHENTICATE] = "Bearer"
        return answer
    except ConnectionResetError:
        raise
    except Exception:
        log.exception("request failed", method=request.method, path=request.path)
        return _refusal(request, 500, "internal", "the server failed; its log says how")


def _refusal(request: web.Request, status: int, code: str, message: str, retry_s: float | None = None) -> web.Response:
    request[CODE] = code
    return refusal(status, code, message, retry_s)


async def _guard(request: web.BaseRequest, response: web.StreamResponse, *, hsts: bool) -> None:
    """What every answer says to the browsers and caches on its way."""
    headers = response.headers
    headers[hdrs.SERVER] = "duco_rt"  # and of which versions is nobody's business
    headers.setdefault("X-Content-Type-Options", "nosniff")
    headers.setdefault(hdrs.CACHE_CONTROL, "no-cache" if hdrs.ETAG in headers else "no-store")
    if hsts and host_name(request) not in LOOPBACK:  # there it would hold for whatever else this machine serves
        headers.setdefault("Strict-Transport-Security", "max-age=31536000")


def listen(config: Web) -> socket.socket:
    """The listening socket, before anything else starts. Raises ConfigError where the port is taken."""
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    try:
        return socket.create_server(
            (config.host, config.port), family=family, backlog=1024, reuse_port=config.reuse_port
        )
    except ValueError as e:  # Windows has no such sharing
        raise errors.ConfigError(f"web.reuse_port = true: {e}") from e
    except OSError as e:
        raise errors.ConfigError(
            f"web.port = {config.port}: cannot listen on {config.host}: "
            f"{os.strerror(e.errno or 0)}{_holder(config.port)}; --set web.port=0 takes a free one"
        ) from e


def _holder(port: int) -> str:
    """Who listens on a port of this machine, as far as this user may know."""
    try:
        found = [each for each in psutil.net_connections("tcp") if each.status == psutil.CONN_LISTEN]
        pid = next((each.pid for each in found if each.laddr.port == port and each.pid), None)
        return "" if pid is None else f" (process {pid}, {psutil.Process(pid).name()}, does)"
    except (psutil.Error, OSError):
        return ""


def _address(listening: socket.socket, scheme: str) -> str:
    """Where this machine reaches the socket: by loopback, where it listens on all addresses."""
    host, port = listening.getsockname()[:2]
    if ip_address(host).is_unspecified:
        host = "::1" if ":" in host else "127.0.0.1"
    return f"{scheme}://[{host}]:{port}/" if ":" in host else f"{scheme}://{host}:{port}/"


class Server:
    """Serves a table of routes on a listening socket, to whom the door lets in."""

    def __init__(
        self,
        config: Web,
        listening: socket.socket,
        table: list[web.RouteDef],
        door: Door | None = None,
        *,
        metrics: Metrics | None = None,
        clock: Clock | None = None,
    ) -> None:
        """`door` None: one for auth = "none". Raises LookupError where it is not said what a route needs."""
        if door is None:
            if config.auth != "none":
                raise ValueError("a server with authentication needs its door")
            door = Door(config, Anyone(), no_device)
        self._listening = listening
        metrics = metrics or Metrics()
        audit, admission = Audit(door, clock or SystemClock(), metrics), Admission(config, metrics)
        self._connections = Connections(config, metrics)
        self._accepting: Accepting | None = None
        middlewares = [audit.middleware, _errors_as_json, admission.guard, door.middleware, admission.share]
        middlewares.insert(0, Measured(metrics).middleware)
        application = web.Application(middlewares=middlewares, client_max_size=config.body_bytes_max)
        application.add_routes(table)
        self.routes = application.router.routes
        door.learn(self.routes())
        application.on_response_prepare.append(partial(_guard, hsts=is_tls(config)))
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=2.0)
        self._tls = server_context(config)
        self.certificate_sha256 = leaf_sha256(config)
        """By which this machine's own commands know it; empty without TLS."""
        self.url = _address(listening, "http" if self._tls is None else "https")

    async def start(self) -> None:
        """Accept connections."""
        await self._runner.setup()
        assert self._runner.server is not None
        self._accepting = self._connections.accept(self._listening, self._runner.server, self._tls)

    async def close(self) -> None:
        """Stop listening and end what is open."""
        if self._accepting is not None:
            self._accepting.close()
        await self._runner.cleanup()
