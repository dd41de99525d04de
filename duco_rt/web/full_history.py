"""`history?resolution=full`: the stored raw frames of a range, read piece by piece and decoded beside the loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from duco_rt.config import Web
from duco_rt.errors import BadRequest
from duco_rt.model import Peer, RawSecond
from duco_rt.pipeline.decoding.columns import Column
from duco_rt.pipeline.decoding.plan import Plan
from duco_rt.pipeline.full_resolution import FullReading, to_json
from duco_rt.pipeline.parsing_cache import ParsingCache
from duco_rt.transports.base_data import Store
from duco_rt.web.turns import Gone, Turns

_FIRST_S = 60
_CHUNK_S_MAX = 120  # after a stretch without rows nobody knows what comes
_CHUNK_BYTES = 6_000_000  # about 2 minutes of a full bus


async def raw_chunks(
    store: Store, peer: Peer, from_ms: int, to_ms: int, order: bool = True
) -> AsyncIterator[list[RawSecond]]:
    """The raw rows of a range in order, all of a second together, in pieces of about the same size.

    `order`: whether the column of that name is needed.
    """
    at_ms, chunk_s = from_ms, _FIRST_S
    while at_ms <= to_ms:
        end_ms = min(at_ms + chunk_s * 1000 - 1, to_ms)
        rows = await store.raw(peer, at_ms, end_ms, order)
        size = sum(len(row.order) + len(row.times) + len(row.data) + len(row.body) for row in rows)
        at_ms, chunk_s = end_ms + 1, _next_s(chunk_s, size)
        yield rows


def _next_s(chunk_s: int, size_bytes: int) -> int:
    """How many seconds to read next, after those: twice as many at most."""
    fits_s = _CHUNK_BYTES * chunk_s // max(1, size_bytes)
    return max(1, min(fits_s, 2 * chunk_s, _CHUNK_S_MAX))


class FullHistory:
    """Readings at full resolution, and their bounds."""

    def __init__(self, store: Store, parsings: ParsingCache, config: Web, turns: Turns) -> None:
        self._store = store
        self._parsings = parsings
        self._config = config
        self._turns = turns

    def check(self, fields: Sequence[str], from_ms: int, to_ms: int, points: int | None) -> None:
        """Raise BadRequest for what is larger than one request may be."""
        hours, hours_max = (to_ms - from_ms) / 3_600_000, self._config.full_hours_max
        if hours > hours_max:
            raise BadRequest(
                f"from {from_ms} to {to_ms}: {hours:.1f} hours at full resolution, at most {hours_max:g}; "
                f"resolution=second gives {self._config.history_hours_max:g}"
            )
        most = self._config.history_values_max // max(1, len(fields))
        if points is not None and points > most:
            raise BadRequest(f"points {points}: at most {most} for {len(fields)} fields")

    async def json(
        self, peer: Peer, fields: Sequence[str], from_ms: int, to_ms: int, points: int | None, gone: Gone
    ) -> bytes:
        """The answer as JSON. Raises BadRequest, TransportError, and ConnectionResetError once `gone`."""
        found = await self.read(peer, fields, from_ms, to_ms, points, gone)
        return await asyncio.to_thread(to_json, found, from_ms, to_ms)

    async def read(
        self,
        peer: Peer,
        fields: Sequence[str],
        from_ms: int,
        to_ms: int,
        points: int | None = None,
        gone: Gone = lambda: False,
    ) -> dict[str, Column]:
        """Every sample of each field, or `points` at most. Raises as `json` does."""
        self.check(fields, from_ms, to_ms, points)
        plan = await plan_of(self._parsings, peer)
        names, most = list(dict.fromkeys(fields)), self._config.history_values_max
        async with self._turns.turn(peer.tenant, gone):
            reading = await asyncio.to_thread(FullReading, plan, names, from_ms, to_ms, points, most)
            await read_raw(self._store, peer, reading, gone)
            return await asyncio.to_thread(reading.samples)


class Reading(Protocol):
    """What is made of raw rows: they are handed to it in order, in pieces."""

    needs_order: bool

    @property
    def rows_from_ms(self) -> int:
        """From which second on."""
        ...

    @property
    def rows_to_ms(self) -> int:
        """Up to which second."""
        ...

    def add(self, rows: Sequence[RawSecond]) -> None:
        """Take the next ones, all of a second together."""
        ...


async def read_raw(store: Store, peer: Peer, reading: Reading, gone: Gone) -> None:
    """Give a reading its rows, piece by piece in another thread, while the next piece comes from the store.

    Raises what the store and the reading raise, and ConnectionResetError once `gone`.
    """
    chunks = raw_chunks(store, peer, reading.rows_from_ms, reading.rows_to_ms, reading.needs_order)
    rows = await anext(chunks, None)
    while rows is not None:
        if gone():
            raise ConnectionResetError("the asker has gone")
        rows, _ = await asyncio.gather(anext(chunks, None), asyncio.to_thread(reading.add, rows))


async def plan_of(parsings: ParsingCache, peer: Peer) -> Plan | None:
    """The plan of a peer's device; None where it has none, or is another tenant's by now."""
    known = await parsings.get(peer.chassis_id)
    return known.plan if known is not None and known.tenant == peer.tenant else None
