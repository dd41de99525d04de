"""Who may read the store now: few at once, and fair to every tenant."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import NamedTuple

from duco_rt.errors import TransportError

Gone = Callable[[], bool]
"""Whether nobody waits for the answer any more."""


class Place(NamedTuple):
    """Who waits for a turn: `has_turn` is set to whether it got one, or was found to have gone."""

    has_turn: asyncio.Future[bool]
    gone: Gone


class Turns:
    """Who may read now: `at_once`, and `waiting_max` more who wait. One a process for each kind of reading.

    Tenants take turns: the next one is of who has the fewest at work. One tenant has half of the places to wait.
    """

    def __init__(self, at_once: int = 2, waiting_max: int = 16, what: str = "raw data") -> None:
        self._what = what
        self._at_once, self._waiting_max = at_once, waiting_max
        self._working: list[str] = []
        self._waiting: dict[str, list[Place]] = {}  # those who had one of late come last

    @asynccontextmanager
    async def turn(self, tenant: str, gone: Gone = lambda: False) -> AsyncIterator[None]:
        """Wait for a turn. Raises TransportError where too many wait already, ConnectionResetError once `gone`."""
        self._check(tenant)
        place = Place(asyncio.get_running_loop().create_future(), gone)
        self._waiting.setdefault(tenant, []).append(place)
        self._give()
        try:
            if not await place.has_turn:
                raise ConnectionResetError("the asker has gone")
            yield
        finally:
            if place.has_turn.done() and not place.has_turn.cancelled() and place.has_turn.result():
                self._working.remove(tenant)
            self._give()

    def _check(self, tenant: str) -> None:
        """Raise TransportError where there is no place to wait; who gave up has none."""
        for name, places in list(self._waiting.items()):
            for place in places:
                if not place.has_turn.done() and place.gone():
                    place.has_turn.set_result(False)
            self._keep(name, [place for place in places if not place.has_turn.done()])
        waiting, own = sum(map(len, self._waiting.values())), len(self._waiting.get(tenant, ()))
        if waiting >= self._waiting_max or own >= max(1, self._waiting_max // 2):
            whose = f", {own} of them of {tenant}" if waiting < self._waiting_max else ""
            raise TransportError(f"{self._what}: {waiting} requests are waiting to be read{whose}: try again later")

    def _give(self) -> None:
        """Give the free turns to those who wait."""
        while self._waiting and len(self._working) < self._at_once:
            tenant = min(self._waiting, key=self._working.count)
            place, *others = self._waiting.pop(tenant)
            self._keep(tenant, others)
            if not place.has_turn.done():
                has_turn = not place.gone()
                place.has_turn.set_result(has_turn)
                self._working += [tenant] * has_turn

    def _keep(self, tenant: str, places: list[Place]) -> None:
        if places:
            self._waiting[tenant] = places
        else:
            self._waiting.pop(tenant, None)
