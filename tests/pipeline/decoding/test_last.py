"""The last value of every field in a second."""

from __future__ import annotations

import warnings
from collections import Counter
from struct import pack

import pytest

from duco_rt.body import ERROR, REMOTE
from duco_rt.model import Value
from duco_rt.pipeline.decoding.last import last_values
from duco_rt.pipeline.decoding.plan import Plan
from tests.can_seconds import Frame, second_of
from tests.dbc_texts import J1939_TAIL, dbc_text, plan_of

ENGINE = dbc_text(
    "2364540158 EEC1 8\nmode : 0|4@1+ (1,0)\nrpm : 24|16@1+ (0.125,0)",
    tail=J1939_TAIL + 'VAL_ 2364540158 mode 14 "Other" 15 "Not available" ;\n',
)
MUX = dbc_text("256 M 8\npage M : 0|8@1+ (1,0)\na m0 : 8|8@1+ (1,0)\nb m1 : 8|8@1+ (1,0)\nc : 16|8@1+ (1,0)")
PAGED_GROUP = dbc_text(
    "2566844926 G 8\npage M : 0|8@1+ (1,0)\na m0 : 8|8@1+ (1,0)\nb m0 : 16|8@1+ (1,0)", tail=J1939_TAIL
)
ONE, OTHER = 0x0CF00400, 0x0CF00401
GONE = b"\xff" * 8


def last(plan: Plan, *rows: Frame) -> tuple[dict[str, Value], dict[str, int]]:
    """The last values of a second of these frames, and the problems."""
    problems: Counter[str] = Counter()
    return last_values(plan, second_of(rows).slices(), problems), dict(problems)


def frame(time_us: int, data: bytes, can_id: int = 256, *, flags: int = 0, channel: str = "c") -> Frame:
    """A frame, of 29 bits where the id needs it."""
    return Frame(time_us, channel, can_id, can_id > 0x7FF, flags, data)


def rpm(n: int, mode: int = 0) -> bytes:
    """An EEC1 of so many turns a minute."""
    return bytes([mode, 0, 0, *(8 * n).to_bytes(2, "little"), 0, 0, 0])


def test_the_last_frame_counts() -> None:
    """Of one sender the last value; every frame of another id adds its own."""
    plan = plan_of(dbc_text("256 A 1\na : 0|8@1+ (1,0)", "257 B 1\nb : 0|8@1+ (1,0)"))
    assert last(plan, frame(1, b"\1"), frame(2, b"\5", 257), frame(3, b"\2")) == ({"a": 2, "b": 5}, {})
    assert last(plan) == ({}, {})


NEWEST: dict[str, tuple[list[Frame], dict[str, Value]]] = {
    "the newer sender": ([frame(1, rpm(100), ONE), frame(2, rpm(200), OTHER)], {"mode": 0, "rpm": 200.0}),
    "by time, not by arrival": ([frame(2, rpm(100), ONE), frame(1, rpm(200), OTHER)], {"mode": 0, "rpm": 100.0}),
    "the newer has none": ([frame(1, rpm(100), ONE), frame(2, GONE, OTHER)], {"mode": 0, "rpm": 100.0}),
    "none has any": ([frame(1, GONE, ONE), frame(2, GONE, OTHER)], {}),
    "its own one before": ([frame(1, rpm(100), ONE), frame(2, GONE, ONE)], {"mode": 0, "rpm": 100.0}),
    "field by field": (
        [frame(1, rpm(50, 3), ONE), frame(2, rpm(100, 15), ONE), frame(3, b"\1" + GONE[1:], ONE), frame(4, GONE, ONE)],
        {"mode": 1, "rpm": 100.0},
    ),
    "a value of long ago against another sender": (
        [frame(1, rpm(100), ONE), frame(2, rpm(200), OTHER), frame(3, GONE, ONE)],
        {"mode": 0, "rpm": 200.0},
    ),
    "a named state": ([frame(1, rpm(100, 14), ONE)], {"mode": 14, "rpm": 100.0}),
    "a longer frame": ([frame(1, rpm(100), ONE), frame(2, rpm(200) + b"\1\2", ONE)], {"mode": 0, "rpm": 200.0}),
}


@pytest.mark.parametrize("case", NEWEST)
def test_the_newest_value_of_a_group(case: str) -> None:
    """Whoever sent it; "not available" leaves the value that came before it."""
    frames, wanted = NEWEST[case]
    assert last(plan_of(ENGINE), *frames) == (wanted, {})


def test_every_page_of_a_multiplexed_message_is_kept() -> None:
    """The last value of each page, not only of the last page; an unknown page adds its plain signals."""
    rows = [frame(t, bytes([page, value, t, 0, 0, 0, 0, 0])) for t, page, value in ((1, 0, 10), (2, 1, 20), (3, 0, 30))]
    assert last(plan_of(MUX), *rows) == ({"page": 0, "a": 30, "b": 20, "c": 3}, {})
    unknown = frame(9, bytes([7, 99, 9, 0, 0, 0, 0, 0]))
    wanted = {"page": 7, "a": 30, "b": 20, "c": 9}
    assert last(plan_of(MUX), *rows, unknown) == (wanted, {"unknown_page": 1})


@pytest.mark.parametrize("text", [MUX, dbc_text("256 A 8\npage : 0|8@1+ (1,0)\na : 8|8@1+ (1,0)")])
def test_of_one_time_the_later_frame_counts(text: str) -> None:
    """Of one stream, in order of arrival."""
    rows = [frame(5, bytes([0, value, *bytes(6)])) for value in (1, 2, 3)]
    assert last(plan_of(text), *rows)[0]["a"] == 3


def test_a_page_without_a_value_leaves_the_one_before() -> None:
    """Field by field, as in a message without pages; of one time the later frame counts."""
    can_id = 2566844926 & 0x1FFF_FFFF
    for step in (1, 0):
        values = (1, 2), (3, 0xFF), (0xFF, 0xFE)
        rows = [frame(step * t, bytes([0, *pair, *GONE[:5]]), can_id) for t, pair in enumerate(values)]
        assert last(plan_of(PAGED_GROUP), *rows) == ({"page": 0, "a": 3, "b": 2}, {})


def test_problems_are_counted_by_kind() -> None:
    """Frames without a message, too short ones and error frames; a remote frame is none of these."""
    plan = plan_of(dbc_text("256 A 2\na : 0|8@1+ (1,0)"))
    rows = [frame(t, b"\1\2") for t in range(2)]
    rows += [frame(t, b"\1") for t in range(3)]
    rows += [frame(t, b"", 5) for t in range(4)]
    rows += [frame(t, b"\1\2", flags=ERROR) for t in range(5)]
    rows += [frame(t, b"", flags=REMOTE) for t in range(6)]
    assert last(plan, *rows) == ({"a": 1}, {"short_frame": 3, "unknown_id": 4, "error_frame": 5})


def test_a_short_frame_hides_nothing_else() -> None:
    """Of two messages of an id the one that fits is read."""
    plan = plan_of(dbc_text("256 A 2\na : 0|8@1+ (1,0)"), dbc_text("256 B 1\nb : 0|8@1+ (1,0)"))
    assert last(plan, frame(1, b"\7")) == ({"b": 7}, {"short_frame": 1})


FLOATS: dict[str, tuple[str, str, list[float]]] = {
    "single": ("0|32@1- (1,0)", "f", [1.5, float("nan"), float("inf")]),
    "scaled past the last": ("0|64@1- (1E+15,0)", "d", [2.0, 1e300, -1e300]),
    "across nine bytes": ("4|64@1- (1E+15,0)", "d", [2.0, 1e300, float("nan")]),
}


@pytest.mark.parametrize("case", FLOATS)
def test_a_number_that_is_not_finite_is_left_out(case: str) -> None:
    """Without a warning; the value before it stays, if there is one."""
    place, code, values = FLOATS[case]
    plan = plan_of(dbc_text(f"256 A 9\na : {place}", tail=f"SIG_VALTYPE_ 256 a : {'fd'.index(code) + 1};\n"))
    shift = int(place.partition("|")[0])
    data = [(int.from_bytes(pack("<" + code, value), "little") << shift).to_bytes(9, "little") for value in values]
    rows = [frame(t, each) for t, each in enumerate(data)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert last(plan, *rows) == ({"a": values[0] * (1e15 if "E" in place else 1)}, {})
        assert last(plan, *rows[1:]) == ({}, {})


def test_whole_numbers_of_any_size_stay_whole() -> None:
    """Also past what a float holds, in the last frame and in one before it."""
    text = dbc_text("2566844926 G 9\nbig : 0|64@1+ (1,0)\nend : 64|8@1+ (1,0)", tail=J1939_TAIL)
    number, can_id = 2**63 + 1, 2566844926 & 0x1FFF_FFFF
    sound, gone = number.to_bytes(8, "little") + b"\1", GONE + b"\2"
    for rows in ([sound], [sound, gone]):
        found, _ = last(plan_of(text), *(frame(t, data, can_id) for t, data in enumerate(rows)))
        assert found == {"big": number, "end": len(rows)}
