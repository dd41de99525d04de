"""What clients say, and what they are told."""

from __future__ import annotations

import json
import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from duco_rt.web.live.field_lists import field_list
from duco_rt.web.live.protocol import (
    AskStatus,
    Change,
    Refused,
    Wish,
    ack_text,
    error_text,
    gap_text,
    last_known_text,
    read_message,
    status_text,
)

RESUME_S_MAX = 600.0


def init(**options: object) -> dict[str, object]:
    """An INIT_FIELD_LIST of one field."""
    return {"type": "INIT_FIELD_LIST", "payload": ["a"], **options}


def read_both(message: object) -> Wish | Change | AskStatus:
    """A message as JSON, which MessagePack has to say as well."""
    found = read_message(json.dumps(message), False, RESUME_S_MAX)
    assert read_message(json.dumps(message), True, RESUME_S_MAX) == found
    assert read_message(msgspec.msgpack.encode(message), True, RESUME_S_MAX) == found
    return found


A = field_list(["a"])
GOOD: dict[str, tuple[dict[str, object], Wish | Change | AskStatus]] = {
    "a plain list": (init(), Wish(A)),
    "no fields": (init(payload=[]), Wish(field_list([]))),
    "everything": (
        init(payload=["b", "h_*"], since=5, history=120, last=True, stats=["max"], max_hz=1, on_change=True, ack=True),
        Wish(field_list(["b", "h_*"], ["max"], 1.0, True), 5, 120.0, True, True),
    ),
    "all null": (
        init(since=None, history=None, last=None, stats=None, max_hz=None, on_change=None, ack=None),
        Wish(A),
    ),
    "limits": (init(since=0, history=600, max_hz=0.01), Wish(field_list(["a"], max_hz=0.01), 0, 600.0)),
    "other limits": (init(since=2**63 - 1, max_hz=100), Wish(field_list(["a"], max_hz=100.0), 2**63 - 1)),
    "more around it": (init(every_s="x", id=1, x=[{}]), Wish(A)),
    "2000 entries, 64 patterns": (
        init(payload=[f"f{i}" for i in range(936)] + [f"p{i}*" for i in range(64)]),
        Wish(field_list([*(f"f{i}" for i in range(936)), *(f"p{i}*" for i in range(64))])),
    ),
    "add": ({"type": "ADD_FIELDS", "payload": ["b", "c*"]}, Change(("b", "c*"), True)),
    "remove": ({"type": "REMOVE_FIELDS", "payload": ["b"], "ack": True}, Change(("b",), False, True)),
    "status": ({"type": "STATUS"}, AskStatus()),
    "status again and again": ({"type": "STATUS", "every_s": 1}, AskStatus(1.0)),
    "status no more": ({"type": "STATUS", "every_s": 0}, AskStatus(0.0)),
}


@pytest.mark.parametrize("case", GOOD)
def test_good_messages(case: str) -> None:
    """Each option as the client said it, null as if it had not."""
    message, expected = GOOD[case]
    assert read_both(message) == expected


@pytest.mark.parametrize(("wish", "resumes"), [(Wish(A), False), (Wish(A, 0), True), (Wish(A, None, 1.0), True)])
def test_who_resumes(wish: Wish, resumes: bool) -> None:
    """Whoever said where it stands, be it at 0."""
    assert wish.resumes is resumes


BAD: dict[str, tuple[object, str, str]] = {
    "no object": ([1], "bad_message", "Expected `object`"),
    "no type": ({"payload": ["a"]}, "bad_message", "`type`"),
    "type no text": ({"type": 5}, "bad_message", "$.type"),
    "unknown type": ({"type": "HELLO"}, "unknown_type", "'HELLO' is not one of INIT_FIELD_LIST, ADD_FIELDS,"),
    "no payload": ({"type": "ADD_FIELDS"}, "bad_fields", "ADD_FIELDS needs a payload of at most 2000"),
    "null payload": (init(payload=None), "bad_fields", "INIT_FIELD_LIST needs a payload"),
    "payload no list": (init(payload="speed"), "bad_message", "$.payload"),
    "payload no texts": (init(payload=[1]), "bad_message", "$.payload[0]"),
    "2001 entries": (init(payload=["a"] * 2001), "bad_fields", "2001 entries"),
    "65 patterns": ({"type": "REMOVE_FIELDS", "payload": ["*"] * 65}, "bad_fields", "65 patterns"),
    "unknown stats": (init(stats=["min", "mean" * 99]), "bad_stats", "'meanmean"),
    "stats no list": (init(stats="min"), "bad_message", "$.stats"),
    "since a fraction": (init(since=1.5), "bad_option", "since is to be the seq"),
    "since a whole float": (init(since=5.0), "bad_option", "since"),
    "since a boolean": (init(since=True), "bad_option", "since"),
    "since a text": (init(since="5"), "bad_option", "since"),
    "since negative": (init(since=-1), "bad_option", ">= 0"),
    "since too large": (init(since=2**63), "bad_option", "since"),
    "no history": (init(history=0), "bad_option", "history is to be seconds, more than 0"),
    "history negative": (init(history=-5), "bad_option", "history"),
    "too much history": (init(history=601), "bad_option", "601 is over 600, the limit of this server"),
    "last a number": (init(last=1), "bad_option", "last is to be true or false"),
    "seldom": (init(max_hz=0.009), "bad_option", "max_hz is to be messages a second, 0.01 to 100"),
    "often": (init(max_hz=100.5), "bad_option", "max_hz"),
    "max_hz a boolean": (init(max_hz=True), "bad_option", "max_hz"),
    "on_change a text": (init(on_change="yes"), "bad_option", "on_change"),
    "ack an object": (init(ack={}), "bad_option", "ack"),
    "ack of a change": ({"type": "ADD_FIELDS", "payload": [], "ack": 1}, "bad_option", "ack"),
    "status too often": ({"type": "STATUS", "every_s": 0.5}, "bad_option", "every_s is to be seconds, 1 to 3600, or 0"),
    "status seldom": ({"type": "STATUS", "every_s": 3601}, "bad_option", "every_s"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_messages(case: str) -> None:
    """Refused with the code of what is wrong, and a text that names it and its limit; as JSON and as MessagePack."""
    message, code, text = BAD[case]
    for data in (json.dumps(message), msgspec.msgpack.encode(message)):
        with pytest.raises(Refused) as refused:
            read_message(data, True, RESUME_S_MAX)
        assert refused.value.code == code
        assert text in refused.value.message and len(refused.value.message) < 300


RAW: dict[str, tuple[str | bytes, str]] = {
    "empty": ("", "bad_message"),
    "no JSON": ("{", "bad_message"),
    "too deep": ('{"type":"INIT_FIELD_LIST","x":' + "[" * 4000, "bad_message"),
    "half a letter": ('{"type":"\ud800"}', "bad_message"),
    "half a letter, escaped": ('{"type":"\\ud800"}', "bad_message"),
    "no number": ('{"type":"INIT_FIELD_LIST","payload":[],"since":NaN}', "bad_message"),
    "many digits": ('{"type":"INIT_FIELD_LIST","payload":[],"since":' + "9" * 5000 + "}", "bad_option"),
    "over all": ('{"type":"INIT_FIELD_LIST","payload":[],"history":1e999}', "bad_option"),
    "packed, empty": (b"", "bad_message"),
    "packed, too deep": (b"\x82\xa4type\xa6STATUS\xa1x" + b"\x91" * 50_000, "bad_message"),
    "packed, no UTF-8": (b"\x81\xa4type\xa2\xff\xff", "bad_message"),
    "packed, half of it": (b"\x81\xa4type\xa6STA", "bad_message"),
}


@pytest.mark.parametrize("case", RAW)
def test_what_is_no_message(case: str) -> None:
    """Whatever came over the line."""
    data, code = RAW[case]
    with pytest.raises(Refused) as refused:
        read_message(data, True, RESUME_S_MAX)
    assert refused.value.code == code


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("option", ["history", "max_hz", "since"])
def test_no_numbers_of_messagepack(option: str, value: float) -> None:
    """NaN is neither below a limit nor above it, and refused."""
    with pytest.raises(Refused, match=option):
        read_message(msgspec.msgpack.encode(init(**{option: value})), True, RESUME_S_MAX)
    with pytest.raises(Refused, match="every_s"):
        read_message(msgspec.msgpack.encode({"type": "STATUS", "every_s": value}), True, RESUME_S_MAX)


def test_binary_needs_the_subprotocol() -> None:
    """A client that did not ask for MessagePack may not send it."""
    with pytest.raises(Refused, match="must be text") as refused:
        read_message(msgspec.msgpack.encode(init()), False, RESUME_S_MAX)
    assert refused.value.code == "bad_message"


CODES = {"bad_message", "unknown_type", "bad_fields", "bad_stats", "bad_option"}
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=5,
)
_TYPES = st.sampled_from(["INIT_FIELD_LIST", "ADD_FIELDS", "REMOVE_FIELDS", "STATUS"])
_KEYS = st.sampled_from(["since", "history", "last", "stats", "max_hz", "on_change", "ack", "every_s"])
_ALMOST = st.builds(
    lambda type_, payload, rest: {"type": type_, "payload": payload} | rest,
    _TYPES,
    st.lists(st.text(max_size=4), max_size=4) | _JSON,
    st.dictionaries(_KEYS, _JSON, max_size=3),
)


def packed(message: object) -> bytes:
    """As MessagePack; nothing where that cannot hold it."""
    try:
        return msgspec.msgpack.encode(message)
    except OverflowError:
        return b""


@given(st.binary(max_size=50) | st.text(max_size=50) | _ALMOST.map(json.dumps) | _ALMOST.map(packed))
def test_any_data(data: str | bytes) -> None:
    """Any bytes and any text are a message or Refused with one of the documented codes, and nothing else."""
    for msgpack in (False, True):
        try:
            found = read_message(data, msgpack, RESUME_S_MAX)
        except Refused as refused:
            assert refused.code in CODES
            json.loads(error_text(refused.code, refused.message))
        else:
            assert isinstance(found, Wish | Change | AskStatus)
            if isinstance(found, Wish):
                assert found.history_s is None or 0 < found.history_s <= RESUME_S_MAX
                assert found.since is None or (type(found.since) is int and found.since >= 0)


# --- what clients are told ------------------------------------------------------------------------------------------

TEXTS: dict[str, tuple[bytes, object]] = {
    "gap": (gap_text(3, 5, "missing"), {"type": "GAP", "from": 3, "to": 5, "reason": "missing"}),
    "gap from nowhere": (gap_text(None, 5, "unknown"), {"type": "GAP", "from": None, "to": 5, "reason": "unknown"}),
    "ack": (ack_text(("a", "ü*"), ["ü*"]), {"type": "ACK", "payload": {"fields": ["a", "ü*"], "unknown": ["ü*"]}}),
    "status": (status_text({"age_ms": None}), {"type": "STATUS", "payload": {"age_ms": None}}),
    "nothing known": (
        last_known_text({}, None, None, None),
        {"type": "LAST_KNOWN", "payload": {}, "ts": None, "seq": None, "age_ms": None},
    ),
    "all of one sample": (
        last_known_text({"a": (b"1", 5000)}, 5000, 5, 12),
        {"type": "LAST_KNOWN", "payload": {"a": 1}, "ts": 5000, "seq": 5, "age_ms": 12},
    ),
    "earlier ones": (
        last_known_text({"a": (b"1", 50), 'b"': (b'"\xc3\xbc"', 40)}, 50, 5, 12),
        {"type": "LAST_KNOWN", "payload": {"a": 1, 'b"': "ü"}, "ts": 50, "seq": 5, "age_ms": 12, "ts_of": {'b"': 40}},
    ),
    "error": (error_text("bad_stats", "no"), {"type": "ERROR", "payload": {"code": "bad_stats", "message": "no"}}),
    "a long error": (error_text("x", "a" * 999), {"type": "ERROR", "payload": {"code": "x", "message": "a" * 500}}),
    "half a letter": (error_text("x", "\ud800"), {"type": "ERROR", "payload": {"code": "x", "message": "?"}}),
}  # fmt: skip


@pytest.mark.parametrize("case", TEXTS)
def test_texts(case: str) -> None:
    """As they are documented."""
    text, expected = TEXTS[case]
    assert json.loads(text) == expected


def test_last_known_values_keep_their_text() -> None:
    """As the publisher wrote them."""
    assert b'"a":1.50,"b":1e3' in last_known_text({"a": (b"1.50", 1), "b": (b"1e3", 1)}, 1, None, None)
