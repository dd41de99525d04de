"""Counters and gauges, and their Prometheus text. A registry is passed in: nothing is global."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

Labels = tuple[tuple[str, str], ...]


class Metrics:
    """Counters by name and labels, and gauges that are read when asked."""

    def __init__(self) -> None:
        self._counters: dict[tuple[str, Labels], float] = {}
        self.failing: Counter[str] = Counter()
        """By transport, how many works are being tried again now."""
        self._gauges: dict[tuple[str, Labels], Callable[[], float]] = {}

    def count(self, name: str, by: float = 1, **labels: str) -> None:
        """Add to a counter; `name` ends in _total."""
        key = name, tuple(sorted(labels.items()))
        self._counters[key] = self._counters.get(key, 0) + by

    def gauge(self, name: str, read: Callable[[], float], **labels: str) -> None:
        """Register a gauge."""
        self._gauges[name, tuple(sorted(labels.items()))] = read

    def value(self, name: str, **labels: str) -> float:
        """A counter's value, 0 where it never counted; a gauge's reading."""
        key = name, tuple(sorted(labels.items()))
        gauge = self._gauges.get(key)
        return gauge() if gauge else self._counters.get(key, 0)

    def text(self) -> str:
        """All of them in the Prometheus text format."""
        rows = [(name, labels, "counter", value) for (name, labels), value in self._counters.items()]
        rows += [("transport_failing", (("what", what),), "gauge", n) for what, n in self.failing.items()]
        rows += [(name, labels, "gauge", read()) for (name, labels), read in self._gauges.items()]
        return "".join(_lines(sorted(rows, key=lambda row: row[:2])))


def _lines(rows: Iterable[tuple[str, Labels, str, float]]) -> Iterable[str]:
    previous = ""
    for name, labels, kind, value in rows:
        if name != previous:
            yield f"# TYPE duco_{name} {kind}\n"
            previous = name
        inner = ",".join(f'{key}="{_escape(text)}"' for key, text in labels)
        number = f"{value:.15g}"  # whole up to 10**15: a counter's small steps must show
        yield f"duco_{name}{{{inner}}} {number}\n" if inner else f"duco_{name} {number}\n"


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
