"""One sample to many viewers: each list picked once, each frame made once."""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from duco_rt.web.live.fanout import WHOLE_S, Delivery, Fanout
from duco_rt.web.live.field_lists import FieldList, field_list
from duco_rt.web.live.frames import JSON, Encoding, frame
from duco_rt.web.live.samples import Sample, read_sample
from duco_rt.web.live.texts import Picker

AB = field_list(["a", "b"])
DEFLATE = Encoding(deflate=True)


def sample(seq: int, **payload: object) -> Sample:
    """A sample of one second."""
    return read_sample(msgspec.json.encode({"payload": payload, "ts": 1000 * seq, "seq": seq}), 0)


def message_of(whole: bytes) -> dict[str, object]:
    """What a frame says."""
    body = whole[4:] if whole[1] == 126 else whole[2:]
    if whole[0] & 0x40:
        body = zlib.decompressobj(-15).decompress(body)
    found: dict[str, object] = msgspec.msgpack.decode(body) if whole[0] & 2 else json.loads(body)
    return found


def shown(deliveries: Sequence[Delivery[str]]) -> dict[str, object]:
    """The payload for each viewer; nobody is in two deliveries."""
    found = {viewer: message_of(each.frame)["payload"] for each in deliveries for viewer in each.viewers}
    assert len(found) == sum(len(each.viewers) for each in deliveries)
    return found


def test_viewers_with_the_same_list_share_one_frame() -> None:
    """A delivery a distinct list; a new list replaces, who left gets nothing."""
    fanout: Fanout[str] = Fanout()
    for viewer, name in {"v1": "a", "v2": "a", "v3": "b", "v4": "b"}.items():
        fanout.watch(viewer, field_list([name]), JSON)
    fanout.watch("v2", field_list(["b"]), JSON)
    for viewer in ("v4", "v4", "never"):
        fanout.leave(viewer)
    assert len(fanout) == 3 and "v1" in fanout and "v4" not in fanout
    out = fanout.publish(sample(7, a=1, b=2), 40, 0.0)
    assert {tuple(each.viewers): message_of(each.frame)["payload"] for each in out} == {
        ("v1",): {"a": 1},
        ("v3", "v2"): {"b": 2},
    }
    assert {each.index for each in out} == {40}
    for viewer in ("v1", "v2", "v3"):
        fanout.leave(viewer)
    assert fanout.publish(sample(8, a=1), 41, 1.0) == [] and len(fanout) == 0


def test_a_list_is_framed_once_an_encoding() -> None:
    """Four encodings, four frames, of the same text; equal wishes share one in whatever order they are told."""
    fanout: Fanout[str] = Fanout()
    encodings = [Encoding(msgpack, deflate) for msgpack in (False, True) for deflate in (False, True)]
    fields = [field_list(["a"], ["max", "min"]), field_list(["a", "a"], ["min", "max", "last"])]
    for at in range(8):
        fanout.watch(f"v{at}", fields[at // 4], encodings[at % 4])
    out = fanout.publish(sample(7, a="x" * 200), 0, 0.0)
    assert {tuple(each.viewers): each.frame[0] for each in out} == {
        ("v0", "v4"): 0x81,
        ("v1", "v5"): 0xC1,
        ("v2", "v6"): 0x82,
        ("v3", "v7"): 0xC2,
    }
    assert len({json.dumps(message_of(each.frame)) for each in out}) == 1


def test_viewers_may_come_and_go_while_a_delivery_is_written() -> None:
    """The viewers of a delivery are those of its moment."""
    fanout: Fanout[str] = Fanout()
    fanout.watch("v1", AB, JSON)
    fanout.watch("v2", AB, JSON)
    (delivery,) = fanout.publish(sample(1, a=1), 0, 0.0)
    for viewer in delivery.viewers:
        fanout.leave(viewer)
    fanout.watch("v3", AB, JSON)
    assert delivery.viewers == ["v1", "v2"]


@pytest.mark.parametrize("more", [{}, {"max_hz": 0.5}, {"on_change": True}])
def test_a_frame_is_made_when_it_is_asked_for(monkeypatch: pytest.MonkeyPatch, more: dict[str, Any]) -> None:
    """Once, with what was known when the sample came: of many lists each when its turn is, not all before the first."""
    made = 0

    def counted(text: bytes, encoding: Encoding) -> bytes:
        nonlocal made
        made += 1
        return frame(text, encoding)

    def picked(self: Picker, one: Sample) -> bytes:
        nonlocal made
        made += 1
        return text(self, one)

    text = Picker.text
    monkeypatch.setattr(Picker, "text", picked)
    monkeypatch.setattr("duco_rt.web.live.fanout.frame", counted)
    fanout: Fanout[str] = Fanout()
    fanout.watch("v", field_list(["a"], **more), JSON)
    fanout.watch("w", field_list(["b"], **more), JSON)
    first = fanout.publish(sample(1, a=1, b=2), 1, 0.0)
    second = fanout.publish(sample(2, a=1, b=3), 2, 2.0)
    assert made == 0
    assert shown(first) == {"v": {"a": 1}, "w": {"b": 2}}
    assert shown(second) == {"v": {} if "on_change" in more else {"a": 1}, "w": {"b": 3}}
    assert [each.frame for each in first] and made == (4 if more else 8)


def test_frames_for_who_catches_up() -> None:
    """One sample, or several as one, for any list, watched or not."""
    fanout: Fanout[str] = Fanout()
    text = b'{"type":"FILL","payload":{"a":1},"ts":1000,"seq":1}'
    assert fanout.frame(AB, DEFLATE, sample(1, a=1, c=2), b"FILL") == frame(text, DEFLATE)
    found = message_of(fanout.merged(AB, Encoding(msgpack=True), [sample(1, a=1), sample(2, b=3)]))
    assert found["payload"] == {"a": 1, "b": 3} and found["merged"] == 2
    assert message_of(fanout.merged(AB, JSON, [sample(1, a=1), sample(2, b=3)], 9))["merged"] == 9


# --- only what changed ----------------------------------------------------------------------------------------------


def test_on_change() -> None:
    """Values that differ; all again after 10 s; a sample without any still comes."""
    fanout: Fanout[str] = Fanout()
    fanout.watch("v", field_list(["a", "b"], on_change=True), JSON)
    steps: list[tuple[float, dict[str, object], object]] = [
        (0.0, {"a": 1, "b": 2}, {"a": 1, "b": 2}),
        (1.0, {"a": 1, "b": 3}, {"b": 3}),
        (2.0, {"a": 1, "b": 3}, {}),
        (3.0, {"b": 3}, {}),
        (4.0, {"a": 1, "b": 3}, {}),
        (WHOLE_S - 0.1, {"a": 1.0, "b": 3}, {"a": 1.0}),
        (WHOLE_S, {"a": 1.0, "b": 3}, {"a": 1.0, "b": 3}),
        (WHOLE_S + 1, {"a": 1.0, "b": 3}, {}),
        (WHOLE_S * 2, {"a": 1.0}, {"a": 1.0}),
        (WHOLE_S * 2 + 1, {"a": 1.0, "b": 3}, {"b": 3}),
    ]
    for at, (now_s, payload, expected) in enumerate(steps):
        assert shown(fanout.publish(sample(at, **payload), at, now_s)) == {"v": expected}, now_s
        assert fanout.due_s is None


def test_a_viewer_that_comes_to_an_on_change_list() -> None:
    """Gets its first message whole, the others theirs; what it was never given comes though it did not change."""
    fanout: Fanout[str] = Fanout()
    fields = field_list(["a", "b"], on_change=True)
    fanout.watch("old", fields, JSON)
    fanout.publish(sample(1, a=1, b=2), 1, 1.0)
    fanout.watch("new", fields, JSON)
    fanout.watch("packed", fields, Encoding(msgpack=True))
    assert shown(fanout.publish(sample(2, a=1), 2, 2.0)) == {"old": {}, "new": {"a": 1}, "packed": {"a": 1}}
    out = fanout.publish(sample(3, a=1, b=2), 3, 3.0)
    assert shown(out) == {"old": {"b": 2}, "new": {"b": 2}, "packed": {"b": 2}}
    assert len(out) == 2, "one again, but for the encoding"


# --- at most so many a second ---------------------------------------------------------------------------------------


def test_max_hz() -> None:
    """At once after a pause, else kept and merged until it is time."""
    fanout: Fanout[str] = Fanout()
    fanout.watch("v", field_list(["a", "b"], max_hz=0.5), JSON)
    assert shown(fanout.publish(sample(1, a=1, b=1), 1, 10.0)) == {"v": {"a": 1, "b": 1}}
    assert (fanout.due_s, fanout.kept_index("v")) == (None, None)
    assert fanout.publish(sample(2, b=2), 2, 10.9) == []
    assert fanout.publish(sample(3, a=3), 3, 11.9) == []
    assert (fanout.due_s, fanout.kept_index("v")) == (12.0, 2)
    assert fanout.due(11.99) == []
    (delivery,) = fanout.due(12.0)
    assert message_of(delivery.frame) == {
        "type": "LIVE_DATA", "payload": {"b": 2, "a": 3}, "ts": 3000, "seq": 3, "merged": 2, "ts_of": {"b": 2000},
    }  # fmt: skip
    assert delivery.index == 2 and fanout.due_s is None and fanout.due(20.0) == []
    (delivery,) = fanout.publish(sample(4, a=4), 4, 14.0)
    assert message_of(delivery.frame) == {"type": "LIVE_DATA", "payload": {"a": 4}, "ts": 4000, "seq": 4}


def test_a_viewer_that_comes_to_a_slow_list() -> None:
    """Gets its first sample at once and nothing from before it came; then it is one with the others."""
    fanout: Fanout[str] = Fanout()
    fields = field_list(["a"], max_hz=0.5)
    fanout.watch("old", fields, JSON)
    fanout.publish(sample(1, a=1), 1, 10.0)
    fanout.publish(sample(2, a=2), 2, 11.0)
    fanout.watch("new", fields, JSON)
    assert fanout.kept_index("new") is None
    assert shown(fanout.publish(sample(3, a=3), 3, 11.5)) == {"new": {"a": 3}}
    (delivery,) = fanout.due(12.0)
    assert (delivery.viewers, delivery.index, message_of(delivery.frame)["merged"]) == (["old"], 2, 2)
    assert fanout.publish(sample(4, a=4), 4, 12.5) == []
    (delivery,) = fanout.due(14.0)
    assert sorted(delivery.viewers) == ["new", "old"] and delivery.index == 4


def test_what_is_kept_goes_out_though_who_waited_with_it_left() -> None:
    """A newcomer's own time counts when the others are gone, or have nothing to wait for."""
    fanout: Fanout[str] = Fanout()
    fields = field_list(["a"], max_hz=0.5)
    fanout.watch("old", fields, JSON)
    fanout.publish(sample(1, a=1), 1, 10.0)
    fanout.watch("new", fields, JSON)
    fanout.publish(sample(2, a=2), 2, 11.0)
    fanout.publish(sample(3, a=3), 3, 11.5)
    assert shown(fanout.due(12.0)) == {"old": {"a": 3}}
    assert (fanout.due_s, shown(fanout.due(13.0))) == (13.0, {"new": {"a": 3}})
    fanout.publish(sample(4, a=4), 4, 13.5)
    fanout.leave("old")
    assert (fanout.due_s, shown(fanout.due(15.0))) == (15.0, {"new": {"a": 4}})


def test_many_who_come_one_by_one_become_one() -> None:
    """However many came at moments of their own, they share a frame after two periods, though samples go on."""
    fanout: Fanout[str] = Fanout()
    out: list[Delivery[str]] = []
    for at in range(50):
        now_s = float(at)
        if at < 20:
            fanout.watch(f"v{at}", field_list(["a"], max_hz=0.1, on_change=True), JSON)
        out = fanout.due(now_s) + fanout.publish(sample(at, a=at), at, now_s + 0.5) or out
    assert len(out[0].viewers) == 20


@pytest.mark.parametrize("fields", [AB, field_list(["*"], max_hz=2.0), field_list(["a"], on_change=True)])
def test_nothing_is_kept_of_who_left(fields: FieldList) -> None:
    """Lists go with their last viewer."""
    fanout: Fanout[str] = Fanout()
    fanout.watch("v", fields, JSON)
    fanout.publish(sample(1, a=1), 1, 1.0)
    fanout.publish(sample(2, a=1), 2, 1.1)
    fanout.leave("v")
    assert fanout.due_s is None and fanout.due(9.0) == [] and not fanout._lists
