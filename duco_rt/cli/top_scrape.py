"""Prometheus text, read: values, rates between two scrapes, quantiles of histograms. Pure; it is given the time."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

Labels = tuple[tuple[str, str], ...]

_LINE = re.compile(r"([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)(?: -?\d+)?\Z")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_ESCAPED = re.compile(r"\\(.)")


class Scrape(NamedTuple):
    """What a process said at a time (steady, s): name → labels → value."""

    at_s: float
    families: Mapping[str, Mapping[Labels, float]]

    def series(self, name: str, **labels: str) -> Iterator[tuple[dict[str, str], float]]:
        """Those of a name that have the labels."""
        wanted = labels.items()
        for key, value in self.families.get(name, {}).items():
            held = dict(key)
            if wanted <= held.items():
                yield held, value

    def total(self, name: str, **labels: str) -> float | None:
        """Their sum; None where there is none."""
        found = [value for _, value in self.series(name, **labels)]
        return sum(found) if found else None

    def highest(self, name: str, **labels: str) -> float | None:
        """The highest of them; None where there is none."""
        return max((value for _, value in self.series(name, **labels)), default=None)


def read_scrape(text: str, at_s: float) -> Scrape:
    """Read the text format; lines that are none of it are left out."""
    families: dict[str, dict[Labels, float]] = {}
    for line in text.split("\n"):
        found = None if line.startswith("#") else _LINE.match(line)
        if found is None:
            continue
        try:
            value = float(found[3])
        except ValueError:
            continue
        labels = tuple((key, _unescape(raw)) for key, raw in _LABEL.findall(found[2] or ""))
        families.setdefault(found[1], {})[labels] = value
    return Scrape(at_s, families)


def _unescape(text: str) -> str:
    return _ESCAPED.sub(lambda found: "\n" if found[1] == "n" else found[1], text)


class Change(NamedTuple):
    """Between two scrapes of one process."""

    before: Scrape
    after: Scrape

    @property
    def seconds(self) -> float:
        """How long it was between them."""
        return self.after.at_s - self.before.at_s

    def increase(self, name: str, **labels: str) -> float | None:
        """How much a counter grew; from 0 where the process was started again. None where there is none."""
        found = list(self.after.series(name, **labels))
        if not found:
            return None
        earlier = {tuple(held.items()): value for held, value in self.before.series(name, **labels)}
        return sum(_grown(earlier.get(tuple(held.items()), 0.0), value) for held, value in found)

    def rate(self, name: str, **labels: str) -> float | None:
        """The same a second."""
        grown = self.increase(name, **labels)
        return None if grown is None or self.seconds <= 0 else grown / self.seconds

    def quantile(self, share: float, name: str, **labels: str) -> float | None:
        """Of a histogram's observations in between, as Prometheus estimates it; inf where it is above the last bound.

        None where there are none.
        """
        counts: dict[float, float] = {}
        earlier = {tuple(held.items()): value for held, value in self.before.series(f"{name}_bucket", **labels)}
        for held, value in self.after.series(f"{name}_bucket", **labels):
            bound = float(held["le"])
            counts[bound] = counts.get(bound, 0.0) + _grown(earlier.get(tuple(held.items()), 0.0), value)
        bounds = sorted(counts)
        if not bounds or not counts[bounds[-1]]:
            return None
        return _interpolated([(bound, counts[bound]) for bound in bounds], share * counts[bounds[-1]])


def _grown(before: float, after: float) -> float:
    return after - before if after >= before else after


def _interpolated(buckets: list[tuple[float, float]], rank: float) -> float:
    lower, below = 0.0, 0.0
    for bound, count in buckets:
        if count >= rank and count > below:
            return bound if math.isinf(bound) else lower + (bound - lower) * (rank - below) / (count - below)
        lower, below = bound, count
    return lower
