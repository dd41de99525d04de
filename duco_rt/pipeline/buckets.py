"""Samples of one field in a range of time: all of them, or the lowest and highest of each bucket. Pure."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from duco_rt.pipeline.decoding.columns import Column

Times = NDArray[np.int64]
Values = NDArray[np.float64]


class Series:
    """Takes samples in pieces and keeps those of `from_us` to `to_us` (both included) that are numbers.

    With `points`, and more samples than that, the range is cut into points // 2 buckets of equal width; each gives
    its lowest (of equal ones the first) and its highest sample (of equal ones the last) at their own times. So it
    gives `points` at most, holds no more meanwhile, and neither the pieces nor their order change what it gives.
    """

    def __init__(self, from_us: int, to_us: int, points: int | None = None) -> None:
        self.count = 0
        self._from_us, self._to_us, self._points = from_us, to_us, points
        self._pieces: list[Column] = []
        self._extremes: _Extremes | None = None

    def add(self, times_us: Times, values: Values) -> None:
        """Take a piece: both (n,). NaN and infinity are no samples."""
        kept = np.isfinite(values) & (times_us >= self._from_us) & (times_us <= self._to_us)
        if not kept.all():
            times_us, values = times_us[kept], values[kept]
        if not len(times_us):
            return
        self.count += len(times_us)
        if self._extremes is not None:
            self._extremes.add(*_in_order(times_us, values))
            return
        self._pieces.append(Column(times_us, values))
        if self._points is not None and self.count > self._points:
            self._extremes = _Extremes(self._from_us, self._to_us, max(1, self._points // 2))
            for piece in self._pieces:
                self._extremes.add(*_in_order(*piece))
            self._pieces.clear()

    def samples(self) -> Column:
        """What there is by now; samples of the same time in the order in which they came."""
        if self._extremes is not None:
            return self._extremes.samples()
        if not self._pieces:
            return Column(np.empty(0, np.int64), np.empty(0))
        return _in_order(
            np.concatenate([piece.times_us for piece in self._pieces]),
            np.concatenate([piece.values for piece in self._pieces]),
        )


def _in_order(times_us: Times, values: Values) -> Column:
    if (times_us[1:] >= times_us[:-1]).all():
        return Column(times_us, values)
    order = np.argsort(times_us, kind="stable")
    return Column(times_us[order], values[order])


class _Extremes:
    """The lowest and highest sample of each bucket so far; a bucket without samples has infinite ones."""

    def __init__(self, from_us: int, to_us: int, count: int) -> None:
        self._from_us = from_us
        self._width_us = -(-(to_us - from_us + 1) // count)
        self._low, self._low_us = np.full(count, np.inf), np.zeros(count, np.int64)
        self._high, self._high_us = np.full(count, -np.inf), np.zeros(count, np.int64)

    def add(self, times_us: Times, values: Values) -> None:
        """Take samples, one at least, in order of time."""
        bucket = (times_us - self._from_us) // self._width_us
        starts = np.flatnonzero(np.diff(bucket, prepend=-1))
        which = bucket[starts]

        low = np.minimum.reduceat(values, starts)
        low_us = times_us[_first_of_each(values, low, starts)]
        there, there_us = self._low[which], self._low_us[which]
        wins = (low < there) | ((low == there) & (low_us < there_us))
        self._low[which[wins]], self._low_us[which[wins]] = low[wins], low_us[wins]

        high = np.maximum.reduceat(values, starts)
        high_us = times_us[_last_of_each(values, high, starts)]
        there, there_us = self._high[which], self._high_us[which]
        wins = (high > there) | ((high == there) & (high_us > there_us))
        self._high[which[wins]], self._high_us[which[wins]] = high[wins], high_us[wins]

    def samples(self) -> Column:
        """Both samples of each bucket in order of time, one where they are the same."""
        has = np.flatnonzero(np.isfinite(self._low))
        times_us = np.stack([self._low_us[has], self._high_us[has]], axis=1)
        values = np.stack([self._low[has], self._high[has]], axis=1)
        same = (times_us[:, 0] == times_us[:, 1]) & (values[:, 0] == values[:, 1])
        swapped = times_us[:, 0] > times_us[:, 1]
        times_us[swapped], values[swapped] = times_us[swapped, ::-1], values[swapped, ::-1]
        kept = np.stack([np.ones(len(has), bool), ~same], axis=1)
        return Column(times_us[kept], values[kept])


def _first_of_each(values: Values, wanted: Values, starts: NDArray[np.intp]) -> NDArray[np.intp]:
    """Where each bucket's wanted value stands first. Each has it."""
    at, owner = _places(values, wanted, starts)
    return at[np.flatnonzero(np.diff(owner, prepend=-1))]


def _last_of_each(values: Values, wanted: Values, starts: NDArray[np.intp]) -> NDArray[np.intp]:
    """Where each bucket's wanted value stands last. Each has it."""
    at, owner = _places(values, wanted, starts)
    return at[np.flatnonzero(np.diff(owner, append=len(starts)))]


def _places(values: Values, wanted: Values, starts: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Every place of each bucket's wanted value, and which bucket's it is."""
    sizes = np.diff(starts, append=len(values))
    at = np.flatnonzero(values == np.repeat(wanted, sizes))
    return at, np.searchsorted(starts, at, "right") - 1
