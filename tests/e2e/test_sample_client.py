"""An existing client works unchanged."""

from __future__ import annotations

import asyncio
import json
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from tests.programs import program

CLIENT = Path(__file__).with_name("sample_client.py")


@pytest.mark.timeout(60)
async def test_sample_client_gets_its_fields_each_second(tmp_path: Path) -> None:
    """LIVE_DATA each second with exactly the two fields asked for, and the device's own answer to the command."""
    async with program(tmp_path / "data") as running:
        process = await asyncio.create_subprocess_exec(
            sys.executable, CLIENT, running.address("/DUCO_001/live?msgType=vehicle_can"), "5.5",
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, _ = await process.communicate()
    first, *messages = [json.loads(line) for line in out.splitlines()]
    assert first["status"] == 200
    assert first["answer"]["status"] == 200
    assert first["answer"]["payload"].items() >= {"action": "start", "realtime": True, "source": "device"}.items()
    assert len(messages) in (5, 6)
    assert {message["type"] for message in messages} == {"LIVE_DATA"}
    assert all(set(message) == {"type", "payload", "ts", "seq"} for message in messages)
    assert all(set(message["payload"]) == {"speed", "engine_rpm"} for message in messages)
    assert [b["seq"] - a["seq"] for a, b in pairwise(messages)] == [1] * (len(messages) - 1)
    assert [b["ts"] - a["ts"] for a, b in pairwise(messages)] == [1000] * (len(messages) - 1)
