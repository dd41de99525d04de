"""The hub message's body: what goes in comes out, and what is mangled is refused in one way."""

from __future__ import annotations

import dataclasses
import struct
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from duco_rt import body
from duco_rt.body import CanSecond, JsonSecond, Stream, decode_can, decode_json, encode_can, encode_json
from duco_rt.errors import BadBody
from tests.can_seconds import TS_MS, Frame, busy_second, frames_in, same, second_of, seconds

VALUES = st.one_of(
    st.booleans(), st.integers(-(2**70), 2**70), st.floats(allow_nan=False, allow_infinity=False), st.text()
)
JSON_SECONDS = st.builds(
    JsonSecond, st.integers(0, 2**53), st.integers(0, 2**53), st.dictionaries(st.text(max_size=8), VALUES, max_size=6)
)
SAMPLE = second_of(
    [
        Frame(10, "can1", 0x123, False, 0, b"\1\2\3"),
        Frame(20, "can2", 0x18FEF100, True, body.FD, b"x" * 12),
        Frame(30, "can1", 0x123, False, 0, b"\4\5\6"),
    ]
)


@given(st.lists(st.tuples(seconds(), st.integers(0, 3)), min_size=1, max_size=4))
def test_can_seconds_come_back_as_they_were(rows: list[tuple[CanSecond, int]]) -> None:
    """Any seconds: channels, ids of both lengths, all flags, 0 to 64 bytes, parts; and their columns with them."""
    sent = [dataclasses.replace(second, part=part, parts=part + 1) for second, part in rows]
    back = decode_can(encode_can(sent))
    assert len(back) == len(sent)
    for (got, columns), second in zip(back, sent, strict=True):
        assert same(got, second)
        assert frames_in(got) == frames_in(second)
        assert body.pack_columns(second) == columns


@pytest.mark.parametrize(("streams", "order"), [(1, np.uint8), (256, np.uint8), (257, np.uint16), (2000, np.uint16)])
def test_many_streams(streams: int, order: type[np.generic]) -> None:
    """From 257 streams on the order takes two bytes a frame."""
    second = busy_second(frames_count=streams + 100, ids=streams)
    [(back, _)] = decode_can(encode_can([second]))
    assert len(back.streams) == streams and back.order.dtype == order
    assert frames_in(back) == frames_in(second)


@given(st.lists(JSON_SECONDS, min_size=1, max_size=4))
def test_json_seconds_come_back_as_they_were(sent: list[JsonSecond]) -> None:
    """Names and values of any kind with their types, each second with its own text."""
    back = decode_json(encode_json(sent))
    assert [second for second, _ in back] == sent
    for (got, text), second in zip(back, sent, strict=True):
        assert [type(v) for v in got.payload.values()] == [type(v) for v in second.payload.values()]
        assert decode_json(b'{"version":1,"seconds":[' + text + b"]}")[0][0] == second


def test_absent_values_are_left_out() -> None:
    """NaN travels as null, and null is no value."""
    [(second, _)] = decode_json(encode_json([JsonSecond(1, 2, {"a": float("nan"), "b": 0.0, "c": ""})]))
    assert second.payload == {"b": 0.0, "c": ""}


@pytest.mark.parametrize("whole", [encode_can([SAMPLE, SAMPLE]), encode_json([JsonSecond(1, 2, {"ä": "ü"})])])
def test_a_cut_body_is_refused(whole: bytes) -> None:
    """Wherever it is cut, and with a byte too many."""
    decode = decode_can if whole.startswith(b"DUCO") else decode_json
    for end in range(len(whole)):
        with pytest.raises(BadBody):
            decode(whole[:end])
    with pytest.raises(BadBody):
        decode(whole + b"\0")
    assert decode(whole)


@st.composite
def mangled(draw: st.DrawFn, whole: bytes) -> bytes:
    """A good body with bytes changed, taken out and put in."""
    text = bytearray(whole)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(text)))
        text[at : at + draw(st.integers(0, 3))] = draw(st.binary(max_size=3))
    return bytes(text)


@given(st.one_of(mangled(encode_can([SAMPLE])), st.binary(max_size=200).map(lambda tail: b"DUCO\1\0\1\0" + tail)))
def test_a_mangled_can_body_is_refused_or_consistent(text: bytes) -> None:
    """BadBody and nothing else; what passes can be read frame by frame and written again."""
    try:
        back = decode_can(text)
    except BadBody:
        return
    for second, columns in back:
        assert len(frames_in(second)) == second.frames
        assert all(stream.count == len(times) > 0 for stream, times, _ in second.slices())
        assert same(body.unpack_columns(columns, second.ts_ms, second.seq, second.part, second.parts), second)


@given(st.one_of(mangled(encode_json([JsonSecond(1, 2, {"a": 1.5, "b": "x"})])), st.binary()))
def test_a_mangled_json_body_is_refused_or_read(text: bytes) -> None:
    """BadBody and nothing else."""
    try:
        back = decode_json(text)
    except BadBody:
        return
    assert all(isinstance(second, JsonSecond) for second, _ in back)


def second_with(**changes: Any) -> bytes:
    """A body of one second whose fields were changed."""
    return encode_can([dataclasses.replace(SAMPLE, **changes)])


def with_streams(raw: bytes) -> Callable[[], object]:
    """Unpack the sample's columns with another stream table."""
    columns = body.pack_columns(SAMPLE)
    return lambda: body.unpack_columns(body.Columns(raw, columns.order, columns.times, columns.data), 0, 0)


ROW = struct.Struct("<IBBBI")
BAD: dict[str, tuple[Callable[[], object], str]] = {
    "empty": (lambda: decode_can(b""), "no header"),
    "magic": (lambda: decode_can(b"DUCK" + encode_can([SAMPLE])[4:]), "begins with b'DUCK"),
    "version": (lambda: decode_can(b"DUCO\2" + encode_can([SAMPLE])[5:]), "reads version 1"),
    "no second": (lambda: decode_can(encode_can([])), "no second"),
    "seconds without end": (lambda: decode_can(b"DUCO\1\0\xff\xff" + bytes(48 * 65_535)), "65535 second"),
    "streams without end": (with_streams(b"\1\4can1" + ROW.pack(1, 0, 0, 6, 1) * 70_000), "70000 streams"),
    "one second too few": (lambda: decode_can(b"DUCO\1\0\1\0" + encode_can([SAMPLE] * 2)[8:]), "after its last second"),
    "one second too many": (lambda: decode_can(b"DUCO\1\0\3\0" + encode_can([SAMPLE] * 2)[8:]), "within second 2 of 3"),
    "part of too few": (lambda: decode_can(second_with(part=2, parts=2)), "within second"),
    "no parts": (lambda: decode_can(second_with(part=0, parts=0)), "within second"),
    "data": (lambda: decode_can(second_with(data=SAMPLE.data + b"x")), "data has 19 bytes"),
    "times": (lambda: decode_can(second_with(times_us=SAMPLE.times_us[1:])), "2 times"),
    "order": (lambda: decode_can(second_with(order=np.array([0, 1, 1]))), "order does not match"),
    "order out of range": (lambda: decode_can(second_with(order=np.array([0, 9, 0]))), "order does not match"),
    "stream without frames": (
        lambda: decode_can(second_with(streams=(*SAMPLE.streams, Stream("can1", 1, False, 0, 8, 0)))),
        "stream 2 has no frame",
    ),
    "channel number": (with_streams(b"\1\4can1" + ROW.pack(1, 1, 0, 8, 3)), "cannot be read"),
    "channel name": (with_streams(b"\1\2\xff\xff" + ROW.pack(1, 0, 0, 6, 3)), "cannot be read"),
    "half a row": (with_streams(b"\1\4can1" + ROW.pack(1, 0, 0, 6, 3)[:-1]), "cannot be read"),
    "json version": (lambda: decode_json(b'{"version":2,"seconds":[]}'), "version 2"),
    "json without second": (lambda: decode_json(b'{"version":1,"seconds":[]}'), "no second"),
    "json seconds without end": (lambda: decode_json(b'{"version":1,"seconds":[' + b"1," * 10_000 + b"1]}"), "10000"),
    "json time": (lambda: decode_json(b'{"version":1,"seconds":[{"ts":-1,"seq":1,"payload":{}}]}'), "ts"),
    "json seq": (lambda: decode_json(b'{"version":1,"seconds":[{"ts":1,"seq":1e99,"payload":{}}]}'), "seq"),
    "json value": (lambda: decode_json(b'{"version":1,"seconds":[{"ts":1,"seq":1,"payload":{"a":[]}}]}'), "payload"),
    "json text": (lambda: decode_json(b'{"version":1,"seconds":[{"ts":1,"seq":1,"payload":{"a":"\xff"}}]}'), "JSON"),
    "json nested": (lambda: decode_json(b'{"version":1,"seconds":[' + b"[" * 100_000), "recursion"),
    "json other part nested": (lambda: decode_json(b'{"x":' + b"[" * 100_000), "recursion"),
    "encoding": (lambda: body.inflate(b"", "gzip"), "'gzip' is not one of"),
    "no deflate": (lambda: body.inflate(b"DUCO", "deflate"), "deflate"),
    "nothing deflated": (lambda: body.inflate(b"", "deflate"), "cut"),
    "deflate cut": (lambda: body.inflate(body.deflate(b"DUCO" * 99)[:-1], "deflate"), "cut"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_is_wrong_is_said(case: str) -> None:
    """Each kind of wrong body is refused with words of its own."""
    work, words = BAD[case]
    with pytest.raises(BadBody, match=words):
        work()


@given(st.binary(max_size=500))
def test_deflate_round_trip(text: bytes) -> None:
    """Compressed, and not compressed under both names of that."""
    assert body.inflate(body.deflate(text), "deflate") == text
    assert body.inflate(text, "identity") == body.inflate(text, "") == text


def test_a_deflate_bomb_is_refused() -> None:
    """What inflates past the limit is refused after the limit, not after all of it."""
    writer = zlib.compressobj(9)
    megabyte = bytes(1024 * 1024)
    bomb = b"".join(writer.compress(megabyte) for _ in range(1 + body.INFLATED_BYTES_MAX // len(megabyte)))
    bomb += writer.flush()
    assert len(bomb) < 100_000
    with pytest.raises(BadBody, match=f"over {body.INFLATED_BYTES_MAX} bytes"):
        body.inflate(bomb, "deflate")


def test_a_full_bus_second_is_under_64_kib() -> None:
    """500 kbit/s: 4,000 frames of 80 ids with bytes that cannot be compressed; 13 bytes a frame and a bit."""
    raw = encode_can([busy_second(frames_count=4000, ids=80)])
    sent = body.deflate(raw)
    assert len(sent) <= len(raw) < 64 * 1024
    assert len(raw) < 4000 * 13 + 2000


def test_absolute_times_survive() -> None:
    """Times are µs from the second's begin, to the µs, also before it and long after."""
    second = second_of([Frame(t, "c", 1, False, 0, b"") for t in (0, 1, 999_999, -1, 2**31 - 1)])
    assert decode_can(encode_can([second]))[0][0].times_us.tolist() == [0, 1, 999_999, -1, 2**31 - 1]
    assert second.ts_ms == TS_MS
