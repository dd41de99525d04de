"""What is wrong with a SYM text (PCAN Symbol Editor, version 6.0), and on which line. Pure."""

from __future__ import annotations

import re

from duco_rt.pipeline.decoding.limits import (
    IDS_MAX,
    MESSAGE_BYTES_MAX,
    SIGNAL_BITS_MAX,
    SIGNALS_MAX,
    is_over,
    line_at,
)

_LINE = re.compile(r"at line (\d+), column (\d+)")
_NAMED = re.compile(r"in message ['\"]?(\w+)", re.IGNORECASE)
_SIGNAL = re.compile(r"The signals? (\w+)")
_QUOTED = re.compile(r"'([^']+)'")

_NAME = r'(?:"[^"\n]*"|[^\s"=]+)'
_LENGTH = re.compile(r"\bLen\s*=\s*(\d+)")
_IDS = re.compile(r"\bID\s*=\s*([0-9A-Fa-f]+)h\s*-\s*([0-9A-Fa-f]+)h")
_PLACED = re.compile(rf"\b(?:Sig|Var|Mux)\s*=\s*({_NAME})(\s+[A-Za-z_]\w*)?\s+(\d+)(?:\s*,\s*(\d+))?")
_STARTS_MAX = 8 * MESSAGE_BYTES_MAX


def refusal(text: str) -> str:
    """What makes a text unfit to be given to cantools, "line N: why", or "": numbers that would fill memory."""
    for found in _LENGTH.finditer(text):
        if is_over(found[1], MESSAGE_BYTES_MAX):
            return f"line {line_at(text, found.start())}: {found[1][:20]} bytes, more than {MESSAGE_BYTES_MAX}"
    ids = 0
    for found in _IDS.finditer(text):
        first, last = int(found[1][:16], 16), int(found[2][:16], 16)
        ids += max(0, last - first)
        if last - first >= IDS_MAX:
            return f"line {line_at(text, found.start())}: over {IDS_MAX} ids in {found[1]}h-{found[2]}h"
        if ids > SIGNALS_MAX:
            return f"line {line_at(text, found.start())}: over {SIGNALS_MAX} ids in all"
    for found in _PLACED.finditer(text):
        name, kind, first_number, second = found.groups()
        # `Sig=x unsigned 16` gives a length; `Sig=x 16` a start; `Var=x unsigned 0,16` and `Mux=x 0,8` both
        start, length = (first_number, second) if second or not kind else ("0", first_number)
        problem = ""
        if is_over(start, _STARTS_MAX):
            problem = f"starts at bit {start[:20]}"
        elif length and is_over(length, SIGNAL_BITS_MAX):
            problem = f"has {length[:20]} bits, more than {SIGNAL_BITS_MAX}"
        if problem:
            return f"line {line_at(text, found.start())}: The signal {name.strip(chr(34))} {problem}"
    return ""


def explain(text: str, error: Exception) -> str:
    """The error's own words, with the line where they, or a name in them, stand."""
    words = " ".join(str(error).split()) or type(error).__name__
    at = _LINE.search(words)
    if at:
        return f"line {at[1]}, column {at[2]}: {words.replace(f' {at[0]}', '')}"
    named = _NAMED.search(words)
    if named:
        signal = _SIGNAL.search(words)
        return f"line {line_of(text, named[1], signal[1] if signal else None)}: {words}"
    quoted = _QUOTED.search(words)
    if isinstance(error, KeyError):
        words = f"{words} is not defined"
    if quoted:
        found = re.search(rf"(?<!\w){re.escape(quoted[1])}(?!\w)", text)
        return f"line {line_at(text, found.start()) if found else 1}: {words}"
    return f"line 1: {words}"


def line_of(text: str, message: str, signal: str | None) -> int:
    """The line of a signal's definition or use, or of the message where there is no such signal."""
    if signal:
        found = re.search(rf'\b(?:Sig|Var|Mux)\s*=\s*"?{re.escape(signal)}"?(?!\w)', text)
        if found:
            return line_at(text, found.start())
    found = re.search(rf'\[\s*"?{re.escape(message)}"?\s*\]', text)
    return line_at(text, found.start()) if found else 1
