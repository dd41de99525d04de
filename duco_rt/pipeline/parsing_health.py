"""How well a parsing fits what a machine sends: unknown ids, wrong lengths, values out of range. Pure.

Computed from raw rows with today's logic, so it tells the same whichever process parses.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

import numpy as np

from duco_rt.body import ERROR, REMOTE, CanSecond, StreamKey
from duco_rt.model import RawSecond
from duco_rt.pipeline.decoding import j1939
from duco_rt.pipeline.decoding.columns import Block, decode_columns
from duco_rt.pipeline.decoding.multi_packet import NOTHING_OPEN
from duco_rt.pipeline.decoding.plan import FAST, TRANSPORT, Plan
from duco_rt.pipeline.decoding.portions import portions
from duco_rt.pipeline.decoding.rows import rows_of
from duco_rt.pipeline.decoding.whole import whole_rows
from duco_rt.pipeline.full_resolution import GROUP_MS
from duco_rt.pipeline.raw_seconds import can_seconds

_STREAMS_MAX = 50_000
_LISTED_MAX, _NAMES_MAX = 200, 500
_ROUNDING = 1e-9
_PIECES = frozenset({TRANSPORT, FAST})


class _Length(NamedTuple):
    """Frames of one id that are shorter or longer than their message."""

    message: str
    channel: str
    can_id: int
    extended: bool
    length: int
    needed: int


@dataclass(slots=True)
class _Unknown:
    """Frames of an id that the parsing does not describe."""

    count: int
    lengths: set[int]


@dataclass(slots=True)
class _Range:
    """What a field's frames held: how many there were, with a value, with one out of its range."""

    low: float
    high: float
    frames: int = 0
    with_value: int = 0
    outside: int = 0
    lowest: float = np.inf
    highest: float = -np.inf


class HealthReading:
    """One look at the seconds from `from_ms` to `to_ms`, both in it. `plan` None: every frame is unknown."""

    needs_order = True

    def __init__(self, plan: Plan | None, from_ms: int, to_ms: int) -> None:
        self._plan = plan
        self._from_ms, self._to_ms = from_ms, to_ms
        self._open = NOTHING_OPEN
        self._seconds: set[int] = set()
        self._counts: Counter[str] = Counter()
        self._multi_packet: Counter[str] = Counter()
        self._problems: Counter[str] = Counter()
        self._streams: Counter[StreamKey] = Counter()
        fields = () if plan is None else plan.fields
        self._ranges = {field.name: _Range(*_limits(field.min, field.max)) for field in fields}

    @property
    def rows_from_ms(self) -> int:
        """From which second on rows are needed: a message of several frames may have begun before."""
        return self._from_ms - (GROUP_MS if self._plan is not None and self._plan.has_groups else 0)

    @property
    def rows_to_ms(self) -> int:
        """Up to which second rows are needed."""
        return self._to_ms

    def add(self, rows: Sequence[RawSecond]) -> None:
        """Take the next rows, in order of (ts, seq, part), all parts of a second together."""
        early = [row for row in rows if row.ts_ms < self._from_ms]
        if early and self._plan is not None:
            _, self._open = whole_rows(self._plan, [s for s, _ in can_seconds(early, Counter())], self._open, Counter())
        rows = rows[len(early) :]
        self._seconds.update(row.ts_ms for row in rows if row.kind != "unread")
        seconds = [second for second, _ in can_seconds(rows, self._problems)]
        if seconds:
            self._add_seconds(seconds)

    def _add_seconds(self, seconds: Sequence[CanSecond]) -> None:
        self._counts["frames"] += sum(second.frames for second in seconds)
        if self._plan is None:
            whole = rows_of(seconds)
        else:
            for second in seconds:
                pieces = (s.count for s in second.streams if s.length <= 8 and self._plan.match(s).kind in _PIECES)
                self._counts["pieces"] += sum(pieces)
            whole, self._open = whole_rows(self._plan, seconds, self._open, self._multi_packet)
            for some in portions(self._plan, whole):
                for block in decode_columns(self._plan, some, Counter()):
                    self._add_values(block)
        for each in whole:
            key = each.stream[:5]
            if key in self._streams or len(self._streams) < _STREAMS_MAX:
                self._streams[key] += each.stream.count

    def _add_values(self, block: Block) -> None:
        """Ranges of a block's fields; float64 (s, n), a row a field."""
        if not len(block.times_us):
            return
        ranges = [self._ranges[name] for name in block.fields]
        values = np.where(np.isfinite(block.values), block.values, np.nan)
        low = np.array([[each.low] for each in ranges])
        high = np.array([[each.high] for each in ranges])
        columns = (
            np.count_nonzero(~np.isnan(values), axis=1).tolist(),
            np.count_nonzero((values < low) | (values > high), axis=1).tolist(),
            np.fmin.reduce(values, axis=1).tolist(),
            np.fmax.reduce(values, axis=1).tolist(),
        )
        for each, with_value, outside, lowest, highest in zip(ranges, *columns, strict=True):
            each.frames += values.shape[1]
            each.with_value += with_value
            each.outside += outside
            if with_value:
                each.lowest, each.highest = min(each.lowest, lowest), max(each.highest, highest)

    def report(self) -> dict[str, object]:
        """What was seen, ready for JSON; docs/formats.md says what is in it."""
        unknown: dict[tuple[str, int, bool], _Unknown] = {}
        short: Counter[_Length] = Counter()
        long: Counter[_Length] = Counter()
        seen: set[str] = set()
        flagged: Counter[int] = Counter()
        decoded = 0
        for (channel, can_id, extended, flags, length), count in self._streams.items():
            if flags & (ERROR | REMOTE):
                flagged[ERROR if flags & ERROR else REMOTE] += count
                continue
            messages = () if self._plan is None else self._plan.find(channel, can_id, extended)
            if not messages:
                there = unknown.setdefault((channel, can_id, extended), _Unknown(0, set()))
                there.count += count
                there.lengths.add(length)
            for message in messages:
                seen.add(message.name)
                if length != message.length_bytes:
                    off = _Length(message.name, channel, can_id, extended, length, message.length_bytes)
                    (short if length < message.length_bytes else long)[off] += count
            decoded += count * any(length >= message.length_bytes for message in messages)
        plan = self._plan
        return {
            "from": self._from_ms,
            "to": self._to_ms,
            "parsing": None if plan is None else {"name": plan.name, "version": plan.version},
            "seconds": len(self._seconds),
            "frames": self._counts["frames"],
            "decoded": decoded,
            "pieces": self._counts["pieces"],
            "unknown": self._unknown(unknown),
            "unknown_total": len(unknown),
            "short": self._lengths(short),
            "long": self._lengths(long),
            "error_frames": flagged[ERROR],
            "remote_frames": flagged[REMOTE],
            "out_of_range": self._out_of_range(),
            "no_value": self._no_value(),
            "never_seen": sorted(set(_names(plan)) - seen)[:_NAMES_MAX],
            "multipacket": dict(self._multi_packet),
            "unread": self._problems["unread_body"],
        }

    def _rate_hz(self, count: int) -> float:
        return round(count / max(1, len(self._seconds)), 3)

    def _unknown(self, unknown: dict[tuple[str, int, bool], _Unknown]) -> list[dict[str, object]]:
        by_rate = sorted(unknown.items(), key=lambda row: (-row[1].count, row[0]))
        return [
            {
                "channel": channel,
                "id": can_id,
                "extended": extended,
                **({"pgn": j1939.pgn_of(can_id), "source": j1939.source_of(can_id)} if extended else {}),
                "count": each.count,
                "rate_hz": self._rate_hz(each.count),
                "lengths": sorted(each.lengths),
            }
            for (channel, can_id, extended), each in by_rate[:_LISTED_MAX]
        ]

    def _lengths(self, found: Counter[_Length]) -> list[dict[str, object]]:
        by_rate = sorted(found.items(), key=lambda row: (-row[1], row[0]))
        return [
            {
                "message": each.message,
                "channel": each.channel,
                "id": each.can_id,
                "extended": each.extended,
                "length": each.length,
                "needed": each.needed,
                "count": count,
                "rate_hz": self._rate_hz(count),
            }
            for each, count in by_rate[:_LISTED_MAX]
        ]

    def _out_of_range(self) -> list[dict[str, object]]:
        fields = {} if self._plan is None else {field.name: field for field in self._plan.fields}
        outside = ((fields[name], each) for name, each in self._ranges.items() if each.outside)
        return [
            {
                "field": field.name,
                "count": each.outside,
                "lowest": each.lowest,
                "highest": each.highest,
                "min": field.min,
                "max": field.max,
            }
            for field, each in islice(outside, _NAMES_MAX)
        ]

    def _no_value(self) -> list[dict[str, object]]:
        empty = ((name, each) for name, each in self._ranges.items() if each.frames and not each.with_value)
        return [{"field": name, "count": each.frames} for name, each in islice(empty, _NAMES_MAX)]


def _limits(low: float | None, high: float | None) -> tuple[float, float]:
    """A field's range with room for rounding; databases without one say 0 to 0."""
    if not low and not high:
        return -np.inf, np.inf
    room = _ROUNDING * max(1.0, abs(low or 0.0), abs(high or 0.0))
    return -np.inf if low is None else low - room, np.inf if high is None else high + room


def _names(plan: Plan | None) -> Iterable[str]:
    """The names of all messages of a plan."""
    tables = () if plan is None else (plan.exact, plan.groups, plan.apart)
    return (message.name for table in tables for messages in table.values() for message in messages)
