"""Holes that viewers were told of: asked for again until the store has them, or five minutes are over. Pure."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace
from typing import Generic, NamedTuple, TypeVar

V = TypeVar("V", bound=Hashable)

KEEP_S = 300.0
_PAUSE_S = 1.0
_PAUSE_S_MAX = 30.0
_LACKS_MAX = 64


class Hole(NamedTuple):
    """Samples that are missing: positions, both included, and the machine's time around them in ms."""

    from_seq: int
    to_seq: int
    from_ms: int
    to_ms: int


_STEP_MS = 60_000


def hole_between(from_seq: int, to_seq: int, before_ms: int, after_ms: int, reach_ms: int) -> Hole:
    """The hole between two samples, `reach_ms` at most; where the machine's clock stepped back, a minute wider."""
    from_ms, to_ms = before_ms, after_ms
    if from_ms > to_ms:
        from_ms, to_ms = to_ms - _STEP_MS, from_ms + _STEP_MS
    return Hole(from_seq, to_seq, max(from_ms, to_ms - reach_ms), to_ms)


@dataclass(slots=True)
class _Lack:
    hole: Hole
    until_s: float
    next_s: float
    tries: int = 0


class Lacks(Generic[V]):
    """By viewer, at most 64 each: the oldest goes, and stays a hole."""

    def __init__(self) -> None:
        self._lacks: dict[V, list[_Lack]] = {}

    def add(self, viewer: V, hole: Hole, now_s: float) -> None:
        """The viewer has been told of a hole."""
        held = self._lacks.setdefault(viewer, [])
        held.append(_Lack(hole, now_s + KEEP_S, now_s + _PAUSE_S))
        del held[:-_LACKS_MAX]

    def forget(self, viewer: V) -> None:
        """The viewer is gone, or begins anew."""
        self._lacks.pop(viewer, None)

    def untold(self, viewer: V, after_seq: int) -> None:
        """The viewer did not get what came after a position: its holes there are told again when they are its turn."""
        held = [lack for lack in self._lacks.get(viewer, ()) if lack.hole.from_seq <= after_seq]
        self._set(viewer, held)

    @property
    def due_s(self) -> float | None:
        """When the next one is to be asked for."""
        return min((lack.next_s for held in self._lacks.values() for lack in held), default=None)

    def due(self, now_s: float) -> dict[V, list[Hole]]:
        """What to ask the store for now; counts as asked. Those that are past their time are dropped."""
        found: dict[V, list[Hole]] = {}
        for viewer, held in list(self._lacks.items()):
            kept = [lack for lack in held if lack.until_s > now_s]
            for lack in kept:
                if lack.next_s <= now_s:
                    found.setdefault(viewer, []).append(lack.hole)
                    lack.next_s = now_s + min(_PAUSE_S_MAX, _PAUSE_S * 2**lack.tries)
                    lack.tries += 1
            self._set(viewer, kept)
        return found

    def fill(self, viewer: V, seq: int) -> bool:
        """Whether the viewer lacks this position; it is no hole any more."""
        held = self._lacks.get(viewer, [])
        for at, lack in enumerate(held):
            hole = lack.hole
            if hole.from_seq <= seq <= hole.to_seq:
                rest = [hole._replace(to_seq=seq - 1), hole._replace(from_seq=seq + 1)]
                held[at : at + 1] = [replace(lack, hole=part) for part in rest if part.from_seq <= part.to_seq]
                self._set(viewer, held)
                return True
        return False

    def _set(self, viewer: V, held: list[_Lack]) -> None:
        if held:
            self._lacks[viewer] = held
        else:
            self._lacks.pop(viewer, None)
