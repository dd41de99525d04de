"""Rows for the store's contract suite."""

from __future__ import annotations

from typing import Any

from duco_rt.model import History, Peer, RawSecond, Sample, Value
from duco_rt.transports.base_data import Store

DAY = 86_400_000
NOW = 20_779 * DAY + 3_600_000
PEER = Peer("duco", "DUCO_001", "vehicle_can")
OTHERS = [Peer("other", "DUCO_001", "vehicle_can"), Peer("duco", "DUCO_002", "vehicle_can"),
          Peer("duco", "DUCO_001", "client_raw_data")]  # fmt: skip


def sample(i: int, payload: dict[str, Value], received: int | None = None, peer: Peer = PEER) -> Sample:
    """Return the sample of second i."""
    return Sample(peer, NOW + i * 1000, 100 + i, NOW + i * 1000 + 400 if received is None else received, payload)


def raw(i: int, part: int = 0, peer: Peer = PEER, received: int = 0, **more: Any) -> RawSecond:
    """Return the raw row of second i."""
    received = received or NOW + i * 1000 + 400
    return RawSecond(peer, NOW + i * 1000, 100 + i, part, received, i % 2 == 1, "can1", **more)


async def read(store: Store, *fields: str, peer: Peer = PEER) -> History:
    """Return ten days around NOW."""
    return await store.history(peer, fields, NOW - 5 * DAY, NOW + 5 * DAY)


def typed(values: list[Value | None]) -> list[tuple[type, Value | None]]:
    """Values with their types: True is no 1 here."""
    return [(type(value), value) for value in values]
