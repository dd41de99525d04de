"""Messages of several frames, put together second by second or all at once."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duco_rt.body import CanSecond, StreamKey
from duco_rt.pipeline.decoding.columns import columns_of, decode_columns
from duco_rt.pipeline.decoding.last import last_values
from duco_rt.pipeline.decoding.multi_packet import NOTHING_OPEN
from duco_rt.pipeline.decoding.plan import Plan
from duco_rt.pipeline.decoding.rows import Rows, rows_of
from duco_rt.pipeline.decoding.whole import is_read, put_whole, whole_rows, whole_slices
from tests.can_seconds import TS_MS, Frame, second_of
from tests.dbc_texts import J1939_TAIL, dbc_text, plan_of
from tests.pipeline.decoding.long_messages import TEXT, TIME, VI, frames_of_seconds, seconds_of
from tests.pipeline.decoding.packets import bam_frames, fast_frames, group_id

PLAN = plan_of(TEXT)

Plain = dict[StreamKey, list[tuple[int, bytes]]]


def plain_rows(plan: Plan, rows: list[Rows]) -> Plain:
    """Times and data by stream, of what is read."""
    found: Plain = {}
    for stream, times_us, data in rows:
        if is_read(plan, stream):
            assert stream.count == len(times_us) == len(data)
            found.setdefault(stream[:5], []).extend(zip(times_us.tolist(), map(bytes, data), strict=True))
    return {key: sorted(held) for key, held in found.items()}


def plain_slices(plan: Plan, seconds: list[CanSecond], problems: Counter[str]) -> Plain:
    """The same of seconds that are read one by one."""
    found: Plain = {}
    open_ = NOTHING_OPEN
    for second in seconds:
        slices, open_ = whole_slices(plan, second, open_, problems)
        for stream, times, data in slices:
            if is_read(plan, stream):
                n, base_us = stream.length, second.ts_ms * 1000
                parts = [bytes(data[at * n : at * n + n]) for at in range(stream.count)]
                rows = zip([base_us + t for t in times.tolist()], parts, strict=True)
                found.setdefault(stream[:5], []).extend(rows)
    return {key: sorted(held) for key, held in found.items()}


@given(st.integers(0, 2**32))
def test_second_by_second_is_all_at_once(seed: int) -> None:
    """The same messages, whatever the seconds cut in two; in parts of several seconds too."""
    rng = random.Random(seed)
    seconds = seconds_of(frames_of_seconds(rng, 3, 25), 3)
    problems: tuple[Counter[str], ...] = Counter(), Counter(), Counter()
    at_once, open_ = whole_rows(PLAN, seconds, NOTHING_OPEN, problems[0])
    wanted = plain_rows(PLAN, at_once)
    assert plain_slices(PLAN, seconds, problems[1]) == wanted
    cut = rng.randrange(1, 3)
    early, between = whole_rows(PLAN, seconds[:cut], NOTHING_OPEN, problems[2])
    late, end = whole_rows(PLAN, seconds[cut:], between, problems[2])
    in_two = plain_rows(PLAN, early)
    for key, held in plain_rows(PLAN, late).items():
        in_two.setdefault(key, []).extend(held)
    assert in_two == wanted
    assert (end.sessions, len(end.fast)) == (open_.sessions, len(open_.fast))
    assert problems[0] == problems[1] == problems[2]


@given(st.integers(0, 2**32))
@settings(max_examples=20)
def test_some_fields_of_long_messages(seed: int) -> None:
    """The values that the whole plan gives them."""
    rng = random.Random(seed)
    seconds = seconds_of(frames_of_seconds(rng, 2, 20), 2)
    names = [field.name for field in PLAN.fields]
    wanted = rng.sample(names, rng.randrange(len(names)))
    found = []
    for plan in (PLAN, PLAN.only(wanted)):
        rows, _ = whole_rows(plan, seconds, NOTHING_OPEN, Counter())
        found.append(columns_of(decode_columns(plan, rows, Counter())))
    assert found[1].keys() == found[0].keys() & set(wanted)
    for name, (times_us, values) in found[1].items():
        assert times_us.tolist() == found[0][name].times_us.tolist()
        assert values.tolist() == found[0][name].values.tolist()


def spread(sent: list[tuple[int, bytes]], step_us: int, channel: str = "c") -> list[Frame]:
    """Frames one after the other."""
    return [Frame(n * step_us, channel, can_id, True, 0, data) for n, (can_id, data) in enumerate(sent)]


LONG: dict[str, tuple[list[Frame], str, int]] = {
    "broadcast": (spread(bam_frames(VI, 0, bytes(range(20))), 400_000), "vi_a", 0),
    "of a sender": (spread(bam_frames(VI, 3, bytes(range(20))), 400_000), "vi3_a", 1),
    "fast packet": (spread(fast_frames(group_id(TIME, 7), bytes(range(20, 44)), 5), 400_000), "time_a", 20),
}


@pytest.mark.parametrize("case", LONG)
def test_a_message_over_two_seconds(case: str) -> None:
    """It is there in the second that ends it, with its last frame's time; alone that second gives nothing."""
    frames, field, value = LONG[case]
    seconds = seconds_of(frames, 2)
    problems: Counter[str] = Counter()
    slices, open_ = whole_slices(PLAN, seconds[0], NOTHING_OPEN, problems)
    assert last_values(PLAN, slices, problems) == {}
    slices, after = whole_slices(PLAN, seconds[1], open_, problems)
    assert last_values(PLAN, slices, problems)[field] == value and not problems
    assert [times.tolist() for stream, times, _ in slices if stream.length > 8] == [[frames[-1].time_us - 1_000_000]]
    again, _ = whole_slices(PLAN, seconds[1], open_, problems)
    assert [bytes(data) for _, _, data in again] == [bytes(data) for _, _, data in slices]
    assert not after.fast
    slices, _ = whole_slices(PLAN, seconds[1], NOTHING_OPEN, problems)
    assert last_values(PLAN, slices, problems) == {} and problems["multipacket_headless"] > 0


def test_without_groups_all_stays_as_it_is() -> None:
    """Frames of the transport protocol are then unknown, like any others that are not described."""
    plan = plan_of(dbc_text("256 M 8\nx : 0|8@1+ (1,0)"))
    second = second_of([*spread(bam_frames(VI, 0, bytes(20)), 1000), Frame(1, "c", 256, False, 0, bytes(8))])
    problems: Counter[str] = Counter()
    slices, open_ = whole_slices(plan, second, NOTHING_OPEN, problems)
    assert [stream.can_id for stream, _, _ in slices] == [256] and open_ is NOTHING_OPEN
    assert problems == {"unknown_id": second.frames - 1}
    rows = rows_of([second])
    assert put_whole(plan, rows, NOTHING_OPEN, problems) == (rows, NOTHING_OPEN)


def test_a_database_that_describes_the_transport_protocol() -> None:
    """Its frames are read as they are, and what they bring is put together all the same; also for some fields."""
    plan = plan_of(
        dbc_text(f"{1 << 31 | 0x1CECFFFE} TPCM 8\ncontrol : 0|8@1+ (1,0)", tail=J1939_TAIL),
        dbc_text(f"{1 << 31 | 0x18FEECFE} VI 20\nlast : 152|8@1+ (1,0)", tail=J1939_TAIL),
    )
    second = second_of(spread(bam_frames(0xFEEC, 0, bytes([*range(19), 7])), 1000))
    for some, wanted in ((plan, {"control": 32, "last": 7}), (plan.only({"last"}), {"last": 7})):
        slices, _ = whole_slices(some, second, NOTHING_OPEN, Counter())
        assert last_values(some, slices, Counter()) == wanted
        rows, _ = whole_rows(some, [second], NOTHING_OPEN, Counter())
        columns = columns_of(decode_columns(some, rows, Counter()))
        assert {name: column.values[-1] for name, column in columns.items()} == wanted


def test_long_frames_are_no_pieces() -> None:
    """A CAN FD frame of a fast packet's group holds the message itself."""
    data = bytes([9, *range(23)])
    second = second_of([Frame(1, "c", group_id(TIME, 0), True, 1, data)])
    slices, open_ = whole_slices(PLAN, second, NOTHING_OPEN, Counter())
    assert last_values(PLAN, slices, Counter())["time_a"] == 9 and open_ is NOTHING_OPEN


def test_what_is_read() -> None:
    """Described frames and pieces; not the unknown, nor what is no data."""
    frames = [
        Frame(0, "c", 256, False, 0, b"12"),
        Frame(0, "c", 0x18ECFF00, True, 0, bytes(8)),
        Frame(0, "c", group_id(TIME, 0), True, 0, bytes(8)),
        Frame(0, "c", 257, False, 0, b"12"),
        Frame(0, "c", 256, False, 8, b""),
        Frame(0, "c", 256, False, 16, b""),
    ]
    second = second_of(frames, TS_MS)
    assert [is_read(PLAN, stream) for stream in second.streams] == [True] * 3 + [False] * 3
