"""Random traffic for databases: what they describe by any sender, of any length, and what they do not know."""

from __future__ import annotations

import random
from collections.abc import Sequence

from duco_rt.body import ERROR, FD, REMOTE, CanSecond
from duco_rt.pipeline.decoding.described import DescribedFile, DescribedMessage
from tests.can_seconds import TS_MS, Frame, second_of
from tests.databases import SOURCES, random_frame

SECONDS = 3
_SENDERS = (*SOURCES, 0x55, 7)


def traffic(rng: random.Random, files: Sequence[DescribedFile], rounds: int = 2) -> list[Frame]:
    """Frames of three seconds in order of arrival, at times (µs) of which each comes once.

    Those of one stream are in order of time, as a bus brings them; streams are not in order among each other.
    """
    frames: list[Frame] = []
    for message in [message for file in files for message in file.messages] * rounds:
        frames += _some(rng, message)
    for _ in range(rng.randrange(3)):
        frames.append(Frame(0, "can1", rng.randrange(0x7FF), False, 0, rng.randbytes(rng.randrange(9))))
    rng.shuffle(frames)
    times = sorted(rng.sample(range(SECONDS * 1_000_000), len(frames)))
    places: dict[tuple[object, ...], list[int]] = {}
    for place, frame in enumerate(frames):
        places.setdefault((*frame[1:5], len(frame.data)), []).append(place)
    rng.shuffle(times)
    for own in places.values():
        mine, times = sorted(times[: len(own)]), times[len(own) :]
        for place, time_us in zip(own, mine, strict=True):
            frames[place] = frames[place]._replace(time_us=time_us)
    return frames


def _some(rng: random.Random, message: DescribedMessage) -> list[Frame]:
    """A few frames of one sender on one bus."""
    can_id, channel = message.frame_id, rng.choice(("can1", "can1", "can2"))
    if message.j1939 and rng.random() < 0.6:
        can_id = can_id & 0x03FF_FF00 | rng.randrange(8) << 26 | rng.choice(_SENDERS)
        if can_id >> 16 & 0xFF < 240:  # to another address
            can_id = can_id & ~0xFF00 | rng.randrange(256) << 8
    flags = rng.choice((0, 0, 0, 0, 0, FD, ERROR, REMOTE))
    more = rng.choice((0, 0, 0, 0, 1, 8))
    frames = []
    for _ in range(rng.choice((1, 2, 6))):
        data = random_frame(rng, message) + rng.randbytes(more)
        if rng.random() < 0.05:
            data = data[: rng.randrange(len(data) + 1)]
        extended = message.extended if rng.random() < 0.97 else can_id > 0x7FF
        frames.append(Frame(0, channel, can_id, extended, flags, data))
    return frames


def seconds_of(frames: Sequence[Frame]) -> list[CanSecond]:
    """The seconds that a device makes of them."""
    found = []
    for n in range(SECONDS):
        own = [f._replace(time_us=f.time_us - n * 1_000_000) for f in frames if f.time_us // 1_000_000 == n]
        found.append(second_of(own, TS_MS + 1_000 * n, n))
    return found
