"""Many processes of the program, each a role, that a test kills and starts again."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from tests.programs import REPO, Program
from tests.servers.server import free_port


class Process:
    """One `python -m duco_rt` with settings of its own; its data folder and port stay over restarts."""

    def __init__(
        self,
        name: str,
        folder: Path,
        roles: Sequence[str],
        settings: Sequence[str],
        environ: Mapping[str, str] | None = None,
    ) -> None:
        """`environ` is for secrets."""
        self.name = name
        self._environ = dict(environ or {})
        self.data_dir = folder / name
        self.port = free_port()
        listed = ",".join(f"'{role}'" for role in roles)
        own = [f"app.roles=[{listed}]", f"app.data_dir={self.data_dir}", f"web.port={self.port}"]
        self._arguments = [word for setting in (*own, *settings) for word in ("--set", setting)]
        self._log = folder / f"{name}.log"
        self._process: asyncio.subprocess.Process | None = None
        self.url = f"http://127.0.0.1:{self.port}/"

    async def start(self) -> None:
        """Return when it says that it is ready."""
        environ = {key: value for key, value in os.environ.items() if not key.startswith("DUCO_")}
        with self._log.open("ab") as errors:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "duco_rt", "run", *self._arguments,
                cwd=self.data_dir.parent, env={**environ, **self._environ, "PYTHONPATH": str(REPO)},
                stdout=asyncio.subprocess.PIPE, stderr=errors,
            )  # fmt: skip
        assert self._process.stdout is not None
        async with asyncio.timeout(60):
            line = (await self._process.stdout.readline()).decode()
        assert line.startswith("duco_rt is ready: "), f"{self.name}: {self._log.read_text()[-3000:]}"

    @property
    def program(self) -> Program:
        """What tests ask of a running program."""
        assert self._process is not None
        return Program(self._process, self.url)

    async def end(self, number: int = signal.SIGTERM) -> int:
        """Signal it and wait; its exit code."""
        if self._process is None:
            return 0
        process, self._process = self._process, None
        if process.returncode is None:
            process.send_signal(number)
        async with asyncio.timeout(40):
            return await process.wait()

    async def restart(self) -> None:
        """kill -9, and at once again."""
        await self.end(signal.SIGKILL)
        await self.start()

    async def ready(self, http: aiohttp.ClientSession) -> tuple[int, dict[str, str]]:
        """What `/readyz` says: status, and each transport's state."""
        async with http.get(f"{self.url}readyz") as response:
            return response.status, (await response.json())["transports"]

    async def until_ready(self, http: aiohttp.ClientSession) -> None:
        """Wait until it is: on a loaded machine a check may be late, and a loop that was held up is told for 15 s."""
        async with asyncio.timeout(40):
            while (await self.ready(http))[0] != 200:
                await asyncio.sleep(0.2)

    async def metric(self, http: aiohttp.ClientSession, name: str, label: str = "") -> float:
        """The sum of a metric over its labels, or over those that contain a text such as `what="log"`."""
        async with http.get(f"{self.url}metrics") as response:
            lines = (await response.text()).splitlines()
        return sum(
            float(line.split()[-1])
            for line in lines
            if line.split("{")[0].split()[0] == f"duco_{name}" and label in line
        )


@asynccontextmanager
async def running(processes: Sequence[Process]) -> AsyncIterator[None]:
    """Start all, the first one first; end them by SIGTERM with the block."""
    try:
        await processes[0].start()
        started = await asyncio.gather(*(process.start() for process in processes[1:]), return_exceptions=True)
        for failed in filter(None, started):  # only now: all that began to start can be ended
            raise failed
        yield
    finally:
        await asyncio.gather(*(process.end() for process in processes), return_exceptions=True)


def taken(data_dir: Path, chassis_id: str = "DUCO_001") -> int:
    """The last seq that a device used."""
    return int((data_dir / "device" / f"{chassis_id}.seq").read_text().split()[0]) - 1


async def first_seq(http: aiohttp.ClientSession, device: Process) -> int:
    """The seq of the first second that a device ever closed; asked in its first run."""
    while True:
        before = taken(device.data_dir)
        closed = await device.metric(http, "device_seconds_total")
        if taken(device.data_dir) == before:
            return before + 1 - round(closed)


TYPES = {"vehicle_can": "speed", "client_raw_data": "timestamp"}


async def stored(http: aiohttp.ClientSession, studio: Program, msg_type: str, minutes: float = 30) -> list[int]:
    """All seqs of the demo device in the store, as a reader gets them."""
    now_ms = int(time.time() * 1000)
    path = f"/DUCO_001/history?msgType={msg_type}&fields={TYPES[msg_type]}"
    found: dict[str, Any] = await studio.json(
        http, f"{path}&from={now_ms - round(minutes * 60_000)}&to={now_ms + 10_000}"
    )
    assert "seq" in found, found
    seqs: list[int] = found["seq"]
    return seqs


async def everything_stored(
    http: aiohttp.ClientSession, studio: Program, device: Process, first: int, within_s: float
) -> None:
    """Wait until the store has every second from `first` to the last that the device closed until now, of both types;
    no seq comes twice."""
    last = taken(device.data_dir)
    end_s = time.monotonic() + within_s
    waiting = set(TYPES)
    while waiting:
        for msg_type in sorted(waiting):
            found = [seq for seq in await stored(http, studio, msg_type) if seq <= last]
            assert found == sorted(set(found)), "twice, or not in order"
            missing = sorted(set(range(first, last + 1)) - set(found))
            if not missing:
                waiting.discard(msg_type)
            elif time.monotonic() > end_s:
                raise AssertionError(f"{msg_type}: {len(missing)} of {last - first + 1} are missing: {missing[:20]}")
        await asyncio.sleep(0.2)
