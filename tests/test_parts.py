"""A second in parts: the same frames, every part under the limit."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duco_rt.body import PART_BYTES_MAX, CanSecond, encode_can
from duco_rt.parts import join, size_bytes, split
from tests.can_seconds import Frame, busy_second, frames, frames_in, same, second_of, seconds


def by_stream(second: CanSecond) -> dict[tuple[object, ...], list[Frame]]:
    """The frames of each stream in order."""
    found: dict[tuple[object, ...], list[Frame]] = {}
    for f in frames_in(second):
        found.setdefault((f.channel, f.can_id, f.extended, f.flags, len(f.data)), []).append(f)
    return found


@given(seconds())
def test_size_is_an_upper_bound(second: CanSecond) -> None:
    """The body is never larger than foretold, and hardly smaller."""
    assert 0 <= size_bytes(second) - len(encode_can([second])) <= second.frames + 8


def test_size_counts_every_channel() -> None:
    """Many buses with long names are in it too."""
    second = second_of([Frame(0, f"{n:032}", 1, False, 0, b"") for n in range(40)])
    assert size_bytes(second) >= len(encode_can([second]))


@given(seconds(), st.integers(200, 500), st.randoms(use_true_random=False))
def test_split_and_join_give_the_same_frames(second: CanSecond, limit: int, shuffle: random.Random) -> None:
    """In whatever order the parts come: each stream as it was, every part under the limit and numbered."""
    parts = split(second, limit)
    assert all(len(encode_can([part])) <= limit for part in parts)
    assert [(p.part, p.parts, p.ts_ms, p.seq) for p in parts] == [
        (n, len(parts), second.ts_ms, second.seq) for n in range(len(parts))
    ]
    shuffle.shuffle(parts)
    whole = join(parts)
    assert (whole.part, whole.parts, whole.ts_ms, whole.seq) == (0, 1, second.ts_ms, second.seq)
    assert by_stream(whole) == by_stream(second)


@given(frames(), st.integers(200, 500))
def test_arrival_comes_back_where_times_tell_it(some: list[Frame], limit: int) -> None:
    """Frames in order of time are in order of arrival again, over all streams."""
    in_time = [f._replace(time_us=n) for n, f in enumerate(some)]
    second = second_of(in_time)
    assert frames_in(join(split(second, limit))) == in_time


@given(frames(), st.integers(200, 500))
def test_each_part_keeps_the_order_of_arrival(some: list[Frame], limit: int) -> None:
    """A part alone is the second without the other parts' frames."""
    marked = [f._replace(time_us=n) for n, f in enumerate(some)]
    for part in split(second_of(marked), limit):
        held = frames_in(part)
        assert held == [f for f in marked if f in held]


def test_what_fits_stays_whole() -> None:
    """A second at the limit is handed on as it is, a byte less cuts it."""
    second = busy_second(frames_count=500, ids=20)
    assert split(second, size_bytes(second))[0] is second
    assert len(split(second, size_bytes(second) - 1)) == 2


def test_an_id_stays_in_one_part() -> None:
    """Cut between streams where that is possible."""
    parts = split(busy_second(frames_count=20_000, ids=90), PART_BYTES_MAX)
    assert len(parts) == 2
    assert sum(len(part.streams) for part in parts) == 90


def test_one_huge_stream_is_cut_by_time() -> None:
    """A single id over the limit: consecutive stretches of time, and joined the very same second."""
    second = busy_second(frames_count=6000, ids=1, length=64)
    parts = split(second, PART_BYTES_MAX)
    assert len(parts) == 2 and all(len(encode_can([part])) <= PART_BYTES_MAX for part in parts)
    assert parts[0].times_us[-1] < parts[1].times_us[0]
    assert same(join(parts[::-1]), second)


@pytest.mark.parametrize("missing", [0, 1, 2])
def test_a_missing_part_leaves_the_others(missing: int) -> None:
    """Everything of the parts that are there."""
    second = busy_second(frames_count=1000, ids=3)
    parts = split(second, 8000)
    assert len(parts) == 3
    rest = by_stream(join([part for part in parts if part.part != missing]))
    lost = set(by_stream(parts[missing]))
    assert rest == {key: rows for key, rows in by_stream(second).items() if key not in lost}


def test_parts_without_frames_join_to_nothing() -> None:
    """Empty parts, which no device of ours sends, are an empty second."""
    empty = second_of([])
    assert join([empty, empty]).frames == 0
