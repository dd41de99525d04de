"""Where a viewer is that is not up to date: on its way from the store over the ring to live, in one order. Pure.

It takes rows of the store up to the ring's first sample, then the ring's samples. Between the two may be samples that
the store does not have yet: these are waited for, three seconds, before the hole is told and the way goes on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import Enum, auto
from itertools import pairwise
from typing import NamedTuple

from duco_rt.web.live.lacks import Hole, hole_between
from duco_rt.web.live.ordering import ANEW, SPOOL_MS
from duco_rt.web.live.recent import Entry, Recent
from duco_rt.web.live.samples import Sample

PATIENCE_S = 3.0
"""A sample is in the store within 2 s of its way to viewers; a hole is told after this."""

PAUSE_S = 0.25
_YOUNG_MS = 5000
_STEP_MS = 60_000
"""A machine's clock may have stepped back by so much since its last row."""


class Phase(Enum):
    """What a viewer waits for, or takes from."""

    ASK = auto()
    ROWS = auto()
    WAIT = auto()
    RING = auto()


class Gap(NamedTuple):
    """Samples that do not come in order. `hole.from_seq` is no position where the reason is `unknown`."""

    hole: Hole
    reason: str


class Row(NamedTuple):
    """A sample out of the store, and the frames made of it by (field list, encoding)."""

    seq: int
    ts_ms: int
    sample: Sample
    frames: dict[object, bytes]


def by_seq(rows: list[Row]) -> list[Row]:
    """The store's rows in order of `seq`: by time alone they are not, where the machine's clock stepped back.

    Left as they are where the numbering began anew between them.
    """
    is_anew = any(row.seq <= earlier.seq - ANEW for earlier, row in pairwise(rows))
    return rows if is_anew else sorted(rows, key=lambda row: row.seq)


class Place:
    """One viewer's. `after_seq`: the newest sample that it holds, None for none; `window_ms`: how far back it asks."""

    def __init__(self, after_seq: int | None, window_ms: int, phase: Phase, now_s: float) -> None:
        self.after_seq = after_seq
        self.after_ms: int | None = None
        self.start_ms: int | None = None
        """Where its first question to the store began: what is older is not asked for."""
        self.window_ms = window_ms
        self.phase = phase
        self.cursor = 0
        self.ask_s = now_s
        self.is_slow = False
        self.is_covered = False
        """The ring has all that it asks for."""
        self.is_awake = False
        self._until_s: float | None = None
        self._has_met_ring = False
        self._met: Entry | None = None
        """The first sample of its window that the ring had then; until it comes there the ring may drop some."""
        self._has_failed = False
        self._has_passed = False
        self._is_lost = False
        self._rows: Sequence[Row] = ()
        self._at = 0

    @property
    def due_s(self) -> float | None:
        """When something changes for it by time alone."""
        return self._until_s if self.phase is Phase.ASK and not self.is_awake else None

    def wake(self, now_s: float) -> bool:
        """Whether its patience has come to an end, once."""
        if self.due_s is None or now_s < self.due_s:
            return False
        self.is_awake = True
        return True

    def from_ms(self, newest_ms: int | None) -> int | None:
        """Where its question to the store begins by the machine's clock, None where that is not known."""
        if self.start_ms is None and newest_ms is not None:
            self.start_ms = newest_ms - self.window_ms
        return self.start_ms if self.after_ms is None else self.after_ms - _STEP_MS

    def answered(self, rows: Sequence[Row], now_s: float) -> None:
        """The store's rows from `from_ms` on, in order."""
        self._rows, self._at = rows, 0
        self._has_failed = False
        self.phase = Phase.ROWS
        self._until_s = self._until_s or now_s + PATIENCE_S
        if self.start_ms is None and rows:
            self.start_ms = rows[-1].ts_ms - self.window_ms

    def failed(self, now_s: float) -> None:
        """The store is away."""
        self._has_failed = True
        self.ask_s = now_s + 2 * PAUSE_S

    def ask_again(self, now_s: float) -> None:
        """What it has of the store is of other fields than it wants now."""
        if self.phase in (Phase.ROWS, Phase.ASK):
            self._ask(now_s)

    def meet_ring(self, recent: Recent, now_s: float) -> None:
        """There is live data: from now on its patience counts."""
        if not self._has_met_ring:
            self._has_met_ring = True
            self._met = next(
                recent.since(recent.epoch if self.start_ms is None else recent.from_time(self.start_ms)), None
            )
            self._until_s = now_s + PATIENCE_S
            self.is_awake = False

    def numbered_anew(self, recent: Recent) -> None:
        """The machine lost its memory of `seq`: what came before is no place in the new numbering."""
        if self.phase is not Phase.RING:
            self.phase, self.cursor, self._is_lost = Phase.RING, recent.epoch, True
            self.after_seq = self.after_ms = self._met = None

    def is_done(self, recent: Recent) -> bool:
        """Whether it has all that there is: from now on it is live."""
        newest = recent.newest_seq
        is_ahead = self.after_seq is not None and newest is not None and self.after_seq > newest
        return self.phase is Phase.RING and self.cursor >= recent.end and not is_ahead

    def items(self, recent: Recent, now_s: float) -> Iterator[Gap | Row | Entry]:
        """What it is to be given now, in order; each counts as given when it is yielded."""
        if self.phase is Phase.ROWS:
            yield from self._from_store(recent, now_s)
        if self.phase is Phase.WAIT and recent.newest is not None:
            yield from self._join(recent, now_s)
        if self.phase is Phase.ASK and self._has_met_ring and self._is_over(now_s):
            yield from self._enter(recent)
        if self._is_lost:
            self._is_lost = False
            yield _unknown(recent)
        if self.phase is Phase.RING:
            yield from self._from_ring(recent)

    def _is_over(self, now_s: float) -> bool:
        return self._until_s is not None and now_s >= self._until_s

    def _ask(self, at_s: float) -> None:
        self.phase, self.ask_s = Phase.ASK, at_s
        self._rows = ()

    def _from_store(self, recent: Recent, now_s: float) -> Iterator[Gap | Row]:
        first = recent.numbered()
        newest_ms = recent.newest.ts_ms if recent.newest else self._rows[-1].ts_ms if self._rows else 0
        while self._at < len(self._rows):
            row = self._rows[self._at]
            if first is not None and first.seq is not None and row.seq >= first.seq and row.ts_ms >= first.ts_ms:
                break
            if self.after_seq is not None and row.seq <= self.after_seq - ANEW and self._has_passed:
                self.after_seq = None
            if self.after_seq is not None and row.seq > self.after_seq + 1:
                if row.ts_ms > newest_ms - _YOUNG_MS and not self._is_over(now_s):
                    self._ask(now_s + PAUSE_S)
                    return
                yield self._gap(row.seq, row.ts_ms, "missing")
            self._at += 1
            if self.after_seq is None and self.start_ms is not None and row.ts_ms < self.start_ms:
                continue  # another viewer of the list asked for more
            if self.after_seq is None or row.seq > self.after_seq:
                self.hold(row.seq, row.ts_ms)
                yield row
        self._rows = ()
        self.phase = Phase.WAIT

    def _join(self, recent: Recent, now_s: float) -> Iterator[Gap]:
        """From the store's last row into the ring, where nothing is missing between them."""
        following = recent.numbered(self.after_seq)
        if self.after_seq is None:
            # A store that has nothing may be late with all of it.
            is_whole = self.is_covered or recent.newest_seq is None
        else:
            is_whole = following is None or following.seq == self.after_seq + 1
        if is_whole or self._is_over(now_s):
            yield from self._enter(recent)
        else:
            self._ask(now_s + PAUSE_S)

    def _enter(self, recent: Recent) -> Iterator[Gap]:
        self.phase = Phase.RING
        newest, newest_seq, gap = recent.newest, recent.newest_seq, None
        if newest is not None and newest_seq is not None and self._is_anew(newest_seq, newest.ts_ms):
            gap = None if self._has_passed else _unknown(recent)
            self.after_seq = None
        if self.after_seq is None:
            start_ms = newest.ts_ms - self.window_ms if newest and self.start_ms is None else self.start_ms
            self.cursor = recent.end if start_ms is None else recent.from_time(start_ms)
            entry = next(recent.since(self.cursor), None)
            if entry is not None and entry.before is not None:
                seq, ts_ms = entry.before
                if self._has_failed and not self._has_passed and start_ms is not None and ts_ms >= start_ms:
                    self.after_seq = max(0, seq - 1 - (ts_ms - start_ms) // 1000)  # at most one a second
                else:
                    self.hold(*(self._dropped(seq, ts_ms) or entry.before))  # a hole at the window's beginning is told
            elif self._has_failed and entry is not None and entry.seq is not None:
                self.after_seq = max(0, entry.seq - 1 - self.window_ms // 1000)  # at most one a second
        else:
            following = recent.numbered(self.after_seq)
            self.cursor = recent.end if following is None else following.index
        if gap is not None:
            yield gap

    def _is_anew(self, seq: int, ts_ms: int) -> bool:
        """Whether a sample so far behind is of a numbering that began anew, and not an old second out of a spool."""
        if self.after_seq is None or seq > self.after_seq - ANEW:
            return False
        return self.after_ms is None or not self.after_ms - SPOOL_MS <= ts_ms <= self.after_ms

    def _dropped(self, seq: int, ts_ms: int) -> tuple[int, int] | None:
        """What it counts as holding where the ring has dropped samples of its window, up to this one, since it came."""
        met = self._met
        if met is None or met.seq is None or self._has_passed or met.seq > seq or met.ts_ms > ts_ms:
            return None
        return None if self.start_ms is not None and met.ts_ms < self.start_ms else (met.seq - 1, met.ts_ms - 1)

    def _from_ring(self, recent: Recent) -> Iterator[Gap | Entry]:
        is_lapped = self.cursor < recent.first
        for entry in list(recent.since(self.cursor)):
            self.cursor = entry.index + 1
            if entry.seq is None:
                yield entry
                continue
            if self._is_anew(entry.seq, entry.ts_ms):
                self.after_seq = None
            if self.after_seq is not None and entry.seq <= self.after_seq:
                continue
            if self.after_seq is not None and entry.seq > self.after_seq + 1:
                self.cursor = entry.index
                yield self._gap(entry.seq, entry.ts_ms, "slow" if is_lapped else "missing")
                self.cursor = entry.index + 1
            is_lapped = False
            self.hold(entry.seq, entry.ts_ms)
            yield entry

    def _gap(self, to_seq: int, to_ms: int, reason: str) -> Gap:
        """The hole before a sample; it counts as told."""
        after = self.after_seq or 0
        before_ms = to_ms - self.window_ms if self.after_ms is None else self.after_ms
        hole = hole_between(after + 1, to_seq - 1, before_ms, to_ms, self.window_ms)
        if self.start_ms is not None and self.start_ms < hole.to_ms:
            hole = hole._replace(from_ms=max(hole.from_ms, self.start_ms))
        self.after_seq = to_seq - 1
        return Gap(hole, reason)

    def hold(self, seq: int, ts_ms: int) -> None:
        """It has everything up to this sample."""
        self.after_seq, self.after_ms, self._has_passed = seq, ts_ms, True

    def skip_to(self, entry: Entry) -> None:
        """It has been given what stands for everything up to an entry."""
        self.cursor = entry.index + 1
        if entry.seq is not None:
            self.hold(entry.seq, entry.ts_ms)


def _unknown(recent: Recent) -> Gap:
    """What came before the ring's numbering has no place in it."""
    first = recent.numbered()
    until = (first.seq or 0) - 1 if first is not None else recent.newest_seq or 0
    return Gap(Hole(until, until, 0, 0), "unknown")
