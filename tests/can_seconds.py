"""CAN seconds for tests: made of plain frames, and by hypothesis."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import NamedTuple

from hypothesis import strategies as st

from duco_rt.body import BRS, ERROR, ESI, FD, REMOTE, TX, CanSecond
from duco_rt.device.second import SecondBuilder

TS_MS = 1_700_000_000_000


class Frame(NamedTuple):
    """One frame as a bus hands it over; `time_us` from the second's begin."""

    time_us: int
    channel: str
    can_id: int
    extended: bool
    flags: int
    data: bytes


def second_of(frames: Sequence[Frame], ts_ms: int = TS_MS, seq: int = 1) -> CanSecond:
    """The second that a device makes of frames in order of arrival."""
    builder = SecondBuilder()
    for f in frames:
        key = f.channel, f.can_id, f.extended, f.flags, len(f.data)
        builder.add(key, ts_ms * 1000 + f.time_us, f.data)
    return builder.close(ts_ms, seq)


def frames_in(second: CanSecond) -> list[Frame]:
    """The frames of a second in order of arrival, read in the plainest way."""
    places = {}
    for index, (stream, times, data) in enumerate(second.slices()):
        n = stream.length
        for row, time_us in enumerate(times.tolist()):
            places[index, row] = Frame(
                time_us,
                stream.channel,
                stream.can_id,
                stream.extended,
                stream.flags,
                bytes(data[row * n : row * n + n]),
            )
    rows = dict.fromkeys(range(len(second.streams)), 0)
    found = []
    for index in second.order.tolist():
        found.append(places[index, rows[index]])
        rows[index] += 1
    return found


def same(one: CanSecond, other: CanSecond) -> bool:
    """Equal in every part, types of the arrays included."""
    if one.streams != other.streams:
        return False
    heads = [(s.ts_ms, s.seq, s.part, s.parts, s.data) for s in (one, other)]
    arrays = all(
        a.dtype == b.dtype and a.tolist() == b.tolist()
        for a, b in ((one.order, other.order), (one.times_us, other.times_us))
    )
    return heads[0] == heads[1] and arrays


_FLAGS = st.sampled_from([0, FD, FD | BRS, FD | BRS | ESI, REMOTE, ERROR, TX])


@st.composite
def frames(draw: st.DrawFn) -> list[Frame]:
    """Some frames of any kind: several channels, lengths, flags; times not always in order."""
    keys = draw(
        st.lists(
            st.tuples(
                st.sampled_from(["can1", "can2", "", "bus ü🚜"]),
                st.booleans().flatmap(
                    lambda e: st.tuples(st.integers(0, 0x1FFF_FFFF if e else 0x7FF), st.just(e)),
                ),
                _FLAGS,
                st.integers(0, 64),
            ),
            min_size=1,
            max_size=6,
            unique=True,
        )
    )
    random_bytes = draw(st.randoms(use_true_random=False))
    picked = draw(st.lists(st.tuples(st.sampled_from(keys), st.integers(-(2**31), 2**31 - 1)), max_size=25))
    return [
        Frame(time_us, channel, can_id, extended, flags, random_bytes.randbytes(length))
        for (channel, (can_id, extended), flags, length), time_us in picked
    ]


def seconds() -> st.SearchStrategy[CanSecond]:
    """Any second that a device can make."""
    return st.builds(second_of, frames(), st.integers(0, 2**53), st.integers(0, 2**53))


def busy_second(frames_count: int, ids: int, length: int = 8, seed: int = 1, seq: int = 1) -> CanSecond:
    """A full bus: frames of random bytes, evenly spread over ids and time."""
    rng = random.Random(seed)
    step_us = 1_000_000 // frames_count
    return second_of(
        [
            Frame(i * step_us, "can1", 0x18F0_0000 + i % ids * 0x101, True, 0, rng.randbytes(length))
            for i in range(frames_count)
        ],
        seq=seq,
    )
