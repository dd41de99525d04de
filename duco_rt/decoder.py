"""Decode CAN logs and frames by database files, without the rest of the project."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Self

import can

from duco_rt.body import ERROR, REMOTE
from duco_rt.device.second import SecondBuilder
from duco_rt.errors import ConfigError
from duco_rt.model import Parsing, ParsingFile, Value
from duco_rt.pipeline.decoding.plan import Plan, compile_parsing
from duco_rt.pipeline.decoding.fields import Field
from duco_rt.pipeline.parse import Problems


class Frame(NamedTuple):
    """One decoded frame: ts in seconds, the message's name and its signals; both None where nothing matches."""

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
    """Decodes python-can messages.

    >>> decoder = Decoder.from_files(["machine.dbc", "can1=engine.dbc"])
    >>> for frame in decoder.decode(can.LogReader("log.asc")):
    ...     print(frame.ts, frame.message, frame.signals)

    Values are physical, a value with a name in the database is a number; in messages whose VFrameFormat is J1939PG,
    matched by PGN whatever priority and source address, what J1939 calls "not available" or "error" is None.
    """

    def __init__(self, plan: Plan) -> None:
        """Use `from_files`; a plan comes from `compile_parsing`."""
        self._plan = plan

    @classmethod
    def from_files(cls, files: Sequence[str | Path]) -> Self:
        """Read DBC files, each `FILE` or `BUS=FILE`. Raises BadParsing with the line, ConfigError for no file."""
        return cls(compile_parsing(Parsing("files", 1, read_files(str(name) for name in files))))

    @property
    def fields(self) -> tuple[Field, ...]:
        """Every field that the files describe."""
        return self._plan.fields

    def decode(self, frames: Iterable[can.Message]) -> Iterator[Frame]:
        """Every frame in order, undecodable ones included."""
        find = self._plan.frame
        for m in frames:
            channel = None if m.channel is None else str(m.channel)
            found = None
            if not m.is_error_frame and not m.is_remote_frame:
                found = find(channel or "", m.arbitration_id, m.is_extended_id, bytes(m.data))
            if found is None:
                yield Frame(m.timestamp, channel, m.arbitration_id, m.is_extended_id, None, None)
            else:
                name, values = found
                signals = {field.removeprefix(f"{name}."): value for field, value in values.items()}
                yield Frame(m.timestamp, channel, m.arbitration_id, m.is_extended_id, name, signals)

    def last(self, frames: Iterable[can.Message]) -> Iterator[LastValues]:
        """For each second that has frames, the last value of every field. Frames in order of time."""
        builder, open_s = SecondBuilder(), None
        for m in frames:
            second = int(m.timestamp // 1)
            if open_s is not None and second != open_s:
                yield self._close(builder, open_s)
            open_s = second
            flags = (ERROR if m.is_error_frame else 0) | (REMOTE if m.is_remote_frame else 0)
            data = bytes(m.data) if not m.is_remote_frame else b""
            key = str(m.channel or ""), m.arbitration_id, m.is_extended_id, flags, len(data)
            builder.add(key, round(m.timestamp * 1e6), data)
        if open_s is not None:
            yield self._close(builder, open_s)

    def _close(self, builder: SecondBuilder, second: int) -> LastValues:
        return LastValues(second, self._plan.last_values(builder.close(second * 1000, 0), Problems()))


def read_files(names: Iterable[str]) -> tuple[ParsingFile, ...]:
    """Database files named as `[BUS=]FILE`. Raises ConfigError where one cannot be read."""
    found = []
    for name in names:
        bus, equals, rest = name.partition("=")
        path = Path(rest if equals else name)
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except OSError as e:
            raise ConfigError(f"--dbc {name}: {e.strerror}") from e
        found.append(ParsingFile(path.name, text, bus if equals else None))
    return tuple(found)
