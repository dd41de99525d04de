"""An existing client works unchanged."""

from __future__ import annotations

import asyncio
import json
import sys
from itertools import pairwise
from pathlib import Path

import aiohttp

from tests.programs import program

CLIENT = Path(__file__).with_name("sample_client.py")


async def test_sample_client_gets_its_fields_each_second(tmp_path: Path) -> None:
    """LIVE_DATA each second with exactly the two fields asked for, and the device's own answer to the command."""
    async with program(tmp_path / "data") as running, aiohttp.ClientSession() as http:
        process = await asyncio.create_subprocess_exec(
            sys.executable, CLIENT, running.address("/DUCO_001/live?msgType=vehicle_can"), "60",
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert process.stdout is not None
        try:
            first, *messages = [json.loads(await process.stdout.readline()) for _ in range(1 + 5)]
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()
        stalls = await running.metric(http, "device_seconds_realigned_total")
    assert first["status"] == 200
    assert first["answer"]["status"] == 200
    assert first["answer"]["payload"].items() >= {"action": "start", "realtime": True, "source": "device"}.items()
    assert {message["type"] for message in messages} == {"LIVE_DATA"}
    assert all(set(message) == {"type", "payload", "ts", "seq"} for message in messages)
    assert all(set(message["payload"]) == {"speed", "engine_rpm"} for message in messages)
    assert [b["seq"] - a["seq"] for a, b in pairwise(messages)] == [1] * (len(messages) - 1)
    # a machine that was held up for longer than a second begins its next one anew, and counts that
    assert sum(b["ts"] - a["ts"] != 1000 for a, b in pairwise(messages)) <= stalls
