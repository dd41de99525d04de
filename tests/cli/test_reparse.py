"""What `reparse` shows, and what it makes of the lines of an answer."""

from __future__ import annotations

import io
from typing import Any

import msgspec
import pytest

from duco_rt.__main__ import _joined
from duco_rt.cli.owner import json_of
from duco_rt.cli.reparse import Display, _take
from duco_rt.errors import TransportError
from duco_rt.pipeline.reparse import Progress, Result

RESULT = Result("D1", 0, 3_599_999, ("p", 2), 3600, 3598, {"short_frame": 12, "no": 1}, 62.4, 57.7, [])


class Terminal(io.StringIO):
    """Somebody who sees each line redrawn."""

    def isatty(self) -> bool:
        """It is one."""
        return True


def at(percent: float, rate: float = 100.0) -> Progress:
    """So far of 1000 s."""
    return Progress(round(percent * 10_000), 1_000_000, 10, 9, rate)


def test_a_line_every_ten_percent() -> None:
    """Where stdout is no terminal; none twice, however it steps."""
    out = io.StringIO()
    display = Display("D1", out)
    for percent in (0, 5, 9.99, 10, 11, 19, 35, 39, 40, 99.9, 100, 100):
        display.progress(at(percent))
    display.result(RESULT)
    lines = out.getvalue().splitlines()
    assert [line.split()[1] for line in lines[:5]] == ["10", "35", "40", "99", "100"]
    assert lines[2] == "D1  40 %  100x real time  9 samples  ETA 0:06"
    assert lines[5:] == [
        "D1: 3600 seconds read again with p version 2, 3598 samples stored, 1970-01-01T00:00:00Z to"
        " 1970-01-01T00:59:59Z, in 1:02, 58x real time",
        "problems: no 1, short_frame 12",
    ]


def test_one_line_redrawn_on_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """A shorter one covers the longer one before it; what comes next begins a line."""
    out = Terminal()
    display = Display("D1", out)
    display.progress(at(0, rate=0))
    display.progress(at(50, rate=12_345))
    display.progress(at(51))
    display.note("something")
    display.result(RESULT)
    drawn, *after = out.getvalue().split("\n")
    first, second, third = drawn.split("\r")[1:]
    assert "ETA -:--" in first
    assert "[" + "#" * 10 + "-" * 10 + "]" in second
    assert len(third) == len(second)
    assert after[0].startswith("D1: 3600 seconds")
    assert capsys.readouterr().err == "D1: something\n"


def test_a_range_without_data(capsys: pytest.CaptureFixture[str]) -> None:
    """Is said; what should be known afterwards goes to stderr."""
    out = io.StringIO()
    empty = msgspec.structs.replace(RESULT, seconds=0, samples=0, problems={}, notes=["run it again"])
    Display("D1", out).result(empty)
    assert out.getvalue() == "D1: no raw data, 1970-01-01T00:00:00Z to 1970-01-01T00:59:59Z\n"
    assert capsys.readouterr().err == "D1: run it again\n"


@pytest.mark.parametrize("line", [{"done_ms": "x"}, {"result": {}}, {"result": 1}, [], 1, None])
def test_a_line_that_is_none_of_ours(line: Any) -> None:
    """Is a TransportError, never another one."""
    with pytest.raises(TransportError):
        _take(line, Display("D1", io.StringIO()))


def test_lines() -> None:
    """Progress and notes are shown, a result is given back, an error raised."""
    out = io.StringIO()
    display = Display("D1", out)
    assert _take(json_of(msgspec.json.encode(at(50))), display) is None
    assert _take({"note": "n"}, display) is None
    assert _take(json_of(msgspec.json.encode({"result": RESULT})), display) == RESULT
    assert "50 %" in out.getvalue()
    with pytest.raises(TransportError, match="stopped"):
        _take({"error": {"code": "unavailable", "message": "stopped"}}, display)
    with pytest.raises(TransportError, match="none of duco_rt"):
        json_of(b"<html>")


JOINED = {
    "reparse --from -2h --to -30m --device D": "reparse --from=-2h --to=-30m --device D",
    "reparse --from -2h --to now": "reparse --from=-2h --to now",
    "reparse --from=-2h --to": "reparse --from=-2h --to",
    "reparse --from --to -1d": "reparse --from --to=-1d",
    "replay a.log --speed -2": "replay a.log --speed -2",
}


@pytest.mark.parametrize("words", JOINED)
def test_a_time_that_begins_with_a_minus(words: str) -> None:
    """Is no option."""
    assert _joined(words.split()) == JOINED[words].split()
