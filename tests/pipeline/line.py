"""Hub to store with the real memory transports, and a store that records, stalls and fails as a test likes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from duco_rt.device.messages import can_messages
from duco_rt.errors import TransportError
from duco_rt.model import CLIENT_RAW_DATA, VEHICLE_CAN, Device, HubMessage, ParsingFile, Peer, RawSecond, Sample
from duco_rt.pipeline.distribute import Distribute
from duco_rt.pipeline.ingest import Ingest
from duco_rt.pipeline.parsing_cache import ParsingCache
from duco_rt.pipeline.process import Process
from duco_rt.seeing.metrics import Metrics
from duco_rt.transports.base import Live
from duco_rt.transports.base_data import Meta
from duco_rt.transports.hub_memory import MemoryHub
from duco_rt.transports.live_memory import MemoryLive
from duco_rt.transports.log_memory import MemoryLog
from duco_rt.transports.meta_sqlite import SqliteMeta
from tests.can_seconds import TS_MS, Frame, second_of
from tests.dbc_texts import dbc_text
from tests.pipeline.compiler import Compiler

NOW_MS = TS_MS + 5_000
DBC = dbc_text("256 Engine 2\nrpm : 0|16@1+ (1,0)")
PEER = Peer("duco", "DUCO_001", VEHICLE_CAN)
BATCH = 50, 0.002
TYPES = VEHICLE_CAN, CLIENT_RAW_DATA


class FixedClock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now_ms, self.now_s = NOW_MS, 0.0

    def wall_ms(self) -> int:
        """The set wall time."""
        return self.now_ms

    def steady_s(self) -> float:
        """The set steady time."""
        return self.now_s


class RecordingStore:
    """Keeps what it is given. `fails` counts down failures by table; a table in `stalled` waits to be let go."""

    def __init__(self) -> None:
        self.raw_reads = 0
        self.raw_rows: list[RawSecond] = []
        self.samples: list[Sample] = []
        self.expired: list[int] = []
        self.fails = {"raw": 0, "parsed": 0, "expire": 0}
        self.stalled: set[str] = set()
        self.waiting: set[str] = set()
        self._changed = asyncio.Condition()

    async def _gate(self, table: str) -> None:
        self.waiting.add(table)
        async with self._changed:
            self._changed.notify_all()
            await self._changed.wait_for(lambda: table not in self.stalled)
        self.waiting.discard(table)
        if self.fails[table]:
            self.fails[table] -= 1
            raise TransportError(f"no {table} now")

    async def insert_raw(self, rows: Sequence[RawSecond]) -> None:
        """Keep raw rows."""
        await self._gate("raw")
        self.raw_rows += rows
        await self.changed()

    async def insert_parsed(self, samples: Sequence[Sample]) -> None:
        """Keep samples."""
        await self._gate("parsed")
        self.samples += samples
        await self.changed()

    async def expire(self, now_ms: int) -> None:
        """Keep the time."""
        self.expired.append(now_ms)
        await self._gate("expire")

    async def changed(self) -> None:
        """Wake whoever waits."""
        async with self._changed:
            self._changed.notify_all()

    async def let_go(self) -> None:
        """End every stall."""
        self.stalled.clear()
        await self.changed()

    async def until(self, condition: Callable[[], object]) -> None:
        """Wait for something that an insert brings about."""
        async with self._changed, asyncio.timeout(20):
            await self._changed.wait_for(lambda: bool(condition()))

    async def history(self, *_: Any) -> Any:
        """Nobody reads here."""
        raise NotImplementedError

    last_seen = thinned = history

    async def raw(self, peer: Peer, from_ms: int, to_ms: int, order: bool = True) -> list[RawSecond]:
        """What was inserted of that range."""
        self.raw_reads += 1
        found = [row for row in self.raw_rows if row.peer == peer and from_ms <= row.ts_ms <= to_ms]
        return sorted(found, key=lambda row: (row.ts_ms, row.seq, row.part))

    async def check(self) -> None:
        """Works."""

    async def close(self) -> None:
        """Nothing to close."""


class AwayMeta(SqliteMeta):
    """MetaAPI's real data; away when a test says so. `asked` counts the questions for a device."""

    away, asked = False, 0

    async def device(self, chassis_id: str) -> Device:
        """One device."""
        self.asked += 1
        if self.away:
            raise TransportError("MetaAPI is away")
        return await super().device(chassis_id)

    async def devices(self, tenant: str | None = None) -> list[Device]:
        """All devices."""
        self.asked += 1
        if self.away:
            raise TransportError("MetaAPI is away")
        return await super().devices(tenant)


@asynccontextmanager
async def open_meta(folder: Path) -> AsyncIterator[AwayMeta]:
    """A MetaAPI that knows DUCO_001."""
    meta = AwayMeta(folder / "meta.sqlite")
    await meta.open()
    await meta.put_parsing("p", [ParsingFile("a.dbc", DBC)])
    await meta.put_device(Device("DUCO_001", "duco", "one", "p"))
    try:
        yield meta
    finally:
        await meta.close()


@dataclass
class Line:
    """The parts of a running line; `tasks` runs what a test starts beside it."""

    meta: AwayMeta
    tasks: asyncio.TaskGroup
    live: Live
    metrics: Metrics
    hub: MemoryHub
    log: MemoryLog
    parsings: ParsingCache
    store: RecordingStore = field(default_factory=RecordingStore)
    clock: FixedClock = field(default_factory=FixedClock)
    compiler: Compiler = field(default_factory=Compiler)
    sent: list[asyncio.Task[None]] = field(default_factory=list)

    def send(self, *messages: HubMessage, warm: bool = True) -> list[asyncio.Task[None]]:
        """Send from the device; each task ends when the hub has acknowledged. `warm`: once their parsings are read."""
        device = self.hub.device("DUCO_001")
        first = self.tasks.create_task(self._read({message.chassis_id for message in messages} if warm else set()))

        async def go(message: HubMessage) -> None:
            await asyncio.wait([first])
            await device.send(message)

        sent = [self.tasks.create_task(go(message)) for message in messages]
        self.sent += sent
        return sent

    async def _read(self, chassis_ids: set[str]) -> None:
        with suppress(TransportError):
            for chassis_id in chassis_ids:
                await self.parsings.get(chassis_id)

    def problems(self, kind: str, stage: str = "process") -> float:
        """How often a problem was counted."""
        return self.metrics.value(f"{stage}_problems_total", kind=kind)


@asynccontextmanager
async def running(
    folder: Path,
    live: Live | None = None,
    limit_s: float = 20,
    compiler: Compiler | None = None,
    asked: Meta | None = None,
    refresh_s: float = 60,
) -> AsyncIterator[Line]:
    """Ingest, process and distribute between a memory hub and a recording store. `asked`: another MetaAPI."""
    metrics = Metrics()
    async with open_meta(folder) as meta, asyncio.TaskGroup() as tasks:
        compiler = compiler or Compiler()
        cache = ParsingCache(asked or meta, refresh_s, metrics, compile_parsing=compiler)
        hub, log = MemoryHub(1000, metrics), MemoryLog(1000, metrics)
        line = Line(meta, tasks, live or MemoryLive(600, metrics), metrics, hub, log, cache, compiler=compiler)
        works: list[Coroutine[Any, Any, None]] = [
            Ingest(hub, log, line.live, cache, TYPES, line.clock, metrics).run(),
            Process(
                log, line.store, cache, TYPES, BATCH, line.clock, metrics, later_file=folder / "parse-later.json"
            ).run(),
            cache.run(),
            Distribute(log, line.store, BATCH, metrics).run(),
        ]
        parts = [tasks.create_task(work) for work in works]
        try:
            async with asyncio.timeout(limit_s):
                yield line
        finally:
            for task in (*parts, *line.sent):
                task.cancel()


def message(seq: int, *, rpm: int | None = None, seconds: int = 1, realtime: bool = True) -> HubMessage:
    """A message of DUCO_001 whose seconds have rpm = seq unless told otherwise."""
    found = [
        second_of(
            [Frame(0, "c", 256, False, 0, (n if rpm is None else rpm).to_bytes(2, "little"))],
            TS_MS + 1000 * n,
            n,
        )
        for n in range(seq, seq + seconds)
    ]
    [made] = can_messages("DUCO_001", found, realtime=realtime)
    return made


async def spin(times: int = 50) -> None:
    """Let everybody run who can."""
    for _ in range(times):
        await asyncio.sleep(0)
