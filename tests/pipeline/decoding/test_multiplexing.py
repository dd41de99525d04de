"""Which raw values of a multiplexer select a page: those for which cantools takes it."""

from __future__ import annotations

import pytest
from cantools.database.can import Signal
from cantools.database.conversion import BaseConversion

from duco_rt.pipeline.decoding.multiplexing import raw_pages


def selector(bits: int, scale: float = 1, offset: float = 0, *, signed: bool = False, is_float: bool = False) -> Signal:
    """A multiplexer."""
    conversion = BaseConversion.factory(scale, offset, None, is_float)
    return Signal("page", 0, bits, is_signed=signed, conversion=conversion, is_multiplexer=True)


CASES: dict[str, tuple[Signal, list[int], tuple[int, ...]]] = {
    "as it is": (selector(8), [7, 0, 7], (0, 7)),
    "past its bits": (selector(4), [15, 16, -1], (15,)),
    "signed": (selector(8, signed=True), [-1, 127, 128], (127, 255)),
    "64 bits": (selector(64), [2**63 - 1, 2**70], (2**63 - 1,)),
    "more than 64 bits": (selector(512), [3], (3,)),
    "an offset": (selector(4, offset=10), [10, 12, 9], (0, 2)),
    "a scale": (selector(4, 2), [4, 5], (2,)),
    "halves are cut": (selector(4, 0.5), [2], (4, 5)),
    "cut towards zero": (selector(3, 0.5, signed=True), [0, -1], (0, 1, 5, 6, 7)),
}


@pytest.mark.parametrize("case", CASES)
def test_raw_pages(case: str) -> None:
    """In order, each once, as unsigned bits."""
    multiplexer, pages, raw = CASES[case]
    assert raw_pages(multiplexer, pages) == raw


@pytest.mark.parametrize(
    ("multiplexer", "words"),
    [(selector(32, is_float=True), "is a float"), (selector(17, 2), "of 17 bits with a scale")],
)
def test_what_selects_nothing_for_sure(multiplexer: Signal, words: str) -> None:
    """A float, and one whose every raw value would have to be tried."""
    with pytest.raises(ValueError, match=words):
        raw_pages(multiplexer, [1])
