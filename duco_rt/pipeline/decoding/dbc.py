"""Read a parsing's database texts with cantools and refuse a bad one with the line that is wrong."""

from __future__ import annotations

import re
from collections.abc import Sequence

import cantools
from cantools.database.can import Database, Message

from duco_rt.errors import BadParsing
from duco_rt.model import ParsingFile

_LINE = re.compile(r"at line (\d+), column (\d+)")
_NAMED = re.compile(r"in message ['\"]?(\w+)", re.IGNORECASE)
_SIGNAL = re.compile(r"The signals? (\w+)")
_DEFINED = re.compile(r'\s*BA_DEF_\s+(?:[A-Z]+_\s+)?"(\w+)"\s+([A-Z]+)(.*)')
_GIVEN = re.compile(r'\s*BA_\s+"(\w+)"\s.*?("[^"]*"|[^\s"]+)\s*;')

FLOAT_BITS = (16, 32, 64)
PAGES_MAX = 65_536

_SIGNAL_BITS_MAX = 512
_NUMBER_MAX = 1e100


def load(file: ParsingFile) -> Database:
    """The database of one file. Raises BadParsing naming file and line."""
    if file.format != "dbc":
        raise BadParsing(f"{file.name}: format {file.format!r} is not one of dbc")
    _check_pages(file)
    try:
        database = cantools.database.load_string(file.text, "dbc", strict=True)
    except Exception as e:  # cantools lets KeyError, ValueError and its own errors out of a malformed text
        raise BadParsing(f"{file.name}: {_explain(file.text, e)}") from e
    if not isinstance(database, Database) or not database.messages:
        raise BadParsing(f"{file.name}: line 1: no message (BO_) in it")
    _check_signals(file, database)
    return database


def check(files: Sequence[ParsingFile]) -> None:
    """Raise BadParsing for the first file that cannot be used."""
    if not files:
        raise BadParsing("a parsing needs one file at least")
    for file in files:
        load(file)


def is_j1939(message: Message) -> bool:
    """Whether the message is matched by PGN: its VFrameFormat (or the database's default) is J1939PG."""
    return message.protocol == "j1939" and message.is_extended_frame


def _check_pages(file: ParsingFile) -> None:
    """Refuse page numbers that cantools cannot read, and ranges of them that it would list until memory ends."""
    for number, line in enumerate(file.text.splitlines(), 1):
        if re.match(r"\s*SG_\s+\w+\s+mM?\s*:", line):
            raise BadParsing(f"{file.name}: line {number}: a multiplexed signal needs its page: m0")
        if re.match(r"\s*SG_MUL_VAL_\s", line):
            for first, last in re.findall(r"(\d+)-(\d+)", line):
                if int(last[:20]) - int(first[:20]) >= PAGES_MAX:
                    raise BadParsing(f"{file.name}: line {number}: over {PAGES_MAX} pages in {first}-{last}")


def _check_signals(file: ParsingFile, database: Database) -> None:
    """Refuse what cantools reads and no frame can carry."""
    for message in database.messages:
        for signal in message.signals:
            problem = ""
            if signal.start < 0:
                problem = f"starts at bit {signal.start}"
            elif signal.length > _SIGNAL_BITS_MAX:
                problem = f"has {signal.length} bits, more than {_SIGNAL_BITS_MAX}"
            elif not all(_is_sane(n) for n in (signal.scale, signal.offset, signal.minimum, signal.maximum)):
                problem = f"has a scale, offset or range beyond {_NUMBER_MAX:g}"
            elif signal.is_float and signal.length not in FLOAT_BITS:
                problem = f"is a float of {signal.length} bits, not one of 16, 32, 64"
            if problem:
                line = _line_of(file.text, message.name, signal.name)
                raise BadParsing(f"{file.name}: line {line}: The signal {signal.name} {problem}")


def _is_sane(number: float | None) -> bool:
    """Whether arithmetic with it stays within floats."""
    return number is None or -_NUMBER_MAX <= number <= _NUMBER_MAX


def _explain(text: str, error: Exception) -> str:
    """The error's own words, with the line where they, or a name in them, stand."""
    error = getattr(error, "e_dbc", None) or error
    words = str(error).strip() or type(error).__name__
    at = _LINE.search(words)
    if at:
        return f"line {at[1]}, column {at[2]}: {words.replace(at[0], '').replace('  ', ' ')}"
    if isinstance(error, IndexError | ArithmeticError):
        return _explain_attribute(text) or f"line 1: {words}"
    named = _NAMED.search(words)
    if named:
        signal = _SIGNAL.search(words)
        return f"line {_line_of(text, named[1], signal[1] if signal else None)}: {' '.join(words.split())}"
    first = re.search(r"(?:[A-Z]+_ .+|\w+)$", words.strip("'"))
    wanted = re.escape(first[0]) if first else ""
    if isinstance(error, KeyError) or words.startswith("'"):
        wanted, words = re.escape('"' + words.strip("'") + '"'), f"{words} is not defined"
    for number, line in enumerate(text.splitlines(), 1):
        if wanted and re.search(wanted, line):
            return f"line {number}: {' '.join(words.split())}"
    return f"line 1: {' '.join(words.split())}"


def _line_of(text: str, message: str, signal: str | None) -> int:
    """The line of a message's signal, or of the message where it has no such signal."""
    begin = 0
    for number, line in enumerate(text.splitlines(), 1):
        if re.match(r"\s*BO_\s", line):
            if begin:
                break
            if re.match(rf"\s*BO_\s+\d+\s+{re.escape(message)}\b", line):
                begin = number
        elif begin and signal and re.match(rf"\s*SG_\s+{re.escape(signal)}\b", line):
            return number
    return begin or 1


def _explain_attribute(text: str) -> str:
    """The first attribute value that its definition does not allow; cantools only says that one is wrong."""
    lines = list(enumerate(text.splitlines(), 1))
    kinds = {found[1]: (found[2], found[3].count('"') // 2) for _, line in lines if (found := _DEFINED.match(line))}
    for number, line in lines:
        given = _GIVEN.match(line)
        kind, names = kinds.get(given[1], ("", 0)) if given else ("", 0)
        if not given or kind in ("", "STRING"):
            continue
        text_given = given[2].startswith('"')
        if not text_given and int(float(given[2])) >= names if kind == "ENUM" else text_given:
            return f"line {number}: {given[2]} is no value of the attribute {given[1]!r}, which is {kind}"
    return ""
