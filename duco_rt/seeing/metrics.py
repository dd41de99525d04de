"""Counters, gauges, histograms and high-water marks, and their Prometheus text. A registry is passed in: nothing is
global. What there is to be known is in `metrics_known`."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import accumulate
from typing import NamedTuple

from duco_rt.seeing.metrics_known import DELAY_BOUNDS_S, KNOWN, Known, shown

Labels = tuple[tuple[str, str], ...]
_Key = tuple[str, Labels]

_FAILING = "transport_failing"
_STATUSES = frozenset((200, 202, 400, 401, 403, 404, 408, 409, 429, 500, 501, 503, 504))

HIGH_S = 60.0
"""A high-water mark is that of this long at least, and of twice as long at most: whoever scrapes as often sees all."""


class Histogram:
    """How long things took, in buckets of `DELAY_BOUNDS_S`. Held by who observes: that costs 0.2 µs."""

    __slots__ = ("counts", "sum")

    def __init__(self) -> None:
        self.counts = [0] * (len(DELAY_BOUNDS_S) + 1)
        self.sum = 0.0

    def observe(self, seconds: float, times: int = 1) -> None:
        """One more, or several of the same; what is below 0 counts as 0."""
        if seconds < 0.0:
            seconds = 0.0
        self.counts[bisect_left(DELAY_BOUNDS_S, seconds)] += times
        self.sum += seconds * times


class High:
    """The highest that was seen lately. Held by who fills a queue, if it can be full for less than a second."""

    __slots__ = ("_before", "_now")

    def __init__(self) -> None:
        self._now = self._before = 0.0

    def see(self, value: float) -> None:
        """It is so high now."""
        if value > self._now:
            self._now = value

    def turn(self) -> None:
        """The next period begins."""
        self._before, self._now = self._now, 0.0

    @property
    def value(self) -> float:
        """The highest of this period and the one before."""
        return max(self._before, self._now)


class _Depth(NamedTuple):
    read: Callable[[], float]
    high: High


class Metrics:
    """By name and labels, as `known` declares them; one that it does not is shown all the same, without help."""

    def __init__(self, known: Mapping[str, Known] = KNOWN) -> None:
        self._known = known
        self._counters: dict[_Key, float] = {
            (each.name, tuple(sorted(labels.items()))): 0
            for each in known.values()
            if each.kind == "counter"
            for labels in each.series
        }
        self._gauges: dict[_Key, list[Callable[[], float]]] = {}
        self._histograms: dict[_Key, Histogram] = {
            (each.name, tuple(sorted(labels.items()))): Histogram()
            for each in known.values()
            if each.kind == "histogram"
            for labels in each.series
        }
        self._depths: dict[_Key, _Depth] = {}
        self._turned_s: float | None = None
        self.failing: Counter[str] = Counter()
        """By transport, how many works are being tried again now."""

    def count(self, name: str, by: float = 1, **labels: str) -> None:
        """Add to a counter; `name` ends in _total."""
        key = name, tuple(sorted(labels.items()))
        self._counters[key] = self._counters.get(key, 0) + by

    def gauge(self, name: str, read: Callable[[], float], *, each: bool = False, **labels: str) -> None:
        """Register a gauge, in the place of one before; with `each` it is the sum of all that were registered."""
        self._register((name, tuple(sorted(labels.items()))), read, each)

    def _register(self, key: _Key, read: Callable[[], float], each: bool = False) -> None:
        self._counters.pop(key, None)  # one that somebody else counts, and is read here
        self._gauges[key] = [*self._gauges.get(key, ()), read] if each else [read]

    def set(self, name: str, value: float, **labels: str) -> None:
        """Set a gauge that is not read but told."""
        self._register((name, tuple(sorted(labels.items()))), lambda: value)

    def depth(self, name: str, read: Callable[[], float], *, each: bool = False, **labels: str) -> High:
        """Register a queue's depth, and `{name}_high`: the highest of what `see` is told and of looks by `tick`."""
        key = name, tuple(sorted(labels.items()))
        self._register(key, read, each)
        high = self._depths[key].high if each and key in self._depths else High()
        depth = self._depths[key] = _Depth(lambda: sum(one() for one in self._gauges[key]), high)
        self._register((f"{name}_high", key[1]), lambda: max(high.value, depth.read()))
        return high

    def high(self, name: str, **labels: str) -> High:
        """Register a high-water mark of something that is no queue."""
        key, high = (name, tuple(sorted(labels.items()))), High()
        self._depths[key] = _Depth(lambda: 0.0, high)
        self._register(key, lambda: high.value)
        return high

    def histogram(self, name: str, **labels: str) -> Histogram:
        """The histogram of that name and labels."""
        return self._histograms.setdefault((name, tuple(sorted(labels.items()))), Histogram())

    def tick(self, now_s: float) -> None:
        """Look at all depths; time (steady, s) is passed in."""
        if self._turned_s is None:
            self._turned_s = now_s
        is_turn = now_s - self._turned_s >= HIGH_S
        for depth in self._depths.values():
            if is_turn:
                depth.high.turn()
            with suppress(Exception):  # a scrape counts it
                depth.high.see(depth.read())
        if is_turn:
            self._turned_s = now_s

    def value(self, name: str, **labels: str) -> float:
        """A counter's value, 0 where it never counted; a gauge's reading; how often a histogram was observed."""
        key = name, tuple(sorted(labels.items()))
        if (gauge := self._gauges.get(key)) is not None:
            return sum(read() for read in gauge)
        if (histogram := self._histograms.get(key)) is not None:
            return sum(histogram.counts)
        return self._counters.get(key, 0)

    def total(self, name: str) -> float:
        """A counter's value over all labels."""
        return sum(value for (held, _), value in self._counters.items() if held == name)

    def text(self) -> str:
        """All of them in the Prometheus text format."""
        rows: dict[str, list[tuple[Labels, float | Histogram]]] = {}
        for (name, labels), value in self._readings():
            rows.setdefault(name, []).append((labels, value))
        return "".join(line for name in sorted(rows) for line in self._family(name, rows[name]))

    def _readings(self) -> Iterator[tuple[_Key, float | Histogram]]:
        gauges: list[tuple[_Key, float]] = [((_FAILING, (("what", what),)), works) for what, works in self._failing()]
        for key, read in self._gauges.items():
            try:
                gauges.append((key, sum(each() for each in read)))
            except Exception:  # one that fails hides no other
                self.count("gauges_failed_total")
        yield from self._counters.items()
        yield from gauges
        yield from self._histograms.items()

    def _failing(self) -> Iterable[tuple[str, int]]:
        known = self._known.get(_FAILING)
        return (dict.fromkeys(known.labels["what"] if known else (), 0) | self.failing).items()

    def _family(self, name: str, rows: list[tuple[Labels, float | Histogram]]) -> Iterator[str]:
        known, full = self._known.get(name), shown(name)
        if known is not None:
            yield f"# HELP {full} {known.help}\n"
        kind = known.kind if known else "counter" if name.endswith("_total") else "gauge"
        yield f"# TYPE {full} {'histogram' if isinstance(rows[0][1], Histogram) else kind}\n"
        for labels, value in sorted(rows, key=lambda row: row[0]):
            inner = ",".join(f'{key}="{_escape(text)}"' for key, text in labels)
            if isinstance(value, Histogram):
                yield from _buckets(full, inner, value)
            else:
                yield f"{full}{{{inner}}} {_number(value)}\n" if inner else f"{full} {_number(value)}\n"


def status_label(status: int) -> str:
    """A status as a label: what a machine answers is its own idea, and labels have few values."""
    return str(status) if status in _STATUSES else "other"


def _buckets(name: str, labels: str, histogram: Histogram) -> Iterator[str]:
    before = f"{labels}," if labels else ""
    counts = list(accumulate(histogram.counts))
    for bound, count in zip((*DELAY_BOUNDS_S, "+Inf"), counts, strict=True):
        yield f'{name}_bucket{{{before}le="{bound}"}} {count}\n'
    after = f"{{{labels}}}" if labels else ""
    yield f"{name}_sum{after} {_number(histogram.sum)}\n{name}_count{after} {counts[-1]}\n"


def _number(value: float) -> str:
    return f"{value:.15g}"  # whole up to 10**15: a counter's small steps must show


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
