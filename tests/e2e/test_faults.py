"""Defects in the middle of the run: each part is begun again, and no second of the machine is lost to store or viewers.

The errors are of a kind that nobody thought of, and come out of what a part uses: a transport, a query, a file.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from duco_rt import Runtime, load_config
from duco_rt.errors import DeviceOffline
from duco_rt.supervisor import Pauses
from duco_rt.transports import hub_memory
from tests.programs import REPO, Program, holds, live, program
from tests.servers.deaf import Deaf
from tests.servers.mosquitto import Mosquitto
from tests.servers.redis import RedisServer

FIELDS = ["speed", "engine_rpm"]
BASE = "api/resources/duco/_common/datasets/DUCO_001"


class Viewer:
    """As the page: it connects again with what it has, so that it lacks nothing."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.seqs: list[int] = []
        """All that came, in order, and what filled holes."""
        self.closes: list[int] = []

    async def watch(self) -> None:
        """Until cancelled."""
        async with aiohttp.ClientSession() as http:
            while True:
                with suppress(aiohttp.ClientError, OSError):
                    await self._connect(http)
                await asyncio.sleep(0.1)

    async def _connect(self, http: aiohttp.ClientSession) -> None:
        async with http.ws_connect(f"{self.runtime.url}{BASE}/live?msgType=vehicle_can") as socket:
            wish: dict[str, Any] = {"type": "INIT_FIELD_LIST", "payload": FIELDS}
            await socket.send_json({**wish, "since": whole_until(self.seqs)} if self.seqs else wish)
            async for message in socket:
                read = json.loads(message.data)
                if read["type"] in ("LIVE_DATA", "FILL") and read["seq"] not in self.seqs:
                    self.seqs.append(read["seq"])
            self.closes.append(socket.close_code or 0)


def whole_until(seqs: list[int]) -> int:
    """The last before the first hole."""
    return next(seq for seq in itertools.count(min(seqs)) if seq + 1 not in seqs)


def runtime_in(folder: Path, pauses: Pauses) -> Runtime:
    """All roles, one machine."""
    sets = ["web.port=0", "device.upload_interval_s=2", "meta.refresh_s=0.2", "leases.cron_s=0.2"]
    sets += ["web.viewer_stall_s=1", f"app.data_dir={folder / 'data'}"]
    runtime = Runtime(load_config(environ={}, overrides=sets))
    runtime._parts._pauses = pauses
    return runtime


@pytest.fixture
async def runtime(tmp_path: Path) -> AsyncIterator[Runtime]:
    """One whose parts are begun again at once."""
    async with runtime_in(tmp_path, Pauses(0.05, 0.2, 60.0)) as runtime:
        yield runtime


class Defects:
    """Methods that raise once when they are next called, then do their work."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._patch = monkeypatch

    async def once(self, owner: object, name: str, after: bool = False) -> None:
        """Return when it has raised; `after`: with the work done, as an answer that was lost."""
        raised, work = asyncio.Event(), getattr(owner, name)

        def defect() -> None:
            self._patch.setattr(owner, name, work)
            raised.set()
            raise RuntimeError(f"a defect in {name}")

        async def awaited(*args: Any, **more: Any) -> Any:
            if after:
                await work(*args, **more)
            return defect()

        def called(*_: Any, **__: Any) -> Any:
            defect()

        self._patch.setattr(owner, name, awaited if asyncio.iscoroutinefunction(work) else called)
        async with asyncio.timeout(20):
            await raised.wait()


@pytest.fixture
def defects(monkeypatch: pytest.MonkeyPatch) -> Defects:
    """To be put in where the test likes."""
    return Defects(monkeypatch)


async def stored(runtime: Runtime, msg_type: str, field: str) -> list[int]:
    """The seqs that the store has, in order of time."""
    table = await runtime.history("DUCO_001", msg_type, fields=[field], minutes=5)
    found: list[int] = table["seq"].to_pylist()
    return found


async def until(condition: Callable[[], object], within_s: float = 20.0) -> None:
    """Wait for what a part does."""
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(0.02)


def restarts(runtime: Runtime, part: str) -> float:
    """How often it was begun again."""
    return runtime.metrics.value("component_restarts_total", component=part)


async def start_realtime(runtime: Runtime) -> None:
    """As a page's button: as soon as the machine, which has just begun or begins again, is on the hub."""
    async with asyncio.timeout(20):
        while True:
            with suppress(DeviceOffline):
                await runtime.start_realtime("DUCO_001")
                return
            await asyncio.sleep(0.05)


@pytest.mark.timeout(120)
async def test_every_part_fails_once_and_nothing_is_lost(runtime: Runtime, defects: Defects) -> None:
    """One after the other, while a viewer watches: all seconds are in the store once, and came to the viewer once."""
    transports, viewer = runtime._transports, Viewer(runtime)
    device, service = runtime._devices[0], runtime._studio().live
    hub: Any = device._hub
    async with asyncio.TaskGroup() as tasks:
        watching = tasks.create_task(viewer.watch())
        await start_realtime(runtime)
        await until(lambda: len(viewer.seqs) > 1)

        await defects.once(transports.store, "insert_raw", after=True)
        await until(lambda: restarts(runtime, "process"))
        await defects.once(transports.store, "insert_parsed")
        await until(lambda: restarts(runtime, "distribute"))
        await defects.once(transports.log, "append_raw", after=True)  # of one message: that alone waits
        await defects.once(hub_memory._Kept, "ack")
        await until(lambda: restarts(runtime, "ingest"))
        await defects.once(transports.meta, "devices")
        await until(lambda: restarts(runtime, "parsings"))
        await defects.once(transports.leases, "turn")
        await until(lambda: restarts(runtime, "commands"))
        await defects.once(hub, "send", after=True)
        await until(lambda: restarts(runtime, "device outbox"))
        await defects.once(service._pumps, "stalled")
        await until(lambda: restarts(runtime, "live service"))
        await defects.once(device._computer, "values")
        await until(lambda: restarts(runtime, "device"))
        await start_realtime(runtime)

        seen = len(viewer.seqs)
        await until(lambda: len(viewer.seqs) >= seen + 3)
        await until(lambda: set(runtime._states().values()) == {"ok"})
        await until(lambda: whole_until(viewer.seqs) == max(viewer.seqs))  # a hole may still be on its way
        watching.cancel()
    assert sorted(viewer.seqs) == list(range(min(viewer.seqs), max(viewer.seqs) + 1))
    assert 1012 in viewer.closes

    async def all_stored() -> None:
        for msg_type, field in (("vehicle_can", "speed"), ("client_raw_data", "timestamp")):
            seqs = await stored(runtime, msg_type, field)
            assert seqs == list(range(seqs[0], seqs[-1] + 1))
            assert set(viewer.seqs) <= set(seqs)

    await holds(all_stored)  # the open batch, and what is on its way
    assert runtime.metrics.value("loop_errors_total", where="loop") == 0


@pytest.mark.timeout(120)
@pytest.mark.parametrize("part", ["process", "distribute", "device DUCO_001"])
async def test_the_end_drains_though_a_part_waits_to_be_begun_again(
    part: str, tmp_path: Path, defects: Defects
) -> None:
    """It is begun at once then: what the machine gave is stored, and nothing left in its spool."""
    runtime = runtime_in(tmp_path, Pauses(1000.0, 1000.0))
    async with runtime:
        store, device = runtime._transports.store, runtime._devices[0]
        owners: dict[str, tuple[object, str]] = {
            "process": (store, "insert_raw"),
            "distribute": (store, "insert_parsed"),
        }
        await until(lambda: runtime.metrics.value("device_seconds_total") > 1)
        await defects.once(*owners.get(part, (device._computer, "values")))
        await until(lambda: runtime._states()[part].startswith("restarting in"))
        before = device._position.next
    folder = tmp_path / "data" / "device"
    assert [*folder.glob("*.spool/*.spool"), *folder.glob("*.open/*.spool")] == []
    assert int((folder / "DUCO_001.seq").read_text().split()[0]) >= before
    assert runtime.metrics.value("distribute_samples_total") > 0


@pytest.mark.timeout(180)
async def test_servers_that_do_not_answer_at_the_start(tmp_path: Path) -> None:
    """The program is ready all the same and says who does not answer; once they do, nothing of the machine lacks."""
    broker, redis = Mosquitto(tmp_path / "broker"), RedisServer(tmp_path / "redis")
    async with AsyncExitStack() as stack, aiohttp.ClientSession() as http:
        deaf = [await stack.enter_async_context(Deaf(port)) for port in (broker.port, redis.port)]
        urls = [f"hub.url={broker.url}", f"live.url={redis.url}", f"leases.url={redis.url}"]
        kinds = ["hub.kind=mqtt", "live.kind=redis-streams", "leases.kind=redis", "device.upload_interval_s=2"]
        async with program(tmp_path / "data", *kinds, *urls) as running:

            async def says_who_is_silent() -> None:
                status, states = await _readiness(http, running)
                assert status == 503
                assert {name for name, state in states.items() if state != "ok"} == {"hub", "live", "leases"}
                assert f":{redis.port}: ping: no answer in time" in states["live"]

            await holds(says_who_is_silent)  # another transport's check may be late on a loaded machine
            first = int((tmp_path / "data" / "device" / "DUCO_001.seq").read_text().split()[0])
            for server, silent in ((broker, deaf[0]), (redis, deaf[1])):
                await silent.__aexit__()
                stack.push_async_callback(asyncio.to_thread, server.stop)
                await asyncio.to_thread(server.start)
            async with asyncio.timeout(60):
                while (await _readiness(http, running))[0] != 200:
                    await asyncio.sleep(0.2)
                while (await running.start_realtime(http))["status"] != 200:
                    await asyncio.sleep(0.2)
                seqs: list[int] = []
                async for message in live(http, running, "DUCO_001", ["speed"]):
                    seqs.append(message["seq"])
                    if len(seqs) == 3:
                        break
            now_ms = round(time.time() * 1000)
            times = f"from={now_ms - 600_000}&to={now_ms + 10_000}"

            async def all_stored() -> None:
                path = f"/DUCO_001/history?msgType=vehicle_can&fields=speed&{times}"
                found = (await running.json(http, path))["seq"]
                assert found and found[0] < first and found[-1] >= seqs[-1]
                assert found == list(range(found[0], found[-1] + 1))

            await holds(all_stored, 40)  # what waited in the spool may come behind newer seconds
            assert await running.end() == 0


async def _readiness(http: aiohttp.ClientSession, running: Program) -> tuple[int, dict[str, str]]:
    async with http.get(f"{running.url}readyz") as response:
        return response.status, (await response.json())["transports"]


async def test_a_port_that_is_taken_ends_the_start(tmp_path: Path) -> None:
    """With exit code 2, and one line that names the key, and who has the port."""
    async with Deaf() as taken:
        sets = [f"app.data_dir={tmp_path / 'data'}", f"web.port={taken.port}"]
        words = [word for each in sets for word in ("--set", each)]
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "duco_rt", *words, cwd=REPO, stderr=asyncio.subprocess.PIPE
        )
        async with asyncio.timeout(30):
            _, said = await process.communicate()
    [line] = said.decode().splitlines()
    assert process.returncode == 2
    assert f"web.port = {taken.port}: cannot listen" in line and f"process {os.getpid()}" in line
