"""One live message to many viewers: each gets its fields as they were published."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from duco_rt.errors import BadBody
from duco_rt.web.live.fanout import Fanout, read_sample

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


SPANS = {
    "payload": {"a": 5, "b": 2.5, "t": "on", "f": True},
    "ts": 1,
    "seq": 2,
    "stats": {"a": [-1, 9.5, 20], "z": [0, 1, 2]},
}
FOREIGN = {"payload": {"a": 5, "t": "on"}, "ts": 1}

STATS_OF: dict[str, tuple[list[str], list[str], object, object]] = {
    "all of several": (["a"], ["min", "max", "count"], SPANS, {"a": {"min": -1, "max": 9.5, "count": 20}}),
    "of a single value": (["b"], ["min", "max", "count"], SPANS, {"b": {"min": 2.5, "max": 2.5, "count": 1}}),
    "of text": (["t"], ["min", "max", "count"], SPANS, {"t": {"count": 1}}),
    "of a boolean": (["f"], ["min", "max", "count"], SPANS, {"f": {"count": 1}}),
    "some": (["a", "b"], ["max"], SPANS, {"a": {"max": 9.5}, "b": {"max": 2.5}}),
    "in any order": (["a"], ["count", "min"], SPANS, {"a": {"min": -1, "count": 20}}),
    "with last": (["a"], ["last", "count"], SPANS, {"a": {"count": 20}}),
    "no count of text": (["t"], ["min"], SPANS, {"t": {}}),
    "in the payload alone": (["z", "b"], ["count"], SPANS, {"b": {"count": 1}}),
    "nothing": ([], ["count"], SPANS, {}),
    "foreign": (["a", "t"], ["min", "count"], FOREIGN, {}),
    "null": (["a"], ["count"], FOREIGN | {"stats": None}, {}),
    "of another shape": (["a"], ["count"], FOREIGN | {"stats": {"a": {"min": 1}}}, {}),
    "of another kind": (["a"], ["count"], FOREIGN | {"stats": "many"}, {}),
    "none with several": (["a"], ["min"], FOREIGN | {"stats": {}}, {"a": {"min": 5}}),
}


def text_of(fields: list[str], stats: list[str], message: object) -> bytes:
    """What a viewer of these fields with these stats gets."""
    fanout: Fanout[str] = Fanout()
    fanout.watch("v", fields, stats)
    ((text, _),) = fanout.texts(read_sample(json.dumps(message).encode(), NOW_MS))
    return text


@pytest.mark.parametrize("case", STATS_OF)
def test_stats(case: str) -> None:
    """Of the fields in the payload, what was asked for; all else as without."""
    fields, stats, message, wanted = STATS_OF[case]
    found = json.loads(text_of(fields, stats, message))
    assert found.pop("stats") == wanted
    assert found == send(fields, message)


@pytest.mark.parametrize("stats", [[], ["last"], ["other"]])
def test_who_asks_for_no_stats_gets_the_same_bytes(stats: list[str]) -> None:
    """Whether the message has them or not."""
    plain = {key: value for key, value in SPANS.items() if key != "stats"}
    assert text_of(["a", "b"], stats, SPANS) == text_of(["a", "b"], [], plain)
    assert text_of(["a"], stats, plain) == b'{"type":"LIVE_DATA","payload":{"a":5},"ts":1,"seq":2}'


def test_viewers_of_one_list_with_and_without_stats() -> None:
    """Each gets its own text; equal wishes share one, in whatever order they are told."""
    fanout: Fanout[str] = Fanout()
    for viewer, stats in {"v1": ["min", "max"], "v2": ["max", "min", "last"], "v3": [], "v4": ["count"]}.items():
        fanout.watch(viewer, ["a"], stats)
    texts = {
        tuple(viewers): json.loads(text) for text, viewers in fanout.texts(read_sample(json.dumps(SPANS).encode(), 0))
    }
    assert {viewers: found.get("stats") for viewers, found in texts.items()} == {
        ("v1", "v2"): {"a": {"min": -1, "max": 9.5}},
        ("v3",): None,
        ("v4",): {"a": {"count": 20}},
    }
    fanout.watch("v4", ["a"])
    assert len(list(fanout.texts(read_sample(json.dumps(SPANS).encode(), 0)))) == 2


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
