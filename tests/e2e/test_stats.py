"""What a second did, wherever it is asked for: live, in the history, and in the raw frames."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.programs import program

FIELDS = ["engine_rpm", "speed", "EngineSpeed", "hydraulics_bucket_angle", "brake_status"]
STATS = ["last", "min", "max", "count"]


@pytest.mark.timeout(60)
async def test_a_second_is_the_same_live_stored_and_in_full(tmp_path: Path) -> None:
    """Lowest, highest, number and last value of six seconds: as the frames themselves have them."""
    async with program(tmp_path / "data") as running, aiohttp.ClientSession() as http:
        await running.start_realtime(http)
        live: list[dict[str, Any]] = []
        address = running.address("/DUCO_001/live?msgType=vehicle_can")
        async with http.ws_connect(address) as socket:
            await socket.send_json({"type": "INIT_FIELD_LIST", "payload": FIELDS, "stats": STATS})
            async for message in socket:
                live.append(message.json())
                if len(live) == 9:  # the history has a sample 2 s after a viewer has it
                    break
        live = live[:6]
        from_ms, to_ms = live[0]["ts"], live[-1]["ts"] + 999
        names = ",".join(FIELDS)
        query = f"/DUCO_001/history?fields={names}&from={from_ms}&to={to_ms}"
        stored = await running.json(http, f"{query}&stats={','.join(STATS)}")
        full = await running.json(http, f"{query}&resolution=full")
    assert [sample["seq"] for sample in live] == stored["seq"]
    several = 0
    for i, sample in enumerate(live):
        for name, value in sample["payload"].items():
            spans = sample["stats"][name]
            assert value == stored["fields"][name][i]
            assert spans == {kind: stored["stats"][name][kind][i] for kind in STATS[1:]}
            pairs = zip(full["fields"][name]["ts"], full["fields"][name]["v"], strict=True)
            frames = [v for ts, v in pairs if sample["ts"] <= ts < sample["ts"] + 1000]
            found = min(frames), max(frames), len(frames)
            if found != (spans["min"], spans["max"], spans["count"]):
                # On a busy machine a frame at the edge may be taken in the second before or after its own.
                assert abs(len(frames) - spans["count"]) <= 1
                continue
            assert frames[-1] == value
            several += spans["count"] > 1
    assert several > 20
