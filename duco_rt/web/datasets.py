"""Studio's reading endpoints: devices of a tenant, fields of a device, history."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence, Set

import structlog
from aiohttp import web

from duco_rt.app_fields import CLIENT_FIELDS
from duco_rt.clock import Clock
from duco_rt.config import Web
from duco_rt.errors import BadRequest, NotFound, TransportError
from duco_rt.model import CLIENT_RAW_DATA, VEHICLE_CAN, History, LastSeen, Peer
from duco_rt.pipeline.parsing_cache import ParsingCache
from duco_rt.transports.base_data import Meta, Store
from duco_rt.web.encoding import AT_ONCE, to_json
from duco_rt.web.full_history import FullHistory
from duco_rt.web.ledger_api import TenantCommands
from duco_rt.web.params import (
    MEANS,
    SPANS,
    detail_of,
    gone,
    int_of,
    name_of,
    peer_of,
    range_of,
    reply,
    reply_text,
)
from duco_rt.web.parsing_health import ParsingHealth
from duco_rt.web.presence import Presence
from duco_rt.web.thin import with_means
from duco_rt.web.turns import Turns
from duco_rt.web.wide_history import Ask, WideHistory

log = structlog.get_logger()

Connected = Callable[[str], Awaitable[Mapping[str, bool | None]]]
"""tenant → the hub's word on its devices."""

Gaps = Sequence[tuple[int, int]]

DEFAULT_WINDOW_MS = 120_000
_LARGE_AT_ONCE = 2
_HISTORY_AT_ONCE, _HISTORY_WAITING_MAX = 4, 128


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
        self._large = asyncio.Semaphore(_LARGE_AT_ONCE)
        turns, self._turns = Turns(), Turns(_HISTORY_AT_ONCE, _HISTORY_WAITING_MAX, "history")
        self.wide = WideHistory(store, self._turns)
        self.full = FullHistory(store, parsings, config, turns)
        self.commands = TenantCommands(meta)
        self.health = ParsingHealth(meta, store, parsings, clock, turns)

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
        resolution, stats = detail_of(request)
        points = int_of(request, "points")
        if points is not None and points < 2:
            raise BadRequest(f"points {points}: 2 or more")
        longest_ms = round(self._config.history_hours_max * 3_600_000)
        from_ms, to_ms = await range_of(request, self._store, self._clock.wall_ms(), DEFAULT_WINDOW_MS, longest_ms)
        if resolution == "full":
            return reply_text(await self.full.json(peer, fields, from_ms, to_ms, points, gone(request)))
        kinds = (SPANS | MEANS).intersection(stats)
        self._check_values(len(fields), len(kinds), from_ms, to_ms, points)
        has_spans, has_means, gaps = bool(kinds & SPANS), bool(kinds & MEANS), None
        if points is None:
            async with self._turns.turn(peer.tenant, gone(request)):
                found = await self._store.history(peer, fields, from_ms, to_ms, stats=has_spans)
        else:
            ask = Ask(peer, fields, from_ms, to_ms, points, has_spans, has_means)
            found, gaps = await self.wide.read(ask, gone(request))
        return reply_text(await self._answer(found, kinds, gaps))

    def _check_values(self, fields: int, stats: int, from_ms: int, to_ms: int, points: int | None) -> None:
        a_row, most, seconds = fields * (1 + stats), self._config.history_values_max, (to_ms - from_ms) / 1000
        rows, per = (seconds, "s") if points is None or seconds <= points else (points, "points")
        values = int(a_row * rows)
        if values > most:
            raise BadRequest(
                f"{fields} fields{f' with {stats} stats each' if stats else ''} over {int(rows)} {per}"
                f" are {values} values, at most {most}: ask for {most // a_row} {per}, or fewer fields"
            )

    async def _answer(self, found: History, kinds: Set[str], gaps: Gaps | None) -> bytes:
        """The answer as JSON; a large one is made beside the loop, which live viewers wait for."""
        columns = 2 + len(found.fields) * (1 + len(kinds))
        if len(found.ts) * columns <= AT_ONCE:
            return _json(found, kinds, gaps)
        async with self._large:
            return await asyncio.to_thread(_json, found, kinds, gaps)


def _json(found: History, kinds: Set[str], gaps: Gaps | None) -> bytes:
    return to_json(_columns(found, kinds, gaps))


def _columns(found: History, kinds: Set[str], gaps: Gaps | None) -> dict[str, object]:
    """The answer; `kinds`: which stats were asked for, `gaps` None where they were not."""
    columns: dict[str, object] = {
        "from": found.from_ms,
        "to": found.to_ms,
        "seq": found.seq,
        "ts": found.ts,
        "fields": found.fields,
    }
    if kinds:
        found = with_means(found) if kinds & MEANS and not found.means else found
        columns["stats"] = {name: _stats(found, name, kinds) for name in found.fields}
    if gaps is not None:
        columns["gaps"] = gaps
    return columns


def _stats(found: History, name: str, kinds: Set[str]) -> dict[str, object]:
    every = {
        kind: values
        for columns in (found.stats.get(name), found.means.get(name))
        if columns is not None
        for kind, values in columns._asdict().items()
    }
    return {kind: values for kind, values in every.items() if kind in kinds}
