"""What every process serves of itself: alive, ready, metrics."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import NamedTuple

from aiohttp import hdrs, web

from duco_rt.clock import SystemClock
from duco_rt.errors import DucoError
from duco_rt.seeing.logs import scrubbed
from duco_rt.seeing.metrics import Metrics
from duco_rt.seeing.monitor import Check, Monitor
from duco_rt.web.access.door import IDENTITY
from duco_rt.web.params import reply

__all__ = ["Check", "Health"]

_CHECK_S = 3.0
_STRANGERS_S = 1.0
"""How old may be what those are told who may not read the metrics."""
_WORDS_MAX = 500
_MACHINES = "device "
_PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"


class _States(NamedTuple):
    """`ok`, or what is wrong, of each transport and of each other part of the process."""

    transports: dict[str, str]
    components: dict[str, str]

    @property
    def are_good(self) -> bool:
        return all(state == "ok" for states in self for state in states.values())


class Health:
    """`/healthz`, `/readyz`, `/metrics`."""

    def __init__(self, checks: Mapping[str, Check], metrics: Metrics, monitor: Monitor | None = None) -> None:
        """`checks`: of each transport; `monitor`: what else there is of the process."""
        self._checks = checks
        self._metrics = metrics
        self._monitor = monitor or Monitor(metrics, SystemClock())
        self._asking = asyncio.Lock()
        self._found: _States | None = None
        self._found_s = 0.0

    async def alive(self, _: web.Request) -> web.Response:
        """The process lives."""
        return reply({"status": "ok"})

    async def ready(self, request: web.Request) -> web.Response:
        """200 where everything works, else 503; what is wrong in words for those who may read the metrics."""
        identity = request.get(IDENTITY)
        may_know = identity is not None and identity.may("monitor")
        states = await self._states(0.0 if may_know else _STRANGERS_S)
        if not may_know:
            states = _States(*({name: _word(state) for name, state in each.items()} for each in states))
        status = "ready" if states.are_good else "not ready"
        body = {"status": status, "transports": states.transports, "components": states.components}
        return reply(body, 200 if states.are_good else 503)

    async def metrics_text(self, _: web.Request) -> web.Response:
        """Prometheus text; whether each part works is asked anew, as for `/readyz`."""
        states, _nothing = await asyncio.gather(self._states(), self._monitor.look())
        metrics = self._metrics
        for name, state in states.transports.items():
            metrics.set("transport_up", float(state == "ok"), transport=name)
        metrics.set("components_failing", sum(state != "ok" for state in states.components.values()))
        metrics.set("ready", float(states.are_good))
        return web.Response(body=metrics.text().encode(), headers={hdrs.CONTENT_TYPE: _PROMETHEUS})

    async def _states(self, age_max_s: float = 0.0) -> _States:
        """As of now, or at most so long ago. Who asks meanwhile waits for the same: a check is no way to keep a
        process busy."""
        asked_s = asyncio.get_running_loop().time()
        async with self._asking:
            if self._found is None or self._found_s < asked_s - age_max_s:
                self._found_s = asyncio.get_running_loop().time()
                self._found = await self._ask()
            return self._found

    async def _ask(self) -> _States:
        checks = [*self._checks.items(), *self._monitor.checks.items()]
        found = await asyncio.gather(*(_state(check) for _, check in checks))
        states = {name: state for (name, _), state in zip(checks, found, strict=True)}
        transports = {name: states[name] for name in self._checks}
        others = {name: state for name, state in states.items() if name not in transports}
        return _States(transports, others | _in_short(self._monitor.components()))


def _in_short(components: Mapping[str, str]) -> dict[str, str]:
    """Of many machines those that fail by name, the others as one."""
    shown = {name: state for name, state in components.items() if state != "ok" or not name.startswith(_MACHINES)}
    if len(shown) < len(components):
        shown.setdefault("devices", "ok")
    return shown


def _word(state: str) -> str:
    return "ok" if state == "ok" else "failing"


async def _state(check: Check) -> str:
    """What a check says: "ok", or what is wrong."""
    try:
        async with asyncio.timeout(_CHECK_S):
            await check()
    except DucoError as e:
        return scrubbed(str(e))[:_WORDS_MAX] or type(e).__name__
    except TimeoutError:
        return f"no answer within {_CHECK_S:g} s"
    except Exception as e:  # an error that nobody thought of is a part that does not work, and no 500
        return scrubbed(f"{type(e).__name__}: {e}")[:_WORDS_MAX]
    return "ok"
