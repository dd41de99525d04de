"""Samples of one peer in the order of `seq`, though several ingestors may swap neighbours. Pure; it is given the time.

A sample that leaves a hole before it waits for what is missing, `wait_s` at most; one that comes later than that is
left to the history, counted in `late`.
"""

from __future__ import annotations

from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")

_HELD_MAX = 64
ANEW = 600
"""A step back of so many may be a machine that lost its memory of seq: then the order begins anew."""

SPOOL_MS = 7 * 86_400_000
"""A machine's spool holds no more."""

_RUN_S = 10.0


class _Run(NamedTuple):
    """Samples from far back, one after the other: the first one's position and arrival, and the newest position."""

    first_seq: int
    first_s: float
    seq: int


class Ordering(Generic[T]):
    """One peer's order. Times are seconds from any fixed moment; `ts_ms` is the sample's own, by the machine's clock.

    Far behind are also the seconds that a machine kept in its spool and sends after an absence: these are late. A
    numbering begins anew where the machine's time went on, or stepped back by more than a spool holds, or where
    samples come at the pace of live ones, ten seconds long, and none of the old numbering.
    """

    def __init__(self, wait_s: float) -> None:
        self._wait_s = wait_s
        self._last: int | None = None
        self._newest_ms: int | None = None
        self._run_back: _Run | None = None
        self._held: dict[int, tuple[float, T]] = {}
        self.late = 0

    @property
    def due_s(self) -> float | None:
        """When to call `give_up`; None while nothing waits."""
        return min(came_s for came_s, _ in self._held.values()) + self._wait_s if self._held else None

    def add(self, seq: int | None, item: T, now_s: float, ts_ms: int | None = None) -> list[T]:
        """What can go on now that this one came, in order; one without `seq` has no place to wait for."""
        if seq is None:
            return [item]
        if self._last is not None and seq <= self._last:
            if seq > self._last - ANEW or not self._is_anew(seq, now_s, ts_ms):
                self.late += 1
                return []
            rest = self._all()
            self._last, self._newest_ms, self._run_back = seq, ts_ms, None
            return [*rest, item]
        self._newest_ms, self._run_back = ts_ms, None
        self._held.setdefault(seq, (now_s, item))
        if self._last is None or self._wait_s == 0 or len(self._held) > _HELD_MAX:
            self._last = min(self._held) - 1
        return self._run()

    def _is_anew(self, seq: int, now_s: float, ts_ms: int | None) -> bool:
        if ts_ms is None or self._newest_ms is None:
            return True
        if ts_ms > self._newest_ms or ts_ms < self._newest_ms - SPOOL_MS:
            return True
        run = self._run_back
        if run is None or not run.seq < seq <= run.first_seq + (now_s - run.first_s) + 2:
            run = _Run(seq, now_s, seq)
        self._run_back = run._replace(seq=seq)
        return now_s - run.first_s >= _RUN_S

    def give_up(self, now_s: float) -> list[T]:
        """What has waited long enough goes on, over the hole."""
        out: list[T] = []
        while (due_s := self.due_s) is not None and due_s <= now_s:
            self._last = min(self._held) - 1
            out += self._run()
        return out

    def _run(self) -> list[T]:
        out: list[T] = []
        while self._last is not None and (held := self._held.pop(self._last + 1, None)) is not None:
            self._last += 1
            out.append(held[1])
        return out

    def _all(self) -> list[T]:
        out = [self._held[seq][1] for seq in sorted(self._held)]
        self._held.clear()
        return out
