"""What a viewer wants to see: names, patterns, and how. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

from duco_rt.errors import BadInput

STATS = ("min", "max", "count")
"""What a viewer may ask for beside the last value, in the order of a live message's spans."""

ENTRIES_MAX = 2_000
"""Where a server says nothing else."""

PATTERNS_MAX = 64
CHARACTERS_MAX = 256 * 1024
"""Of one list; ADD_FIELDS again and again is bounded by them."""

_TOGETHER_CHARACTERS_MAX = 4096
_NAME_CHARACTERS_MAX = 1024
_MATCHERS_MAX = 16
_MEMO_NAMES_MAX = 32_768  # all that a stream knows of its machine, which is less


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

    def adding(self, entries: Iterable[str], entries_max: int = ENTRIES_MAX) -> FieldList:
        """The list with these entries, too. Raises Refused where it gets too long."""
        grown = field_list([*self.entries, *entries], self.stats, self.max_hz, self.on_change)
        check_length(grown.entries, entries_max)
        return grown

    def removing(self, entries: Iterable[str]) -> FieldList:
        """The list without these entries, as they were written."""
        gone = frozenset(entries)
        kept = [entry for entry in self.entries if entry not in gone]
        return field_list(kept, self.stats, self.max_hz, self.on_change)

    def matching(self, known: Iterable[str]) -> list[str]:
        """The names, known or not, then what the patterns match of `known`, in its order; each once."""
        found = dict.fromkeys(self.names)
        if self.patterns:
            matched = matcher(self.patterns).matched
            found |= dict.fromkeys(name for name in known if matched(name))
        return list(found)

    def unknown(self, known: Collection[str]) -> list[str]:
        """The entries that nothing of `known` matches."""
        held = frozenset(known)
        names = [name for name in self.names if name not in held]
        if not self.patterns:
            return names
        found, matched = 0, matcher(self.patterns).matched
        for name in held:
            found |= matched(name)
        return names + [each for at, each in enumerate(self.patterns) if not found >> at & 1]


def field_list(
    entries: Iterable[str], stats: Collection[str] = (), max_hz: float | None = None, on_change: bool = False
) -> FieldList:
    """A list of these entries, each once and in order; one with `*` is a pattern."""
    each_once = dict.fromkeys(entries)
    names = tuple(entry for entry in each_once if "*" not in entry)
    patterns = tuple(entry for entry in each_once if "*" in entry)
    return FieldList(names, patterns, tuple(name for name in STATS if name in stats), max_hz, on_change)


def check_length(entries: Sequence[str], entries_max: int = ENTRIES_MAX) -> None:
    """Raises Refused for too many entries, more than 64 patterns among them, or 256 Ki characters in all."""
    if len(entries) > entries_max:
        raise Refused("bad_fields", f"{len(entries)} entries: a list has at most {entries_max}")
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


class Matcher:
    """Several patterns at once, in time linear in the name, whatever they are; it remembers what it was asked.

    Where a name may be in its patterns is one number, a bit a place, the patterns one after the other:

        a*bc    place   0 1 2 3      0 before a, 1 before b, 2 before c, 3 the end
                stay      1          at a star any character leads back to the same place
                steps   a: 0, b: 1, c: 2      a character leads from these one place on

    Very long patterns would make that number too large, and are tried one by one, as is a very long name.
    """

    def __init__(self, patterns: Sequence[str]) -> None:
        self._patterns = patterns
        self._steps: dict[str, int] = {}
        self._starts = self._stay = self._ends = 0
        self._at_end: dict[int, int] = {}
        """By the place of its end plus one: the pattern's own bit."""
        self._alone: list[int] = []
        self._memo: dict[str, int] = {}
        place = 0
        for length, at in sorted((len(each), at) for at, each in enumerate(patterns)):
            if place + length > _TOGETHER_CHARACTERS_MAX:
                self._alone.append(at)
            else:
                place = self._add(patterns[at], place)
                self._at_end[place] = 1 << at

    def _add(self, pattern: str, place: int) -> int:
        self._starts |= 1 << place
        for character in pattern:
            if character == "*":
                self._stay |= 1 << place
            else:
                self._steps[character] = self._steps.get(character, 0) | 1 << place
                place += 1
        self._ends |= 1 << place
        return place + 1

    def matched(self, name: str) -> int:
        """Which patterns match the whole name: the bit `1 << n` for the n-th of them; 0 for none."""
        found = self._memo.get(name)
        if found is None:
            is_long = len(name) > _NAME_CHARACTERS_MAX
            found = 0 if is_long else self._together(name)
            for at in range(len(self._patterns)) if is_long else self._alone:
                found |= Pattern(self._patterns[at]).matches(name) << at
            if len(self._memo) >= _MEMO_NAMES_MAX:
                self._memo.clear()
            self._memo[name] = found
        return found

    def _together(self, name: str) -> int:
        places, stay, steps = self._starts, self._stay, self._steps
        for character in name:
            places = places & stay | (places & steps.get(character, 0)) << 1
            if not places:
                return 0
        places &= self._ends
        found = 0
        while places:
            end = places.bit_length()
            found |= self._at_end[end]
            places ^= 1 << end - 1
        return found


@lru_cache(_MATCHERS_MAX)
def matcher(patterns: tuple[str, ...]) -> Matcher:
    """The one of these patterns: what one thread found out, the others need not."""
    return Matcher(patterns)
