"""What every process serves of itself: alive, ready, metrics."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

from duco_rt.errors import DucoError
from duco_rt.metrics import Metrics
from duco_rt.web.params import reply

Check = Callable[[], Awaitable[None]]
"""Raises a DucoError whose text says what is wrong."""


class Health:
    """`/healthz`, `/readyz`, `/metrics`."""

    def __init__(self, checks: Mapping[str, Check], metrics: Metrics) -> None:
        self._checks = checks
        self._metrics = metrics

    async def alive(self, _: web.Request) -> web.Response:
        """The process lives."""
        return reply({"status": "ok"})

    async def ready(self, _: web.Request) -> web.Response:
        """200 where every transport works, else 503; each with its state."""
        states: dict[str, str] = {}
        for name, check in self._checks.items():
            try:
                await check()
                states[name] = "ok"
            except DucoError as e:
                states[name] = str(e)
        good = all(state == "ok" for state in states.values())
        return reply({"status": "ready" if good else "not ready", "transports": states}, 200 if good else 503)

    async def metrics_text(self, _: web.Request) -> web.Response:
        """Prometheus text."""
        return web.Response(text=self._metrics.text(), content_type="text/plain", charset="utf-8")
