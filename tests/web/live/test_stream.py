"""One machine's stream: order, holes, who lags; whatever network, store and viewer do, nothing is missing unmarked."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import example, given, note
from hypothesis import strategies as st

from duco_rt.web.live.field_lists import field_list
from duco_rt.web.live.frames import Encoding
from duco_rt.web.live.protocol import Change, Wish
from duco_rt.web.live.stream import Limits, Stream
from tests.web.live.play import Plan, Play
from tests.web.live.simulation import BASE_MS, Viewer, message_of, sample_of

FIELDS = field_list(["n"])
LIMITS = Limits(recent_s=100.0, recent_bytes=100_000, resume_s=60.0, queue_messages=2, queue_bytes=10_000)


def read(frame: bytes) -> Any:
    """The message in a short frame."""
    return json.loads(frame[{126: 4, 127: 10}.get(frame[1] & 127, 2) :])


def streaming(*seqs: int) -> Stream[str]:
    """A stream that has seen these samples, each at its own second."""
    stream: Stream[str] = Stream(LIMITS, 0.0)
    for seq in seqs:
        stream.publish(message_of(seq), float(seq), 0)
    return stream


def shown(stream: Stream[str], viewer: str, now_s: float) -> list[Any]:
    """What a viewer takes now: seqs, and the other messages as they are."""
    messages = [read(frame) for frame in stream.take(viewer, now_s)]
    return [each["seq"] if each["type"] == "LIVE_DATA" and "merged" not in each else each for each in messages]


def test_a_plain_list_is_live_from_the_next_sample_on() -> None:
    """No history, no holes told, one delivery for all viewers of a list."""
    stream = streaming(1, 2)
    for viewer in "ab":
        stream.init(viewer, Wish(FIELDS), Encoding(), 2.0)
    (delivery,) = stream.publish(message_of(5), 5.0, 0)
    assert read(delivery.frame)["seq"] == 5
    assert delivery.viewers == ["a", "b"]
    assert stream.missing == 2


def test_since_comes_from_the_ring() -> None:
    """What the viewer lacks, then it is live; the store is not asked."""
    stream = streaming(1, 2, 3, 4)
    stream.init("a", Wish(FIELDS, since=2), Encoding(), 4.0)
    assert stream.woken() == ["a"]
    assert stream.questions(4.0) == []
    assert shown(stream, "a", 4.0) == [3, 4]
    assert stream.is_live("a")


def test_since_comes_from_the_store_then_the_ring() -> None:
    """One question up to the ring's first sample; a hole between the two is waited for, then told, then filled."""
    stream = streaming(10, 11)
    stream.init("a", Wish(FIELDS, since=5), Encoding(), 11.0)
    (question,) = stream.questions(11.0)
    assert (question.from_ms, question.to_ms) == (BASE_MS + 11_000 - 60_000, BASE_MS + 10_000)
    stream.answer(question, [sample_of(seq) for seq in (4, 5, 6, 7)], 11.1)
    assert shown(stream, "a", 11.1) == [6, 7]
    assert not stream.is_live("a")
    (question,) = stream.questions(11.5)
    assert question.to_ms == BASE_MS + 10_000
    stream.answer(question, [sample_of(8)], 11.6)
    assert shown(stream, "a", 11.6) == [8]
    stream.tick(14.2)
    gap = {"type": "GAP", "from": 9, "to": 9, "reason": "missing"}
    assert shown(stream, "a", 14.2) == [gap, 10, 11]
    assert stream.is_live("a")
    (question,) = stream.questions(15.3)
    stream.answer(question, [sample_of(8), sample_of(9), sample_of(10)], 15.0)
    assert [each["type"] for each in shown(stream, "a", 15.0)] == ["FILL"]
    assert shown(stream, "a", 16.0) == []


def test_a_hole_in_live_is_told_before_the_next_sample() -> None:
    """To who resumes, and to nobody else."""
    stream = streaming(1)
    stream.init("plain", Wish(FIELDS), Encoding(), 1.0)
    stream.init("told", Wish(FIELDS, since=1), Encoding(), 1.0)
    stream.take("told", 1.0)
    gap, sample = stream.publish(message_of(4), 4.0, 0)
    assert (read(gap.frame), gap.viewers) == ({"type": "GAP", "from": 2, "to": 3, "reason": "missing"}, ["told"])
    assert sorted(sample.viewers) == ["plain", "told"]
    (question,) = stream.questions(5.0)
    stream.answer(question, [sample_of(seq) for seq in (1, 3, 4)], 5.0)
    assert stream.woken() == ["told"]
    assert [(each["type"], each["seq"]) for each in map(read, stream.take("told", 5.0))] == [("FILL", 3)]


def test_copies_and_latecomers_are_counted_apart() -> None:
    """A copy is harmless; a sample whose place was given up is in the store alone."""
    stream = streaming(1, 2, 4)
    for seq in (2, 3):
        assert stream.publish(message_of(seq), 4.5, 0) == []
    assert (stream.doubles, stream.late, stream.missing) == (1, 1, 1)


def test_a_position_of_another_machine() -> None:
    """A `since` far ahead of what there is says so and goes on with what there is; a little ahead waits."""
    stream = streaming(1, 2, 3)
    stream.init("far", Wish(FIELDS, since=5000, history_s=1.0), Encoding(), 3.0)
    gap = {"type": "GAP", "from": None, "to": 0, "reason": "unknown"}
    assert shown(stream, "far", 3.0)[0] == gap
    stream.init("near", Wish(FIELDS, since=5), Encoding(), 3.0)
    for seq in (4, 5):
        stream.publish(message_of(seq), float(seq), 0)
        assert shown(stream, "near", float(seq)) == []
    assert stream.is_live("near")


def test_a_machine_that_lost_its_memory_goes_on() -> None:
    """Positions that begin anew are no doubles and no hole."""
    stream = streaming(2000, 2001)
    stream.init("a", Wish(FIELDS, since=2001), Encoding(), 2.0)
    stream.take("a", 2.0)
    later = json.dumps({"payload": {"n": 7}, "ts": BASE_MS + 2_002_000, "seq": 7}).encode()
    (delivery,) = stream.publish(later, 3.0, 0)
    assert read(delivery.frame)["seq"] == 7
    stream.init("b", Wish(FIELDS, since=6), Encoding(), 3.0)
    assert shown(stream, "b", 3.0) == [7]


def test_who_is_on_the_way_then_is_told_that_it_lost_its_place() -> None:
    """The old numbering is nothing in the new one, and that is said."""
    stream = streaming(2000, 2001)
    stream.init("a", Wish(FIELDS, since=1000), Encoding(), 2.0)
    stream.publish(json.dumps({"payload": {"n": 7}, "ts": BASE_MS + 2_002_000, "seq": 7}).encode(), 3.0, 0)
    gap, seq = shown(stream, "a", 3.0)
    assert (gap, seq) == ({"type": "GAP", "from": None, "to": 6, "reason": "unknown"}, 7)


def test_a_spool_that_drains_does_not_disturb() -> None:
    """Old seconds between those of now are late: no hole, nothing twice."""
    stream = streaming(1000)
    stream.init("a", Wish(FIELDS, since=1000), Encoding(), 1000.0)
    stream.take("a", 1000.0)
    for second in range(1, 20):
        assert stream.publish(message_of(100 + second), 1000.0 + second, 0) == []
        (delivery,) = stream.publish(message_of(1000 + second), 1000.0 + second, 0)
        assert read(delivery.frame)["seq"] == 1000 + second
    assert (stream.late, stream.missing) == (19, 0)


def test_a_clock_that_steps_back_loses_nothing() -> None:
    """Of the store's rows none is left out because its time is earlier than that of the one before."""
    stream: Stream[str] = Stream(LIMITS, 0.0)
    stream.init("a", Wish(FIELDS, history_s=60.0), Encoding(), 0.0)
    (question,) = stream.questions(0.0)
    rows = [sample_of(seq)._replace(ts_ms=BASE_MS + (seq - (30 if seq > 20 else 0)) * 1000) for seq in range(1, 41)]
    stream.answer(question, sorted(rows, key=lambda row: (row.ts_ms, row.seq or 0)), 0.0)
    assert shown(stream, "a", 0.0) == list(range(1, 41))


def test_a_slow_viewer_gets_a_few_one_by_one_and_more_as_one() -> None:
    """At most `queue_messages`; then the newest values, and what was left out is told."""
    stream = streaming(1)
    stream.init("a", Wish(FIELDS, since=1), Encoding(), 1.0)
    stream.take("a", 1.0)
    (delivery,) = stream.publish(message_of(2), 2.0, 0)
    stream.behind("a", delivery.index, 2.0)
    assert stream.publish(message_of(3), 3.0, 0) == []
    assert stream.lacking("a") == 2
    assert shown(stream, "a", 3.0) == [2, 3]
    assert stream.is_live("a")
    (delivery,) = stream.publish(message_of(4), 4.0, 0)
    stream.behind("a", delivery.index, 4.0)
    for seq in (5, 6):
        stream.publish(message_of(seq), float(seq), 0)
    gap, merged = shown(stream, "a", 6.0)
    assert gap == {"type": "GAP", "from": 4, "to": 5, "reason": "slow"}
    assert (merged["seq"], merged["payload"], merged["merged"]) == (6, {"n": 6}, 3)
    assert stream.merged_of("a") == 2


def test_a_list_that_changes_keeps_the_place() -> None:
    """Live goes on; the last values of everything that was seen are known."""
    stream = streaming(1, 2, 3)
    stream.init("a", Wish(field_list([])), Encoding(), 3.0)
    assert stream.change("a", Change(("sl*",), add=True)) == field_list(["sl*"])
    (delivery,) = stream.publish(message_of(6), 6.0, 7)
    assert read(delivery.frame)["payload"] == {"slow": 6}
    known = stream.last_known(field_list(["*"]))
    assert (known.ts_ms, known.seq, known.wall_ms) == (BASE_MS + 6000, 6, 7)
    assert known.values == {"n": (b"6", BASE_MS + 6000), "slow": (b"6", BASE_MS + 6000)}
    stream.leave("a")
    assert len(stream) == 0
    assert stream.take("a", 7.0) == []


def test_a_rate_of_its_own_loses_nothing() -> None:
    """What the rate holds back comes, though the list changes or the viewer falls behind meanwhile; no GAP is told."""
    for disturb in ("change", "behind"):
        stream = streaming(1)
        stream.init("a", Wish(field_list(["n", "slow"], max_hz=0.1), since=1), Encoding(), 1.0)
        stream.take("a", 1.0)
        for seq in range(2, 9):
            if seq != 5:
                stream.publish(message_of(seq), float(seq), 0)
        if disturb == "change":
            stream.change("a", Change(("more",), add=True))
        else:
            stream.behind("a", stream.recent.end, 8.0)
        (merged,) = shown(stream, "a", 8.0)
        assert (merged["seq"], merged["payload"]) == (8, {"n": 8, "slow": 6})
        assert stream.is_live("a")


def test_a_store_that_is_away_holds_up_nobody_for_long() -> None:
    """After three seconds with live data the hole is told and live goes on."""
    stream = streaming(100)
    stream.init("a", Wish(FIELDS, history_s=20.0), Encoding(), 100.0)
    (question,) = stream.questions(100.0)
    stream.failed(question, 100.0)
    assert stream.questions(100.1) == []
    assert shown(stream, "a", 102.0) == []
    stream.tick(103.1)
    assert stream.woken() == ["a"]
    gap, live = shown(stream, "a", 103.1)
    assert (gap["from"], gap["to"], live) == (80, 99, 100)


def check(plan: Plan) -> Viewer:
    """Assert that nothing is missing but what is marked."""
    played = Play(plan)
    viewer, last = played.run(), played.last
    first = min(viewer.held.keys() | viewer.marked | played.owed)
    lost = set(range(first, last + 1)) - viewer.held.keys() - viewer.marked
    assert not lost, f"neither held nor marked: {sorted(lost)}"
    assert not viewer.held.keys() & viewer.marked
    assert last in viewer.held
    return viewer


plans = st.builds(
    Plan,
    seed=st.integers(0, 2**32),
    drop=st.sampled_from([0.0, 0.1, 0.5]),
    double=st.sampled_from([0.0, 0.3]),
    delay_s=st.sampled_from([0.05, 0.8, 2.5]),
    cut_s=st.sampled_from([3.0, 10.0, 1000.0]),
    lag_s=st.sampled_from([0.5, 1.9, 6.0]),
    late=st.sampled_from([0.0, 0.1]),
    away=st.booleans(),
    blocks=st.booleans(),
    spool=st.booleans(),
)


@example(Plan(486149, double=0.0, lag_s=0.5, late=0.0, away=True, spool=True))  # the ring dropped some meanwhile
@example(
    Plan(10783582, drop=0.0, double=0.3, delay_s=2.5, cut_s=3.0, lag_s=0.5, late=0.0, spool=True)
)  # an old one first
@example(Plan(169, double=0.3, delay_s=0.05, cut_s=3.0, lag_s=0.5, late=0.0, away=True))  # the store is away
@given(plans)
def test_nothing_is_missing_but_what_is_marked(plan: Plan) -> None:
    """Delays, swaps, copies, losses, cuts, a late store, an absent one, a viewer that stalls: 0 missing, 0 double."""
    note(repr(plan))
    check(plan)


def test_a_good_network_leaves_no_hole() -> None:
    """Without losses and with a store within 2 s every sample comes in order, none marked, over any number of cuts."""
    for seed in range(10):
        plan = Plan(seed, drop=0.0, double=0.0, delay_s=0.3, cut_s=5.0, lag_s=1.9, late=0.0)
        viewer = check(plan)
        assert not viewer.marked


def test_a_viewer_that_stalls_is_told() -> None:
    """Where a viewer stalls, something is merged, and that is told."""
    bad = [Plan(seed, drop=0.0, double=0.0, cut_s=1000.0, late=0.0, blocks=True) for seed in range(8)]
    viewers = [check(each) for each in bad]
    assert any(viewer.merged and viewer.marked for viewer in viewers)
