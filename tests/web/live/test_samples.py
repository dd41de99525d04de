"""A live message as it is read once."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from duco_rt.errors import BadBody
from duco_rt.web.live.samples import Sample, read_sample

NOW_MS = 1_700_000_000_123


def read(message: object) -> Sample:
    """A message given as Python values."""
    return read_sample(json.dumps(message).encode(), NOW_MS)


def test_values_keep_their_text() -> None:
    """What the publisher wrote goes through, spaces around it left out."""
    sample = read_sample(b'{"payload":{"a": 1.50 ,"b":1e3,"c":"\xc3\xbc\\n","d":null},"ts":5,"seq":6}', NOW_MS)
    assert {name: bytes(text) for name, text in sample.payload.items()} == {
        "a": b"1.50",
        "b": b"1e3",
        "c": b'"\xc3\xbc\\n"',
        "d": b"null",
    }
    assert sample[1:] == (5, 6, None, msgspec.Raw(b"null"))


TIMES: dict[str, tuple[dict[str, object], int, int | None, int | None]] = {
    "all": ({"ts": 5, "seq": 6, "received": 7}, 5, 6, 7),
    "payload alone": ({}, NOW_MS, None, None),
    "null": ({"ts": None, "seq": None, "received": None}, NOW_MS, None, None),
    "received alone is no ts": ({"received": 7}, NOW_MS, None, 7),
    "received is text": ({"ts": 5, "received": "2024-01-01"}, 5, None, None),
    "received is a fraction": ({"ts": 5, "received": 7.5}, 5, None, None),
    "received is out of this world": ({"ts": 5, "received": 10**17}, 5, None, None),
    "the largest": ({"ts": 2**63 - 1, "seq": 2**63 - 1}, 2**63 - 1, 2**63 - 1, None),
    "more around it": ({"ts": 5, "x": [{}], "tenant": "t"}, 5, None, None),
}


@pytest.mark.parametrize("case", TIMES)
def test_position_and_times(case: str) -> None:
    """What another publisher leaves out or writes otherwise hurts nobody; without ts the time of receipt counts."""
    rest, ts_ms, seq, received_ms = TIMES[case]
    sample = read({"payload": {}} | rest)
    assert (sample.ts_ms, sample.seq, sample.received_ms) == (ts_ms, seq, received_ms)


BAD = [
    b"", b"null", b"[]", b"{}", b'{"payload":[]}', b'{"payload":{"a":1}', b'{"payload":{"a":NaN}}',
    b'{"payload":{},"ts":"x"}', b'{"payload":{},"seq":1.5}', b'{"payload":{},"seq":true}',
    b'{"payload":{},"seq":9223372036854775808}', b'{"payload":{},"ts":-9223372036854775809}',
    b'{"payload":{},"ts":' + b"9" * 5000 + b"}",
    b'{"payload":{"a":"\xff"}}', b'{"payload":{"a":' + b"[" * 50_000 + b"]" * 50_000 + b"}}", b"\xff\xfe",
]  # fmt: skip


@pytest.mark.parametrize("message", BAD, ids=range(len(BAD)))
def test_what_is_no_live_message(message: bytes) -> None:
    """BadBody and nothing else: a foreign publisher harms nobody."""
    with pytest.raises(BadBody, match="live message: "):
        read_sample(message, NOW_MS)


@given(st.binary(max_size=60) | st.binary(max_size=40).map(lambda inside: b'{"payload":{' + inside + b"}}"))
def test_any_bytes(message: bytes) -> None:
    """Any bytes are a sample whose texts are UTF-8, or BadBody."""
    try:
        sample = read_sample(message, NOW_MS)
    except BadBody:
        return
    for text in sample.payload.values():
        bytes(text).decode()


SPANS: dict[str, tuple[object, object]] = {
    "three texts a field": ({"a": [-1, 9.50, 20]}, {"a": ["-1", "9.5", "20"]}),
    "none with several": ({}, {}),
    "null": (None, None),
    "of another shape": ({"a": {"min": 1}}, None),
    "too short": ({"a": [1, 2]}, None),
    "of another kind": ("many", None),
}


@pytest.mark.parametrize("case", SPANS)
def test_spans(case: str) -> None:
    """Lowest, highest and number as published; None for what is unknown or another publisher's idea."""
    stats, expected = SPANS[case]
    found = read({"payload": {}, "stats": stats}).spans()
    texts = None if found is None else {name: [bytes(text).decode() for text in each] for name, each in found.items()}
    assert texts == expected


def test_spans_that_are_not_there() -> None:
    """A message without stats has none, which is not the same as no field with several values."""
    assert read({"payload": {"a": 1}}).spans() is None
