"""A hub message becomes raw rows and samples; whatever is bad is counted and kept."""

from __future__ import annotations

import dataclasses
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duco_rt import body
from duco_rt.body import CAN_TYPE, JSON_TYPE, JsonSecond
from duco_rt.device.messages import can_messages, json_messages
from duco_rt.model import HubMessage, Peer, RawMessage, Sample, Span
from duco_rt.parts import split
from duco_rt.pipeline.parse import Parsed, Parser, Problems, Rereader
from duco_rt.pipeline.parsing_cache import Known
from duco_rt.pipeline.samples import Sampler
from tests.can_seconds import TS_MS, Frame, busy_second, frames_in, second_of
from tests.dbc_texts import plan_of
from tests.pipeline.decoding.long_messages import TEXT, frames_of_seconds, seconds_of
from tests.pipeline.line import DBC, NOW_MS, PEER, TYPES, message

KNOWN = Known("duco", plan_of(DBC))


def parse(
    sent: HubMessage, known: Known | None = KNOWN, tenant: str = "duco", parser: Parser | None = None
) -> tuple[list[Parsed], Problems]:
    """What a message gives, and its problems."""
    problems = Problems()
    raw = RawMessage(sent, tenant, NOW_MS)
    return list((parser or Parser(TYPES)).parse(raw, known, problems)), problems


def test_a_second_gives_its_row_and_its_sample() -> None:
    """The row is the second as it came; both carry position, tenant and time of arrival."""
    [found], problems = parse(message(7))
    row, sample = found.raw, found.sample
    assert sample is not None
    assert (row.peer, row.ts_ms, row.seq, row.part, row.received_ms) == (PEER, TS_MS + 7000, 7, 0, NOW_MS)
    assert (row.kind, row.realtime, row.body) == ("can1", True, b"")
    columns = body.Columns(row.streams, row.order, row.times, row.data)
    assert frames_in(body.unpack_columns(columns, row.ts_ms, row.seq)) == [Frame(0, "c", 256, False, 0, b"\7\0")]
    assert (sample.peer, sample.ts_ms, sample.seq, sample.received_ms) == (PEER, TS_MS + 7000, 7, NOW_MS)
    assert sample.payload == {"rpm": 7} and not problems


def test_a_batch_is_split_into_its_seconds() -> None:
    """Each with its own position."""
    found, _ = parse(message(3, seconds=10, realtime=False))
    assert [p.raw.seq for p in found] == [p.sample.seq for p in found if p.sample] == list(range(3, 13))
    assert [p.sample.payload["rpm"] for p in found if p.sample] == list(range(3, 13))
    assert not any(p.raw.realtime for p in found)


def test_json_seconds_need_no_plan() -> None:
    """Their values are the sample, their text is the row; a device without parsing has them too."""
    seconds = [JsonSecond(TS_MS + 1000 * n, n, {"cpu_percent": 1.5 * n, "name": "ü"}) for n in range(3)]
    [sent] = json_messages("DUCO_001", seconds, realtime=False)
    found, problems = parse(sent, Known("duco", None))
    assert [p.sample.payload for p in found if p.sample] == [s.payload for s in seconds]
    assert [p.raw.kind for p in found] == ["json1"] * 3
    wrapped = b'{"version":1,"seconds":[' + b",".join(p.raw.body for p in found) + b"]}"
    assert [second for second, _ in body.decode_json(wrapped)] == seconds
    assert not problems


def test_parts_give_a_row_each_and_one_sample() -> None:
    """The sample comes with the last part, with the values of all."""
    second = busy_second(frames_count=200, ids=2, seq=5)
    dbc = "\n".join(
        f'BO_ {s.can_id | 1 << 31} M{n}: 8 E\n SG_ s{n} : 0|8@1+ (1,0) [0|0] "" E\n'
        for n, s in enumerate(second.streams)
    )
    known, parser = Known("duco", plan_of('VERSION ""\n\nBS_:\n\nBU_: E\n\n' + dbc)), Parser(TYPES)
    parts = split(second, 2000)
    messages = [can_messages("DUCO_001", [part], realtime=True)[0] for part in parts]
    found = [parse(sent, known, parser=parser)[0] for sent in messages]
    assert [[p.raw.part for p in some] for some in found] == [[0], [1]]
    assert found[0][0].sample is None
    whole = found[1][0].sample
    assert whole is not None and whole.payload.keys() == {"s0", "s1"}


def test_devices_and_tenants_are_never_mixed() -> None:
    """Parts of one device that wait never come out under another."""
    parser, first = Parser(TYPES), split(busy_second(frames_count=200, ids=2, seq=5), 2000)[0]
    [waiting] = can_messages("OTHER", [dataclasses.replace(first, seq=1)], realtime=True)
    parse(waiting, tenant="other", parser=parser)
    for seq in range(2, 600):
        [sent] = can_messages("DUCO_001", [dataclasses.replace(first, seq=seq)], realtime=True)
        for parsed in parse(sent, parser=parser)[0]:
            assert parsed.sample is None


def test_the_tenant_is_that_of_the_arrival() -> None:
    """A device that has moved since: the row and the sample stay with the old tenant."""
    [found], _ = parse(message(1), Known("new", KNOWN.plan), tenant="old")
    assert found.sample is not None
    assert found.raw.peer.tenant == found.sample.peer.tenant == "old"


def test_unread_bodies_that_claim_one_position_are_kept_apart() -> None:
    """Rows of a position are copies of each other in the store: bodies that differ are no copies."""
    found = [parse(changed(body=text, seq=0, ts_ms=-5, content_type="?"))[0][0].raw for text in (b"a", b"b", b"a")]
    assert {(row.ts_ms, row.seq) for row in found} == {(0, 0)}
    assert found[0].part == found[2].part != found[1].part


def changed(**changes: Any) -> HubMessage:
    """A good message with other properties or body."""
    return dataclasses.replace(message(7), **changes)


NOTHING = body.encode_can([second_of([])])
BAD: dict[str, tuple[HubMessage, Known | None, str, dict[str, int], str]] = {
    "unknown device": (message(7), None, "", {"unknown_device": 1}, "can1"),
    "known too late": (message(7), KNOWN, "", {"unknown_device": 1}, "can1"),
    "unknown type": (changed(msg_type="other"), KNOWN, "duco", {"unknown_msg_type": 1}, "can1"),
    "no parsing": (message(7), Known("duco", None), "duco", {"no_parsing": 1}, "can1"),
    "content type": (changed(content_type="text/plain"), KNOWN, "duco", {"unread_body": 1}, "unread"),
    "encoding": (changed(content_encoding="br"), KNOWN, "duco", {"unread_body": 1}, "unread"),
    "not deflated": (changed(content_encoding="deflate", body=b"x"), KNOWN, "duco", {"unread_body": 1}, "unread"),
    "cut": (changed(content_encoding="", body=NOTHING[:-1]), KNOWN, "duco", {"unread_body": 1}, "unread"),
    "other format": (changed(content_type=JSON_TYPE), KNOWN, "duco", {"unread_body": 1}, "unread"),
    "no second": (
        changed(content_encoding="", body=body.encode_can([])), KNOWN, "duco", {"unread_body": 1}, "unread"
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_counted_and_kept(case: str) -> None:
    """One row with all that came, no sample, one problem of its kind."""
    sent, known, tenant, counted, kind = BAD[case]
    [found], problems = parse(sent, known, tenant)
    assert dict(problems) == counted and found.sample is None
    assert (found.raw.kind, found.raw.seq, found.raw.ts_ms, found.raw.peer.tenant) == (kind, 7, TS_MS + 7000, tenant)
    if kind == "unread":
        assert found.raw.body == sent.body and problems.why


def test_frames_that_cannot_be_decoded_are_counted_and_the_others_decoded() -> None:
    """Unknown ids and short frames; the sample is there, also an empty one."""
    rows = [
        Frame(0, "c", 999, False, 0, b"1"),
        Frame(1, "c", 256, False, 0, b"1"),
        Frame(2, "c", 256, False, 0, b"\5\0"),
    ]
    for some, payload in ((rows, {"rpm": 5}), (rows[:2], {})):
        [sent] = can_messages("DUCO_001", [second_of(some)], realtime=True)
        [found], problems = parse(sent)
        assert found.sample is not None and found.sample.payload == payload
        assert problems == {"unknown_id": 1, "short_frame": 1}


@given(
    st.binary(max_size=300),
    st.sampled_from([CAN_TYPE, JSON_TYPE, ""]),
    st.sampled_from(["deflate", "", "identity", "zip"]),
    st.booleans(),
)
def test_no_body_raises(text: bytes, content_type: str, encoding: str, packed: bool) -> None:
    """Whatever a device sends, something of it is kept."""
    sent = changed(body=body.deflate(text) if packed else text, content_type=content_type, content_encoding=encoding)
    found, problems = parse(sent)
    assert found and (problems or all(p.raw.kind != "unread" for p in found))


LONG = Known("duco", plan_of(TEXT))


def long_seconds(seed: int, count: int = 4) -> list[body.CanSecond]:
    """Seconds with messages of several frames, some over the border of two."""
    return seconds_of(frames_of_seconds(random.Random(seed), count, 30), count)


def by_seconds(parser: Parser, seconds: list[body.CanSecond]) -> list[Parsed]:
    """What the seconds give, each in a message of its own."""
    sent = [can_messages("DUCO_001", [second], realtime=True)[0] for second in seconds]
    return [parsed for each in sent for parsed in parse(each, LONG, parser=parser)[0]]


@pytest.mark.parametrize("seed", range(5))
def test_stored_seconds_are_read_as_they_were_parsed(seed: int) -> None:
    """Row by row or all at once: the samples are those that were made when they came in."""
    parsed = by_seconds(Parser(TYPES), long_seconds(seed))
    rows, samples = [p.raw for p in parsed], [p.sample for p in parsed]
    assert any(sample and len(sample.payload) > 4 for sample in samples)
    for step in (1, 3, len(rows)):
        rereader, problems = Rereader(TYPES), Problems()
        found = [s for at in range(0, len(rows), step) for s in rereader.read(rows[at : at + step], LONG, problems)]
        assert found == samples


def test_who_begins_in_the_middle_goes_through_what_came_before() -> None:
    """Then the first sample has the message that began in another process."""
    for seed in range(5):
        parsed = by_seconds(Parser(TYPES), long_seconds(seed))
        heir, [third] = Parser(TYPES), can_messages("DUCO_001", [long_seconds(seed)[2]], realtime=True)
        raw = RawMessage(third, "duco", 0)
        assert heir.lacks_past(raw, LONG) and not heir.lacks_past(raw, KNOWN) and not heir.lacks_past(raw, None)
        assert not heir.lacks_past(RawMessage(dataclasses.replace(third, content_type=body.JSON_TYPE), "duco", 0), LONG)
        assert len(list(heir.see_past([p.raw for p in parsed[:2]], LONG))) == 2
        assert not heir.lacks_past(raw, LONG)
        late = by_seconds(heir, long_seconds(seed)[2:])
        assert [p.sample for p in late] == [p.sample for p in parsed[2:]]


def test_a_stored_second_of_parts() -> None:
    """Its sample when all parts are there, None before, and None, counted, where a row cannot be read."""
    second = busy_second(frames_count=200, ids=2, seq=5)
    parts = split(second, 2000)
    sent = [can_messages("DUCO_001", [part], realtime=True)[0] for part in parts]
    rows = [parse(each, Known("duco", None))[0][0].raw for each in sent]
    parser, problems = Parser(TYPES), Problems()
    assert parser.stored(rows[:1], 5, 2, KNOWN, problems) == (None, False) and not problems
    assert parser.stored(rows, 5, 2, None, problems) == (None, False)
    found, next_again = parser.stored(rows, 5, 2, KNOWN, problems)
    assert not next_again
    assert found is not None and (found.seq, found.payload) == (5, {})
    assert problems == {"unknown_id": 200}
    cut = [dataclasses.replace(row, data=row.data[:-1]) for row in rows]
    assert parser.stored(cut, 5, 2, KNOWN, problems) == (None, False)
    assert problems["unread_body"] == 2


def test_samples_carry_spans_unless_nobody_wants_them() -> None:
    """None is not {}: nobody looked."""
    second = second_of([Frame(n, "c", 256, False, 0, bytes([n, 0])) for n in (2, 9)])
    [sent] = can_messages("DUCO_001", [second], realtime=True)
    for parser, stats in ((Parser(TYPES), {"rpm": Span(2.0, 9.0, 2)}), (Parser(TYPES, stats=False), None)):
        [parsed] = parse(sent, parser=parser)[0]
        assert parsed.sample is not None and parsed.sample.stats == stats


def test_an_error_of_ours_holds_up_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted with what it was, and the second kept as it came; the others have their samples."""
    work = Sampler.sample

    def fails(self: Sampler, peer: Peer, second: body.CanSecond, *more: Any) -> Sample | None:
        if second.seq == 2:
            raise ZeroDivisionError("a defect")
        return work(self, peer, second, *more)

    monkeypatch.setattr(Sampler, "sample", fails)
    found, problems = parse(message(1, seconds=3))
    assert [(each.raw.seq, each.raw.kind, each.sample is not None) for each in found] == [
        (1, "can1", True),
        (2, "can1", False),
        (3, "can1", True),
    ]
    assert (dict(problems), problems.why) == ({"failed": 1}, "ZeroDivisionError: a defect")


def test_an_error_of_ours_in_a_body(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message is kept whole, as one that cannot be read."""
    monkeypatch.setattr(body, "decode_can", lambda _: [][0])
    [found], problems = parse(message(1))
    assert (found.raw.kind, found.raw.body, found.sample) == ("unread", message(1).body, None)
    assert dict(problems) == {"failed": 1}
