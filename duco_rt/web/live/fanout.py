"""One live message to many viewers: picked once per distinct field list, framed once per list and encoding. Pure.

A list that is sent less than every sample, or only what changed, has viewers that stand differently: who just came got
what is kept back for the others before, and knows none of the values that did not change. Those viewers are a cohort
of their own until the list is next sent, then all are one. Two cohorts are the rule, one a sample the limit.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from functools import lru_cache, partial
from typing import Generic, TypeVar

from duco_rt.web.live.field_lists import FieldList
from duco_rt.web.live.frames import Encoding, frame
from duco_rt.web.live.samples import Sample
from duco_rt.web.live.texts import LIVE_DATA, NAMES_MAX, Merge, Picked, Picker

V = TypeVar("V", bound=Hashable)

WHOLE_S = 10.0
"""An on-change list has all values again when this has passed since the last whole message."""

_PICKERS_MAX = 64
_NEVER_S = float("-inf")


class Delivery(Generic[V]):
    """A finished frame, whom it is for, and the index of the oldest sample in it.

    The frame is made when it is first asked for: of many lists, each when its turn to be written has come.
    """

    __slots__ = ("_made", "index", "viewers")

    def __init__(self, frame: bytes | Callable[[], bytes], viewers: Sequence[V], index: int) -> None:
        self._made = frame
        self.viewers = viewers
        self.index = index

    @property
    def frame(self) -> bytes:
        """To be written as it is."""
        if not isinstance(self._made, bytes):
            self._made = self._made()
        return self._made


class _Text:
    """A message, written when the first of its encodings is framed."""

    __slots__ = ("_text", "_write")

    def __init__(self, text: bytes | None, write: Callable[[], bytes] | None = None) -> None:
        self._text = text
        self._write = write

    def framed(self, encoding: Encoding) -> bytes:
        """As one frame."""
        if self._text is None:
            assert self._write is not None
            self._text, self._write = self._write(), None
        return frame(self._text, encoding)


class _Cohort(Generic[V]):
    """Viewers of a list that got the same, by encoding."""

    def __init__(self) -> None:
        self.viewers: dict[Encoding, dict[V, None]] = {}
        self.kept = Merge()
        self.kept_index = 0
        self.sent_s = _NEVER_S
        self.whole_s = _NEVER_S
        self.sent: dict[str, bytes] = {}
        """On-change lists: the text of each value that all of them hold."""

    @property
    def is_new(self) -> bool:
        """Whether they got nothing of this list so far."""
        return self.sent_s == _NEVER_S

    def deliveries(self, text: _Text, index: int) -> Iterator[Delivery[V]]:
        """The text, framed once an encoding."""
        for encoding, viewers in self.viewers.items():
            yield Delivery(partial(text.framed, encoding), list(viewers), index)

    def keep(self, picked: Picked, index: int) -> None:
        """A sample that is to be sent, now or later."""
        if not self.kept.samples:
            self.kept_index = index
        self.kept.add(picked)

    def take_in(self, other: _Cohort[V]) -> None:
        """Another cohort that, too, has all up to now: what both hold is held by all."""
        for encoding, viewers in other.viewers.items():
            self.viewers.setdefault(encoding, {}).update(viewers)
        self.sent_s = max(self.sent_s, other.sent_s)
        self.whole_s = min(self.whole_s, other.whole_s)
        self.sent = dict(self.sent.items() & other.sent.items())


class _List(Generic[V]):
    """A field list and its cohorts; the first is that of all who are not new."""

    def __init__(self, fields: FieldList, picker: Picker) -> None:
        self.fields = fields
        self.is_plain = fields.max_hz is None and not fields.on_change
        self.cohorts: list[_Cohort[V]] = []
        self._picker = picker
        self._period_s = 1 / fields.max_hz if fields.max_hz else 0.0

    def join(self, viewer: V, encoding: Encoding) -> None:
        """The viewer has all up to now."""
        if not self.cohorts or not (self.is_plain or self.cohorts[-1].is_new):
            self.cohorts.append(_Cohort())
        self.cohorts[-1].viewers.setdefault(encoding, {})[viewer] = None

    def cohort_of(self, viewer: V, encoding: Encoding) -> _Cohort[V]:
        """Where a viewer of the list is."""
        return next(each for each in self.cohorts if viewer in each.viewers.get(encoding, ()))

    def leave(self, viewer: V, encoding: Encoding) -> None:
        """A viewer of the list is gone."""
        cohort = self.cohort_of(viewer, encoding)
        del cohort.viewers[encoding][viewer]
        if not cohort.viewers[encoding]:
            del cohort.viewers[encoding]
        if not cohort.viewers:
            self.cohorts.remove(cohort)

    def publish(self, sample: Sample, index: int, now_s: float) -> Iterator[Delivery[V]]:
        """A sample for all viewers, now or later."""
        if self.is_plain:
            yield from self.cohorts[0].deliveries(_Text(None, partial(self._picker.text, sample)), index)
            return
        picked = self._picker.pick(sample)
        for cohort in self.cohorts:
            cohort.keep(picked, index)
        yield from self.send(now_s)

    @property
    def due_s(self) -> float | None:
        """When what is kept back is to be sent."""
        first = self.cohorts[0]
        waiting = [first] if first.kept.samples else [each for each in self.cohorts if each.kept.samples]
        return min((each.sent_s + self._period_s for each in waiting), default=None)

    def send(self, now_s: float) -> Iterator[Delivery[V]]:
        """What is due. Who is new gets its first message at once, and then waits for the others to be one with them."""
        first = self.cohorts[0]
        is_time = not first.kept.samples or first.sent_s + self._period_s <= now_s
        for cohort in self.cohorts:
            if cohort.kept.samples and (cohort.is_new or (is_time and cohort.sent_s + self._period_s <= now_s)):
                yield from cohort.deliveries(_Text(self._text(cohort, now_s)), cohort.kept_index)
                cohort.sent_s, cohort.kept = now_s, Merge()
        if not first.kept.samples and not first.is_new:
            for cohort in self.cohorts[1:]:
                if not cohort.kept.samples and not cohort.is_new:
                    first.take_in(cohort)
                    self.cohorts.remove(cohort)

    def _text(self, cohort: _Cohort[V], now_s: float) -> bytes:
        """Of what is kept; of an on-change list only what its viewers do not hold."""
        if not self.fields.on_change:
            return self._picker.merge_text(cohort.kept)
        values = {name: each.text for name, each in cohort.kept.values.items()}
        if now_s - cohort.whole_s >= WHOLE_S or len(cohort.sent) > NAMES_MAX:
            cohort.whole_s, cohort.sent = now_s, values
            return self._picker.merge_text(cohort.kept)
        text = self._picker.merge_text(cohort.kept, cohort.sent)
        cohort.sent |= values
        return text


class Fanout(Generic[V]):
    """The viewers of one peer that are up to date, by field list and encoding.

    A sample's `index` grows from one to the next.
    """

    def __init__(self) -> None:
        self._lists: dict[FieldList, _List[V]] = {}
        self._place_of: dict[V, tuple[_List[V], Encoding]] = {}
        self._picker = lru_cache(_PICKERS_MAX)(Picker)

    def __len__(self) -> int:
        return len(self._place_of)

    def __contains__(self, viewer: V) -> bool:
        return viewer in self._place_of

    @property
    def due_s(self) -> float | None:
        """When the next rate-limited list is to be sent; None while none keeps anything back."""
        lists = (each for each in self._lists.values() if not each.is_plain)
        return min((due_s for each in lists if (due_s := each.due_s) is not None), default=None)

    def watch(self, viewer: V, fields: FieldList, encoding: Encoding) -> None:
        """The viewer has all up to now, and wants what comes as this list and encoding; replaces its earlier list.

        What that kept back for it is not sent any more: see `kept_index`.
        """
        self.leave(viewer)
        held = self._lists.get(fields)
        if held is None:
            held = self._lists[fields] = _List(fields, self._picker(fields))
        held.join(viewer, encoding)
        self._place_of[viewer] = held, encoding

    def leave(self, viewer: V) -> None:
        """The viewer is gone; safe for one who never watched."""
        place = self._place_of.pop(viewer, None)
        if place is None:
            return
        held, encoding = place
        held.leave(viewer, encoding)
        if not held.cohorts:
            del self._lists[held.fields]

    def kept_index(self, viewer: V) -> int | None:
        """The index of the oldest sample that its rate-limited list still keeps back for it; None for none."""
        if viewer not in self._place_of:
            return None
        held, encoding = self._place_of[viewer]
        cohort = held.cohort_of(viewer, encoding)
        return cohort.kept_index if cohort.kept.samples else None

    def publish(self, sample: Sample, index: int, now_s: float) -> list[Delivery[V]]:
        """A sample for everybody: each list is picked once, each text framed once an encoding, as it is asked for."""
        return [each for held in self._lists.values() for each in held.publish(sample, index, now_s)]

    def due(self, now_s: float) -> list[Delivery[V]]:
        """What rate-limited lists kept back and is to be sent now."""
        lists = [each for each in self._lists.values() if not each.is_plain]
        return [each for held in lists for each in held.send(now_s)]

    def frame(self, fields: FieldList, encoding: Encoding, sample: Sample, kind: bytes = LIVE_DATA) -> bytes:
        """One sample for somebody who catches up, as a message of type `kind`."""
        return frame(self._picker(fields).text(sample, kind), encoding)

    def merged(
        self, fields: FieldList, encoding: Encoding, samples: Sequence[Sample], count: int | None = None
    ) -> bytes:
        """Samples, oldest first and one at least, as one message for somebody who catches up; `count` as Picker's."""
        return frame(self._picker(fields).merged(samples, count), encoding)
