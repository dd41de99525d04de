"""Frames of seconds by stream."""

from __future__ import annotations

import random

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from duco_rt.body import CanSecond, Stream, StreamKey
from duco_rt.pipeline.decoding.rows import Rows, rows_of
from tests.can_seconds import TS_MS, Frame, busy_second, frames, frames_in, second_of

FEW = settings(max_examples=settings().max_examples // 3)
"""Seconds of any frames take hypothesis long to make."""

Plain = dict[StreamKey, list[tuple[int, bytes]]]


def by_hand(seconds: list[CanSecond]) -> Plain:
    """Times in Unix µs and data by stream, in order of arrival."""
    found: Plain = {}
    for second in seconds:
        for f in frames_in(second):
            key = f.channel, f.can_id, f.extended, f.flags, len(f.data)
            found.setdefault(key, []).append((second.ts_ms * 1000 + f.time_us, f.data))
    return found


def plain(rows: list[Rows]) -> Plain:
    """The same of rows, whose arrays have the documented types."""
    found: Plain = {}
    for stream, times_us, data in rows:
        assert times_us.dtype == np.int64 and data.dtype == np.uint8
        assert times_us.shape == (stream.count,) and data.shape == (stream.count, stream.length)
        assert stream[:5] not in found
        found[stream[:5]] = list(zip(times_us.tolist(), (bytes(row) for row in data), strict=True))
    return found


@FEW
@given(st.lists(frames(), max_size=4))
def test_any_seconds(given_frames: list[list[Frame]]) -> None:
    """Of frames of any length, as grouped by hand."""
    seconds = [second_of(each, TS_MS + 1000 * n, n) for n, each in enumerate(given_frames)]
    assert plain(rows_of(seconds)) == by_hand(seconds)


@given(st.lists(st.tuples(st.integers(1, 30), st.integers(1, 5), st.sampled_from([8, 3])), max_size=4), st.booleans())
def test_busy_seconds(sizes: list[tuple[int, int, int]], equal: bool) -> None:
    """Frames of eight bytes take another way than those of mixed lengths."""
    seconds = [
        busy_second(max(count, ids), ids, 8 if equal else length, seed=n, seq=n)
        for n, (count, ids, length) in enumerate(sizes)
    ]
    assert plain(rows_of(seconds)) == by_hand(seconds)


@FEW
@given(st.lists(frames(), max_size=3), st.integers(0, 2**32))
def test_what_nobody_reads(given_frames: list[list[Frame]], seed: int) -> None:
    """Its stream is there with its count, and no row; the others are as they were."""
    seconds = [second_of(each, TS_MS + 1000 * n, n) for n, each in enumerate(given_frames)]
    every = plain(rows_of(seconds))
    wanted = {key for key in every if random.Random(f"{seed}{key}").random() < 0.5}
    found = rows_of(seconds, lambda stream: stream[:5] in wanted)
    assert {rows.stream[:5]: rows.stream.count for rows in found} == {key: len(held) for key, held in every.items()}
    assert plain([rows for rows in found if rows.stream[:5] in wanted]) == {key: every[key] for key in wanted}
    assert all(not len(rows.times_us) and not rows.data.size for rows in found if rows.stream[:5] not in wanted)


def test_a_stream_whose_count_changes_is_one() -> None:
    """Second by second another number of frames, and one second without any."""
    seconds = [second_of([Frame(n, "c", 1, False, 0, b"a")] * n, TS_MS, n) for n in (1, 3, 0, 2)]
    (found,) = rows_of(seconds)
    assert found.stream == Stream("c", 1, False, 0, 1, 6)
    assert (found.times_us - TS_MS * 1000).tolist() == [1, 3, 3, 3, 2, 2]


def test_no_seconds() -> None:
    """Nor frames."""
    assert rows_of([]) == rows_of([second_of([])]) == rows_of([second_of([]), second_of([])]) == []
