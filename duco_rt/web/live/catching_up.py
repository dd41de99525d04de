"""The viewers of a stream that are not up to date, and what the store is asked for them. Pure.

A viewer comes from the store (`place.py`), or its connection did not take a frame, or a hole that it was told of is
filled. `take` gives it what it lacks as fast as it reads; then it is the fan-out's again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from duco_rt.web.live.asking import Asking, Question
from duco_rt.web.live.fanout import Fanout
from duco_rt.web.live.field_lists import FieldList
from duco_rt.web.live.frames import Encoding
from duco_rt.web.live.framing import Framing
from duco_rt.web.live.lacks import Hole, Lacks
from duco_rt.web.live.place import Gap, Phase, Place, Row, by_seq
from duco_rt.web.live.protocol import Wish
from duco_rt.web.live.recent import Entry, Recent
from duco_rt.web.live.samples import Sample

V = TypeVar("V", bound=Hashable)

_TAKEN_BYTES = 64 * 1024
_VALUES_MAX = 120_000
_NAMES_OF_PATTERN = 200


class Limits(NamedTuple):
    """Of the ring (`recent_*`), of how far back a viewer resumes, and of what a slow one is sent one by one."""

    recent_s: float
    recent_bytes: int
    resume_s: float
    queue_messages: int
    queue_bytes: int


@dataclass(slots=True)
class Viewing:
    """What a viewer asks for, and where it is: `place` None for one that is up to date."""

    fields: FieldList
    encoding: Encoding
    is_told: bool
    """Of holes."""
    place: Place | None = None
    fills: deque[Row] | None = None
    """Rows of the store that may fill holes, not yet looked at."""
    merged: int = 0


class CatchingUp(Generic[V]):
    """Works on the stream's ring, fan-out and table of viewers."""

    def __init__(self, limits: Limits, recent: Recent, fanout: Fanout[V], viewers: Mapping[V, Viewing]) -> None:
        self._limits = limits
        self._recent = recent
        self._fanout = fanout
        self._viewers = viewers
        self._placed: dict[V, Place] = {}
        self._lacks: Lacks[V] = Lacks()
        self._asking: Asking[V] = Asking()
        self._framing = Framing(fanout)
        self.woken: dict[V, None] = {}

    @property
    def due_s(self) -> float | None:
        """When something is to be asked or told by time alone."""
        times = [self._lacks.due_s]
        for viewer, place in self._placed.items():
            times.append(place.due_s)
            if place.phase is Phase.ASK and not self._asking.is_open(self._viewers[viewer].fields):
                times.append(place.ask_s)
        return min((each for each in times if each is not None), default=None)

    # --- who comes, lags and goes -----------------------------------------------------------------------------------

    def begin(self, viewer: V, wish: Wish, now_s: float) -> None:
        """A viewer that is to get earlier samples first."""
        names = len(wish.fields.names) + _NAMES_OF_PATTERN * len(wish.fields.patterns)
        asked_s = self._limits.resume_s if wish.history_s is None else wish.history_s
        window_ms = round(1000 * min(asked_s, self._limits.resume_s, _VALUES_MAX / max(1, names)))
        is_covered = self._is_covered(wish.since, window_ms)
        place = Place(wish.since, window_ms, Phase.WAIT if is_covered else Phase.ASK, now_s)
        place.is_covered = is_covered
        if self._recent.newest is not None:
            place.from_ms(self._recent.newest.ts_ms)
            place.meet_ring(self._recent, now_s)
        self._put(viewer, place)
        self.woken[viewer] = None

    def _is_covered(self, since: int | None, window_ms: int) -> bool:
        """Whether the ring has all that is asked for."""
        first, newest = self._recent.numbered(), self._recent.newest
        if first is None or first.seq is None or newest is None:
            return False
        return first.ts_ms <= newest.ts_ms - window_ms if since is None else first.seq <= since + 1

    def behind(self, viewer: V, index: int, now_s: float) -> None:
        """A viewer could not be given the sample of that index."""
        place = Place(None, round(self._limits.resume_s * 1000), Phase.RING, now_s)
        entry = next(self._recent.since(index), None)
        if entry is not None and entry.before is not None:
            place.hold(*entry.before)
            self._lacks.untold(viewer, entry.before[0])
        place.cursor, place.is_slow = index, True
        self._put(viewer, place)
        self.woken[viewer] = None

    def _put(self, viewer: V, place: Place) -> None:
        self._viewers[viewer].place = self._placed[viewer] = place

    def leave(self, viewer: V) -> None:
        """The viewer is gone."""
        self._lacks.forget(viewer)
        self._placed.pop(viewer, None)
        self.woken.pop(viewer, None)

    def told(self, viewer: V, hole: Hole, now_s: float) -> None:
        """A viewer was told that samples are missing: they are asked for."""
        self._lacks.add(viewer, hole, now_s)

    def came(self, now_s: float) -> None:
        """The ring has a new sample."""
        for viewer, place in self._placed.items():
            place.meet_ring(self._recent, now_s)
            if place.phase in (Phase.WAIT, Phase.RING):
                self.woken[viewer] = None

    def number_anew(self) -> None:
        """The machine's positions begin anew: those of before say nothing any more."""
        self._lacks = Lacks()
        for held in self._viewers.values():
            held.fills = None
            if held.place is not None:
                held.place.numbered_anew(self._recent)

    def tick(self, now_s: float) -> None:
        """Time went on: whose patience is over goes on without."""
        for viewer, place in self._placed.items():
            if place.wake(now_s):
                self.woken[viewer] = None

    # --- what they are given ----------------------------------------------------------------------------------------

    def take(self, viewer: V, now_s: float) -> list[bytes]:
        """Frames for a viewer, in order, some 64 KiB at most."""
        held = self._viewers[viewer]
        frames: list[bytes] = []
        room = _TAKEN_BYTES
        while held.fills and room > 0:
            row = held.fills.popleft()
            if self._lacks.fill(viewer, row.seq):
                frames.append(self._framing.fill(held.fields, held.encoding, row))
                room -= len(frames[-1])
        place = held.place
        if place is None or room <= 0:
            return frames
        if place.is_slow:
            frames += self._merged(held, place)
        for item in place.items(self._recent, now_s):
            if isinstance(item, Gap):
                if not held.is_told:
                    continue
                if item.reason == "missing":
                    self._lacks.add(viewer, item.hole, now_s)
            frames.append(self._framing.frame(held.fields, held.encoding, item))
            room -= len(frames[-1])
            if room <= 0:
                break
        if place.is_done(self._recent):
            held.place = None
            del self._placed[viewer]
            self._fanout.watch(viewer, held.fields, held.encoding)
        return frames

    def _merged(self, held: Viewing, place: Place) -> list[bytes]:
        """A slow viewer reads again: too much that it lacks becomes one message with the newest values.

        Of who is not told of such things the newest sample alone.
        """
        place.is_slow = False
        entries = list(self._recent.since(place.cursor))
        if len(entries) < 2 or (held.fields.max_hz is None and self._is_short(held, place, entries)):
            return []  # one by one
        newest = next((entry for entry in reversed(entries) if entry.seq is not None), None)
        frames = []
        if held.fields.max_hz is None:
            if not held.is_told:  # it would take older values for those of the newest sample
                entries = entries[-1:]
            elif newest is not None and newest.seq is not None and place.after_seq is not None:
                hole = Hole(place.after_seq + 1, newest.seq - 1, 0, 0)
                if hole.from_seq <= hole.to_seq:
                    frames.append(self._framing.frame(held.fields, held.encoding, Gap(hole, "slow")))
        frames.append(self._framing.merged(held.fields, held.encoding, entries))
        held.merged += self._recent.end - place.cursor - 1
        if newest is not None:
            place.skip_to(newest)
        place.cursor = self._recent.end
        return frames

    def _is_short(self, held: Viewing, place: Place, entries: Sequence[Entry]) -> bool:
        if place.cursor < self._recent.first or len(entries) > self._limits.queue_messages:
            return False
        sizes = [len(self._framing.frame(held.fields, held.encoding, entry)) for entry in entries]
        return sum(sizes) <= self._limits.queue_bytes

    def lacking(self, viewer: V) -> int:
        """How many samples of the ring a viewer has not been given yet."""
        place = self._placed.get(viewer)
        if place is None:
            return 0
        return self._recent.end - (place.cursor if place.phase is Phase.RING else self._recent.first)

    # --- the store --------------------------------------------------------------------------------------------------

    def questions(self, now_s: float) -> list[Question]:
        """What to ask the store now."""
        waiting = [
            (self._viewers[viewer].fields, place)
            for viewer, place in self._placed.items()
            if place.phase is Phase.ASK and place.ask_s <= now_s
        ]
        asked = self._asking.for_places(waiting, self._recent)
        due_s = self._lacks.due_s
        if due_s is not None and due_s <= now_s:
            due = self._lacks.due(now_s)
            wanted = {viewer: (self._viewers[viewer].fields, due[viewer]) for viewer in due}
            asked += self._asking.for_holes(wanted, round(self._limits.resume_s * 1000))
        return asked

    def is_wanted(self, question: Question) -> bool:
        """Whether somebody still waits for the answer."""
        asked, fields = self._asking.waiting(question), question.fields
        waiting = set(map(id, asked.places))
        return any(
            id(place) in waiting and place.phase is Phase.ASK and self._viewers[viewer].fields == fields
            for viewer, place in self._placed.items()
        ) or any((held := self._viewers.get(viewer)) and held.fields == fields for viewer in asked.viewers)

    def answer(self, question: Question, samples: Sequence[Sample], now_s: float) -> None:
        """The store's samples, for those who asked and still want these fields."""
        asked = self._asking.close(question)
        rows = by_seq([Row(sample.seq, sample.ts_ms, sample, {}) for sample in samples if sample.seq is not None])
        waiting = set(map(id, asked.places))
        for viewer, place in self._placed.items():
            if id(place) in waiting and place.phase is Phase.ASK and self._viewers[viewer].fields == question.fields:
                place.answered(rows, now_s)
                self.woken[viewer] = None
        for viewer in asked.viewers:
            held = self._viewers.get(viewer)
            if rows and held is not None and held.fields == question.fields:
                held.fills = deque(rows)
                self.woken[viewer] = None

    def failed(self, question: Question, now_s: float) -> None:
        """The store is away: who waits for it asks again."""
        for place in self._asking.close(question).places:
            place.failed(now_s)
