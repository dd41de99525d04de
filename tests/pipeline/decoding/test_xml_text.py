"""A wrong KCD or ARXML text is refused with its file and the line that is wrong, and a bomb does not go off."""

from __future__ import annotations

import pytest

from duco_rt.errors import BadParsing
from duco_rt.model import ParsingFile
from duco_rt.pipeline.decoding import xml_text
from duco_rt.pipeline.decoding.describe import describe
from tests.database_texts import KCD, arxml_text

KCD_WRONG: dict[str, tuple[str, str, str]] = {
    "not closed": ("</Bus>", "", "line 28, column 3: mismatched tag"),
    "no id": ('<Message id="0x100"', "<Message", "line 6: Message Engine: no id"),
    "no name": ('<Signal name="speed" ', "<Signal ", "line 7: Signal: no name"),
    "no place": ('name="whole" offset="16"', 'name="whole"', "line 11: Signal whole: no offset"),
    "no number": ('offset="24"', 'offset="x"', "line 12: Signal temp: offset 'x' is no whole number"),
    "no factor": ('slope="2.0"', 'slope="two"', "line 11: Value: slope 'two' is no number"),
    "no factor at all": ('slope="2.0"', 'slope="nan"', "line 11: The signal whole has a scale"),
    "no group": ('count="7"', 'count="seven"', "line 20: MuxGroup: count 'seven'"),
    "a start without end": ('offset="24"', 'offset="999999999"', "line 12: Signal temp: offset 999999999 is more"),
    "a start below 0": ('offset="24"', 'offset="-1"', "line 12: Signal temp: offset -1 is below 0"),
    "bytes without end": (
        'length="64">\n      <Signal',
        'length="99999">\n      <Signal',
        "line 24: .*99999 is more than 4096",
    ),
    "overlap": ('offset="24"', 'offset="17"', "line 1[12]: .*overlapping in message Engine"),
    "past the end": ('offset="448"', 'offset="460"', "line 25: .*precise does not fit"),
    "id of 12 bits": ("0x100", "0xFFF", "line 6: .*0xfff is more than 11 bits"),
    "id below 0": ("0x100", "-5", "line 6: Message Engine: id '-5' is no frame id"),
    "float of 12 bits": (
        'endianess="big"><Value type="signed"',
        '><Value type="single"',
        "line 12: .*float of 12 bits",
    ),
    "choice": ('value="1"', 'value="one"', "line 14: Label on: value 'one'"),
    "another root": ("NetworkDefinition", "Network", "line 2: .*NetworkDefinition"),
}


def load(text: str, ending: str) -> None:
    """Read the text as file wrong.kcd or wrong.arxml."""
    describe(ParsingFile(f"wrong.{ending}", text, format=ending))


@pytest.mark.parametrize("case", KCD_WRONG)
def test_a_wrong_kcd_is_refused_with_its_line(case: str) -> None:
    """Each kind, by file and line, on one line of text."""
    place, instead, words = KCD_WRONG[case]
    assert place in KCD
    with pytest.raises(BadParsing, match=rf"^wrong\.kcd: (?:{words})") as caught:
        load(KCD.replace(place, instead), "kcd")
    assert "\n" not in str(caught.value)


ARXML_WRONG: dict[str, tuple[str, str, str]] = {
    "not closed": ("</CAN-CLUSTER>", "", r"line \d+, column \d+: mismatched tag"),
    "namespace": (
        'xmlns="http://autosar.org/schema/r4.0',
        'xmlns="http://autosar.org/schema/x',
        "line 2: Unrecognized",
    ),
    "no frame": ('DEST="CAN-FRAME">/P/Engine', 'DEST="CAN-FRAME">/P/Motor', "line [0-9]+: .*dangling reference"),
    "past the end": (">40<", ">64<", "line [0-9]+: .*mode does not fit"),
    "overlap": (">16</START-POSITION>", ">15</START-POSITION>", "line [0-9]+: .*overlapping in message Engine"),
    "no number": (">40<", ">forty<", "line [0-9]+: .*forty"),
}


@pytest.mark.parametrize("case", ARXML_WRONG)
def test_a_wrong_arxml_is_refused_with_its_line(case: str) -> None:
    """The line where what is wrong is named, on one line of text."""
    place, instead, words = ARXML_WRONG[case]
    text = arxml_text()
    assert text.count(place) == 1
    with pytest.raises(BadParsing, match=rf"^wrong\.arxml: (?:{words})") as caught:
        load(text.replace(place, instead), "arxml")
    assert "\n" not in str(caught.value)


LAUGHS = '<!DOCTYPE a [<!ENTITY b0 "ha">{}]>'.format(
    "".join(f'<!ENTITY b{n} "{f"&b{n - 1};" * 10}">' for n in range(1, 12))
)
BOMBS = {
    "billion laughs": f"<?xml version='1.0'?>\n{LAUGHS}\n<a>&b11;</a>",
    "a file": '<?xml version="1.0"?>\n<!DOCTYPE a [<!ENTITY f SYSTEM "file:///etc/hostname">]>\n<a>&f;</a>',
    "a document type elsewhere": '\n<!DOCTYPE a SYSTEM "http://127.0.0.1:9/a.dtd">\n<a/>',
    "elements in each other": "\n" + "<a>" * 1_000_000,
}


@pytest.mark.parametrize("ending", ["kcd", "arxml"])
@pytest.mark.parametrize("bomb", BOMBS)
def test_bombs_do_not_go_off(bomb: str, ending: str) -> None:
    """What could grow, or be fetched, is refused before anything is expanded."""
    text = BOMBS[bomb].lstrip("\n") if BOMBS[bomb].startswith("\n<?xml") else BOMBS[bomb]
    with pytest.raises(BadParsing, match=rf"^wrong\.{ending}: line 2: (a document type|more than 200 elements)"):
        load(text, ending)


@pytest.mark.parametrize("text", ["", "hello", "\0", "<a>", "<a/>"])
@pytest.mark.parametrize("ending", ["kcd", "arxml"])
def test_what_is_no_database(text: str, ending: str) -> None:
    """Nothing, other text, and XML of something else."""
    with pytest.raises(BadParsing, match=rf"^wrong\.{ending}: line 1"):
        load(text, ending)


def test_lines_of_names() -> None:
    """A message's own signal, else the message, else the first line."""
    assert xml_text.line_of(KCD, "Pages", "b") == 20
    assert xml_text.line_of(KCD, "Pages", "page") == 18
    assert xml_text.line_of(KCD, "Pages", "none") == 17
    assert xml_text.line_of(KCD, "None", None) == 1
