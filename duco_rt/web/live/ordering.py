"""Samples of one peer in the order of `seq`, though several ingestors may swap neighbours. Pure; it is given the time.

A sample that leaves a hole before it waits for what is missing, `wait_s` at most; one that comes later than that is
left to the history, counted in `late`.
"""

from __future__ import annotations

from typing import Generic, TypeVar

T = TypeVar("T")

_HELD_MAX = 64
ANEW = 600
"""A step back of so many is no late sample but a machine that lost its memory of seq: the order begins anew."""


class Ordering(Generic[T]):
    """One peer's order. Times are seconds from any fixed moment."""

    def __init__(self, wait_s: float) -> None:
        self._wait_s = wait_s
        self._last: int | None = None
        self._held: dict[int, tuple[float, T]] = {}
        self.late = 0

    @property
    def due_s(self) -> float | None:
        """When to call `give_up`; None while nothing waits."""
        return min(came_s for came_s, _ in self._held.values()) + self._wait_s if self._held else None

    def add(self, seq: int | None, item: T, now_s: float) -> list[T]:
        """What can go on now that this one came, in order; one without `seq` has no place to wait for."""
        if seq is None:
            return [item]
        if self._last is not None and seq <= self._last - ANEW:
            rest = self._all()
            self._last = seq
            return [*rest, item]
        if self._last is not None and seq <= self._last:
            self.late += 1
            return []
        self._held.setdefault(seq, (now_s, item))
        if self._last is None or self._wait_s == 0 or len(self._held) > _HELD_MAX:
            self._last = min(self._held) - 1
        return self._run()

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
