"""The program on an IoT Hub that speaks as Azure's does: SAS over TLS, Event Hubs' AMQP, methods over HTTPS."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp
import pytest

from tests.e2e.processes import Process, everything_stored, first_seq, running
from tests.e2e.viewer import Viewer, history_points
from tests.servers.iothub.process import IotHubServer

EMBEDDED = ["device.upload_interval_s=2"]


@pytest.mark.timeout(180)
async def test_one_process_on_an_iot_hub(tmp_path: Path) -> None:
    """Live, history and commands; the hub is killed and comes back: everything goes on by itself and nothing lacks."""
    hub = IotHubServer(tmp_path / "hub")
    try:
        await asyncio.to_thread(hub.start)
        roles = ["device", "ingest", "process", "distribute", "studio", "metaapi"]
        process = Process("all", tmp_path, roles, EMBEDDED, hub.environment)
        async with running([process]), aiohttp.ClientSession() as http:
            begun = await first_seq(http, process)
            async with Viewer(lambda: process.url).watching(http) as viewer:
                await viewer.until(5)
                first, last = viewer.samples[0]["ts"], viewer.samples[-1]["ts"]
                points = {point: value for point, value in viewer.points().items() if point[2] <= last}
                assert (await viewer.command(http, "start"))["payload"]["realtime"] is True
                await asyncio.sleep(2)  # the promise: in history within 2 s
                assert await history_points(http, process.url, first, last) == points
                await asyncio.to_thread(hub.kill)
                async with asyncio.timeout(30):
                    while (await process.ready(http))[1]["hub"] == "ok":
                        await asyncio.sleep(0.1)
                await asyncio.sleep(1)
                seen = len(viewer.samples)
                await asyncio.to_thread(hub.start)
                async with asyncio.timeout(20):
                    while len(viewer.samples) <= seen or (await process.ready(http))[1]["hub"] != "ok":
                        await asyncio.sleep(0.1)
                await process.until_ready(http)
            await everything_stored(http, process.program, process, begun, 40)
    finally:
        await asyncio.to_thread(hub.kill)


@pytest.mark.timeout(180)
async def test_a_role_needs_its_own_string_alone(tmp_path: Path) -> None:
    """The device on its machine with its own key; the others with the service's."""
    hub = IotHubServer(tmp_path / "hub")
    try:
        await asyncio.to_thread(hub.start)
        secrets = hub.environment
        own = {name: secrets.pop(name) for name in ("DUCO_HUB__DEVICE_CONNECTION_STRING",)}
        common = {name: secrets[name] for name in ("DUCO_HUB__KIND", "DUCO_HUB__CA_FILE")}
        cloud = Process("cloud", tmp_path, ["ingest", "process", "distribute", "studio", "metaapi"], EMBEDDED, secrets)
        device = Process("device", tmp_path, ["device"], EMBEDDED, {**common, **own})
        async with running([cloud, device]), aiohttp.ClientSession() as http:
            begun = await first_seq(http, device)
            async with Viewer(lambda: cloud.url).watching(http) as viewer:
                await viewer.until(3)
                await device.restart()
                await viewer.until(3)
            await everything_stored(http, cloud.program, device, begun, 40)
    finally:
        await asyncio.to_thread(hub.kill)
