"""Fields follow from the parsing's text alone."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given

from duco_rt.model import Parsing, ParsingFile
from duco_rt.pipeline.decoding.plan import compile_parsing
from duco_rt.pipeline.decoding.fields import Field
from tests.dbc_texts import dbc_text, plan_of, random_dbc

ONE = dbc_text("256 Engine 8\nspeed : 0|16@1+ (0.1,0)\nrpm : 16|16@1+ (1,0)")
TWO = dbc_text("512 Wheel 8\nspeed : 0|16@1+ (1,0)\nload : 16|16@1+ (1,0)")


def names(*texts: str) -> list[str]:
    """The names of a parsing's fields."""
    return [field.name for field in plan_of(*texts).fields]


def test_a_signal_of_one_message_has_its_plain_name() -> None:
    """In two messages it carries the message's name, in both."""
    assert names(ONE) == ["rpm", "speed"]
    assert names(ONE, TWO) == ["Engine.speed", "Wheel.speed", "load", "rpm"]
    assert names(TWO, ONE) == names(ONE, TWO)


def test_a_message_in_two_files_is_one() -> None:
    """The same message described twice, for two buses: one field."""
    assert names(ONE, ONE) == names(ONE)


def test_the_decoded_names_are_the_fields() -> None:
    """A frame's values go by the names of the list."""
    found = plan_of(ONE, TWO).frame("c", 512, False, b"\1\0\2\0\0\0\0\0")
    assert found == ("Wheel", {"Wheel.speed": 1, "load": 2})


def test_a_field_is_described_as_the_text_has_it() -> None:
    """Unit, range, choices, comment, message and usual period; what the text lacks is null."""
    text = (
        'VERSION ""\n\nBS_:\n\nBU_: E\n\nBO_ 256 Engine: 8 E\n'
        ' SG_ speed : 0|16@1+ (0.1,0) [-5|100.5] "km/h" E\n SG_ gear : 16|4@1+ (1,0) [0|0] "" E\n\n'
        'CM_ SG_ 256 speed "How fast";\nBA_DEF_ BO_ "GenMsgCycleTime" INT 0 9999;\n'
        'BA_DEF_DEF_ "GenMsgCycleTime" 0;\nBA_ "GenMsgCycleTime" BO_ 256 100;\nVAL_ 256 gear 1 "first" 0 "none" ;\n'
    )
    gear, speed = plan_of(text).fields
    assert speed == Field("speed", "km/h", -5.0, 100.5, None, "How fast", "Engine", 100)
    assert gear.choices == {"1": "first", "0": "none"}
    assert (gear.unit, gear.description, gear.message, gear.period_ms) == (None, None, "Engine", 100)


@given(random_dbc())
def test_fields_are_in_order_each_once(given_dbc: tuple[str, Sequence[int]]) -> None:
    """The same list from the same text, whatever its version."""
    plans = [compile_parsing(Parsing("p", n, (ParsingFile("a.dbc", given_dbc[0]),))) for n in (1, 2)]
    listed = [field.name for field in plans[0].fields]
    assert listed == sorted(set(listed)) == [field.name for field in plans[1].fields]
