"""Scripts and style sheets without what only their readers need, names inside of functions made short. Pure.

Where the minifier has no build for the machine, texts stay as they are: larger, and the same.
"""

from __future__ import annotations

try:
    import minify as tdewolff
except ImportError:
    tdewolff = None

IS_HERE = tdewolff is not None


def script(text: str) -> str:
    """JavaScript of the same meaning. Raises ValueError where it is none."""
    return _short("text/javascript", text)


def sheet(text: str) -> str:
    """CSS of the same meaning."""
    return _short("text/css", text)


def _short(kind: str, text: str) -> str:
    if tdewolff is None:
        return text
    short: str = tdewolff.string(kind, text)
    return short
