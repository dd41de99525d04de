"""One field list's messages: each field as it was published."""

from __future__ import annotations

import json
from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duco_rt.web.live import texts
from duco_rt.web.live.field_lists import field_list, matches
from duco_rt.web.live.samples import Sample, read_sample
from duco_rt.web.live.texts import Merge, Picker

NOW_MS = 1_700_000_000_123


def sample(message: object) -> Sample:
    """A message given as Python values."""
    return read_sample(msgspec.json.encode(message), NOW_MS)


def send(entries: Sequence[str], message: object, stats: Sequence[str] = ()) -> dict[str, object]:
    """What a viewer of this list gets."""
    text = Picker(field_list(entries, stats)).text(sample(message))
    found: dict[str, object] = json.loads(text, object_pairs_hook=each_once)
    return found


def each_once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """An object of which no key comes twice."""
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


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
    "a pattern": (["h_*"], {"payload": {"a": 1, "h_b": 2, "h_a": 3, "h_c": None}}, {"h_b": 2, "h_a": 3}, NOW_MS, None),
    "a name that a pattern has": (["h_a", "*"], {"payload": {"b": 1, "h_a": 2}}, {"h_a": 2, "b": 1}, NOW_MS, None),
}


@pytest.mark.parametrize("case", TABLE)
def test_live_data(case: str) -> None:
    """Exactly type, payload, ts, and seq where there is one."""
    entries, message, payload, ts, seq = TABLE[case]
    found = send(entries, message)
    assert found == {"type": "LIVE_DATA", "payload": payload, "ts": ts} | ({} if seq is None else {"seq": seq})
    assert json.dumps(found["payload"]) == json.dumps(payload), "in this order"


_JSON = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
_PAYLOADS = st.dictionaries(st.text(max_size=6), _JSON | st.text(max_size=6), max_size=6)


@settings(max_examples=60)
@given(payload=_PAYLOADS, wanted=st.lists(st.text(max_size=6), max_size=6), seq=st.none() | st.integers(0, 2**53))
def test_any_payload(payload: dict[str, object], wanted: list[str], seq: int | None) -> None:
    """The picked values are equal to the published ones; field names of any letters."""
    entries = [*wanted, *list(payload)[:2]]
    expected = {
        name: value
        for name, value in payload.items()
        if value is not None and any(matches(each, name) for each in entries)
    }
    message = {"payload": payload, "ts": 1, "seq": seq}
    live = {"type": "LIVE_DATA", "payload": expected, "ts": 1} | ({} if seq is None else {"seq": seq})
    assert send(entries, message) == live


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
    "of a pattern": (["*"], ["min"], SPANS, {"a": {"min": -1}, "b": {"min": 2.5}, "t": {}, "f": {}}),
    "nothing": ([], ["count"], SPANS, {}),
    "foreign": (["a", "t"], ["min", "count"], FOREIGN, {}),
    "null": (["a"], ["count"], FOREIGN | {"stats": None}, {}),
    "of another shape": (["a"], ["count"], FOREIGN | {"stats": {"a": {"min": 1}}}, {}),
    "of another kind": (["a"], ["count"], FOREIGN | {"stats": "many"}, {}),
    "none with several": (["a"], ["min"], FOREIGN | {"stats": {}}, {"a": {"min": 5}}),
}


@pytest.mark.parametrize("case", STATS_OF)
def test_stats(case: str) -> None:
    """Of the fields in the payload, what was asked for; all else as without."""
    entries, stats, message, wanted = STATS_OF[case]
    found = send(entries, message, stats)
    assert found.pop("stats") == wanted
    assert found == send(entries, message)


@pytest.mark.parametrize("stats", [[], ["last"], ["other"]])
def test_who_asks_for_no_stats_gets_the_same_bytes(stats: list[str]) -> None:
    """Whether the message has them or not."""
    picker = Picker(field_list(["a"], stats))
    expected = b'{"type":"LIVE_DATA","payload":{"a":5},"ts":1,"seq":2}'
    assert picker.text(sample(SPANS)) == expected
    assert picker.text(sample({key: value for key, value in SPANS.items() if key != "stats"})) == expected


def test_another_type_and_what_changed() -> None:
    """FILL is a LIVE_DATA of another type; what has the same text as before is left out, with its stats."""
    picker = Picker(field_list(["a", "b"], ["count"]))
    assert json.loads(picker.text(sample(SPANS), b"FILL")) == json.loads(picker.text(sample(SPANS))) | {"type": "FILL"}
    found = json.loads(picker.text(sample(SPANS), changed_from={"a": b"5", "b": b"2.50", "t": b"1"}))
    assert (found["payload"], found["stats"]) == ({"b": 2.5}, {"b": {"count": 1}})
    assert json.loads(picker.text(sample(SPANS), changed_from={"a": b"5", "b": b"2.5"}))["payload"] == {}


def test_the_memory_of_names_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A publisher that makes up names fills nothing, and each of its messages is whole."""
    monkeypatch.setattr(texts, "NAMES_MAX", 10)
    picker, merge = Picker(field_list(["a*"])), Merge()
    for at in range(50):
        payload = {f"a{at + number}": number for number in range(15)}
        one = sample({"payload": payload, "ts": at})
        assert json.loads(picker.text(one))["payload"] == payload
        merge.add(picker.pick(one))
        assert len(picker._memo) <= 15 and len(merge.values) <= 25


# --- several as one -------------------------------------------------------------------------------------------------

MERGED: dict[str, tuple[list[object], dict[str, object]]] = {
    "one is no merge": ([{"payload": {"a": 1}, "ts": 5, "seq": 6}], {"payload": {"a": 1}, "ts": 5, "seq": 6}),
    "the newest": (
        [{"payload": {"a": 1, "b": 2}, "ts": 1, "seq": 1}, {"payload": {"a": 3, "b": 4}, "ts": 2, "seq": 2}],
        {"payload": {"a": 3, "b": 4}, "ts": 2, "seq": 2, "merged": 2},
    ),
    "some older": (
        [{"payload": {"a": 1, "b": 2}, "ts": 1, "seq": 1}, {"payload": {"b": None, "c": 4}, "ts": 2, "seq": 2}],
        {"payload": {"a": 1, "b": 2}, "ts": 2, "seq": 2, "merged": 2, "ts_of": {"a": 1, "b": 1}},
    ),
    "without seq": ([{"payload": {}, "ts": 1}] * 3, {"payload": {}, "ts": 1, "merged": 3}),
}


@pytest.mark.parametrize("entries", [["a", "b"], ["a*", "b*"]])
@pytest.mark.parametrize("case", MERGED)
def test_merged(case: str, entries: list[str]) -> None:
    """The newest value of each field, with its time where it is not the newest sample's."""
    messages, expected = MERGED[case]
    picker = Picker(field_list(entries))
    assert json.loads(picker.merged([sample(each) for each in messages])) == {"type": "LIVE_DATA"} | expected


_NUMBERS = st.integers(-9, 9) | st.integers(2**53, 2**53 + 2) | st.floats(-9, 9).map(lambda value: round(value, 1))
_SPANS = st.tuples(_NUMBERS, _NUMBERS, st.integers(1, 50))
_RUNS = st.lists(
    st.tuples(
        st.dictionaries(st.sampled_from(["a1", "a2", "b"]), st.none() | _NUMBERS | st.sampled_from(["on", True])),
        st.dictionaries(st.sampled_from(["a1", "b"]), _SPANS),
    ),
    min_size=1,
    max_size=8,
)


def reference(messages: Sequence[dict[str, object]], names: Sequence[str]) -> dict[str, object]:
    """The merge of messages with every stat of these names, as plainly as can be."""
    values: dict[str, tuple[object, object]] = {}
    lows: dict[str, list[float]] = {}
    counts: dict[str, int] = {}
    for message in messages:
        payload, spans = message["payload"], message["stats"]
        assert isinstance(payload, dict) and isinstance(spans, dict)
        for name, value in payload.items():
            if name in names and value is not None:
                values[name] = value, message["ts"]
                single = [value, value, 1] if type(value) in (int, float) else [1]
                *ends, count = spans.get(name, single)
                lows.setdefault(name, []).extend(ends)
                counts[name] = counts.get(name, 0) + count
    ends = {name: {"min": min(all_), "max": max(all_)} if all_ else {} for name, all_ in lows.items()}
    older = {name: ts for name, (_, ts) in values.items() if ts != messages[-1]["ts"]}
    payload_of_all = {name: value for name, (value, _) in values.items()}
    found: dict[str, object] = {"type": "LIVE_DATA", "payload": payload_of_all}
    found |= {"ts": messages[-1]["ts"], "seq": messages[-1]["seq"]}
    found |= {"stats": {name: each | {"count": counts[name]} for name, each in ends.items()}}
    return found | ({"merged": len(messages)} if len(messages) > 1 else {}) | ({"ts_of": older} if older else {})


@settings(max_examples=60)
@given(run=_RUNS, entries=st.sampled_from([["a1", "b"], ["a*"], ["b", "a*"], []]))
def test_any_merge_is_that_of_its_samples(run: list[tuple[dict[str, object], object]], entries: list[str]) -> None:
    """Newest values, lowest, highest and number over all; with and without stats, by names and by patterns."""
    messages: list[dict[str, object]] = [
        {"payload": payload, "stats": {name: [min(a, b), max(a, b), n] for name, (a, b, n) in spans.items()},  # type: ignore[attr-defined]
         "ts": 1000 * at, "seq": at} for at, (payload, spans) in enumerate(run)
    ]  # fmt: skip
    names = [name for name in ("a1", "a2", "b") if any(matches(each, name) for each in entries)]
    expected = reference(messages, names)
    samples = [sample(each) for each in messages]
    assert json.loads(Picker(field_list(entries, ["min", "max", "count"])).merged(samples)) == expected
    merge, picker = Merge(), Picker(field_list(entries))
    for each in samples:
        merge.add(picker.pick(each))
    del expected["stats"]
    assert json.loads(picker.merged(samples)) == json.loads(picker.merge_text(merge)) == expected


STRANGE: dict[str, tuple[list[object], object]] = {
    "one is not known": ([{"a": [1, 2, 3]}, None], {}),
    "one before is not known": ([None, {"a": [1, 2, 3]}], {}),
    "no numbers": ([{"a": ["x", "y", 1]}, {"a": [4, 6, 2]}], {"a": {"min": 4, "max": 6, "count": 3}}),
    "no numbers after": ([{"a": [4, 6, 2]}, {"a": ["x", "y", 3]}], {"a": {"min": 4, "max": 6, "count": 5}}),
    "text of a number": ([{"a": [1.50, 2e1, 3]}, {}], {"a": {"min": 1.5, "max": 20.0, "count": 4}}),
    "the highest count": ([{"a": [1, 1, 2**53]}, {}], {"a": {"min": 1, "max": 5, "count": 2**53 + 1}}),
    **{f"count {count!r:.9}": ([{"a": [0, 1, count]}] * 2, {}) for count in (1e308, 0, -3, 1.5, 2**53 + 1, "z", None)},
    "count of 4,300 digits": ([{"a": [0, 1, 1]}, {"a": [0, 1, msgspec.Raw(b"9" * 4300)]}], {}),
}


@pytest.mark.parametrize("case", STRANGE)
def test_stats_of_a_merge(case: str) -> None:
    """Not known for all where not known for one; another publisher's ideas give way to numbers."""
    stats, expected = STRANGE[case]
    samples = [sample({"payload": {"a": 5}, "ts": at, "stats": each}) for at, each in enumerate(stats)]
    assert json.loads(Picker(field_list(["a"], ["min", "max", "count"])).merged(samples))["stats"] == expected


@pytest.mark.parametrize("stats", [[], ["count"]])
def test_a_merge_that_stands_for_more(stats: list[str]) -> None:
    """Than the samples that are left of it: it says so, and nothing of the stats of all."""
    samples = [sample({"payload": {"a": at}, "ts": at, "seq": at, "stats": {}}) for at in (1, 2)]
    picker = Picker(field_list(["a"], stats))
    more: dict[str, object] = {"stats": {}} if stats else {}
    expected = {"type": "LIVE_DATA", "payload": {"a": 2}, **more, "ts": 2, "seq": 2, "merged": 400}
    assert json.loads(picker.merged(samples, 400)) == json.loads(picker.merged(samples[1:], 400)) == expected
    assert picker.merged(samples, 2) == picker.merged(samples)
