"""Every format as cantools reads it: field by field, and value by value."""

from __future__ import annotations

import json
import math
import random
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from cantools.database.can import Message, Signal
from hypothesis import given

from duco_rt.demo import shipped_parsing
from duco_rt.errors import BadParsing
from duco_rt.model import ParsingFile
from duco_rt.pipeline.decoding.describe import describe, describe_all, describe_noted
from duco_rt.pipeline.decoding.described import DescribedMessage, DescribedSignal
from tests.database_texts import KCD, SYM, TEXTS
from tests.dbc_texts import J1939_TAIL, dbc_text, random_dbc
from tests.pipeline.decoding.as_cantools import cantools_values, database_of, described_values
from tests.pipeline.decoding.mangled import mangled

REPO = Path(__file__).resolve().parents[3]

MULTIPLEXED = """BO_ 256 Mux: 8 ECU
 SG_ outer M : 0|4@1- (1,0) [0|0] "" ECU
 SG_ inner m1M : 4|4@1+ (2,1) [0|0] "" ECU
 SG_ deep m3 : 8|8@1+ (1,0) [0|0] "" ECU
 SG_ wide m2 : 8|16@0- (0.5,3) [-1|1] "m" ECU

"""
TAIL = """SG_MUL_VAL_ 256 inner outer 1-2;
SG_MUL_VAL_ 256 deep inner 3-3, 5-8;
SG_MUL_VAL_ 256 wide outer 6-6, 9-9;
"""

FILES: dict[str, ParsingFile] = {
    **{file.name: file for file in shipped_parsing().files},
    **{ending: ParsingFile(f"a.{ending}", text, format=ending) for ending, text in TEXTS.items()},
    "multiplexed.dbc": ParsingFile("m.dbc", dbc_text(tail=MULTIPLEXED + TAIL)),
}


def same_signal(signal: Signal, found: DescribedSignal) -> None:
    """What needs no working out is as cantools has it."""
    assert (found.name, found.start, found.length) == (signal.name, signal.start, signal.length)
    assert found.intel == (signal.byte_order == "little_endian")
    assert (found.signed, found.is_float) == (signal.is_signed, signal.is_float)
    assert (found.scale, found.offset) == (signal.scale, signal.offset)
    assert (found.minimum, found.maximum) == (signal.minimum, signal.maximum)
    assert (found.unit, found.comment) == (signal.unit or None, signal.comment or None)
    assert found.choices == {int(raw): str(name) for raw, name in (signal.choices or {}).items()}
    assert (found.multiplexer, found.selects) == (signal.multiplexer_signal, signal.is_multiplexer)


def same_message(message: Message, found: DescribedMessage) -> None:
    """A message and each of its signals; one that is repeated page by page is there once."""
    assert (found.name, found.frame_id) == (message.name, message.frame_id)
    assert (found.extended, found.length) == (message.is_extended_frame, message.length)
    assert found.period_ms == (message.cycle_time or None)
    assert found.j1939 == (message.protocol == "j1939")
    by_name = {signal.name: signal for signal in found.signals}
    assert set(by_name) == {signal.name for signal in message.signals}
    for signal in message.signals:
        same_signal(signal, by_name[signal.name])


def frames(rng: random.Random, length: int) -> Sequence[bytes]:
    """Frames of random bytes, with every small number in front, where multiplexers are."""
    firsts = [*range(16), *(rng.randrange(256) for _ in range(8))]
    return [bytes(length), b"\xff" * length, *(bytes([n]) + rng.randbytes(length - 1) for n in firsts if length)]


def same_values(message: Message, found: DescribedMessage, data: bytes) -> None:
    """Value and type of each signal; a page that the database does not have gives no signal of it."""
    wanted = cantools_values(message, data)
    if wanted is None:
        return
    got = described_values(found, data)
    assert set(got) == set(wanted)
    for name, value in wanted.items():
        mine = got[name]
        assert isinstance(value, int | float) and isinstance(mine, int | float)
        assert type(mine) is type(value)
        assert mine == value or (math.isnan(mine) and math.isnan(value))


@pytest.mark.parametrize("name", FILES)
def test_every_field_is_cantools_own(name: str) -> None:
    """Messages in the file's order, but containers."""
    file = FILES[name]
    found = describe(file)
    wanted = [message for message in database_of(file).messages if not message.is_container]
    assert len(found.messages) == len(wanted) > 0
    for message, described in zip(wanted, found.messages, strict=True):
        same_message(message, described)


@pytest.mark.parametrize("name", FILES)
def test_every_value_is_cantools_own(name: str) -> None:
    """`raw * scale + offset`, a whole number where cantools has one, on the pages where cantools has it."""
    file, rng = FILES[name], random.Random(name)
    plain = [m for m in database_of(file).messages if not m.is_container]
    for message, described in zip(plain, describe(file).messages, strict=True):
        for data in frames(rng, message.length):
            same_values(message, described, data)


@given(random_dbc())
def test_any_dbc_is_read_as_cantools_reads_it(given_dbc: tuple[str, Sequence[int]]) -> None:
    """Every kind of signal, multiplexed in up to two levels."""
    file = ParsingFile("a.dbc", given_dbc[0])
    for message, described in zip(database_of(file).messages, describe(file).messages, strict=True):
        same_message(message, described)
        for seed in given_dbc[1]:
            data = random.Random(seed).randbytes(message.length)
            same_values(message, described, data)


def signal_of(text: str, kind: str = "dbc", name: str = "x") -> DescribedSignal:
    """A signal of a text's messages."""
    found = describe(ParsingFile(f"a.{kind}", text, format=kind))
    return next(signal for message in found.messages for signal in message.signals if signal.name == name)


SCALES = {
    "(1,0)": (1, 0),
    "(1.0,0.0)": (1, 0),
    "(2.0,-3)": (2, -3),
    "(0.5,1)": (0.5, 1),
    "(1,0.25)": (1, 0.25),
    f"({2**63 - 1},0)": (2**63 - 1, 0),
    f"({2**63},0)": (float(2**63), 0),
}


@pytest.mark.parametrize("written", SCALES)
def test_whole_scales_stay_whole(written: str) -> None:
    """So that whole values do; past 64 bits they are floats."""
    signal = signal_of(dbc_text(f"256 A 8\nx : 0|16@1+ {written}", tail='VAL_ 256 x 0 "off" ;\n'))
    wanted = SCALES[written]
    assert (signal.scale, signal.offset) == wanted
    assert (type(signal.scale), type(signal.offset)) == (type(wanted[0]), type(wanted[1]))


def test_names_of_values_that_no_message_carries_are_dropped() -> None:
    """Of the 64 bits that MessagePack has, and of fractions, which SYM allows."""
    tail = f'VAL_ 256 x {2**64} "big" {2**64 - 1} "last" -{2**63} "least" -{2**63 + 1} "less" 0 "none" ;\n'
    found = signal_of(dbc_text("256 A 8\nx : 0|8@1+ (1,0)", tail=tail))
    assert found.choices == {2**64 - 1: "last", -(2**63): "least", 0: "none"}
    halves = SYM.replace('1="on"', '1="on", 1.5="half"')
    assert signal_of(halves, "sym", "mode").choices == {0: "off", 1: "on"}


GROUPS: dict[str, tuple[int, int, bool]] = {
    "EEC1": (0x0CF00400, 8, False),
    "J1939's own come by BAM": (0x18FEEC00, 20, False),
    "129025 in one frame": (0x09F80100, 8, False),
    "127257": (0x09F11900, 9, True),
    "126208 to an address": (0x0DEDFF00, 21, True),
    "before NMEA's": (0x0DEC0000, 21, False),
}


@pytest.mark.parametrize("case", GROUPS)
def test_parameter_groups(case: str) -> None:
    """VFrameFormat J1939PG on a 29-bit id; fast packets are NMEA 2000's groups of more than 8 bytes."""
    frame_id, length, fast = GROUPS[case]
    text = dbc_text(f"{frame_id | 1 << 31} Group {length}\nx : 0|8@1+ (1,0)", tail=J1939_TAIL)
    (message,) = describe(ParsingFile("a.dbc", text)).messages
    assert (message.frame_id, message.j1939, message.fast_packet) == (frame_id, True, fast)
    (plain,) = describe(ParsingFile("a.dbc", text.replace(J1939_TAIL, ""))).messages
    assert not plain.j1939 and not plain.fast_packet


def test_eleven_bits_are_no_group() -> None:
    """Whatever its VFrameFormat."""
    (message,) = describe(ParsingFile("a.dbc", dbc_text("256 A 8\nx : 0|8@1+ (1,0)", tail=J1939_TAIL))).messages
    assert not message.j1939


def test_a_file_keeps_its_bus_and_sources() -> None:
    """And its name."""
    found = describe(ParsingFile("a.kcd", KCD, "can1", "kcd", (0, 3)))
    assert (found.name, found.bus, found.sources) == ("a.kcd", "can1", (0, 3))


def test_a_container_message_is_left_out_and_told() -> None:
    """The others stay; a file of nothing else is refused."""
    noted = describe_noted(FILES["arxml"])
    assert noted.notes == ("container message Box is left out",)
    assert [message.name for message in noted.file.messages] == ["Engine", "Pages"]


def test_a_signal_of_several_pages_is_one() -> None:
    """SYM repeats what every page has."""
    assert signal_of(SYM, "sym", "a").pages == (0,)
    found = describe(ParsingFile("a.sym", SYM, format="sym")).messages[1]
    assert [(s.name, s.pages) for s in found.signals if s.name == "mode"] == [("mode", (0, 10))]


def test_an_id_twice_in_a_file() -> None:
    """Both are there in order, and which one counts is the plan's to say."""
    text = dbc_text("256 A 8\nx : 0|8@1+ (1,0)", "256 B 8\ny : 0|8@1+ (1,0)")
    assert [message.name for message in describe(ParsingFile("a.dbc", text)).messages] == ["A", "B"]


REFUSED: dict[str, tuple[ParsingFile, str]] = {
    "format": (ParsingFile("a.cdd", "", format="cdd"), r"^a\.cdd: format 'cdd' is not one of dbc, kcd, sym, arxml"),
    "source": (ParsingFile("a.dbc", "", sources=(3, 254)), r"^a\.dbc: sources: 254 is no J1939 source address, 0 to"),
    "size": (ParsingFile("a.dbc", "x" * (16 * 2**20 + 1)), r"^a\.dbc: 16777217 bytes, more than 16777216"),
    "bytes": (ParsingFile("a.dbc", "ü" * (8 * 2**20 + 1)), r"^a\.dbc: 16777218 bytes, more than 16777216"),
    "no message": (ParsingFile("a.sym", "FormatVersion=6.0 // x\n", format="sym"), r"^a\.sym: line 1: no message"),
    "float multiplexer": (
        ParsingFile(
            "a.dbc",
            dbc_text("256 A 8\nx M : 0|32@1+ (1,0)\ny m0 : 32|8@1+ (1,0)", tail="SIG_VALTYPE_ 256 x : 1;\n"),
        ),
        r"^a\.dbc: line 8: The signal x is a float and a multiplexer",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused(case: str) -> None:
    """By the file, and the line where there is one."""
    file, words = REFUSED[case]
    with pytest.raises(BadParsing, match=words):
        describe(file)


SHARED = {
    "ENTRIES_MAX": "line 5: more than 1000 pages and named values",
    "CHARACTERS_MAX": "line 8: more than 1000 characters of comments, units and names",
    "SIGNALS_MAX": "line 8: more than 1000 signals",
}


@pytest.mark.parametrize("most", SHARED)
def test_what_signals_share_counts_each_time(most: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A text of a few lines may give any number of signals with the same long list or comment."""
    monkeypatch.setattr(f"duco_rt.pipeline.decoding.describe.{most}", 1000)
    signals = 1001 if most == "SIGNALS_MAX" else 101
    text = (
        'FormatVersion=6.0 // x\n{ENUMS}\nEnum=e(0="a", 1="b", 2="c", 3="d", 4="e", 5="f", 6="g", 7="h", 8="i", 9="")\n'
        "{SIGNALS}\nSig=y e 8\n\n\nSig=x unsigned 8 // ten letters\n"
        f"{{SEND}}\n[m]\nID=000h-{signals - 1:03X}h\nLen=8\nSig={'y' if most == 'ENTRIES_MAX' else 'x'} 0\n"
    )
    with pytest.raises(BadParsing, match=rf"^a\.sym: {SHARED[most]}"):
        describe(ParsingFile("a.sym", text, format="sym"))


def test_all_files_or_none() -> None:
    """The first wrong one is named, and one there must be."""
    with pytest.raises(BadParsing, match="one file at least"):
        describe_all([])
    with pytest.raises(BadParsing, match=r"^b\.sym: "):
        describe_all([FILES["kcd"], ParsingFile("b.sym", "x", format="sym"), ParsingFile("c.dbc", "x")])
    assert [file.name for file in describe_all([FILES["kcd"], FILES["sym"]])] == ["a.kcd", "a.sym"]


def test_an_explanation_is_short() -> None:
    """However long the line that is wrong is."""
    with pytest.raises(BadParsing) as caught:
        describe(ParsingFile("a.dbc", dbc_text(tail="x" * 1_000_000)))
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize("start", range(0, 100, 25))
def test_mangled_texts_are_refused_or_read(start: int) -> None:
    """BadParsing and nothing else, of every format; `long` tries 14,000, of which 10,000 are DBC."""
    for seed in range(start, start + 25):
        file = mangled(seed)
        try:
            describe(file)
        except BadParsing as e:
            assert str(e).startswith(f"{file.name}: line ")


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_fourteen_thousand_mangled_texts() -> None:
    """Nothing but BadParsing escapes, none takes long, and the memory of the process that reads them does not grow."""
    command = [sys.executable, "-m", "tests.pipeline.decoding.mangled"]
    workers = [
        subprocess.Popen([*command, str(1_000 + n), "7000", "2"], stdout=subprocess.PIPE, cwd=REPO) for n in range(2)
    ]
    for worker in workers:
        found = json.loads(worker.communicate()[0])
        assert found["escaped"] == []
        assert found["good"] > 1_400
        assert found["slowest_s"] < 10, found
        assert found["end_kb"] - found["early_kb"] < 64 * 1024, found
