"""A studio with MetaAPI on a free port: real server and memory transports, no store's engine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web as web_routes

from duco_rt import demo
from duco_rt.app import static_folder
from duco_rt.app_access import tenant_of, token_routes
from duco_rt.config import Leases, MetaStore, Web
from duco_rt.model import VEHICLE_CAN, MethodResult, Parsing
from duco_rt.pipeline.decoding.compiling import compile_here, compile_parsing_async
from duco_rt.pipeline.decoding.plan import Plan
from duco_rt.pipeline.parsing_cache import Compile, ParsingCache
from duco_rt.pipeline.reparse import Means as Reading
from duco_rt.pipeline.reparse_jobs import Reparses
from duco_rt.rights import Role
from duco_rt.seeing.metrics import Metrics
from duco_rt.transports.hub_memory import MemoryHub
from duco_rt.transports.leases_memory import MemoryLeases
from duco_rt.transports.live_memory import MemoryLive
from duco_rt.transports.meta_sqlite import SqliteMeta
from duco_rt.web.access.authentication import Authentication, cookie_name
from duco_rt.web.access.door import Door
from duco_rt.web.access.sessions import SignIn
from duco_rt.web.access.tokens import mint
from duco_rt.web.backup import BackupApi
from duco_rt.web.commands import Commands
from duco_rt.web.datasets import Datasets
from duco_rt.web.groups import Groups
from duco_rt.web.health import Health
from duco_rt.web.live.means import Means
from duco_rt.web.live.service import LiveService
from duco_rt.web.metaapi import MetaApi, hub_presence
from duco_rt.web.methods import Methods
from duco_rt.web.openapi import OpenApi
from duco_rt.web.presence import Presence
from duco_rt.web.reparse import ReparseApi
from duco_rt.web.server import Server, listen, routes
from tests.web.list_store import ListStore

__all__ = ["BASE", "NOW_MS", "FakeDevice", "ListStore", "SetClock", "Site", "compile_quickly", "is_error"]

NOW_MS = 1_700_000_000_000
BASE = "/api/resources/duco/_common/datasets"
LOCAL_KEY = "the-key-of-this-machine"
METHOD_TIMEOUT_S = 20.0
"""What a slow machine takes is no time-out; a test of time-outs sets `site.methods._timeout_s`."""


class SetClock:
    """A clock that goes where a test sets it."""

    def __init__(self) -> None:
        self.now_s = NOW_MS / 1000

    def wall_ms(self) -> int:
        """Unix time in ms."""
        return round(self.now_s * 1000)

    def steady_s(self) -> float:
        """The same in seconds."""
        return self.now_s


class FakeDevice:
    """The other end of the hub: answers as told, and remembers what it was asked."""

    def __init__(self, clock: SetClock) -> None:
        self._clock = clock
        self.calls: list[dict[str, object]] = []
        self.status = 200
        self.answers = asyncio.Event()
        self.answers.set()

    def actions(self) -> list[object]:
        """What it was asked, in order."""
        return [call["action"] for call in self.calls]

    async def method(self, method: str, payload: dict[str, object]) -> MethodResult:
        """The device's own answer."""
        self.calls.append(payload)
        await self.answers.wait()
        on = payload.get("action") == "start"
        own = {"commandId": payload.get("commandId"), "action": payload.get("action"), "realtime": on}
        return MethodResult(self.status, {**own, "ts": self._clock.wall_ms(), "source": "device"})


class Site:
    """The running server and everything behind it. With `web.auth` other than none, `token` makes who may ask."""

    def __init__(self, folder: Path, web: Web, compile_parsing: Compile = compile_parsing_async) -> None:
        self.web = web
        self.folder = folder
        self.clock = SetClock()
        self.metrics = Metrics()
        self.hub = MemoryHub(100, self.metrics)
        self.live = MemoryLive(100, self.metrics)
        self.leases = MemoryLeases(self.clock)
        self.meta = SqliteMeta(folder / "meta.sqlite")
        self.parsings = ParsingCache(self.meta, 5, self.metrics, compile_parsing=compile_parsing)
        self.store = ListStore()
        self.methods = Methods("ducohub", self.hub, self.meta, METHOD_TIMEOUT_S, self.metrics, self.clock)
        self.commands = Commands(
            "ducohub", self.methods.call, self.leases, self.meta, Leases(), self.clock, self.metrics
        )
        self.authentication = Authentication(web, self.meta, LOCAL_KEY, self.clock, metrics=self.metrics)
        means = Means(self.live, self.store, self.parsings, self.leases, web, self.clock, self.metrics)
        is_good = self.authentication.is_good
        self.service = LiveService(means._replace(acknowledged_ms=self.acknowledged_ms, is_good=is_good))
        self.acknowledged: dict[str, int] = {}
        self.meta_config = MetaStore()
        self.checks: dict[str, Callable[[], Awaitable[None]]] = {}
        self.server: Server
        self.session: aiohttp.ClientSession
        self.url = ""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Site]:
        """Serve as long as the block."""
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self.meta.close)
            await demo.seed(self.meta, fresh=await self.meta.open(), device_ids=["DUCO_001", "DUCO_002"])
            tasks = await stack.enter_async_context(asyncio.TaskGroup())
            self._tasks, self._connections = tasks, [tasks.create_task(self.service.run())]
            stack.callback(self._leave)
            listening = stack.enter_context(listen(self.web))
            door = Door(self.web, self.authentication, tenant_of(self.meta))
            server = self.server = Server(
                self.web, listening, self._routes(), door, metrics=self.metrics, clock=self.clock
            )
            await server.start()
            stack.push_async_callback(server.close)
            self.url = server.url.rstrip("/")
            self.session = await stack.enter_async_context(aiohttp.ClientSession(self.url))
            yield self

    async def acknowledged_ms(self, chassis_id: str) -> int | None:
        """As the test set it in `acknowledged`."""
        return self.acknowledged.get(chassis_id)

    async def token(
        self, name: str, grants: Mapping[str, Role] | None = None, *, ends_ms: int | None = None, **more: Role
    ) -> dict[str, str]:
        """The header of a token that is made for it: `await site.token("anna", duco="viewer")`."""
        credential, text = mint("token", name, {**(grants or {}), **more}, self.clock.wall_ms(), ends_ms)
        await self.meta.add_credential(credential)
        return {"Authorization": f"Bearer {text}"}

    async def session_of(self, role: Role) -> dict[str, str]:
        """The header of a browser in which somebody with a role in tenant duco signed in."""
        header = await self.token(role, duco=role)
        token = await self.authentication.of_bearer(header["Authorization"].partition(" ")[2])
        now_ms = self.clock.wall_ms()
        credential, text = mint("session", token.name, token.grants, now_ms, now_ms + 3_600_000, token.credential)
        await self.meta.add_credential(credential)
        return {"Cookie": f"{cookie_name(self.web)}={text}"}

    async def disconnect(self, chassis_id: str) -> None:
        """Take a device off the hub."""
        for task in self._connections:
            if task.get_name() == chassis_id:
                task.cancel()
                await asyncio.wait([task])

    def _leave(self) -> None:
        for task in self._connections:
            task.cancel()

    def _routes(self) -> list[Any]:
        """All that a process of any roles has."""
        connected = partial(hub_presence, self.meta, self.hub.connected)
        datasets = Datasets(self.meta, self.store, self.parsings, Presence(10), connected, self.web, self.clock)
        return routes(
            Health(self.checks, self.metrics),
            studio=(datasets, Groups(self.meta), self.service),
            metaapi=MetaApi(self.meta, self.hub.connected, self.meta_config),
            call=self.commands.handle,
            static=static_folder(),
            reparse=ReparseApi(self._reparses()),
            more=self._more(),
        )

    def _reparses(self) -> Reparses:
        means = Reading(self.store, self.meta, self.clock, self.metrics, 0.0)
        return Reparses(means, (VEHICLE_CAN,), self.folder / "reparse", partial(compile_parsing_async, limit_s=5.0))

    def _more(self) -> list[Any]:
        openapi = OpenApi(self.web, "0")
        sign_in = SignIn(self.web, self.meta, self.authentication, self.clock, static_folder())
        tokens = token_routes(self.meta, self.authentication, self.clock)
        backup = BackupApi(self.folder, self.store, self.meta, self.clock)
        openapi_route = web_routes.get("/api/openapi.json", openapi.handle)
        return [openapi_route, *backup.routes(), *sign_in.routes(), *tokens]

    async def ask(self, method: str, path: str, body: object = None, **more: Any) -> tuple[int, Any]:
        """Status and JSON of an answer."""
        async with self.session.request(method, path, json=body, **more) as response:
            return response.status, await response.json()

    async def device(self, chassis_id: str = "DUCO_001") -> FakeDevice:
        """A connected device."""
        device = FakeDevice(self.clock)
        connection = self.hub.device(chassis_id)
        self._connections.append(self._tasks.create_task(connection.run(device.method, lambda: None), name=chassis_id))
        await connection.online()
        return device


def is_error(answer: tuple[int, Any], status: int, code: str) -> bool:
    """Whether an answer is an error as every endpoint gives it."""
    error = answer[1].get("error", {})
    right = set(answer[1]) == {"error"} and set(error) == {"code", "message"} and bool(error["message"])
    return right and (answer[0], error["code"]) == (status, code)


@pytest.fixture
def web() -> Web:
    """The configuration; a test file may have its own."""
    return Web(port=0, message_bytes_max=4096, body_bytes_max=200_000, fields_max=1000)


@pytest.fixture
async def site(tmp_path: Path, web: Web) -> AsyncIterator[Site]:
    """A fresh server with the demo identity."""
    async with Site(tmp_path, web).running() as running:
        yield running


async def compile_quickly(parsing: Parsing, limit_s: float, tenant: str) -> Plan:
    """Without a process of its own: for tests of what is done with a plan."""
    return compile_here(parsing)
