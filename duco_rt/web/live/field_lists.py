"""What a viewer wants to see: names, patterns, and how. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from duco_rt.errors import BadInput

STATS = ("min", "max", "count")
"""What a viewer may ask for beside the last value, in the order of a live message's spans."""

ENTRIES_MAX = 1000
PATTERNS_MAX = 64
CHARACTERS_MAX = 256 * 1024
"""Of one list; ADD_FIELDS again and again is bounded by them."""


class Refused(BadInput):
    """Something that a client asked for and does not get: `code` for programs, `message` for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class FieldList(NamedTuple):
    """The key by which work is done once: equal lists are one, however many viewers they have.

    `stats` are some of STATS; `max_hz` is messages a second, None for all; `on_change`: only values that differ.
    """

    names: tuple[str, ...]
    patterns: tuple[str, ...] = ()
    stats: tuple[str, ...] = ()
    max_hz: float | None = None
    on_change: bool = False

    @property
    def entries(self) -> tuple[str, ...]:
        """The names, then the patterns, as they were written."""
        return self.names + self.patterns

    def adding(self, entries: Iterable[str]) -> FieldList:
        """The list with these entries, too. Raises Refused where it gets too long."""
        grown = field_list([*self.entries, *entries], self.stats, self.max_hz, self.on_change)
        check_length(grown.entries)
        return grown

    def removing(self, entries: Iterable[str]) -> FieldList:
        """The list without these entries, as they were written."""
        gone = frozenset(entries)
        kept = [entry for entry in self.entries if entry not in gone]
        return field_list(kept, self.stats, self.max_hz, self.on_change)

    def matching(self, known: Iterable[str]) -> list[str]:
        """The names, known or not, then what the patterns match of `known`, in its order; each once."""
        found = dict.fromkeys(self.names)
        patterns = [Pattern(each) for each in self.patterns]
        if patterns:
            found |= dict.fromkeys(name for name in known if any(each.matches(name) for each in patterns))
        return list(found)

    def unknown(self, known: Collection[str]) -> list[str]:
        """The entries that nothing of `known` matches."""
        held = frozenset(known)
        names = [name for name in self.names if name not in held]
        return names + [each for each in self.patterns if not any(map(Pattern(each).matches, held))]


def field_list(
    entries: Iterable[str], stats: Collection[str] = (), max_hz: float | None = None, on_change: bool = False
) -> FieldList:
    """A list of these entries, each once and in order; one with `*` is a pattern."""
    each_once = dict.fromkeys(entries)
    names = tuple(entry for entry in each_once if "*" not in entry)
    patterns = tuple(entry for entry in each_once if "*" in entry)
    return FieldList(names, patterns, tuple(name for name in STATS if name in stats), max_hz, on_change)


def check_length(entries: Sequence[str]) -> None:
    """Raises Refused for more than 1,000 entries, more than 64 patterns among them, or 256 Ki characters in all."""
    if len(entries) > ENTRIES_MAX:
        raise Refused("bad_fields", f"{len(entries)} entries: a list has at most {ENTRIES_MAX}")
    patterns = sum("*" in entry for entry in entries)
    if patterns > PATTERNS_MAX:
        raise Refused("bad_fields", f"{patterns} patterns (entries with *): a list has at most {PATTERNS_MAX}")
    characters = sum(map(len, entries))
    if characters > CHARACTERS_MAX:
        raise Refused("bad_fields", f"{characters} characters: a list has at most {CHARACTERS_MAX}")


def matches(pattern: str, name: str) -> bool:
    """Whether a pattern, with `*` for any run of characters, matches the whole name."""
    return Pattern(pattern).matches(name)


class Pattern:
    """A pattern, cut at its stars once. It never goes back in a name, so that none takes long."""

    __slots__ = ("_first", "_last", "_middle")

    def __init__(self, text: str) -> None:
        self._first, *middle = text.split("*")
        self._last = middle.pop() if middle else None
        self._middle = [part for part in middle if part]

    def matches(self, name: str) -> bool:
        """Whether it is the whole name."""
        first, last = self._first, self._last
        if last is None:
            return name == first
        at, end = len(first), len(name) - len(last)
        if end < at or not (name.startswith(first) and name.endswith(last)):
            return False
        for part in self._middle:
            found = name.find(part, at, end)
            if found < 0:
                return False
            at = found + len(part)
        return True
