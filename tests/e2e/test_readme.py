"""The README's way to real transports, followed word for word; only ports and folders are this test's."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
import time
from pathlib import Path

import aiohttp
import pytest

from tests.e2e.real import Servers
from tests.servers.server import free_port

REPO = Path(__file__).resolve().parent.parent.parent


def blocks() -> list[str]:
    """The shell blocks of the section."""
    text = (REPO / "README.md").read_text(encoding="utf-8")
    section = text.split("### To real transports")[1].split("\n#")[0]
    return re.findall(r"```sh\n(.*?)```", section, re.DOTALL)


async def live_point(port: int) -> bool:
    """Whether a viewer gets live data within a while: the block checks, starts its processes, and they find servers."""
    url = f"http://127.0.0.1:{port}/api"
    body = {"methodName": "setRealTimeUpload", "payload": {"action": "start", "commandId": str(time.time())}}
    async with aiohttp.ClientSession() as http, asyncio.timeout(90):
        while True:
            try:
                async with http.post(f"{url}/iothubs/ducohub/devices/DUCO_001/methods", json=body) as answer:
                    if answer.status == 200:
                        break
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.2)
        async with http.ws_connect(f"{url}/resources/duco/_common/datasets/DUCO_001/live") as socket:
            await socket.send_json({"type": "INIT_FIELD_LIST", "payload": ["speed"]})
            return "speed" in (await socket.receive_json())["payload"]


@pytest.mark.timeout(360)
async def test_real_transports_as_the_readme_says(tmp_path: Path) -> None:
    """Each block ends with a viewer that gets live data."""
    servers = Servers(tmp_path)
    (tmp_path / ".venv").symlink_to(sys.prefix)
    page, metaapi = free_port(), free_port()
    environ = {key: value for key, value in os.environ.items() if not key.startswith("DUCO_")}
    environ |= {"DUCO_STORE__CREATE_TABLES": "false", "DUCO_WEB__PORT": str(page), "DUCO_LOG__PARTITIONS": "2"}
    places = {
        "mqtt://localhost:1883": servers.mqtt.url,
        "localhost:9092": servers.kafka.bootstrap_servers,
        "redis://localhost:6379": servers.redis.url,
        "clickhouse://localhost:9000": servers.clickhouse.url,
        "8090": str(metaapi),
        "web.port=8080": f"web.port={page}",
    }
    first, second = blocks()
    exports = "".join(line for line in first.splitlines(keepends=True) if line.startswith("export"))
    assert ".venv/bin/python -m duco_rt check\n" in first
    async with servers.running():
        for block in (first, exports + second):
            for written, here in places.items():
                block = block.replace(written, here)
            with (tmp_path / "output.log").open("ab") as output:
                shell = await asyncio.create_subprocess_exec(
                    "sh", "-e", "-c", block, cwd=tmp_path, env=environ, start_new_session=True,
                    stdout=output, stderr=output,
                )  # fmt: skip
            try:
                assert await live_point(page)
            except TimeoutError:
                pytest.fail((tmp_path / "output.log").read_text()[-5000:], pytrace=False)
            finally:
                os.killpg(shell.pid, signal.SIGTERM)
                await shell.wait()
                await _gone(shell.pid)


async def _gone(group: int) -> None:
    """Wait until every process of the group has ended."""
    async with asyncio.timeout(40):
        while True:
            try:
                os.killpg(group, 0)
            except ProcessLookupError:
                return
            await asyncio.sleep(0.1)
