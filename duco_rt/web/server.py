"""The HTTP server of a process: routes by role, errors as JSON, and the door (Host and Origin)."""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

import structlog
from aiohttp import web

from duco_rt import errors
from duco_rt.config import Web
from duco_rt.web.commands import Call
from duco_rt.web.datasets import Datasets
from duco_rt.web.groups import Groups
from duco_rt.web.health import Health
from duco_rt.web.live.service import LiveService
from duco_rt.web.metaapi import MetaApi, handle_method
from duco_rt.web.page_files import page_routes
from duco_rt.web.reparse import ReparseApi

log = structlog.get_logger()

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_STATUS: tuple[tuple[type[errors.DucoError], int, str], ...] = (
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
) -> list[web.RouteDef]:
    """The routes of the roles that this process has."""
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
            web.get(f"{base}/parsings/{{name}}", _tagged(metaapi.parsing)),
            web.put(f"{base}/parsings/{{name}}", metaapi.put_parsing),
            *_group_routes(f"{base}/groups", metaapi.groups),
            *metaapi.ledger.routes(base),
        ]
    if reparse is not None:
        table.append(web.post("/api/reparse", reparse.handle))
    if studio is not None:
        table += _studio_routes(*studio)
        table += page_routes(static)
    return table


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
        answer = error_reply(e.status, code, message)
        answer.headers.update({name: value for name, value in e.headers.items() if name == "Allow"})
        return answer
    except errors.DucoError as e:
        status, code = next((s, c) for kind, s, c in _STATUS if isinstance(e, kind))
        return error_reply(status, code, str(e))
    except ConnectionResetError:
        raise
    except Exception:
        log.exception("request failed", method=request.method, path=request.path)
        return error_reply(500, "internal", "the server failed; its log says how")


@web.middleware
async def _door(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Without authentication only this machine is served, and no page of another origin speaks for its user."""
    host = _url(f"//{request.headers.get('Host', '')}").hostname
    if host not in _LOOPBACK:
        return error_reply(403, "foreign_host", f"Host {host!r} is not this machine")
    origin = request.headers.get("Origin")
    if origin is not None and _url(origin).netloc != request.headers.get("Host"):
        return error_reply(403, "foreign_origin", f"Origin {origin!r} is not this server")
    return await handler(request)


def _url(text: str) -> SplitResult:
    """Its parts; those of nowhere where it is malformed."""
    try:
        return urlsplit(text)
    except ValueError:
        return urlsplit("")


def error_reply(status: int, code: str, message: str) -> web.Response:
    """An error as every endpoint gives it."""
    return web.json_response({"error": {"code": code, "message": message}}, status=status)


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
            f"{os.strerror(e.errno or 0)}; --set web.port=0 takes a free one"
        ) from e


class Server:
    """Serves a table of routes on a listening socket."""

    def __init__(self, config: Web, listening: socket.socket, table: list[web.RouteDef]) -> None:
        self._listening = listening
        application = web.Application(middlewares=[_errors_as_json, _door], client_max_size=config.body_bytes_max)
        application.add_routes(table)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=2.0)
        host, port = listening.getsockname()[:2]
        self.url = f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"

    async def start(self) -> None:
        """Accept connections."""
        await self._runner.setup()
        await web.SockSite(self._runner, self._listening).start()

    async def close(self) -> None:
        """Stop listening and end what is open."""
        await self._runner.cleanup()
