"""A wrong SYM text is refused with its file and the line that is wrong."""

from __future__ import annotations

import pytest

from duco_rt.errors import BadParsing
from duco_rt.model import ParsingFile
from duco_rt.pipeline.decoding import sym
from duco_rt.pipeline.decoding.describe import describe
from tests.database_texts import SYM

WRONG: dict[str, tuple[str, str, str]] = {
    "version": ("FormatVersion=6.0", "FormatVersion=5.0", "line 1: Only SYM version 6.0"),
    "bracket": ("[Engine]", "[Engine", "line 19, column"),
    "bytes without end": (
        "ID=100h // The engine\nLen=8",
        "ID=100h\nLen=99999999",
        "line 20: 99999999 bytes, more than",
    ),
    "ids without end": ("200h-202h", "200h-1FFFFFFFh", "line 42: over 4096 ids in 200h-1FFFFFFFh"),
    "no enum": ("mode Mode 1", "mode Mood 1", "line 11: .*Enum 'Mood' is not defined"),
    "no signal": ("Sig=temp 24", "Sig=time 24", "line 24: .*'time' is not defined"),
    "overlap": ("Sig=temp 24", "Sig=temp 17", "line [0-9]+: .*overlapping in message Engine"),
    "past the end": ("Sig=temp 24", "Sig=temp 60", "line 10: .*temp does not fit"),
    "a start without end": ("Sig=temp 24", "Sig=temp 9999999", "line 24: The signal temp starts at bit 9999999"),
    "bits without end": ("whole unsigned 8", "whole unsigned 88888888", "line 9: The signal whole has 88888888 bits"),
    "multiplexer": ("Mux=one 0,8", "Mux=one 0,8888888", "line 31: The signal one has 8888888 bits"),
    "scale": ("/f:2.0", "/f:1" + "0" * 120, "line 9: The signal whole has a scale, offset or range beyond"),
    "id of 12 bits": ("ID=100h", "ID=0FFFh", "line 18: .*0xfff is more than 11 bits"),
    "no id at all": ("ID=100h", "ID=h", "line 19, column"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_text_is_refused_with_its_line(case: str) -> None:
    """Each kind, by file and line, on one line of text."""
    place, instead, words = WRONG[case]
    assert SYM.count(place) == 1
    with pytest.raises(BadParsing, match=rf"^wrong\.sym: (?:{words})") as caught:
        describe(ParsingFile("wrong.sym", SYM.replace(place, instead), format="sym"))
    assert "\n" not in str(caught.value)


def test_many_ranges_of_ids() -> None:
    """Each may be small, all together not."""
    text = "".join(f"[m{n}]\nID={n:03X}000h-{n:03X}FFFh\n" for n in range(30))
    assert sym.refusal(text) == "line 50: over 100000 ids in all"


def test_the_good_one_is_good() -> None:
    """Every case above differs from it by one place."""
    assert sym.refusal(SYM) == ""
    assert sym.line_of(SYM, "Pages", None) == 27
    assert sym.line_of(SYM, "Nothing", None) == 1
