"""Fields follow from the parsing's text alone."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from duco_rt.model import Parsing, ParsingFile
from duco_rt.pipeline.decoding.compiling import compile_here
from duco_rt.pipeline.decoding.described import DescribedFile, DescribedMessage, DescribedSignal
from duco_rt.pipeline.decoding.fields import Field, Size, field_names, fields_of, identity, messages_of, sources_of
from tests.dbc_texts import J1939_TAIL, dbc_text, plan_of

ONE = dbc_text("256 Engine 8\nspeed : 0|16@1+ (0.1,0)\nrpm : 16|16@1+ (1,0)")
TWO = dbc_text("512 Wheel 8\nspeed : 0|16@1+ (1,0)\nload : 16|16@1+ (1,0)")
OTHER_ID = ONE.replace("256", "257")
GROUP = dbc_text("2364540158 EEC1 8\nrpm : 24|16@1+ (0.125,0)", tail=J1939_TAIL)
OTHER_SENDER = GROUP.replace("2364540158", "2364539905")

RULE: dict[str, tuple[Sequence[str | tuple[str, str]], list[str]]] = {
    "the only one": ([ONE], ["rpm", "speed"]),
    "in two messages": ([ONE, TWO], ["Engine.speed", "Wheel.speed", "load", "rpm"]),
    "the same file twice": ([ONE, ONE], ["rpm", "speed"]),
    "for one bus": ([("can1", ONE)], ["rpm", "speed"]),
    "twice for one bus": ([("can1", ONE), ("can1", ONE)], ["rpm", "speed"]),
    "for two buses": (
        [("can1", ONE), ("can2", ONE)],
        ["can1.Engine.rpm", "can1.Engine.speed", "can2.Engine.rpm", "can2.Engine.speed"],
    ),
    "for every bus and one": (
        [ONE, ("can2", ONE)],
        ["Engine.rpm", "Engine.speed", "can2.Engine.rpm", "can2.Engine.speed"],
    ),
    "only what is there twice": ([("can1", ONE), ("can2", TWO)], ["Engine.speed", "Wheel.speed", "load", "rpm"]),
    "one message with two ids": (
        [ONE, OTHER_ID],
        ["Engine.rpm@100", "Engine.rpm@101", "Engine.speed@100", "Engine.speed@101"],
    ),
    "two ids on a bus": (
        [("c", ONE), ("c", OTHER_ID)],
        ["c.Engine.rpm@100", "c.Engine.rpm@101", "c.Engine.speed@100", "c.Engine.speed@101"],
    ),
    "a group of two senders": ([GROUP, OTHER_SENDER], ["rpm"]),
    "two messages of one id": ([dbc_text("256 A 8\nx : 0|8@1+ (1,0)", "256 B 8\ny : 0|8@1+ (1,0)")], ["y"]),
    "a dead message's signal": (
        [dbc_text("256 A 8\nx : 0|8@1+ (1,0)", "256 B 8\ny : 0|8@1+ (1,0)", "257 C 8\nx : 0|8@1+ (1,0)")],
        ["x", "y"],
    ),
    "a group and an id": ([GROUP, dbc_text("256 Own 8\nrpm : 0|16@1+ (1,0)")], ["EEC1.rpm", "Own.rpm"]),
}


@pytest.mark.parametrize("case", RULE)
@pytest.mark.parametrize("step", [1, -1])
def test_the_rule_of_names(case: str, step: int) -> None:
    """Plain, or with the message, or with the bus, or with the id; in any order of the files."""
    texts, wanted = RULE[case]
    assert [field.name for field in plan_of(*texts[::step]).fields] == wanted


def test_a_source_that_is_kept_apart_has_fields_of_its_own() -> None:
    """Of groups alone; everybody else's stay."""
    files = ParsingFile("g", GROUP, sources=(0, 0x2A)), ParsingFile("o", ONE, sources=(0,))
    names = [field.name for field in compile_here(Parsing("p", 1, files)).fields]
    assert names == ["EEC1.rpm", "Engine.rpm", "rpm_sa00", "rpm_sa2A", "speed"]


def test_names_that_a_text_makes_alike() -> None:
    """A signal that is called as another's field would be: still no two fields with one name."""
    engine = DescribedMessage("Engine", 1, False, 8, tuple(_signals("x", "Wheel.x", "y_sa00")))
    wheel = DescribedMessage("Wheel", 2, False, 8, tuple(_signals("x")))
    group = DescribedMessage("Group", 0x18FF0000, True, 8, tuple(_signals("y")), j1939=True)
    files = DescribedFile("a", (engine, wheel, group), None, (0,)), DescribedFile("b", (engine,), "can1")
    names = field_names(files)
    assert len(set(names.values())) == len(names) == 3 + 1 + 2 + 3
    assert names == field_names(files[::-1])
    assert [field.name for field in fields_of(files, names)] == sorted(names.values())


def _signals(*names: str) -> list[DescribedSignal]:
    return [DescribedSignal(name, 8 * n, 8) for n, name in enumerate(names)]


def test_ids_that_even_the_number_does_not_tell_apart_are_counted() -> None:
    """0x100 of 11 and of 29 bits, in a message of one name."""
    texts = [dbc_text(f"{can_id} M 1\nx : 0|8@1+ (1,0)") for can_id in (0x100, 0x100 | 1 << 31)]
    for each in (texts, texts[::-1]):
        plan = plan_of(*each)
        assert [field.name for field in plan.fields] == ["M.x@100", "M.x@100#2"]
        assert [plan.find("c", 0x100, extended)[0].fields for extended in (False, True)] == [
            ("M.x@100",),
            ("M.x@100#2",),
        ]


def test_an_identity_is_the_group_or_the_id() -> None:
    """Whoever sends a group, of whatever priority; ids of 11 and 29 bits are apart."""
    signal = DescribedSignal("x", 0, 8)

    def of(can_id: int, extended: bool = True, j1939: bool = False) -> object:
        message = DescribedMessage("M", can_id, extended, 8, (signal,), j1939)
        return identity(DescribedFile("a", (message,)), message, signal)

    assert of(0x0CF00400, j1939=True) == of(0x18F00421, j1939=True) != of(0x18F00521, j1939=True)
    assert of(0x0CEF0100, j1939=True) == of(0x0CEF2200, j1939=True)
    assert len({of(0x100), of(0x100, extended=False), of(0x10001, j1939=True)}) == 3


def test_sources_of_groups_alone() -> None:
    """None is everybody."""
    plain = DescribedMessage("M", 1, True, 8, ())
    group = DescribedMessage("M", 1, True, 8, (), j1939=True)
    file = DescribedFile("a", (plain, group), None, (3, 0))
    assert (sources_of(file, plain), sources_of(file, group)) == ((None,), (None, 3, 0))


def test_groups_of_one_id_all_count() -> None:
    """Of other messages with one id the later; 11 and 29 bits are two ids."""
    plain, wide = (DescribedMessage(name, 1, name == "W", 8, ()) for name in "PW")
    group = DescribedMessage("G", 1, True, 8, (), j1939=True)
    messages = messages_of(DescribedFile("a", (plain, group, wide, group, plain)))
    assert [message.name for message in messages] == ["P", "W", "G", "G"]


def test_a_size_counts_sources() -> None:
    """Groups' fields and their pages come again for each; named values are shared, a dead message counts nothing."""
    mode = DescribedSignal("mode", 0, 8, selects=True, choices={1: "one", 2: "two"})
    paged = DescribedSignal("paged", 8, 8, multiplexer="mode", pages=(1, 2, 3))
    plain = DescribedMessage("P", 1, False, 8, (mode, paged))
    group = DescribedMessage("G", 1, True, 8, (mode, paged), j1939=True)
    assert Size().plus(DescribedFile("a", (plain, group), None, (3, 0))) == Size(8, 12, 4)
    assert Size(8, 12, 4).plus(DescribedFile("b", (plain, plain))) == Size(10, 15, 6)


@pytest.mark.parametrize(("size", "words"), [
    (Size(50_000, 100_000, 250_000), ""),
    (Size(50_001), "50001 fields up to here, more than 50000"),
    (Size(pages=100_001), "100001 pages of fields up to here, more than 100000"),
    (Size(named_values=250_001), "250001 named values up to here, more than 250000"),
])  # fmt: skip
def test_what_is_too_much(size: Size, words: str) -> None:
    """Said with what there is and what may be."""
    assert size.problem() == words


def test_sources_share_named_values() -> None:
    """A list of them is there once, however many addresses are kept apart."""
    signal = DescribedSignal("x", 0, 8, choices={1: "one"})
    group = DescribedMessage("G", 1, True, 8, (signal,), j1939=True)
    files = [DescribedFile("a", (group,), None, (3, 0))]
    one, *others = fields_of(files, field_names(files))
    assert one.choices == {"1": "one"} and len(others) == 2
    assert all(field.choices is one.choices for field in others)


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
