"""What the watched machines of a process share: transports, bounds on what they ask, and what is known of fields."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable, Sequence
from typing import NamedTuple, TypeVar

from duco_rt.app_fields import CLIENT_FIELDS
from duco_rt.clock import Clock
from duco_rt.config import Web
from duco_rt.errors import TransportError
from duco_rt.model import CLIENT_RAW_DATA, VEHICLE_CAN, History, Peer
from duco_rt.pipeline.parsing_cache import ParsingCache
from duco_rt.pipeline.runner import Complaints
from duco_rt.seeing.metrics import Metrics
from duco_rt.transports.base import Leases, Live
from duco_rt.transports.base_data import Store
from duco_rt.web.access.watch import IsGood, always
from duco_rt.web.encoding import AT_ONCE
from duco_rt.web.full_history import plan_of
from duco_rt.web.live.asking import Question
from duco_rt.web.live.connection import Connection
from duco_rt.web.live.field_lists import FieldList
from duco_rt.web.live.rows import samples_of
from duco_rt.web.live.samples import Sample
from duco_rt.web.params import device_now_ms

T = TypeVar("T")

_ROWS_AT_ONCE = AT_ONCE // 4  # a value of a row costs more than one of an answer
_AHEAD_MS = 6_000  # a device's clock is 5 s ahead before that is known, and a second is stored under its beginning
_MATCHED_AT_ONCE = 100
_PARSING_S = 2.0


async def _unknown(_: str) -> int | None:
    return None


class Means(NamedTuple):
    """What the live service works with.

    `acknowledged_ms`: when a device last acknowledged a start, by our clock; None where none is known, or it stopped.
    `watchdog_s`: how long it goes on from there. `is_good`: whether who came in before is let in still.
    """

    live: Live
    store: Store
    parsings: ParsingCache
    leases: Leases
    config: Web
    clock: Clock
    metrics: Metrics
    reorder_s: float = 0.5
    acknowledged_ms: Callable[[str], Awaitable[int | None]] = _unknown
    watchdog_s: float = 180.0
    is_good: IsGood = always


class Matched(NamedTuple):
    """`names`: those of a list and those that its patterns match; `unknown`: its entries that match nothing."""

    names: Sequence[str]
    unknown: Sequence[str]


class Work(NamedTuple):
    """What the watched machines of a process share."""

    means: Means
    tasks: asyncio.TaskGroup
    asking: asyncio.Semaphore
    """Held by who asks the store."""
    complaints: Complaints
    pump: Callable[[Connection], None]
    """Give a viewer what its stream has for it, as fast as it reads."""

    async def within(self, work: Coroutine[object, object, T], limit_s: float) -> T | None:
        """What `work` gives, None where that takes longer or fails; it is not cut off."""
        task = self.tasks.create_task(self._safely(work))
        await asyncio.wait([task], timeout=limit_s)
        return task.result() if task.done() and not task.cancelled() else None

    async def _safely(self, work: Coroutine[object, object, T]) -> T | None:
        try:
            return await work
        except Exception as e:
            self.failed("parsing", e)
            return None

    def failed(self, what: str, error: Exception) -> None:
        """An error that nobody thought of: counted, logged, and the end of nothing but this one piece of work."""
        self.means.metrics.count("live_failed_total", what=what)
        event, now_s = "unexpected error, going on", asyncio.get_running_loop().time()
        self.complaints.add(f"failed {what}", now_s, event=event, error=repr(error), exc_info=error)

    async def matched(self, fields: FieldList, known: Iterable[str]) -> Matched:
        """A list against the names that are known. The loop goes on meanwhile; from then on it matches them at once."""
        names = list(known)
        if not fields.patterns or len(names) <= _MATCHED_AT_ONCE:
            return _matched(fields, names)
        return await asyncio.to_thread(_matched, fields, names)

    async def answer(
        self, peer: Peer, question: Question, known: Iterable[str], is_wanted: Callable[[Question], bool]
    ) -> list[Sample] | None:
        """What the store has, in order. None where the question is not wanted any more when its turn has come.

        Raises TransportError.
        """
        store, fields, to_ms = self.means.store, question.fields, question.to_ms
        names = (await self.matched(fields, known)).names
        async with self.asking:
            if not is_wanted(question):
                return None
            from_ms = question.from_ms
            if to_ms is None:
                now_ms = await device_now_ms(store, peer, self.means.clock.wall_ms())
                to_ms = now_ms + _AHEAD_MS
                from_ms = now_ms - question.window_ms if from_ms is None else from_ms
            elif from_ms is None:
                from_ms = to_ms - question.window_ms
            found = await store.history(peer, names, from_ms, max(from_ms, to_ms), stats=bool(fields.stats))
        return await samples_from(found)

    async def names(self, peer: Peer) -> Collection[str]:
        """The fields of a peer's parsing, none where that is another tenant's, or not there within 2 s."""
        if peer.msg_type == CLIENT_RAW_DATA:
            return [field.name for field in CLIENT_FIELDS]
        if peer.msg_type != VEHICLE_CAN:
            return ()
        return await self.within(self._parsed_names(peer), _PARSING_S) or ()

    async def _parsed_names(self, peer: Peer) -> Collection[str]:
        try:
            plan = await plan_of(self.means.parsings, peer)
        except TransportError:
            return ()
        return () if plan is None else [field.name for field in plan.fields]

    async def is_unknown(self, peer: Peer) -> bool:
        """Whether MetaAPI says within 2 s that the tenant has no such device; where it says nothing it may have."""
        return await self.within(self._is_unknown(peer), _PARSING_S) or False

    async def _is_unknown(self, peer: Peer) -> bool:
        try:
            known = await self.means.parsings.now(peer.chassis_id)
        except TransportError:
            return False
        return known is None or known.tenant != peer.tenant

    async def is_of(self, peer: Peer) -> bool:
        """Whether the device is the tenant's, as far as MetaAPI says so within 2 s."""
        return await self.within(self._is_of(peer), _PARSING_S) or False

    async def _is_of(self, peer: Peer) -> bool:
        try:
            known = await self.means.parsings.now(peer.chassis_id)
        except TransportError:
            return False
        return known is not None and known.tenant == peer.tenant


async def samples_from(found: History) -> list[Sample]:
    """The samples of an answer of the store, in order."""
    if _values(found) <= _ROWS_AT_ONCE:
        return samples_of(found)
    return await asyncio.to_thread(samples_of, found)


def _matched(fields: FieldList, names: Sequence[str]) -> Matched:
    return Matched(fields.matching(names), fields.unknown(names))


def _values(found: History) -> int:
    return len(found.ts) * (1 + len(found.fields) + 3 * len(found.stats))
