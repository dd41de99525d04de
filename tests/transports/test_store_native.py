"""Blocks of the Native format, without a server."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duco_rt.errors import TransportError
from duco_rt.transports import store_native as native


@given(st.lists(st.binary(max_size=300)), st.lists(st.integers(-(2**63), 2**63 - 1)))
def test_blocks_are_read_as_they_were_written(blobs: list[bytes], ints: list[int]) -> None:
    """Blocks of an answer are joined."""
    data = native.block(len(blobs), {"b": ("String", b"".join(map(native.blob, blobs)))})
    data += native.block(len(ints), {"b": ("String", bytes(len(ints)))})
    read = native.read_blocks(data)
    assert read["b"] == blobs + [b""] * len(ints)
    read = native.read_blocks(native.block(len(ints), {"i": ("Int64", native.numbers("Int64", ints))}) * 2)
    assert read["i"].tolist() == ints * 2


def test_arrays_are_flat_with_sizes() -> None:
    """Also over several blocks."""
    ends = native.numbers("UInt64", [2, 2, 3])
    data = native.block(3, {"a": ("Array(UInt16)", ends + native.numbers("UInt16", [7, 8, 9]))})
    read = native.read_blocks(data * 2)
    assert read["a"].tolist() == [7, 8, 9] * 2
    assert read["a.size"].tolist() == [2, 0, 1] * 2


def test_an_answer_may_go_away() -> None:
    """Its columns are copies; the engine in the process takes its bytes back."""
    ends = native.numbers("UInt64", [1, 2])
    columns = {
        "i": ("Int64", native.numbers("Int64", [5, 6])),
        "s": ("String", native.blob(b"abc") * 2),
        "a": ("Array(UInt32)", ends + native.numbers("UInt32", [7, 2**32 - 1])),
    }
    answer = bytearray(native.block(2, columns))
    read = native.read_blocks(memoryview(answer))
    answer[:] = bytes(len(answer))
    assert read["i"].tolist() == [5, 6]
    assert read["s"] == [b"abc"] * 2
    assert (read["a"].tolist(), read["a.size"].tolist()) == ([7, 2**32 - 1], [1, 1])


def test_an_answer_that_is_cut_short_is_an_error() -> None:
    """At any byte; and so is a type that is not of the store."""
    columns = {"i": ("Int64", native.numbers("Int64", [1])), "s": ("String", native.blob(b"abc"))}
    data = native.block(1, columns)
    for end in range(1, len(data)):
        with pytest.raises(TransportError):
            native.read_blocks(data[:end])
    with pytest.raises(TransportError):
        native.read_blocks(native.block(1, {"d": ("Date", b"\0\0")}))
    assert native.read_blocks(b"") == {}


@pytest.mark.parametrize(("kind", "value"), [("Int64", 2**63), ("UInt16", 65536), ("UInt16", -1), ("UInt8", 256)])
def test_a_number_that_does_not_fit_is_an_error(kind: str, value: int) -> None:
    """None is cut to size."""
    with pytest.raises(TransportError, match=kind):
        native.numbers(kind, [value])
