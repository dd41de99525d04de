"""Start the real program as a process of its own, and wait for what it says."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

REPO = Path(__file__).resolve().parent.parent


async def holds(check: Callable[[], Awaitable[None]], within_s: float = 20.0) -> None:
    """Return when the assertions of `check` hold all at once; what is still wrong after so long is raised as it is."""
    end_s = time.monotonic() + within_s
    while True:
        try:
            return await check()
        except AssertionError:
            if time.monotonic() > end_s:
                raise
        await asyncio.sleep(0.2)


class Program:
    """A running `python -m duco_rt`."""

    def __init__(self, process: asyncio.subprocess.Process, url: str) -> None:
        self.process = process
        self.url = url

    async def end(self, number: int = signal.SIGTERM) -> int:
        """Signal it and wait; its exit code."""
        if self.process.returncode is None:
            self.process.send_signal(number)
        return await self.process.wait()

    def address(self, path: str) -> str:
        """A dataset address of tenant duco."""
        return f"{self.url}api/resources/duco/_common/datasets{path}"

    async def json(self, http: aiohttp.ClientSession, path: str) -> Any:
        """GET a dataset address."""
        async with http.get(self.address(path)) as response:
            return await response.json()

    async def metric(self, http: aiohttp.ClientSession, name: str) -> float:
        """A metric without labels."""
        async with http.get(f"{self.url}metrics") as response:
            lines = (await response.text()).splitlines()
        return next(float(line.split()[-1]) for line in lines if line.startswith(f"duco_{name} "))

    async def start_realtime(self, http: aiohttp.ClientSession, chassis_id: str = "DUCO_001") -> dict[str, Any]:
        """What the page does on mount; the answer's body."""
        payload = {"action": "start", "reason": "user_action", "commandId": str(uuid.uuid4())}
        body = {"methodName": "setRealTimeUpload", "payload": payload}
        address = f"{self.url}api/iothubs/ducohub/devices/{chassis_id}/methods"
        async with http.post(address, json=body) as response:
            answer: dict[str, Any] = await response.json()
            return answer


@asynccontextmanager
async def program(
    data_dir: Path, *settings: str, command: Sequence[str] = ("run",), log: Path | None = None
) -> AsyncIterator[Program]:
    """Run it on a free port until the block ends (SIGTERM, unless it has ended already)."""
    arguments = [f"app.data_dir={data_dir}", "web.port=0", *settings]
    sets = [word for setting in arguments for word in ("--set", setting)]
    environ = {key: value for key, value in os.environ.items() if not key.startswith("DUCO_")}
    with (log or data_dir.with_suffix(".log")).open("ab") as errors:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "duco_rt", *command, *sets,
            cwd=REPO, env=environ, stdout=asyncio.subprocess.PIPE, stderr=errors,
        )  # fmt: skip
    assert process.stdout is not None
    try:
        async with asyncio.timeout(60):
            line = (await process.stdout.readline()).decode()
        assert line.startswith("duco_rt is ready: "), line
        yield Program(process, line.split()[-1])
    finally:
        if process.returncode is None:
            process.terminate()
            async with asyncio.timeout(60):  # it drains for 20 s at most, then closes what it has
                await process.wait()


async def live(
    http: aiohttp.ClientSession, running: Program, chassis_id: str, fields: Sequence[str], msg_type: str = "vehicle_can"
) -> AsyncIterator[dict[str, Any]]:
    """The messages of one viewer."""
    address = running.address(f"/{chassis_id}/live?msgType={msg_type}")
    async with http.ws_connect(address) as socket:
        await socket.send_json({"type": "INIT_FIELD_LIST", "payload": list(fields)})
        async for message in socket:
            yield json.loads(message.data)
