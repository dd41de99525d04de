"""Requests counted by area of the server and class of status, and how long they took."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus

from aiohttp import web

from duco_rt.seeing.metrics import Metrics
from duco_rt.seeing.metrics_known import KNOWN

_AREAS = (
    ("/api/resources/", "studio"),
    ("/api/iothubs/", "commands"),
    ("/api/metaapi/", "metaapi"),
    ("/healthz", "health"),
    ("/readyz", "health"),
    ("/metrics", "health"),
    ("/sign-", "access"),
    ("/api/session", "access"),
    ("/api/", "other"),
)
_GONE = 499
"""What a request whose client went away counts as."""

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Measured:
    """The outermost middleware of a server."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        areas = KNOWN["web_request_seconds"].labels["area"]
        self._seconds = {area: metrics.histogram("web_request_seconds", area=area) for area in areas}

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Count and time what the others answer; a WebSocket has no time, and counts when it ends."""
        begun_s, status = time.perf_counter(), _GONE
        try:
            response = await handler(request)
            status = response.status
            return response
        except web.HTTPException as e:
            status = e.status
            raise
        except Exception:
            status = 500
            raise
        finally:
            area = _area(request)
            self._metrics.count("web_requests_total", area=area, status=f"{status // 100}xx")
            if status != HTTPStatus.SWITCHING_PROTOCOLS:
                self._seconds[area].observe(time.perf_counter() - begun_s)


def _area(request: web.Request) -> str:
    if request.match_info.http_exception is not None:  # no such route
        return "other"
    return next((area for prefix, area in _AREAS if request.path.startswith(prefix)), "page")
