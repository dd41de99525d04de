"""What is wrong with a KCD or ARXML text, and on which line. Pure.

cantools reads both with xml.etree.ElementTree, which resolves no external entity; expat itself stops entities that
grow (from 2.4 on). A document type, which alone can declare entities, is refused here before anything is expanded.
"""

from __future__ import annotations

import re
from xml.parsers import expat

from duco_rt.pipeline.decoding.limits import MESSAGE_BYTES_MAX, SIGNAL_BITS_MAX, is_over, line_at

DEPTH_MAX = 200

_AT = re.compile(r": line (\d+), column (\d+)$")
_NAMED = re.compile(r"in message ['\"]?([\w-]+)", re.IGNORECASE)
_SIGNAL = re.compile(r"The signals? ([\w-]+)")
_QUOTED = re.compile(r"['\"]([^'\"]+)['\"]")
_KCD = "http://kayak.2codeornot2code.org/1.0"

_WHOLE = re.compile(r"\s*[+-]?\d+\s*\Z")
_ID = re.compile(r"\s*(?:0[xX][0-9a-fA-F]{1,8}|\d{1,10})\s*\Z")

_NEEDED: dict[str, tuple[str, ...]] = {
    "Bus": ("name",),
    "Message": ("name", "id"),
    "Signal": ("name", "offset"),
    "Multiplex": ("name", "offset"),
    "MuxGroup": ("count",),
    "NodeRef": ("id",),
    "Node": ("id", "name"),
    "Label": ("name", "value"),
}
"""Attributes without which an element of a KCD cannot be read."""

_MOST: dict[tuple[str, str], int] = {
    ("Message", "length"): MESSAGE_BYTES_MAX,
    ("Signal", "offset"): 8 * MESSAGE_BYTES_MAX,
    ("Signal", "length"): SIGNAL_BITS_MAX,
    ("Multiplex", "offset"): 8 * MESSAGE_BYTES_MAX,
    ("Multiplex", "length"): SIGNAL_BITS_MAX,
}
_WHOLES = {*_MOST, ("MuxGroup", "count"), ("Message", "interval"), ("Label", "value")}
_NUMBERS = {("Value", key) for key in ("min", "max", "slope", "intercept")}


class _RefusedError(Exception):
    pass


def refusal(text: str) -> str:
    """What makes a text unfit to be given to cantools, "line N: why", or ""."""
    parser = expat.ParserCreate("utf-8", "}")
    parser.buffer_text = True
    depth = 0

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > DEPTH_MAX:
            raise _RefusedError(f"more than {DEPTH_MAX} elements in each other")
        space, _, name = tag.rpartition("}")
        if space == _KCD and (problem := _kcd_problem(name, attributes)):
            raise _RefusedError(problem)

    def end(_: str) -> None:
        nonlocal depth
        depth -= 1

    def document_type(*_: object) -> None:
        raise _RefusedError("a document type (DTD) is not taken")

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.StartDoctypeDeclHandler = document_type
    try:
        parser.Parse(text.encode("utf-8", "replace"), True)
    except _RefusedError as e:
        return f"line {parser.CurrentLineNumber}: {e}"
    except expat.ExpatError as e:
        return f"line {e.lineno}, column {e.offset + 1}: {expat.ErrorString(e.code)}"
    return ""


def _kcd_problem(element: str, attributes: dict[str, str]) -> str:
    """What is wrong with the attributes of a KCD element, "" where nothing is."""
    name = attributes.get("name", "")
    shown = f"{element} {name}" if name else element
    for key in _NEEDED.get(element, ()):
        if key not in attributes:
            return f"{shown}: no {key}"
    for key, value in attributes.items():
        place = element, key
        if place in _WHOLES and not _WHOLE.match(value) and value != "auto":
            return f"{shown}: {key} {value[:40]!r} is no whole number"
        if place in _MOST and value != "auto":
            if value.strip().startswith("-"):
                return f"{shown}: {key} {value[:40]} is below 0"
            if is_over(value.strip().removeprefix("+"), _MOST[place]):
                return f"{shown}: {key} {value[:20]} is more than {_MOST[place]}"
        if place in _NUMBERS and not _is_number(value):
            return f"{shown}: {key} {value[:40]!r} is no number"
        if place == ("Message", "id") and not _ID.match(value):
            return f"{shown}: id {value[:40]!r} is no frame id"
    return ""


def _is_number(value: str) -> bool:
    try:
        float(value)
    except ValueError:
        return False
    return True


def explain(text: str, error: Exception) -> str:
    """The error's own words, with the line where they, or a name in them, stand."""
    words = " ".join(str(error).split()) or type(error).__name__
    at = _AT.search(words)
    if at:
        return f"line {at[1]}, column {int(at[2]) + 1}: {words[: at.start()]}"
    named = _NAMED.search(words)
    if named:
        signal = _SIGNAL.search(words)
        return f"line {line_of(text, named[1], signal[1] if signal else None)}: {words}"
    if " root " in words:
        return f"line {line_at(text, max(0, text.find('<', text.find('?>') + 1)))}: {words}"
    for quoted in _QUOTED.findall(words):
        found = _find(text, quoted.rpartition("/")[2])
        if found:
            return f"line {found}: {words}"
    return f"line 1: {words}"


def line_of(text: str, message: str, signal: str | None) -> int:
    """The line of a message's signal, or of the message where it has no such signal."""
    begin = re.search(rf'<(?:\w+:)?Message\b[^>]*\bname\s*=\s*["\']{re.escape(message)}["\']', text)
    if begin and signal:
        name = re.compile(rf'<(?:\w+:)?(?:Signal|Multiplex)\b[^>]*\bname\s*=\s*["\']{re.escape(signal)}["\']')
        found = name.search(text, begin.end())
        if found:
            return line_at(text, found.start())
    if begin:
        return line_at(text, begin.start())
    return (_find(text, signal) if signal else 0) or _find(text, message) or 1


def _find(text: str, name: str) -> int:
    """The line of an ARXML element's short name, else of the first such word; 0 where there is none."""
    found = re.search(rf"<SHORT-NAME>\s*{re.escape(name)}\s*<", text)
    found = found or (re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text) if name else None)
    return line_at(text, found.start()) if found else 0
