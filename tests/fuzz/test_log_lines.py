"""The log under names from outside: one line stays one line, steers no terminal, and takes no time."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from duco_rt.seeing.logs import scrubbed

NAMES = """
import logging
from duco_rt.seeing import logs
logs.configure("warning", "text")
name = "a\\n2026 [info] audit who=nobody\\r\\x1b[2J\\x9b31m\\u202eb\\x85c"
logs.log.warning("first", name=name, names=[name])
logs.log.warning("of " + name)
logging.getLogger("library").warning("cannot read %s", name)
try:
    raise ValueError(name)
except ValueError:
    logs.log.exception("failed")
"""


def test_a_name_begins_no_line_of_its_own() -> None:
    """Nor does it turn the direction of writing; a traceback keeps its lines, set in."""
    done = subprocess.run([sys.executable, "-c", NAMES], capture_output=True, check=True)
    text = done.stderr.decode()
    lines = text.split("\n")
    assert ["] first" in lines[0], "] of a" in lines[1], "] cannot read a" in lines[2]] == [True] * 3
    assert r"\x1b[2J\x9b31m\u202eb\x85c" in lines[0] and text.count("who=nobody") >= 4
    assert all(line[:5].rstrip("-").isdigit() or line.startswith("    ") for line in lines if line)
    assert not [line for line in lines if line.startswith("2026 ")]
    assert not any((ord(c) < 32 and c != "\n") or 0x7F <= ord(c) < 0xA0 or c in "\u202e\u2028" for c in text)


PIECES = ("eyJ-", "eyJaaaaaaaa.", "://", "Bearer ", "Basic ", "&token", "secret", "&a_a_", "duco_0123456789abcdef_")


@pytest.mark.parametrize("piece", PIECES)
def test_no_text_takes_long_to_be_scrubbed(piece: str) -> None:
    """Of a longer text longer in proportion: a request's path is looked at, too."""
    times_s = []
    for length in (10_000, 80_000):
        text = piece * (length // len(piece))
        begin_s = time.process_time()
        scrubbed(text)
        times_s.append(time.process_time() - begin_s)
    assert times_s[1] < 30 * times_s[0] + 0.2
