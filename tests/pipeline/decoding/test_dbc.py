"""A wrong DBC is refused with its file and the line that is wrong."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duco_rt.demo import shipped_parsing
from duco_rt.errors import BadParsing
from duco_rt.model import Parsing, ParsingFile
from duco_rt.pipeline.decoding import dbc
from duco_rt.pipeline.decoding.compiling import compile_here
from duco_rt.pipeline.decoding.describe import describe

GOOD = """VERSION ""

BS_:

BU_: ECU

BO_ 256 Engine: 8 ECU
 SG_ speed : 0|16@1+ (0.1,0) [0|100] "km/h" ECU
 SG_ mode : 16|8@1+ (1,0) [0|255] "" ECU

BO_ 512 Other: 8 ECU
 SG_ temp m0 : 7|16@0- (1,0) [0|0] "" ECU
 SG_ page M : 16|8@1+ (1,0) [0|0] "" ECU

CM_ SG_ 256 speed "How fast";
BA_DEF_ BO_ "VFrameFormat" ENUM "StandardCAN","ExtendedCAN";
BA_DEF_ BO_ "Cycle" INT 0 9999;
BA_DEF_ BO_ "Words" STRING ;
BA_DEF_DEF_ "VFrameFormat" "StandardCAN";
BA_DEF_DEF_ "Cycle" 0;
BA_DEF_DEF_ "Words" "";
BA_ "Words" BO_ 256 "x";
BA_ "Cycle" BO_ 512 10;
BA_ "VFrameFormat" BO_ 256 1;
VAL_ 256 mode 0 "off" 1 "on" ;
SIG_VALTYPE_ 256 mode : 0;
"""

WRONG: dict[str, tuple[str, str, str]] = {
    "bracket": ("(1,0) [0|255]", "(1,0 [0|255]", "line 9, column 26"),
    "colon": ("SG_ mode :", "SG_ mode", "line 9, column"),
    "number": ("(0.1,0)", "(a,0)", "line 8, column 23"),
    "keyword": ("CM_ SG_", "CN_ SG_", "line 15, column 1"),
    "quote": ('1 "on" ;', '1 "on ;', "line 25, column"),
    "signal outside of a message": ("BO_ 256 Engine: 8 ECU\n", "", "line 7, column 2"),
    "overlap": ("mode : 16|8", "mode : 8|8", "line 9: .*mode and speed are overlapping"),
    "signal twice": ("SG_ mode", "SG_ speed", "line 8: .*speed and speed are overlapping"),
    "past the end": ("temp m0 : 7|16", "temp m0 : 63|16", "line 12: .*temp does not fit"),
    "past the end, Intel": ("mode : 16|8", "mode : 60|8", "line 9: .*mode does not fit"),
    "no bits": ("mode : 16|8", "mode : 16|0", "line 9: .*length 0"),
    "no bytes": ("Other: 8", "Other: 0", "line 1[23]: .*does not fit"),
    "a range past all numbers": ("[0|100]", f"[0|{'1' * 401}]", "line 8: .*beyond 1e"),
    "a scale past all numbers": ("(0.1,0)", f"({'1' * 401},0.5)", "line 8: .*beyond 1e"),
    "negative start": ("speed : 0|16", "speed : -1|16", "line 8: .*starts at bit -1"),
    "id of 12 bits": ("BO_ 512 O", "BO_ 4095 O", "line 11: .*0xfff is more than 11 bits"),
    "id of 33 bits": ("BO_ 512 O", "BO_ 9999999999 O", "line 11: .*more than"),
    "float of 8 bits": ("mode : 0;", "mode : 1;", "line 9: .*float of 8 bits"),
    "unknown attribute": ('BA_ "VFrameFormat"', 'BA_ "Sort"', "line 24: .*Sort.* is not defined"),
    "enum value": ("BO_ 256 1;", "BO_ 256 7;", "line 24: 7 is no value of the attribute 'VFrameFormat'"),
    "integer value": ("BO_ 512 10;", 'BO_ 512 "x";', "line 23: \"x\" is no value of the attribute 'Cycle'"),
    "choices of no signal": ("VAL_ 256 mode", "VAL_ 256 mood", "line 25: .*VAL_ 256 mood"),
    "choices of no message": ("VAL_ 256 mode", "VAL_ 257 mode", "line 25: .*VAL_ 257 mode"),
    "type of no message": ("SIG_VALTYPE_ 256", "SIG_VALTYPE_ 257", "line 26: .*SIG_VALTYPE_ 257"),
    "more bytes than any message has": ("Engine: 8", "Engine: 4097", "line 7: The message Engine has 4097 bytes"),
    "bytes without end": ("Engine: 8", f"Engine: {'9' * 5000}", "line 7: The message Engine has 9999"),
    "a start without end": ("mode : 16|", "mode : 9999999999|", "line 9: The signal mode starts at bit 9999999999"),
    "bits without end": ("mode : 16|8", "mode : 16|9999999", "line 9: The signal mode has 9999999 bits, more than 512"),
    "too long": ("mode : 16|8", "mode : 16|513", "line 9: The signal mode has 513 bits, more than 512"),
    "a range that is no number": ("[0|100]", "[0|1e9x]", "line 8, column"),
    "page without number": ("temp m0 :", "temp m :", "line 12: .*needs its page"),
    "endless pages": (
        "SIG_VALTYPE_ 256 mode : 0;",
        "SG_MUL_VAL_ 512 temp page 0-4294967295;",
        "line 26: .*0-4294967295",
    ),
    "pages by the million": (
        "SIG_VALTYPE_ 256 mode : 0;",
        "SG_MUL_VAL_ 512 temp page " + ", ".join(f"{n}00000-{n}65000" for n in range(1, 20)) + ";",
        "line 26: over 1000000 pages in all",
    ),
}


def load(text: str) -> None:
    """Read the text as file wrong.dbc."""
    describe(ParsingFile("wrong.dbc", text))


def test_the_good_one_is_good() -> None:
    """Every case below differs from it by one place."""
    load(GOOD)
    for file in shipped_parsing().files:
        describe(file)
        assert dbc.refusal(file.text) == ""


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_text_is_refused_with_its_line(case: str) -> None:
    """Each kind, by file and line, on one line of text."""
    place, instead, words = WRONG[case]
    assert GOOD.count(place) == 1
    with pytest.raises(BadParsing, match=rf"^wrong\.dbc: (?:{words})") as caught:
        load(GOOD.replace(place, instead))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "hello", 'VERSION ""\n', "\0", "🚜"])
def test_what_is_no_dbc(text: str) -> None:
    """Nothing, other text, and one without any message."""
    with pytest.raises(BadParsing, match=r"^wrong\.dbc: line 1"):
        load(text)


def test_a_line_ends_with_a_newline_alone() -> None:
    """Other characters that end lines elsewhere, as editors leave them in comments, count none."""
    text = GOOD.replace("How fast", "How\x0b\x85\u2028fast").replace('1 "on" ;', '1 "on ;')
    with pytest.raises(BadParsing, match=r"^wrong\.dbc: line 25, column"):
        load(text)


LINES = {("Engine", None): 7, ("Engine", "mode"): 9, ("Other", "temp"): 12, ("Engine", "temp"): 7, ("None", "x"): 1}


@pytest.mark.parametrize(("message", "signal"), LINES)
def test_the_line_of_a_signal(message: str, signal: str | None) -> None:
    """A message's own signal, else the message, else the first line."""
    assert dbc.line_of(GOOD, message, signal) == LINES[message, signal]


@given(st.integers(0, 2**32))
def test_a_mangled_text_is_refused_or_decodes(seed: int) -> None:
    """Whatever is typed wrong: BadParsing with a line, or a plan that takes any frame."""
    text, rng = GOOD, random.Random(seed)
    for _ in range(rng.randint(1, 3)):
        at, typed = rng.randrange(len(text)), rng.choice('0123456789-+M@|:m" \n;.E')
        text = text[:at] + rng.choice(["", typed]) + text[at + rng.randint(0, 1) :]
    try:
        plan = compile_here(Parsing("p", 1, (ParsingFile("wrong.dbc", text),)))
    except BadParsing as e:
        assert str(e).startswith("wrong.dbc: line ")
        return
    for messages in [*plan.exact.values(), *plan.groups.values()]:
        for message in messages:
            message.decode(bytes(message.length_bytes))
            message.decode(b"\xff" * message.length_bytes)
