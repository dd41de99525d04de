"""One second of raw CAN becomes a sample, with what the second before it left open."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duco_rt.body import CanSecond
from duco_rt.model import Peer, Sample, Span
from duco_rt.pipeline import samples as samples_module
from duco_rt.pipeline.decoding.plan import Plan
from duco_rt.pipeline.samples import Problems, Sampler
from tests.can_seconds import TS_MS, Frame, second_of
from tests.dbc_texts import plan_of
from tests.pipeline.decoding.long_messages import TEXT, TIME, VI, frames_of_seconds, seconds_of
from tests.pipeline.decoding.packets import bam_frames, fast_frames, group_id
from tests.pipeline.line import DBC, PEER

PLAN = plan_of(TEXT)
OTHER = Peer("duco", "OTHER", PEER.msg_type)


def sample(sampler: Sampler, second: CanSecond, peer: Peer = PEER, plan: Plan = PLAN) -> Sample:
    """The sample of a second."""
    found = sampler.sample(peer, second, 7, plan, Problems())
    assert found is not None
    return found


def long_messages(count: int, kind: str = "bam") -> list[CanSecond]:
    """Seconds that each end a message and begin the next; the first byte of each is its number."""
    seconds = []
    for n in range(count + 1):
        frames = [Frame(990_000, "c", 256, False, 0, bytes([n, 0]))]
        for number, half in ((n - 1, 1), (n, 0)):
            payload = bytes([number % 256]) + bytes(23 if kind == "fast" else 19)
            fast = fast_frames(group_id(TIME, 0), payload, number % 8)
            sent = fast if kind == "fast" else bam_frames(VI, 0, payload)
            part = sent[2:] if half else sent[:2]
            rows = [Frame((half == 0) * 900_000 + 10 * i, "c", *head, 0, data) for i, (head, data) in _each(part)]
            frames += rows if 0 <= number < count else []
        seconds.append(second_of(frames, TS_MS + 1000 * n, n))
    return seconds


def _each(sent: list[tuple[int, bytes]]) -> list[tuple[int, tuple[tuple[int, bool], bytes]]]:
    return [(i, ((can_id, True), data)) for i, (can_id, data) in enumerate(sent)]


FIELDS = {"bam": "vi_a", "fast": "time_a"}


@pytest.mark.parametrize("kind", FIELDS)
def test_a_message_goes_on_in_the_next_second(kind: str) -> None:
    """Each sample has the message that ends in it; position, time of arrival and spans beside."""
    sampler, seconds = Sampler(), long_messages(4, kind)
    found = [sample(sampler, second) for second in seconds]
    assert [each.payload.get(FIELDS[kind]) for each in found] == [None, 0, 1, 2, 3]
    assert [each.payload["plain_a"] for each in found] == [0, 1, 2, 3, 4]
    assert [(each.peer, each.ts_ms, each.seq, each.received_ms) for each in found] == [
        (PEER, second.ts_ms, second.seq, 7) for second in seconds
    ]


@pytest.mark.parametrize("kind", FIELDS)
def test_a_second_that_comes_again_gives_the_same_sample(kind: str) -> None:
    """Once more, and after others of it came."""
    sampler, seconds = Sampler(), long_messages(4, kind)
    found = [sample(sampler, second) for second in seconds]
    assert [sample(sampler, second) for second in seconds] == found
    assert sample(sampler, seconds[2]) == sample(sampler, seconds[2]) == found[2]


@pytest.mark.parametrize("kind", FIELDS)
def test_a_gap_loses_the_message_that_spans_it_alone(kind: str) -> None:
    """What is in one second, and what begins after it, is there."""
    sampler, seconds = Sampler(), long_messages(5, kind)
    del seconds[2]
    found = [sample(sampler, second).payload.get(FIELDS[kind]) for second in seconds]
    assert found == [None, 0, None, 3, 4]


def test_devices_are_apart() -> None:
    """What one left open is not the other's."""
    sampler, seconds = Sampler(), long_messages(2)
    sample(sampler, seconds[0])
    assert "vi_a" not in sample(sampler, seconds[1], OTHER).payload
    assert sample(sampler, seconds[1]).payload["vi_a"] == 0


@settings(max_examples=settings().max_examples // 2)
@given(st.integers(0, 2**32))
def test_in_any_order_of_copies(seed: int) -> None:
    """Seconds that come again between others change nothing."""
    rng = random.Random(seed)
    seconds = seconds_of(frames_of_seconds(rng, 3, 12), 3)
    plain, busy = Sampler(), Sampler()
    for n, second in enumerate(seconds):
        wanted = sample(plain, second)
        assert sample(busy, second) == wanted
        sample(busy, seconds[rng.randrange(n + 1)])
        assert sample(busy, second) == wanted


def test_spans_where_they_are_asked_for() -> None:
    """None says that nobody looked; {} that no field had several values."""
    plan = plan_of(DBC)
    twice = second_of([Frame(n, "c", 256, False, 0, bytes([n, 0])) for n in (3, 5)])
    assert sample(Sampler(), twice, plan=plan).stats == {"rpm": Span(3.0, 5.0, 2)}
    assert sample(Sampler(), second_of([]), plan=plan).stats == {}
    assert sample(Sampler(stats=False), twice, plan=plan).stats is None


def test_what_is_remembered_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """64 seconds with something open a peer, and so many peers; the oldest go."""
    monkeypatch.setattr(samples_module, "_PEERS_MAX", 3)
    sampler, seconds = Sampler(), long_messages(100)
    for second in seconds:
        sample(sampler, second)
    assert len(sampler._after[PEER]) <= 64
    assert "vi_a" not in sample(sampler, seconds[10]).payload
    assert sample(sampler, seconds[90]).payload["vi_a"] == 89
    for n in range(5):
        sample(sampler, seconds[0], Peer("duco", f"D{n}", "vehicle_can"))
    newest, seq = Peer("duco", "D4", "vehicle_can"), seconds[0].seq
    assert len(sampler._after) == 3 and not sampler.follows(PEER, seq + 1) and sampler.follows(newest, seq + 1)


def test_what_follows() -> None:
    """The second after one that was seen, with or without something open; of the same peer."""
    sampler = Sampler()
    assert not sampler.follows(PEER, 8)
    sample(sampler, second_of([], seq=7))
    assert sampler.follows(PEER, 8) and not sampler.follows(PEER, 9) and not sampler.follows(OTHER, 8)
    sampler.pass_over(PEER, second_of([], seq=8), plan_of(TEXT))
    assert sampler.follows(PEER, 9)


def test_a_second_that_came_before_its_predecessor() -> None:
    """Is to be parsed again where that leaves a message open, and then is as if it had come in order; not twice."""
    seconds = long_messages(4)
    in_order, late = Sampler(), Sampler()
    wanted = [sample(in_order, second) for second in seconds]
    assert sample(late, seconds[1]) != wanted[1]
    before = late.left_open(PEER, seconds[0].seq)
    assert sample(late, seconds[0]) == wanted[0]
    assert late.leaves_more(PEER, seconds[0].seq, before)
    assert sample(late, seconds[1]) == wanted[1]
    before = late.left_open(PEER, seconds[0].seq)
    assert sample(late, seconds[0]) == wanted[0] and not late.leaves_more(PEER, seconds[0].seq, before)


def test_a_plan_that_fails_is_counted() -> None:
    """No sample, and why; the next one is made as before."""
    sampler, problems = Sampler(), Problems()
    sound = plan_of(DBC)
    broken = replace(sound, exact=None)  # type: ignore[arg-type]  # what no compiler makes
    second = second_of([Frame(0, "c", 256, False, 0, b"\5\0")])
    assert sampler.sample(PEER, second, 7, broken, problems) is None
    assert problems == {"decode_failed": 1} and "Error: " in problems.why
    assert sample(sampler, second, plan=sound).payload == {"rpm": 5}
