"""One live message to many viewers: each gets its fields as they were published."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from duco_rt.errors import BadBody
from duco_rt.web.fanout import Fanout, read_sample

NOW_MS = 1_700_000_000_123


def send(fields: list[str], message: object, text: bytes | None = None) -> object:
    """What a viewer of these fields gets."""
    fanout: Fanout[str] = Fanout()
    fanout.watch("v", fields)
    ((out, viewers),) = fanout.texts(read_sample(json.dumps(message).encode() if text is None else text, NOW_MS))
    assert viewers == ["v"]
    return json.loads(out)


TABLE: dict[str, tuple[list[str], object, object, int, int | None]] = {
    "its fields": (["a", "b"], {"payload": {"a": 1, "b": 2.5, "c": 3}, "ts": 5, "seq": 6}, {"a": 1, "b": 2.5}, 5, 6),
    "its order": (["b", "a"], {"payload": {"a": 1, "b": 2}, "ts": 5, "seq": 6}, {"b": 2, "a": 1}, 5, 6),
    "one is absent": (["a", "x"], {"payload": {"a": 1}, "ts": 5, "seq": 6}, {"a": 1}, 5, 6),
    "null is absent": (["a", "b"], {"payload": {"a": None, "b": 0}, "ts": 5, "seq": 6}, {"b": 0}, 5, 6),
    "none is there": (["x"], {"payload": {"a": 1}, "ts": 5, "seq": 6}, {}, 5, 6),
    "no fields": ([], {"payload": {"a": 1}, "ts": 5, "seq": 6}, {}, 5, 6),
    "twice the same": (["a", "a"], {"payload": {"a": 1}, "ts": 5, "seq": 6}, {"a": 1}, 5, 6),
    "kinds": (["s", "t"], {"payload": {"s": 'ü"\n', "t": True}, "ts": 5, "seq": 6}, {"s": 'ü"\n', "t": True}, 5, 6),
    "payload alone": (["a"], {"payload": {"a": 1}}, {"a": 1}, NOW_MS, None),
    "its own ts": (["a"], {"payload": {"a": 1}, "ts": 5}, {"a": 1}, 5, None),
    "more around it": (["a"], {"payload": {"a": 1}, "received": 9, "x": [{}]}, {"a": 1}, NOW_MS, None),
}


@pytest.mark.parametrize("case", TABLE)
def test_live_data(case: str) -> None:
    """Exactly type, payload, ts, and seq where there is one."""
    fields, message, payload, ts, seq = TABLE[case]
    expected = {"type": "LIVE_DATA", "payload": payload, "ts": ts} | ({} if seq is None else {"seq": seq})
    assert send(fields, message) == expected
    assert list(send(fields, message)["payload"]) == list(payload)  # type: ignore[index, call-overload]


_JSON = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
_PAYLOADS = st.dictionaries(st.text(max_size=6), _JSON | st.text(max_size=6), max_size=6)


@given(payload=_PAYLOADS, wanted=st.lists(st.text(max_size=6), max_size=6), seq=st.none() | st.integers(0, 2**53))
def test_any_payload(payload: dict[str, object], wanted: list[str], seq: int | None) -> None:
    """The picked values are equal to the published ones; field names of any letters."""
    names = [*wanted, *list(payload)[:2]]
    message = msgspec.json.encode({"payload": payload, "ts": 1, "seq": seq})
    expected = {name: payload[name] for name in names if payload.get(name) is not None}
    got = send(names, None, message)
    assert got == {"type": "LIVE_DATA", "payload": expected, "ts": 1} | ({} if seq is None else {"seq": seq})


BAD = [
    b"", b"null", b"[]", b"{}", b'{"payload":[]}', b'{"payload":{"a":1}', b'{"payload":{"a":NaN}}',
    b'{"payload":{},"ts":"x"}',
    b'{"payload":{"a":"\xff"}}', b'{"payload":{"a":' + b"[" * 50_000 + b"]" * 50_000 + b"}}", b"\xff\xfe",
]  # fmt: skip


@pytest.mark.parametrize("message", BAD, ids=range(len(BAD)))
def test_what_is_no_live_message(message: bytes) -> None:
    """BadBody and nothing else: a foreign publisher harms nobody."""
    with pytest.raises(BadBody):
        send(["a"], None, message)


def test_viewers_with_the_same_list_share_one_text() -> None:
    """Encoded once a distinct list; a new list replaces, who left gets nothing."""
    fanout: Fanout[str] = Fanout()
    for viewer, fields in {"v1": ["a"], "v2": ["a"], "v3": ["b"], "v4": ["b"]}.items():
        fanout.watch(viewer, fields)
    fanout.watch("v2", ["b"])
    fanout.leave("v4")
    fanout.leave("v4")
    fanout.leave("never")
    assert len(fanout) == 3
    sample = read_sample(b'{"payload":{"a":1,"b":2}}', 0)
    out = {tuple(viewers): json.loads(text)["payload"] for text, viewers in fanout.texts(sample)}
    assert out == {("v1",): {"a": 1}, ("v3", "v2"): {"b": 2}}
    for viewer in ("v1", "v2", "v3"):
        fanout.leave(viewer)
    assert list(fanout.texts(sample)) == []
    assert len(fanout) == 0
