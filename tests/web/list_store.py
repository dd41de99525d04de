"""A store in lists, for servers of which nothing but answers is asked."""

from __future__ import annotations

from collections.abc import Sequence

from duco_rt.model import History, LastSeen, Peer, RawSecond, Sample, SpanColumns
from duco_rt.web.thin import thin_to


class ListStore:
    """A store in lists: enough for what needs no history."""

    def __init__(self) -> None:
        self.samples: list[Sample] = []
        self.raw_rows: list[RawSecond] = []
        self.seen: dict[Peer, LastSeen] = {}

    async def insert_raw(self, rows: Sequence[RawSecond]) -> None:
        """Keep."""
        self.raw_rows += rows

    async def insert_parsed(self, samples: Sequence[Sample]) -> None:
        """Keep."""
        self.samples += samples

    async def history(
        self, peer: Peer, fields: Sequence[str], from_ms: int, to_ms: int, stats: bool = False
    ) -> History:
        """What was kept, in order of time."""
        rows = sorted(
            (s for s in self.samples if s.peer == peer and from_ms <= s.ts_ms <= to_ms), key=lambda s: s.ts_ms
        )
        columns = {name: [s.payload.get(name) for s in rows] for name in fields}
        found = History(from_ms, to_ms, [s.seq or 0 for s in rows], [s.ts_ms for s in rows], columns)
        for name in fields if stats else ():
            spans = [(s.stats or {}).get(name) for s in rows]
            low, high, counts = ([getattr(s, kind, None) for s in spans] for kind in ("min", "max", "count"))
            found.stats[name] = SpanColumns(low, high, counts)
        return found

    async def thinned(
        self,
        peer: Peer,
        fields: Sequence[str],
        from_ms: int,
        to_ms: int,
        width_ms: int,
        stats: bool = False,
        means: bool = False,
    ) -> History:
        """What was kept, in buckets."""
        return thin_to(await self.history(peer, fields, from_ms, to_ms, stats), width_ms, means)

    async def raw(self, peer: Peer, from_ms: int, to_ms: int, order: bool = True) -> list[RawSecond]:
        """What was kept, in order."""
        rows = [row for row in self.raw_rows if row.peer == peer and from_ms <= row.ts_ms <= to_ms]
        return sorted(rows, key=lambda row: (row.ts_ms, row.seq, row.part))

    async def last_seen(self, tenant: str) -> dict[Peer, LastSeen]:
        """As the test set it."""
        return {peer: last for peer, last in self.seen.items() if peer.tenant == tenant}

    async def expire(self, now_ms: int) -> None:
        """Nothing."""

    async def check(self) -> None:
        """Works."""

    async def close(self) -> None:
        """Nothing."""
