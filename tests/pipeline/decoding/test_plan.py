"""Frames and seconds decoded by a compiled parsing."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Sequence

import cantools
import pytest
from cantools.database.can import Database, Message
from hypothesis import given

from duco_rt.body import ERROR, REMOTE, CanSecond
from duco_rt.model import Value
from duco_rt.pipeline.decoding.plan import Decoded, Plan, frames_of
from tests.can_seconds import Frame, frames, frames_in, second_of
from tests.dbc_texts import J1939_TAIL, dbc_text, plan_of, random_dbc

PRIORITY_6, PDU2, PDU1 = 0x18, 0xF004, 0xEF00
ENGINE = dbc_text(
    "2364540158 EEC1 8\nmode : 0|4@1+ (1,0)\nrpm : 24|16@1+ (0.125,0)",
    tail=J1939_TAIL + 'VAL_ 2364540158 mode 14 "Other" 15 "Not available" ;\n',
)
MUX = dbc_text("256 M 8\npage M : 0|8@1+ (1,0)\na m0 : 8|8@1+ (1,0)\nb m1 : 8|8@1+ (1,0)\nc : 16|8@1+ (1,0)")


def as_cantools(message: Message, data: bytes) -> Decoded:
    """What cantools makes of a frame."""
    found = message.decode(data, decode_choices=False)
    assert isinstance(found, dict)
    return {name: value for name, value in found.items() if isinstance(value, int | float)}


def equal(one: float | None, other: float | None) -> bool:
    """To 12 digits; NaN is NaN."""
    if one is None or other is None:
        return one is other
    return (math.isnan(one) and math.isnan(other)) or math.isclose(one, other, rel_tol=1e-12, abs_tol=1e-300)


@given(random_dbc())
def test_every_frame_reads_as_cantools(given_dbc: tuple[str, Sequence[int]]) -> None:
    """All kinds of signals and multiplexing, ids of both lengths; longer frames too, shorter ones give None."""
    text, seeds = given_dbc
    database = cantools.database.load_string(text, "dbc")
    assert isinstance(database, Database)
    plan, rng = plan_of(text), random.Random(seeds[0])
    for message in database.messages:
        for _ in seeds:
            data = bytearray(rng.randbytes(message.length))
            if message.is_multiplexed():
                data = _paged(message, data, rng)
            wanted = as_cantools(message, bytes(data))
            for more in (b"", rng.randbytes(5)):
                found = plan.frame("any", message.frame_id, message.is_extended_frame, bytes(data) + more)
                assert found is not None and found[0] == message.name
                assert found[1].keys() == wanted.keys()
                assert all(equal(found[1][name], value) for name, value in wanted.items()), (found, wanted)
            assert plan.frame("any", message.frame_id, message.is_extended_frame, bytes(data[:-1])) is None
            assert plan.frame("any", message.frame_id, not message.is_extended_frame, bytes(data)) is None


def _paged(message: Message, data: bytearray, rng: random.Random) -> bytearray:
    """The frame with multiplexers that select pages of the database."""
    number = int.from_bytes(data, "little")
    for signal in message.signals:
        if signal.is_multiplexer:
            pages = [s.multiplexer_ids or () for s in message.signals if s.multiplexer_signal == signal.name]
            chosen = rng.choice([value for values in pages for value in values] or [0])
            mask = (1 << signal.length) - 1
            number = number & ~(mask << signal.start) | chosen << signal.start
    return bytearray(number.to_bytes(len(data), "little"))


@pytest.mark.parametrize(("priority", "source"), [(6, 0xFE), (3, 0x00), (0, 0x21), (7, 0xFF)])
def test_a_parameter_group_is_known_by_its_number(priority: int, source: int) -> None:
    """Whatever its priority and source address, PDU1's destination included; only in 29-bit frames."""
    proprietary = dbc_text(f"{1 << 31 | 0x18EFFFFE} PropA 8\nx : 0|8@1+ (1,0)", tail=J1939_TAIL)
    plan = plan_of(ENGINE, proprietary)
    can_id = priority << 26 | PDU2 << 8 | source
    assert plan.frame("can1", can_id, True, bytes([0, 0, 0, 0, 8, 0, 0, 0])) == ("EEC1", {"mode": 0, "rpm": 256.0})
    assert plan.frame("can1", can_id, False, bytes(8)) is None
    assert plan.frame("can1", can_id ^ 1 << 8, True, bytes(8)) is None
    for destination in (0x00, 0x55, 0xFF):
        can_id = priority << 26 | (PDU1 | destination) << 8 | source
        assert plan.frame("can1", can_id, True, bytes(8)) == ("PropA", {"x": 0})
        assert plan.frame("can1", can_id | 1 << 24, True, bytes(8)) is None


def test_no_value_is_null_in_parameter_groups_only() -> None:
    """Torque mode 14 has a name and stays; the same bits of another database are numbers."""
    plain = dbc_text("2364540158 Same 8\nmode : 0|4@1+ (1,0)\nrpm : 24|16@1+ (0.125,0)")
    eec1 = 0x0CF00400
    for data, mode, rpm in ((b"\xff" * 8, None, None), (b"\xfe\0\0\0\xfe\0\0\0", 14, None)):
        assert plan_of(ENGINE).frame("c", eec1, True, data) == ("EEC1", {"mode": mode, "rpm": rpm})
        found = plan_of(plain).frame("c", 2364540158 & 0x1FFFFFFF, True, data)
        assert found is not None and None not in found[1].values()


def test_a_bound_file_matches_its_channel_only() -> None:
    """Every file by its bus; a file without bus matches all, after those that are bound."""
    texts = {bus: dbc_text(f"256 {bus.upper()} 1\n{bus} : 0|8@1+ (1,0)") for bus in ("can1", "can2", "all")}
    plan = plan_of(("can1", texts["can1"]), ("can2", texts["can2"]))
    assert [plan.frame(bus, 256, False, b"\7") for bus in ("can1", "can2", "can3", "")] == [
        ("CAN1", {"can1": 7}),
        ("CAN2", {"can2": 7}),
        None,
        None,
    ]
    plan = plan_of(texts["all"], ("can1", texts["can1"]))
    assert plan.frame("can1", 256, False, b"\7") == ("CAN1", {"can1": 7})
    assert plan.frame("can2", 256, False, b"\7") == ("ALL", {"all": 7})


def test_bound_groups_too() -> None:
    """The same for parameter groups."""
    plan = plan_of(("can1", ENGINE))
    assert plan.frame("can1", 0x0CF00400, True, bytes(8)) is not None
    assert plan.frame("can2", 0x0CF00400, True, bytes(8)) is None


def last(plan: Plan, *rows: Frame) -> tuple[dict[str, Value], dict[str, int]]:
    """The last values of a second of these frames, and the problems."""
    problems: Counter[str] = Counter()
    return plan.last_values(second_of(rows), problems), dict(problems)


def frame(time_us: int, data: bytes, can_id: int = 256, *, flags: int = 0, channel: str = "c") -> Frame:
    """A frame, of 29 bits where the id needs it."""
    return Frame(time_us, channel, can_id, can_id > 0x7FF, flags, data)


def test_the_last_frame_counts() -> None:
    """Of one sender the last value; every frame of another id adds its own."""
    plan = plan_of(dbc_text("256 A 1\na : 0|8@1+ (1,0)", "257 B 1\nb : 0|8@1+ (1,0)"))
    assert last(plan, frame(1, b"\1"), frame(2, b"\5", 257), frame(3, b"\2")) == ({"a": 2, "b": 5}, {})
    assert last(plan) == ({}, {})


def test_the_newest_sender_with_a_value_wins() -> None:
    """Two engines: the newer one, unless what it sends is "not available"."""
    plan, one, other = plan_of(ENGINE), 0x0CF00400, 0x0CF00401
    rpm = {n: bytes([0, 0, 0, *(8 * n).to_bytes(2, "little"), 0, 0, 0]) for n in (100, 200)}
    gone = b"\xff" * 8
    assert last(plan, frame(1, rpm[100], one), frame(2, rpm[200], other))[0]["rpm"] == 200.0
    assert last(plan, frame(2, rpm[100], one), frame(1, rpm[200], other))[0]["rpm"] == 100.0
    assert last(plan, frame(1, rpm[100], one), frame(2, gone, other))[0] == {"mode": 0, "rpm": 100.0}
    assert last(plan, frame(1, gone, one), frame(2, gone, other))[0] == {}
    # What a sender said before it lost the value is no value.
    assert last(plan, frame(1, rpm[100], one), frame(2, gone, one))[0] == {}


def test_messages_of_one_group_by_sender() -> None:
    """Two senders described apart: each frame by its own message; a sender that no message names, by all."""
    second = ENGINE.replace("2364540158", "2364539906").replace(" EEC1", " OTHER")
    second = second.replace("rpm", "other_rpm").replace("mode", "other_mode")
    plan = plan_of(ENGINE.replace("2364540158", "2364539905"), second)
    rpm = bytes([0, 0, 0, *(800).to_bytes(2, "little"), 0, 0, 0])
    assert {name for name in last(plan, frame(1, rpm, 0x0CF00401))[0] if "rpm" in name} == {"rpm"}
    assert {name for name in last(plan, frame(1, rpm, 0x0CF00402))[0] if "rpm" in name} == {"other_rpm"}
    assert {name for name in last(plan, frame(1, rpm, 0x0CF00403))[0] if "rpm" in name} == {"rpm", "other_rpm"}


def test_a_bound_file_has_the_last_word() -> None:
    """One field in two files: a frame of the bound bus reads as `decode` shows it."""
    halves = dbc_text("256 A 1\na : 0|8@1+ (0.5,0)")
    plan = plan_of(("c", halves), dbc_text("256 A 1\na : 0|8@1+ (1,0)"))
    assert last(plan, frame(1, b"\x08"))[0] == {"a": 4.0}
    assert plan.frame("c", 256, False, b"\x08") == ("A", {"a": 4.0})


def test_every_page_of_a_multiplexed_message_is_kept() -> None:
    """The last value of each page, not only of the last page; an unknown page adds its plain signals."""
    rows = [frame(t, bytes([page, value, t, 0, 0, 0, 0, 0])) for t, page, value in ((1, 0, 10), (2, 1, 20), (3, 0, 30))]
    assert last(plan_of(MUX), *rows) == ({"page": 0, "a": 30, "b": 20, "c": 3}, {})
    unknown = frame(9, bytes([7, 99, 9, 0, 0, 0, 0, 0]))
    assert last(plan_of(MUX), *rows, unknown) == ({"page": 7, "a": 30, "b": 20, "c": 9}, {})


def test_problems_are_counted_by_kind() -> None:
    """Frames without a message, too short ones and error frames; a remote frame is none of these."""
    plan = plan_of(dbc_text("256 A 2\na : 0|8@1+ (1,0)"))
    rows = [frame(t, b"\1\2") for t in range(2)]
    rows += [frame(t, b"\1") for t in range(3)]
    rows += [frame(t, b"", 5) for t in range(4)]
    rows += [frame(t, b"\1\2", flags=ERROR) for t in range(5)]
    rows += [frame(t, b"", flags=REMOTE) for t in range(6)]
    assert last(plan, *rows) == ({"a": 1}, {"short_frame": 3, "unknown_id": 4, "error_frame": 5})


def test_a_value_that_is_no_number_is_left_out() -> None:
    """A float's NaN is absent."""
    plan = plan_of(dbc_text("256 A 4\na : 0|32@1- (1,0)", tail="SIG_VALTYPE_ 256 a : 1;\n"))
    assert last(plan, frame(1, b"\0\0\xc0\x7f")) == ({}, {})


@given(frames())
def test_frames_come_out_in_order_of_arrival(rows: list[Frame]) -> None:
    """Whatever their streams and times."""
    second: CanSecond = second_of(rows)
    found = [Frame(t, s.channel, s.can_id, s.extended, s.flags, data) for t, s, data in frames_of(second)]
    assert found == rows == frames_in(second)
