"""What database files say crosses the border of a process as it is."""

from __future__ import annotations

import msgspec
import pytest

from duco_rt.pipeline.decoding.described import DescribedFile, DescribedMessage, DescribedSignal


@pytest.mark.parametrize(("scale", "offset"), [(1, 0), (0.5, -40), (2, 1.5), (1.0, 0.0)])
def test_it_comes_back_as_it_was(scale: float, offset: float) -> None:
    """Whole numbers stay whole, names of raw values too, and what is not said is the default."""
    signal = DescribedSignal("s", 3, 12, signed=True, scale=scale, offset=offset, choices={-1: "no", 2**63: "yes"})
    message = DescribedMessage("M", 0x18FEF100, True, 8, (signal, DescribedSignal("t", 0, 1)), j1939=True)
    file = DescribedFile("a.dbc", (message,), "can1", (0, 3))
    back = msgspec.msgpack.decode(msgspec.msgpack.encode(file), type=DescribedFile)
    assert back == file
    found = back.messages[0].signals[0]
    assert (type(found.scale), type(found.offset)) == (type(scale), type(offset))
