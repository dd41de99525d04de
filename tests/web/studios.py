"""One MetaAPI over HTTP and several studios, each with a connection of its own; leases are shared, as in Redis."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from duco_rt.config import Leases, Web
from duco_rt.model import Command, Device, MethodResult
from duco_rt.seeing.metrics import Metrics
from duco_rt.transports.hub_memory import MemoryHub
from duco_rt.transports.leases_memory import MemoryLeases
from duco_rt.transports.meta_http import HttpMeta
from duco_rt.transports.meta_sqlite import SqliteMeta
from duco_rt.web.commands import Commands
from duco_rt.web.health import Health
from duco_rt.web.metaapi import MetaApi
from duco_rt.web.methods import Methods
from duco_rt.web.server import Server, listen, routes
from tests.web.conftest import METHOD_TIMEOUT_S, FakeDevice, SetClock

NUMBERS = itertools.count()


class Studios:
    """`studios[i]` is a studio's proxy. MetaAPI can end and begin again at the same place, with the same file."""

    def __init__(self, folder: Path, count: int = 2, method_timeout_s: float = METHOD_TIMEOUT_S) -> None:
        self.clock = SetClock()
        self.leases = MemoryLeases(self.clock)
        self.hub = MemoryHub(100, Metrics())
        self.device = FakeDevice(self.clock)
        self.meta: SqliteMeta
        self.studios: list[Commands] = []
        self._file = folder / "meta.sqlite"
        self.asked = 0
        """Commands that came to MetaAPI."""
        self._count = count
        self._method_timeout_s = method_timeout_s
        self._port = 0
        self._serving = AsyncExitStack()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Studios]:
        """As long as the block, with device D1 on the hub."""
        async with AsyncExitStack() as stack:
            await self.begin()
            stack.push_async_callback(self.end)
            for _ in range(self._count):
                remote = HttpMeta(f"http://127.0.0.1:{self._port}", Metrics(), self._method_timeout_s)
                stack.push_async_callback(remote.close)
                config, metrics = Leases(), Metrics()
                self.studios.append(Commands("ducohub", remote.call, self.leases, remote, config, self.clock, metrics))
            tasks = await stack.enter_async_context(asyncio.TaskGroup())
            connection = self.hub.device("D1")
            stack.callback(tasks.create_task(connection.run(self.device.method, lambda: None)).cancel)
            await connection.online()
            yield self

    async def begin(self) -> None:
        """Serve MetaAPI."""
        self.meta = SqliteMeta(self._file)
        self._serving.push_async_callback(self.meta.close)
        await self.meta.open()
        await self.meta.put_device(Device("D1", "duco", ""))
        methods = Methods("ducohub", self.hub, self.meta, self._method_timeout_s, Metrics(), self.clock)

        async def call(hub: str, chassis_id: str, method: str, payload: dict[str, object]) -> MethodResult:
            self.asked += 1
            return await methods.call(hub, chassis_id, method, payload)

        web, health = Web(port=self._port), Health({}, Metrics())
        listening = self._serving.enter_context(listen(web))
        self._port = listening.getsockname()[1]
        api = MetaApi(self.meta, self.hub.connected)
        server = Server(web, listening, routes(health, studio=None, metaapi=api, call=call, static=None))
        self._serving.push_async_callback(server.close)
        await server.start()

    async def end(self) -> None:
        """End MetaAPI."""
        await self._serving.aclose()

    async def send(
        self, studio: int, action: str, viewer: str | None = None, command_id: str | None = None
    ) -> MethodResult:
        """A viewer's command at a studio, with a new commandId unless told."""
        payload: dict[str, object] = {"action": action, "reason": "user_action"}
        payload["commandId"] = command_id or f"c{next(NUMBERS)}"
        if viewer is not None:
            payload["viewerId"] = viewer
        return await self.studios[studio].handle("ducohub", "D1", "setRealTimeUpload", payload)

    async def row(self, command_id: str) -> Command:
        """A command in the ledger."""
        found = await self.meta.command("D1", command_id)
        assert found is not None
        return found
