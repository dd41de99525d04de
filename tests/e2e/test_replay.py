"""Real input: a truck's recording as the machine."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from pathlib import Path

import aiohttp
import pytest

from tests.programs import live, program


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
        assert [b - a for a, b in pairwise(stamps)] == [1000] * 3


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


@pytest.mark.timeout(60)
async def test_silence_after_the_end_of_a_recording(tmp_path: Path) -> None:
    """When a recording has ended, `key = "bus"` ends the seconds and with them real-time upload."""
    log = tmp_path / "short.log"
    log.write_text("".join(f"({n / 10:.6f}) can1 0CF00400#FF7D7D0019FFFFFF\n" for n in range(20)))
    command = ("replay", str(log), "--device", "DUCO_001")
    settings = ("device.key=bus", "device.key_bus_timeout_s=1")
    async with program(tmp_path / "data", *settings, command=command) as running, aiohttp.ClientSession() as http:
        count = 0
        await asyncio.sleep(0.3)  # the key goes on with the first frame
        await running.start_realtime(http)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(8):
                async for _ in live(http, running, "DUCO_001", ["EngineSpeed"]):
                    count += 1
        assert 2 <= count <= 4
        async with http.get(f"{running.url}metrics") as response:
            assert f"duco_device_seconds_total {count}" in await response.text() or count < 4
