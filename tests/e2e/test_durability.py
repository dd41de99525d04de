"""What the device handed over is in the store, however the process ends."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from pathlib import Path

import aiohttp
import pytest

from tests.programs import Program, live, program

TYPES = {"vehicle_can": "speed", "client_raw_data": "timestamp"}


async def stored(http: aiohttp.ClientSession, running: Program, msg_type: str, field: str) -> list[int]:
    """All seqs of the demo device in the store."""
    now = int(time.time() * 1000)
    path = f"/DUCO_001/history?msgType={msg_type}&fields={field}&from={now - 600_000}&to={now + 10_000}"
    found: list[int] = (await running.json(http, path))["seq"]
    return found


def taken(data_dir: Path) -> int:
    """The last seq that the device used."""
    return int((data_dir / "device" / "DUCO_001.seq").read_text().split()[0]) - 1


async def run_for(data_dir: Path, seconds: float, realtime: bool, end: signal.Signals) -> int:
    """Start, run for a while, end by a signal; the exit code."""
    async with program(data_dir) as running, aiohttp.ClientSession() as http:
        if realtime:
            await running.start_realtime(http)
        await asyncio.sleep(seconds)  # the moment of the end is what is tested
        return await running.end(end)


async def end_in_order(data_dir: Path, times: int, most_s: float) -> None:
    """So many runs that SIGTERM ends at random moments; then the store has every second that the device closed."""
    moments = random.Random(7)
    for n in range(times):
        assert await run_for(data_dir, moments.uniform(0, most_s), n % 2 == 0, signal.SIGTERM) == 0
    last = taken(data_dir)
    async with program(data_dir) as running, aiohttp.ClientSession() as http:
        for msg_type, field in TYPES.items():
            found = [seq for seq in await stored(http, running, msg_type, field) if seq <= last]
            assert found == list(range(found[0], last + 1))


@pytest.mark.timeout(240)
async def test_sigterm_at_any_moment_loses_nothing(tmp_path: Path) -> None:
    """After each ordered end, the store has every second that the device ever closed, once, for both msgTypes."""
    await end_in_order(tmp_path / "data", 3, 4)


@pytest.mark.timeout(120)
async def test_kill_leaves_what_was_stored(tmp_path: Path) -> None:
    """After kill -9 the store opens again with all that a reader had seen in it, and seq goes on above."""
    data_dir = tmp_path / "data"
    async with program(data_dir) as running, aiohttp.ClientSession() as http:
        await running.start_realtime(http)
        async for message in live(http, running, "DUCO_001", ["speed"]):  # noqa: B007  # the last one is used
            before = {kind: await stored(http, running, kind, field) for kind, field in TYPES.items()}
            if len(before["client_raw_data"]) >= 4:
                break
        last = message["seq"]
        assert await running.end(signal.SIGKILL) == -signal.SIGKILL
    async with program(data_dir) as running, aiohttp.ClientSession() as http:
        for kind, field in TYPES.items():
            after = await stored(http, running, kind, field)
            assert after[: len(before[kind])] == before[kind]
        await running.start_realtime(http)
        async for message in live(http, running, "DUCO_001", ["speed"]):
            assert message["seq"] > last
            break


async def compare_history_with_live(tmp_path: Path, seconds: int) -> None:
    """Collect from the WebSocket, then ask history for the same range: the same set of points."""
    fields = ["speed", "engine_rpm", "brake_status", "fan_rpm", "EngineSpeed", "no_such_field"]
    async with program(tmp_path / "data") as running, aiohttp.ClientSession() as http:
        await running.start_realtime(http)
        points = {}
        count = last_ts = first_ts = 0
        async for message in live(http, running, "DUCO_001", fields):
            first_ts, last_ts = first_ts or message["ts"], message["ts"]
            for name, value in message["payload"].items():
                points[name, message["seq"], message["ts"]] = value
            count += 1
            if count > seconds:  # not by ts: after a stall the machine begins its next second anew
                break
        await asyncio.sleep(2)  # the promise: in history within 2 s
        path = f"/DUCO_001/history?fields={','.join(fields)}&from={first_ts}&to={last_ts}"
        found = await running.json(http, path)
        stored_points = {
            (name, seq, ts): value
            for name, column in found["fields"].items()
            for seq, ts, value in zip(found["seq"], found["ts"], column, strict=True)
            if value is not None
        }
        assert stored_points == points
        assert len({seq for _, seq, _ in points}) == seconds + 1


@pytest.mark.timeout(120)
async def test_history_equals_live(tmp_path: Path) -> None:
    """For a running demo the points of history and of the WebSocket are the same set, 2 s later."""
    await compare_history_with_live(tmp_path, 10)


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_history_equals_live_for_two_minutes(tmp_path: Path) -> None:
    """The same over two minutes."""
    await compare_history_with_live(tmp_path, 120)


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_kills_at_random_moments(tmp_path: Path) -> None:
    """Twenty times kill -9: what a reader has seen stays, once, in order, and no seq comes again."""
    data_dir, moments = tmp_path / "data", random.Random(11)
    seen: dict[str, list[int]] = {kind: [] for kind in TYPES}
    for n in range(20):
        async with program(data_dir) as running, aiohttp.ClientSession() as http:
            for kind, field in TYPES.items():
                found = await stored(http, running, kind, field)
                assert found[: len(seen[kind])] == seen[kind]
                assert found == sorted(set(found))
            if n % 2 == 0:
                await running.start_realtime(http)
            await asyncio.sleep(moments.uniform(0, 6))  # the moment of the end is what is tested
            for kind, field in TYPES.items():
                seen[kind] = await stored(http, running, kind, field)
            await running.end(signal.SIGKILL)
    assert min(len(seqs) for seqs in seen.values()) > 20


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_ordered_ends_at_random_moments(tmp_path: Path) -> None:
    """Twenty times SIGTERM: one row of seconds without a hole."""
    await end_in_order(tmp_path / "data", 20, 5)
