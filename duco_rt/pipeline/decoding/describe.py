"""Read a database text with cantools into plain data. Pure; whatever is wrong is refused with its file and line.

Nothing else imports cantools, which cannot be interrupted: `reading` runs this in a process that can be ended.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import msgspec
from cantools.database.can import Database, Message, Signal

from duco_rt.errors import BadParsing
from duco_rt.model import ParsingFile
from duco_rt.pipeline.decoding import dbc, j1939, sym, xml_text
from duco_rt.pipeline.decoding.described import DescribedFile, DescribedMessage, DescribedSignal, Number
from duco_rt.pipeline.decoding.limits import (
    CHARACTERS_MAX,
    ENTRIES_MAX,
    FLOAT_BITS,
    MESSAGE_BYTES_MAX,
    MULTIPLEXERS_MAX,
    NUMBER_MAX,
    SIGNAL_BITS_MAX,
    SIGNALS_MAX,
    SOURCE_MAX,
    TEXT_BYTES_MAX,
    WORDS_MAX,
)
from duco_rt.pipeline.decoding.multiplexing import raw_pages

_INT_MIN, _INT_END, _KEY_END = -(1 << 63), 1 << 63, 1 << 64
_PERIOD_MS_MAX = 1 << 31

FAST_PACKET_PGN_MIN = 0x1ED00
"""Where NMEA 2000's groups begin that may come as fast packets (126208); data page 1 from here on is NMEA's.

No attribute that databases commonly have says it, so it follows from the length: a group of more than 8 bytes. Those
that are sent as fast packets although they are shorter look in a database like any other, and are taken as one frame.
"""


class Format(NamedTuple):
    """How one kind of text is read: what is refused unread, cantools' reader, and where in the text things are."""

    refusal: Callable[[str], str]
    add: Callable[[Database, str], None]
    explain: Callable[[str, Exception], str]
    line_of: Callable[[str, str, str | None], int]


FORMATS: dict[str, Format] = {
    "dbc": Format(dbc.refusal, Database.add_dbc_string, dbc.explain, dbc.line_of),
    "kcd": Format(xml_text.refusal, Database.add_kcd_string, xml_text.explain, xml_text.line_of),
    "sym": Format(sym.refusal, Database.add_sym_string, sym.explain, sym.line_of),
    "arxml": Format(xml_text.refusal, Database.add_arxml_string, xml_text.explain, xml_text.line_of),
}


class Noted(NamedTuple):
    """A file as plain data, and what of it was left out: a sentence each."""

    file: DescribedFile
    notes: tuple[str, ...]


def describe(file: ParsingFile) -> DescribedFile:
    """The messages of one file. Raises BadParsing naming file and line."""
    return describe_noted(file).file


def describe_all(files: Sequence[ParsingFile]) -> tuple[DescribedFile, ...]:
    """The messages of every file, read in this process: for scripts with files of their own; see `reading`."""
    if not files:
        raise BadParsing("a parsing needs one file at least")
    return tuple(describe(file) for file in files)


def describe_noted(file: ParsingFile) -> Noted:
    """The messages of one file, and what was left out. Raises BadParsing naming file and line."""
    check_file(file)
    how, text = FORMATS[file.format], file.text
    problem = how.refusal(text)
    if problem:
        raise BadParsing(f"{file.name}: {problem[:WORDS_MAX]}")
    try:
        database = Database(strict=True)
        how.add(database, text)
        found = [message for message in database.messages if not message.is_container]
        if not found:
            raise _WrongError("no message in it" if file.format != "dbc" else "no message (BO_) in it")
        _check_totals(found)
        described = tuple(_message(message) for message in found)
    except _WrongError as e:
        line = how.line_of(text, e.message, e.signal) if e.message else 1
        raise BadParsing(f"{file.name}: line {line}: {str(e)[:WORDS_MAX]}") from None
    except Exception as e:  # cantools lets KeyError, ValueError and its own errors out of a malformed text
        raise BadParsing(f"{file.name}: {how.explain(text, e)[:WORDS_MAX]}") from e
    left_out = (f"container message {m.name} is left out" for m in database.messages if m.is_container)
    return Noted(DescribedFile(file.name, described, file.bus, file.sources), tuple(left_out))


def check_file(file: ParsingFile) -> None:
    """Refuse what can be seen without reading: another format, an enormous text, addresses that are none."""
    if file.format not in FORMATS:
        raise BadParsing(f"{file.name}: format {file.format!r} is not one of {', '.join(FORMATS)}")
    size = len(file.text) if len(file.text) > TEXT_BYTES_MAX else len(file.text.encode("utf-8", "replace"))
    if size > TEXT_BYTES_MAX:
        raise BadParsing(f"{file.name}: {size} bytes, more than {TEXT_BYTES_MAX}")
    for source in file.sources:
        if not 0 <= source <= SOURCE_MAX:
            raise BadParsing(f"{file.name}: sources: {source} is no J1939 source address, 0 to {SOURCE_MAX}")


class _WrongError(Exception):
    """What cantools reads and no frame can carry, and where it stands."""

    def __init__(self, words: str, message: str = "", signal: str | None = None) -> None:
        super().__init__(words)
        self.message, self.signal = message, signal


def _check_totals(messages: Iterable[Message]) -> None:
    """Lists and texts that signals share are written out for each, so a short text may say a lot."""
    signals = entries = characters = 0
    for message in messages:
        for signal in message.signals:
            choices = list((signal.choices or {}).values())
            signals += 1
            entries += len(choices) + len(signal.multiplexer_ids or ())
            if entries <= ENTRIES_MAX:
                characters += sum(len(str(name)) for name in choices)
            characters += len(signal.comment or "") + len(signal.unit or "") + len(signal.name or "")
            for what, count, most in (
                ("signals", signals, SIGNALS_MAX),
                ("pages and named values", entries, ENTRIES_MAX),
                ("characters of comments, units and names", characters, CHARACTERS_MAX),
            ):
                if count > most:
                    raise _WrongError(f"more than {most} {what} up to here", str(message.name), signal.name)


def _message(message: Message) -> DescribedMessage:
    if not message.name:
        raise _WrongError("a message without a name")
    if message.frame_id < 0:
        raise _WrongError(f"The message {message.name} has the id {message.frame_id}", message.name)
    if not 0 <= message.length <= MESSAGE_BYTES_MAX:
        words = f"The message {message.name} has {message.length} bytes, more than {MESSAGE_BYTES_MAX}"
        raise _WrongError(words, message.name)
    group = message.protocol == "j1939" and message.is_extended_frame
    selectors = {signal.name: signal for signal in reversed(message.signals) if signal.is_multiplexer}
    if len(selectors) > MULTIPLEXERS_MAX:
        words = f"The message {message.name} has {len(selectors)} multiplexers, more than {MULTIPLEXERS_MAX}"
        raise _WrongError(words, message.name)
    return DescribedMessage(
        message.name,
        message.frame_id,
        message.is_extended_frame,
        message.length,
        _merged(_signal(signal, message, selectors) for signal in message.signals),
        j1939=group,
        fast_packet=group and message.length > 8 and j1939.pgn_of(message.frame_id) >= FAST_PACKET_PGN_MIN,
        period_ms=_period_ms(message.cycle_time),
    )


def _signal(signal: Signal, message: Message, selectors: dict[str, Signal]) -> DescribedSignal:
    problem = _problem(signal)
    if problem:
        raise _WrongError(f"The signal {signal.name} {problem}", message.name, signal.name)
    parent, pages = signal.multiplexer_signal, tuple[int, ...]()
    if parent in selectors:  # of a multiplexer that is none, or is not there, cantools decodes nothing
        try:
            pages = raw_pages(selectors[parent], signal.multiplexer_ids or ())
        except ValueError as e:
            raise _WrongError(f"The signal {parent} {e}", message.name, parent) from e
    scale, offset = _scaling(signal)
    return DescribedSignal(
        signal.name,
        signal.start,
        signal.length,
        signal.byte_order != "big_endian",
        bool(signal.is_signed),
        bool(signal.is_float),
        scale,
        offset,
        _limit(signal.minimum),
        _limit(signal.maximum),
        signal.unit or None,
        signal.comment or None,
        _choices(signal),
        parent,
        pages,
        bool(signal.is_multiplexer),
    )


def _problem(signal: Signal) -> str:
    """What no frame can carry, or arithmetic not keep."""
    if not signal.name:
        return "has no name"
    if signal.start < 0 or signal.start >= 8 * MESSAGE_BYTES_MAX:
        return f"starts at bit {signal.start}"
    if signal.length > SIGNAL_BITS_MAX:
        return f"has {signal.length} bits, more than {SIGNAL_BITS_MAX}"
    if not (_is_sane(signal.scale) and _is_sane(signal.offset) and _fits(signal.minimum) and _fits(signal.maximum)):
        return f"has a scale, offset or range beyond {NUMBER_MAX:g}"
    if signal.is_float and signal.length not in FLOAT_BITS:
        return f"is a float of {signal.length} bits, not one of {', '.join(map(str, FLOAT_BITS))}"
    return ""


def _is_sane(number: float) -> bool:
    """Whether arithmetic with it stays within floats; NaN's does not."""
    return -NUMBER_MAX <= number <= NUMBER_MAX


def _fits(limit: Number | None) -> bool:
    """Whether a range can end there: at any float, as doubles' ranges often end at the last one."""
    return limit is None or _is_sane(limit) or (isinstance(limit, float) and not math.isnan(limit))


def _scaling(signal: Signal) -> tuple[Number, Number]:
    """Scale and offset so that `raw * scale + offset` is what cantools gives: whole ones keep a whole number whole.

    `2.0` is whole too. Whole numbers past 64 bits become floats, 1e-16 beside.
    """
    scale, offset = signal.conversion.scale, signal.conversion.offset
    if scale == 1 and offset == 0:
        return 1, 0
    if not signal.is_float and all(float(n).is_integer() for n in (scale, offset)):
        scale, offset = int(scale), int(offset)
    return _number(scale), _number(offset)


def _number(value: Number) -> Number:
    return float(value) if isinstance(value, int) and not _INT_MIN <= value < _INT_END else value


def _limit(value: float | None) -> float | None:
    return None if value is None or math.isinf(value) else float(value)


def _choices(signal: Signal) -> dict[int, str]:
    """Names of whole values that MessagePack can carry; no raw value that has one is longer."""
    found = {}
    for value, name in (signal.choices or {}).items():
        if math.isfinite(value) and int(value) == value and _INT_MIN <= value < _KEY_END:
            found[int(value)] = str(name)
    return found


def _period_ms(value: object) -> int | None:  # a DBC may define it as text
    return round(value) if isinstance(value, int | float) and 0.5 <= value < _PERIOD_MS_MAX else None


def _merged(signals: Iterable[DescribedSignal]) -> tuple[DescribedSignal, ...]:
    """Signals that a text repeats page by page (SYM does), once with all their pages."""
    found: dict[tuple[object, ...], DescribedSignal] = {}
    for s in signals:
        key = s.name, s.start, s.length, s.intel, s.signed, s.is_float, s.scale, s.offset, s.multiplexer
        same = found.get(key)
        if same is not None:
            s = msgspec.structs.replace(same, pages=tuple(sorted({*same.pages, *s.pages})))
        found[key] = s
    return tuple(found.values())
