"""A studio with MetaAPI on a free port: real server and memory transports, no store's engine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from duco_rt import demo
from duco_rt.app import static_folder
from duco_rt.config import Leases, Web
from duco_rt.metrics import Metrics
from duco_rt.model import History, LastSeen, MethodResult, Parsing, Peer, RawSecond, Sample, SpanColumns
from duco_rt.pipeline.decoding.compiling import compile_here, compile_parsing_async
from duco_rt.pipeline.decoding.plan import Plan
from duco_rt.pipeline.parsing_cache import Compile, ParsingCache
from duco_rt.transports.hub_memory import MemoryHub
from duco_rt.transports.leases_memory import MemoryLeases
from duco_rt.transports.live_memory import MemoryLive
from duco_rt.transports.meta_sqlite import SqliteMeta
from duco_rt.web.commands import Commands
from duco_rt.web.datasets import Datasets
from duco_rt.web.groups import Groups
from duco_rt.web.health import Health
from duco_rt.web.live.means import Means
from duco_rt.web.live.service import LiveService
from duco_rt.web.metaapi import MetaApi, hub_presence
from duco_rt.web.methods import Methods
from duco_rt.web.presence import Presence
from duco_rt.web.server import Server, listen, routes
from duco_rt.web.thin import thin_to

NOW_MS = 1_700_000_000_000
BASE = "/api/resources/duco/_common/datasets"


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


class ListStore:
    """A store in lists: enough for what needs no history."""

    def __init__(self) -> None:
        self.samples: list[Sample] = []
        self.raw_rows: list[RawSecond] = []
        self.seen: dict[Peer, LastSeen] = {}

    async def insert_raw(self, rows: Sequence[RawSecond]) -> None:
        """Keep."""
        self.raw_rows += rows

    async def insert_parsed(self, samples: Sequence[Sample]) -> None:
        """Keep."""
        self.samples += samples

    async def history(
        self, peer: Peer, fields: Sequence[str], from_ms: int, to_ms: int, stats: bool = False
    ) -> History:
        """What was kept, in order of time."""
        rows = sorted(
            (s for s in self.samples if s.peer == peer and from_ms <= s.ts_ms <= to_ms), key=lambda s: s.ts_ms
        )
        columns = {name: [s.payload.get(name) for s in rows] for name in fields}
        found = History(from_ms, to_ms, [s.seq or 0 for s in rows], [s.ts_ms for s in rows], columns)
        for name in fields if stats else ():
            spans = [(s.stats or {}).get(name) for s in rows]
            low, high, counts = ([getattr(s, kind, None) for s in spans] for kind in ("min", "max", "count"))
            found.stats[name] = SpanColumns(low, high, counts)
        return found

    async def thinned(
        self,
        peer: Peer,
        fields: Sequence[str],
        from_ms: int,
        to_ms: int,
        width_ms: int,
        stats: bool = False,
        means: bool = False,
    ) -> History:
        """What was kept, in buckets."""
        return thin_to(await self.history(peer, fields, from_ms, to_ms, stats), width_ms, means)

    async def raw(self, peer: Peer, from_ms: int, to_ms: int, order: bool = True) -> list[RawSecond]:
        """What was kept, in order."""
        rows = [row for row in self.raw_rows if row.peer == peer and from_ms <= row.ts_ms <= to_ms]
        return sorted(rows, key=lambda row: (row.ts_ms, row.seq, row.part))

    async def last_seen(self, tenant: str) -> dict[Peer, LastSeen]:
        """As the test set it."""
        return {peer: last for peer, last in self.seen.items() if peer.tenant == tenant}

    async def expire(self, now_ms: int) -> None:
        """Nothing."""

    async def check(self) -> None:
        """Works."""

    async def close(self) -> None:
        """Nothing."""


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
    """The running server and everything behind it."""

    def __init__(self, folder: Path, web: Web, compile_parsing: Compile = compile_parsing_async) -> None:
        self.web = web
        self.clock = SetClock()
        self.metrics = Metrics()
        self.hub = MemoryHub(100, self.metrics)
        self.live = MemoryLive(100, self.metrics)
        self.leases = MemoryLeases(self.clock)
        self.meta = SqliteMeta(folder / "meta.sqlite")
        self.parsings = ParsingCache(self.meta, 5, self.metrics, compile_parsing=compile_parsing)
        self.store = ListStore()
        self.methods = Methods("ducohub", self.hub, self.meta, 0.2, self.metrics, self.clock)
        self.commands = Commands(
            "ducohub", self.methods.call, self.leases, self.meta, Leases(), self.clock, self.metrics
        )
        means = Means(self.live, self.store, self.parsings, self.leases, web, self.clock, self.metrics)
        self.service = LiveService(means._replace(acknowledged_ms=self.acknowledged_ms))
        self.acknowledged: dict[str, int] = {}
        self.checks: dict[str, Callable[[], Awaitable[None]]] = {}
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
            server = Server(self.web, stack.enter_context(listen(self.web)), self._routes())
            await server.start()
            stack.push_async_callback(server.close)
            self.url = server.url.rstrip("/")
            self.session = await stack.enter_async_context(aiohttp.ClientSession(self.url))
            yield self

    async def acknowledged_ms(self, chassis_id: str) -> int | None:
        """As the test set it in `acknowledged`."""
        return self.acknowledged.get(chassis_id)

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
        connected = partial(hub_presence, self.meta, self.hub.connected)
        datasets = Datasets(self.meta, self.store, self.parsings, Presence(10), connected, self.web, self.clock)
        return routes(
            Health(self.checks, self.metrics),
            studio=(datasets, Groups(self.meta), self.service),
            metaapi=MetaApi(self.meta, self.hub.connected),
            call=self.commands.handle,
            static=static_folder(),
        )

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
    return Web(port=0, message_bytes_max=4096, body_bytes_max=200_000)


@pytest.fixture
async def site(tmp_path: Path, web: Web) -> AsyncIterator[Site]:
    """A fresh server with the demo identity."""
    async with Site(tmp_path, web).running() as running:
        yield running


async def compile_quickly(parsing: Parsing, limit_s: float) -> Plan:
    """Without a process of its own: for tests of what is done with a plan."""
    return compile_here(parsing)
