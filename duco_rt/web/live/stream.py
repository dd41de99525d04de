"""One machine's live stream: every sample once to every viewer, in order, holes told. Pure; it is given the time.

Viewers that are up to date are the fan-out's (`fanout.py`), the others those of `catching_up.py`; both are served from
one ring of recent samples.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Mapping, Sequence
from typing import Generic, TypeVar

from duco_rt.web.live.asking import Question
from duco_rt.web.live.catching_up import CatchingUp, Limits, Viewing
from duco_rt.web.live.fanout import Delivery, Fanout
from duco_rt.web.live.field_lists import FieldList
from duco_rt.web.live.frames import Encoding, frame
from duco_rt.web.live.known import LastKnown, LastValues
from duco_rt.web.live.lacks import Hole, hole_between
from duco_rt.web.live.ordering import Ordering
from duco_rt.web.live.protocol import Change, Wish, gap_text
from duco_rt.web.live.recent import Recent
from duco_rt.web.live.samples import Sample, read_sample

__all__ = ["LastKnown", "Limits", "Question", "Stream"]

V = TypeVar("V", bound=Hashable)

_DELIVERED_MAX = 64


class Stream(Generic[V]):
    """Viewers, ring and fan-out of one peer."""

    def __init__(self, limits: Limits, reorder_s: float) -> None:
        self._resume_ms = round(limits.resume_s * 1000)
        self._order: Ordering[tuple[Sample, bytes, int]] = Ordering(reorder_s)
        self.recent = Recent(limits.recent_s, limits.recent_bytes)
        self._fanout: Fanout[V] = Fanout()
        self._viewers: dict[V, Viewing] = {}
        self._catching_up = CatchingUp(limits, self.recent, self._fanout, self._viewers)
        self._last = LastValues()
        self._numbered_ms = 0
        self.delivered: deque[Sample] = deque(maxlen=_DELIVERED_MAX)
        """In order, since whoever looks has emptied it."""
        self.missing = 0
        self.doubles = 0

    def __len__(self) -> int:
        return len(self._viewers)

    @property
    def late(self) -> int:
        """Samples that came after their place was given up; the store has them."""
        return self._order.late

    @property
    def due_s(self) -> float | None:
        """When to call `tick`; it changes with every call."""
        times = (self._order.due_s, self._fanout.due_s, self._catching_up.due_s)
        return min((each for each in times if each is not None), default=None)

    # --- what comes -------------------------------------------------------------------------------------------------

    def publish(self, message: bytes, now_s: float, wall_ms: int) -> list[Delivery[V]]:
        """A live message came: what to write to whom now. Raises BadBody."""
        sample = read_sample(message, wall_ms)
        if sample.seq is not None and self.recent.has(sample.seq):
            self.doubles += 1
            return []
        deliveries: list[Delivery[V]] = []
        for each, text, came_ms in self._order.add(sample.seq, (sample, message, wall_ms), now_s, sample.ts_ms):
            deliveries += self._deliver(each, text, came_ms, now_s)
        return deliveries

    def tick(self, now_s: float) -> list[Delivery[V]]:
        """Time went on."""
        deliveries: list[Delivery[V]] = []
        for each, text, came_ms in self._order.give_up(now_s):
            deliveries += self._deliver(each, text, came_ms, now_s)
        self._catching_up.tick(now_s)
        return deliveries + self._fanout.due(now_s)

    def _deliver(self, sample: Sample, message: bytes, wall_ms: int, now_s: float) -> list[Delivery[V]]:
        newest, seq = self.recent.newest_seq, sample.seq
        deliveries: list[Delivery[V]] = []
        if seq is not None and newest is not None and seq > newest + 1:
            self.missing += seq - newest - 1
            hole = hole_between(newest + 1, seq - 1, self._numbered_ms, sample.ts_ms, self._resume_ms)
            deliveries = self._tell(hole, now_s)
        entry = self.recent.add(seq, sample.ts_ms, message, wall_ms, now_s)
        if seq is not None:
            self._numbered_ms = sample.ts_ms
            if newest is not None and seq <= newest:
                self._catching_up.number_anew()
        self._last.note(sample)
        self.delivered.append(sample)
        self._catching_up.came(now_s)
        return deliveries + self._fanout.publish(sample, entry.index, now_s)

    def _tell(self, hole: Hole, now_s: float) -> list[Delivery[V]]:
        """The viewers that are up to date, of a hole before the next sample.

        Not those with a rate of their own: how many samples a message stands for tells them.
        """
        told: dict[Encoding, list[V]] = {}
        for viewer, held in self._viewers.items():
            if held.is_told and held.place is None and held.fields.max_hz is None:
                told.setdefault(held.encoding, []).append(viewer)
                self._catching_up.told(viewer, hole, now_s)
        text = gap_text(hole.from_seq, hole.to_seq, "missing")
        return [Delivery(frame(text, encoding), viewers, self.recent.end) for encoding, viewers in told.items()]

    # --- viewers ----------------------------------------------------------------------------------------------------

    def init(self, viewer: V, wish: Wish, encoding: Encoding, now_s: float) -> None:
        """A viewer joins, or wishes for something else than before."""
        self.leave(viewer)
        self._viewers[viewer] = Viewing(wish.fields, encoding, wish.resumes)
        if wish.resumes:
            self._catching_up.begin(viewer, wish, now_s)
        else:
            self._fanout.watch(viewer, wish.fields, encoding)

    def fields_of(self, viewer: V) -> FieldList | None:
        """What a viewer asks for now; None where it has not said."""
        held = self._viewers.get(viewer)
        return None if held is None else held.fields

    def change(self, viewer: V, change: Change) -> FieldList:
        """Add to a viewer's list or take out of it; gives the new list. Raises KeyError where it has none,
        Refused where it would be too long.
        """
        held = self._viewers[viewer]
        fields = held.fields.adding(change.entries) if change.add else held.fields.removing(change.entries)
        kept = self._fanout.kept_index(viewer) if held.place is None else None
        held.fields = fields
        if kept is not None:  # its rate holds samples back: they come by the new list
            self.behind(viewer, kept, 0.0)
        elif held.place is None:
            self._fanout.watch(viewer, fields, held.encoding)
        else:
            held.place.ask_again(0.0)
        return fields

    def leave(self, viewer: V) -> None:
        """The viewer is gone; safe for one that never came."""
        self._fanout.leave(viewer)
        self._catching_up.leave(viewer)
        self._viewers.pop(viewer, None)

    def is_live(self, viewer: V) -> bool:
        """Whether deliveries are written to it as they come."""
        return viewer in self._fanout

    def behind(self, viewer: V, index: int, now_s: float) -> None:
        """A viewer could not be given a delivery: it takes what it lacks from there on when it reads again."""
        if viewer in self._fanout:
            kept = self._fanout.kept_index(viewer)
            self._fanout.leave(viewer)
            self._catching_up.behind(viewer, index if kept is None else min(index, kept), now_s)

    def woken(self) -> list[V]:
        """Viewers for whom `take` may have something, since the last call."""
        woken = list(self._catching_up.woken)
        self._catching_up.woken.clear()
        return woken

    def take(self, viewer: V, now_s: float) -> list[bytes]:
        """Frames for a viewer to be written now, some 64 KiB at most; again when they are written. [] for none."""
        return self._catching_up.take(viewer, now_s) if viewer in self._viewers else []

    # --- the store --------------------------------------------------------------------------------------------------

    def questions(self, now_s: float) -> list[Question]:
        """What to ask the store now. Each is open until `answer` or `failed`."""
        return self._catching_up.questions(now_s)

    def is_wanted(self, question: Question) -> bool:
        """Whether somebody still waits for the answer; else it need not be asked: answer it with nothing."""
        return self._catching_up.is_wanted(question)

    def answer(self, question: Question, samples: Sequence[Sample], now_s: float) -> None:
        """The store's samples, in order of (ts, seq)."""
        self._catching_up.answer(question, samples, now_s)

    def failed(self, question: Question, now_s: float) -> None:
        """The store is away: who waits for it asks again."""
        self._catching_up.failed(question, now_s)

    # --- what is known ----------------------------------------------------------------------------------------------

    def last_known(self, fields: FieldList) -> LastKnown:
        """The last values of a list that this stream has seen."""
        return self._last.of(fields, self.recent.newest)

    @property
    def names(self) -> Mapping[str, object]:
        """Every field name that was seen."""
        return self._last.names

    def merged_of(self, viewer: V) -> int:
        """How many samples a viewer did not get as its own, since its list."""
        held = self._viewers.get(viewer)
        return 0 if held is None else held.merged

    def lacking(self, viewer: V) -> int:
        """How many samples of the ring a viewer has not been given yet."""
        return self._catching_up.lacking(viewer)
