"""Records to key, value and headers, and back."""

from __future__ import annotations

import json
import math
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duco_rt.errors import BadInput
from duco_rt.model import HubMessage, Peer, RawMessage, Sample, Span
from duco_rt.transports.log_kafka_codec import (
    RECORD_BYTES_MAX,
    Record,
    decode_parsed,
    decode_raw,
    encode_parsed,
    encode_raw,
    position_of,
)

MESSAGE = HubMessage("D", "vehicle_can", True, 1000, 7, "x/y", "deflate", b"body")
_INT64 = st.integers(-(2**63), 2**63 - 1)
_ANY_TEXT = st.text(st.characters(exclude_categories=()))
_SPANS = st.builds(Span, st.floats(allow_nan=False), st.floats(allow_nan=False), st.integers(1, 2**32 - 1))
_VALUES = st.floats(allow_nan=False) | st.integers() | st.booleans() | _ANY_TEXT


def parsed(**changed: Any) -> bytes:
    """The JSON of a parsed record, with changes."""
    fields = {"tenant": "t", "chassisId": "D", "msgType": "m", "ts": 1, "seq": 2, "received": 3, "payload": {}}
    return json.dumps(fields | changed).encode()


def encode(sample: Sample) -> Record:
    """The record, of which nothing is left out unsaid: `stats` come with it, or `problems` has them."""
    record = encode_parsed(sample, problems := Counter[str]())
    assert problems["stats"] == (sample.stats is not None and b'"stats":' not in record.value)
    return record


def decode(value: bytes | None, left_out: int = 0) -> Sample:
    """The sample; `left_out`: how many counts of stats."""
    sample = decode_parsed(value, problems := Counter[str]())
    assert problems["stats"] == left_out
    return sample


def test_a_record_tells_which_second_it_is_of() -> None:
    """Raw or parsed, as log lines name it."""
    assert position_of(encode_raw(RawMessage(MESSAGE, "duco", 2000))) == ("D", "vehicle_can", 7)
    sample = Sample(Peer("t", "D", "m"), 1, 2, 3, {"a": "x" * 2_000_000})
    assert position_of(encode(sample)) == ("D", "m", 2)
    assert position_of(Record(b"D", b"\0", [])) == position_of(Record(b"D", b"", [("seq", b"x")])) == ("D", "?", None)


def test_a_raw_record_has_the_body_untouched_and_all_else_in_headers() -> None:
    """Other programs read these."""
    record = encode_raw(RawMessage(MESSAGE, "duco", 2000))
    assert record.key == b"D"
    assert record.value == b"body"
    assert dict(record.headers) == {
        "msgType": b"vehicle_can",
        "realtime": b"1",
        "seq": b"7",
        "ts": b"1000",
        "contentType": b"x/y",
        "contentEncoding": b"deflate",
        "tenant": b"duco",
        "received": b"2000",
    }


def test_a_parsed_record_is_the_json_of_the_interface() -> None:
    """Other programs read these too."""
    record = encode(Sample(Peer("t", "D", "m"), 1, None, 3, {"a": 5.0, "b": 5, "c": True, "d": "ö"}))
    assert record.key == b"D"
    assert not record.headers
    expected = '{"tenant":"t","chassisId":"D","msgType":"m","ts":1,"seq":null,"received":3,"payload":'
    assert record.value.decode() == expected + '{"a":5.0,"b":5,"c":true,"d":"ö"}}'


def test_a_parsed_record_may_say_what_fields_did_within_the_second() -> None:
    """Lowest, highest and number of values; the key is absent where that is not known."""
    peer = Peer("t", "D", "m")
    spanned = Sample(peer, 1, 2, 3, {"a": 5.0}, {"a": Span(1, 5.5, 7)})
    assert encode(spanned).value.endswith(b',"payload":{"a":5.0},"stats":{"a":[1,5.5,7]}}')
    assert encode(Sample(peer, 1, 2, 3, {}, {})).value.endswith(b',"payload":{},"stats":{}}')
    assert b"stats" not in encode(Sample(peer, 1, 2, 3, {"a": math.inf})).value


@given(st.builds(HubMessage, _ANY_TEXT, _ANY_TEXT, st.booleans(), _INT64, _INT64, _ANY_TEXT, _ANY_TEXT,
                 st.binary()), _ANY_TEXT, _INT64)  # fmt: skip
def test_every_raw_message_comes_back(message: HubMessage, tenant: str, received_ms: int) -> None:
    """Whatever its properties are."""
    raw = RawMessage(message, tenant, received_ms)
    assert decode_raw(*encode_raw(raw)) == raw


@given(st.tuples(_ANY_TEXT, _ANY_TEXT, _ANY_TEXT), _INT64, st.none() | _INT64, st.dictionaries(_ANY_TEXT, _VALUES),
       st.none() | st.dictionaries(_ANY_TEXT, _SPANS))  # fmt: skip
def test_every_sample_comes_back(
    names: tuple[str, str, str], ts: int, seq: int | None, payload: dict[str, Any], stats: dict[str, Span] | None
) -> None:
    """With infinity, any int and half surrogate pairs, each value of its type."""
    sample = Sample(Peer(*names), ts, seq, 3, payload, stats)
    found = decode(encode(sample).value)
    assert found == sample
    assert [type(v) for v in found.payload.values()] == [type(v) for v in payload.values()]


@pytest.mark.parametrize("value", [math.nan, pytest.param(10**5000, id="huge"), None, object(), 1j])
def test_what_is_no_value_is_left_out(value: Any) -> None:
    """The rest of the sample arrives."""
    sample = Sample(Peer("t", "D", "m"), 1, 2, 3, {"a": math.inf, "x": value, "b": 2})
    assert decode(encode(sample).value).payload == {"a": math.inf, "b": 2}


@pytest.mark.parametrize(
    ("key", "value", "changed"),
    [
        (None, b"", {}),
        (b"D", None, {}),
        (b"\xff", b"", {}),
        (b"D", b"", {"tenant": None}),
        (b"D", b"", {"seq": b"x"}),
        (b"D", b"", {"ts": None}),
        (b"D", b"", {"received": b"1" * 5000}),
        (b"D", b"", {"seq": b"%d" % 2**63}),
        (b"D", b"", {"msgType": b"\xff"}),
    ],
)
def test_a_foreign_raw_record_is_bad_input(key: bytes | None, value: bytes | None, changed: dict[str, Any]) -> None:
    """Nothing else is raised."""
    headers = dict(encode_raw(RawMessage(MESSAGE, "", 0)).headers) | changed
    with pytest.raises(BadInput):
        decode_raw(key, value, headers.items())
    with pytest.raises(BadInput):
        decode_raw(b"D", b"", [])


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"\xff\x00",
        b"null",
        pytest.param(b"[" * 100_000, id="deep"),
        parsed(seq="2"),
        parsed(ts=2**63),
        parsed(seq=-(2**63) - 1),
        parsed(payload={"a": [1]}),
        parsed(payload=None),
        pytest.param(parsed(stats=[]).replace(b"[]", b"[" * 100_000), id="deep stats"),
        pytest.param(parsed(seq=0).replace(b"0", b"1" * 5000), id="long"),
        b'{"tenant":"t"}',
    ],
)
def test_a_foreign_parsed_record_is_bad_input(value: bytes | None) -> None:
    """Nothing else is raised."""
    with pytest.raises(BadInput):
        decode(value)


def test_null_and_nan_of_another_writer_count_as_absent() -> None:
    """As everywhere."""
    assert decode(parsed(payload={"a": None, "b": math.nan, "c": 1})).payload == {"c": 1}


@pytest.mark.parametrize(
    "stats",
    [[], "x", 1, {"a": 1}, {"a": None}, {"a": [1, 2]}, {"a": [1, "2", 3]}, {"a": [1, 2, 3.5]}, {"a": [10**400, 2, 3]},
     {"a": [math.nan, 1, 2]}, {"a": [0, math.nan, 2]}, {"a": [0, 1, math.nan]}],
)  # fmt: skip
def test_stats_of_another_writer_that_are_none(stats: Any) -> None:
    """Nothing is known of any field, as one that lacks had one value; the values arrive."""
    known = stats | {"b": [0, 1, 2]} if isinstance(stats, dict) else stats
    for payload in ({"a": 1, "b": 2.5}, {"a": 1, "b": math.inf}):
        found = decode(parsed(payload=payload, stats=known), left_out=1)
        assert (found.payload, found.stats) == (payload, None)


def test_stats_of_another_writer() -> None:
    """Null for all is as no key; an older record has no key."""
    assert decode(parsed(stats={"a": [0, 1, 2]})).stats == {"a": Span(0.0, 1.0, 2)}
    assert decode(parsed(stats={})).stats == {}
    assert decode(parsed(stats=None)).stats is None
    assert decode(parsed()).stats is None


@pytest.mark.parametrize("part", [10**400, math.nan, None, "x"])
def test_with_a_span_that_is_none_nothing_is_known(part: Any) -> None:
    """The values arrive."""
    stats = {"a": Span(part, 1.0, 2), "b": Span(-math.inf, 2.0, 2)}
    found = decode(encode(Sample(Peer("t", "D", "m"), 1, 2, 3, {"a": 1.0}, stats)).value)
    assert (found.payload, found.stats) == ({"a": 1.0}, None)


@pytest.mark.parametrize("value", [1.5, math.inf])
def test_a_record_that_is_too_large_goes_without_stats(value: float) -> None:
    """Ten thousand fields that all move: the last values pass, up to what a broker takes."""
    payload = {f"Message_{i:05}.SignalOfTheEngine": value for i in range(10_000)}
    stats = {name: Span(-12345.678901234, 12345.678901234, 1000) for name in payload}
    small = dict(list(stats.items())[:7000])
    for spans in (stats, small):
        record = encode(Sample(Peer("t", "D", "m"), 1, 2, 3, {**payload}, spans))
        assert len(record.value) < RECORD_BYTES_MAX
        found = decode(record.value)
        assert (found.payload, found.stats) == (payload, None if spans is stats else small)


@pytest.mark.parametrize("span", [Span(-math.inf, 1.0, 2), Span(0.0, math.inf, 3), Span(-math.inf, math.inf, 4)])
def test_infinite_bounds_come_back(span: Span) -> None:
    """Also beside finite values."""
    sample = Sample(Peer("t", "D", "m"), 1, 2, 3, {"a": 1.0}, {"a": span})
    assert decode(encode(sample).value) == sample
