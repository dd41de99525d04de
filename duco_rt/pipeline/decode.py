"""Decode CAN frames by a parsing that was compiled once into an immutable plan. Pure.

Two readings: one frame (`Plan.frame`, what `decode` prints) and the last value of every field of a second
(`Plan.last_values`, the live path: only the newest frame of each sender is looked at).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from cantools.database.can import Message

from duco_rt.body import ERROR, REMOTE, CanSecond, Stream
from duco_rt.model import Parsing, Value
from duco_rt.pipeline import dbc, j1939
from duco_rt.pipeline.fields import Field, field_names, fields_of
from duco_rt.pipeline.signals import SignalPlan, compile_signal, raw_reader

Decoded = dict[str, float | int | None]


class Multiplexer(NamedTuple):
    """A multiplexer signal and what each of its values selects."""

    read: Callable[[int, int], int]
    selects: dict[int, tuple[SignalPlan, ...]]
    nested: dict[int, tuple[Multiplexer, ...]]


@dataclass(frozen=True, slots=True)
class MessagePlan:
    """One message: signals that are always there, and those that multiplexers select."""

    name: str
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
            found += self.groups.get((channel, pgn), ()) + self.groups.get((None, pgn), ())
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
            out.update((field, value) for field, value in decoded.items() if value is not None and value == value)
        return out


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
    loaded = [(file.bus, dbc.load(file).messages) for file in parsing.files]
    names = field_names([message for _, messages in loaded for message in messages])
    exact: dict[tuple[str | None, int, bool], tuple[MessagePlan, ...]] = {}
    groups: dict[tuple[str | None, int], tuple[MessagePlan, ...]] = {}
    for bus, messages in loaded:
        own_exact: dict[tuple[str | None, int, bool], MessagePlan] = {}
        own_groups: dict[tuple[str | None, int], MessagePlan] = {}
        for message in messages:
            plan = _compile_message(message, names)
            if dbc.is_j1939(message):
                own_groups[bus, j1939.pgn_of(message.frame_id)] = plan
            else:
                own_exact[bus, message.frame_id, message.is_extended_frame] = plan
        for key, plan in own_exact.items():
            exact[key] = (*exact.get(key, ()), plan)
        for group, plan in own_groups.items():
            groups[group] = (*groups.get(group, ()), plan)
    fields = fields_of([message for _, messages in loaded for message in messages], names)
    return Plan(parsing.name, parsing.version, fields, exact, groups)


def _compile_message(message: Message, names: dict[tuple[str, str], str]) -> MessagePlan:
    group = dbc.is_j1939(message)
    plans = {
        signal.name: compile_signal(signal, names[message.name, signal.name], message.length, group)
        for signal in message.signals
    }

    def tree(parent: str | None, selected: int | None) -> tuple[tuple[SignalPlan, ...], tuple[Multiplexer, ...]]:
        here = [
            s
            for s in message.signals
            if s.multiplexer_signal == parent and (selected is None or selected in (s.multiplexer_ids or ()))
        ]
        plain = tuple(plans[s.name] for s in here)
        return plain, tuple(multiplexer(s.name) for s in here if s.is_multiplexer)

    def multiplexer(name: str) -> Multiplexer:
        children = [s for s in message.signals if s.multiplexer_signal == name]
        values: Iterable[int] = {value for s in children for value in s.multiplexer_ids or ()}
        rows = {value: tree(name, value) for value in values}
        read = raw_reader(message.get_signal_by_name(name), message.length)
        return Multiplexer(read, {v: row[0] for v, row in rows.items()}, {v: row[1] for v, row in rows.items()})

    signals, multiplexers = tree(None, None)
    return MessagePlan(message.name, message.length, signals, multiplexers)


def frames_of(second: CanSecond) -> Sequence[tuple[int, Stream, bytes]]:
    """The frames of a second in order of arrival: (µs from ts, stream, data)."""
    rows = [
        [(int(t), stream, bytes(data[i * stream.length : (i + 1) * stream.length])) for i, t in enumerate(times)]
        for stream, times, data in second.slices()
    ]
    cursors = [iter(row) for row in rows]
    return [next(cursors[index]) for index in second.order.tolist()]
