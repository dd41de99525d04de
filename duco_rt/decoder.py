"""Decode CAN logs and frames by database files, without the rest of the project."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Self

import can
import numpy as np

from duco_rt.body import ERROR, REMOTE, CanSecond, Stream, StreamKey
from duco_rt.device.second import SecondBuilder
from duco_rt.model import Parsing, Value
from duco_rt.parsing_files import read_files
from duco_rt.pipeline.decoding.columns import Column, columns_of, decode_columns
from duco_rt.pipeline.decoding.compiling import compile_here, compile_parsing
from duco_rt.pipeline.decoding.fields import Field
from duco_rt.pipeline.decoding.last import last_values
from duco_rt.pipeline.decoding.messages import MessagePlan
from duco_rt.pipeline.decoding.multi_packet import NOTHING_OPEN, Open, put_together
from duco_rt.pipeline.decoding.plan import ERROR_FRAME, FAST, FRAME, TRANSPORT, UNKNOWN, Plan
from duco_rt.pipeline.decoding.reading import LIMIT_S
from duco_rt.pipeline.decoding.rows import Rows
from duco_rt.pipeline.decoding.whole import put_whole, whole_slices
from duco_rt.pipeline.full_resolution import full_table

if TYPE_CHECKING:
    import pyarrow


class Frame(NamedTuple):
    """One decoded frame: ts in seconds, the message's name and its signals; both None where nothing matches.

    A message of several frames is decoded with the frame that completes it. Of several messages that describe a frame
    it is the first that is not longer; the other readings have the fields of all.
    """

    ts: float
    channel: str | None
    id: int
    extended: bool
    message: str | None
    signals: dict[str, float | int | None] | None


class LastValues(NamedTuple):
    """The last value of every field that was seen in the second that begins at ts (Unix seconds)."""

    ts: int
    signals: dict[str, Value]


class Decoder:
    """Decodes python-can messages: `decode` frame by frame, `last` a dict a second, `columns` and `table` all values.

    >>> decoder = Decoder.from_files(["machine.dbc", "can1=engine.dbc"])
    >>> for frame in decoder.decode(can.LogReader("log.asc")):
    ...     print(frame.ts, frame.message, frame.signals)
    >>> speed = decoder.columns(can.LogReader("log.asc"))["speed"]
    >>> speed.times_us, speed.values            # numpy: int64 Unix µs, float64

    Values are physical, a value with a name in the database is a number; in messages whose VFrameFormat is J1939PG,
    matched by PGN whatever priority and source address, what J1939 calls "not available" or "error" is None (and
    absent from `last`, `columns` and `table`). `problems` counts what could not be decoded, by kind.
    """

    def __init__(self, plan: Plan) -> None:
        """Use `from_files`; a plan comes from `compile_parsing`."""
        self._plan = plan
        self.problems: Counter[str] = Counter()

    @classmethod
    def from_files(
        cls, files: Sequence[str | Path], *, sources: Sequence[int] = (), limit_s: float | None = LIMIT_S
    ) -> Self:
        """Read database files (DBC, KCD, SYM, ARXML), each `FILE` or `BUS=FILE`.

        `sources` are J1939 source addresses whose fields are kept apart (`EngineSpeed_sa00`). The files are read by
        a process of their own within `limit_s`; None reads them in this one. Raises BadParsing with the line,
        ConfigError for no file.
        """
        parsing = Parsing("files", 1, read_files([str(name) for name in files], tuple(sources)))
        return cls(compile_here(parsing) if limit_s is None else compile_parsing(parsing, limit_s))

    @property
    def fields(self) -> tuple[Field, ...]:
        """Every field that the files describe."""
        return self._plan.fields

    def decode(self, frames: Iterable[can.Message]) -> Iterator[Frame]:
        """Every frame in order, undecodable ones included; signals go by their own names."""
        open_ = NOTHING_OPEN
        for m in frames:
            channel = None if m.channel is None else str(m.channel)
            stream, data = _stream_of(m)
            found: tuple[MessagePlan, bytes] | None = None
            if self._plan.match(stream).kind in (TRANSPORT, FAST) and len(data) <= 8:
                found, open_ = self._completed(stream, round(m.timestamp * 1e6), data, open_)
            elif not m.is_error_frame and not m.is_remote_frame:
                found = self._plan.first(stream, data)
            if found is None:
                self._count(stream)
                yield Frame(m.timestamp, channel, m.arbitration_id, m.is_extended_id, None, None)
            else:
                message, data = found
                signals = {message.names[field]: value for field, value in message.decode(data).items()}
                yield Frame(m.timestamp, channel, m.arbitration_id, m.is_extended_id, message.name, signals)

    def _count(self, stream: Stream) -> None:
        """Why a frame was not decoded; pieces of longer messages are counted where they are put together."""
        problem = _PROBLEMS.get(self._plan.match(stream).kind)
        if problem is not None:
            self.problems[problem] += 1

    def _completed(
        self, stream: Stream, time_us: int, data: bytes, open_: Open
    ) -> tuple[tuple[MessagePlan, bytes] | None, Open]:
        """The message that a piece of one completes, with its data."""
        piece = [Rows(stream, np.array([time_us]), np.frombuffer(data, np.uint8).reshape(1, -1))]
        is_fast = self._plan.match(stream).kind == FAST
        made, open_ = put_together([] if is_fast else piece, piece if is_fast else [], open_, self.problems)
        whole = (self._plan.first(rows.stream, rows.data[-1].tobytes()) for rows in made)
        return next((found for found in whole if found is not None), None), open_

    def last(self, frames: Iterable[can.Message]) -> Iterator[LastValues]:
        """For each second that has frames, the last value of every field. Frames in order of time."""
        builder, open_s, open_ = SecondBuilder(), None, NOTHING_OPEN
        for m in frames:
            second = int(m.timestamp // 1)
            if open_s is not None and second != open_s:
                values, open_ = self._last(builder.close(open_s * 1000, 0), open_)
                yield values
            open_s = second
            stream, data = _stream_of(m)
            builder.add(stream[:5], round(m.timestamp * 1e6), data)
        if open_s is not None:
            yield self._last(builder.close(open_s * 1000, 0), open_)[0]

    def _last(self, second: CanSecond, open_: Open) -> tuple[LastValues, Open]:
        slices, open_ = whole_slices(self._plan, second, open_, self.problems)
        return LastValues(second.ts_ms // 1000, last_values(self._plan, slices, self.problems)), open_

    def columns(self, frames: Iterable[can.Message]) -> dict[str, Column]:
        """Every value of every field that has one: `times_us` (n,) Unix µs and `values` (n,), in order of time.

        Frames in order of arrival; they are all held in memory.
        """
        held: dict[StreamKey, tuple[list[int], list[bytes]]] = {}
        for m in frames:
            stream, data = _stream_of(m)
            times, parts = held.setdefault(stream[:5], ([], []))
            times.append(round(m.timestamp * 1e6))
            parts.append(data)
        rows = [
            Rows(
                Stream(*key, len(times)),
                np.array(times, np.int64),
                np.frombuffer(b"".join(parts), np.uint8).reshape(len(times), key[4]),
            )
            for key, (times, parts) in held.items()
        ]
        whole, _ = put_whole(self._plan, rows, NOTHING_OPEN, self.problems)
        return columns_of(decode_columns(self._plan, whole, self.problems))

    def table(self, frames: Iterable[can.Message]) -> pyarrow.Table:
        """The same as a table, a row a value: field, ts (timestamp[us, UTC]), value (float64)."""
        return full_table(self.columns(frames))


_PROBLEMS = {UNKNOWN: "unknown_id", FRAME: "short_frame", ERROR_FRAME: "error_frame"}


def _stream_of(m: can.Message) -> tuple[Stream, bytes]:
    """The stream of a frame, as a stream of one, and its data."""
    flags = (ERROR if m.is_error_frame else 0) | (REMOTE if m.is_remote_frame else 0)
    data = b"" if m.is_remote_frame else bytes(m.data)
    return Stream(str(m.channel or ""), m.arbitration_id, m.is_extended_id, flags, len(data), 1), data
