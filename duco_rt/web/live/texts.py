"""One field list's messages as JSON text; values go through as they were published. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from duco_rt.web.live.field_lists import STATS, FieldList, matcher
from duco_rt.web.live.samples import UNKNOWN, Sample, Spans

LIVE_DATA = b"LIVE_DATA"

NAMES_MAX = 10_000
"""What is kept by field name is bounded by this: a publisher chooses the names that a pattern matches."""

_NUMBERS = b"-0123456789"
_COUNT_MAX = 2**53
_decode_number: Callable[[bytes], float] = msgspec.json.Decoder(int | float).decode


Span = tuple[bytes | None, bytes | None, bytes]
"""Lowest, highest and number of values of a field, as JSON text; None for those of a value that is no number."""


class Picked(NamedTuple):
    """What a list wants of a sample: name, its text with a colon, value; and the spans, None where not known."""

    sample: Sample
    values: list[tuple[str, bytes, msgspec.Raw]]
    spans: Spans | None


class Picker:
    """Made once for a list, and used for all its viewers."""

    def __init__(self, fields: FieldList) -> None:
        self.fields = fields
        self._named = [(name, _key(name)) for name in fields.names]
        self._matched_by = matcher(fields.patterns).matched if fields.patterns else None
        self._names = frozenset(fields.names)
        self._memo: dict[str, bytes | None] = {}
        self._stats = [(at, b'"%s":' % name.encode()) for at, name in enumerate(STATS) if name in fields.stats]

    def pick(self, sample: Sample) -> Picked:
        """The values that a list wants; null counts as absent."""
        payload = sample.payload
        wanted = self._named if self._matched_by is None else [*self._named, *self._matched(payload, self._matched_by)]
        get = payload.get
        values = [(name, key, value) for name, key in wanted if (value := get(name, UNKNOWN)) != UNKNOWN]
        return Picked(sample, values, sample.spans() if self._stats else None)

    def _matched(self, payload: Mapping[str, msgspec.Raw], matched: Callable[[str], int]) -> list[tuple[str, bytes]]:
        memo = self._memo
        new = payload.keys() - memo.keys()
        if new and len(memo) + len(new) > NAMES_MAX:
            memo.clear()
            new = set(payload)
        for name in new:
            memo[name] = _key(name) if name not in self._names and matched(name) else None
        return [(name, key) for name in payload if (key := memo.get(name)) is not None]

    def text(self, sample: Sample, kind: bytes = LIVE_DATA, changed_from: Mapping[str, bytes] | None = None) -> bytes:
        """A sample's message of type `kind`; with `changed_from` only the values whose text differs from it."""
        _, values, spans = self.pick(sample)
        if changed_from is not None:
            values = [(name, key, value) for name, key, value in values if bytes(value) != changed_from.get(name)]
        text = b'{"type":"%s","payload":{' % kind + b",".join([key + value for _, key, value in values]) + b"}"
        if self._stats:
            found = {} if spans is None else spans
            shown = [(key, found.get(name) or _single(value)) for name, key, value in values]
            text += self._stats_text(shown if spans is not None else [])
        return text + _tail(sample) + b"}"

    def merged(self, samples: Sequence[Sample], count: int | None = None) -> bytes:
        """One LIVE_DATA for several samples, oldest first, one at least: the newest value of each field.

        `count`: for how many it stands where these are more than the samples; their stats are not known then.
        """
        merge = Merge()
        if self._stats and (count is None or count <= len(samples)):
            for sample in samples:
                merge.add(self.pick(sample))
            return self.merge_text(merge)
        merge.add(self.pick(samples[-1]))
        self._look_back(merge, samples[:-1])
        merge.samples = max(len(samples), count or 0)
        if merge.samples > 1:
            merge.spans = None
        return self.merge_text(merge)

    def _look_back(self, merge: Merge, samples: Sequence[Sample]) -> None:
        """Add what only earlier samples have; looks at a name no longer than until it is found."""
        seen = set(merge.values)
        for sample in reversed(samples):
            names = sample.payload.keys() if self._matched_by else self._names
            if not (fresh := names - seen) and not self._matched_by:
                return
            payload = {name: value for name in sorted(fresh) if (value := sample.payload.get(name, UNKNOWN)) != UNKNOWN}
            if payload:
                seen |= payload.keys()
                merge.add_older(self.pick(sample._replace(payload=payload)))

    def merge_text(self, merge: Merge, changed_from: Mapping[str, bytes] | None = None) -> bytes:
        """LIVE_DATA for a merge of one sample at least; of one it is the text of that sample."""
        newest = merge.newest
        shown = merge.values
        if changed_from is not None:
            shown = {name: each for name, each in shown.items() if each.text != changed_from.get(name)}
        text = b'{"type":"LIVE_DATA","payload":{' + b",".join([each.key + each.text for each in shown.values()]) + b"}"
        if self._stats:
            spans = merge.spans or {}
            text += self._stats_text([(each.key, spans[name]) for name, each in shown.items() if name in spans])
        text += _tail(newest)
        if merge.samples > 1:
            text += b',"merged":%d' % merge.samples
            earlier = [b"%s%d" % (each.key, each.ts_ms) for each in shown.values() if each.ts_ms != newest.ts_ms]
            text += b',"ts_of":{' + b",".join(earlier) + b"}" if earlier else b""
        return text + b"}"

    def _stats_text(self, spans: Sequence[tuple[bytes, Span]]) -> bytes:
        """Of each field what the list asks for; of a value that is no number only the count."""
        texts = [
            key + b"{" + b",".join([name + text for at, name in self._stats if (text := span[at]) is not None]) + b"}"
            for key, span in spans
        ]
        return b',"stats":{' + b",".join(texts) + b"}"


class Value(NamedTuple):
    """The name's text with a colon, the value's text, and the time of its sample in ms."""

    key: bytes
    text: bytes
    ts_ms: int


class Merge:
    """Samples on their way to become one message: bounded, however many they are.

    Over 10,000 names it keeps those of the newest sample.
    """

    def __init__(self) -> None:
        self.samples = 0
        self.values: dict[str, Value] = {}
        self.spans: dict[str, Span] | None = {}
        """None where one sample's are not known."""
        self._newest: Sample | None = None

    @property
    def newest(self) -> Sample:
        """The newest sample; there must be one."""
        assert self._newest is not None
        return self._newest

    def add(self, picked: Picked) -> None:
        """A newer sample."""
        self._newest = picked.sample._replace(payload={})
        self.samples += 1
        if len(self.values) > NAMES_MAX:
            self.values.clear()
        ts_ms = picked.sample.ts_ms
        self.values |= {name: Value(key, bytes(value), ts_ms) for name, key, value in picked.values}
        self._add_spans(picked)

    def add_older(self, picked: Picked) -> None:
        """What a sample has that is older than all before it: only names that are not there yet."""
        ts_ms = picked.sample.ts_ms
        self.values |= {name: Value(key, bytes(value), ts_ms) for name, key, value in picked.values}

    def _add_spans(self, picked: Picked) -> None:
        if picked.spans is None or self.spans is None:
            self.spans = None
            return
        if len(self.spans) > NAMES_MAX:
            self.spans.clear()
        found, held = picked.spans.get, self.spans
        for name, _, value in picked.values:
            span: Span | None = found(name) or _single(value)
            if span and name in held:
                span = _joined(held[name], span)
            if span is None:
                self.spans = None
                return
            held[name] = span


def _key(name: str) -> bytes:
    return msgspec.json.encode(name) + b":"


def _tail(sample: Sample) -> bytes:
    return b',"ts":%d' % sample.ts_ms + (b"" if sample.seq is None else b',"seq":%d' % sample.seq)


def _single(value: bytes) -> Span:
    """Of a field that had one value."""
    is_number = bytes(value)[0] in _NUMBERS
    return (value, value, b"1") if is_number else (None, None, b"1")


def _joined(one: Span, other: Span) -> Span | None:
    """Of both together; what is no number gives way. None where one does not say how many values it had."""
    low, high, count = one
    other_low, other_high, other_count = other
    if (found := _number(other_low)) is not None and ((held := _number(low)) is None or found < held):
        low = other_low
    if (found := _number(other_high)) is not None and ((held := _number(high)) is None or found > held):
        high = other_high
    counts = _count(count), _count(other_count)
    return (low, high, b"%d" % sum(counts)) if all(counts) else None


def _count(text: bytes) -> int:
    """How many values; 0 for what is no such number."""
    found: object = _number(text)
    return found if isinstance(found, int) and 1 <= found <= _COUNT_MAX else 0


def _number(text: bytes | None) -> float | None:
    """Integers stay exact, so that neighbours stay apart."""
    try:
        return None if text is None else _decode_number(text)
    except ValueError:
        return None  # another publisher's idea of stats
