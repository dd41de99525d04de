"""Raw rows of the store to every sample of some fields, by today's parsing logic. Pure.

Rows are handed over piece by piece, so that hours of them need no more memory than minutes do.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from numpy.typing import NDArray

from duco_rt import body
from duco_rt.errors import BadBody, BadRequest
from duco_rt.model import RawSecond
from duco_rt.parts import join
from duco_rt.pipeline.buckets import Samples, Series
from duco_rt.pipeline.decoding.columns import decode_columns
from duco_rt.pipeline.decoding.multi_packet import NOTHING_OPEN
from duco_rt.pipeline.decoding.plan import FAST, FRAME, TRANSPORT, Plan
from duco_rt.pipeline.decoding.whole import whole_rows

if TYPE_CHECKING:
    import pyarrow

BEFORE_MS, AFTER_MS = 2_000, 1_000
"""How far from its second's begin a frame's own time may lie and still be found: seconds are read this much wider."""

GROUP_MS = 15_000
"""How long a message of several frames may take: seconds are read from this much earlier on where there are such."""

_NUMBERS_AT_ONCE = 20_000
_NUMBER_MAX = 1e300
_LOOKED_AT = frozenset({FRAME, TRANSPORT, FAST})


_STREAM = np.dtype([("id", "<u4"), ("channel", "u1"), ("flags", "u1"), ("length", "u1"), ("count", "<u4")])
_KNOWN_MAX = 65_536

Unpack = Callable[[RawSecond], body.CanSecond]
"""The second, or part of one, of a stored row. Raises BadBody."""


def unpack_row(row: RawSecond) -> body.CanSecond:
    """All of it."""
    return body.unpack_columns(body.columns_of(row), row.ts_ms, row.seq, row.part, row.part + 1)


def can_seconds(
    rows: Iterable[RawSecond], problems: Counter[str], unpack: Unpack = unpack_row
) -> Iterator[body.CanSecond]:
    """The CAN seconds of rows in order of (ts, seq, part), parts put together as far as they are there.

    `problems` counts `unread_body`: rows that nobody could read when they came, or whose columns do not fit.
    """
    for _, same in groupby(rows, lambda row: (row.ts_ms, row.seq)):
        parts = []
        for row in same:
            if row.kind == "json1":
                continue
            try:
                if row.kind != "can1":
                    raise BadBody("nobody could read it when it came")
                parts.append(unpack(row))
            except BadBody:
                problems["unread_body"] += 1
        if parts:
            yield join(parts)


class Needed:
    """Takes of stored seconds the streams alone that a plan looks at: of a full bus a few of many. No `order`."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._known: dict[tuple[bytes, int, int, int], bool] = {}

    def unpack(self, row: RawSecond) -> body.CanSecond:
        """What is needed of a row. Raises BadBody where its columns do not fit each other."""
        try:
            channels, at = [], 1
            for _ in range(row.streams[0]):
                channels.append(row.streams[at + 1 : at + 1 + row.streams[at]].decode())
                at += 1 + row.streams[at]
            table = np.frombuffer(row.streams[at:], _STREAM).tolist()
            times_us = np.frombuffer(row.times, "<i4")
            return self._cut(row, channels, row.streams[:at], table, times_us)
        except (ValueError, IndexError) as e:
            raise BadBody(f"CAN second seq {row.seq}: columns cannot be read: {e}") from e

    def _cut(
        self,
        row: RawSecond,
        channels: Sequence[str],
        names: bytes,
        table: Sequence[tuple[int, int, int, int, int]],
        times_us: NDArray[np.int32],
    ) -> body.CanSecond:
        """The streams of `table` (id, channel, flags, length, count) that are needed. Raises ValueError."""
        known, streams, times, data = self._known, [], [], []
        frame = byte = 0
        for can_id, channel, flags, length, count in table:
            if not count:
                raise ValueError(f"stream {can_id:X} has no frame")
            frame_end, byte_end = frame + count, byte + count * length
            needed = known.get((names, can_id, channel, flags))
            if needed is not False:
                extended = bool(can_id & body.EXTENDED)
                stream = body.Stream(channels[channel], can_id & 0x1FFF_FFFF, extended, flags, length, count)
                if needed is None:
                    if len(known) >= _KNOWN_MAX:
                        known.clear()
                    needed = known[names, can_id, channel, flags] = self._plan.match(stream).kind in _LOOKED_AT
                if needed:
                    streams.append(stream)
                    times.append(times_us[frame:frame_end])
                    data.append(row.data[byte:byte_end])
            frame, byte = frame_end, byte_end
        if (frame, byte) != (len(times_us), len(row.data)):
            raise ValueError(f"{len(times_us)} times and {len(row.data)} bytes for {frame} frames of {byte} bytes")
        kept_us = np.concatenate([times_us[:0], *times])
        nothing = np.empty(0, np.uint8)
        return body.CanSecond(
            row.ts_ms, row.seq, row.part, row.part + 1, tuple(streams), nothing, kept_us, b"".join(data)
        )


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
        self._needed = None if self._plan is None else Needed(self._plan)
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
        if self._plan is not None and self._needed is not None:
            seconds = list(can_seconds(rows, self.problems, self._needed.unpack))
            whole, self._open = whole_rows(self._plan, seconds, self._open, self.problems)
            for block in decode_columns(self._plan, whole, self.problems):
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

    def samples(self) -> dict[str, Samples]:
        """Every field that was asked for; empty where it has no sample."""
        return {name: series.samples() for name, series in self._series.items()}


def full_table(found: Mapping[str, Samples]) -> pyarrow.Table:
    """A row a sample, field by field: field (string), ts (timestamp[us, UTC]), value (float64)."""
    import pyarrow as pa

    names = pa.array([name for name, samples in found.items() for _ in range(len(samples.values))], pa.string())
    times = np.concatenate([np.empty(0, np.int64), *(samples.times_us for samples in found.values())])
    values = np.concatenate([np.empty(0), *(samples.values for samples in found.values())])
    return pa.table({"field": names, "ts": pa.array(times, pa.timestamp("us", "UTC")), "value": values})


def to_json(found: Mapping[str, Samples], from_ms: int, to_ms: int) -> bytes:
    """The answer to `history?resolution=full`: `ts` in Unix ms with up to three decimals, `v` the values."""
    fields = b",".join(
        msgspec.json.encode(name) + b':{"ts":' + _numbers(times_us / 1000) + b',"v":' + _numbers(values) + b"}"
        for name, (times_us, values) in found.items()
    )
    return b'{"from":%d,"to":%d,"fields":{%s}}' % (from_ms, to_ms, fields)


def _numbers(values: NDArray[np.float64]) -> bytes:
    """A JSON list, made in pieces: each holds up the other threads, and for a large one that would be long."""
    pieces = (
        msgspec.json.encode(values[at : at + _NUMBERS_AT_ONCE].tolist())[1:-1]
        for at in range(0, len(values), _NUMBERS_AT_ONCE)
    )
    return b"[" + b",".join(pieces) + b"]"
