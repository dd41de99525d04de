"""Decode CAN frames by a parsing that was compiled once into an immutable plan. Pure.

Two readings: one frame (`Plan.frame`, what `decode` prints) and the last value of every field of a second
(`Plan.last_values`, the live path: only the newest frame of each sender is looked at).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from cantools.database.can import Message, Signal

from duco_rt.body import ERROR, REMOTE, CanSecond, Stream
from duco_rt.errors import BadParsing
from duco_rt.model import Parsing, ParsingFile, Value
from duco_rt.pipeline.decoding import dbc, j1939
from duco_rt.pipeline.decoding.fields import Field, field_names, fields_of
from duco_rt.pipeline.decoding.signals import SignalPlan, compile_signal, raw_reader

Decoded = dict[str, float | int | None]

_LEAST, _MOST = -math.inf, math.inf


class Multiplexer(NamedTuple):
    """A multiplexer signal and what each of its values selects."""

    read: Callable[[int, int], int]
    selects: dict[int, tuple[SignalPlan, ...]]
    nested: dict[int, tuple[Multiplexer, ...]]


@dataclass(frozen=True, slots=True)
class MessagePlan:
    """One message: signals that are always there, and those that multiplexers select."""

    name: str
    source: int
    length_bytes: int
    signals: tuple[SignalPlan, ...]
    multiplexers: tuple[Multiplexer, ...]

    def decode(self, data: bytes | memoryview) -> Decoded:
        """Every field of a frame of at least `length_bytes`; None is J1939's "not available" or "error"."""
        data = data[: self.length_bytes]
        lo, hi = int.from_bytes(data, "little"), int.from_bytes(data, "big")
        out: Decoded = {field: read(lo, hi) for field, read in self.signals}
        for multiplexer in self.multiplexers:
            _demultiplex(multiplexer, lo, hi, out)
        return out


def _demultiplex(multiplexer: Multiplexer, lo: int, hi: int, out: Decoded) -> None:
    selected = multiplexer.read(lo, hi)
    for field, read in multiplexer.selects.get(selected, ()):
        out[field] = read(lo, hi)
    for nested in multiplexer.nested.get(selected, ()):
        _demultiplex(nested, lo, hi, out)


@dataclass(frozen=True, slots=True)
class Plan:
    """A compiled parsing. `fields` follow from its text alone."""

    name: str
    version: int
    fields: tuple[Field, ...]
    exact: dict[tuple[str | None, int, bool], tuple[MessagePlan, ...]]
    groups: dict[tuple[str | None, int], tuple[MessagePlan, ...]]

    def find(self, channel: str, can_id: int, extended: bool) -> tuple[MessagePlan, ...]:
        """The messages that describe a frame: by id, and by PGN where the database says J1939PG."""
        exact = self.exact
        found = exact.get((channel, can_id, extended), ()) + exact.get((None, can_id, extended), ())
        if extended and self.groups:
            pgn = j1939.pgn_of(can_id)
            group = self.groups.get((channel, pgn), ()) + self.groups.get((None, pgn), ())
            found += _of_sender(group, j1939.source_of(can_id)) if len(group) > 1 else group
        return found

    def frame(self, channel: str, can_id: int, extended: bool, data: bytes) -> tuple[str, Decoded] | None:
        """The message's name and every field of one frame; None where nothing matches or the frame is short."""
        for message in self.find(channel, can_id, extended):
            if len(data) >= message.length_bytes:
                return message.name, message.decode(data)
        return None

    def last_values(self, second: CanSecond, problems: Counter[str]) -> dict[str, Value]:
        """The last value of every field in a second.

        For a field with several senders that is the newest frame that has a value: each sender's last frame is
        asked, newest first. `problems` counts frames by kind: unknown_id, short_frame, error_frame.
        """
        newest: list[tuple[int, Decoded]] = []
        for stream, times, data in second.slices():
            if stream.flags & (ERROR | REMOTE):
                problems["error_frame"] += stream.count if stream.flags & ERROR else 0
                continue
            messages = self.find(stream.channel, stream.can_id, stream.extended)
            if not messages:
                problems["unknown_id"] += stream.count
            for message in reversed(messages):  # the first, which `frame` takes, has the last word
                if stream.length < message.length_bytes:
                    problems["short_frame"] += stream.count
                else:
                    newest.append((int(times[-1]), _last_of(message, stream, data)))
        out: dict[str, Value] = {}
        for _, decoded in sorted(newest, key=lambda row: row[0]):
            fits = ((field, v) for field, v in decoded.items() if v is not None and _LEAST < v < _MOST)  # NaN fails
            out.update(fits)
        return out


def _of_sender(messages: tuple[MessagePlan, ...], source: int) -> tuple[MessagePlan, ...]:
    """Of several messages of one PGN those that name the frame's sender, or all where none does."""
    return tuple(message for message in messages if message.source == source) or messages


def _last_of(message: MessagePlan, stream: Stream, data: memoryview) -> Decoded:
    """The fields of a sender's last frame; of a multiplexed message the last of every page."""
    n = stream.length
    if not message.multiplexers:
        return message.decode(data[-n:])
    out: Decoded = {}
    for at in range(0, len(data), n):
        out |= message.decode(data[at : at + n])
    return out


def compile_parsing(parsing: Parsing) -> Plan:
    """Compile a parsing's texts. Raises BadParsing; takes up to seconds for a large one, so not in an event loop."""
    try:
        return _compile(parsing)
    except BadParsing:
        raise
    except Exception as e:  # what passes the checks and still cannot be compiled is refused, not a crash
        raise BadParsing(f"parsing {parsing.name}: {type(e).__name__}: {e}") from e


def check_parsing(files: Sequence[ParsingFile]) -> None:
    """Raise BadParsing for files that cannot be used as a parsing."""
    dbc.check(files)
    compile_parsing(Parsing("check", 0, tuple(files)))


def _compile(parsing: Parsing) -> Plan:
    loaded = [(file.bus, dbc.load(file).messages) for file in parsing.files]
    every = [message for _, messages in loaded for message in messages]
    names = field_names(every)
    exact: dict[tuple[str | None, int, bool], tuple[MessagePlan, ...]] = {}
    groups: dict[tuple[str | None, int], tuple[MessagePlan, ...]] = {}
    for bus, messages in loaded:
        own: dict[tuple[str | None, int, bool], MessagePlan] = {}
        for message in messages:
            plan = _compile_message(message, names)
            if dbc.is_j1939(message):
                group = bus, j1939.pgn_of(message.frame_id)
                groups[group] = (*groups.get(group, ()), plan)
            else:  # of two messages with one id in a file the later counts, as in cantools
                own[bus, message.frame_id, message.is_extended_frame] = plan
        for key, plan in own.items():
            exact[key] = (*exact.get(key, ()), plan)
    return Plan(parsing.name, parsing.version, fields_of(every, names), exact, groups)


def _compile_message(message: Message, names: dict[tuple[str, str], str]) -> MessagePlan:
    group = dbc.is_j1939(message)
    plans = {
        signal.name: compile_signal(signal, names[message.name, signal.name], message.length, group)
        for signal in message.signals
    }

    def multiplexer(signal: Signal) -> Multiplexer:
        selects: dict[int, tuple[SignalPlan, ...]] = {}
        nested: dict[int, tuple[Multiplexer, ...]] = {}
        for child in message.signals:
            if child.multiplexer_signal != signal.name:
                continue
            deeper = (multiplexer(child),) if child.is_multiplexer else ()
            for value in child.multiplexer_ids or ():
                selects[value] = (*selects.get(value, ()), plans[child.name])
                nested[value] = nested.get(value, ()) + deeper
        return Multiplexer(raw_reader(signal, message.length), selects, nested)

    always = [signal for signal in message.signals if signal.multiplexer_signal is None]
    return MessagePlan(
        message.name,
        j1939.source_of(message.frame_id),
        message.length,
        tuple(plans[signal.name] for signal in always),
        tuple(multiplexer(signal) for signal in always if signal.is_multiplexer),
    )


def frames_of(second: CanSecond) -> Sequence[tuple[int, Stream, bytes]]:
    """The frames of a second in order of arrival: (µs from ts, stream, data)."""
    rows = [
        [(int(t), stream, bytes(data[i * stream.length : (i + 1) * stream.length])) for i, t in enumerate(times)]
        for stream, times, data in second.slices()
    ]
    cursors = [iter(row) for row in rows]
    return [next(cursors[index]) for index in second.order.tolist()]
