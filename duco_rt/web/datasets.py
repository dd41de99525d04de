"""Studio's reading endpoints: devices of a tenant, fields of a device, history."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

import structlog
from aiohttp import web

from duco_rt.app_fields import CLIENT_FIELDS
from duco_rt.clock import Clock
from duco_rt.config import Web
from duco_rt.errors import BadRequest, NotFound, TransportError
from duco_rt.model import CLIENT_RAW_DATA, VEHICLE_CAN, History, LastSeen, Peer
from duco_rt.pipeline.parsing_cache import ParsingCache
from duco_rt.transports.base_data import Meta, Store
from duco_rt.web.params import int_of, name_of, peer_of, reply
from duco_rt.web.presence import Presence
from duco_rt.web.thin import thin

log = structlog.get_logger()

Connected = Callable[[str], Awaitable[Mapping[str, bool | None]]]
"""tenant → the hub's word on its devices."""

DEFAULT_WINDOW_MS = 120_000
_SKEW_MS = 5_000


class Datasets:
    """`/api/resources/{tenant}/_common/datasets`."""

    def __init__(
        self,
        meta: Meta,
        store: Store,
        parsings: ParsingCache,
        presence: Presence,
        connected: Connected,
        config: Web,
        clock: Clock,
    ) -> None:
        self._meta = meta
        self._store = store
        self._parsings = parsings
        self._presence = presence
        self._connected = connected
        self._config = config
        self._clock = clock

    async def devices(self, request: web.Request) -> web.Response:
        """Devices of the tenant with their state."""
        tenant = name_of(request, "tenant")
        seen, connected = await asyncio.gather(self._seen(tenant), self._connected(tenant))
        newest: dict[str, LastSeen] = {}
        for peer, last in seen.items():
            other = newest.get(peer.chassis_id)
            if other is None or other.received_ms < last.received_ms:
                newest[peer.chassis_id] = last
        now_ms = self._clock.wall_ms()
        return reply(
            [
                {
                    "chassisId": device.chassis_id,
                    "name": device.name,
                    **self._presence.state(connected.get(device.chassis_id), newest.get(device.chassis_id), now_ms),
                }
                for device in await self._meta.devices(tenant)
            ]
        )

    async def _seen(self, tenant: str) -> Mapping[Peer, LastSeen]:
        """What the store knows; while it is away a page still finds its machines, and live data of them."""
        try:
            return await self._store.last_seen(tenant)
        except TransportError as e:
            log.warning("devices without their last arrival", error=str(e))
            return {}

    async def fields(self, request: web.Request) -> web.Response:
        """Every field of a device's message type."""
        peer = peer_of(request)
        if (await self._meta.device(peer.chassis_id)).tenant != peer.tenant:
            raise NotFound(f"device {peer.chassis_id!r} is not known")
        known = await self._parsings.get(peer.chassis_id)
        if peer.msg_type == VEHICLE_CAN:
            return reply(known.plan.fields if known and known.plan else ())
        return reply(CLIENT_FIELDS if peer.msg_type == CLIENT_RAW_DATA else ())

    async def history(self, request: web.Request) -> web.Response:
        """Columns of a time range, the last two minutes by default."""
        peer = peer_of(request)
        fields = [name for name in request.query.get("fields", "").split(",") if name]
        if not fields or len(fields) > self._config.history_fields_max:
            raise BadRequest(f"fields: 1 to {self._config.history_fields_max} names, {len(fields)} given")
        if request.query.get("resolution", "second") != "second":
            raise BadRequest(f"resolution {request.query['resolution'][:80]!r}: this server has second")
        points = int_of(request, "points")
        if points is not None and points < 2:
            raise BadRequest(f"points {points}: 2 or more")
        from_ms, to_ms = await self._range(request, peer)
        values, most = len(fields) * (to_ms - from_ms) // 1000, self._config.history_values_max
        if values > most:
            raise BadRequest(
                f"{len(fields)} fields over {(to_ms - from_ms) // 1000} s are {values} values, at most {most}:"
                f" ask for {most // len(fields)} s, or fewer fields"
            )
        found = await self._store.history(peer, fields, from_ms, to_ms)
        return reply(_columns(thin(found, points) if points else found))

    async def _range(self, request: web.Request, peer: Peer) -> tuple[int, int]:
        to_ms, from_ms = int_of(request, "to"), int_of(request, "from")
        if to_ms is None:
            to_ms = await device_now_ms(self._store, peer, self._clock.wall_ms())
        if from_ms is None:
            from_ms = to_ms - DEFAULT_WINDOW_MS
        hours = (to_ms - from_ms) / 3_600_000
        if not 0 <= hours <= self._config.history_hours_max:
            raise BadRequest(
                f"from {from_ms} to {to_ms}: to must not be before from, and at most "
                f"{self._config.history_hours_max:g} hours after it"
            )
        return from_ms, to_ms


async def device_now_ms(store: Store, peer: Peer, now_ms: int) -> int:
    """Now by the device's clock, where that is known to be off by more than 5 s; else ours."""
    return now_ms - skew_ms((await store.last_seen(peer.tenant)).get(peer))


def skew_ms(last: LastSeen | None) -> int:
    """How far a device's clock is behind ours, 0 within 5 s. A second arrives 1 s after its start."""
    if last is None:
        return 0
    behind = last.received_ms - last.ts_ms - 1000
    return behind if abs(behind) > _SKEW_MS else 0


def _columns(found: History) -> dict[str, object]:
    return {
        "from": found.from_ms,
        "to": found.to_ms,
        "seq": found.seq,
        "ts": found.ts,
        "fields": found.fields,
    }
