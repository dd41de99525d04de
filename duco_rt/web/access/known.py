"""Tokens and sessions as MetaAPI last said, so that no request waits for it and a revoked one is noticed."""

from __future__ import annotations

import asyncio
import math
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from typing import NamedTuple

import structlog

from duco_rt.clock import Clock
from duco_rt.errors import TooMany, TransportError
from duco_rt.rights import Credential
from duco_rt.seeing.metrics import Metrics
from duco_rt.transports.base_data import Credentials

log = structlog.get_logger()

KNOWN_MAX = 20_000
"""Credentials that are held; over it the one goes that was not used for longest."""

UNKNOWN_MAX = 10_000
"""Ids that MetaAPI does not know, held apart: whoever guesses ids drives out no good one."""

STRANGERS_MAX = 32
"""Questions about ids that are not held, at a time: guesses do not fill MetaAPI's connections."""

WAITING_MAX = 2_000
"""Such questions that wait for their turn; one more is refused, as one that waited for `WAITING_S`."""

WAITING_S = 5.0

AWAY_S = 3600.0
"""So long a credential goes on that MetaAPI last confirmed, while it is away."""


_AWAY = "who you are cannot be checked now: MetaAPI does not answer"
"""For whoever asks: who that is is not known, so it learns nothing more."""

_TELL_S = 60.0


class _Held(NamedTuple):
    """What MetaAPI said; steady seconds at which it was asked last, and at which it last answered."""

    credential: Credential
    asked_s: float
    confirmed_s: float


class _Outcome(NamedTuple):
    credential: Credential | None
    error: TransportError | None = None


class Known:
    """Credentials by id, asked again once `refresh_s` old, one question an id at a time."""

    def __init__(self, credentials: Credentials, refresh_s: float, clock: Clock, metrics: Metrics) -> None:
        self._credentials = credentials
        self._refresh_s = refresh_s
        self._clock = clock
        self._metrics = metrics
        self._held: OrderedDict[str, _Held] = OrderedDict()
        self._unknown: OrderedDict[str, float] = OrderedDict()
        self._asking: dict[str, asyncio.Future[_Outcome | None]] = {}
        self._strangers = asyncio.Semaphore(STRANGERS_MAX)
        self._waiting = 0
        self._forgotten = 0
        self._tell_from_s = -math.inf
        metrics.gauge("credentials_held", lambda: len(self._held))

    async def credential(self, credential_id: str) -> Credential | None:
        """A credential, over or not; None where it is not known or was taken back.

        TransportError where it was never seen and MetaAPI is away, or was away for an hour; TooMany where too many
        unknown ones are being asked for.
        """
        while True:
            now_s = self._clock.steady_s()
            held = self._held.get(credential_id)
            if held is not None:
                self._held.move_to_end(credential_id)
                if now_s - held.asked_s < self._refresh_s:
                    return held.credential
            elif (asked_s := self._unknown.get(credential_id)) is not None and now_s - asked_s < self._refresh_s:
                return None
            asking = self._asking.get(credential_id)
            outcome = await (asyncio.shield(asking) if asking else self._ask(credential_id, held is None))
            if outcome is None:  # who asked went away before the answer
                continue
            if outcome.error is not None:
                return self._while_away(credential_id, outcome.error)
            return outcome.credential

    def forget(self, credential_id: str) -> None:
        """Ask anew before it, or a session that was opened with it, is believed again: it was taken back here."""
        for held in [each.credential for each in self._held.values()]:
            if credential_id in (held.id, held.parent):
                del self._held[held.id]
        self._unknown.pop(credential_id, None)
        self._forgotten += 1
        self._asking.clear()  # what these will hear may be from before

    async def _ask(self, credential_id: str, is_stranger: bool) -> _Outcome | None:
        future = self._asking[credential_id] = asyncio.get_running_loop().create_future()
        outcome = None
        try:
            async with self._turn() if is_stranger else nullcontext():
                forgotten, asked_s = self._forgotten, self._clock.steady_s()
                outcome = await self._answer(credential_id)
                if forgotten == self._forgotten:
                    self._keep(credential_id, outcome, asked_s)
        finally:
            future.set_result(outcome)
            if self._asking.get(credential_id) is future:
                del self._asking[credential_id]
        return outcome

    async def _answer(self, credential_id: str) -> _Outcome:
        try:
            return _Outcome(await self._credentials.credential(credential_id))
        except TransportError as e:
            return _Outcome(None, e)

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        """One of the questions about ids that are not held."""
        if self._waiting >= WAITING_MAX:
            raise self._too_many()
        self._waiting += 1
        try:
            async with asyncio.timeout(WAITING_S):
                await self._strangers.acquire()
        except TimeoutError:
            raise self._too_many() from None
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._strangers.release()

    def _too_many(self) -> TooMany:
        self._metrics.count("credentials_not_asked_total")
        return TooMany("too many unknown tokens are being looked up", 1.0)

    def _keep(self, credential_id: str, outcome: _Outcome, asked_s: float) -> None:
        if outcome.error is not None:
            held = self._held.get(credential_id)
            if held is not None:  # asked again later: a request in between does not wait for a MetaAPI that is away
                self._held[credential_id] = held._replace(asked_s=asked_s)
            return
        if outcome.credential is None:
            self._held.pop(credential_id, None)
            self._unknown[credential_id] = asked_s
            self._unknown.move_to_end(credential_id)
            if len(self._unknown) > UNKNOWN_MAX:
                self._unknown.popitem(last=False)
            return
        self._unknown.pop(credential_id, None)
        self._held[credential_id] = _Held(outcome.credential, asked_s, asked_s)
        if len(self._held) > KNOWN_MAX:
            self._held.popitem(last=False)

    def _while_away(self, credential_id: str, error: TransportError) -> Credential:
        held = self._held.get(credential_id)
        if held is None or self._clock.steady_s() - held.confirmed_s > AWAY_S:
            self._held.pop(credential_id, None)
            self._tell(error)
            raise TransportError(_AWAY) from error
        self._metrics.count("credentials_from_cache_total")
        return held.credential

    def _tell(self, error: TransportError) -> None:
        """Where it was asked is the operator's to know; whoever sends wrong tokens fills no log."""
        now_s = self._clock.steady_s()
        if now_s >= self._tell_from_s:
            self._tell_from_s = now_s + _TELL_S
            log.warning("who asks cannot be looked up", error=str(error))
