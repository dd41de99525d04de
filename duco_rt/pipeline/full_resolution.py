"""Raw rows of the store to every sample of some fields, by today's parsing logic. Pure.

Rows are handed over piece by piece, so that hours of them need no more memory than minutes do.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from numpy.typing import NDArray

from duco_rt import body
from duco_rt.errors import BadBody, BadRequest
from duco_rt.model import RawSecond
from duco_rt.pipeline.buckets import Series
from duco_rt.pipeline.decoding.columns import Column, decode_columns
from duco_rt.pipeline.decoding.multi_packet import NOTHING_OPEN
from duco_rt.pipeline.decoding.plan import Plan
from duco_rt.pipeline.decoding.portions import portions
from duco_rt.pipeline.decoding.stored import read_stored
from duco_rt.pipeline.decoding.whole import is_read, put_whole

if TYPE_CHECKING:
    import pyarrow

BEFORE_MS, AFTER_MS = 2_000, 1_000
"""How far from its second's begin a frame's own time may lie and still be found: seconds are read this much wider."""

GROUP_MS = 15_000
"""How long a message of several frames may take: seconds are read from this much earlier on where there are such."""

_NUMBERS_AT_ONCE = 20_000
_NUMBER_MAX = 1e300


class FullReading:
    """One reading of a range; `from_ms` and `to_ms` are both in it.

    `plan` None (a device without parsing) gives no sample of CAN; rows of ready values need none. A field that
    several messages or senders give is one series in order of time. `points`: at most so many of each field, see
    `Series`; without it, at most `samples_max` in all.
    """

    needs_order = False

    def __init__(
        self,
        plan: Plan | None,
        fields: Sequence[str],
        from_ms: int,
        to_ms: int,
        points: int | None = None,
        samples_max: int = 2_000_000,
    ) -> None:
        self.problems: Counter[str] = Counter()
        self._plan = None if plan is None else plan.only(frozenset(fields))
        self._from_ms, self._to_ms = from_ms, to_ms
        self._points, self._samples_max = points, samples_max
        self._series = {name: Series(from_ms * 1000, to_ms * 1000, points) for name in fields}
        self._open = NOTHING_OPEN

    @property
    def rows_from_ms(self) -> int:
        """From which second on rows are needed."""
        return self._from_ms - BEFORE_MS - (GROUP_MS if self._plan is not None and self._plan.has_groups else 0)

    @property
    def rows_to_ms(self) -> int:
        """Up to which second rows are needed."""
        return self._to_ms + AFTER_MS

    def add(self, rows: Sequence[RawSecond]) -> None:
        """Take the next rows, in order of (ts, seq, part), all parts of a second together.

        Raises BadRequest, which says what would fit, as soon as there are more samples than may be.
        """
        if not rows:
            return
        if self._plan is not None:
            can = [row for row in rows if row.kind == "can1"]
            self.problems["unread_body"] += sum(row.kind == "unread" for row in rows)
            found = read_stored(can, partial(is_read, self._plan), self.problems)
            whole, self._open = put_whole(self._plan, found, self._open, self.problems)
            for some in portions(self._plan, whole):
                for block in decode_columns(self._plan, some, self.problems):
                    for name, values in zip(block.fields, block.values, strict=True):
                        if (series := self._series.get(name)) is not None:
                            series.add(block.times_us, values)
        self._add_ready(rows)
        if self._points is None:
            self._check((rows[-1].ts_ms + 1000 - self._from_ms) / 1000)

    def _add_ready(self, rows: Sequence[RawSecond]) -> None:
        """Samples that need no parsing: one a second. Texts are no samples; true is 1 and false 0."""
        found: dict[str, list[tuple[int, float]]] = {}
        for row in rows:
            if row.kind != "json1":
                continue
            try:
                payload = body.decode_json_second(row.body).payload
            except BadBody:
                self.problems["unread_body"] += 1
                continue
            for name in self._series.keys() & payload.keys():
                value = payload[name]
                if isinstance(value, int | float) and abs(value) < _NUMBER_MAX:
                    found.setdefault(name, []).append((row.ts_ms * 1000, float(value)))
        for name, pairs in found.items():
            times, values = zip(*pairs, strict=True)
            self._series[name].add(np.array(times, np.int64), np.array(values, np.float64))

    def _check(self, covered_s: float) -> None:
        count = sum(series.count for series in self._series.values())
        if count > self._samples_max:
            fits_s = int(self._samples_max / count * max(covered_s, 1))
            raise BadRequest(
                f"{count} samples in the first {covered_s:.0f} s, at most {self._samples_max} in an answer: "
                f"ask for {fits_s} s, for fewer fields, or give points"
            )

    def samples(self) -> dict[str, Column]:
        """Every field that was asked for; empty where it has no sample."""
        return {name: series.samples() for name, series in self._series.items()}


def full_table(found: Mapping[str, Column]) -> pyarrow.Table:
    """A row a sample, field by field: field (string), ts (timestamp[us, UTC]), value (float64)."""
    import pyarrow as pa

    names = pa.array([name for name, samples in found.items() for _ in range(len(samples.values))], pa.string())
    times = np.concatenate([np.empty(0, np.int64), *(samples.times_us for samples in found.values())])
    values = np.concatenate([np.empty(0), *(samples.values for samples in found.values())])
    return pa.table({"field": names, "ts": pa.array(times, pa.timestamp("us", "UTC")), "value": values})


def to_json(found: Mapping[str, Column], from_ms: int, to_ms: int) -> bytes:
    """The answer to `history?resolution=full`: `ts` in Unix ms with up to three decimals, `v` the values."""
    return b"".join(_pieces(found, from_ms, to_ms))


def _pieces(found: Mapping[str, Column], from_ms: int, to_ms: int) -> Iterator[bytes]:
    """The answer in pieces: each holds up the other threads, and a large one would for long."""
    yield b'{"from":%d,"to":%d,"fields":{' % (from_ms, to_ms)
    before = b""
    for name, (times_us, values) in found.items():
        yield before + msgspec.json.encode(name) + b':{"ts":['
        yield from _numbers(times_us / 1000)
        yield b'],"v":['
        yield from _numbers(values)
        yield b"]}"
        before = b","
    yield b"}}"


def _numbers(values: NDArray[np.float64]) -> Iterator[bytes]:
    for at in range(0, len(values), _NUMBERS_AT_ONCE):
        yield (b"," if at else b"") + msgspec.json.encode(values[at : at + _NUMBERS_AT_ONCE].tolist())[1:-1]
