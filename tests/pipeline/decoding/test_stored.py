"""Stored seconds as rows by stream, all at once."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duco_rt.body import CanSecond, Stream, StreamKey, pack_columns
from duco_rt.model import Peer, RawSecond
from duco_rt.parts import split
from duco_rt.pipeline.decoding.rows import Rows, rows_of
from duco_rt.pipeline.decoding.stored import read_stored, rows_of_stored
from tests.can_seconds import TS_MS, Frame, busy_second, second_of, seconds

Plain = dict[StreamKey, list[tuple[int, bytes]]]


def stored(second: CanSecond) -> RawSecond:
    """The row of a second, or of a part of one, without the column `order`."""
    columns = pack_columns(second)
    peer = Peer("duco", "D1", "vehicle_can")
    row = RawSecond(peer, second.ts_ms, second.seq, second.part, 0, False, "can1")
    return replace(row, streams=columns.streams, times=columns.times, data=columns.data)


def plain(rows: list[Rows] | None) -> Plain:
    """Times and data by stream; what has none is what nobody reads."""
    assert rows is not None
    for stream, times_us, data in rows:
        assert data.flags.c_contiguous and len(times_us) == len(data)
        assert not len(data) or data.shape == (stream.count, stream.length)
    return {s[:5]: list(zip(times.tolist(), map(bytes, data), strict=True)) for s, times, data in rows}


@given(st.lists(seconds(), max_size=4))
def test_as_second_by_second(given_seconds: list[CanSecond]) -> None:
    """Any lengths, flags and channels, which a second numbers as it likes; also of a part of the streams."""
    given_seconds = [replace(second, ts_ms=TS_MS + n * 1000) for n, second in enumerate(given_seconds)]
    rows = [stored(second) for second in given_seconds]
    wanted = plain(rows_of(given_seconds))
    assert plain(rows_of_stored(rows)) == wanted

    def reads(stream: Stream) -> bool:
        return stream.can_id % 2 == 0

    some = plain(rows_of_stored(rows, reads))
    assert some == {key: held if key[1] % 2 == 0 else [] for key, held in wanted.items()}


def test_parts_of_a_second() -> None:
    """Come one by one."""
    second = busy_second(500, 20)
    parts = split(second, 2000)
    assert len(parts) > 3
    assert plain(rows_of_stored([stored(part) for part in parts])) == plain(rows_of([second]))


SECOND = second_of([Frame(n, "can1", 256 + n % 3, False, 0, bytes([n] * 3)) for n in range(9)])
BAD = {
    "a time is missing": {"times": stored(SECOND).times[:-4]},
    "half a time": {"times": stored(SECOND).times[:-2]},
    "a byte more": {"data": stored(SECOND).data + b"x"},
    "no table": {"streams": b""},
    "a cut table": {"streams": stored(SECOND).streams[:-1]},
    "a channel without a name": {"streams": b"\0" + stored(SECOND).streams[6:]},
    "no UTF-8": {"streams": stored(SECOND).streams.replace(b"can1", b"can\xff")},
}


@pytest.mark.parametrize("case", BAD)
def test_columns_that_do_not_fit(case: str) -> None:
    """Are told, alone and among others."""
    bad = replace(stored(SECOND), **BAD[case])  # type: ignore[arg-type]  # columns alone
    assert rows_of_stored([bad]) is None
    assert rows_of_stored([stored(SECOND), bad, stored(SECOND)]) is None


def test_nothing() -> None:
    """No seconds, and seconds without a frame."""
    assert rows_of_stored([]) == [] and rows_of_stored([stored(second_of([]))]) == []
    assert plain(rows_of_stored([stored(second_of([])), stored(SECOND)])) == plain(rows_of([SECOND]))


def test_many_channels() -> None:
    """More than a key has room for, over all seconds together: told, and each second alone is read."""
    rows = [stored(second_of([Frame(0, f"c{n}", 1, False, 0, b"x")])) for n in range(300)]
    assert rows_of_stored(rows) is None
    assert all(plain(rows_of_stored([row])) for row in rows)


def test_what_does_not_fit_is_left_out_and_counted() -> None:
    """The others are read, however many channels they have."""
    bad = replace(stored(SECOND), data=b"x")
    problems: Counter[str] = Counter()
    found = read_stored([stored(SECOND), bad, bad], lambda _: True, problems)
    assert plain(found) == plain(rows_of([SECOND])) and problems == {"unread_body": 2}
    many = [stored(second_of([Frame(0, f"c{n}", 1, False, 0, b"x")])) for n in range(300)]
    assert len(read_stored([*many, bad], lambda _: True, problems)) == 300 and problems == {"unread_body": 3}
