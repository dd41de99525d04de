"""`parsing-health`: how a device's parsing fits what it sends, computed when it is asked for."""

from __future__ import annotations

import asyncio

from aiohttp import web

from duco_rt.clock import Clock
from duco_rt.errors import NotFound
from duco_rt.pipeline.parsing_cache import ParsingCache
from duco_rt.pipeline.parsing_health import HealthReading
from duco_rt.transports.base_data import Meta, Store
from duco_rt.web.full_history import plan_of, read_raw
from duco_rt.web.params import gone, peer_of, range_of, reply
from duco_rt.web.turns import Turns

_WINDOW_MS, _WINDOW_MS_MAX = 60_000, 600_000


class ParsingHealth:
    """The endpoint. It takes its turn with the readings at full resolution, which do the same work."""

    def __init__(self, meta: Meta, store: Store, parsings: ParsingCache, clock: Clock, turns: Turns) -> None:
        self._meta = meta
        self._store = store
        self._parsings = parsings
        self._clock = clock
        self._turns = turns

    async def handle(self, request: web.Request) -> web.Response:
        """Unknown ids, wrong lengths, values out of range and more, of the last minute by default."""
        peer = peer_of(request)
        if (await self._meta.device(peer.chassis_id)).tenant != peer.tenant:
            raise NotFound(f"device {peer.chassis_id!r} is not known")
        from_ms, to_ms = await range_of(request, self._store, self._clock.wall_ms(), _WINDOW_MS, _WINDOW_MS_MAX)
        away = gone(request)
        async with self._turns.turn(peer.tenant, away):
            reading = HealthReading(await plan_of(self._parsings, peer), from_ms, to_ms)
            await read_raw(self._store, peer, reading, away)
            return reply(await asyncio.to_thread(reading.report))
