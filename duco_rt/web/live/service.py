"""The WebSocket live service: subscriptions follow viewers, and a slow viewer hurts nobody but itself."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from contextlib import suppress
from functools import partial

from aiohttp import WSCloseCode, WSMessage, WSMsgType, web

from duco_rt.errors import NotFound
from duco_rt.model import Peer
from duco_rt.pipeline.runner import Complaints
from duco_rt.web.access.door import known_identity, unknown_device
from duco_rt.web.access.viewers import Pace, Viewers
from duco_rt.web.access.watch import Watch
from duco_rt.web.live.connection import OVERLOADED, Connection, connect
from duco_rt.web.live.means import Means, Work
from duco_rt.web.live.peers import Watched
from duco_rt.web.live.protocol import (
    AskStatus,
    Change,
    Refused,
    Wish,
    ack_text,
    error_text,
    read_message,
    status_text,
)
from duco_rt.web.live.pumps import Pumps
from duco_rt.web.live.status import LastOfStore, Status, last_known
from duco_rt.web.params import peer_of

_QUESTIONS_AT_ONCE = 4
_LINGER_S = 30.0
_LINGERING_MAX = 64
_END_S = 3.0


class _Visit:
    """What the service knows of one connection."""

    __slots__ = ("connection", "pace", "peer", "status", "watched")

    def __init__(self, peer: Peer, connection: Connection, pace: Pace) -> None:
        self.peer = peer
        self.connection = connection
        self.pace = pace
        self.watched: Watched | None = None
        self.status: asyncio.Task[None] | None = None
        """Answers STATUS again and again, where that was asked for."""


class LiveService:
    """Peers that are watched, each with one subscription however many viewers it has.

    A peer is followed `linger_s` longer than it has viewers, so that one who comes back finds what it missed.
    """

    def __init__(self, means: Means, linger_s: float = _LINGER_S) -> None:
        self._means = means
        self._linger_s = linger_s
        self._guests = Viewers(means.config, means.metrics)
        self._signed_in = Watch(means.is_good, means.config.token_refresh_s)
        self._visits: dict[Connection, _Visit] = {}
        self._handlers: set[asyncio.Task[object]] = set()
        self._is_closing = False
        self._begin()
        metrics = means.metrics
        metrics.gauge("live_viewers", lambda: len(self._visits))
        metrics.gauge("live_peers", lambda: len(self._viewers))
        metrics.gauge("live_lagging", lambda: len(self._pumps))
        metrics.depth("live_questions_depth", lambda: sum(each.asking for each in self._peers.values()))
        metrics.gauge("live_recent_bytes", lambda: sum(each.stream.recent.bytes for each in self._peers.values()))

    def _begin(self) -> None:
        """All that a run uses up."""
        means = self._means
        self._is_running = False
        self._tasks = asyncio.TaskGroup()
        asking, complaints = asyncio.Semaphore(_QUESTIONS_AT_ONCE), Complaints("live", means.metrics)
        self._work = Work(means, self._tasks, asking, complaints, self._pump)
        self._pumps = Pumps(self._tasks, self._take, self._failed, means.config.viewer_stall_s)
        self._status = Status(self._work)
        self._last = LastOfStore(self._work)
        self._peers: dict[Peer, Watched] = {}
        self._viewers: dict[Peer, int] = {}
        self._lingering: OrderedDict[Peer, asyncio.TimerHandle] = OrderedDict()

    async def run(self) -> None:
        """Carry the subscriptions until cancelled. Where it fails all viewers are closed (1012): they come again."""
        try:
            async with self._tasks:
                self._is_running = True
                self._tasks.create_task(self._signed_in.run())
                while True:
                    await asyncio.sleep(self._pumps.look_s)
                    for viewer in self._pumps.stalled(self._visits):
                        self._overloaded(viewer)
        finally:
            for timer in self._lingering.values():
                timer.cancel()
            for watched in self._peers.values():
                watched.close()
            for visit in self._visits.values():
                visit.watched = visit.status = None
                visit.connection.end(WSCloseCode.SERVICE_RESTART, b"begins anew")
            self._begin()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """The endpoint `/{chassisId}/live?msgType=`."""
        peer = peer_of(request)
        self._check_open()
        if await self._work.is_unknown(peer):
            raise NotFound(unknown_device(peer.chassis_id))
        self._check_open()  # that took its time
        task = asyncio.current_task()
        assert task is not None
        self._handlers.add(task)
        task.add_done_callback(self._handlers.discard)
        identity = known_identity(request)
        if (full := self._guests.refusal(identity, peer.tenant)) is not None:
            return full
        with self._guests.visit(identity, peer.tenant) as pace:
            connection = await connect(request, self._means.config.message_bytes_max)
            visit = self._visits[connection] = _Visit(peer, connection, pace)
            try:
                with self._signed_in.over(
                    identity, partial(connection.end, WSCloseCode.POLICY_VIOLATION, b"signed out")
                ):
                    await connection.serve(partial(self._act, visit))
            finally:
                self._leave(visit)
            return await connection.finish()

    def _check_open(self) -> None:
        if self._is_closing or not self._is_running:
            raise web.HTTPServiceUnavailable

    # --- what clients say -------------------------------------------------------------------------------------------

    async def _act(self, visit: _Visit, message: WSMessage) -> None:
        """Act on a client's message when it is due; what is wrong with it is said."""
        await self._pace(visit, message)
        if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
            return  # an error of the connection, which ends it
        try:
            try:
                is_msgpack = visit.connection.encoding.msgpack
                config = self._means.config
                read = read_message(message.data, is_msgpack, config.resume_s_max, config.fields_max)
                if isinstance(read, Wish):
                    await self._init(visit, read)
                elif isinstance(read, Change):
                    await self._change(visit, read)
                else:
                    await self._ask_status(visit, read)
            except Refused as e:
                self._means.metrics.count("live_bad_messages_total", code=e.code)
                self._say(visit, error_text(e.code, e.message))
        except ConnectionError:
            pass  # the client is gone
        except Exception as e:
            self._failed(visit.connection, e)

    async def _pace(self, visit: _Visit, message: WSMessage) -> None:
        """Who says too much is read later: what it says meanwhile waits at its own end."""
        data = message.data
        size = len(data) if isinstance(data, str | bytes) else 0
        due = visit.pace.due(size, asyncio.get_running_loop().time())
        if due.tell:
            config = self._means.config
            most = f"{config.messages_per_s_max:g} a second, of one user {config.messages_user_per_s_max:g}"
            self._say(visit, error_text("too_many_messages", f"read more slowly from now on: at most {most}"))
        if due.wait_s:
            if visit.connection.has_left():  # what it still has to say could take hours
                visit.connection.end(WSCloseCode.GOING_AWAY, b"gone")
            await asyncio.sleep(due.wait_s)

    async def _init(self, visit: _Visit, wish: Wish) -> None:
        watched = self._watch(visit)
        await watched.ready.wait()
        stored = await self._last.of(watched, wish.fields, visit.connection) if wish.last else None
        known = await watched.known() if wish.ack else watched.stream.names
        matched = await self._work.matched(wish.fields, known)
        await watched.free(visit.connection)
        async with watched.turn:
            if wish.last:
                self._say(visit, last_known(watched, wish.fields, stored, self._means.clock.wall_ms()))
            watched.stream.init(visit.connection, wish, visit.connection.encoding, asyncio.get_running_loop().time())
            if wish.ack:
                self._say(visit, ack_text(wish.fields.entries, matched.unknown))
        watched.settle()

    async def _change(self, visit: _Visit, change: Change) -> None:
        watched = visit.watched
        if watched is None:
            name = "ADD_FIELDS" if change.add else "REMOVE_FIELDS"
            raise Refused("bad_fields", f"{name} needs an INIT_FIELD_LIST before it")
        held = watched.stream.fields_of(visit.connection)
        assert held is not None  # from its first INIT_FIELD_LIST on
        most = self._means.config.fields_max
        fields = held.adding(change.entries, most) if change.add else held.removing(change.entries)
        known = await watched.known() if change.ack else watched.stream.names
        matched = await self._work.matched(fields, known)
        await watched.free(visit.connection)
        async with watched.turn:
            watched.stream.change(visit.connection, change)
            if change.ack:
                self._say(visit, ack_text(fields.entries, matched.unknown))
        watched.settle()

    async def _ask_status(self, visit: _Visit, asked: AskStatus) -> None:
        if asked.every_s is not None and visit.status is not None:
            visit.status.cancel()
            visit.status = None
        if asked.every_s:
            visit.status = self._tasks.create_task(self._repeat_status(visit, asked.every_s))
        else:
            await self._say_status(visit)

    async def _repeat_status(self, visit: _Visit, every_s: float) -> None:
        try:
            while True:
                if not visit.connection.waiting_bytes():  # what waits is older than the next one
                    await self._say_status(visit)
                await asyncio.sleep(every_s)
        except Exception as e:
            self._failed(visit.connection, e)

    async def _say_status(self, visit: _Visit) -> None:
        self._say(visit, status_text(await self._status.of(visit.peer, visit.watched, visit.connection)))

    def _say(self, visit: _Visit, text: bytes) -> None:
        if not visit.connection.say(text, self._means.config.viewer_queue_bytes_max):
            self._overloaded(visit.connection)

    # --- viewers and peers ------------------------------------------------------------------------------------------

    def _watch(self, visit: _Visit) -> Watched:
        """The visit's peer, followed from now on."""
        if visit.watched is not None:
            return visit.watched
        peer = visit.peer
        if (timer := self._lingering.pop(peer, None)) is not None:
            timer.cancel()
        if peer not in self._peers:
            self._peers[peer] = Watched(peer, self._work)
        self._viewers[peer] = self._viewers.get(peer, 0) + 1
        visit.watched = self._peers[peer]
        return visit.watched

    def _leave(self, visit: _Visit) -> None:
        del self._visits[visit.connection]
        if visit.status is not None:
            visit.status.cancel()
        if visit.watched is None:
            return
        visit.watched.leave(visit.connection)
        self._viewers[visit.peer] -= 1
        if not self._viewers[visit.peer]:
            del self._viewers[visit.peer]
            self._lingering[visit.peer] = asyncio.get_running_loop().call_later(
                self._linger_s, self._forget, visit.peer
            )
            if len(self._lingering) > _LINGERING_MAX:
                self._forget(next(iter(self._lingering)))

    def _forget(self, peer: Peer) -> None:
        self._lingering.pop(peer).cancel()
        self._peers.pop(peer).close()

    # --- viewers that lag -------------------------------------------------------------------------------------------

    def _pump(self, viewer: Connection) -> None:
        self._pumps.start(viewer)

    def _take(self, viewer: Connection) -> list[bytes]:
        visit = self._visits.get(viewer)
        return [] if visit is None or visit.watched is None else visit.watched.take(viewer)

    def _overloaded(self, viewer: Connection) -> None:
        if not viewer.is_ending:
            self._means.metrics.count("live_overloaded_total")
            viewer.end(OVERLOADED, b"too slow")

    def _failed(self, viewer: Connection, error: Exception) -> None:
        self._work.failed("viewer", error)
        viewer.end(WSCloseCode.INTERNAL_ERROR, b"internal error")

    async def close(self) -> None:
        """Tell all viewers that the server goes (1001); who takes no bytes is cut."""
        self._is_closing = True
        for viewer in list(self._visits):
            viewer.end(WSCloseCode.GOING_AWAY, b"server stops")
        handlers = self._handlers - {asyncio.current_task()}
        if handlers:
            with suppress(TimeoutError):
                await asyncio.wait(handlers, timeout=_END_S)
