"""What a database may hold at most: whatever a text says, reading and keeping it stays within these. Pure."""

from __future__ import annotations

TEXT_BYTES_MAX = 16 * 1024 * 1024
"""One file, in UTF-8."""

SIGNALS_MAX = 100_000
"""One file's."""

FIELDS_MAX = 50_000
"""A parsing's signals, those of J1939 groups again for each source address kept apart: 2 s and 90 MB to compile."""

FIELD_PAGES_MAX = 100_000
"""Pages of all these fields: each costs half as much as a field."""

NAMED_VALUES_MAX = 250_000
"""Named values of a parsing's signals, a shared list counted for each signal."""

MESSAGE_BYTES_MAX = 4_096
"""J1939 puts 1785 bytes together at most, ISO-TP 4095."""

MULTIPLEXERS_MAX = 500
"""Of one message; each is looked for in all its signals."""

SIGNAL_BITS_MAX = 512
PAGES_MAX = 65_536
"""Pages in one range of a multiplexed signal."""

ENTRIES_MAX = 1_000_000
"""All pages, and all named values, of a file's signals, a shared list counted each time."""

CHARACTERS_MAX = 16 * 1024 * 1024
"""All comments, units and names of values of a file's signals, a shared one counted each time."""

IDS_MAX = 4_096
"""Ids that one message of a SYM file stands for."""

NUMBER_MAX = 1e100
"""Scales, offsets and ranges: arithmetic with them stays within floats."""

FLOAT_BITS = (16, 32, 64)

SOURCE_MAX = 253
"""J1939 source addresses; 254 is "none yet", 255 everybody."""

WORDS_MAX = 500
"""Characters of an explanation."""


def is_over(digits: str, most: int) -> bool:
    """Whether a whole number, as text of digits, is over `most`; never slow, however many digits there are."""
    digits = digits.lstrip("-0")
    return len(digits) > len(str(most)) or int(digits or "0") > most


def line_at(text: str, at: int) -> int:
    """The number of the line that holds character `at`."""
    return text.count("\n", 0, at) + 1
