"""Seconds that came before their parsing was read: they lie in the raw store, and become samples as soon as it is.

Which ones is noted in a file before the log's records are committed, so that whoever ends meanwhile goes on with them
at the next start. A sample has the position of its second: one that is made twice replaces itself.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import partial
from itertools import groupby

import structlog

from duco_rt.errors import TransportError
from duco_rt.model import Peer, RawSecond, Sample
from duco_rt.pipeline.later_file import LaterFile, Span, Waiting
from duco_rt.pipeline.parse import Problems, Rereader
from duco_rt.pipeline.parsing_cache import Known, ParsingCache
from duco_rt.pipeline.runner import backoff_s, retry
from duco_rt.seeing.metrics import Metrics
from duco_rt.transports.base import Log
from duco_rt.transports.base_data import Store

log = structlog.get_logger()

_PEERS_MAX = 40_000
_CHUNK_MS = 10_000
_PAST_MS = 15_000
"""Longer than a message of several frames takes, which may have begun before."""

_LOOKS_PER_S = 50_000


class Later:
    """At most 40,000 machines and message types, half of them of one tenant; tenants take turns, 10 s of data each."""

    def __init__(
        self,
        store: Store,
        parsed_log: Log,
        parsings: ParsingCache,
        msg_types: tuple[str, ...],
        file: LaterFile,
        metrics: Metrics,
    ) -> None:
        self._store = store
        self._log = parsed_log
        self._parsings = parsings
        self._msg_types = msg_types
        self._file = file
        self._metrics = metrics
        self._waiting: dict[Peer, Waiting] = {}
        self._ready: dict[str, dict[Peer, Waiting]] = {}  # by tenant; those who had a turn of late come last
        self._readers: dict[Peer, Rereader] = {}
        self._tenants: Counter[str] = Counter()
        metrics.gauge("process_later_peers", lambda: float(self._tenants.total()))

    async def add(self, rows: Sequence[RawSecond]) -> Problems:
        """These are in the raw store, and will be parsed; on return that is kept. What there was no room for."""
        problems = Problems()
        for row in rows:
            if self._note(row):
                self._metrics.count("process_later_total")
            else:
                problems["no_parsing"] += 1
        await self._keep(problems)
        self._parsings.changed.set()
        return problems

    async def load(self) -> None:
        """Go on with what waited when the last process ended; before anything is added."""
        if not self._tenants:
            for waiting in await self._file.load():
                self._enter(waiting)
            self._parsings.changed.set()

    async def run(self) -> None:
        """Parse what can be parsed by now, until cancelled."""
        while True:
            await self._parsings.changed.wait()
            self._parsings.changed.clear()
            again = await self._look()
            while self._ready:
                await self._turn()
                if self._parsings.changed.is_set():
                    self._parsings.changed.clear()
                    again = await self._look()
            await self._keep(Problems())
            if again:  # MetaAPI is away
                await asyncio.sleep(backoff_s(3))
                self._parsings.changed.set()
            await asyncio.sleep(len(self._waiting) / _LOOKS_PER_S)

    def _note(self, row: RawSecond) -> bool:
        waiting = self._waiting.get(row.peer) or self._ready.get(row.peer.tenant, {}).get(row.peer)
        if waiting is None:
            tenant = row.peer.tenant
            if self._tenants.total() >= _PEERS_MAX or self._tenants[tenant] >= _PEERS_MAX // 2:
                return False
            waiting = Waiting(row.peer, [])
            self._enter(waiting)
        return waiting.note(row.ts_ms)

    def _enter(self, waiting: Waiting) -> None:
        self._waiting[waiting.peer] = waiting
        self._tenants[waiting.peer.tenant] += 1

    async def _look(self) -> bool:
        """Who waits no more. Whether some could not be asked for."""
        away = False
        for peer, waiting in list(self._waiting.items()):
            try:
                known = await self._parsings.now(peer.chassis_id)
            except TransportError:
                away = True
                continue
            if known is None or not known.waits:
                del self._waiting[peer]
                self._ready.setdefault(peer.tenant, {})[peer] = waiting
        return away

    async def _turn(self) -> None:
        """One piece of one machine of the next tenant."""
        tenant = next(iter(self._ready))
        peers = self._ready.pop(tenant)
        peer = next(iter(peers))
        waiting = peers.pop(peer)
        try:
            # in its place while it is at work: what is noted meanwhile is not lost, nor what ends it
            peers[peer] = waiting
            self._ready[tenant] = peers
            known = await retry("meta", partial(self._parsings.now, peer.chassis_id), self._metrics)
            if known is not None and known.waits:
                self._waiting[peer] = peers.pop(peer)
            else:
                await self._piece(waiting, known)
        except Exception as e:  # an error of ours in one machine's seconds must not hold up those of others
            log.error("seconds stay raw", chassis_id=peer.chassis_id, msg_type=peer.msg_type, exc_info=e)
            self._metrics.count("process_problems_total", kind="failed")
            waiting.spans.clear()
            waiting.doing = None
        if not waiting.spans and peers.pop(peer, None) is not None:
            self._tenants[tenant] -= 1
            self._tenants += Counter()  # without those who have none
            self._readers.pop(peer, None)
            self._file.changed = True
        if not peers:
            self._ready.pop(tenant, None)

    async def _piece(self, waiting: Waiting, known: Known | None) -> None:
        """The samples of the first seconds that wait."""
        peer, problems = waiting.peer, Problems()
        if known is None or known.plan is None or known.tenant != peer.tenant:
            problems["no_parsing"] += waiting.seconds
            waiting.spans.clear()
        else:
            piece, spans = waiting.take(_CHUNK_MS), len(waiting.spans)
            samples = await self._parse(peer, piece, known, problems)
            await retry("log", lambda: self._log.append_parsed(samples), self._metrics)
            waiting.doing = None
            if spans != len(waiting.spans) or not spans or waiting.spans[0].from_ms > piece.to_ms + 1:
                self._readers.pop(peer, None)  # the next one does not go on from here
        for kind, count in problems.items():
            self._metrics.count("process_problems_total", count, kind=kind)

    async def _parse(self, peer: Peer, span: Span, known: Known, problems: Problems) -> list[Sample]:
        reader = self._readers.get(peer)
        if reader is None:
            reader = self._readers[peer] = Rereader(self._msg_types)
            for second in await self._seconds(peer, span.from_ms - _PAST_MS, span.from_ms - 1):
                _ = list(reader.read(second, known, Problems()))
                await asyncio.sleep(0)
        samples: list[Sample] = []
        for second in await self._seconds(peer, span.from_ms, span.to_ms):
            samples += reader.read(second, known, problems)
            await asyncio.sleep(0)  # the live path goes between any two seconds
        return samples

    async def _seconds(self, peer: Peer, from_ms: int, to_ms: int) -> Iterable[list[RawSecond]]:
        """Stored rows in order, the parts of a second together."""
        rows = await retry("store", partial(self._store.raw, peer, from_ms, to_ms), self._metrics)
        return [list(group) for _, group in groupby(rows, key=lambda row: (row.ts_ms, row.seq))]

    async def _keep(self, problems: Problems) -> None:
        """Write who waits, where that is not what the file has."""
        held = [*self._waiting.values(), *(each for peers in self._ready.values() for each in peers.values())]
        try:
            await self._file.keep(held)
        except OSError as e:  # all goes on; a process that ends now leaves these seconds raw
            problems["not_noted"] += 1
            problems.why = f"which seconds are parsed later cannot be kept: {e}"
