"""Scripts and style sheets without what only their readers need. Pure.

rjsmin knows template literals, but not one inside the `${…}` of another: each goes past it whole.
"""

from __future__ import annotations

import re

from rcssmin import cssmin
from rjsmin import jsmin

_TOKEN = re.compile(
    r"(?P<skip>\s+|//[^\n]*|/\*.*?\*/)"
    r"|(?P<text>'(?:[^'\\\n]|\\.)*'|\"(?:[^\"\\\n]|\\.)*\")"
    r"|(?P<word>[\w$]+)"
    r"|(?P<other>.)",
    re.DOTALL,
)
_PATTERN = re.compile(r"/(?:[^/\\\[\n]|\\.|\[(?:[^\]\\\n]|\\.)*\])+/")
_IN_TEMPLATE = re.compile(r"\\.|`|\$\{", re.DOTALL)
_BEFORE_PATTERN = frozenset(["", *"(,=:[!&|?{;+-*%~^<>"])
_WORDS_BEFORE_PATTERN = frozenset(
    ["return", "typeof", "case", "in", "of", "delete", "void", "throw", "new", "do", "else", "yield", "await"]
)
_HELD = "\ue000"
"""Marks the place of a template; of the private use area, so that no script has it."""

_PLACE = re.compile(f"`{_HELD}([0-9]+)`")


def script(text: str) -> str:
    """JavaScript of the same meaning, on few lines and without comments."""
    if _HELD in text:
        return text
    templates: list[str] = []
    pieces: list[str] = []
    done = 0
    for start, end in _templates(text):
        pieces += [text[done:start], f"`{_HELD}{len(templates)}`"]
        templates.append(text[start:end])
        done = end
    short: str = jsmin("".join([*pieces, text[done:]]))
    return _PLACE.sub(lambda place: templates[int(place[1])], short)


def sheet(text: str) -> str:
    """CSS of the same meaning."""
    short: str = cssmin(text)
    return short


def _templates(text: str) -> list[tuple[int, int]]:
    """Start and end of each template literal that is not inside of another."""
    found: list[tuple[int, int]] = []
    _skip_code(text, 0, found)
    return found


def _skip_code(text: str, at: int, found: list[tuple[int, int]]) -> int:
    """The place after the brace that closes what is open at `at`, or the end; templates on the way go to `found`."""
    depth, last = 1, ""
    while depth and (token := _TOKEN.match(text, at)):
        start, at = at, token.end()
        if token.lastgroup == "skip":
            continue
        if token[0] == "`":
            at = _skip_template(text, at)
            found.append((start, at))
        elif token[0] == "/" and (last in _BEFORE_PATTERN or last in _WORDS_BEFORE_PATTERN):
            pattern = _PATTERN.match(text, start)
            at = pattern.end() if pattern else at
        depth += (token[0] == "{") - (token[0] == "}")
        last = token[0]
    return at


def _skip_template(text: str, at: int) -> int:
    """The place after a template whose text begins at `at`."""
    while part := _IN_TEMPLATE.search(text, at):
        at = part.end()
        if part[0] == "`":
            return at
        if part[0] == "${":
            at = _skip_code(text, at, [])
    return len(text)
