"""Read again: what the parsed store has afterwards, wherever the run was ended."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from duco_rt.errors import TransportError
from duco_rt.model import Device, ParsingFile, RawSecond
from duco_rt.transports import store_sql
from duco_rt.transports.store_chdb import ChdbStore
from tests.can_seconds import TS_MS
from tests.dbc_texts import dbc_text
from tests.pipeline.again import (
    GROUP,
    JSON_PEER,
    AgainStore,
    asked,
    can_rows,
    group_rows,
    json_row,
    late_clock,
    read_again,
    reparses,
    unread_row,
)
from tests.pipeline.line import PEER, AwayMeta, FixedClock, open_meta

pytestmark = pytest.mark.servers  # a database and files for each test

NEW = dbc_text("256 Engine 2\nrevolutions : 0|16@1+ (0.5,0)")


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries without waiting."""
    monkeypatch.setattr("duco_rt.pipeline.runner.backoff_s", lambda attempt: 0.0)


@pytest.fixture
async def meta(tmp_path: Path) -> AsyncIterator[AwayMeta]:
    """DUCO_001 with its parsing."""
    async with open_meta(tmp_path) as found:
        yield found


def mixed(seconds: int) -> list[RawSecond]:
    """CAN and JSON; each seventh CAN second in parts, each ninth with an unread body beside it."""
    rows = []
    for n in range(seconds):
        rows += can_rows(n, parts=9 if n % 7 == 0 else 1)
        rows.append(json_row(n, x=n / 2))
        if n % 9 == 0:
            rows.append(unread_row(n))
    return rows


async def test_each_raw_second_gives_its_sample(tmp_path: Path, meta: AwayMeta) -> None:
    """Of the asked range alone, with position and time of receipt of the raw second; what cannot be read is counted."""
    rows = mixed(40)
    store = AgainStore(rows)
    result, notes, told = await read_again(reparses(store, meta, tmp_path), asked(5, 34))
    can, ready = ([s for s in store.samples if s.peer == peer] for peer in (PEER, JSON_PEER))
    assert [(s.seq, s.ts_ms, s.received_ms) for s in can] == [
        (n, TS_MS + 1000 * n, TS_MS + 1000 * n + 1200) for n in range(5, 35)
    ]
    assert [s.payload["rpm"] for s in can] == list(range(5, 35))
    assert [(s.seq, s.payload) for s in ready] == [(n, {"x": n / 2}) for n in range(5, 35)]
    assert (result.seconds, result.samples, notes) == (60, 60, [])
    assert result.problems["unread_body"] == 3
    assert result.parsing == ("p", 1)
    assert [now.done_ms for now in told] == sorted(now.done_ms for now in told)
    assert (told[-1].done_ms, told[-1].total_ms) == (29_001, 29_001)


async def test_a_second_that_lacks_a_part_keeps_its_sample(tmp_path: Path, meta: AwayMeta) -> None:
    """What is there of it would make a sample that looks whole; it is counted."""
    store = AgainStore([row for n in range(4) for row in can_rows(n, parts=9)])
    await read_again(reparses(store, meta, tmp_path), asked(0, 3))
    expected = dict(store.kept)
    store.raw_rows = [row for row in store.raw_rows if (row.seq, row.part) not in ((1, 0), (2, 3))]
    result, _, _ = await read_again(reparses(store, meta, tmp_path), asked(0, 3))
    assert (result.seconds, result.samples, result.problems["incomplete_second"]) == (4, 2, 2)
    assert store.kept == expected and [s.payload["rpm"] for s in expected.values()] == [0, 1, 2, 3]


@pytest.mark.parametrize("ends_after", range(1, 9))
async def test_ended_anywhere_and_asked_again_gives_the_same(
    tmp_path: Path, meta: AwayMeta, monkeypatch: pytest.MonkeyPatch, ends_after: int
) -> None:
    """As if nothing had happened: same samples, same counts."""
    monkeypatch.setattr("duco_rt.pipeline.reparse._INSERT_VALUES", 50)
    rows = mixed(120)
    whole = AgainStore(rows)
    expected, _, _ = await read_again(reparses(whole, meta, tmp_path), asked(3, 116))
    broken = AgainStore(rows, ends_after=ends_after)
    with pytest.raises(asyncio.CancelledError):
        await read_again(reparses(broken, meta, tmp_path), asked(3, 116))
    assert len(broken.kept) < len(whole.kept)
    broken.ends_after = None
    result, _, _ = await read_again(reparses(broken, meta, tmp_path), asked(3, 116))
    assert broken.kept == whole.kept
    assert (result.seconds, result.samples, result.problems) == (228, 228, {"unread_body": 12, "unknown_id": 128})
    assert (expected.seconds, expected.samples, expected.problems) == (228, 228, result.problems)


@pytest.mark.parametrize("ends_after", [None, 2, 3])
async def test_a_message_over_the_border_of_two_chunks(tmp_path: Path, meta: AwayMeta, ends_after: int | None) -> None:
    """Is whole, also where the run was ended at that border, and where it began before the range."""
    await meta.put_parsing("p", [ParsingFile("g.dbc", GROUP)])
    store = AgainStore(group_rows(300), ends_after)
    if ends_after:
        with pytest.raises(asyncio.CancelledError):
            await read_again(reparses(store, meta, tmp_path), asked(10, 280))
        store.ends_after = None
    result, _, _ = await read_again(reparses(store, meta, tmp_path), asked(10, 280))
    assert {s.seq: s.payload for s in store.samples} == {n: {"count": n - 1} for n in range(10, 281)}
    assert result.problems == {}


async def test_what_began_before_the_range_is_known(tmp_path: Path, meta: AwayMeta) -> None:
    """15 s before it are read for the messages of several frames; nothing of them is stored."""
    store = AgainStore(mixed(60))
    await read_again(reparses(store, meta, tmp_path), asked(30, 40))
    assert ("vehicle_can", TS_MS + 15_000, TS_MS + 29_999) in store.asked
    assert {s.seq for s in store.samples} == set(range(30, 41))


@pytest.mark.parametrize("last", [0, 1, 59, 60, 61, 179, 180, 181])
async def test_the_last_second_is_read(tmp_path: Path, meta: AwayMeta, last: int) -> None:
    """Also where it is alone in its chunk; the one after it is not."""
    store = AgainStore(mixed(183))
    await read_again(reparses(store, meta, tmp_path), asked(0, last))
    assert {s.seq for s in store.samples} == set(range(last + 1))


async def test_a_range_without_data(tmp_path: Path, meta: AwayMeta) -> None:
    """Ends as one with data does; long stretches of nothing take few questions."""
    store = AgainStore(mixed(3))
    result, _, told = await read_again(reparses(store, meta, tmp_path), asked(86_400, 2 * 86_400))
    assert (result.seconds, result.samples, result.problems) == (0, 0, {})
    assert len(store.asked) < 2 * 86_400 / 250
    assert told[-1].done_ms == told[-1].total_ms == 86_400_001


async def test_memory_is_bounded(tmp_path: Path, meta: AwayMeta, monkeypatch: pytest.MonkeyPatch) -> None:
    """A busier bus is read in shorter chunks; every second is in one of them."""
    rows = [row for n in range(300) for row in can_rows(n, parts=3)]
    size = sum(len(r.streams) + len(r.order) + len(r.times) + len(r.data) for r in rows) // 300
    monkeypatch.setattr("duco_rt.pipeline.reparse._CHUNK_BYTES", 5 * size)
    store = AgainStore(rows)
    await read_again(reparses(store, meta, tmp_path), asked(0, 299))
    spans = [(first, last) for kind, first, last in store.asked if kind == "vehicle_can"][1:]
    assert [last - first + 1 for first, last in spans][1:-1] == [5_000] * 47
    assert [first for first, _ in spans[1:]] == [last + 1 for _, last in spans[:-1]]
    assert len(store.kept) == 300


@pytest.mark.parametrize("table", ["raw", "parsed"])
async def test_a_store_that_fails_is_tried_again(tmp_path: Path, meta: AwayMeta, table: str) -> None:
    """Until it works."""
    store = AgainStore(mixed(20))
    store.fails[table] = 5
    result, _, _ = await read_again(reparses(store, meta, tmp_path), asked(0, 19))
    assert (result.samples, len(store.kept)) == (40, 40)


async def test_others_run_between_two_seconds(tmp_path: Path, meta: AwayMeta) -> None:
    """Each second of the bus lets the loop go round."""
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as tasks:
        beside = tasks.create_task(others())
        store = AgainStore(mixed(100))
        await read_again(reparses(store, meta, tmp_path), asked(0, 99))
        beside.cancel()
    assert turns > 200


async def test_a_run_that_is_stopped(tmp_path: Path, meta: AwayMeta) -> None:
    """Ends at its next second and says that it goes on when asked again."""
    store = AgainStore(mixed(100))
    jobs = reparses(store, meta, tmp_path)
    store.stalled.add("parsed")

    async def stop() -> None:
        await store.until(lambda: "parsed" in store.waiting)
        jobs.stop()
        await store.let_go()

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(stop())
        with pytest.raises(TransportError, match="goes on"):
            await read_again(jobs, asked(0, 99))
    assert 0 < len(store.kept) < 200
    await read_again(jobs, asked(0, 99))
    assert len(store.kept) == 200


@pytest.mark.parametrize("what", ["parsing", "tenant"])
async def test_a_parsing_that_changes_meanwhile(tmp_path: Path, meta: AwayMeta, what: str) -> None:
    """The run ends with the one that it began with, and says that it is an old one now."""
    store = AgainStore(mixed(20))
    store.stalled.add("parsed")

    async def change() -> None:
        await store.until(lambda: "parsed" in store.waiting)
        if what == "parsing":
            await meta.put_parsing("p", [ParsingFile("n.dbc", NEW)])
        else:
            await meta.put_device(Device("DUCO_001", "other", "", "p"))
        await store.let_go()

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(change())
        result, _, _ = await read_again(reparses(store, meta, tmp_path), asked(0, 19))
    assert [list(s.payload) for s in store.samples if s.peer == PEER] == [["rpm"]] * 20
    assert len(result.notes) == 1
    assert "run it again" in result.notes[0]
    assert result.parsing == ("p", 1)


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long a run waited each time, in s; nobody waits really."""
    found: list[float] = []
    sleep = asyncio.sleep

    async def noted(delay: float) -> None:
        found.append(delay)
        await sleep(0)

    monkeypatch.setattr("duco_rt.pipeline.reparse.asyncio.sleep", noted)
    return found


async def test_others_have_the_loop_for_a_share_of_the_time(tmp_path: Path, meta: AwayMeta, waits: list[float]) -> None:
    """After each second that was read, half as long as it took."""

    class Slow(FixedClock):
        """20 ms between any two looks."""

        def steady_s(self) -> float:
            """Later each time."""
            self.now_s += 0.02
            return self.now_s

    clock = Slow()
    clock.now_ms = late_clock().now_ms
    await read_again(reparses(AgainStore(mixed(10)), meta, tmp_path, clock, rest=0.5), asked(0, 9))
    assert sum(delay == pytest.approx(0.01) for delay in waits) == 20


async def test_a_second_that_came_just_now_waits(tmp_path: Path, meta: AwayMeta, waits: list[float]) -> None:
    """The live path may still store its own sample of it, which must not come after the new one."""
    clock = late_clock()
    clock.now_ms = TS_MS + 9_000 + 1_200 + 500
    await read_again(reparses(AgainStore(mixed(10)), meta, tmp_path, clock), asked(0, 9))
    assert [delay for delay in waits if delay] == [2.5, 2.5]  # one for each message type


def rows_kept(store: ChdbStore, final: str) -> list[int]:
    """The number of CAN samples as the engine counts them, with `FINAL` or without."""
    table = f"{store_sql.DATABASE}.{store_sql.PARSED}"
    where = f"WHERE msgType = {store_sql.quote(PEER.msg_type)}"
    found: list[int] = store._query(f"SELECT toInt64(count()) AS n FROM {table} {final} {where}")["n"].tolist()
    return found


@pytest.mark.servers
async def test_samples_are_replaced_not_doubled(tmp_path: Path, meta: AwayMeta) -> None:
    """On the real engine: fields of the new parsing appear, others vanish; one row a second to every reader, and in
    the table itself when it has merged."""
    old, new = {"rpm": list(range(200))}, {"revolutions": [n / 2 for n in range(200)]}
    store = await ChdbStore(tmp_path / "chdb").open()
    try:
        await store.insert_raw(mixed(200))
        for fields in (old, new):
            result, _, _ = await read_again(reparses(store, meta, tmp_path), asked(0, 199))
            assert result.samples == 400
            found = await store.history(PEER, ["rpm", "revolutions"], TS_MS, TS_MS + 199_000)
            assert found.seq == list(range(200))
            assert found.fields == {"rpm": [None] * 200, "revolutions": [None] * 200} | fields
            assert rows_kept(store, "FINAL") == [200]
            await meta.put_parsing("p", [ParsingFile("n.dbc", NEW)])
        store._query(f"OPTIMIZE TABLE {store_sql.DATABASE}.{store_sql.PARSED} FINAL")
        assert rows_kept(store, "") == [200]
        ready = await store.history(JSON_PEER, ["x"], TS_MS, TS_MS + 199_000)
        assert ready.fields["x"] == [n / 2 for n in range(200)]
    finally:
        await store.close()
