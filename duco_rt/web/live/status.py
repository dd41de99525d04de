"""What viewers may ask about the stream itself: STATUS, and LAST_KNOWN."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Generic, TypeVar

from duco_rt.errors import TransportError
from duco_rt.model import LastSeen, Peer
from duco_rt.web.live.connection import Connection
from duco_rt.web.live.field_lists import FieldList
from duco_rt.web.live.known import LastKnown
from duco_rt.web.live.means import Work, samples_from
from duco_rt.web.live.peers import Watched
from duco_rt.web.live.protocol import last_known_text
from duco_rt.web.live.recent import Entry
from duco_rt.web.live.samples import Sample, read_sample

T = TypeVar("T")

_SILENT_S = 10.0
_SECOND_MS = 1000
_KEPT_S = 1.0
_LAST_MS = 120_000
_STORE_S = 3.0


class Kept(Generic[T]):
    """An answer that all who ask within a second share; None where its transport is away."""

    def __init__(self, read: Callable[[], Awaitable[T]]) -> None:
        self._read = read
        self._asking = asyncio.Lock()
        self._until_s = float("-inf")
        self._value: T | None = None

    async def get(self) -> T | None:
        """Ask, or give what was answered."""
        loop = asyncio.get_running_loop()
        async with self._asking:
            if loop.time() >= self._until_s:
                try:
                    self._value = await self._read()
                except TransportError:
                    self._value = None
                self._until_s = loop.time() + _KEPT_S
        return self._value


class Status:
    """STATUS of one peer after the other, as docs/live.md has it."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._held = Kept(work.means.leases.held)
        self._works = Kept(self._check)

    async def _check(self) -> bool:
        await self._work.means.live.check()
        return True

    async def of(self, peer: Peer, watched: Watched | None, viewer: Connection) -> dict[str, object]:
        """The payload for a viewer of the peer; `watched` None where it has not said what it wants."""
        is_there = await self._works.get() is not None
        watching, watchdog_s = await self._control(peer)
        stream = watched.stream if watched else None
        newest = stream.recent.newest if stream else None
        wall_ms = self._work.means.clock.wall_ms()
        return {
            "stream": _state(newest, is_there),
            "age_ms": _age_ms(newest),
            **_newest(newest),
            "server_ts": wall_ms,
            "viewers": len(stream) if stream else 0,
            "watching": watching,
            "watchdog_s": watchdog_s,
            "lacking": stream.lacking(viewer) if stream else 0,
            "counts": {
                "missing": stream.missing if stream else 0,
                "late": stream.late if stream else 0,
                "unreadable": watched.unreadable if watched else 0,
                "merged": stream.merged_of(viewer) if stream else 0,
            },
        }

    async def _control(self, peer: Peer) -> tuple[int | None, float | None]:
        """Viewers that keep real-time upload on, and how long that lasts; nothing of another tenant's machine."""
        if not await self._work.is_of(peer):
            return 0, None
        means = self._work.means
        held = await self._held.get()
        try:
            acknowledged_ms = await means.acknowledged_ms(peer.chassis_id)
        except TransportError:
            acknowledged_ms = None
        watching = None if held is None else held.get(peer.chassis_id, 0)
        if acknowledged_ms is None:
            return watching, None
        left_s = means.watchdog_s - (means.clock.wall_ms() - acknowledged_ms) / 1000
        return watching, min(max(0.0, left_s), means.watchdog_s)  # our clock may have been set back since


def _age_ms(newest: Entry | None) -> int | None:
    """By the steady clock: the wall's may be set."""
    return None if newest is None else max(0, round(1000 * (asyncio.get_running_loop().time() - newest.now_s)))


def _state(newest: Entry | None, is_there: bool) -> str:
    if not is_there:
        return "away"
    if newest is None:
        return "waiting"
    return "live" if asyncio.get_running_loop().time() - newest.now_s <= _SILENT_S else "silent"


def _newest(entry: Entry | None) -> dict[str, int | None]:
    if entry is None:
        return {"ts": None, "seq": None, "delay_ms": None, "ingest_ms": None}
    end_ms, received_ms = entry.ts_ms + _SECOND_MS, read_sample(entry.message, entry.wall_ms).received_ms
    ingest_ms = None if received_ms is None else received_ms - end_ms
    return {"ts": entry.ts_ms, "seq": entry.seq, "delay_ms": entry.wall_ms - end_ms, "ingest_ms": ingest_ms}


class LastOfStore:
    """What the store has of a machine's last values, for viewers who come before the stream has seen them."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._asked: dict[tuple[Peer, FieldList], asyncio.Task[LastKnown | None]] = {}
        self._waiting: Counter[tuple[Peer, FieldList]] = Counter()
        self._of_viewer: dict[Connection, asyncio.Task[LastKnown | None]] = {}

    async def of(self, watched: Watched, fields: FieldList, viewer: Connection) -> LastKnown | None:
        """Of the last two minutes up to the machine's newest second; None where nothing of it is needed or there.

        Viewers of a list that come together ask once; one viewer asks for one list after the other.
        """
        stream = watched.stream
        is_young = asyncio.get_running_loop().time() - watched.begun_s < _LAST_MS / 1000
        if not is_young:
            return None
        names = (await self._work.matched(fields, await watched.known())).names
        if stream.recent.newest is not None and all(name in stream.names for name in names):
            return None
        key = watched.peer, fields
        before = self._of_viewer.get(viewer)
        if before is not None and before is not self._asked.get(key):
            await asyncio.wait([before])
        if key not in self._asked:
            self._asked[key] = self._work.tasks.create_task(self._ask(key, names))
        task = self._of_viewer[viewer] = self._asked[key]
        task.add_done_callback(lambda _: self._of_viewer.pop(viewer, None))
        self._waiting[key] += 1
        try:
            await asyncio.wait([task], timeout=_STORE_S)
        finally:
            self._waiting -= Counter([key])
        return task.result() if task.done() and not task.cancelled() else None

    async def _ask(self, key: tuple[Peer, FieldList], names: Sequence[str]) -> LastKnown | None:
        peer, store = key[0], self._work.means.store
        try:
            async with self._work.asking:
                seen = (await store.last_seen(peer.tenant)).get(peer) if self._waiting[key] else None
                if seen is None:
                    return None
                found = await store.history(peer, names, seen.ts_ms - _LAST_MS, seen.ts_ms)
            return _last(await samples_from(found), seen)
        except TransportError:
            return None
        except Exception as e:
            self._work.failed("last_known", e)
            return None
        finally:
            del self._asked[key]


def _last(samples: list[Sample], seen: LastSeen) -> LastKnown | None:
    if not samples:
        return None
    values: dict[str, tuple[bytes, int]] = {}
    for sample in samples:
        values |= {name: (bytes(text), sample.ts_ms) for name, text in sample.payload.items()}
    newest = samples[-1]
    return LastKnown(values, newest.ts_ms, newest.seq, seen.received_ms - (seen.ts_ms - newest.ts_ms))


def last_known(watched: Watched, fields: FieldList, stored: LastKnown | None, wall_ms: int) -> bytes:
    """LAST_KNOWN as text: what the stream has seen, and of `stored` what it has not."""
    seen = watched.stream.last_known(fields)
    values: Mapping[str, tuple[bytes, int]] = seen.values
    if stored is not None:
        values = {**stored.values, **seen.values}
        if seen.wall_ms is None:
            seen = stored
    age_ms = _age_ms(watched.stream.recent.newest)
    if age_ms is None and seen.wall_ms is not None:
        age_ms = max(0, wall_ms - seen.wall_ms)
    return last_known_text(values, seen.ts_ms, seen.seq, age_ms)
