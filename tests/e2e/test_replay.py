"""Real input: a truck's recording as the machine."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from pathlib import Path

import aiohttp
import pytest

from tests.e2e.processes import taken
from tests.programs import holds, live, program


@pytest.mark.timeout(90)
async def test_truck_recording_shows_thirty_fields(tmp_path: Path, recordings: Path) -> None:
    """With the shipped databases a viewer sees 30 fields or more of a real truck, restamped to now."""
    command = ("replay", str(recordings / "truck-j1939-gps.log.gz"), "--device", "DUCO_001", "--speed", "10")
    async with program(tmp_path / "data", command=command) as running, aiohttp.ClientSession() as http:
        await running.start_realtime(http)
        names = [field["name"] for field in await running.json(http, "/DUCO_001/fields?msgType=vehicle_can")]
        seen: set[str] = set()
        stamps = []
        async for message in live(http, running, "DUCO_001", names):
            seen |= set(message["payload"])
            stamps.append(message["ts"])
            if len(stamps) == 4:
                break
        assert len(seen) >= 30
        assert {"EngineSpeed", "WheelBasedVehicleSpeed", "GnssAccelerationZ"} <= seen
        # a machine that was held up for longer than a second begins its next one anew, and counts that
        stalls = await running.metric(http, "device_seconds_realigned_total")
        assert sum(b - a != 1000 for a, b in pairwise(stamps)) <= stalls


@pytest.mark.timeout(90)
async def test_replay_with_own_database(tmp_path: Path, recordings: Path) -> None:
    """`--dbc` gives a device that was unknown its parsing; ten recorded seconds pass in one at --speed 10."""
    command = (
        "replay", str(recordings / "truck-j1939-gps.log.gz"), "--device", "TRUCK", "--speed", "10",
        "--dbc", f"can1={recordings / 'j1939-demo.dbc'}",
    )  # fmt: skip
    async with program(tmp_path / "data", command=command) as running, aiohttp.ClientSession() as http:
        fields = await running.json(http, "/TRUCK/fields")
        assert [field["name"] for field in fields] == ["EngineSpeed", "WheelBasedVehicleSpeed"]
        await running.start_realtime(http, "TRUCK")
        async for message in live(http, running, "TRUCK", ["EngineSpeed", "can_frames_per_s"], "client_raw_data"):
            if message["payload"].get("can_frames_per_s", 0) > 3000:  # the recording has 375 frames/s
                break
        async for message in live(http, running, "TRUCK", ["EngineSpeed"]):
            assert message["payload"] == {"EngineSpeed": 0.0}
            break


async def test_silence_after_the_end_of_a_recording(tmp_path: Path) -> None:
    """When a recording has ended, `key = "bus"` ends the seconds and with them real-time upload."""
    log = tmp_path / "short.log"
    # so long that a slow machine still plays it when the viewer is there
    log.write_text("".join(f"({n / 10:.6f}) can1 0CF00400#FF7D7D0019FFFFFF\n" for n in range(80)))
    command = ("replay", str(log), "--device", "DUCO_001")
    settings = ("device.key=bus", "device.key_bus_timeout_s=3")
    async with program(tmp_path / "data", *settings, command=command) as running, aiohttp.ClientSession() as http:
        seqs: list[int] = []

        async def watch() -> None:
            async for message in live(http, running, "DUCO_001", ["EngineSpeed"]):
                seqs.append(message["seq"])  # noqa: PERF401  # looked at meanwhile

        async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
            while (await running.start_realtime(http)).get("status") != 200:  # the key goes on with the first frame
                await asyncio.sleep(0.05)
            watching = tasks.create_task(watch())
            while await running.metric(http, "device_realtime_on"):
                await asyncio.sleep(0.1)
            closed = await running.metric(http, "device_seconds_total")

            async def the_last_one_came() -> None:
                assert seqs and seqs[-1] == taken(tmp_path / "data")

            await holds(the_last_one_came)
            await asyncio.sleep(3)  # silence
            assert await running.metric(http, "device_seconds_total") == closed <= 12
            watching.cancel()
        assert len(seqs) >= 2
        assert seqs == list(range(seqs[0], taken(tmp_path / "data") + 1))
