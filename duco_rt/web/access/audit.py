"""The audit log: who did, or was refused, what; no secret, no query and no body is in it.

A line for every request to a route that has an `event` in `needs.py`, but heartbeats, which act on nothing; and for
every one that is refused anywhere. Of refusals a flood is cut short: `unlogged` says how many were left out since the
line before.
"""

from __future__ import annotations

import logging
import re
from collections import OrderedDict
from typing import Final

import structlog
from aiohttp import web

from duco_rt.clock import Clock
from duco_rt.seeing.metrics import Metrics
from duco_rt.web.access.door import ADDRESS, DENIED, IDENTITY, TENANT, Door, Handler
from duco_rt.web.access.needs import Need
from duco_rt.web.access.rates import Rates


def open_log() -> structlog.typing.FilteringBoundLogger:
    """A logger of its own level: what `app.log_level` leaves out of the log stays in the audit log."""
    made: structlog.typing.FilteringBoundLogger = structlog.wrap_logger(
        None, wrapper_class=structlog.make_filtering_bound_logger(logging.INFO)
    )
    return made


log = open_log()

NOTES: Final = web.RequestKey("audit", dict[str, str])
IDLE: Final = web.RequestKey("idle", bool)
"""Nothing was done: a request that only says that somebody is still there."""

CODE: Final = web.RequestKey("code", str)
"""The code of the error that a request is answered with."""

_TEXT_MAX = 200
_SECRET = re.compile(r"(duco_[0-9a-f]{16})_[A-Za-z0-9_-]+")
_EACH_PER_S, _EACH_BURST = 1.0, 20.0
_ALL_PER_S, _ALL_BURST = 20.0, 200.0
_KEYS_MAX = 1_000
_STATUSES = {401: "unauthorized", 403: "forbidden"}


def note(request: web.BaseRequest, **facts: str) -> None:
    """Say what a request is about, where its path does not: an action, a commandId, a tenant."""
    request[NOTES] = {**request.get(NOTES, {}), **facts}


class Audit:
    """The outermost middleware: it sees what a request is answered with at last."""

    def __init__(self, door: Door, clock: Clock, metrics: Metrics) -> None:
        self._door = door
        self._clock = clock
        self._metrics = metrics
        self._refusals = Refusals()

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Note what is done and what is refused."""
        request[ADDRESS] = self._door.addresses.of(request)
        response = None
        try:
            response = await handler(request)
        finally:
            try:
                self._write(request, None if response is None else response.status)
            except (OSError, ValueError):  # a log that cannot be written: nobody is the better for a server that stops
                self._metrics.count("web_audit_lost_total")
        return response

    def _write(self, request: web.Request, status: int | None) -> None:
        denied = request.get(DENIED) or _STATUSES.get(status or 0)
        need = self._door.need(request)
        if denied is None and (need is None or not need.event or request.get(IDLE)):
            return
        facts = _facts(request, need, status)
        if denied is None and status != 429:
            log.info("audit", **facts, result="done" if status is not None and status < 400 else "failed")
            return
        if denied is not None:
            self._metrics.count("web_denied_total", reason=denied)
        unlogged = self._refusals.next(facts["credential"] or facts["address"], self._clock.steady_s())
        if unlogged is not None:
            log.info("audit", **facts, result="denied", reason=denied or "too_many", unlogged=unlogged)


def _facts(request: web.Request, need: Need | None, status: int | None) -> dict[str, str]:
    identity, match = request.get(IDENTITY), request.match_info
    tenant = match.get("tenant") or request.query.get("tenant") or request.get(TENANT, "")
    facts = {
        "event_kind": need.event if need is not None and need.event else "request",
        "who": identity.name if identity else "",
        "kind": identity.kind if identity else "",
        "credential": identity.credential if identity else "",
        "address": request[ADDRESS],
        "method": request.method,
        "path": request.rel_url.raw_path,
        "tenant": tenant,
        "device": match.get("chassisId") or "",
        "status": "" if status is None else str(status),
        "code": request.get(CODE, ""),
        **request.get(NOTES, {}),
    }
    return {name: _short(value) for name, value in facts.items() if value or name in ("credential", "address", "who")}


def _short(text: str) -> str:
    """On one line, and without a token that somebody put where none belongs."""
    safe = _SECRET.sub(r"\1_…", text)[:_TEXT_MAX]
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in safe)


class Refusals:
    """How many lines of refusals are written: of one who asks 20 at once and one a second from then on, of all who ask
    together 200 and 20. Pure; time is passed in."""

    def __init__(self) -> None:
        self._each = Rates(_EACH_PER_S, _EACH_BURST / _EACH_PER_S, _KEYS_MAX)
        self._all = Rates(_ALL_PER_S, _ALL_BURST / _ALL_PER_S)
        self._left_out: OrderedDict[str, int] = OrderedDict()

    def next(self, key: str, now_s: float) -> int | None:
        """How many were left out before the line that is to be written now; None for none to be written."""
        if self._each.wait_s(key, now_s) or self._all.wait_s("", now_s):
            self._left_out[key] = self._left_out.get(key, 0) + 1
            if len(self._left_out) > _KEYS_MAX:
                self._left_out.popitem(last=False)
            return None
        self._each.allow(key, now_s)
        self._all.allow("", now_s)
        return self._left_out.pop(key, 0)
