"""Live messages of any publisher."""

from __future__ import annotations

import pytest

from duco_rt.errors import BadBody
from duco_rt.live_message import read_live
from duco_rt.model import Peer, Sample, Span

PEER = Peer("duco", "D", "vehicle_can")


def test_a_whole_one() -> None:
    """With all fields, or those that are named; null counts as absent."""
    text = b'{"payload":{"a":1,"b":null,"c":"x"},"ts":5,"seq":7,"received":6,"stats":{"a":[1,2,3],"c":null}}'
    assert read_live(text, PEER, None, 9).payload == {"a": 1, "c": "x"}
    assert read_live(text, PEER, ["c", "d"], 9) == Sample(PEER, 5, 7, 6, {"c": "x"}, None)
    text = text.replace(b',"c":null}', b"}")
    assert read_live(text, PEER, ["a"], 9).stats == {"a": Span(1, 2, 3)}


def test_what_is_not_said() -> None:
    """Times are now; stats that are no stats are left out."""
    text = b'{"payload":{"a":7},"stats":{"\xff":[1,2,3]}}'
    assert read_live(text, PEER, None, 9) == Sample(PEER, 9, None, 9, {"a": 7})


@pytest.mark.parametrize("text", [b"nonsense", b'{"payload":{"a":[1]}}', b'{"payload":{"a":' + b"[" * 99_999, b"\xff"])
def test_what_cannot_be_read(text: bytes) -> None:
    """One error for all of them."""
    with pytest.raises(BadBody):
        read_live(text, PEER, None, 9)
