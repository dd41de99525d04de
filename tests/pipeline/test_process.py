"""From the raw log into the store: nothing is acknowledged before it is kept, nothing is lost."""

from __future__ import annotations

import asyncio
import dataclasses
import random
from collections.abc import Sequence
from pathlib import Path

import pytest

from duco_rt import body
from duco_rt.device.messages import can_messages, json_messages
from duco_rt.model import Device, HubMessage, ParsingFile, RawSecond, Sample
from duco_rt.parts import split
from tests.can_seconds import TS_MS, Frame, busy_second, second_of
from tests.pipeline.decoding.long_messages import TEXT, frames_of_seconds, seconds_of
from tests.pipeline.line import NOW_MS, message, running, spin


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries without waiting."""
    monkeypatch.setattr("duco_rt.pipeline.runner.backoff_s", lambda attempt: 0.0)


@pytest.mark.parametrize(("stalled", "other"), [("raw", "parsed"), ("parsed", "raw")])
async def test_the_hub_is_answered_when_the_store_has_both(tmp_path: Path, stalled: str, other: str) -> None:
    """Raw without parsed is not enough, nor parsed without raw."""
    async with running(tmp_path) as line:
        line.store.stalled.add(stalled)
        [sent] = line.send(message(1))
        await line.store.until(lambda: stalled in line.store.waiting)
        await line.store.until(lambda: line.store.samples if other == "parsed" else line.store.raw_rows)
        await spin()
        assert not sent.done()
        await line.store.let_go()
        await sent
        assert [row.seq for row in line.store.raw_rows] == [sample.seq for sample in line.store.samples] == [1]
        assert line.metrics.value("hub_unacked_depth") == line.metrics.value("log_raw_depth") == 0


@pytest.mark.parametrize("fails", [{"raw": 3}, {"parsed": 3}, {"raw": 20, "parsed": 30}])
async def test_nothing_is_lost_while_the_store_fails(tmp_path: Path, fails: dict[str, int]) -> None:
    """Every message is acknowledged in the end, and every second is there, raw and parsed, once."""
    async with running(tmp_path) as line:
        line.store.fails.update(fails)
        await asyncio.gather(*line.send(*(message(n, seconds=2, realtime=False) for n in range(0, 200, 2))))
        assert sorted(row.seq for row in line.store.raw_rows) == list(range(200))
        assert sorted((s.seq, s.payload["rpm"]) for s in line.store.samples) == [(n, n) for n in range(200)]
        assert line.metrics.value("transport_retries_total", what="store") == sum(fails.values())
        assert line.metrics.value("process_messages_total") == 100
        assert line.metrics.value("process_seconds_total") == 200
        assert line.metrics.value("distribute_values_total") == 200


async def test_a_batch_that_grows_is_kept_piece_by_piece(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is inflated is not held all together; every second is there once, and acknowledged when all are."""
    monkeypatch.setattr("duco_rt.pipeline.process._HELD_BYTES_MAX", 2_000)
    async with running(tmp_path) as line:
        pieces: list[int] = []
        insert = line.store.insert_raw

        async def seen(rows: Sequence[RawSecond]) -> None:
            pieces.append(len(rows))
            await insert(rows)

        monkeypatch.setattr(line.store, "insert_raw", seen)
        await asyncio.gather(*line.send(*(message(n, seconds=10, realtime=False) for n in range(0, 40, 10))))
        assert sorted(row.seq for row in line.store.raw_rows) == list(range(40))
        assert sorted(sample.seq or 0 for sample in line.store.samples) == list(range(40))
        assert max(pieces) <= 4
        assert line.metrics.value("process_seconds_total") == 40


async def test_samples_keep_the_order_of_a_device(tmp_path: Path) -> None:
    """As they were sent."""
    async with running(tmp_path) as line:
        await asyncio.gather(*line.send(*(message(n) for n in range(150))))
        assert [sample.seq for sample in line.store.samples] == list(range(150))


def bad_messages() -> dict[str, HubMessage]:
    """Messages that each have one thing wrong, by the kind that it is counted as."""
    good = message(1)
    short = second_of([Frame(0, "c", 256, False, 0, b"x")], seq=2)
    unknown = second_of([Frame(0, "c", 999, False, 0, b"x")], seq=3)
    zero = body.encode_can([second_of([Frame(0, "c", 256, False, 0, b"ab")], seq=4)])[:-4]
    return {
        "unknown_device": dataclasses.replace(good, chassis_id="NOBODY"),
        "unknown_msg_type": dataclasses.replace(good, msg_type="other"),
        "no_parsing": dataclasses.replace(good, chassis_id="BARE"),
        "unread_body": dataclasses.replace(good, seq=9, body=zero, content_encoding=""),
        "short_frame": can_messages("DUCO_001", [short], realtime=True)[0],
        "unknown_id": can_messages("DUCO_001", [unknown], realtime=True)[0],
    }


@pytest.mark.parametrize("kind", bad_messages())
async def test_bad_input_is_counted_kept_and_acknowledged(tmp_path: Path, kind: str) -> None:
    """Once by its kind; its raw row is there; what comes after it goes its way."""
    async with running(tmp_path) as line:
        await line.meta.put_device(Device("BARE", "duco", "bare", None))
        await asyncio.gather(*line.send(bad_messages()[kind]))
        await asyncio.gather(*line.send(message(100)))
        assert line.problems(kind) == 1
        assert sum(line.problems(other) for other in bad_messages()) == 1
        assert len(line.store.raw_rows) == 2
        assert line.store.samples[-1].payload == {"rpm": 100}
        assert len(line.store.samples) == (2 if kind in ("short_frame", "unknown_id") else 1)


async def test_poison_stops_nothing(tmp_path: Path) -> None:
    """Bodies that once would have ended a reader: empty parts, streams without frames, endless nesting."""
    async with running(tmp_path) as line:
        empty = [dataclasses.replace(second_of([], seq=5), part=n, parts=2) for n in range(2)]
        bodies = [body.encode_can([part]) for part in empty]
        row = b"\1\1c" + bytes([0, 1, 0, 0, 0, 0, 8, 0, 0, 0, 0])
        head = body._SECOND.pack(TS_MS, 6, 0, 1, len(row), 0, 0, 0)
        bodies += [b"DUCO\1\0\1\0" + head + row, b"DUCO\1\0\0\0"]
        sent = [dataclasses.replace(message(1), body=text, content_encoding="") for text in bodies]
        nested = b'{"version":1,"seconds":[' + b"[" * 100_000
        sent.append(dataclasses.replace(sent[0], body=nested, content_type=body.JSON_TYPE))
        await asyncio.gather(*line.send(*sent))
        await asyncio.gather(*line.send(message(100)))
        assert line.problems("unread_body") == 3
        assert [sample.payload for sample in line.store.samples] == [{}, {"rpm": 100}]


async def test_parts_are_put_together(tmp_path: Path) -> None:
    """A row a part, one sample with the values of all."""
    async with running(tmp_path) as line:
        other = [Frame(f.time_us, *f[1:]) for f in (Frame(0, "c", 256, False, 0, b"\x07\0"),)]
        second = second_of([*other, *(Frame(n, "c", 0x300 + n % 3, False, 0, bytes(8)) for n in range(200))], seq=4)
        parts = split(second, 1500)
        assert len(parts) > 2
        await asyncio.gather(*line.send(*(can_messages("DUCO_001", [part], realtime=False)[0] for part in parts)))
        assert sorted(row.part for row in line.store.raw_rows) == list(range(len(parts)))
        assert [(s.seq, s.payload) for s in line.store.samples] == [(4, {"rpm": 7})]


async def test_parts_of_which_another_process_stored_the_first(tmp_path: Path) -> None:
    """A process that was killed between the parts of a second leaves its rows; who comes after it makes the sample,
    once all parts are there, and another second at the same time is not mixed in."""
    async with running(tmp_path) as line:
        frames = [Frame(n, "c", 0x300 + n % 3, False, 0, bytes(8)) for n in range(200)]
        second = second_of([Frame(0, "c", 256, False, 0, b"\x07\0"), *frames], seq=4)
        parts = split(second, 1500)
        messages = [can_messages("DUCO_001", [part], realtime=False)[0] for part in parts]
        other = can_messages("DUCO_001", [dataclasses.replace(parts[-1], seq=5)], realtime=False)[0]
        await asyncio.gather(*line.send(messages[0], other))
        assert line.store.samples == []
        stored, line.store.raw_rows[:] = list(line.store.raw_rows), []
        async with running(tmp_path / "heir") as heir:
            heir.store.raw_rows += stored
            for message_ in messages[1:]:
                assert heir.store.samples == []
                await asyncio.gather(*heir.send(message_))
            assert [(s.seq, s.payload) for s in heir.store.samples] == [(4, {"rpm": 7})]
            assert heir.store.samples[0].received_ms == NOW_MS


async def test_a_message_that_began_in_another_process(tmp_path: Path) -> None:
    """Who goes on looks at what is stored: the samples are those of one process that saw all."""
    seconds = seconds_of(frames_of_seconds(random.Random(1), 4, 30), 4)
    sent = [can_messages("DUCO_001", [second], realtime=True)[0] for second in seconds]
    samples = []
    for name, cut in (("one", 0), ("two", 2)):
        async with running(tmp_path / name) as line:
            await line.meta.put_parsing("p", [ParsingFile("groups.dbc", TEXT)])
            for each in sent[: cut or 4]:
                await asyncio.gather(*line.send(each))
            samples.append(list(line.store.samples))
            rows = line.store.raw_rows
    async with running(tmp_path / "heir") as heir:
        await heir.meta.put_parsing("p", [ParsingFile("groups.dbc", TEXT)])
        heir.store.raw_rows += rows
        for each in sent[2:]:
            await asyncio.gather(*heir.send(each))
        assert [*samples[1], *heir.store.samples] == samples[0]
    assert sum(len(sample.payload) for sample in samples[0]) > 20 and all(sample.stats for sample in samples[0])


@pytest.mark.parametrize("order", [[0, 3, 1, 2], [3, 2, 1, 0], [1, 3, 0, 2]])
async def test_seconds_that_come_before_their_predecessors(tmp_path: Path, order: list[int]) -> None:
    """A spool that drains sends the live second first: in the end each sample has the messages that began before it."""
    seconds = seconds_of(frames_of_seconds(random.Random(1), 4, 30), 4)
    sent = [can_messages("DUCO_001", [second], realtime=True)[0] for second in seconds]
    stored: list[dict[int | None, Sample]] = []
    for name, arrival in (("one", [0, 1, 2, 3]), ("two", order)):
        async with running(tmp_path / name) as line:
            await line.meta.put_parsing("p", [ParsingFile("groups.dbc", TEXT)])
            for n in arrival:
                await asyncio.gather(*line.send(sent[n]))
            stored.append({sample.seq: sample for sample in line.store.samples})  # the latest insert counts
            assert len(line.store.samples) > 4 or arrival == [0, 1, 2, 3]
    assert stored[0] == stored[1]


async def test_the_store_is_asked_where_something_may_be_open(tmp_path: Path) -> None:
    """Not for samples that need no parsing, nor for seconds that follow each other."""
    async with running(tmp_path) as line:
        await line.meta.put_parsing("p", [ParsingFile("groups.dbc", TEXT)])
        for seq in range(1, 6):
            second = body.JsonSecond(TS_MS, seq, {"gps_lat": 1.5})
            await asyncio.gather(*line.send(*json_messages("DUCO_001", [second], realtime=False)))
        assert line.store.raw_reads == 0
        for each in seconds_of(frames_of_seconds(random.Random(1), 4, 30), 4):
            await asyncio.gather(*line.send(*can_messages("DUCO_001", [each], realtime=True)))
        assert line.store.raw_reads == 1


async def test_a_second_over_the_limit_arrives_whole(tmp_path: Path) -> None:
    """Cut by the device, put together here: 20,000 frames."""
    async with running(tmp_path) as line:
        second = busy_second(frames_count=20_000, ids=90)
        messages = can_messages("DUCO_001", [second], realtime=False)
        assert len(messages) == 2 and all(len(m.body) <= body.BODY_BYTES_MAX for m in messages)
        await asyncio.gather(*line.send(*messages))
        assert len(line.store.samples) == 1
        assert line.problems("unknown_id") == 20_000


async def test_a_row_belongs_to_the_tenant_of_its_arrival(tmp_path: Path) -> None:
    """A device that moves while its messages wait in the log."""
    async with running(tmp_path) as line:
        line.store.stalled.add("raw")
        first = line.send(message(1))
        await line.store.until(lambda: "raw" in line.store.waiting)
        second = line.send(message(2))
        while line.metrics.value("log_raw_depth") < 1:
            await asyncio.sleep(0)
        await line.meta.put_device(Device("DUCO_001", "other", "one", "p"))
        await line.parsings.refresh()
        third = line.send(message(3))
        await line.store.let_go()
        await asyncio.gather(*first, *second, *third)
        wanted = {1: "duco", 2: "duco", 3: "other"}
        assert {row.seq: row.peer.tenant for row in line.store.raw_rows} == wanted
        assert {sample.seq: sample.peer.tenant for sample in line.store.samples} == wanted
