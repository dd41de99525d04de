"""Connections that are kept: begun again after each loss, soon and not in a rush."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from duco_rt.clock import SystemClock
from duco_rt.errors import TransportError
from duco_rt.seeing.metrics import Metrics
from duco_rt.transports.hub_mqtt.client import Session
from duco_rt.transports.hub_mqtt.connection import connected
from duco_rt.transports.hub_mqtt.reconnect import stay_connected
from tests.servers.mosquitto import Mosquitto
from tests.servers.server import HOST


@pytest.mark.servers
async def test_staying_connected(tmp_path: Path) -> None:
    """It begins again and again, counts, and is back soon after the broker is."""
    broker = Mosquitto(tmp_path, persistence=False).start()
    metrics, ups = Metrics(), asyncio.Queue[None]()

    async def serve() -> None:
        async with connected(Session(HOST, broker.port, "c"), print) as connection:
            ups.put_nowait(None)
            await connection.lost()

    try:
        async with asyncio.TaskGroup() as tasks:
            staying = tasks.create_task(stay_connected(serve, "part", metrics, SystemClock()))
            await asyncio.wait_for(ups.get(), 20)
            await asyncio.to_thread(broker.kill)
            async with asyncio.timeout(20):
                while metrics.value("hub_connections_lost_total", part="part") < 3:
                    await asyncio.sleep(0.01)
            await asyncio.to_thread(broker.start)
            await asyncio.wait_for(ups.get(), 20)
            staying.cancel()
    finally:
        broker.kill()


class Clock(SystemClock):
    """Steady time as the test says."""

    now_s = 0.0

    def steady_s(self) -> float:
        """What was set."""
        return self.now_s


async def test_pauses_grow_and_begin_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Doubling up to 2 s; after a connection that held, short again; after one that was to end, none."""
    pauses: list[float] = []
    clock, ends = Clock(), iter(["lost"] * 8 + ["held", "lost", "done", "lost", "cancel"])

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    async def serve() -> None:
        end = next(ends)
        if end == "cancel":
            raise asyncio.CancelledError
        clock.now_s += 60.0 if end == "held" else 0.1
        if end != "done":
            raise TransportError(end)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    with pytest.raises(asyncio.CancelledError):
        await stay_connected(serve, "part", Metrics(), clock)
    most = [0.1, 0.2, 0.4, 0.8, 1.6, 2, 2, 2, 0.1, 0.2, 0.1]
    assert all(limit / 2 <= pause <= limit for pause, limit in zip(pauses, most, strict=True)), pauses
