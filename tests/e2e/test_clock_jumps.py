"""The computer's wall clock is set while everything runs: no second is lost, doubled or out of order."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from itertools import pairwise
from pathlib import Path

import pytest

from duco_rt import Runtime, load_config
from duco_rt.model import Peer, Sample
from tests.programs import holds

HOUR_S, DAY_S = 3_600.0, 86_400.0
PEER = Peer("duco", "DUCO_001", "vehicle_can")


class Wall:
    """The wall clock of this process, which a test sets; steady time goes on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.off_s = 0.0
        right, right_ns = time.time, time.time_ns
        monkeypatch.setattr(time, "time", lambda: right() + self.off_s)
        monkeypatch.setattr(time, "time_ns", lambda: right_ns() + round(self.off_s * 1e9))


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> Wall:
    """Right at first."""
    return Wall(monkeypatch)


@pytest.fixture
async def runtime(wall: Wall, tmp_path: Path) -> AsyncIterator[Runtime]:
    """Machine, ingest and studio, all by this computer's clock."""
    sets = ["web.port=0", "device.upload_interval_s=2", "device.realtime_timeout_s=60", "leases.ttl_s=20"]
    async with Runtime(load_config(environ={}, overrides=[*sets, f"app.data_dir={tmp_path / 'data'}"])) as running:
        yield running


async def take(samples: AsyncIterator[Sample], count: int) -> list[Sample]:
    """The next."""
    async with asyncio.timeout(20):
        return [await anext(samples) for _ in range(count)]


@pytest.mark.timeout(120)
async def test_the_clock_is_set_while_a_viewer_watches(runtime: Runtime, wall: Wall) -> None:
    """An hour and a day, forth and back: seq grows by one, each second has its frames, and real time stays on."""
    found: list[Sample] = []
    async with aclosing(runtime.live("DUCO_001", fields=["speed", "engine_rpm"])) as samples:  # type: ignore[type-var]
        found += await take(samples, 2)
        for off_s in (HOUR_S, -HOUR_S, DAY_S, -DAY_S):
            wall.off_s = off_s
            found += await take(samples, 3)
            while abs(found[-1].ts_ms / 1000 - time.time()) >= 5:  # a late machine may still give seconds of before
                found += await take(samples, 1)
                assert len(found) < 40, "seconds have the time that the clock now tells"
            held = (await runtime._transports.leases.held()).get("DUCO_001")
            assert held == 1, "leases go by steady time"
            assert runtime._devices[0]._mode.realtime, "the watchdog goes by steady time"
            states = runtime._states()
            assert set(states.values()) == {"ok"}, states
    seqs = [sample.seq or 0 for sample in found]
    assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))
    assert all(set(sample.payload) == {"speed", "engine_rpm"} for sample in found)

    async def all_kept() -> None:
        stored = await runtime._transports.store.history(PEER, ["speed"], 0, 2**53)
        kept = sorted(stored.seq)
        assert kept == list(range(kept[0], kept[-1] + 1)) and set(seqs) <= set(kept)
        assert all(value is not None for value in stored.fields["speed"])

    await holds(all_kept)  # the last seconds are on their way into the store
    table = await runtime.history("DUCO_001", fields=["speed"], minutes=1)
    assert seqs[-1] in table["seq"].to_pylist(), "the newest second is now, by every clock"


@pytest.mark.timeout(120)
async def test_a_start_with_the_clock_set_back(tmp_path: Path, wall: Wall) -> None:
    """Counting goes on above what was used, though the clock says less; ts is as the clock says."""
    sets = ["web.port=0", "device.upload_interval_s=1", f"app.data_dir={tmp_path / 'data'}"]
    used: list[list[int]] = []
    for off_s in (0.0, -DAY_S, DAY_S):
        wall.off_s = off_s
        async with Runtime(load_config(environ={}, overrides=sets)) as runtime:
            async with asyncio.timeout(20):
                while runtime.metrics.value("device_seconds_total") < 3:
                    await asyncio.sleep(0.1)
        file = tmp_path / "data" / "device" / "DUCO_001.seq"
        used.append([int(file.read_text().split()[0])])
    assert all(later[0] - earlier[0] >= 3 for earlier, later in pairwise(used))
    async with Runtime(load_config(environ={}, overrides=sets)) as runtime:
        stored = await runtime._transports.store.history(PEER, ["speed"], 0, 2**53)
    assert sorted(stored.seq) == list(range(min(stored.seq), max(stored.seq) + 1))
