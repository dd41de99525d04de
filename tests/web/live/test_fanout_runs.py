"""Any run of samples, and of viewers that come and go: what each of them is sent is all that it needs."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from duco_rt.web.live.fanout import Delivery, Fanout
from duco_rt.web.live.field_lists import FieldList, field_list
from duco_rt.web.live.frames import JSON
from duco_rt.web.live.samples import Sample, read_sample


def sample(seq: int, payload: object) -> Sample:
    """A sample of one second."""
    return read_sample(msgspec.json.encode({"payload": payload, "ts": 1000 * seq, "seq": seq}), 0)


class Step(NamedTuple):
    """Some time passes, then a sample, a viewer that comes, or one that leaves."""

    pause_s: float
    payload: dict[str, int] | None
    viewer: int
    comes: bool


_PAYLOADS = st.dictionaries(st.sampled_from("abc"), st.integers(0, 2))
_STEPS = st.lists(
    st.builds(
        Step, st.sampled_from([0.0, 0.25, 0.5, 1.0, 4.0]), st.none() | _PAYLOADS, st.integers(0, 3), st.booleans()
    )
)
_FIELDS = st.builds(
    field_list,
    st.sampled_from([["a", "b"], ["*"], ["b*", "c"]]),
    max_hz=st.sampled_from([None, 0.5, 2.0]),
    on_change=st.booleans(),
)


class Holder:
    """A viewer that keeps what it is sent, and knows what it should have been."""

    def __init__(self, fields: FieldList) -> None:
        self.fields = fields
        self.holds: dict[str, object] = {}
        self.should_hold: dict[str, object] = {}
        self.next_seq: int | None = None
        self.sent_s: list[float] = []

    def get(self, delivery: Delivery[Holder], now_s: float) -> None:
        """A message: each sample once and in order, in none less than its period."""
        message: dict[str, Any] = json.loads(delivery.frame[2:] if delivery.frame[1] < 126 else delivery.frame[4:])
        seq, merged = message["seq"], message.get("merged", 1)
        assert delivery.index == seq - merged + 1, "the oldest sample in it"
        assert self.next_seq in (None, delivery.index), "each sample once"
        assert merged == 1 or self.fields.max_hz is not None
        self.next_seq = seq + 1
        self.holds |= message["payload"]
        if self.sent_s and self.fields.max_hz:
            assert now_s - self.sent_s[-1] >= 1 / self.fields.max_hz
        self.sent_s.append(now_s)


@settings(max_examples=100)
@given(fields=st.lists(_FIELDS, min_size=1, max_size=2), steps=_STEPS)
def test_any_run(fields: list[FieldList], steps: list[Step]) -> None:
    """Each viewer got each sample since it came once, in order and never too often, and holds the newest values."""
    fanout: Fanout[Holder] = Fanout()
    holders: dict[int, Holder] = {}
    now_s, seq = 0.0, 0

    def give(deliveries: list[Delivery[Holder]]) -> None:
        for each in deliveries:
            for holder in each.viewers:
                holder.get(each, now_s)

    def wait_until(until_s: float) -> None:
        nonlocal now_s
        while (due_s := fanout.due_s) is not None and due_s <= until_s:
            assert due_s >= now_s
            now_s = due_s
            give(fanout.due(now_s))
            assert fanout.due_s is None or fanout.due_s > now_s
        now_s = max(now_s, until_s)

    for pause_s, payload, number, comes in steps:
        wait_until(now_s + pause_s)
        if payload is not None:
            for holder in holders.values():
                wanted = holder.fields.matching(payload)
                holder.should_hold |= {name: value for name, value in payload.items() if name in wanted}
                holder.next_seq = seq if holder.next_seq is None else holder.next_seq
            give(fanout.publish(sample(seq, payload), seq, now_s))
            seq += 1
        elif comes and number not in holders:
            holders[number] = Holder(fields[number % len(fields)])
            fanout.watch(holders[number], holders[number].fields, JSON)
        elif number in holders:
            fanout.leave(holders.pop(number))
    wait_until(now_s + 10)
    assert fanout.due_s is None
    for holder in holders.values():
        assert holder.holds == holder.should_hold
        assert holder.next_seq in (None, seq)
