"""Large answers as JSON: made in pieces, the same text."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from duco_rt.web import encoding

SCALARS = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats() | st.text()
VALUES = st.recursive(SCALARS, lambda each: st.lists(each) | st.dictionaries(st.text(), each), max_leaves=20)


@given(VALUES)
def test_the_same_text(value: Any) -> None:
    """Whatever the size of a piece is."""
    with pytest.MonkeyPatch.context() as patch:
        for at_once in (1, 3, 20_000):
            patch.setattr(encoding, "AT_ONCE", at_once)
            assert encoding.to_json(value) == msgspec.json.encode(value)


def test_no_piece_is_large() -> None:
    """Of a long column."""
    value = {"fields": {"a": list(range(100_000)), "b": [0.5] * 50_001}, "seq": []}
    pieces = list(encoding._pieces(value))
    assert b"".join(pieces) == msgspec.json.encode(value)
    assert max(piece.count(b",") for piece in pieces) <= encoding.AT_ONCE
