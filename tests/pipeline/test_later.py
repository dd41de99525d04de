"""One tenant's parsing that takes long: nobody else waits, and nothing of its own is lost."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from duco_rt import body
from duco_rt.device.messages import json_messages
from duco_rt.model import CLIENT_RAW_DATA, Device, HubMessage, ParsingFile, Peer, RawSecond
from duco_rt.pipeline.later import Later
from duco_rt.pipeline.later_file import LaterFile
from tests.can_seconds import TS_MS
from tests.pipeline.compiler import Compiler
from tests.pipeline.line import DBC, PEER, TYPES, Line, message, running, spin

EVIL = PEER._replace(tenant="evil", chassis_id="EVIL_1")


def evil(seq: int, chassis_id: str = EVIL.chassis_id) -> HubMessage:
    """A message of the machine whose parsing takes long."""
    return dataclasses.replace(message(seq), chassis_id=chassis_id)


@asynccontextmanager
async def held(folder: Path, machines: int = 1) -> AsyncIterator[Line]:
    """A line in which the parsing of EVIL_1, EVIL_2, … is being read, and does not end."""
    compiler = Compiler()
    compiler.held["slow"] = asyncio.Event()
    async with running(folder, compiler=compiler) as line:
        await line.meta.put_parsing("slow", [ParsingFile("slow.dbc", DBC.replace("VERSION", "VERSION "))])
        for n in range(1, machines + 1):
            await line.meta.put_device(Device(f"EVIL_{n}", "evil", "evil", "slow"))
        yield line


def samples(line: Line, chassis_id: str) -> list[tuple[int | None, object]]:
    """seq and rpm of what is in the parsed store, the latest of each position, in order."""
    found = {sample.seq: sample.payload.get("rpm") for sample in line.store.samples if sample.peer[1] == chassis_id}
    return sorted(found.items(), key=lambda item: item[0] or 0)


async def test_the_batch_goes_on_without_the_one_that_waits(tmp_path: Path) -> None:
    """Raw of all, and the samples of the others; all are acknowledged. Its own come when its parsing is there."""
    async with held(tmp_path) as line:
        await asyncio.gather(*line.send(evil(1), evil(2), warm=False), *line.send(message(1), message(2)))
        await line.store.until(lambda: len(samples(line, "DUCO_001")) == 2)
        assert sorted(row.seq for row in line.store.raw_rows if row.peer == EVIL) == [1, 2]
        assert samples(line, "EVIL_1") == []
        assert line.metrics.value("process_later_total") == 2 and line.problems("no_parsing") == 0
        assert (tmp_path / "parse-later.json").exists()
        line.compiler.held.pop("slow").set()
        await line.store.until(lambda: len(samples(line, "EVIL_1")) == 2)
        assert samples(line, "EVIL_1") == [(1, 1), (2, 2)]
        await asyncio.gather(*line.send(evil(3)))
        assert samples(line, "EVIL_1") == [(1, 1), (2, 2), (3, 3)]
        while (tmp_path / "parse-later.json").exists():
            await asyncio.sleep(0.001)
        assert "process_later_peers 0\n" in line.metrics.text()


async def test_live_goes_on_without_the_ones_that_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """More of them than there are places for live messages: another machine's goes by, and theirs come in order."""
    monkeypatch.setattr("duco_rt.pipeline.ingest._PUBLISHES_MAX", 4)
    async with held(tmp_path, 6) as line:
        await line.parsings.get("DUCO_001")
        mine, theirs = await line.live.subscribe(PEER.channel), await line.live.subscribe(EVIL.channel)
        await asyncio.gather(*line.send(evil(1), evil(2), evil(3), warm=False))
        await spin()
        await asyncio.gather(*line.send(*(evil(1, f"EVIL_{n}") for n in range(2, 7)), warm=False))
        await asyncio.gather(*line.send(message(7)))
        assert msgspec.json.decode(await anext(mine))["seq"] == 7
        assert line.metrics.value("ingest_live_lost_total") == 4  # of eight: a tenant's bound
        line.compiler.held.pop("slow").set()
        assert [msgspec.json.decode(await anext(theirs))["seq"] for _ in range(3)] == [1, 2, 3]


async def test_a_process_that_ends_meanwhile_goes_on_at_its_next_start(tmp_path: Path) -> None:
    """Acknowledged and not parsed: the next one parses what the store has, once."""
    async with held(tmp_path) as line:
        await asyncio.gather(*line.send(evil(1), evil(2), warm=False))
        rows = list(line.store.raw_rows)
        assert len(rows) == 2 and not line.store.samples
    async with running(tmp_path) as heir:
        heir.store.raw_rows += rows
        await heir.store.until(lambda: len(heir.store.samples) == 2)
        while (tmp_path / "parse-later.json").exists():
            await asyncio.sleep(0.001)
        assert samples(heir, "EVIL_1") == [(1, 1), (2, 2)] and len(heir.store.samples) == 2


async def test_a_store_that_fails_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not acknowledged before the raw rows are there; tried again until the samples are, too."""
    monkeypatch.setattr("duco_rt.pipeline.runner.backoff_s", lambda attempt: 0.0)
    async with held(tmp_path) as line:
        line.store.stalled.add("raw")
        [sent] = line.send(evil(1), warm=False)
        await line.store.until(lambda: "raw" in line.store.waiting)
        await spin()
        assert not sent.done()
        await line.store.let_go()
        await sent
        line.store.fails["parsed"] = 3
        line.compiler.held.pop("slow").set()
        await line.store.until(lambda: line.store.samples)
        assert samples(line, "EVIL_1") == [(1, 1)]


async def test_a_second_that_comes_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its row is stored after the store was asked for it: it waits again, and has its sample in the end."""
    async with held(tmp_path) as line:
        await asyncio.gather(*line.send(evil(1), evil(3), warm=False))
        read, reads = line.store.raw, asyncio.Event()
        stored = asyncio.Event()

        async def raw(peer: Peer, from_ms: int, to_ms: int) -> list[RawSecond]:
            found = await read(peer, from_ms, to_ms)
            if to_ms >= evil(1).ts_ms:
                reads.set()
                await stored.wait()
            return found

        [late] = line.send(evil(2), warm=False)
        line.store.stalled.add("raw")
        await line.store.until(lambda: "raw" in line.store.waiting)
        monkeypatch.setattr(line.store, "raw", raw)
        line.compiler.held.pop("slow").set()
        await reads.wait()
        await line.store.let_go()
        await late
        stored.set()
        await line.store.until(lambda: len(samples(line, "EVIL_1")) == 3)
        assert samples(line, "EVIL_1") == [(1, 1), (2, 2), (3, 3)]


async def test_what_needs_no_parsing_is_live(tmp_path: Path) -> None:
    """Ready values of a machine whose parsing is being read."""
    async with held(tmp_path) as line:
        live = await line.live.subscribe(EVIL._replace(msg_type=CLIENT_RAW_DATA).channel)
        second = body.JsonSecond(TS_MS, 1, {"gps_lat": 1.5})
        await asyncio.gather(*line.send(*json_messages("EVIL_1", [second], realtime=True), warm=False))
        assert msgspec.json.decode(await anext(live))["payload"] == {"gps_lat": 1.5}
        await line.store.until(lambda: line.store.samples)
        assert line.metrics.value("process_later_total") == line.metrics.value("ingest_live_lost_total") == 0


@pytest.mark.parametrize("becomes", ["unusable", "of nobody", "another tenant's"])
async def test_what_will_never_be_parsed_is_counted(tmp_path: Path, becomes: str) -> None:
    """And is in the raw store, as without a parsing."""
    async with held(tmp_path) as line:
        await asyncio.gather(*line.send(evil(1), evil(2), warm=False))
        match becomes:
            case "unusable":
                await line.meta.put_parsing("slow", [ParsingFile("bad.dbc", "BO_ nonsense")])
            case "of nobody":
                await line.meta.remove_device("EVIL_1")
            case _:
                await line.meta.put_device(Device("EVIL_1", "duco", "moved", "p"))
        if becomes == "unusable":
            line.compiler.held.pop("slow").set()
        await line.parsings.refresh()
        while (tmp_path / "parse-later.json").exists():
            await asyncio.sleep(0.001)
        if becomes == "unusable" and line.store.samples:  # it was read before it changed
            return
        assert line.problems("no_parsing") == 2 and not line.store.samples


async def test_a_late_parsing_is_made_good(tmp_path: Path) -> None:
    """What came while it could not be read in time is parsed when it could."""
    compiler = Compiler()
    compiler.late.add("p")
    async with running(tmp_path, compiler=compiler) as line:
        await asyncio.gather(*line.send(message(1), message(2)))
        assert not line.store.samples and line.problems("no_parsing") == 0
        compiler.late.clear()
        await line.parsings.refresh()
        await line.store.until(lambda: len(line.store.samples) == 2)
        assert samples(line, "DUCO_001") == [(1, 1), (2, 2)]


async def test_there_is_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of the places for one tenant; what has none stays raw, counted."""
    monkeypatch.setattr("duco_rt.pipeline.later._PEERS_MAX", 4)
    async with held(tmp_path, 3) as line:
        await asyncio.gather(*line.send(*(evil(1, f"EVIL_{n}") for n in range(1, 4)), warm=False))
        assert line.problems("no_parsing") == 1 and line.metrics.value("process_later_total") == 2
        assert len(line.store.raw_rows) == 3


async def test_tenants_take_turns(tmp_path: Path) -> None:
    """A long past of one tenant does not come before the few seconds of another."""
    async with held(tmp_path) as line:
        store = line.store
        later = Later(store, line.log, line.parsings, TYPES, LaterFile(None), line.metrics)
        await asyncio.gather(*line.send(*(evil(n) for n in range(1, 61)), warm=False))
        await asyncio.gather(*line.send(*(message(n) for n in range(1, 4))))
        store.samples.clear()
        line.compiler.held.pop("slow").set()
        await line.parsings.get("EVIL_1")
        rows = list(store.raw_rows)
        await later.add([row for row in rows if row.peer == EVIL])
        await later.add([row for row in rows if row.peer == PEER])
        await later._look()
        for _ in range(2):
            await later._turn()
        assert list(dict.fromkeys(s.peer.tenant for s in store.samples))[:2] == ["evil", "duco"]
        assert len([s for s in store.samples if s.peer == PEER]) == 3
