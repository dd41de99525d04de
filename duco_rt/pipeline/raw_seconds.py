"""Rows of the raw store to CAN seconds. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from duco_rt import body
from duco_rt.errors import BadBody
from duco_rt.model import RawSecond
from duco_rt.parts import join
from duco_rt.pipeline.decoding.plan import FAST, FRAME, TRANSPORT, Plan

_LOOKED_AT = frozenset({FRAME, TRANSPORT, FAST})
_KNOWN_MAX = 65_536

Unpack = Callable[[RawSecond], body.CanSecond]
"""The second, or part of one, of a stored row. Raises BadBody."""


def unpack_row(row: RawSecond) -> body.CanSecond:
    """All of it."""
    return body.unpack_columns(body.columns_of(row), row.ts_ms, row.seq, row.part, row.part + 1)


def can_seconds(
    rows: Iterable[RawSecond], problems: Counter[str], unpack: Unpack = unpack_row, *, whole: bool = False
) -> Iterator[tuple[body.CanSecond, int]]:
    """The CAN seconds of rows in order of (ts, seq, part), each with the time in ms at which it was received.

    Parts are put together as far as they are there; with `whole`, a second that may lack some is left out.

    `problems` counts `unread_body`: rows that nobody could read when they came, or whose columns do not fit; and
    `incomplete_second`: seconds left out.
    """
    for _, same in groupby(rows, lambda row: (row.ts_ms, row.seq)):
        parts, received_ms, of = [], 0, set[int]()
        for row in same:
            if row.kind == "json1":
                continue
            received_ms = max(received_ms, row.received_ms)
            try:
                if row.kind != "can1":
                    raise BadBody("nobody could read it when it came")
                parts.append(unpack(row))
                of.add(row.parts)
            except BadBody:
                problems["unread_body"] += 1
        if parts and whole and not _are_all(parts, of):
            problems["incomplete_second"] += 1
        elif parts:
            yield join(parts), received_ms


def _are_all(parts: Sequence[body.CanSecond], of: set[int]) -> bool:
    """Whether no part lacks. `of` is how many their rows say there are; of older rows, which do not, one alone is taken
    for its second."""
    counts = of - {0} or {1}
    return len(counts) == 1 and {second.part for second in parts} == set(range(*counts))


class Needed:
    """Takes of stored seconds the streams alone that a plan looks at: of a full bus a few of many. No `order`."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._known: dict[tuple[bytes, int, int, int], bool] = {}

    def unpack(self, row: RawSecond) -> body.CanSecond:
        """What is needed of a row. Raises BadBody where its columns do not fit each other."""
        try:
            names, channels, table = body.read_stream_table(row.streams)
            return self._cut(row, channels, names, table, np.frombuffer(row.times, "<i4"))
        except (ValueError, IndexError) as e:
            raise BadBody(f"CAN second seq {row.seq}: columns cannot be read: {e}") from e

    def _cut(
        self,
        row: RawSecond,
        channels: Sequence[str],
        names: bytes,
        table: Sequence[body.TableRow],
        times_us: NDArray[np.int32],
    ) -> body.CanSecond:
        """The streams of `table` that are needed. Raises ValueError."""
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
