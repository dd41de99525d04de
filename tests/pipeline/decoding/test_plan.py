"""Which messages describe a frame: by id, by group and sender, by bus; and the plan of some fields alone."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings

from duco_rt.body import ERROR, FD, REMOTE, CanSecond, Stream
from duco_rt.model import Parsing, ParsingFile, Value
from duco_rt.pipeline.decoding import plan as plan_module
from duco_rt.pipeline.decoding.compiling import compile_here
from duco_rt.pipeline.decoding.last import last_values
from duco_rt.pipeline.decoding.messages import Decoded
from duco_rt.pipeline.decoding.plan import (
    ERROR_FRAME,
    FAST,
    FRAME,
    REMOTE_FRAME,
    TRANSPORT,
    UNKNOWN,
    Plan,
    frames_of,
)
from tests.can_seconds import Frame, frames, frames_in, second_of
from tests.dbc_texts import J1939_TAIL, dbc_text, plan_of

PDU2, PDU1 = 0xF004, 0xEF00
EEC1 = 0x0CF00400
ENGINE = dbc_text("2364540158 EEC1 8\nmode : 0|4@1+ (1,0)\nrpm : 24|16@1+ (0.125,0)", tail=J1939_TAIL)
PROPRIETARY = dbc_text(f"{1 << 31 | 0x18EFFFFE} PropA 8\nx : 0|8@1+ (1,0)", tail=J1939_TAIL)
FAST_PACKET = dbc_text(f"{1 << 31 | 0x09F01000} Time 20\nx : 0|8@1+ (1,0)", tail=J1939_TAIL)


def group_text(source: int, *signals: str) -> str:
    """One group's message as a sender of it is described: its name by the sender."""
    rows = "\n".join(f"{name} : {8 * n}|8@1+ (1,0)" for n, name in enumerate(signals))
    return dbc_text(f"{1 << 31 | 0x18FF0100 | source} Of{source} 8\n{rows}", tail=J1939_TAIL)


def decoded(plan: Plan, channel: str, can_id: int, data: bytes = b"\7" * 8, *, extended: bool = True) -> Decoded:
    """Every field of a frame."""
    found: Decoded = {}
    for message in plan.match(Stream(channel, can_id, extended, 0, len(data), 1)).messages:
        found |= message.decode(data)
    return found


def with_sources(*files: tuple[str, tuple[int, ...]]) -> Plan:
    """The plan of texts, each with the sources that it keeps apart."""
    texts = [ParsingFile(f"{n}.dbc", text, sources=sources) for n, (text, sources) in enumerate(files)]
    return compile_here(Parsing("p", 1, tuple(texts)))


@pytest.mark.parametrize(("priority", "source"), [(6, 0xFE), (3, 0x00), (0, 0x21), (7, 0xFF)])
def test_a_parameter_group_is_known_by_its_number(priority: int, source: int) -> None:
    """Whatever its priority and source address, PDU1's destination included; only in 29-bit frames."""
    plan = plan_of(ENGINE, PROPRIETARY)
    can_id = priority << 26 | PDU2 << 8 | source
    assert decoded(plan, "c", can_id, bytes([0, 0, 0, 0, 8, 0, 0, 0])) == {"mode": 0, "rpm": 256.0}
    assert not plan.find("c", can_id, False)
    assert not plan.find("c", can_id ^ 1 << 8, True)
    for destination in (0x00, 0x55, 0xFF):
        can_id = priority << 26 | (PDU1 | destination) << 8 | source
        assert decoded(plan, "c", can_id) == {"x": 7}
        assert not plan.find("c", can_id | 1 << 24, True)


def test_ids_are_of_eleven_or_of_29_bits() -> None:
    """One number, two messages."""
    plan = plan_of(dbc_text("256 A 1\na : 0|8@1+ (1,0)", f"{1 << 31 | 256} B 1\nb : 0|8@1+ (1,0)"))
    assert decoded(plan, "c", 256, b"\7", extended=False) == {"a": 7}
    assert decoded(plan, "c", 256, b"\7") == {"b": 7}


def test_of_one_id_twice_in_a_file_the_later_counts() -> None:
    """As in cantools; the other has no fields."""
    plan = plan_of(dbc_text("256 A 1\na : 0|8@1+ (1,0)", "256 B 1\nb : 0|8@1+ (1,0)"))
    assert decoded(plan, "c", 256, b"\7", extended=False) == {"b": 7}
    assert [field.name for field in plan.fields] == ["b"]


def test_a_bound_file_matches_its_channel_only() -> None:
    """Every file by its bus; a file without bus matches all, after those that are bound."""
    texts = {bus: dbc_text(f"256 {bus.upper()} 1\n{bus} : 0|8@1+ (1,0)") for bus in ("can1", "can2", "all")}
    plan = plan_of(("can1", texts["can1"]), ("can2", texts["can2"]), texts["all"])
    found = {bus: [m.name for m in plan.find(bus, 256, False)] for bus in ("can1", "can2", "can3", "")}
    assert found == {"can1": ["CAN1", "ALL"], "can2": ["CAN2", "ALL"], "can3": ["ALL"], "": ["ALL"]}
    groups = plan_of(("can1", ENGINE))
    assert groups.find("can1", EEC1, True) and not groups.find("can2", EEC1, True)


def test_one_file_for_two_buses_has_fields_for_each() -> None:
    """A frame of a bus gives the fields of that bus."""
    plan = plan_of(("can1", ENGINE), ("can2", ENGINE))
    assert decoded(plan, "can1", EEC1).keys() == {"can1.EEC1.mode", "can1.EEC1.rpm"}
    assert decoded(plan, "can2", EEC1).keys() == {"can2.EEC1.mode", "can2.EEC1.rpm"}


def test_two_files_of_one_message() -> None:
    """One field, read as the first says; what the second has besides is there too."""
    half, more = dbc_text("256 A 1\na : 0|8@1+ (0.5,0)"), dbc_text("256 A 2\na : 0|8@1+ (1,0)\nb : 8|8@1+ (1,0)")
    assert decoded(plan_of(half, more), "c", 256, b"\4\4", extended=False) == {"a": 2.0, "b": 4}
    assert decoded(plan_of(more, half), "c", 256, b"\4\4", extended=False) == {"a": 4, "b": 4}
    assert len(plan_of(half, half).find("c", 256, False)) == 1


def test_messages_of_one_group_by_sender() -> None:
    """Two senders described apart: each frame by its own message; a sender that no message names, by all."""
    plan = plan_of(group_text(1, "a"), group_text(2, "b"))
    found = {source: decoded(plan, "c", 0x0CFF0100 | source) for source in (1, 2, 3)}
    assert found == {1: {"a": 7}, 2: {"b": 7}, 3: {"a": 7, "b": 7}}


def test_one_message_of_two_senders() -> None:
    """Two files have it under one name: each sender's frames are read as the file says that names the sender."""
    first, second = group_text(1, "a", "b"), group_text(2, "c", "a").replace("Of2", "Of1")
    plan = plan_of(first, second)
    data = bytes(range(8))
    assert [field.name for field in plan.fields] == ["a", "b", "c"]
    found = {source: decoded(plan, "c", 0x18FF0100 | source, data) for source in (1, 2, 3)}
    assert found == {1: {"a": 0, "b": 1}, 2: {"c": 0, "a": 1}, 3: {"a": 0, "b": 1, "c": 0}}


def test_sources_kept_apart() -> None:
    """Their frames give their own fields and no longer everybody's."""
    plan = with_sources((group_text(1, "a"), (0, 3)))
    found = {source: decoded(plan, "c", 0x18FF0100 | source) for source in (0, 1, 3, 4)}
    assert found == {0: {"a_sa00": 7}, 1: {"a": 7}, 3: {"a_sa03": 7}, 4: {"a": 7}}


def test_sources_kept_apart_by_one_file_of_several() -> None:
    """Another file's own message is read as before; the message that both have is kept apart."""
    plan = with_sources((group_text(1, "a"), (3,)), (group_text(1, "a", "b"), ()), (group_text(2, "c"), ()))
    found = {source: decoded(plan, "c", 0x18FF0100 | source) for source in (1, 2, 3, 4)}
    assert found[1] == {"a": 7, "b": 7} and found[2] == {"c": 7}
    assert found[3] == {"a_sa03": 7, "c": 7} and found[4] == {"a": 7, "b": 7, "c": 7}


ONLY: dict[str, tuple[Plan, set[str], dict[int, Decoded]]] = {
    "another sender's": (plan_of(group_text(1, "a"), group_text(2, "b")), {"b"}, {1: {}, 2: {"b": 7}, 3: {"b": 7}}),
    "everybody's": (with_sources((group_text(1, "a"), (3,))), {"a"}, {1: {"a": 7}, 3: {}}),
    "the source's": (with_sources((group_text(1, "a"), (3,))), {"a_sa03"}, {1: {}, 3: {"a_sa03": 7}}),
    "the second file's": (plan_of(group_text(1, "a"), group_text(1, "a", "b")), {"b"}, {1: {"b": 7}}),
    "nothing": (plan_of(group_text(1, "a")), set(), {1: {}}),
    "what is not there": (plan_of(group_text(1, "a")), {"z"}, {1: {}}),
}


@pytest.mark.parametrize("case", ONLY)
def test_some_fields_alone(case: str) -> None:
    """Those, from the frames that the whole plan reads them from, and nothing else."""
    plan, wanted, found = ONLY[case]
    some = plan.only(wanted)
    assert {source: decoded(some, "c", 0x18FF0100 | source) for source in found} == found
    for source, values in found.items():
        assert (some.match(Stream("c", 0x18FF0100 | source, True, 0, 8, 1)).kind == FRAME) == bool(values)
    assert {field.name for field in some.fields} == wanted & {field.name for field in plan.fields}
    assert some.has_groups == any(found.values())
    assert (some.name, some.version, some.names) == (plan.name, plan.version, plan.names)


@pytest.mark.parametrize(("wanted", "source"), [("x", 6), ("x_sa05", 5)])
def test_fast_packets_of_some_fields(wanted: str, source: int) -> None:
    """Their pieces are known where a field of the sender is wanted, and only there."""
    plan = with_sources((FAST_PACKET, (5,)), (group_text(1, "a"), ()))
    piece = Stream("c", 0x09F01000 | source, True, 0, 8, 1)
    assert plan.match(piece).kind == plan.only({wanted}).match(piece).kind == FAST
    assert plan.only({"a"}).match(piece).kind == UNKNOWN


KINDS: dict[str, tuple[Stream, int]] = {
    "a frame": (Stream("c", EEC1, True, 0, 8, 1), FRAME),
    "of CAN FD": (Stream("c", EEC1, True, FD, 8, 1), FRAME),
    "error": (Stream("c", EEC1, True, ERROR, 8, 1), ERROR_FRAME),
    "remote": (Stream("c", EEC1, True, REMOTE, 0, 1), REMOTE_FRAME),
    "unknown": (Stream("c", 256, False, 0, 8, 1), UNKNOWN),
    "announcement": (Stream("c", 0x18ECFF00, True, 0, 8, 1), TRANSPORT),
    "data": (Stream("c", 0x1CEB0300, True, 0, 8, 1), TRANSPORT),
    "of 11 bits": (Stream("c", 0x6EC, False, 0, 8, 1), UNKNOWN),
    "fast packet": (Stream("c", 0x0DF01077, True, 0, 8, 1), FAST),
    "another page": (Stream("c", 0x0CF01077, True, 0, 8, 1), UNKNOWN),
}


@pytest.mark.parametrize("case", KINDS)
def test_kinds(case: str) -> None:
    """What a stream's frames are; where no group is described nothing is a piece of one."""
    stream, kind = KINDS[case]
    assert plan_of(ENGINE, FAST_PACKET).match(stream).kind == kind
    plain = plan_of(dbc_text("1 M 8\nx : 0|8@1+ (1,0)"))
    assert plain.match(stream).kind in (UNKNOWN, ERROR_FRAME, REMOTE_FRAME)
    assert not plain.has_groups


def test_a_described_transport_message_is_a_piece_all_the_same() -> None:
    """Where a database has TP.CM itself, it has a message to be read by, too."""
    plan = plan_of(dbc_text(f"{1 << 31 | 0x1CECFFFE} TPCM 8\ncontrol : 0|8@1+ (1,0)", tail=J1939_TAIL))
    kind, messages = plan.match(Stream("c", 0x18ECFF00, True, 0, 8, 1))
    assert kind == TRANSPORT and [message.name for message in messages] == ["TPCM"]


def test_what_is_remembered_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many ids a bus has."""
    monkeypatch.setattr(plan_module, "_MATCHES_MAX", 10)
    plan = plan_of(ENGINE)
    for can_id in range(100):
        assert plan.match(Stream("c", can_id, True, 0, 8, 1)).kind == UNKNOWN
        assert plan.match(Stream("c", EEC1, True, 0, 8, 1)).kind == FRAME
        assert len(plan.matches) <= 10


def test_the_first_message_that_fits() -> None:
    """Of those that describe a frame, and are not longer than it."""
    longer, shorter = dbc_text("256 A 2\na : 0|8@1+ (1,0)"), dbc_text("256 B 1\nb : 0|8@1+ (1,0)")
    plan = plan_of(longer, shorter)
    stream = Stream("c", 256, False, 0, 2, 1)
    assert [found and found[0].name for found in (plan.first(stream, data) for data in (b"12", b"1", b""))] == [
        "A",
        "B",
        None,
    ]
    assert plan.first(Stream("c", 256, False, ERROR, 2, 1), b"12") is None


def test_equal_texts_make_equal_plans() -> None:
    """What is remembered is no part of it."""
    one, other = with_sources((ENGINE, (3,))), with_sources((ENGINE, (3,)))
    one.match(Stream("c", EEC1, True, 0, 8, 1))
    assert (one.fields, one.names, one.files) == (other.fields, other.names, other.files)
    assert repr(one).count("_matches") == 0


def last(plan: Plan, *rows: Frame) -> dict[str, Value]:
    """The last values of a second of these frames."""
    return last_values(plan, second_of(rows).slices(), Counter())


def test_signals_without_a_message_of_values() -> None:
    """A message without signals makes its frames known."""
    plan = plan_of(dbc_text("256 A 0", "257 B 1\nb : 0|8@1+ (1,0)"))
    assert plan.match(Stream("c", 256, False, 0, 0, 1)).kind == FRAME
    assert last(plan, Frame(1, "c", 256, False, 0, b"")) == {}


@settings(max_examples=settings().max_examples // 3)
@given(frames())
def test_frames_come_out_in_order_of_arrival(rows: list[Frame]) -> None:
    """Whatever their streams and times."""
    second: CanSecond = second_of(rows)
    found = [Frame(t, s.channel, s.can_id, s.extended, s.flags, data) for t, s, data in frames_of(second)]
    assert found == rows == frames_in(second)
