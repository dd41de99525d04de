"""What the soak is made of: a machine, its store, and viewers with habits, on real sockets in one accelerated loop."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from random import Random
from typing import Any, NamedTuple

import msgspec

from duco_rt.errors import TransportError
from duco_rt.model import History, LastSeen, Peer, Sample, Value
from duco_rt.transports.live_memory import MemoryLive
from tests.accelerated import LoopClock
from tests.web.conftest import BASE, ListStore
from tests.web.live.link import Link

PEER = Peer("duco", "DUCO_001", "vehicle_can")
PATH = f"{BASE}/{PEER.chassis_id}/live?msgType={PEER.msg_type}"
FIELDS = [f"signal_{number:02d}" for number in range(60)]
SENDING = "machine"
"""The name of the machine's tasks, of which there are now more, now fewer."""

_STORED_S_MAX = 900
_CLOSED = (OSError, EOFError)


def now_s() -> float:
    """The loop's time."""
    return asyncio.get_running_loop().time()


def values(seq: int) -> dict[str, Value]:
    """What the machine sends: a field's number in front, the seq behind."""
    return {name: number * 1e9 + seq for number, name in enumerate(FIELDS)}


class DayStore(ListStore):
    """Keeps the last quarter of an hour, and is away at times."""

    def __init__(self) -> None:
        super().__init__()
        self.is_away = False

    def add(self, sample: Sample) -> None:
        """It has a sample from now on."""
        self.samples.append(sample)
        ms = sample.received_ms
        self.seen[sample.peer] = LastSeen(sample.ts_ms, ms, sample.seq or 0, realtime=True, arrived_ms=ms)
        del self.samples[:-_STORED_S_MAX]  # always as many: what the process holds is compared

    async def history(
        self, peer: Peer, fields: Sequence[str], from_ms: int, to_ms: int, stats: bool = False
    ) -> History:
        """Raises TransportError where it is away."""
        if self.is_away:
            raise TransportError("the store is away")
        is_empty = not any(from_ms <= sample.ts_ms <= to_ms for sample in self.samples)
        return await super().history(peer, fields, from_ms, to_ms, stats and not is_empty)


class Machine:
    """Sends a sample a second; some come double, late, swapped, or to the store alone."""

    def __init__(self, live: MemoryLive, store: DayStore, clock: LoopClock, rng: Random) -> None:
        self._live, self._store, self._clock, self._rng = live, store, clock, rng
        self.seq = 1_700_000_000
        self.left_out: set[int] = set()
        """What may be missing for those who do not ask for holes: not published, or too late for the order."""

    async def run(self) -> None:
        """Until cancelled."""
        next_s = now_s()
        async with asyncio.TaskGroup() as tasks:
            while True:
                next_s += 1.0
                await asyncio.sleep(next_s - now_s())
                self.seq += 1
                tasks.create_task(self._send(self.seq, self._clock.wall_ms()), name=SENDING)
                if self.seq % 3600 == 0:
                    self._store.is_away = True
                elif self.seq % 3600 == 20:
                    self._store.is_away = False

    async def _send(self, seq: int, ts_ms: int) -> None:
        rng = self._rng
        luck = rng.random()
        read = {"payload": values(seq), "ts": ts_ms, "seq": seq, "received": ts_ms}
        if luck < 0.003:
            self.left_out.add(seq)
        if luck >= 0.002:
            await asyncio.sleep(3.0 if luck < 0.003 else 1.2 * rng.random() if luck < 0.03 else 0.0)
            await self._live.publish(PEER.channel, msgspec.json.encode(read))
            if luck > 0.99:
                await self._live.publish(PEER.channel, msgspec.json.encode(read))
        await asyncio.sleep(rng.uniform(0.5, 2.0))
        self._store.add(Sample(PEER, ts_ms, seq, ts_ms, values(seq)))


class Ledger:
    """What a viewer holds: every message has to be the next one, and every hole marked."""

    def __init__(self, machine: Machine, *, resumes: bool, rated: bool) -> None:
        self._machine, self._resumes, self._rated = machine, resumes, rated
        self.after: int | None = None
        self.counts: dict[str, int] = {}
        self._holes: dict[int, None] = {}

    def begin(self) -> None:
        """A new connection: no hole of an earlier one is filled."""
        self._holes.clear()

    def take(self, message: dict[str, Any]) -> None:
        """A message came; AssertionError where it is not a right one."""
        kind = message["type"]
        self.counts[kind] = self.counts.get(kind, 0) + 1
        if kind == "LIVE_DATA":
            self._live(message["seq"], message.get("merged", 1), message)
        elif kind == "GAP":
            self._gap(message["from"], message["to"], message["reason"])
        elif kind == "FILL":
            del self._holes[message["seq"]]  # one that was told, once
        else:
            assert kind in ("ACK", "STATUS", "LAST_KNOWN"), message

    def _live(self, seq: int, merged: int, message: dict[str, Any]) -> None:
        sent, older = values(seq), message.get("ts_of", {})
        wrong = [name for name, value in message["payload"].items() if name not in older and value != sent[name]]
        assert not wrong, f"{wrong} of {seq}"
        after, self.after = self.after, seq
        if after is None:
            return
        passed = range(after + 1, seq)
        if self._rated:  # the number that a message stands for is all that it is told
            unknown = len(passed) + 1 - merged
            assert 0 <= unknown <= len(self._machine.left_out.intersection(passed)), f"{after} to {seq} is {merged}"
        elif self._resumes:
            assert len(passed) == 0 < seq - after, f"{seq} after {after}: the hole is not marked"
        else:
            assert seq > after and self._machine.left_out.issuperset(passed), f"{seq} after {after}"

    def _gap(self, from_seq: int | None, to_seq: int, reason: str) -> None:
        self.counts[reason] = self.counts.get(reason, 0) + 1
        assert from_seq is not None and self.after is not None and self._resumes
        assert from_seq <= to_seq, f"GAP from {from_seq} to {to_seq}"
        assert from_seq == self.after + 1, f"GAP from {from_seq} after {self.after}"
        self.after = to_seq
        if reason == "missing":
            self._holes.update(dict.fromkeys(range(from_seq, to_seq + 1)))


class Habit(NamedTuple):
    """How a viewer behaves. `stay_s`, `away_s`: how long it is there and gone, at most; `rest_s`: how long it reads
    nothing at times; `wish`: more of its INIT_FIELD_LIST; `header`: lines of its handshake."""

    wish: dict[str, Any]
    stay_s: float = 1e9
    away_s: float = 60.0
    rest_s: float = 0.0
    changes: bool = False
    resumes: bool = True
    header: str = ""


class Viewer:
    """Somebody who comes, goes, and comes back."""

    def __init__(self, name: str, habit: Habit, machine: Machine, port: int, rng: Random) -> None:
        self.name, self._habit, self._machine, self._port, self._rng = name, habit, machine, port, rng
        self.ledger = Ledger(machine, resumes=habit.resumes, rated="max_hz" in habit.wish)
        self.closed: dict[str, int] = {}

    async def live(self, until_s: float) -> None:
        """Visits until then."""
        rng, habit = self._rng, self._habit
        while now_s() < until_s:
            stays_until_s = min(until_s, now_s() + rng.uniform(0.1, 1.0) * habit.stay_s)
            link = await self._come()
            try:
                async with asyncio.timeout_at(stays_until_s):
                    await self._read(link)
            except TimeoutError:
                link.end(orderly=rng.random() < 0.5)
            except _CLOSED as e:
                code = str(e.args[0]) if type(e) is EOFError else "cut"
                assert habit.rest_s and code in ("1013", "cut"), f"{self.name} was closed: {code}"
                self.closed[code] = self.closed.get(code, 0) + 1
                link.end(orderly=False)
            if now_s() < until_s and habit.away_s:
                await asyncio.sleep(rng.uniform(0.0, habit.away_s))

    async def catch_up(self) -> None:
        """A last visit, until it has all that the machine sent before."""
        newest, link = self._machine.seq, await self._come()
        while self.ledger.after is None or self.ledger.after < newest:
            self.ledger.take(await link.receive())
        link.end(orderly=True)

    async def _come(self) -> Link:
        link = await Link.open(self._port, PATH, self._habit.header)
        self.ledger.begin()
        wish: dict[str, Any] = {"payload": FIELDS[:12], **self._habit.wish}
        if not self._habit.resumes:
            self.ledger.after = None
        elif self.ledger.after is None:
            wish["history"] = 120
        else:
            wish["since"] = self.ledger.after
        link.say(type="INIT_FIELD_LIST", **wish)
        if self._habit.changes:
            link.say(type="STATUS", every_s=7)
        return link

    async def _read(self, link: Link) -> None:
        rng, habit = self._rng, self._habit
        while True:
            self.ledger.take(await link.receive())
            if habit.rest_s and rng.random() < 0.01:
                await asyncio.sleep(rng.uniform(0.3, 1.0) * habit.rest_s)
            if habit.changes and rng.random() < 0.02:
                kind = rng.choice(["ADD_FIELDS", "REMOVE_FIELDS"])
                link.say(type=kind, payload=[rng.choice([*FIELDS, "signal_1*"])], ack=True)


async def quietly(work: asyncio.Task[Any]) -> None:
    """End a task."""
    work.cancel()
    with suppress(asyncio.CancelledError):
        await work
