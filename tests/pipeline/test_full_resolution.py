"""Every sample of stored raw frames, by the logic of today."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from duco_rt.body import ERROR, FD, REMOTE, CanSecond
from duco_rt.errors import BadRequest
from duco_rt.model import RawSecond
from duco_rt.pipeline.decoding.columns import Column
from duco_rt.pipeline.decoding.plan import Plan
from duco_rt.pipeline.full_resolution import GROUP_MS, FullReading, full_table, to_json
from tests.can_seconds import TS_MS, Frame, frames_in, second_of
from tests.pipeline.raw_rows import (
    BUS2,
    EEC1,
    ENGINE,
    PAGES,
    PEER,
    TP_CM,
    bam,
    plan,
    rows_of_second,
    rows_of_seconds,
)

Pairs = list[tuple[int, float]]

PLAN = plan()
FIELDS = [field.name for field in PLAN.fields]


def read(
    rows: Sequence[RawSecond], fields: Sequence[str] = FIELDS, chunk: int = 1000, plan_: Plan | None = PLAN, **more: Any
) -> dict[str, Pairs]:
    """The samples of rows, which are handed over `chunk` seconds at a time."""
    range_ms = {"from_ms": TS_MS - 10_000, "to_ms": TS_MS + 100_000, **more}
    reading = FullReading(plan_, fields, **range_ms)
    moments = sorted({row.ts_ms for row in rows})
    for at in range(0, len(moments), chunk):
        reading.add([row for row in rows if row.ts_ms in moments[at : at + chunk]])
    return {
        name: list(zip(samples.times_us.tolist(), samples.values.tolist(), strict=True))
        for name, samples in reading.samples().items()
    }


def scalar(seconds: Sequence[CanSecond]) -> dict[str, Pairs]:
    """The same, frame by frame with the scalar reading."""
    found: dict[str, Pairs] = {name: [] for name in FIELDS}
    for second in seconds:
        for frame in frames_in(second):
            if frame.flags & (ERROR | REMOTE):
                continue
            fitting = [m for m in PLAN.find(*frame[1:4]) if len(frame.data) >= m.length_bytes]
            for name, value in fitting[0].decode(frame.data).items() if fitting else ():
                if value is not None and math.isfinite(value):
                    found[name].append((second.ts_ms * 1000 + frame.time_us, value))
    return {name: sorted(pairs, key=lambda pair: pair[0]) for name, pairs in found.items()}


_IDS = st.sampled_from(
    [
        (ENGINE, False),
        (PAGES, False),
        (BUS2, False),
        (EEC1, True),
        (EEC1 | 3, True),
        (EEC1 | 7, True),
        (EEC1, False),
        (0x7FF, False),
    ]
)


@st.composite
def random_seconds(draw: st.DrawFn) -> list[CanSecond]:
    """A few seconds of frames, each with a time of its own."""
    rng = draw(st.randoms(use_true_random=False))
    found = []
    for seq in range(draw(st.integers(1, 5))):
        times = draw(st.lists(st.integers(-1500, 1_000_500), max_size=12, unique=True))
        frames = []
        for time_us in times:
            can_id, extended = draw(_IDS)
            flags = rng.choice([0, 0, 0, 0, FD, REMOTE, ERROR])
            data = bytes(rng.choice([0, 1, 2, 255, rng.randrange(256)]) for _ in range(rng.choice([8, 8, 8, 6, 1, 12])))
            frames.append(Frame(time_us * 2 + seq % 2, rng.choice(["can1", "can2"]), can_id, extended, flags, data))
        found.append(second_of(frames, TS_MS + 3000 * seq, 100 + seq))
    return found


@given(seconds=random_seconds(), part_bytes=st.sampled_from([100, 1_000_000]), data=st.data())
def test_it_equals_the_scalar_reading(seconds: list[CanSecond], part_bytes: int, data: st.DataObject) -> None:
    """Whatever the frames, the parts of a second, the pieces and the fields that are asked for."""
    rows = [row for second in seconds for row in rows_of_second(second, part_bytes)]
    expected = scalar(seconds)
    for chunk in range(1, len(seconds) + 1):
        assert read(rows, chunk=chunk) == expected
    some = data.draw(st.lists(st.sampled_from(FIELDS), max_size=4, unique=True))
    assert read(rows, some) == {name: expected[name] for name in some}


def rpm_second(values: Sequence[int], ts_ms: int = TS_MS, seq: int = 1, channel: str = "can1") -> CanSecond:
    """A second with rpm at every 10 ms."""
    frames = [
        Frame(10_000 * n, channel, ENGINE, False, 0, value.to_bytes(2, "little") + bytes(4))
        for n, value in enumerate(values)
    ]
    return second_of(frames, ts_ms, seq)


def test_only_the_range_that_was_asked_for() -> None:
    """By the frames' own times, both ends in it."""
    rows = rows_of_seconds([rpm_second(range(100)), rpm_second(range(100, 200), TS_MS + 1000, 2)])
    found = read(rows, ["rpm"], from_ms=TS_MS + 980, to_ms=TS_MS + 1010)["rpm"]
    assert found == [(TS_MS * 1000 + 10_000 * n, float(n)) for n in range(98, 102)]


def test_senders_of_one_field_are_merged_by_time() -> None:
    """Two engines on the bus: one series."""
    frames = [Frame(n, "can1", EEC1 | n % 2, True, 0, bytes([0, 0, 0, n, 0, 0, 0, 0])) for n in range(6)]
    found = read(rows_of_seconds([second_of(frames)]), ["EngineSpeed"])["EngineSpeed"]
    assert found == [(TS_MS * 1000 + n, n / 8) for n in range(6)]


def test_a_message_of_several_frames_over_pieces_and_the_begin() -> None:
    """It has the time of its last frame; what began before the range is read, too."""
    frames = [Frame(100 * n, "can1", can_id, True, 0, data) for n, (can_id, data) in enumerate(bam(bytes(range(14))))]
    seconds = [second_of([frame], TS_MS + 400 * n, n) for n, frame in enumerate(frames)]
    expected = [(TS_MS * 1000 + 800_200, float(13 << 8 | 12))]
    for chunk in range(1, 4):
        assert read(rows_of_seconds(seconds), ["tail", "rpm"], chunk) == {"tail": expected, "rpm": []}
    reading = FullReading(PLAN, ["tail"], TS_MS + 600, TS_MS + 1000)
    assert reading.rows_from_ms <= TS_MS + 600 - GROUP_MS
    assert FullReading(PLAN, ["rpm"], TS_MS, TS_MS).rows_from_ms > TS_MS - GROUP_MS
    assert read(rows_of_seconds(seconds), ["tail"], from_ms=TS_MS + 600)["tail"] == expected


@pytest.mark.parametrize("chunk", [1, 7, 100])
def test_fewer_points(chunk: int) -> None:
    """As many as asked for, and the spike is there; whatever the pieces."""
    seconds = [rpm_second([100] * 100, TS_MS + 1000 * n, n) for n in range(20)]
    seconds[13] = rpm_second([100] * 50 + [7000] + [100] * 49, TS_MS + 13_000, 13)
    found = read(rows_of_seconds(seconds), ["rpm"], chunk, points=10, from_ms=TS_MS, to_ms=TS_MS + 20_000)["rpm"]
    assert len(found) == 10
    assert (TS_MS * 1000 + 13_500_000, 7000.0) in found


def test_too_many_samples_say_what_fits() -> None:
    """By the rate that was found; with points there is no such bound."""
    rows = rows_of_seconds([rpm_second(range(100), TS_MS + 1000 * n, n) for n in range(10)])
    limits: dict[str, Any] = {"samples_max": 500, "from_ms": TS_MS}
    with pytest.raises(BadRequest, match=r"600 samples in the first 6 s, at most 500 in an answer: ask for 5 s"):
        read(rows, ["rpm"], 1, **limits)
    assert len(read(rows, ["rpm"], 1, **limits, points=20, to_ms=TS_MS + 9_999)["rpm"]) == 20


def test_ready_samples_need_no_parsing() -> None:
    """Numbers as they are, one a second; true is 1; a text is no sample."""
    text = b'{"ts":1,"seq":1,"payload":{"a":1.5,"b":true,"c":"on","d":null,"huge":1%s}}' % (b"0" * 400)
    row = replace(rows_of_second(second_of([]))[0], kind="json1", body=text)
    expected = {"a": [(TS_MS * 1000, 1.5)], "b": [(TS_MS * 1000, 1.0)], "c": [], "d": [], "huge": [], "never": []}
    assert read([row], list(expected), plan_=None) == expected


def test_without_parsing_there_is_nothing() -> None:
    """And nothing fails."""
    assert read(rows_of_seconds([rpm_second([1])]), ["rpm"], plan_=None) == {"rpm": []}


def test_what_cannot_be_read_is_passed_over() -> None:
    """And counted; the rest is there."""
    good = rows_of_seconds([rpm_second([n], TS_MS + n * 1000, n) for n in range(5)])
    rows = [
        good[0],
        replace(good[1], kind="unread", body=b"?"),
        replace(good[2], times=b"123"),
        replace(good[3], kind="json1", body=b"{"),
        good[4],
    ]
    reading = FullReading(PLAN, ["rpm"], TS_MS, TS_MS + 10_000)
    reading.add(rows)
    assert reading.samples()["rpm"].values.tolist() == [0.0, 4.0]
    assert reading.problems["unread_body"] == 3


@given(
    column=st.sampled_from(["streams", "times", "data"]),
    at=st.integers(0, 200),
    what=st.sampled_from([b"", b"\0", b"\xff", b"\1\xff\xff", bytes(11)]),
    cut=st.integers(0, 12),
)
def test_columns_that_were_tampered_with(column: str, at: int, what: bytes, cut: int) -> None:
    """Are read as whole ones or counted: nothing raises, and the other seconds are there."""
    one, other = rows_of_seconds([rpm_second(range(9)), rpm_second([4321], TS_MS + 1000, 2)])
    text = getattr(one, column)
    at %= len(text)
    reading = FullReading(PLAN, FIELDS, TS_MS - 10_000_000, TS_MS + 10_000_000)
    reading.add([replace(one, **{column: text[:at] + what + text[at + cut :]}), other])
    assert 4321.0 in reading.samples()["rpm"].values.tolist()
    assert reading.problems["unread_body"] <= 1


def test_json() -> None:
    """Times in ms with µs as decimals; plain numbers; names escaped."""
    times = np.array([1_700_000_000_000_000, 1_700_000_000_000_001, 1_700_000_000_999_999])
    found = {'a"b': Column(times, np.array([0.0, -1.5, 1e300])), "never": Column(times[:0], np.empty(0))}
    text = to_json(found, 5, 6)
    assert json.loads(text) == {
        "from": 5,
        "to": 6,
        "fields": {
            'a"b': {"ts": [1700000000000.0, 1700000000000.001, 1700000000999.999], "v": [0.0, -1.5, 1e300]},
            "never": {"ts": [], "v": []},
        },
    }
    many = np.arange(50_001, dtype=np.int64)
    assert json.loads(to_json({"a": Column(many * 1000, many / 4)}, 0, 1))["fields"]["a"] == {
        "ts": many.tolist(),
        "v": (many / 4).tolist(),
    }


def test_table() -> None:
    """A row a sample."""
    found = {"a": Column(np.array([1, 2]), np.array([0.5, 1.5])), "b": Column(np.array([3]), np.array([2.0]))}
    table = full_table(found)
    assert [(f.name, str(f.type)) for f in table.schema] == [
        ("field", "string"),
        ("ts", "timestamp[us, tz=UTC]"),
        ("value", "double"),
    ]
    assert table["field"].to_pylist() == ["a", "a", "b"]
    assert table["value"].to_pylist() == [0.5, 1.5, 2.0]
    assert len(full_table({})) == 0


def test_transport_frames_alone_are_no_samples() -> None:
    """An announcement whose packets never come."""
    rows = rows_of_seconds([second_of([Frame(0, "can1", TP_CM, True, 0, bam(bytes(14))[0][1])])])
    assert read(rows, ["tail"])["tail"] == []
    assert rows[0].peer == PEER
