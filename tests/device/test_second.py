"""Frames of one second become columns and nothing of them is lost or mixed up."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from duco_rt import body
from duco_rt.device.second import SecondBuilder

TS_MS = 1_700_000_000_000
KEYS = st.tuples(
    st.sampled_from(["can1", "can2"]), st.integers(0, 3), st.booleans(), st.sampled_from([0, body.FD]), st.just(2)
)
FRAMES = st.lists(st.tuples(KEYS, st.integers(-10_000, 2_000_000), st.binary(min_size=2, max_size=2)), max_size=60)


@given(frames=FRAMES)
def test_every_frame_is_there_in_its_order(frames: list[tuple[tuple[str, int, bool, int, int], int, bytes]]) -> None:
    """Put together by `order`, the columns give the frames as they came; times count from ts."""
    builder = SecondBuilder()
    for key, time_us, data in frames:
        builder.add(key, TS_MS * 1000 + time_us, data)
    assert len(builder) == len(frames)
    second = builder.close(TS_MS, 7)
    assert (second.ts_ms, second.seq, second.part, second.parts, second.frames) == (TS_MS, 7, 0, 1, len(frames))
    rows = {
        i: iter([(int(time), bytes(data[2 * n : 2 * n + 2])) for n, time in enumerate(times)])
        for i, (_, times, data) in enumerate(second.slices())
    }
    keys = [(s.channel, s.can_id, s.extended, s.flags, s.length) for s in second.streams]
    seen = [(keys[i], *next(rows[i])) for i in second.order.tolist()]
    assert seen == frames
    assert sum(s.count for s in second.streams) == len(frames)
    assert len(builder) == 0
    assert builder.close(TS_MS, 8).frames == 0


def test_more_than_256_streams() -> None:
    """The order of arrival stays true past one byte of stream numbers, also through the body."""
    builder = SecondBuilder()
    for i in range(600):
        builder.add(("can1", i % 300, False, 0, 1), TS_MS * 1000 + i, bytes([i % 256]))
    second = builder.close(TS_MS, 1)
    ((read, _),) = body.decode_can(body.encode_can([second]))
    assert read.order.tolist() == [i % 300 for i in range(600)]
    assert read.times_us.tolist() == second.times_us.tolist()


def test_a_time_far_off_is_kept_at_the_edge() -> None:
    """A frame whose clock is days off does not wrap around."""
    builder = SecondBuilder()
    builder.add(("can1", 1, False, 0, 0), TS_MS * 1000 + 10**12, b"")
    builder.add(("can1", 1, False, 0, 0), TS_MS * 1000 - 10**12, b"")
    limit = np.iinfo(np.int32)
    assert builder.close(TS_MS, 1).times_us.tolist() == [limit.max, limit.min]
