"""Messages of several frames for tests: a database of some, and seconds of random ones between single frames."""

from __future__ import annotations

import random

from duco_rt.body import CanSecond
from tests.can_seconds import TS_MS, Frame, second_of
from tests.dbc_texts import J1939_TAIL, dbc_text
from tests.pipeline.decoding.packets import Sent, bam_frames, fast_frames, group_id, rts_frames

VI, OWN, TIME, SHORT = 0xFEEC, 0xEF00, 0x1F010, 0xF004


def _message(name: str, pgn: int, length: int) -> str:
    """Its first byte, and its last two as a signed number."""
    rows = f"{name}_a : 0|8@1+ (1,0)", f"{name}_z : {8 * length - 9}|16@0- (0.5,0)"
    return "\n".join([f"{1 << 31 | group_id(pgn, 0xFE)} {name} {length}", *rows])


TEXT = dbc_text(
    _message("vi", VI, 20),
    _message("own", OWN, 30),
    _message("time", TIME, 24),
    _message("short", SHORT, 8),
    f"{1 << 31 | group_id(VI, 3)} vi3 20\nvi3_a : 8|8@1+ (1,0)",
    "256 plain 2\nplain_a : 0|16@1+ (1,0)",
    tail=J1939_TAIL + 'BA_ "VFrameFormat" BO_ 256 0;\n',
)
"""Groups of 8 to 30 bytes: `vi` and `own` by transport protocol, `time` as fast packets; `plain` is no group."""


def conversation(rng: random.Random) -> Sent:
    """A message of a random kind and sender, or a single frame."""
    kind, source = rng.randrange(6), rng.choice((0, 3, 0x21))
    if kind == 0:
        return bam_frames(VI, source, rng.randbytes(rng.choice((20, 20, 25, 12))))
    if kind == 1:
        return rts_frames(OWN, source, 0x30, rng.randbytes(30), window=rng.choice((1, 2, 16)))
    if kind < 4:
        return fast_frames(group_id(TIME, source, priority=3), rng.randbytes(24), rng.randrange(8))
    return [(group_id(SHORT, source), rng.randbytes(8))]


def frames_of_seconds(rng: random.Random, seconds: int, messages: int) -> list[Frame]:
    """Frames in order of time over so many seconds, each time once, now and then one lost."""
    sent: Sent = []
    for _ in range(messages):
        sent += conversation(rng)
    sent = [frame for frame in sent if rng.random() < 0.99]
    times = sorted(rng.sample(range(seconds * 1_000_000), len(sent)))
    return [Frame(time_us, "can1", can_id, True, 0, data) for time_us, (can_id, data) in zip(times, sent, strict=True)]


def seconds_of(frames: list[Frame], seconds: int) -> list[CanSecond]:
    """The frames second by second; times count from the first one."""
    found = []
    for n in range(seconds):
        own = [f._replace(time_us=f.time_us - 1_000_000 * n) for f in frames if f.time_us // 1_000_000 == n]
        found.append(second_of(own, TS_MS + 1000 * n, n))
    return found
