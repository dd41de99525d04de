"""Whatever frames come: no exception escapes from any reading, and memory stays bounded."""

from __future__ import annotations

import random
import time
from collections import Counter
from dataclasses import replace

import numpy as np
import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duco_rt.body import POSITION_MAX, CanSecond, Order, Stream, order_type
from duco_rt.demo import shipped_parsing
from duco_rt.model import Parsing, ParsingFile
from duco_rt.pipeline.decoding.columns import columns_of, decode_columns
from duco_rt.pipeline.decoding.compiling import compile_here
from duco_rt.pipeline.decoding.multi_packet import NOTHING_OPEN, Open
from duco_rt.pipeline.decoding.plan import Plan
from duco_rt.pipeline.decoding.whole import whole_rows
from duco_rt.pipeline.samples import Problems, Sampler
from tests.can_seconds import TS_MS
from tests.databases import random_files
from tests.pipeline.decoding.long_messages import TEXT
from tests.pipeline.line import PEER

FRAMES = 10_000_000
SECOND_FRAMES = 4_000
MEMORY_BYTES_MAX = 200 * 2**20
FRAMES_A_S_MIN = 10_000
"""Some thirty times slower than it is, for a machine that does other things beside."""


def random_second(rng: random.Random, plan: Plan, seq: int, frames: int) -> CanSecond:
    """A second of streams of any id, flags and length, some that the plan knows, in any order and at any times."""
    known = [message for file in plan.files for message in file.messages]
    streams: dict[tuple[object, ...], Stream] = {}
    left = frames
    while left:
        count = min(left, rng.choice((1, 2, rng.randrange(1, 200))))
        can_id, extended, length = rng.getrandbits(29), rng.random() < 0.7, rng.choice((8, 8, 8, rng.randrange(65)))
        if known and rng.random() < 0.5:
            message = rng.choice(known)
            can_id, extended = message.frame_id, message.extended
            length = rng.choice((length, min(255, message.length)))
        elif rng.random() < 0.5:
            can_id = rng.choice((0x18EC0000, 0x18EB0000, 0x1CECFF00)) | rng.randrange(4) << 8 | rng.randrange(4)
        flags = rng.choice((0, 0, 0, 0, rng.randrange(64)))
        stream = Stream(
            rng.choice(("can1", "can2")), can_id & (0x1FFF_FFFF if extended else 0x7FF), extended, flags, length, count
        )
        if stream[:5] not in streams:
            streams[stream[:5]] = stream
            left -= count
    held = tuple(streams.values())
    bits = np.random.default_rng(rng.getrandbits(32))
    times = (
        bits.integers(-(2**31), 2**31, frames) if rng.random() < 0.2 else np.sort(bits.integers(0, 1_000_000, frames))
    )
    owners = np.repeat(np.arange(len(held)), np.array([s.count for s in held], np.intp))
    order: Order = bits.permutation(owners).astype(order_type(len(held)))
    data = bits.bytes(sum(s.count * s.length for s in held))
    return CanSecond(TS_MS + 1000 * seq, seq, 0, 1, held, order, times.astype(np.int32), data)


def plan_of(*files: ParsingFile) -> Plan:
    """The plan of files."""
    return compile_here(Parsing("p", 1, files))


def read(plan: Plan, second: CanSecond, sampler: Sampler, open_: Open) -> Open:
    """Every reading of a second."""
    problems = Problems()
    sample = sampler.sample(PEER, second, 0, plan, problems)
    assert sample is not None, problems.why
    assert all(isinstance(value, int | float) and abs(value) < float("inf") for value in sample.payload.values())
    whole, open_ = whole_rows(plan, [second], open_, problems)
    for column in columns_of(decode_columns(plan, whole, problems)).values():
        assert np.isfinite(column.values).all()
    return open_


@settings(max_examples=settings().max_examples // 4)
@given(st.integers(0, 2**32))
def test_nothing_escapes(seed: int) -> None:
    """Any database, any streams: a sample, columns, and problems that are counted."""
    rng = random.Random(seed)
    plan, sampler, open_ = plan_of(*random_files(rng)), Sampler(), NOTHING_OPEN
    for seq in range(3):
        open_ = read(plan, random_second(rng, plan, seq, rng.randrange(60)), sampler, open_)


def test_no_data_at_all() -> None:
    """A second without frames, and frames without bytes."""
    plan, sampler = plan_of(ParsingFile("a", TEXT), *shipped_parsing().files), Sampler()
    ids = (256, False), (0x18ECFF00, True), (0x0DF01003, True), (0x0CF00400, True)
    streams = tuple(Stream("c", *each, 0, 0, 3) for each in ids)
    empty = CanSecond(TS_MS, 1, 0, 1, (), np.empty(0, np.uint8), np.empty(0, np.int32), b"")
    bare = CanSecond(TS_MS, 1, 0, 1, streams, np.repeat(np.arange(4, dtype=np.uint8), 3), np.zeros(12, np.int32), b"")
    for second in (empty, bare, replace(bare, ts_ms=POSITION_MAX, seq=POSITION_MAX)):
        read(plan, second, sampler, NOTHING_OPEN)
        whole, _ = whole_rows(plan, [second, second], NOTHING_OPEN, Counter())
        assert decode_columns(plan, whole, Counter()) == []


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_ten_million_random_frames() -> None:
    """In seconds of a full bus: none fails, none takes long, and what is remembered does not grow."""
    rng = random.Random(10)
    plans = [
        plan_of(ParsingFile("a", TEXT), *shipped_parsing().files),
        *(plan_of(*random_files(rng)) for _ in range(3)),
    ]
    sampler, process, opens = Sampler(), psutil.Process(), [NOTHING_OPEN] * len(plans)
    begin_bytes, taken_s = 0, 0.0
    for seq in range(FRAMES // SECOND_FRAMES):
        n = seq % len(plans)
        second = random_second(rng, plans[n], seq, SECOND_FRAMES)
        begin_s = time.perf_counter()
        opens[n] = read(plans[n], second, sampler, opens[n])
        taken_s += time.perf_counter() - begin_s
        if seq == 100:
            begin_bytes = process.memory_info().rss
    grown = process.memory_info().rss - begin_bytes
    print(f"{FRAMES / taken_s:.0f} frames/s, both readings; memory grew by {grown / 2**20:.1f} MiB")
    assert FRAMES / taken_s > FRAMES_A_S_MIN
    assert grown < MEMORY_BYTES_MAX
