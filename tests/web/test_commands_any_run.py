"""Any run of starts, stops, heartbeats, repeats and restarts, by several viewers at two studios."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from duco_rt.config import Leases
from duco_rt.errors import TransportError
from duco_rt.model import UNDER_WAY, Device, MethodResult
from duco_rt.seeing.metrics import Metrics
from duco_rt.transports.hub_memory import MemoryHub
from duco_rt.transports.leases_memory import MemoryLeases
from duco_rt.transports.meta_sqlite import SqliteMeta
from duco_rt.web.commands import Commands
from duco_rt.web.methods import Methods
from tests.web.conftest import SetClock

AUDIT = """
CREATE TABLE audit (id INTEGER PRIMARY KEY, commandId TEXT, action TEXT, state TEXT);
CREATE TRIGGER begun AFTER INSERT ON commands BEGIN
  INSERT INTO audit (commandId, action, state) VALUES (new.commandId, new.action, new.state); END;
CREATE TRIGGER moved AFTER UPDATE OF state ON commands BEGIN
  INSERT INTO audit (commandId, action, state) VALUES (new.commandId, new.action, new.state); END;
"""
"""Every state that a row had, written by the database itself."""

FORWARD = {
    "leased": {"queued", "sent"},
    "queued": {"sent", "failed", "expired"},
    "sent": {"acknowledged", "failed", "expired"},
    "failed": {"queued", "sent"},
    "expired": {"queued", "sent"},
    "acknowledged": set[str](),
}


class World:
    """Two studios, MetaAPI, and a device that looks into the ledger whenever it hears a command."""

    def __init__(self, folder: Path) -> None:
        self.clock = SetClock()
        self.leases = MemoryLeases(self.clock)
        self.hub = MemoryHub(100, Metrics())
        self.file = folder / "meta.sqlite"
        self.mode = "answers"
        self.acts: list[str] = []
        self.beats: list[str] = []
        self.calls: Counter[str] = Counter()
        self.last_word: str | None = None
        self.answers: dict[str, list[MethodResult]] = {}
        self.wrong: list[str] = []
        self.heard = asyncio.Event()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[World]:
        """As long as the block."""
        await self.begin()
        await self.meta.put_device(Device("D1", "duco", ""))
        self.look = sqlite3.connect(self.file, isolation_level=None)
        self.look.executescript(AUDIT)
        self.studios = [self.studio(), self.studio()]
        async with asyncio.TaskGroup() as self.tasks:
            self.connect()
            yield self
            self.connection.cancel()
        self.look.close()
        await self.meta.close()

    async def begin(self) -> None:
        """Start MetaAPI."""
        self.meta = SqliteMeta(self.file)
        await self.meta.open()
        self.methods = Methods("ducohub", self.hub, self.meta, 0.02, Metrics(), self.clock)

    def __getattr__(self, name: str) -> Any:  # the ledger of the MetaAPI of now, for the studios
        return getattr(self.meta, name)

    def studio(self) -> Commands:
        """A studio that has just started."""
        return Commands("ducohub", self.call, self.leases, self, Leases(), self.clock, Metrics())

    async def call(self, hub: str, chassis_id: str, method: str, payload: dict[str, object]) -> MethodResult:
        """MetaAPI's methods, as a studio asks them."""
        return await self.methods.call(hub, chassis_id, method, payload)

    def connect(self) -> None:
        """Put the device on the hub."""
        self.connection = self.tasks.create_task(self.hub.device("D1").run(self.on_method, lambda: None))

    async def on_method(self, _: str, payload: dict[str, object]) -> MethodResult:
        """What the device does; a command that it hears must be on disk as sent, or be a heartbeat of a start."""
        command_id, action = str(payload["commandId"]), str(payload["action"])
        found = self.look.execute("SELECT state FROM commands WHERE commandId = ?", (command_id,)).fetchone()
        state = found[0] if found else None
        if state == "sent":
            self.acts.append(command_id)
        elif state == "acknowledged" and action == "start" == self.last_word:
            self.beats.append(command_id)
        else:
            self.wrong.append(f"{action} {command_id} heard in state {state}, last word {self.last_word}")
        self.heard.set()
        if self.mode == "silent":
            await asyncio.Event().wait()
        if self.mode == "refuses":
            return MethodResult(409, {"message": "the key is off"})
        if state == "sent":
            self.last_word = action
        own = {"commandId": command_id, "action": action, "ts": self.clock.wall_ms(), "source": "device"}
        answer = MethodResult(200, {**own, "realtime": action == "start"})
        self.answers.setdefault(command_id, []).append(answer)
        return answer

    async def send(self, studio: int, action: str, viewer: str | None, command_id: str) -> None:
        """A viewer's command; an answer of the device must be one that it gave for this id."""
        payload: dict[str, object] = {"action": action, "reason": "user_action", "commandId": command_id}
        if viewer is not None:
            payload["viewerId"] = viewer
        self.calls[command_id] += 1
        with suppress(TransportError):
            result = await self.studios[studio].handle("ducohub", "D1", "setRealTimeUpload", payload)
            if result.payload.get("source") == "device" and result not in self.answers.get(command_id, []):
                self.wrong.append(f"{command_id} answered {result}")

    async def kill_in_between(self) -> None:
        """MetaAPI ends after a command was sent, before its answer is there; then it begins again."""
        mode, self.mode = self.mode, "silent"
        self.heard.clear()
        killed = self.tasks.create_task(self.send(0, "stop", None, f"killed{len(self.acts)}"))
        heard = self.tasks.create_task(self.heard.wait())
        await asyncio.wait([killed, heard], return_when=asyncio.FIRST_COMPLETED)
        await self.meta.close()
        for task in (killed, heard):
            task.cancel()
        await asyncio.wait([killed, heard])
        self.mode = mode
        await self.begin()

    async def step(self, step: tuple[Any, ...]) -> None:
        """Do one thing."""
        match step:
            case ("send", studio, action, viewer, number):
                await self.send(studio, action, viewer, f"{action}{number}")
            case ("both", action, viewer, number):
                sends = [self.send(studio, action, viewer, f"{action}{number}") for studio in (0, 1)]
                await asyncio.gather(*sends)
            case ("wait", seconds):
                self.clock.now_s += seconds
            case ("device", mode):
                self.mode = mode
            case ("away",):
                self.connection.cancel()
                await asyncio.wait([self.connection])
            case ("back",) if self.connection.done():
                self.connect()
                await asyncio.sleep(0)
            case ("cron", studio):
                await self.studios[studio].renew_all()
            case ("flush", studio):
                await self.studios[studio].notes.flush()
            case ("studio", studio):
                await self.studios[studio].notes.flush()
                self.studios[studio] = self.studio()
            case ("metaapi",):
                await self.meta.close()
                await self.begin()
            case ("kill",):
                await self.kill_in_between()


VIEWERS = st.sampled_from(["v1", "v2", "v3", None])
STUDIO = st.integers(0, 1)
ACTION = st.sampled_from(["start", "start", "stop"])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("send"), STUDIO, ACTION, VIEWERS, st.integers(0, 5)),
        st.tuples(st.just("send"), STUDIO, ACTION, VIEWERS, st.integers(0, 5)),
        st.tuples(st.just("both"), ACTION, VIEWERS, st.integers(0, 5)),
        st.tuples(st.just("wait"), st.sampled_from([5, 20, 61])),
        st.tuples(st.just("device"), st.sampled_from(["answers", "answers", "refuses", "silent"])),
        st.tuples(st.sampled_from(["cron", "flush", "studio"]), STUDIO),
        st.tuples(st.sampled_from(["away", "back", "back", "metaapi", "kill"])),
    ),
    max_size=20,
)


@settings(max_examples=25)
@given(steps=STEPS)
@example(steps=[("send", 0, "start", "v1", 0), ("wait", 61), ("send", 1, "start", "v1", 0)])
@example(steps=[("both", "start", "v1", 0), ("both", "stop", None, 0), ("metaapi",), ("both", "stop", None, 0)])
async def test_any_run(steps: list[tuple[Any, ...]]) -> None:
    """The device acts at most once for each time it was sent, states go forward, and what is said is so."""
    with TemporaryDirectory() as folder:
        async with World(Path(folder)).running() as world:
            for step in steps:
                await world.step(step)
            for studio in world.studios:
                await studio.notes.flush()
            rows = await world.meta.commands("D1", 500)
            seen = world.look.execute("SELECT commandId, action, state FROM audit ORDER BY id").fetchall()
    assert world.wrong == []
    sent = Counter(command_id for command_id, _, state in seen if state == "sent")
    assert all(count <= sent[command_id] for command_id, count in Counter(world.acts).items())
    for row in rows:
        states = [state for command_id, _, state in seen if command_id == row.command_id]
        assert all(state in FORWARD[before] for before, state in pairwise(states)), (row.command_id, states)
        assert states[-1] == row.state and row.state not in UNDER_WAY
        if row.state == "acknowledged":
            assert row.answer in world.answers[row.command_id]
        assert row.who == "cron" or row.beats <= max(0, world.calls[row.command_id] - 1)
    assert {command_id for command_id, *_ in seen} == {row.command_id for row in rows}
