"""What a second did, wherever it is asked for: live, in the history, and in the raw frames."""

from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import aiohttp

from tests.programs import holds, program

FIELDS = ["engine_rpm", "speed", "EngineSpeed", "hydraulics_bucket_angle", "brake_status"]
STATS = ["last", "min", "max", "count"]


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
                if len(live) == 8:
                    break
        beside, live = (live[0], live[-1]), live[1:7]

        async def history(first: dict[str, Any], last: dict[str, Any], more: str) -> Any:
            times = f"from={first['ts']}&to={last['ts'] + 999}"
            return await running.json(http, f"/DUCO_001/history?fields={','.join(FIELDS)}&{times}&{more}")

        async def all_stored() -> None:
            found = await history(*beside, f"stats={','.join(STATS)}")
            assert found["seq"][-1:] == [beside[1]["seq"]]

        await holds(all_stored)
        stored = await history(live[0], live[-1], f"stats={','.join(STATS)}")
        full = await history(*beside, "resolution=full")
    assert [sample["seq"] for sample in live] == stored["seq"]
    several = 0
    for i, sample in enumerate(live):
        for name, value in sample["payload"].items():
            spans = sample["stats"][name]
            assert value == stored["fields"][name][i]
            assert spans == {kind: stored["stats"][name][kind][i] for kind in STATS[1:]}
            several += spans["count"] > 1
    assert several > 20
    for name in FIELDS:
        seconds = [(s["stats"][name], s["payload"][name]) for s in live if name in s["payload"]]
        frames = full["fields"][name]["v"]
        # A busy machine closes a second late: frames at its edge are then of the second before. Their order stays.
        starts = range(len(frames) - sum(spans["count"] for spans, _ in seconds) + 1)
        assert any(are_frames_of(seconds, frames[start:]) for start in starts), name


def are_frames_of(seconds: list[tuple[dict[str, Any], Any]], frames: list[Any]) -> bool:
    """Whether the first frames, so many for each second, have its lowest, highest and last value."""
    left = iter(frames)
    for spans, last in seconds:
        own = list(islice(left, spans["count"]))
        if (min(own), max(own), own[-1]) != (spans["min"], spans["max"], last):
            return False
    return True
