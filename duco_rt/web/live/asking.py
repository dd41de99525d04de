"""Questions to the store: one for all viewers of a field list, one at a time. Pure."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Generic, NamedTuple, TypeVar

from duco_rt.web.live.field_lists import FieldList
from duco_rt.web.live.lacks import Hole
from duco_rt.web.live.place import Place
from duco_rt.web.live.recent import Recent

V = TypeVar("V", bound=Hashable)


class Question(NamedTuple):
    """For the store: samples with from_ms <= ts <= to_ms, of the fields that the list matches.

    `from_ms` None: `to_ms` less `window_ms`; `to_ms` None: now by the machine's clock.
    """

    number: int
    fields: FieldList
    from_ms: int | None
    to_ms: int | None
    window_ms: int


class Asked(NamedTuple, Generic[V]):
    """Who waits for an answer: places on their way to live, or viewers with holes."""

    places: Sequence[Place] = ()
    viewers: Sequence[V] = ()


class Asking(Generic[V]):
    """The open questions."""

    def __init__(self) -> None:
        self._number = 0
        self._open: dict[int, Asked[V]] = {}
        self._busy: dict[FieldList, int] = {}

    def is_open(self, fields: FieldList) -> bool:
        """Whether places of this list wait for an answer."""
        return fields in self._busy

    def for_places(self, waiting: Iterable[tuple[FieldList, Place]], recent: Recent) -> list[Question]:
        """A question a list, from where the earliest of its places is, up to the ring."""
        groups: dict[FieldList, list[Place]] = {}
        for fields, place in waiting:
            if fields not in self._busy:
                groups.setdefault(fields, []).append(place)
        first, newest = recent.numbered(), recent.newest
        questions = []
        for fields, places in groups.items():
            starts = [place.from_ms(newest.ts_ms if newest else None) for place in places]
            known = [start for start in starts if start is not None]
            to_ms = first.ts_ms if first else None
            from_ms, window_ms = min(known) if len(known) == len(starts) else None, max(p.window_ms for p in places)
            if from_ms is not None and to_ms is not None and not to_ms - window_ms <= from_ms <= to_ms:
                from_ms = to_ms - window_ms  # the machine's clock was set in between
            question = self._ask(fields, from_ms, to_ms, window_ms, Asked(places))
            self._busy[fields] = question.number
            questions.append(question)
        return questions

    def for_holes(self, holes: Mapping[V, tuple[FieldList, Sequence[Hole]]], reach_ms: int) -> list[Question]:
        """For all that the viewers of a list lack: a question where it lies within `reach_ms`, else several."""
        groups: dict[FieldList, list[V]] = {}
        for viewer, (fields, _) in holes.items():
            groups.setdefault(fields, []).append(viewer)
        questions = []
        for fields, viewers in groups.items():
            lacked = sorted({(hole.from_ms, hole.to_ms) for viewer in viewers for hole in holes[viewer][1]})
            while lacked:
                from_ms = lacked[0][0]
                near = [each for each in lacked if each[1] <= max(lacked[0][1], from_ms + reach_ms)]
                lacked = [each for each in lacked if each not in near]
                to_ms = max(to_ms for _, to_ms in near)
                questions.append(self._ask(fields, from_ms, to_ms, to_ms - from_ms, Asked((), viewers)))
        return questions

    def _ask(
        self, fields: FieldList, from_ms: int | None, to_ms: int | None, window_ms: int, asked: Asked[V]
    ) -> Question:
        self._number += 1
        self._open[self._number] = asked
        return Question(self._number, fields, from_ms, to_ms, window_ms)

    def waiting(self, question: Question) -> Asked[V]:
        """Who waited for the answer when it was asked for."""
        return self._open.get(question.number, Asked())

    def close(self, question: Question) -> Asked[V]:
        """The question was answered, or failed."""
        if self._busy.get(question.fields) == question.number:
            del self._busy[question.fields]
        return self._open.pop(question.number)
