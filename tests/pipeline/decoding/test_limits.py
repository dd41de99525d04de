"""Numbers of any length are compared, and lines counted."""

from __future__ import annotations

import pytest

from duco_rt.pipeline.decoding.limits import is_over, line_at

OVER = {
    "0": False,
    "512": False,
    "513": True,
    "0000000512": False,
    "00513": True,
    "1000": True,
    "9" * 100_000: True,
    "0" * 100_000: False,
    "": False,
}


@pytest.mark.parametrize("digits", OVER, ids=lambda digits: digits[:12] or "none")
def test_is_over(digits: str) -> None:
    """Leading zeros count nothing, and no number is too long to compare."""
    assert is_over(digits, 512) == OVER[digits]


def test_line_at() -> None:
    """A newline belongs to the line that it ends."""
    assert [line_at("a\nb\n\nc", at) for at in range(6)] == [1, 1, 2, 2, 3, 4]
