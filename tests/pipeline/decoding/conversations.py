"""Buses on which several senders talk at once and frames get lost, with the messages that arrive whole."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

from duco_rt.pipeline.decoding.multi_packet import NOTHING_OPEN, Open, put_together
from duco_rt.pipeline.decoding.rows import Rows
from tests.pipeline.decoding import packets
from tests.pipeline.decoding.packets import ALL, Sent, Timed

SILENCE_US = 2_000_000
"""Longer than any timeout."""

Messages = dict[tuple[str, int, int, int], list[tuple[int, bytes]]]
"""channel, id, flags, length -> time in µs and payload of each, in order."""


class Heard(NamedTuple):
    """What arrives, in order of time, and the messages (time, id, payload) that arrive whole."""

    transport: list[Timed]
    fast: list[Timed]
    whole: list[Timed]


def conversation(rng: random.Random, loss: float = 0.03) -> Heard:
    """Some seconds of a bus, of whose frames that share is lost.

    A message whose begin is lost comes after a silence: else its packets could take the place of lost ones of the
    message before, which no listener can tell.
    """
    heard = Heard([], [], [])
    pairs = [(1, ALL), (1, 0x31), (0x31, 1), (2, ALL), (2, 0x31), (3, ALL)]
    for lane, (source, destination) in enumerate(rng.sample(pairs, rng.randint(1, len(pairs)))):
        _talk(rng, loss, lane, source, destination, heard)
    for lane in range(10, 10 + rng.randrange(4)):
        _talk_fast(rng, loss, lane, heard)
    for frames in heard:
        frames.sort()
    return heard


def _talk(rng: random.Random, loss: float, lane: int, source: int, destination: int, heard: Heard) -> None:
    clock_us = rng.randrange(20) * 100_000 + lane  # no two frames at one time
    for _ in range(rng.randint(1, 3)):
        size = rng.choice((9, 14, 15, rng.randint(9, 200), rng.randint(9, 1785)))
        payload = rng.randbytes(size)
        priority = rng.randrange(8)
        if destination == ALL:
            pgn = rng.choice((0xFECA, 0xFEE3, 0x1FF10, 0xEF00))
            sent = packets.bam_frames(pgn, source, payload, priority)
        else:
            pgn = rng.choice((0xFECA, 0xEF00, 0x1EF00))
            again = [rng.randint(1, (size + 6) // 7) for _ in range(rng.randrange(3))]
            sent = packets.rts_frames(pgn, source, destination, payload, priority, rng.randint(1, 40), again)
        step_us = rng.choice((500, 10_000, 50_000))
        arrived, clock_us = _send(rng, loss, sent, clock_us, step_us, heard.transport)
        firsts: dict[int, int] = {}
        for time_us, can_id, data in arrived:
            if can_id >> 16 & 0xFF == 0xEB:
                firsts.setdefault(data[0], time_us)
        if arrived and arrived[0][1:] == sent[0] and len(firsts) == (size + 6) // 7:
            whole_id = packets.group_id(pgn, source, destination, priority)
            heard.whole.append((max(firsts.values()), whole_id, payload))


def _talk_fast(rng: random.Random, loss: float, lane: int, heard: Heard) -> None:
    can_id = packets.group_id(0x1F805, lane, priority=6)
    clock_us = rng.randrange(20) * 100_000 + lane
    sequence = rng.randrange(8)
    for _ in range(rng.randint(1, 20)):
        payload = rng.randbytes(rng.choice((6, 7, 43, rng.randint(1, 223))))
        sent = packets.fast_frames(can_id, payload, sequence)
        if rng.random() < 0.2 and len(payload) > 6:  # the last frame without its filling
            sent[-1] = can_id, sent[-1][1][: 1 + (len(payload) - 7) % 7 + 1]
        arrived, clock_us = _send(rng, loss, sent, clock_us, 500, heard.fast)
        if len(arrived) == len(sent):
            heard.whole.append((arrived[-1][0], can_id, payload))
        sequence = (sequence + 1) % 8


def _send(
    rng: random.Random, loss: float, sent: Sent, clock_us: int, step_us: int, heard: list[Timed]
) -> tuple[list[Timed], int]:
    """What arrives, also put into `heard`, and when the next may be sent."""
    arrives = [rng.random() >= loss for _ in sent]
    clock_us += rng.randint(1, 3) * 10_000 if arrives[0] else SILENCE_US
    frames = packets.timed(sent, clock_us, step_us)
    arrived = [frame for frame, here in zip(frames, arrives, strict=True) if here]
    heard.extend(arrived)
    return arrived, clock_us + len(sent) * step_us


def listen(pieces: Iterable[tuple[Sequence[Timed], Sequence[Timed]]]) -> tuple[Messages, Counter[str], Open]:
    """What comes out of pieces (transport, fast) given one after the other."""
    open_, problems, found = NOTHING_OPEN, Counter[str](), Messages()
    for transport, fast in pieces:
        rows, open_ = put_together(packets.rows_from(transport), packets.rows_from(fast), open_, problems)
        add(found, rows)
    return found, problems, open_


def add(found: Messages, rows: Iterable[Rows]) -> None:
    """Put rows into messages, in order."""
    for stream, times_us, data in rows:
        assert stream.extended
        assert data.shape == (stream.count, stream.length) == (len(times_us), stream.length)
        own = found.setdefault((stream.channel, stream.can_id, stream.flags, stream.length), [])
        own += [(time_us, row.tobytes()) for time_us, row in zip(times_us.tolist(), data, strict=True)]


def cut(heard: Heard, cuts_us: Sequence[int]) -> list[tuple[list[Timed], list[Timed]]]:
    """Pieces between these times."""
    edges = [-1, *sorted(cuts_us), 2**62]
    return [
        ([f for f in heard.transport if a <= f[0] < b], [f for f in heard.fast if a <= f[0] < b])
        for a, b in pairwise(edges)
    ]


def messages(whole: Iterable[Timed]) -> Messages:
    """What `listen` should find, on channel can1."""
    found: Messages = {}
    for time_us, can_id, payload in sorted(whole):
        found.setdefault(("can1", can_id, 0, len(payload)), []).append((time_us, payload))
    return found
