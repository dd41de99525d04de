"""What the engine has to give, worked out by cantools frame by frame and by the rules of the documentation."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import cantools
from cantools.database.can import Database, Message, Signal
from cantools.database.errors import DecodeError
from cantools.database.utils import decode_data

from duco_rt.model import ParsingFile
from duco_rt.pipeline.decoding.j1939 import names_a_value

Number = int | float


class Key(NamedTuple):
    """What a field is: bus, frame or group, message, signal, and the source that is kept apart."""

    bus: str | None
    frame: tuple[bool, int]
    message: str
    signal: str
    source: int | None


def pgn_of(can_id: int) -> int:
    """The parameter group by SAE J1939-21: a PF below 240 is followed by an address."""
    pgn = can_id >> 8 & 0x3FFFF
    return pgn if pgn >> 8 & 0xFF >= 0xF0 else pgn & ~0xFF


def is_group(message: Message) -> bool:
    """Whether it is matched by its group."""
    return message.protocol == "j1939" and message.is_extended_frame


def every_value(message: Message, data: bytes, scaling: bool = True) -> dict[str, Number]:
    """The values of a frame by cantools; of a page that the database does not have, those that are always there."""
    found = _decode(message, message._codecs, data, scaling)
    if scaling:
        try:
            wanted = message.decode(data, decode_choices=False)
        except DecodeError:
            return found
        assert isinstance(wanted, dict) and repr(sorted(wanted.items())) == repr(sorted(found.items()))
    return found


def _decode(message: Message, node: Any, data: bytes, scaling: bool) -> dict[str, Number]:
    """cantools' own recursion, which gives up at an unknown page."""
    values: dict[str, Any] = {}
    for scaled, out in ((True, values), (scaling, values if scaling else {})):
        out |= decode_data(data, message.length, node["signals"], node["formats"], False, scaled, False, True)
        found = out
    for name, pages in node["multiplexers"].items():
        page = pages.get(int(values[name]))
        if page is not None:
            found |= _decode(message, page, data, scaling)
    return found


def is_no_value(signal: Signal, raw: Number) -> bool:
    """Whether J1939 calls a raw number of a group "error" or "not available"."""
    n = signal.length
    if signal.is_float or signal.is_signed or n < 2:
        return False
    name = dict(signal.choices or {}).get(int(raw))
    if name is not None and names_a_value(str(name)):
        return False
    return raw >= (0xFE << n - 8 if n in (8, 16, 24, 32) else 2**n - 2)


class Reference:
    """The same files, read by cantools."""

    def __init__(self, files: Sequence[ParsingFile]) -> None:
        self.files: list[tuple[ParsingFile, Database]] = []
        for file in files:
            database = cantools.database.load_string(file.text, file.format)
            assert isinstance(database, Database)
            self.files.append((file, database))
        self.names = names_of(
            self._key(file, message, signal.name, source)
            for file, message in self._counting()
            for source in (None, *(file.sources if is_group(message) else ()))
            for signal in message.signals
        )

        self.offsets: dict[str, float] = {}
        for file, message in self._counting():
            for source in (None, *(file.sources if is_group(message) else ())):
                for signal in message.signals:
                    name = self.names[self._key(file, message, signal.name, source)]
                    self.offsets[name] = max(abs(signal.offset), self.offsets.get(name, 0.0))

    def _counting(self) -> Iterator[tuple[ParsingFile, Message]]:
        """The messages that are read: no containers, and of two with one id in a file the later, as in cantools."""
        for file, database in self.files:
            messages = [m for m in database.messages if not m.is_container]
            later = {(m.frame_id, m.is_extended_frame): m for m in messages if not is_group(m)}
            yield from ((file, m) for m in (*later.values(), *filter(is_group, messages)))

    def _key(self, file: ParsingFile, message: Message, signal: str, source: int | None) -> Key:
        frame = pgn_of(message.frame_id) if is_group(message) else message.frame_id
        return Key(file.bus, (is_group(message), frame | message.is_extended_frame << 31), message.name, signal, source)

    def matching(self, channel: str, can_id: int, extended: bool) -> list[tuple[ParsingFile, Message, int | None]]:
        """The messages that describe a frame, and the source that its fields carry."""
        found: list[tuple[ParsingFile, Message, int | None]] = []
        groups: dict[str | None, list[tuple[ParsingFile, Message]]] = {}
        for file, message in self._counting():
            if file.bus not in (None, channel) or message.is_extended_frame != extended:
                continue
            if not is_group(message):
                if message.frame_id == can_id:
                    found.append((file, message, None))
            elif pgn_of(message.frame_id) == pgn_of(can_id):
                groups.setdefault(file.bus, []).append((file, message))
        source = can_id & 0xFF
        for members in groups.values():
            named = [each for each in members if each[1].frame_id & 0xFF == source]
            apart = {message.name for file, message in named or members if source in file.sources}
            for file, message in named or members:
                if source in file.sources or message.name not in apart:
                    found.append((file, message, source if source in file.sources else None))
        return found

    def values(self, channel: str, can_id: int, extended: bool, data: bytes) -> dict[str, Number | None]:
        """Every field of a frame; None where J1939 has no value. Of two files with one field the first counts."""
        out: dict[str, Number | None] = {}
        given: set[str] = set()
        for file, message, source in self.matching(channel, can_id, extended):
            fields = self._fields(file, message, source)
            if len(data) >= message.length:
                values, raws = every_value(message, data), every_value(message, data, scaling=False)
                for name in values.keys() - {name for name, field in fields.items() if field in given}:
                    lacks = is_group(message) and is_no_value(message.get_signal_by_name(name), raws[name])
                    out[fields[name]] = None if lacks else values[name]
            given |= set(fields.values())
        return out

    def is_short(self, channel: str, can_id: int, extended: bool, data: bytes) -> bool:
        """Whether a message that gives fields of its own, or has none at all, is longer than the frame."""
        given: set[str] = set()
        for file, message, source in self.matching(channel, can_id, extended):
            fields = set(self._fields(file, message, source).values())
            if len(data) < message.length and (not fields or fields - given):
                return True
            given |= fields
        return False

    def _fields(self, file: ParsingFile, message: Message, source: int | None) -> dict[str, str]:
        return {s.name: self.names[self._key(file, message, s.name, source)] for s in message.signals}


def names_of(keys: Iterator[Key]) -> dict[Key, str]:
    """Names by the rule: plain where it is the only one, else with message, bus, id; then numbered."""
    left: dict[Key, None] = dict.fromkeys(keys)
    names: dict[Key, str] = {}
    for rule in (0, 1, 2, 3):
        full = {key: _name(key, rule) for key in left}
        uses = Counter(full.values())
        names |= {key: name for key, name in full.items() if uses[name] == 1}
        left = {key: None for key in left if uses[full[key]] > 1}
    taken: Counter[str] = Counter()
    for key in sorted(left, key=lambda key: (key.bus or "", key.frame, key.source or -1)):  # 0x100 of 11 and 29 bits
        name = _name(key, 3)
        taken[name] += 1
        names[key] = name if taken[name] == 1 else f"{name}#{taken[name]}"
    return names


def _name(key: Key, rule: int) -> str:
    parts = [key.bus if rule > 1 else None, key.message if rule > 0 else None, key.signal]
    name = ".".join(part for part in parts if part)
    name += f"@{key.frame[1] & 0x1FFF_FFFF:X}" if rule > 2 else ""
    return name if key.source is None else f"{name}_sa{key.source:02X}"


def is_good(value: Number | None) -> bool:
    """Whether it can be kept: there, and a finite number."""
    return value is not None and math.isfinite(value)


def near(found: float, wanted: Number, offset: Number = 0) -> bool:
    """Equal to 12 digits of the larger of value and offset."""
    return math.isclose(found, wanted, rel_tol=1e-12, abs_tol=1e-15 * abs(offset))
