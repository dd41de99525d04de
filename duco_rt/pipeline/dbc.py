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


def load(file: ParsingFile) -> Database:
    """The database of one file. Raises BadParsing naming file and line."""
    if file.format != "dbc":
        raise BadParsing(f"{file.name}: format {file.format!r} is not one of dbc")
    try:
        database = cantools.database.load_string(file.text, "dbc", strict=True)
    except Exception as e:  # cantools lets KeyError, ValueError and its own errors out of a malformed text
        raise BadParsing(f"{file.name}: {_explain(file.text, e)}") from e
    if not isinstance(database, Database) or not database.messages:
        raise BadParsing(f"{file.name}: line 1: no message (BO_) in it")
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


def _explain(text: str, error: Exception) -> str:
    """The error's own words, with the line where they, or a name in them, stand."""
    words = str(getattr(error, "e_dbc", None) or error).strip() or type(error).__name__
    at = _LINE.search(words)
    if at:
        return f"line {at[1]}, column {at[2]}: {words.replace(at[0], '').replace('  ', ' ')}"
    named = _NAMED.search(words)
    first = re.search(r"(?:[A-Z]+_ .+|\w+)$", words.strip("'"))
    wanted = rf"^\s*BO_\s+\d+\s+{re.escape(named[1])}\b" if named else re.escape(first[0]) if first else ""
    if isinstance(error, KeyError) or words.startswith("'"):
        wanted, words = re.escape('"' + words.strip("'") + '"'), f"{words} is not defined"
    for number, line in enumerate(text.splitlines(), 1):
        if wanted and re.search(wanted, line):
            return f"line {number}: {' '.join(words.split())}"
    return f"line 1: {' '.join(words.split())}"
