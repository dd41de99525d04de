"""A watched machine: its subscription, its stream, its questions to the store, and the viewers that lag."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable
from contextlib import aclosing

from duco_rt.errors import BadBody, TransportError
from duco_rt.model import Peer
from duco_rt.pipeline.runner import retry
from duco_rt.web.live.asking import Question
from duco_rt.web.live.connection import Connection, deliver
from duco_rt.web.live.fanout import Delivery
from duco_rt.web.live.field_lists import FieldList
from duco_rt.web.live.means import Work, samples_from
from duco_rt.web.live.samples import Sample, read_sample
from duco_rt.web.live.stream import Limits, Stream
from duco_rt.web.params import device_now_ms

_WRITES_AT_ONCE = 512
_TURN_S = 0.005
_AHEAD_MS = 6_000
"""A device's clock may be ahead by 5 s before that is known, and a second is stored under its beginning."""

_TICK_S_MIN = 0.005
_FAILED_S = 1.0
_SKEW_MS = 5_000
_SECOND_MS = 1_000
_NEVER_MS = 2**62


class Watched:
    """One peer that is followed, with a subscription, a stream, and at most one timer."""

    def __init__(self, peer: Peer, work: Work) -> None:
        """Follow it from now on, in tasks of the service's group."""
        config = work.means.config
        limits = Limits(
            config.recent_s,
            round(config.recent_mb_max * 1024 * 1024),
            config.resume_s_max,
            config.viewer_queue_messages_max,
            config.viewer_queue_bytes_max,
        )
        self.peer = peer
        self.stream: Stream[Connection] = Stream(limits, work.means.reorder_s)
        self.unreadable = 0
        self.ready = asyncio.Event()
        """The subscription is there, with what the transport kept, or could not be had at once."""
        self.turn = asyncio.Lock()
        """Held while a sample goes out: who joins or changes its list meanwhile waits, so that it misses none."""
        self._work = work
        self._loop = asyncio.get_running_loop()
        self.begun_s = self._loop.time()
        self._out: set[Connection] | None = None
        """While a sample goes out: who is not to get the rest of it."""
        self._open: dict[int, tuple[FieldList, asyncio.Task[None]]] = {}
        self._wake = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._settling: asyncio.Handle | None = None
        self._counted = {"late": 0, "missing": 0}
        self._task = work.tasks.create_task(self._run(), name=f"live {peer.channel}")

    def close(self) -> None:
        """Stop following."""
        self._task.cancel()
        for handle in (self._timer, self._settling):
            if handle is not None:
                handle.cancel()

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(retry("live", self._follow, self._work.means.metrics))
            tasks.create_task(self._tend())

    # --- what comes -------------------------------------------------------------------------------------------------

    async def _follow(self) -> None:
        """Stay subscribed, and hand on every message of the peer's channel."""
        try:
            await self._read()
        except TransportError:
            raise
        except Exception as e:
            self._work.failed("subscription", e)
            raise TransportError(f"live {self.peer.channel}: {e!r}") from e
        finally:
            self.ready.set()

    async def _read(self) -> None:
        if True:
            source = await self._work.means.live.subscribe(self.peer.channel)
            async with aclosing(source):  # type: ignore[type-var]  # it has aclose
                if not self.ready.is_set():
                    await self._begin()
                async for message in source:
                    async with self.turn:
                        await self._publish(message)
        finally:
            self.ready.set()

    async def _begin(self) -> None:
        """Put into the stream what the transport still keeps, while nobody gets it. A message without `seq` is left:
        it cannot be told from what the subscription brings."""
        means, now_s, wall_ms = self._work.means, self._loop.time(), self._work.means.clock.wall_ms()
        try:
            messages = await means.live.recent(self.peer.channel, means.config.recent_s)
        except TransportError as e:
            self._work.complaints.add("recent", now_s, event="recent samples not there", error=str(e))
            messages = []
        for message in messages:
            try:
                sample = read_sample(message, wall_ms)
            except BadBody:
                continue
            if sample.seq is None:
                continue
            came_ms = wall_ms if sample.received_ms is None else sample.received_ms
            age_ms = min(max(0, wall_ms - came_ms), 1000 * means.config.recent_s)
            self.stream.tick(now_s - age_ms / 1000)
            self.stream.publish(message, now_s - age_ms / 1000, wall_ms - round(age_ms))
        self.ready.set()

    async def _publish(self, message: bytes) -> None:
        means = self._work.means
        try:
            deliveries = self.stream.publish(message, self._loop.time(), means.clock.wall_ms())
        except BadBody as e:
            self.unreadable += 1
            means.metrics.count("live_bad_publications_total")
            event = "live message not readable"
            self._work.complaints.add(
                "publication", self._loop.time(), event=event, channel=self.peer.channel, error=str(e)
            )
            return
        await self._dispatch(deliveries)

    async def _tend(self) -> None:
        """What is due by time alone."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            async with self.turn:
                await self._dispatch(self.stream.tick(self._loop.time()))

    # --- what goes --------------------------------------------------------------------------------------------------

    async def _dispatch(self, deliveries: Iterable[Delivery[Connection]]) -> None:
        """Write each frame to its viewers; others get a turn between, and after, as uvloop writes only then."""
        self._out.clear()
        written, since_turn = 0, 0
        for delivery in deliveries:
            for at in range(0, len(delivery.viewers), _WRITES_AT_ONCE):
                if since_turn >= _WRITES_AT_ONCE:
                    await asyncio.sleep(0)
                    since_turn = 0
                viewers = delivery.viewers[at : at + _WRITES_AT_ONCE]
                if self._out:
                    viewers = [viewer for viewer in viewers if viewer not in self._out]
                behind = deliver(delivery.frame, viewers)
                for viewer in behind:
                    self._out.add(viewer)
                    self.stream.behind(viewer, delivery.index, self._loop.time())
                    self._work.pump(viewer)
                written += len(viewers) - len(behind)
                since_turn += len(viewers)
        self.settle()
        if written:
            self._work.means.metrics.count("live_deliveries_total", written)
            await asyncio.sleep(0)

    def leave(self, viewer: Connection) -> None:
        """The viewer is gone."""
        self._out.add(viewer)
        self.stream.leave(viewer)

    def take(self, viewer: Connection) -> list[bytes]:
        """Frames for a viewer that lags, to be written now; [] for none."""
        merged = self.stream.merged_of(viewer)
        frames = self.stream.take(viewer, self._loop.time())
        if (more := self.stream.merged_of(viewer) - merged) > 0:
            self._work.means.metrics.count("live_merged_total", more)
        self.settle()
        return frames

    # --- what follows from it ---------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Something changed: soon, once for all that changes in this turn of the loop, see what follows."""
        if self._settling is None and not self._task.done():
            self._settling = self._loop.call_soon(self._settle)

    def _settle(self) -> None:
        self._settling = None
        now_s = self._loop.time()
        for viewer in self.stream.woken():
            self._work.pump(viewer)
        for question in self.stream.questions(now_s):
            self._work.tasks.create_task(self._ask(question))
        self._count()
        if self._timer is not None:
            self._timer.cancel()
        due_s = self.stream.due_s
        self._timer = None if due_s is None else self._loop.call_at(max(due_s, now_s + _TICK_S_MIN), self._wake.set)

    def _count(self) -> None:
        for name, now in (("late", self.stream.late), ("missing", self.stream.missing)):
            if now > self._counted[name]:
                self._work.means.metrics.count(f"live_{name}_total", now - self._counted[name])
                self._counted[name] = now

    # --- the store and the parsing ----------------------------------------------------------------------------------

    async def _ask(self, question: Question) -> None:
        metrics = self._work.means.metrics
        try:
            samples = await self._answer(question)
        except TransportError as e:
            metrics.count("live_store_questions_total", result="failed")
            self._work.complaints.add("store", self._loop.time(), event="store not there for viewers", error=str(e))
            self.stream.failed(question, self._loop.time())
        else:
            metrics.count("live_store_questions_total", result="answered")
            self.stream.answer(question, samples, self._loop.time())
        self.settle()

    async def _answer(self, question: Question) -> list[Sample]:
        means, fields, to_ms = self._work.means, question.fields, question.to_ms
        names = fields.matching(await self.known()) if fields.patterns else fields.names
        from_ms = question.from_ms
        if to_ms is None:
            now_ms = await device_now_ms(means.store, self.peer, means.clock.wall_ms())
            to_ms = now_ms + _AHEAD_MS
            from_ms = now_ms - question.window_ms if from_ms is None else from_ms
        elif from_ms is None:
            from_ms = to_ms - question.window_ms
        return await self._work.samples(self.peer, names, from_ms, max(from_ms, to_ms), bool(fields.stats))

    async def known(self) -> Collection[str]:
        """The names of the machine's fields: its parsing's, where that is there in time, and all that were seen."""
        return dict.fromkeys([*await self._work.names(self.peer), *self.stream.names])
