"""Frames for viewers who catch up."""

from __future__ import annotations

from duco_rt.web.live import framing
from duco_rt.web.live.fanout import Fanout
from duco_rt.web.live.field_lists import field_list
from duco_rt.web.live.frames import Encoding, frame
from duco_rt.web.live.framing import Framing
from duco_rt.web.live.lacks import Hole
from duco_rt.web.live.place import Gap, Row
from duco_rt.web.live.recent import Recent
from tests.web.live.simulation import BASE_MS, message_of, sample_of

FIELDS = field_list(["n"])
TEXT = b'{"type":"%b","payload":{"n":7},"ts":%d,"seq":7}'
LIVE, FILL = TEXT % (b"LIVE_DATA", BASE_MS + 7000), TEXT % (b"FILL", BASE_MS + 7000)


def test_made_once_for_all() -> None:
    """A row or an entry becomes one frame a list and encoding, which all viewers share."""
    frames: Framing = Framing(Fanout[str]())
    entry = Recent(9.0, 999).add(7, BASE_MS + 7000, message_of(7), 0, 0.0)
    row = Row(7, BASE_MS + 7000, sample_of(7), {})
    for item in (entry, row):
        made = frames.frame(FIELDS, Encoding(), item)
        assert made == frame(LIVE)
        assert frames.frame(FIELDS, Encoding(), item) is made
        assert frames.frame(FIELDS, Encoding(msgpack=True), item) == frame(LIVE, Encoding(msgpack=True))
    assert frames.fill(FIELDS, Encoding(), row) == frame(FILL)


def test_what_is_kept_is_bounded() -> None:
    """Over its bytes it begins anew."""
    frames: Framing = Framing(Fanout[str]())
    recent = Recent(9.0, 10**9)
    size = 0
    for seq in range(20_000):
        size += len(frames.frame(FIELDS, Encoding(), recent.add(seq, 0, message_of(seq), 0, 0.0)))
    assert size > framing._KEPT_BYTES
    assert sum(map(len, frames._kept.values())) <= framing._KEPT_BYTES + 100


def test_gaps() -> None:
    """The reason and both ends; no beginning where the position is unknown."""
    frames: Framing = Framing(Fanout[str]())
    hole = Hole(3, 4, 0, 0)
    made = frames.frame(FIELDS, Encoding(), Gap(hole, "slow"))
    assert made == frame(b'{"type":"GAP","from":3,"to":4,"reason":"slow"}')
    assert b'"from":null,"to":4' in frames.frame(FIELDS, Encoding(), Gap(hole, "unknown"))


def test_a_message_says_for_how_many_it_stands() -> None:
    """Also where only the newest of them were looked at."""
    frames: Framing = Framing(Fanout[str]())
    recent = Recent(1e9, 10**9)
    entries = [recent.add(seq, BASE_MS + seq * 1000, message_of(seq), 0, 0.0) for seq in range(300)]
    assert b'"merged":300' in frames.merged(FIELDS, Encoding(), entries)
