"""The whole path with every transport real: in one process, and with each role in processes of its own."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from itertools import pairwise
from pathlib import Path

import aiohttp
import pytest

from tests.e2e.processes import Process, everything_stored, first_seq
from tests.e2e.real import Servers, System
from tests.e2e.viewer import Viewer, history_points

CLIENT = Path(__file__).with_name("sample_client.py")


async def sample_client(url: str, messages: int) -> list[dict[str, object]]:
    """What the sample client prints: the command's answer, then so many messages; then it is ended."""
    address = f"{url}api/resources/duco/_common/datasets/DUCO_001/live?msgType=vehicle_can"
    process = await asyncio.create_subprocess_exec(
        sys.executable, CLIENT, address, "60", stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        return [json.loads(await process.stdout.readline()) for _ in range(1 + messages)]
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


def check_sample_client(printed: list[dict[str, object]]) -> None:
    """The device's own answer, then a message each second with the two fields."""
    first, *messages = printed
    assert first["status"] == 200
    assert first["answer"]["payload"]["source"] in ("device", "lease")  # type: ignore[index]  # JSON
    assert len(messages) == 3
    assert all(set(message) == {"type", "payload", "ts", "seq"} for message in messages)
    assert all(set(message["payload"]) == {"speed", "engine_rpm"} for message in messages)  # type: ignore[call-overload]
    assert [b["seq"] - a["seq"] for a, b in pairwise(messages)] == [1] * (len(messages) - 1)  # type: ignore[operator]


async def history_equals_live(http: aiohttp.ClientSession, viewer: Viewer, url: str) -> None:
    """The points that the viewer saw and those of history are the same set, 2 s later."""
    first, last = viewer.samples[0]["ts"], viewer.samples[-1]["ts"]
    seen = {point: value for point, value in viewer.points().items() if point[2] <= last}
    await asyncio.sleep(2)  # the promise: in history within 2 s
    assert await history_points(http, url, first, last) == seen


@pytest.mark.timeout(180)
@pytest.mark.parametrize("live", [pytest.param("redis-pubsub", marks=pytest.mark.long), "redis-streams"])
async def test_one_process(tmp_path: Path, live: str) -> None:
    """Nothing but configuration differs: the sample client, live, history, and an ordered end that loses nothing."""
    servers = Servers(tmp_path)
    async with servers.running(), aiohttp.ClientSession() as http:
        process = Process("all", tmp_path, ["device", "ingest", "process", "distribute", "studio", "metaapi"],
                          servers.settings(live))  # fmt: skip
        await process.start()
        try:
            first = await first_seq(http, process)
            await process.until_ready(http)  # the machine is on the hub
            check_sample_client(await sample_client(process.url, 3))
            async with Viewer(lambda: process.url).watching(http) as viewer:
                await viewer.until(5)
            await history_equals_live(http, viewer, process.url)
            await process.until_ready(http)
            assert await process.end(signal.SIGTERM) == 0
            await process.start()
            await everything_stored(http, process.program, process, first, 40)
        finally:
            await process.end()


@pytest.mark.timeout(300)
async def test_a_process_a_role(tmp_path: Path) -> None:
    """Two each of ingest, process, distribute and studio share the work; then one of each is killed: the other goes
    on, and what the killed one had is not lost."""
    servers = Servers(tmp_path)
    system = System(servers, tmp_path / "system", "redis-pubsub")
    async with servers.running(), aiohttp.ClientSession() as http, system.running():
        first, second = system.studios
        begun = await first_seq(http, system.device)
        for process in system.each:  # the machine is on the hub, and all see it
            await process.until_ready(http)
        check_sample_client(await sample_client(second.url, 3))
        async with (
            Viewer(lambda: first.url).watching(http) as viewer,
            Viewer(lambda: second.url).watching(http) as other,
        ):
            await viewer.until(6)
            await other.until(1)
            await history_equals_live(http, viewer, second.url)
            for process in system.each:
                await process.until_ready(http)
            for role in ("ingest", "process", "distribute"):
                await system.pairs[role][0].end(signal.SIGKILL)
            await viewer.until(6)
            for role in ("ingest", "process", "distribute"):
                await system.pairs[role][0].start()
            await system.device.restart()
            await system.metaapi.restart()
            await viewer.until(4)
        await everything_stored(http, second.program, system.device, begun, 40)
        assert set(await asyncio.gather(*(process.end() for process in system.each))) == {0}
