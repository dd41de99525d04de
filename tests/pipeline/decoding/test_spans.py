"""Lowest, highest and number of values of each field within a second."""

from __future__ import annotations

from duco_rt.body import ERROR
from duco_rt.model import Span, Stats
from duco_rt.pipeline.decoding.plan import Plan
from duco_rt.pipeline.decoding.spans import spans
from tests.can_seconds import Frame, second_of
from tests.dbc_texts import J1939_TAIL, dbc_text, plan_of

MUX = dbc_text("256 M 2\npage M : 0|8@1+ (1,0)\na m0 : 8|8@1- (0.5,0)\nb m1 : 8|8@1+ (1,0)")
ENGINE = dbc_text("2364540158 EEC1 2\nrpm : 0|8@1+ (1,0)\nload : 8|8@1+ (1,0)", tail=J1939_TAIL)
ONE, OTHER = 0x0CF00400, 0x0CF00401


def found(plan: Plan, *frames: Frame) -> Stats:
    """The spans of a second of these frames."""
    return spans(plan, second_of(frames).slices())


def frame(time_us: int, data: bytes, can_id: int = 256, *, flags: int = 0) -> Frame:
    """A frame, of 29 bits where the id needs it."""
    return Frame(time_us, "c", can_id, can_id > 0x7FF, flags, data)


def test_fields_with_several_values_alone() -> None:
    """Of one value, or none, the last value says it all."""
    plan = plan_of(MUX)
    assert found(plan) == found(plan, frame(1, b"\0\7")) == {}
    rows = [frame(t, data) for t, data in enumerate((b"\0\xfe", b"\1\x05", b"\0\x02"))]
    assert found(plan, *rows) == {"page": Span(0.0, 1.0, 3), "a": Span(-1.0, 1.0, 2)}


def test_several_senders_of_one_field() -> None:
    """Joined, though each sent one frame; a sender without a value adds nothing."""
    plan = plan_of(ENGINE)
    assert found(plan, frame(1, b"\1\x09", ONE), frame(2, b"\5\xff", OTHER)) == {"rpm": Span(1.0, 5.0, 2)}
    rows = [frame(t, bytes([t, 0xFE + t % 2]), ONE) for t in range(4)]
    assert found(plan, *rows, frame(9, b"\x09\7", OTHER)) == {"rpm": Span(0.0, 9.0, 5)}
    assert found(plan, *rows, frame(8, b"\xff\7", OTHER), frame(9, b"\x09\3", OTHER)) == {
        "rpm": Span(0.0, 9.0, 5),
        "load": Span(3.0, 7.0, 2),
    }


def test_frames_of_several_lengths() -> None:
    """They are streams apart, and of one field."""
    assert found(plan_of(ENGINE), frame(1, b"\1\1", ONE), frame(2, b"\3\3\0", ONE)) == {
        "rpm": Span(1.0, 3.0, 2),
        "load": Span(1.0, 3.0, 2),
    }


def test_what_is_no_frame_of_it() -> None:
    """Short, unknown and error frames."""
    rows = [frame(1, b"\1\1", ONE), frame(2, b"\2", ONE), frame(3, b"\3\3", 9), frame(4, b"\4\4", ONE, flags=ERROR)]
    assert found(plan_of(ENGINE), *rows, frame(5, b"\4\4", ONE, flags=ERROR), frame(6, b"\3\3", 9)) == {}


def test_many_messages_at_once() -> None:
    """Each field its own, however the blocks are put together."""
    count = 40
    texts = [f"{256 + n} M{n} 8\na{n} : 0|8@1+ (1,{n})\nb{n} : 8|16@0- (0.5,0)" for n in range(count)]
    rows = [frame(100 * k + n, bytes([k, 0, k, *bytes(5)]), 256 + n) for k in range(n_frames) for n in range(count)]
    stats = found(plan_of(dbc_text(*texts)), *rows)
    for n in range(count):
        assert stats[f"a{n}"] == Span(n, n + n_frames - 1, n_frames)
        assert stats[f"b{n}"].count == n_frames


n_frames = 6
