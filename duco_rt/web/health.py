"""What every process serves of itself: alive, ready, metrics."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

from duco_rt.errors import DucoError
from duco_rt.metrics import Metrics
from duco_rt.web.params import reply

_CHECK_S = 3.0

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
        states = await self._states()
        good = all(state == "ok" for state in states.values())
        return reply({"status": "ready" if good else "not ready", "transports": states}, 200 if good else 503)

    async def metrics_text(self, _: web.Request) -> web.Response:
        """Prometheus text; whether each transport works is asked anew, as for `/readyz`."""
        up = {name: int(state == "ok") for name, state in (await self._states()).items()}
        lines = [f'duco_transport_up{{transport="{name}"}} {works}\n' for name, works in up.items()]
        text = self._metrics.text() + "# TYPE duco_transport_up gauge\n" + "".join(lines)
        return web.Response(text=text, content_type="text/plain", charset="utf-8")

    async def _states(self) -> dict[str, str]:
        """What each transport's check says: "ok", or what is wrong."""
        found = await asyncio.gather(*(_state(check) for check in self._checks.values()))
        return dict(zip(self._checks, found, strict=True))


async def _state(check: Check) -> str:
    try:
        async with asyncio.timeout(_CHECK_S):
            await check()
    except DucoError as e:
        return str(e)
    except TimeoutError:
        return f"no answer within {_CHECK_S:g} s"
    return "ok"
