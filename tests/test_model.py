"""Names and channels, as other programs know them."""

from __future__ import annotations

import pytest

from duco_rt.model import NAME, Peer


@pytest.mark.parametrize(
    ("name", "good"),
    [("DUCO_001", True), ("a", True), ("-", True), ("x" * 64, True), ("x" * 65, False), ("", False)]
    + [(name, False) for name in ("a b", "a/b", "a.b", "ä", "a\n", "a\0", "a#", "+", "*")],
)
def test_names(name: str, good: bool) -> None:
    """1 to 64 of letters, digits, _ and -: nothing that a topic, a path or a key gives a meaning to."""
    assert bool(NAME.match(name)) is good


def test_live_channel() -> None:
    """The key of live channels and streams."""
    assert Peer("duco", "DUCO_001", "vehicle_can").channel == "live-stream/duco/consumer-DUCO_001/vehicle_can"
