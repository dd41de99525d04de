"""What is wrong with a DBC text, and on which line. Pure; `describe` reads the good ones."""

from __future__ import annotations

import re

from duco_rt.pipeline.decoding.limits import (
    ENTRIES_MAX,
    MESSAGE_BYTES_MAX,
    PAGES_MAX,
    SIGNAL_BITS_MAX,
    is_over,
)

_LINE = re.compile(r"at line (\d+), column (\d+)")
_NAMED = re.compile(r"in message ['\"]?(\w+)", re.IGNORECASE)
_SIGNAL = re.compile(r"The signals? (\w+)")
_DEFINED = re.compile(r'\s*BA_DEF_\s+(?:[A-Z]+_\s+)?"(\w+)"\s+([A-Z]+)(.*)')
_GIVEN = re.compile(r'\s*BA_\s+"(\w+)"\s.*?("[^"]*"|[^\s"]+)\s*;')

_MESSAGE_ROW = re.compile(r"\s*BO_\s+\d+\s+(\w+)\s*:\s*(\d+)")
_SIGNAL_ROW = re.compile(r"\s*SG_\s+(\w+)\s*(\w*)\s*:\s*(?:(\d+)\|(\d+))?")
_PAGES_ROW = re.compile(r"\s*SG_MUL_VAL_\s")
_RANGE = re.compile(r"(\d+)-(\d+)")


def refusal(text: str) -> str:
    """What makes a text unfit to be given to cantools, "line N: why", or "": numbers that would fill memory."""
    pages = 0
    for number, line in enumerate(text.split("\n"), 1):
        row = line.lstrip()
        problem = ""
        if row.startswith("SG_ ") or row.startswith("SG_\t"):
            problem = _signal_problem(line)
        elif row.startswith("BO_"):
            found = _MESSAGE_ROW.match(line)
            if found and is_over(found[2], MESSAGE_BYTES_MAX):
                problem = f"The message {found[1]} has {found[2][:20]} bytes, more than {MESSAGE_BYTES_MAX}"
        elif _PAGES_ROW.match(line):
            for first, last in _RANGE.findall(line):
                count = int(last[:20]) - int(first[:20])
                pages += max(0, count) + 1
                if count >= PAGES_MAX:
                    problem = f"over {PAGES_MAX} pages in {first}-{last}"
            if pages > ENTRIES_MAX:
                problem = problem or f"over {ENTRIES_MAX} pages in all"
        if problem:
            return f"line {number}: {problem}"
    return ""


def _signal_problem(line: str) -> str:
    found = _SIGNAL_ROW.match(line)
    if not found:
        return ""
    if found[2] in ("m", "mM"):
        return "a multiplexed signal needs its page: m0"
    if found[3] and is_over(found[3], 8 * MESSAGE_BYTES_MAX):
        return f"The signal {found[1]} starts at bit {found[3][:20]}"
    if found[4] and is_over(found[4], SIGNAL_BITS_MAX):
        return f"The signal {found[1]} has {found[4][:20]} bits, more than {SIGNAL_BITS_MAX}"
    return ""


def explain(text: str, error: Exception) -> str:
    """The error's own words, with the line where they, or a name in them, stand."""
    words = " ".join(str(error).split()) or type(error).__name__
    at = _LINE.search(words)
    if at:
        return f"line {at[1]}, column {at[2]}: {words.replace(f' {at[0]}', '')}"
    if isinstance(error, IndexError | ArithmeticError):
        return _explain_attribute(text) or f"line 1: {words}"
    named = _NAMED.search(words)
    if named:
        signal = _SIGNAL.search(words)
        return f"line {line_of(text, named[1], signal[1] if signal else None)}: {words}"
    first = re.search(r"(?:[A-Z]+_ .+|\w+)$", str(error).strip("' \n"))  # of several lines the last
    wanted = re.escape(first[0]) if first else ""
    if isinstance(error, KeyError) or words.startswith("'"):
        wanted, words = re.escape('"' + words.strip("'") + '"'), f"{words} is not defined"
    found = re.search(wanted, text) if wanted else None
    return f"line {text.count(chr(10), 0, found.start()) + 1 if found else 1}: {words}"


def line_of(text: str, message: str, signal: str | None) -> int:
    """The line of a message's signal, or of the message where it has no such signal."""
    begin = 0
    for number, line in enumerate(text.split("\n"), 1):
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
    lines = list(enumerate(text.split("\n"), 1))
    kinds = {found[1]: (found[2], found[3].count('"') // 2) for _, line in lines if (found := _DEFINED.match(line))}
    for number, line in lines:
        given = _GIVEN.match(line)
        kind, names = kinds.get(given[1], ("", 0)) if given else ("", 0)
        if not given or kind in ("", "STRING"):
            continue
        text_given = given[2].startswith('"')
        if not text_given and _whole(given[2]) >= names if kind == "ENUM" else text_given:
            return f"line {number}: {given[2]} is no value of the attribute {given[1]!r}, which is {kind}"
    return ""


def _whole(number: str) -> float:
    try:
        return float(number)
    except ValueError:
        return 0.0
