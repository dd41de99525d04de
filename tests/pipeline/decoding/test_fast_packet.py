"""NMEA 2000 fast packets: byte sequences, interleaved messages, losses, bounds, and a reading frame by frame."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from duco_rt.body import ERROR, REMOTE, Stream
from duco_rt.pipeline.decoding.fast_packet import OPEN_MAX, TIMEOUT_US, put_fast_together
from duco_rt.pipeline.decoding.rows import Rows
from tests.pipeline.decoding import packets
from tests.pipeline.decoding.conversations import Messages, add
from tests.pipeline.decoding.packets import Sent, Timed

GNSS = 0x0DF80523
"""PGN 129029 from address 0x23."""

NAME: Sent = [  # 20 bytes, sequence 5
    (GNSS, bytes.fromhex("a0 14 01 02 03 04 05 06")),
    (GNSS, bytes.fromhex("a1 07 08 09 0a 0b 0c 0d")),
    (GNSS, bytes.fromhex("a2 0e 0f 10 11 12 13 14")),
]

A, B = bytes(range(30, 60)), bytes(range(90, 120))
A_0, B_1 = packets.fast_frames(GNSS, A, 0), packets.fast_frames(GNSS, B, 1)
LONG, ONE = bytes(range(223)), bytes(range(1, 7))


def bad(total: int) -> tuple[int, bytes]:
    """A begin of sequence 0 that announces that length."""
    return GNSS, bytes([0, total]) + bytes(6)


def short(frame: tuple[int, bytes], length: int) -> tuple[int, bytes]:
    """The frame with so many bytes."""
    return frame[0], frame[1][:length]


CASES: list[tuple[str, Sent, list[bytes], dict[str, int]]] = [
    ("in order", NAME, [bytes(range(1, 21))], {}),
    ("one frame", packets.fast_frames(GNSS, ONE, 7), [ONE], {}),
    ("one byte", packets.fast_frames(GNSS, b"\x2a", 7), [b"\x2a"], {}),
    ("the longest", packets.fast_frames(GNSS, LONG, 3), [LONG], {}),
    ("one after the other", A_0 + B_1, [A, B], {}),
    ("the same sequence each time", A_0 + packets.fast_frames(GNSS, B, 0), [A, B], {}),
    ("two interleave", [f for both in zip(A_0, B_1, strict=True) for f in both], [A, B], {}),
    ("one inside the other", [*A_0[:2], *B_1, *A_0[2:]], [B, A], {}),
    ("the last frame is short", [*NAME[:2], short(NAME[2], 8)], [bytes(range(1, 21))], {}),
    ("its filling is not sent", [*A_0[:4], short(A_0[4], 4)], [A], {}),
    ("the last frame is too short", [*A_0[:4], short(A_0[4], 3)], [], {"fastpacket_incomplete": 1}),
    ("a short frame within", [*A_0[:2], short(A_0[2], 7), *A_0[3:]], [], {"fastpacket_incomplete": 1, "headless": 2}),
    ("one short frame", [short(f, 5) for f in packets.fast_frames(GNSS, ONE[:3], 0)], [ONE[:3]], {}),
    (
        "one frame, too short",
        [short(f, 4) for f in packets.fast_frames(GNSS, ONE[:3], 0)],
        [],
        {"fastpacket_incomplete": 1},
    ),
    ("a frame is lost", [*A_0[:2], *A_0[3:]], [], {"fastpacket_incomplete": 1, "headless": 2}),
    ("the end is lost", [*A_0[:4], *B_1], [B], {"fastpacket_incomplete": 1}),
    ("a frame comes twice", [*A_0[:2], *A_0[1:]], [], {"fastpacket_incomplete": 1, "headless": 4}),
    ("begun again", [*A_0[:3], *A_0], [A], {"fastpacket_incomplete": 1}),
    ("the begin is lost", A_0[1:] + B_1, [B], {"headless": 4}),
    ("more than announced", [*NAME, (GNSS, b"\xa3" * 8)], [bytes(range(1, 21))], {"headless": 1}),
    ("nothing announced", [bad(0), *B_1], [B], {"fastpacket_bad": 1}),
    ("too much announced", [bad(224), *A_0[1:]], [], {"fastpacket_bad": 1, "headless": 4}),
    ("no length", [short(A_0[0], 1)], [], {"fastpacket_bad": 1}),
    ("no byte", [short(A_0[0], 0)], [], {"fastpacket_bad": 1}),
]


def listen(pieces: Sequence[Sequence[Timed]], end_us: int = 60_000_000) -> tuple[Messages, dict[str, int]]:
    """Messages and counts of pieces one after the other, and of silence until that time."""
    problems, found = Counter[str](), Messages()
    kept: tuple[Rows, ...] = ()
    for piece in pieces:
        latest_us = piece[-1][0] if piece else 0
        out, kept = put_fast_together((*kept, *packets.rows_from(piece)), latest_us, problems)
        add(found, out)
    out, kept = put_fast_together(kept, end_us, problems)
    assert not out and not kept
    return found, {kind.removeprefix("multipacket_"): n for kind, n in problems.items()}


@pytest.mark.parametrize(("sent", "whole", "wrong"), [row[1:] for row in CASES], ids=[row[0] for row in CASES])
@pytest.mark.parametrize("piece", [1, 3, 100])
def test_cases(sent: Sent, whole: list[bytes], wrong: dict[str, int], piece: int) -> None:
    """What is all there comes out in order of completion, in any pieces; the rest is counted."""
    frames = packets.timed(sent)
    found, problems = listen([frames[at : at + piece] for at in range(0, len(frames), piece)])
    assert [payload for _, payload in sorted(m for own in found.values() for m in own)] == whole
    assert problems == wrong


@pytest.mark.parametrize(("pause_us", "count"), [(TIMEOUT_US, 1), (TIMEOUT_US + 1, 0)])
@pytest.mark.parametrize("pieces", [1, 2])
def test_a_pause_ends_a_message(pause_us: int, count: int, pieces: int) -> None:
    """As long as receivers wait is allowed; after more the frames have no message."""
    frames = [*packets.timed(NAME[:2]), (1_000 + pause_us, *NAME[2])]
    found, problems = listen([frames] if pieces == 1 else [frames[:2], frames[2:]])
    assert len(found) == count
    assert problems == ({} if count else {"fastpacket_incomplete": 1, "headless": 1})


def test_rows_of_messages() -> None:
    """Id, channel and flags of the stream; one Rows an id and length; the time is that of the last frame."""
    frames = packets.timed([*A_0, *NAME, *B_1])
    out, kept = put_fast_together(packets.rows_from(frames, "n2k", 32), 0, Counter())
    assert kept == ()
    assert {rows.stream: (rows.times_us.tolist(), rows.data.shape) for rows in out} == {
        Stream("n2k", GNSS, True, 32, 20, 1): ([7_000], (1, 20)),
        Stream("n2k", GNSS, True, 32, 30, 2): ([4_000, 12_000], (2, 30)),
    }
    for rows in out:
        assert rows.times_us.dtype == np.int64
        assert rows.data.dtype == np.uint8
        assert rows.data.flags.c_contiguous


def test_streams_do_not_mix() -> None:
    """Another source, bus or direction is another sender, whose frames fit no message here."""
    first, rest = packets.timed(NAME[:1]), packets.timed(NAME[1:], 1_000)
    others = [(time_us, GNSS + 1, data) for time_us, _, data in rest]
    for rows in (packets.rows_from(others), packets.rows_from(rest, "can2"), packets.rows_from(rest, "can1", 32)):
        problems = Counter[str]()
        out, kept = put_fast_together([*packets.rows_from(first), *rows], 2_000, problems)
        assert not out and len(kept) == 1
        assert problems == {"multipacket_headless": 2}


def test_at_one_time_the_shorter_frame_is_last() -> None:
    """Clocks of 1 ms give all frames of a message one time; the order of streams does not count."""
    rows = packets.rows_from(packets.timed([*A_0[:4], short(A_0[4], 4)], step_us=0))
    for given_rows in (rows, rows[::-1]):
        (out,), _ = put_fast_together(given_rows, 0, Counter())
        assert out.data.tobytes() == A


def test_frames_that_are_none() -> None:
    """Error and remote frames and plain ids are no fast packets; longer ones are counted."""
    frames, problems = packets.timed(NAME), Counter[str]()
    (rows,) = packets.rows_from(frames)
    plain = rows._replace(stream=rows.stream._replace(extended=False))
    strange = [*packets.rows_from(frames, flags=ERROR), *packets.rows_from(frames, flags=REMOTE), plain]
    assert put_fast_together([*strange, *packets.rows_from([(0, GNSS, bytes(12))])], 0, problems) == ([], ())
    assert problems == {"fastpacket_bad": 1}


def test_what_is_kept_cannot_change() -> None:
    """Frames of an unfinished message are read-only copies, for as long as their message takes."""
    (rows,) = packets.rows_from(packets.timed(NAME[:2]))
    _, (kept,) = put_fast_together([rows], 1_000, Counter())
    assert not kept.data.flags.writeable and not kept.times_us.flags.writeable
    assert not np.shares_memory(kept.data, rows.data)


def test_unfinished_messages_are_bounded() -> None:
    """Of more than OPEN_MAX the newest are kept, the others counted."""
    begun = [(i, GNSS & ~0xFF | i >> 3, bytes([(i & 7) << 5, 20, *range(6)])) for i in range(OPEN_MAX + 10)]
    problems = Counter[str]()
    _, kept = put_fast_together(packets.rows_from(begun), OPEN_MAX, problems)
    times_us = sorted(np.concatenate([rows.times_us for rows in kept]).tolist())
    assert times_us == list(range(10, OPEN_MAX + 10))
    assert problems == {"fastpacket_incomplete": 10}


def frame_by_frame(frames: Sequence[Timed]) -> tuple[Messages, dict[str, int]]:
    """The plainest reading: a dict of open messages, a step a frame."""
    open_: dict[tuple[int, int], list[Timed]] = {}
    found, problems = Messages(), Counter[str]()
    for time_us, can_id, data in frames:
        if not data:
            problems["fastpacket_bad"] += 1
            continue
        slot, number = (can_id, data[0] >> 5), data[0] & 31
        held = open_.pop(slot, [])
        fits = held and number == len(held) and time_us - held[-1][0] <= TIMEOUT_US and len(held[-1][2]) == 8
        if held and not fits:
            problems["fastpacket_incomplete"] += 1
        if number and not fits:
            problems["headless"] += 1
            continue
        if not number and (len(data) < 2 or not 1 <= data[1] <= 223):
            problems["fastpacket_bad"] += 1
            continue
        held = [*(held if fits else []), (time_us, can_id, data)]
        total = held[0][2][1]
        if len(held) < (total + 7) // 7:
            open_[slot] = held
        elif len(whole := b"".join(part[1:] for _, _, part in held)[1:]) >= total:
            found.setdefault(("can1", can_id, 0, total), []).append((time_us, whole[:total]))
        else:
            problems["fastpacket_incomplete"] += 1
    problems["fastpacket_incomplete"] += len(open_)
    return found, dict(+problems)


def nearly(rng: random.Random, count: int) -> list[Timed]:
    """Frames that often fit each other, with errors of every kind."""
    frames, number, time_us = [], 0, 0
    for _ in range(count):
        number = number + 1 if rng.random() < 0.8 else rng.choice((0, 0, 0, 1, 2, 31))
        total = rng.choice((1, 6, 7, 13, 14, 20, 34, 0, 223, 255)) if rng.random() < 0.9 else rng.randrange(256)
        sequence = rng.choice((0, 0, 0, 0, 0, 0, 7))
        data = bytes([sequence << 5 | number & 31, total if number == 0 else 7]) + rng.randbytes(6)
        length = 8 if rng.random() < 0.95 else rng.randrange(9)
        time_us += rng.choice((1, 250, 1_000, 1_000, 700_000 if rng.random() < 0.1 else 1, TIMEOUT_US + 1))
        frames.append((time_us, GNSS + rng.choice((0, 0, 0, 1)), data[:length]))
    return frames


@given(st.integers(0, 2**32), st.integers(0, 300), st.integers(1, 300))
def test_as_frame_by_frame(seed: int, count: int, piece: int) -> None:
    """All at once, in pieces, and frame by frame: the same messages in the same order, the same counts."""
    frames = nearly(random.Random(seed), count)
    wanted = frame_by_frame(frames)
    end_us = (frames[-1][0] if frames else 0) + TIMEOUT_US + 1
    assert listen([frames], end_us) == wanted
    assert listen([frames[at : at + piece] for at in range(0, count, piece)], end_us) == wanted


@given(st.lists(st.binary(min_size=1, max_size=223), max_size=30), st.integers(0, 7))
def test_round_trip(payloads: list[bytes], sequence: int) -> None:
    """Split and put together: each message with its bytes, in order."""
    sent = [f for i, payload in enumerate(payloads) for f in packets.fast_frames(GNSS, payload, (sequence + i) % 8)]
    found, problems = listen([packets.timed(sent)])
    assert [payload for _, payload in sorted(m for own in found.values() for m in own)] == payloads
    assert not problems


def test_many_frames_cost_no_step_each() -> None:
    """Twenty senders, 140,000 frames: as many messages as were sent, last one included."""
    block = np.array([list(data) for k in range(8) for _, data in packets.fast_frames(GNSS, bytes(43), k)], np.uint8)
    data, n = np.tile(block, (125, 1)), len(block) * 125
    times_us = np.arange(n, dtype=np.int64) * 1_000
    senders = [Rows(Stream("can1", GNSS + i, True, 0, 8, n), times_us, data) for i in range(20)]
    problems = Counter[str]()
    out, kept = put_fast_together(senders, int(times_us[-1]), problems)
    assert [rows.data.shape for rows in out] == [(1_000, 43)] * 20
    assert not kept and not problems
