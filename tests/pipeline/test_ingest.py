"""The hub's two readings: everything to the log, real time to live, neither waiting for the other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import msgspec
import pytest

from duco_rt.model import HubMessage, RawMessage, Sample
from duco_rt.pipeline.ingest import encode_live
from duco_rt.seeing.metrics import Metrics
from duco_rt.transports.live_memory import MemoryLive
from tests.pipeline.line import NOW_MS, PEER, message, running, spin


async def take(messages: AsyncIterator[bytes], count: int) -> list[dict[str, object]]:
    """The next live messages."""
    return [msgspec.json.decode(await anext(messages)) for _ in range(count)]


def test_a_live_message() -> None:
    """payload, ts, seq and received, as other programs read them."""
    sample = Sample(PEER, 1000, 7, 1400, {"speed": 12.5, "on": True, "name": "ü", "big": 2**70})
    assert msgspec.json.decode(encode_live(sample)) == {
        "payload": {"speed": 12.5, "on": True, "name": "ü", "big": 2**70},
        "ts": 1000,
        "seq": 7,
        "received": 1400,
    }


async def test_real_time_messages_go_live_and_to_the_log(tmp_path: Path) -> None:
    """Batches to the log alone."""
    async with running(tmp_path) as line:
        live = await line.live.subscribe(PEER.channel)
        await asyncio.gather(*line.send(message(1), message(2, seconds=3, realtime=False), message(5)))
        assert [m["seq"] for m in await take(live, 2)] == [1, 5]
        assert sorted(row.seq for row in line.store.raw_rows) == [1, 2, 3, 4, 5]
        assert line.metrics.value("ingest_live_total") == 2
        assert line.metrics.value("ingest_messages_total", msg_type="vehicle_can") == 3
        assert {row.received_ms for row in line.store.raw_rows} == {NOW_MS}


async def test_live_goes_on_while_the_store_stalls(tmp_path: Path) -> None:
    """Every sample reaches the viewer; the hub keeps all until the store has them."""
    async with running(tmp_path) as line:
        line.store.stalled.add("raw")
        live = await line.live.subscribe(PEER.channel)
        sent = line.send(*(message(n) for n in range(20)))
        found = await take(live, 20)
        assert [m["seq"] for m in found] == list(range(20))
        assert found[3] == {"payload": {"rpm": 3}, "ts": message(3).ts_ms, "seq": 3, "received": NOW_MS, "stats": {}}
        assert not any(task.done() for task in sent)
        await line.store.let_go()
        await asyncio.gather(*sent)
        assert sorted(sample.seq or 0 for sample in line.store.samples) == list(range(20))


class StuckLive(MemoryLive):
    """A live transport that takes nothing until it is let go."""

    def __init__(self) -> None:
        super().__init__(600, Metrics())
        self.go_on = asyncio.Event()

    async def publish(self, channel: str, message: bytes) -> None:
        """Wait, then hand on."""
        await self.go_on.wait()
        await super().publish(channel, message)


async def test_the_store_path_goes_on_while_live_is_slow(tmp_path: Path) -> None:
    """A stuck live transport delays no acknowledgement."""
    stuck = StuckLive()
    async with running(tmp_path, stuck) as line:
        live = await stuck.subscribe(PEER.channel)
        await asyncio.gather(*line.send(*(message(n) for n in range(20))))
        assert len(line.store.samples) == len(line.store.raw_rows) == 20
        stuck.go_on.set()
        assert [m["seq"] for m in await take(live, 20)] == list(range(20))


class BrokenLive(MemoryLive):
    """A live transport that breaks at its first message."""

    broken = True

    async def publish(self, channel: str, message: bytes) -> None:
        """Break once."""
        if self.broken:
            self.broken = False
            raise RuntimeError("a mistake in the transport")
        await super().publish(channel, message)


async def test_one_bad_live_message_is_not_the_end(tmp_path: Path) -> None:
    """Counted; the next one comes, and the store has both."""
    broken = BrokenLive(600, Metrics())
    async with running(tmp_path, broken) as line:
        live = await broken.subscribe(PEER.channel)
        await asyncio.gather(*line.send(message(1), message(2)))
        assert [m["seq"] for m in await take(live, 1)] == [2]
        assert line.problems("live_failed", "ingest") == 1
        assert len(line.store.samples) == 2


async def test_messages_wait_while_meta_is_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a device that nobody asked for yet: not acknowledged, not lost, not taken for unknown."""
    async with running(tmp_path) as line:
        monkeypatch.setattr("duco_rt.pipeline.runner.backoff_s", lambda attempt: 0.0)
        line.meta.away = True
        sent = line.send(message(1), message(2))
        while line.metrics.value("transport_retries_total", what="meta") < 3:
            await asyncio.sleep(0)
        await spin()
        assert not any(task.done() for task in sent) and not line.store.raw_rows
        line.meta.away = False
        await asyncio.gather(*sent)
        assert {row.peer for row in line.store.raw_rows} == {PEER}


async def test_unknown_devices_are_not_live(tmp_path: Path) -> None:
    """Nothing is published for a device without tenant; its raw rows are kept."""
    async with running(tmp_path) as line:
        found: list[HubMessage] = [message(1)]
        await line.meta.remove_device("DUCO_001")
        live = await line.live.subscribe("live-stream//consumer-DUCO_001/vehicle_can")
        await asyncio.gather(*line.send(*found))
        await spin()
        assert line.metrics.value("ingest_live_total") == 0
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await anext(live)
        assert [row.peer.tenant for row in line.store.raw_rows] == [""]


async def test_a_message_that_fails_waits_for_itself_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error that nobody thought of in one message: counted, tried again, and the others pass it by."""
    monkeypatch.setattr("duco_rt.pipeline.ingest.backoff_s", lambda *_, **__: 0.01)
    async with running(tmp_path) as line:
        append, fails = line.log.append_raw, True

        async def append_raw(records: Sequence[RawMessage]) -> None:
            if fails and records[0].message.seq == 1:
                raise RuntimeError("a defect")
            await append(records)

        monkeypatch.setattr(line.log, "append_raw", append_raw)
        first, *others = line.send(message(1), message(2), message(3))
        await asyncio.gather(*others)
        assert not first.done()
        assert line.problems("keep_failed", "ingest") >= 1
        fails = False
        await first
        assert sorted(row.seq for row in line.store.raw_rows) == [1, 2, 3]
