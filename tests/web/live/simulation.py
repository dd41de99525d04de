"""A machine, a network, a store, studios and a viewer in simulated time, around the pure stream."""

from __future__ import annotations

import heapq
import itertools
import json
from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any

import msgspec

from duco_rt.web.live.asking import Question
from duco_rt.web.live.fanout import Delivery
from duco_rt.web.live.field_lists import field_list
from duco_rt.web.live.frames import Encoding
from duco_rt.web.live.protocol import Wish
from duco_rt.web.live.samples import Sample
from duco_rt.web.live.stream import Limits, Stream

BASE_MS = 1_700_000_000_000
LIMITS = Limits(recent_s=30.0, recent_bytes=100_000, resume_s=600.0, queue_messages=3, queue_bytes=10_000)
FIELDS = field_list(["n", "slow"])
SETTLE_S = 60.0
START = 1000
"""The machine's position when the play begins; its clock is BASE_MS + START s then."""


class World:
    """Events in the order of simulated time."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._count = itertools.count()

    def at(self, when_s: float, what: Callable[[], None]) -> None:
        """Do something then."""
        heapq.heappush(self._events, (max(when_s, self.now_s), next(self._count), what))

    def run(self, until_s: float) -> None:
        """Let time go on."""
        while self._events and self._events[0][0] <= until_s:
            self.now_s, _, what = heapq.heappop(self._events)
            what()
        self.now_s = until_s


class Store:
    """Has each sample from some moment on; is away at times."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.has: dict[int, float] = {}
        self.away: list[tuple[float, float]] = []

    def ask(self, question: Question, now_ms: int) -> list[Sample] | None:
        """Its answer of now; None where it is away."""
        now_s = self.world.now_s
        if any(begin <= now_s <= end for begin, end in self.away):
            return None
        to_ms = now_ms if question.to_ms is None else question.to_ms
        from_ms = to_ms - question.window_ms if question.from_ms is None else question.from_ms
        seqs = sorted(seq for seq, since_s in self.has.items() if since_s <= now_s)
        return [sample_of(seq) for seq in seqs if from_ms <= BASE_MS + seq * 1000 <= to_ms]


def sample_of(seq: int) -> Sample:
    """What the machine sent then; `slow` comes in every third sample only."""
    payload = {"n": msgspec.Raw(b"%d" % seq)}
    if seq % 3 == 0:
        payload["slow"] = msgspec.Raw(b"%d" % seq)
    return Sample(payload, BASE_MS + seq * 1000, seq)


def message_of(seq: int) -> bytes:
    """The same as ingest publishes it."""
    sample = sample_of(seq)
    payload = {name: json.loads(bytes(value)) for name, value in sample.payload.items()}
    return json.dumps({"payload": payload, "ts": sample.ts_ms, "seq": seq}).encode()


class Studio:
    """A stream, and around it what the asyncio shell does."""

    def __init__(self, world: World, store: Store, rng: Random) -> None:
        self.world, self.store, self.rng = world, store, rng
        self.stream: Stream[Client] = Stream(LIMITS, 0.5)
        self._pumping: set[Client] = set()
        self._tick_s: float | None = None

    def publish(self, seq: int) -> None:
        """A live message comes in."""
        self._write(
            self.stream.publish(message_of(seq), self.world.now_s, BASE_MS + round((START + self.world.now_s) * 1000))
        )

    def init(self, client: Client, wish: Wish) -> None:
        """A viewer's field list comes in."""
        self.stream.init(client, wish, Encoding(), self.world.now_s)
        self._after()

    def leave(self, client: Client) -> None:
        """A viewer's connection ended."""
        self.stream.leave(client)
        self._after()

    def _write(self, deliveries: list[Delivery[Client]]) -> None:
        for delivery in deliveries:
            for client in delivery.viewers:
                if not self.stream.is_live(client):
                    continue
                if client.is_clear():
                    client.send(delivery.frame)
                else:
                    self.stream.behind(client, delivery.index, self.world.now_s)
                    self._pump(client)
        self._after()

    def _after(self) -> None:
        for client in self.stream.woken():
            self._pump(client)
        for question in self.stream.questions(self.world.now_s):
            self.world.at(self.world.now_s + self.rng.uniform(0.01, 0.4), partial(self._answer, question))
        due_s = self.stream.due_s
        if due_s is not None and (self._tick_s is None or due_s < self._tick_s):
            self._tick_s = due_s
            self.world.at(due_s, partial(self._tick, due_s))

    def _tick(self, at_s: float) -> None:
        if self._tick_s == at_s:
            self._tick_s = None
        self._write(self.stream.tick(self.world.now_s))

    def _answer(self, question: Question) -> None:
        found = self.store.ask(question, BASE_MS + round((START + self.world.now_s) * 1000))
        if found is None:
            self.stream.failed(question, self.world.now_s)
        else:
            self.stream.answer(question, found, self.world.now_s)
        self._after()

    def _pump(self, client: Client) -> None:
        if client not in self._pumping:
            self._pumping.add(client)
            self._pump_on(client)

    def _pump_on(self, client: Client) -> None:
        if client.studio is not self:
            self._pumping.discard(client)
            return
        if not client.is_clear():
            self.world.at(client.blocked_until_s, lambda: self._pump_on(client))
            return
        frames = self.stream.take(client, self.world.now_s)
        for each in frames:
            client.send(each)
        if frames:
            self.world.at(self.world.now_s + 0.001, lambda: self._pump_on(client))
        else:
            self._pumping.discard(client)
        self._after()


class Client:
    """A connection of the viewer; a new one each time. What is under way when it is cut is lost."""

    def __init__(self, world: World, viewer: Viewer, delay_s: float) -> None:
        self.world, self.viewer, self.delay_s = world, viewer, delay_s
        self.studio: Studio | None = None
        self.blocked_until_s = 0.0
        self.last_seq = -1

    def is_clear(self) -> bool:
        """Whether the connection takes bytes."""
        return self.world.now_s >= self.blocked_until_s

    def send(self, frame: bytes) -> None:
        """The server writes; it arrives a little later, in order."""
        self.world.at(self.world.now_s + self.delay_s, lambda: self._receive(frame))

    def _receive(self, frame: bytes) -> None:
        if self.viewer.client is self:
            head = {126: 4, 127: 10}.get(frame[1] & 127, 2)
            self.viewer.receive(json.loads(frame[head:]), self)


class Viewer:
    """What a person sees: samples by seq, and the holes that are marked."""

    def __init__(self) -> None:
        self.client: Client | None = None
        self.held: dict[int, dict[str, int]] = {}
        self.marked: set[int] = set()
        self.merged = 0

    @property
    def newest(self) -> int | None:
        """The position that it resumes from."""
        known = self.held.keys() | self.marked
        return max(known) if known else None

    def receive(self, message: dict[str, Any], client: Client) -> None:
        """A message; asserts that it is the right one."""
        if message["type"] == "GAP":
            assert message["from"] is not None
            assert client.last_seq < message["from"] <= message["to"]
            gap = set(range(message["from"], message["to"] + 1))
            assert not gap & self.held.keys()
            self.marked |= gap
            client.last_seq = message["to"]
            return
        seq = message["seq"]
        assert message["ts"] == BASE_MS + seq * 1000
        assert seq not in self.held, f"double {seq}"
        if message["type"] == "FILL":
            assert seq in self.marked, f"fill of {seq}, which is no hole"
            self.marked.discard(seq)
        else:
            assert message["type"] == "LIVE_DATA"
            assert seq > client.last_seq, f"{seq} after {client.last_seq}"
            client.last_seq = seq
        self.held[seq] = message["payload"]
        self.merged += message.get("merged", 1) > 1
        ts_of = message.get("ts_of", {})
        for name, value in message["payload"].items():
            assert value == (ts_of.get(name, message["ts"]) - BASE_MS) // 1000
        assert message["payload"]["n"] == seq
        assert message.get("merged") or ("slow" in message["payload"]) == (seq % 3 == 0)
