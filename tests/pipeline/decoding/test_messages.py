"""One message: its signals, and those of its pages, one frame at a time and many at once."""

from __future__ import annotations

import math

import numpy as np
import pytest

from duco_rt.pipeline.decoding.described import DescribedMessage, DescribedSignal
from duco_rt.pipeline.decoding.messages import Decoded, MessagePlan, compile_message, is_value


def of(name: str, byte: int, parent: str | None = None, *pages: int, selects: bool = False) -> DescribedSignal:
    """A signal of a byte."""
    return DescribedSignal(name, 8 * byte, 8, multiplexer=parent, pages=pages, selects=selects)


NESTED = DescribedMessage(
    "M",
    1,
    False,
    8,
    (
        of("outer", 0, selects=True),
        of("inner", 1, "outer", 1, 2, selects=True),
        of("deep", 2, "inner", 5),
        of("on1", 3, "outer", 1),
        of("on2and3", 4, "outer", 2, 3),
        of("second", 5, selects=True),
        of("on9", 6, "second", 9),
        of("always", 7),
        of("never", 7, "always", 1),
    ),
)
ALWAYS = {"outer", "second", "always"}

PAGES: dict[str, tuple[bytes, set[str], bool]] = {
    "none": (bytes([0, 5, 0, 0, 0, 0, 0, 1]), set(), False),
    "one": (bytes([3, 5, 0, 0, 0, 0, 0, 1]), {"on2and3"}, True),
    "nested": (bytes([1, 5, 0, 0, 0, 0, 0, 1]), {"inner", "deep", "on1"}, True),
    "nested, no page": (bytes([2, 6, 0, 0, 0, 0, 0, 1]), {"inner", "on2and3"}, True),
    "of both": (bytes([2, 5, 0, 0, 0, 9, 0, 1]), {"inner", "deep", "on2and3", "on9"}, True),
    "of the second": (bytes([7, 5, 0, 0, 0, 9, 0, 1]), {"on9"}, False),
}


def plan(message: DescribedMessage = NESTED, wanted: set[str] | None = None) -> MessagePlan:
    """The plan of a message whose fields are called `f.<signal>`."""
    return compile_message(message, {signal.name: f"f.{signal.name}" for signal in message.signals}, 7, wanted)


def blocks(message: MessagePlan, data: bytes) -> Decoded:
    """What the blocks of one frame hold."""
    found: Decoded = {}
    for block, rows, frames in message.blocks(np.frombuffer(data, np.uint8).reshape(1, -1)):
        assert rows is None or rows.tolist() == [0]
        found |= dict(
            zip(block.fields, (None if math.isnan(v) else v for v in block.decode(frames)[:, 0].tolist()), strict=True)
        )
    return found


@pytest.mark.parametrize("case", PAGES)
def test_the_pages_of_a_frame(case: str) -> None:
    """Nested ones and those of two multiplexers; of a signal that is no multiplexer nothing hangs."""
    data, there, outer_known = PAGES[case]
    message = plan()
    decoded = message.decode(data)
    assert decoded.keys() == {f"f.{name}" for name in ALWAYS | there}
    assert blocks(message, data) == decoded
    lo, hi = message.words(data)
    assert message.multiplexers[0].selects_any(lo, hi) == outer_known
    assert message.decode(data + b"\1\2") == decoded == blocks(message, data + b"\1\2")


def test_the_path_tells_pages_apart() -> None:
    """By what selects, as far as it selects anything."""
    first, second = plan().multiplexers

    def path(*data: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        lo, hi = plan().words(bytes([*data, *bytes(8 - len(data))]))
        return first.path(lo, hi), second.path(lo, hi)

    assert path(1, 5) == ((1, 5), (0,)) and path(1, 6) == ((1, 6), (0,))
    assert path(3, 5) == path(3, 6) == ((3,), (0,))
    assert path(0, 0, 0, 0, 0, 9) == ((0,), (9,))


@pytest.mark.parametrize("wanted", [{"f.deep"}, {"f.on9", "f.outer"}, {"f.always"}, set()])
def test_some_fields_alone(wanted: set[str]) -> None:
    """Those, and multiplexers that lead to them, which are no fields then."""
    some = plan(wanted=wanted)
    assert set(some.fields) == wanted
    for data, there, _ in PAGES.values():
        whole = plan().decode(data)
        assert some.decode(data) == blocks(some, data) == {f: v for f, v in whole.items() if f in wanted}, there


def test_a_ring_of_multiplexers_ends() -> None:
    """A text may say so; what hangs on it is nowhere."""
    ring = of("a", 0, "b", 1, selects=True), of("b", 1, "a", 1, selects=True), of("c", 2, "a", 1), of("d", 3)
    message = plan(DescribedMessage("R", 1, False, 8, ring))
    found = message.decode(b"\1" * 8)
    assert found == {"f.d": 1} and found == blocks(message, b"\1" * 8)


def test_a_signal_of_two_places() -> None:
    """One name on two pages at two places, as SYM allows: one field."""
    twice = of("m", 0, selects=True), of("x", 1, "m", 1), of("x", 2, "m", 2)
    message = plan(DescribedMessage("T", 1, False, 8, twice))
    for page in (1, 2, 3):
        data = bytes([page, 11, 22, 0, 0, 0, 0, 0])
        wanted: Decoded = {"f.m": page}
        if page < 3:
            wanted["f.x"] = 11 * page
        assert message.decode(data) == wanted and wanted == blocks(message, data)


def test_what_is_known_of_a_message() -> None:
    """Sender, size, and whether a frame may lack a value."""
    message = plan()
    assert (message.name, message.source, message.length_bytes, message.may_lack) == ("M", 7, 8, False)
    assert message.names["f.deep"] == "deep"
    for j1939, lacks in ((True, True), (False, False)):
        assert plan(DescribedMessage("G", 1, True, 1, (of("x", 0),), j1939)).may_lack == lacks


@pytest.mark.parametrize(
    ("value", "good"),
    [
        (0, True),
        (-(2**600), True),
        (1.5, True),
        (None, False),
        (math.nan, False),
        (math.inf, False),
        (-math.inf, False),
    ],
)
def test_what_is_a_value(value: float | None, good: bool) -> None:
    """What can be stored and sent."""
    assert is_value(value) == good
