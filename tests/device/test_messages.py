"""Seconds become hub messages: none too large, nothing lost, the position of the first second on the outside."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duco_rt import body
from duco_rt.body import CanSecond, JsonSecond
from duco_rt.device.messages import can_messages, json_messages
from duco_rt.device.second import SecondBuilder
from duco_rt.errors import BadInput
from duco_rt.model import HubMessage
from duco_rt.parts import join

TS_MS = 1_700_000_000_000
LIMIT = 256 * 1024
RANDOM = random.Random(1)


def second(seq: int, frames: int, length: int = 8, ids: int = 100) -> CanSecond:
    """Return a second whose data no compression makes smaller."""
    builder = SecondBuilder()
    start_us = (TS_MS + seq * 1000) * 1000
    for i in range(frames):
        key = f"can{i % 2}", i % ids, True, 0, length
        builder.add(key, start_us + RANDOM.randrange(1_000_000), RANDOM.randbytes(length))
    return builder.close(TS_MS + seq * 1000, seq)


def read(messages: list[HubMessage]) -> list[list[CanSecond]]:
    """The seconds of each message."""
    return [[s for s, _ in body.decode_can(body.inflate(m.body, m.content_encoding))] for m in messages]


def content(whole: CanSecond) -> dict[object, tuple[list[int], bytes]]:
    """Times and data by stream."""
    return {
        (s.channel, s.can_id, s.extended, s.flags, s.length): (times.tolist(), bytes(data))
        for s, times, data in whole.slices()
    }


CASES = {
    "one quiet second": ([0], 8),
    "one second": ([400], 8),
    "a batch": ([1000] * 10, 8),
    "a full bus for ten seconds": ([4000] * 10, 8),
    "a second that fits no message": ([30_000], 8),
    "large among small": ([100, 40_000, 100], 8),
    "FD": ([8000, 8000], 64),
    "nothing": ([], 8),
}


@pytest.mark.parametrize("case", CASES)
def test_nothing_is_too_large_and_nothing_is_lost(case: str) -> None:
    """A batch is cut between seconds, a second over the limit into parts that give it back."""
    counts, length = CASES[case]
    seconds = [second(seq, count, length) for seq, count in enumerate(counts)]
    messages = can_messages("DUCO_001", seconds, realtime=False)
    assert all(len(m.body) < LIMIT for m in messages)
    found = read(messages)
    for message, inner in zip(messages, found, strict=True):
        assert (message.ts_ms, message.seq) == (inner[0].ts_ms, inner[0].seq)
    by_seq: dict[int, list[CanSecond]] = {}
    for part in (part for inner in found for part in inner):
        by_seq.setdefault(part.seq, []).append(part)
    assert list(by_seq) == list(range(len(counts)))
    for seq, parts in by_seq.items():
        assert [p.part for p in parts] == list(range(parts[0].parts))
        assert content(join(parts)) == content(seconds[seq])
        assert len(parts) == 1 or len(body.encode_can([seconds[seq]])) > 240 * 1024, "a second that fits was cut"


def test_no_more_messages_than_needed() -> None:
    """Ten seconds of a usual bus are one message; four full seconds fit into one as well."""
    assert len(can_messages("D", [second(i, 1000) for i in range(10)], realtime=False)) == 1
    assert len(can_messages("D", [second(i, 4000) for i in range(8)], realtime=False)) == 2


def test_a_full_second_stays_under_64_kib() -> None:
    """4,000 frames of 8 bytes that no compression makes smaller."""
    (message,) = can_messages("D", [second(1, 4000)], realtime=True)
    assert len(message.body) < 64 * 1024


@settings(max_examples=15)
@given(size=st.integers(0, 9000), length=st.sampled_from([0, 1, 8, 64]), count=st.integers(1, 4))
def test_any_load_stays_under_the_limit(size: int, length: int, count: int) -> None:
    """Whatever the frames' length and number."""
    seconds = [second(i, size, length, ids=max(1, size // 2)) for i in range(count)]
    messages = can_messages("D", seconds, realtime=False)
    assert all(len(m.body) < LIMIT for m in messages)
    assert sum(part.frames for inner in read(messages) for part in inner) == size * count


def test_properties() -> None:
    """Device, type, mode, encoding and the first second's position."""
    for realtime in (True, False):
        (can,) = can_messages("DUCO_001", [second(5, 100), second(6, 100)], realtime=realtime)
        assert (can.chassis_id, can.msg_type, can.realtime) == ("DUCO_001", "vehicle_can", realtime)
        assert (can.ts_ms, can.seq, can.content_type) == (TS_MS + 5000, 5, body.CAN_TYPE)
        (own,) = json_messages("DUCO_001", [JsonSecond(TS_MS, 5, {"a": 1})], realtime=realtime)
        assert (own.chassis_id, own.msg_type, own.realtime) == ("DUCO_001", "client_raw_data", realtime)
        assert (own.ts_ms, own.seq, own.content_type) == (TS_MS, 5, body.JSON_TYPE)


def test_what_compression_makes_larger_is_sent_as_it_is() -> None:
    """And says so."""
    (small,) = json_messages("D", [JsonSecond(0, 1, {})], realtime=True)
    (large,) = json_messages("D", [JsonSecond(0, 1, {f"field_{i}": i for i in range(100)})], realtime=True)
    assert (small.content_encoding, large.content_encoding) == ("identity", "deflate")
    for message in (small, large):
        assert body.decode_json(body.inflate(message.body, message.content_encoding))


def test_ready_values_are_cut_between_seconds_too() -> None:
    """Each second once and in order; one that fits no message is refused."""
    seconds = [JsonSecond(TS_MS + i * 1000, i, {"text": RANDOM.randbytes(30_000).hex()}) for i in range(10)]
    messages = json_messages("D", seconds, realtime=False)
    assert len(messages) > 1
    assert all(len(m.body) < LIMIT for m in messages)
    found = [[s for s, _ in body.decode_json(body.inflate(m.body, m.content_encoding))] for m in messages]
    assert [s for inner in found for s in inner] == seconds
    assert [(m.ts_ms, m.seq) for m in messages] == [(inner[0].ts_ms, inner[0].seq) for inner in found]
    with pytest.raises(BadInput, match="second 3"):
        json_messages("D", [JsonSecond(TS_MS, 3, {"text": "x" * 300_000})], realtime=False)
