"""A watched machine: its subscription, its stream, its questions to the store, and the viewers that lag."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable
from contextlib import aclosing, suppress
from functools import partial

from duco_rt.errors import BadBody, TransportError
from duco_rt.model import Peer
from duco_rt.pipeline.runner import retry
from duco_rt.seeing.delays import Delays
from duco_rt.seeing.logs import steps
from duco_rt.web.live.asking import Question
from duco_rt.web.live.connection import Connection
from duco_rt.web.live.fanout import Delivery
from duco_rt.web.live.field_lists import FieldList
from duco_rt.web.live.means import Work
from duco_rt.web.live.pumps import Writing
from duco_rt.web.live.samples import Sample, read_sample
from duco_rt.web.live.stream import Limits, Stream

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
        self._writing = Writing(self._behind, partial(work.failed, "delivery"))
        self._open: dict[int, tuple[FieldList, asyncio.Task[None]]] = {}
        self._wake = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._settling: asyncio.Handle | None = None
        self._counted = {"late": 0, "missing": 0}
        self._delays = Delays(work.means.metrics, "viewer")
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
        source = await self._work.means.live.subscribe(self.peer.channel)
        async with aclosing(source):  # type: ignore[type-var]  # it has aclose
            if not self.ready.is_set():
                await self._begin()
            async for message in source:
                async with self.turn:
                    await self._publish(message)

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
                sample = read_sample(message, _NEVER_MS)
                if sample.seq is not None:
                    age_ms = _age_ms(sample, wall_ms, round(1000 * means.config.recent_s))
                    self.stream.tick(now_s - age_ms / 1000)
                    self.stream.publish(message, now_s - age_ms / 1000, wall_ms - age_ms)
            except BadBody:
                continue
            except Exception as e:
                self._work.failed("message", e)
        self.stream.delivered.clear()
        self.ready.set()

    async def _publish(self, message: bytes) -> None:
        means = self._work.means
        try:
            await self._dispatch(self.stream.publish(message, self._loop.time(), means.clock.wall_ms()))
        except BadBody as e:
            self.unreadable += 1
            means.metrics.count("live_bad_publications_total")
            event = "live message not readable"
            self._work.complaints.add(
                "publication", self._loop.time(), event=event, channel=self.peer.channel, error=str(e)
            )
        except Exception as e:
            self._work.failed("message", e)
            self.settle()

    async def _tend(self) -> None:
        """What is due by time alone."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                async with self.turn:
                    await self._dispatch(self.stream.tick(self._loop.time()))
            except Exception as e:
                self._work.failed("tick", e)
                await asyncio.sleep(_FAILED_S)
                self.settle()

    # --- what goes --------------------------------------------------------------------------------------------------

    async def _dispatch(self, deliveries: Iterable[Delivery[Connection]]) -> None:
        try:
            written = await self._writing.write(deliveries)
        finally:
            self.settle()
        if written:
            self._work.means.metrics.count("live_deliveries_total", written)
            await asyncio.sleep(0)  # uvloop writes only now
        if self.stream.delivered:
            self._note(written)

    def _note(self, viewers: int) -> None:
        """What went out, once a sample however many viewers it has."""
        means, now_ms = self._work.means, self._work.means.clock.wall_ms()
        means.metrics.count("live_samples_total", len(self.stream.delivered))
        for sample in self.stream.delivered:
            if viewers and sample.received_ms is not None:
                self._delays.note(sample.ts_ms, sample.received_ms, now_ms)
            if steps.on:
                steps.log("studio delivered", self.peer.chassis_id, self.peer.msg_type, sample.seq, viewers=viewers)
        self.stream.delivered.clear()

    def _behind(self, viewer: Connection, index: int) -> None:
        self.stream.behind(viewer, index, self._loop.time())
        self._work.pump(viewer)

    def leave(self, viewer: Connection) -> None:
        """The viewer is gone."""
        self._writing.leave(viewer)
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

    @property
    def asking(self) -> int:
        """How many questions to the store are open."""
        return len(self._open)

    def settle(self) -> None:
        """Something changed: soon, once for all that changes in this turn of the loop, see what follows."""
        if self._settling is None and not self._task.done():
            self._settling = self._loop.call_soon(self._settle)

    def _settle(self) -> None:
        self._settling = None
        now_s = self._loop.time()
        try:
            for viewer in self.stream.woken():
                self._work.pump(viewer)
            for question in self.stream.questions(now_s):
                task = self._work.tasks.create_task(self._ask(question))
                self._open[question.number] = question.fields, task
            self._count()
            due_s = self.stream.due_s
        except Exception as e:
            self._work.failed("settle", e)
            due_s = now_s + _FAILED_S
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if due_s is None else self._loop.call_at(max(due_s, now_s + _TICK_S_MIN), self._wake.set)

    def _count(self) -> None:
        for name, now in (("late", self.stream.late), ("missing", self.stream.missing)):
            if now > self._counted[name]:
                self._work.means.metrics.count(f"live_{name}_total", now - self._counted[name])
                self._counted[name] = now

    # --- the store and the parsing ----------------------------------------------------------------------------------

    async def free(self, viewer: Connection) -> None:
        """Return when no question to the store is open any more for the list that a viewer now waits with: who asks
        for one list after the other has one at a time, and the others' come in between."""
        fields = None if self.stream.is_live(viewer) else self.stream.fields_of(viewer)
        asked = [task for asked_for, task in self._open.values() if asked_for == fields]
        if asked:
            await asyncio.wait(asked)

    async def _ask(self, question: Question) -> None:
        result = "failed"
        try:
            known = await self.known() if question.fields.patterns else ()
            samples = await self._work.answer(self.peer, question, known, self.stream.is_wanted)
            result = "dropped" if samples is None else "answered"
            self.stream.answer(question, samples or (), self._loop.time())
        except TransportError as e:
            self._work.complaints.add("store", self._loop.time(), event="store not there for viewers", error=str(e))
            self.stream.failed(question, self._loop.time())
        except Exception as e:
            self._work.failed("question", e)
            with suppress(KeyError):  # its answer was what failed
                self.stream.failed(question, self._loop.time())
        finally:
            del self._open[question.number]
        self._work.means.metrics.count("live_store_questions_total", result=result)
        self.settle()

    async def known(self) -> Collection[str]:
        """The names of the machine's fields: its parsing's, where that is there in time, and all that were seen."""
        return dict.fromkeys([*await self._work.names(self.peer), *self.stream.names])


def _age_ms(sample: Sample, wall_ms: int, keep_ms: int) -> int:
    """Since a kept sample arrived: by the ingestor's clock, or from the end of its second, where they can be right;
    else as old as one can be that is still kept, lest it pass for a new one."""
    if sample.received_ms is not None and sample.received_ms <= wall_ms + _SKEW_MS:
        age_ms = wall_ms - sample.received_ms
    elif sample.ts_ms <= wall_ms:
        age_ms = wall_ms - sample.ts_ms - _SECOND_MS
    else:
        return keep_ms
    return min(max(0, age_ms), keep_ms)
