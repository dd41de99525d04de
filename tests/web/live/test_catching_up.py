"""The viewers that are not up to date."""

from __future__ import annotations

import json
from typing import Any

from duco_rt.web.live.catching_up import CatchingUp, Limits, Viewing
from duco_rt.web.live.fanout import Fanout
from duco_rt.web.live.field_lists import FieldList, field_list
from duco_rt.web.live.frames import Encoding
from duco_rt.web.live.lacks import Hole
from duco_rt.web.live.protocol import Wish
from duco_rt.web.live.recent import Recent
from tests.web.live.simulation import BASE_MS, message_of, sample_of

FIELDS = field_list(["n"])


class Bench:
    """What a stream puts together, with a ring of the test's own samples."""

    def __init__(self, *seqs: int, queue_bytes: int = 10_000, keep_s: float = 5000.0) -> None:
        self.recent = Recent(keep_s, 1_000_000)
        self.fanout: Fanout[str] = Fanout()
        self.viewers: dict[str, Viewing] = {}
        limits = Limits(5000.0, 1_000_000, 600.0, 5, queue_bytes)
        self.catching_up = CatchingUp(limits, self.recent, self.fanout, self.viewers)
        for seq in seqs:
            self.add(seq)

    def add(self, seq: int) -> None:
        """A sample comes."""
        self.recent.add(seq, BASE_MS + seq * 1000, message_of(seq), 0, float(seq))
        self.catching_up.came(float(seq))

    def begin(self, viewer: str, fields: FieldList = FIELDS, since: int | None = None) -> None:
        """A viewer comes."""
        self.viewers[viewer] = Viewing(fields, Encoding(), is_told=True)
        self.catching_up.begin(viewer, Wish(fields, since, None if since else 120.0), 0.0)

    def take(self, viewer: str, now_s: float = 0.0) -> list[Any]:
        """The messages that it takes."""
        frames = self.catching_up.take(viewer, now_s)
        return [json.loads(frame[{126: 4, 127: 10}.get(frame[1] & 127, 2) :]) for frame in frames]


def test_viewers_that_come_together_share_a_question() -> None:
    """One that comes while it is open waits for the next, as it may want more."""
    bench = Bench(100)
    for viewer in "ab":
        bench.begin(viewer, since=90)
    (question,) = bench.catching_up.questions(0.0)
    bench.begin("c", since=50)
    assert bench.catching_up.questions(0.0) == []
    bench.catching_up.answer(question, [sample_of(seq) for seq in range(91, 100)], 0.0)
    assert [len(bench.take(viewer)) for viewer in "abc"] == [10, 10, 0]
    assert len(bench.catching_up.questions(0.0)) == 1


def test_very_many_fields_reach_back_less_far() -> None:
    """One answer of the store has at most 120,000 values or so."""
    bench = Bench()
    bench.begin("few")
    bench.begin("many", field_list([f"f{at}" for at in range(1000)] + ["x*"] * 1 + ["y*"]))
    assert [each.window_ms for each in bench.catching_up.questions(0.0)] == [120_000, 85_714]


def test_an_answer_for_another_list_is_not_given() -> None:
    """The list changed while the store was asked: it is asked again."""
    bench = Bench(100)
    bench.begin("a", since=98)
    (question,) = bench.catching_up.questions(0.0)
    bench.viewers["a"].fields = field_list(["slow"])
    bench.catching_up.answer(question, [sample_of(99)], 0.0)
    assert bench.take("a") == []
    (question,) = bench.catching_up.questions(0.0)
    bench.catching_up.answer(question, [sample_of(99)], 0.0)
    assert [each["payload"] for each in bench.take("a")] == [{"slow": 99}, {}]


def test_large_answers_come_in_portions() -> None:
    """Some 64 KiB at a time, however much there is; live after the last."""
    bench = Bench(*range(1, 2001))
    bench.begin("a", since=1)
    sizes = []
    while taken := bench.take("a"):
        sizes.append(len(taken))
    assert sum(sizes) == 1999
    assert len(sizes) > 1
    assert "a" in bench.fanout


def test_too_many_bytes_are_merged_though_they_are_few() -> None:
    """And a viewer with a rate of its own always gets one message, without being told of what it did not want."""
    bench = Bench(1, queue_bytes=100)
    for viewer, fields in (("all", FIELDS), ("rate", FIELDS._replace(max_hz=1.0))):
        bench.viewers[viewer] = Viewing(fields, Encoding(), is_told=True)
    bench.add(2)
    for viewer in ("all", "rate"):
        bench.catching_up.behind(viewer, 1, 2.0)
    bench.add(3)
    gap, merged = bench.take("all")
    assert (gap["reason"], gap["from"], gap["to"], merged["seq"]) == ("slow", 2, 2, 3)
    bench.viewers["plain"] = Viewing(field_list(["n", "slow"]), Encoding(), is_told=False)
    bench.catching_up.behind("plain", 0, 1.0)
    bench.add(4)
    (newest,) = bench.take("plain")
    assert (newest["payload"], "merged" in newest) == ({"n": 4}, False)
    (merged,) = bench.take("rate")
    assert (merged["seq"], merged["merged"], bench.viewers["rate"].merged) == (4, 3, 2)


def test_what_fills_a_hole_that_was_not_told_is_not_given() -> None:
    """A viewer that fell behind before it was told of a hole gets its samples in their turn."""
    bench = Bench(1, 2)
    bench.begin("a", since=2)
    bench.take("a")
    bench.catching_up.told("a", Hole(3, 4, BASE_MS, BASE_MS + 9000), 2.0)
    (question,) = bench.catching_up.questions(3.0)
    bench.catching_up.answer(question, [sample_of(3)], 3.0)
    bench.fanout.leave("a")
    bench.add(5)
    bench.catching_up.behind("a", 2, 3.0)
    assert [each["type"] for each in bench.take("a")] == ["GAP", "LIVE_DATA"]


def test_what_leaves_the_ring_while_the_store_is_waited_for_is_told_and_filled() -> None:
    """The store's row of the ring's first sample is left to the ring, which drops it before the viewer comes there."""
    bench = Bench(*range(1, 31), keep_s=30.0)
    bench.begin("a")
    (question,) = bench.catching_up.questions(0.0)
    bench.catching_up.answer(question, [sample_of(1)], 0.1)
    assert bench.take("a", 0.1) == []
    for seq in (31, 32, 33):
        bench.add(seq)
    gap, *live = bench.take("a", 3.5)
    assert gap == {"type": "GAP", "from": 1, "to": 2, "reason": "missing"}
    assert [each["seq"] for each in live] == list(range(3, 34))
    (question,) = bench.catching_up.questions(4.6)
    bench.catching_up.answer(question, [sample_of(seq) for seq in range(1, 4)], 4.6)
    assert [(each["type"], each["seq"]) for each in bench.take("a", 4.6)] == [("FILL", 1), ("FILL", 2)]
