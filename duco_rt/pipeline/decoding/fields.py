"""Which fields a parsing has and what they are called: from the parsing's text alone, never from traffic. Pure.

A field carries the plain name of its signal where that is the only one in the parsing, else `Message.signal`, else
`bus.Message.signal`. Fields of a source address that is kept apart end with it: `EngineSpeed_sa00`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import msgspec

from duco_rt.pipeline.decoding import j1939
from duco_rt.pipeline.decoding.described import DescribedFile, DescribedMessage, DescribedSignal
from duco_rt.pipeline.decoding.limits import FIELD_PAGES_MAX, FIELDS_MAX, NAMED_VALUES_MAX


class Field(msgspec.Struct, frozen=True):
    """One field as `GET …/fields` describes it; `choices` names raw numbers; `period_ms` is its usual period."""

    name: str
    unit: str | None = None
    min: float | None = None
    max: float | None = None
    choices: dict[str, str] | None = None
    description: str | None = None
    message: str | None = None
    period_ms: int | None = None


class Identity(NamedTuple):
    """What makes a field: one that two files describe alike, for the same bus, is one field.

    `frame` is the id (29-bit ones from 2^31 on), or the parameter group from 2^32 on; `source` a sender kept apart.
    """

    bus: str | None
    frame: int
    message: str
    signal: str
    source: int | None = None


def identity(
    file: DescribedFile, message: DescribedMessage, signal: DescribedSignal, source: int | None = None
) -> Identity:
    """The identity of a signal's field."""
    if message.j1939:
        frame = 1 << 32 | j1939.pgn_of(message.frame_id)
    else:
        frame = message.frame_id | (1 << 31 if message.extended else 0)
    return Identity(file.bus, frame, message.name, signal.name, source)


def sources_of(file: DescribedFile, message: DescribedMessage) -> tuple[int | None, ...]:
    """None (everybody), and the source addresses that are kept apart."""
    return (None, *file.sources) if message.j1939 else (None,)


def messages_of(file: DescribedFile) -> Sequence[DescribedMessage]:
    """Of two messages with one id in a file the later counts, as in cantools; groups may have several."""
    own = {(m.frame_id, m.extended): m for m in file.messages if not m.j1939}
    return [*own.values(), *(m for m in file.messages if m.j1939)]


class Size(NamedTuple):
    """What files cost to compile: their fields, the pages that these are on, and the values that have names."""

    fields: int = 0
    pages: int = 0
    named_values: int = 0

    def plus(self, file: DescribedFile) -> Size:
        """With another file."""
        fields, pages, named_values = self
        for message in messages_of(file):
            times = len(sources_of(file, message))
            fields += times * len(message.signals)
            pages += times * sum(len(signal.pages) for signal in message.signals)
            named_values += sum(len(signal.choices) for signal in message.signals)
        return Size(fields, pages, named_values)

    def problem(self) -> str:
        """What there is too much of, or ""."""
        most = Size(FIELDS_MAX, FIELD_PAGES_MAX, NAMED_VALUES_MAX)
        for count, limit, what in zip(self, most, ("fields", "pages of fields", "named values"), strict=True):
            if count > limit:
                return f"{count} {what} up to here, more than {limit}"
        return ""


def _every(files: Iterable[DescribedFile]) -> Iterator[tuple[Identity, DescribedMessage, DescribedSignal]]:
    for file in files:
        for message in messages_of(file):
            for source in sources_of(file, message):
                for signal in message.signals:
                    yield identity(file, message, signal, source), message, signal


def field_names(files: Sequence[DescribedFile]) -> dict[Identity, str]:
    """The field name of each identity; no two have the same."""
    level = {each: 0 for each, _, _ in _every(files)}
    for _ in range(_LEVELS - 1):
        uses = Counter(_name(each, at) for each, at in level.items())
        level = {each: at + (uses[_name(each, at)] > 1) for each, at in level.items()}
    names: dict[Identity, str] = {}
    taken: set[str] = set()
    for each in sorted(level, key=_order):  # what even the id does not tell apart is numbered
        name, n = _name(each, level[each]), 1
        while name in taken:
            n += 1
            name = f"{_name(each, level[each])}#{n}"
        names[each] = name
        taken.add(name)
    return names


_LEVELS = 4


def _name(each: Identity, level: int) -> str:
    name = each.signal if level == 0 else f"{each.message}.{each.signal}"
    if level >= 2 and each.bus is not None:
        name = f"{each.bus}.{name}"
    if level == 3:
        name += f"@{each.frame & 0x1FFF_FFFF:X}"
    return name if each.source is None else f"{name}_sa{each.source:02X}"


def _order(each: Identity) -> tuple[str, int, str, str, int]:
    return each.bus or "", each.frame, each.message, each.signal, -1 if each.source is None else each.source


def fields_of(files: Sequence[DescribedFile], names: dict[Identity, str]) -> tuple[Field, ...]:
    """The fields in order of name, each once."""
    found: dict[str, Field] = {}
    choices: dict[int, dict[str, str] | None] = {}  # by signal, shared by its sources
    for each, message, signal in _every(files):
        name = names[each]
        if name in found:
            continue
        if id(signal) not in choices:
            choices[id(signal)] = {str(raw): text for raw, text in signal.choices.items()} or None
        found[name] = Field(
            name,
            signal.unit or None,
            signal.minimum,
            signal.maximum,
            choices[id(signal)],
            signal.comment or None,
            message.name,
            message.period_ms or None,
        )
    return tuple(found[name] for name in sorted(found))
