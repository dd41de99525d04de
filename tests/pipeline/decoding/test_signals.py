"""Bits to numbers: by hand, and as cantools does it."""

from __future__ import annotations

import struct
from typing import Any

import cantools
import pytest
from cantools.database.can import Database
from hypothesis import given
from hypothesis import strategies as st

from duco_rt.model import ParsingFile
from duco_rt.pipeline.decoding.describe import describe
from duco_rt.pipeline.decoding.described import DescribedSignal
from duco_rt.pipeline.decoding.signals import compile_signal, raw_reader, top_of
from tests.dbc_texts import dbc_text

DATA = bytes.fromhex("0123456789ABCDEF")


def signal(layout: str, tail: str = "", length: int = 8) -> DescribedSignal:
    """The signal of that layout in a message of its own."""
    text = dbc_text(f"256 M {length}\ns : {layout}", tail=tail)
    return describe(ParsingFile("a.dbc", text)).messages[0].signals[0]


def read(layout: str, data: bytes, *, tail: str = "", j1939: bool = False) -> float | int | None:
    """Its value in a frame."""
    plan = compile_signal(signal(layout, tail, len(data)), "s", len(data), j1939)
    assert plan.field == "s"
    return plan.read(int.from_bytes(data, "little" if plan.signal.intel else "big"))


BITS: list[tuple[str, float | int]] = [
    ("0|8@1+ (1,0)", 0x01),
    ("8|16@1+ (1,0)", 0x4523),
    ("4|8@1+ (1,0)", 0x30),
    ("0|64@1+ (1,0)", 0xEFCDAB8967452301),
    ("63|1@1+ (1,0)", 1),
    ("56|8@1- (1,0)", 0xEF - 256),
    ("7|8@0+ (1,0)", 0x01),
    ("15|16@0+ (1,0)", 0x2345),
    ("3|8@0+ (1,0)", 0x12),
    ("7|64@0+ (1,0)", 0x0123456789ABCDEF),
    ("56|1@0+ (1,0)", 1),
    ("55|8@0- (1,0)", 0xCD - 256),
    ("0|8@1+ (0.5,-40)", -39.5),
    ("56|8@1- (0.5,-40)", -48.5),
    ("0|8@1+ (2,1)", 3),
]


@pytest.mark.parametrize(("layout", "value"), BITS)
def test_bits_by_hand(layout: str, value: float) -> None:
    """Both byte orders, across bytes, signed and scaled; whole numbers stay whole."""
    found = read(layout, DATA)
    assert found == value and type(found) is type(value)


@given(st.data())
def test_any_place_reads_as_cantools(data: Any) -> None:
    """Every start and length of both byte orders, signed or not, in frames of 1 to 64 bytes; 512 bits too."""
    length = data.draw(st.sampled_from([1, 2, 3, 8, 64]))
    bits = data.draw(st.integers(1, min(64, 8 * length)) | st.integers(1, 8 * length))
    first = data.draw(st.integers(0, 8 * length - bits))
    intel = data.draw(st.booleans())
    start = first if intel else 8 * (first // 8) + 7 - first % 8
    scale, offset = data.draw(
        st.tuples(st.sampled_from(["1", "2", "1.0", "0.1", "-1e-5"]), st.sampled_from(["0", "-40", "0.0", "1e9"]))
    )
    layout = f"{start}|{bits}@{int(intel)}{data.draw(st.sampled_from('+-'))} ({scale},{offset})"
    frame = data.draw(st.binary(min_size=length, max_size=length))
    database = cantools.database.load_string(dbc_text(f"256 M {length}\ns : {layout}"), "dbc")
    assert isinstance(database, Database)
    wanted = database.decode_message(256, frame, decode_choices=False)
    assert isinstance(wanted, dict)
    found = read(layout, frame)
    assert found == wanted["s"] and type(found) is type(wanted["s"])
    raw = raw_reader(signal(layout, length=length), length)
    word = int.from_bytes(frame, "little" if intel else "big")
    mask = (1 << bits) - 1
    plain = database.decode_message(256, frame, decode_choices=False, scaling=False)
    assert isinstance(plain, dict) and isinstance(plain["s"], int)
    assert raw(word) == plain["s"] & mask


@pytest.mark.parametrize(("code", "bits", "kind"), [("e", 16, 1), ("f", 32, 1), ("d", 64, 2)])
@pytest.mark.parametrize("intel", [True, False])
@pytest.mark.parametrize("value", [0.0, -1.5, 1024.0, float("inf")])
def test_floats(code: str, bits: int, kind: int, intel: bool, value: float) -> None:
    """IEEE 754 of 16, 32 and 64 bits in both byte orders, scaled or not."""
    frame = struct.pack(("<" if intel else ">") + code, value).ljust(8, b"\0")
    tail = f"SIG_VALTYPE_ 256 s : {kind};\n"
    layout = f"{0 if intel else 7}|{bits}@{int(intel)}- "
    assert read(layout + "(1,0)", frame, tail=tail) == value
    assert read(layout + "(0.5,2)", frame, tail=tail) == value * 0.5 + 2


J1939: list[tuple[str, int, float | None]] = [
    ("0|16@1+ (0.125,0)", 0xFDFF, 0xFDFF * 0.125),
    ("0|16@1+ (0.125,0)", 0xFE00, None),
    ("0|16@1+ (0.125,0)", 0xFFFF, None),
    ("0|8@1+ (1,-40)", 0xFD, 213),
    ("0|8@1+ (1,-40)", 0xFE, None),
    ("0|32@1+ (1,0)", 0xFDFFFFFF, 0xFDFFFFFF),
    ("0|32@1+ (1,0)", 0xFE000000, None),
    ("0|2@1+ (1,0)", 1, 1),
    ("0|2@1+ (1,0)", 2, None),
    ("0|2@1+ (1,0)", 3, None),
    ("0|4@1+ (1,0)", 13, 13),
    ("0|4@1+ (1,0)", 14, None),
    ("0|1@1+ (1,0)", 1, 1),
    ("0|8@1- (1,0)", 0xFF, -1),
    ("7|8@0+ (1,0)", 0xFF, None),
]


@pytest.mark.parametrize(("layout", "raw", "value"), J1939)
def test_j1939_not_available_is_none(layout: str, raw: int, value: float | None) -> None:
    """In a parameter group "error" and "not available" are no values; elsewhere every number is one."""
    frame = raw.to_bytes(8, "little")
    assert read(layout, frame, j1939=True) == value
    assert read(layout, frame) is not None


def test_named_states_stay_values() -> None:
    """A state that the database names stays, also at the last codes; a name for "not available" does not count."""
    tail = 'VAL_ 256 s 14 "Other" 15 "Not available" ;\n'
    read_state = [read("0|4@1+ (1,0)", bytes([raw] + [0] * 7), tail=tail, j1939=True) for raw in (13, 14, 15)]
    assert read_state == [13, 14, None]


def test_what_may_lack_a_value() -> None:
    """A float anywhere, and in a group what has codes for it."""
    layouts = {"0|8@1+ (1,0)": (False, True), "0|8@1- (1,0)": (False, False), "0|1@1+ (1,0)": (False, False)}
    for layout, wanted in layouts.items():
        plans = [compile_signal(signal(layout), "s", 8, group) for group in (False, True)]
        assert tuple(plan.may_lack for plan in plans) == wanted
    single = signal("0|32@1- (1,0)", "SIG_VALTYPE_ 256 s : 1;\n")
    assert all(compile_signal(single, "s", 8, group).may_lack for group in (False, True))


@pytest.mark.parametrize(("start", "top"), [(7, 0), (0, 7), (15, 8), (8, 15), (56, 63)])
def test_motorola_counts_from_the_top(start: int, top: int) -> None:
    """Bit 7 of byte 0 comes first."""
    assert top_of(DescribedSignal("s", start, 1, intel=False)) == top
