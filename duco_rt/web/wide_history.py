"""History of any range in a given number of points: thinned by the store, a portion of time after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from duco_rt.model import History, MeanColumns, Peer, SpanColumns
from duco_rt.transports.base_data import Store
from duco_rt.web.thin import bucket_ms, gaps, with_means
from duco_rt.web.turns import Gone, Turns

_LARGE = 200_000
"""Who asks for more values than that, stats counted, waits for a turn."""
_WAITING_MAX = 64
_SMALL_AT_ONCE = 4

_VALUES = 1_500_000  # of one portion, rows × fields: a tenth of a second of the embedded engine
_GROUPS = 32_768  # of one portion, rows of the answer × fields: from a server they pass the event loop, 10 to 15 ms


class Ask(NamedTuple):
    """What of which range: about `points` rows of these fields, with lowest, highest and count, and with means."""

    peer: Peer
    fields: Sequence[str]
    from_ms: int
    to_ms: int
    points: int
    stats: bool = False
    means: bool = False


class WideHistory:
    """Readings of ranges that may be wide. Large ones take turns, which every tenant has."""

    def __init__(self, store: Store, small: Turns | None = None) -> None:
        """`small`: the turns of those that are not large, which others may take, too."""
        self._store = store
        self._turns = Turns(waiting_max=_WAITING_MAX)
        self._small = small or Turns(_SMALL_AT_ONCE, 2 * _WAITING_MAX, "history")

    async def read(self, ask: Ask, gone: Gone = lambda: False) -> tuple[History, list[tuple[int, int]]]:
        """What `thin` makes of all rows, and the gaps between these.

        Memory follows what is answered, not the range. Raises TransportError, and ConnectionResetError once `gone`.
        """
        columns = len(ask.fields) * (4 if ask.stats else 1)
        is_large = columns * (ask.to_ms - ask.from_ms) // 1000 > _LARGE
        async with (self._turns if is_large else self._small).turn(ask.peer.tenant, gone):
            return await self._read(ask, gone)

    async def _read(self, ask: Ask, gone: Gone) -> tuple[History, list[tuple[int, int]]]:
        peer, fields, from_ms, to_ms, points, stats, means = ask
        rows = await self._store.history(peer, (), from_ms, to_ms)
        breaks = await asyncio.to_thread(gaps, rows.seq, rows.ts)
        is_thinned = len(rows.ts) > points
        width_ms = bucket_ms(from_ms, to_ms, points, stats or means) if is_thinned else 1
        found = _empty(ask)
        for begin_ms, end_ms in await asyncio.to_thread(portions, rows.ts, width_ms, len(fields)):
            if gone():
                raise ConnectionResetError("the asker has gone")
            ends = max(begin_ms, from_ms), min(end_ms, to_ms)
            if is_thinned:
                part = await self._store.thinned(peer, fields, *ends, width_ms, stats, means)
            else:
                part = await self._store.history(peer, fields, *ends, stats)
                part = await asyncio.to_thread(with_means, part) if means else part
            _append(found, part)
        return found, breaks


def portions(ts: Sequence[int], width_ms: int, fields: int) -> list[tuple[int, int]]:
    """Whole buckets of these rows, so many together as may be read at once: first and last ms of each portion."""
    return list(_portions(ts, width_ms, max(1, fields)))


def _portions(ts: Sequence[int], width_ms: int, fields: int) -> Iterator[tuple[int, int]]:
    found, sizes = np.unique(np.array(ts, np.int64) // width_ms, return_counts=True)
    buckets, first, rows = found.tolist(), 0, 0
    if not buckets:
        return
    for i, size in enumerate(sizes.tolist()):
        if i > first and ((rows + size) * fields > _VALUES or (i + 1 - first) * fields > _GROUPS):
            yield buckets[first] * width_ms, (buckets[i - 1] + 1) * width_ms - 1
            first, rows = i, 0
        rows += size
    yield buckets[first] * width_ms, (buckets[-1] + 1) * width_ms - 1


def _empty(ask: Ask) -> History:
    names = list(dict.fromkeys(ask.fields))
    return History(
        ask.from_ms,
        ask.to_ms,
        [],
        [],
        {name: [] for name in names},
        {name: SpanColumns([], [], []) for name in names if ask.stats},
        {name: MeanColumns([], []) for name in names if ask.means},
    )


def _append(found: History, part: History) -> None:
    found.seq.extend(part.seq)
    found.ts.extend(part.ts)
    for name, values in found.fields.items():
        values.extend(part.fields[name])
    for name, spans in found.stats.items():
        _extend(spans, part.stats[name])
    for name, means in found.means.items():
        _extend(means, part.means[name])


def _extend(there: Iterable[Any], more: Iterable[Any]) -> None:
    for column, values in zip(there, more, strict=True):
        column.extend(values)
