"""The WebSocket live service: subscriptions follow viewers, and a slow viewer hurts nobody but itself."""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import aclosing
from functools import partial

import msgspec
import structlog
from aiohttp import WSCloseCode, WSMessage, WSMsgType, web

from duco_rt.clock import Clock
from duco_rt.config import Web
from duco_rt.errors import BadBody
from duco_rt.metrics import Metrics
from duco_rt.model import Peer
from duco_rt.pipeline.runner import retry, until_first
from duco_rt.transports.base import Live
from duco_rt.web.live.fanout import STATS, Fanout, Sample, read_sample
from duco_rt.web.live.in_order import in_order
from duco_rt.web.live.ordering import Ordering
from duco_rt.web.params import peer_of

log = structlog.get_logger()

_FIELDS_MAX = 1000
_OVERLOADED = 1013
_CLOSE_S = 2.0


class _FieldList(msgspec.Struct):
    type: str
    payload: list[str] | None = None
    stats: list[str] | None = None


_read = msgspec.json.Decoder(_FieldList)


class Viewer:
    """One connection: its texts wait in a bounded queue; a full one ends the connection with 1013."""

    def __init__(self, request: web.Request, socket: web.WebSocketResponse, messages_max: int) -> None:
        self.request = request
        self.socket = socket
        self._overload = asyncio.Event()
        self._messages_max = messages_max
        self._texts: deque[bytes] = deque()
        self._ready = asyncio.Event()

    @property
    def overloaded(self) -> bool:
        """Whether the viewer did not keep up."""
        return self._overload.is_set()

    def offer(self, text: bytes) -> bool:
        """Queue a text; False where the viewer does not keep up."""
        if len(self._texts) >= self._messages_max:
            self._overload.set()
        else:
            self._texts.append(text)
        self._ready.set()
        return not self.overloaded

    async def run(self) -> None:
        """Write texts until the connection ends or does not keep up, be it in the middle of a write."""
        await until_first(self._write(), self._overloaded())

    async def _overloaded(self) -> None:
        await self._overload.wait()

    async def _write(self) -> None:
        try:
            while True:
                while self._texts:
                    await self.socket.send_frame(self._texts.popleft(), WSMsgType.TEXT)
                self._ready.clear()
                await self._ready.wait()
        except ConnectionError:
            pass  # the viewer is gone


class LiveService:
    """Peers that are watched, each with one subscription however many viewers it has."""

    def __init__(self, live: Live, config: Web, clock: Clock, metrics: Metrics, reorder_s: float = 0.5) -> None:
        self._live = live
        self._reorder_s = reorder_s
        self._config = config
        self._clock = clock
        self._metrics = metrics
        self._peers: dict[Peer, tuple[Fanout[Viewer], asyncio.Task[None]]] = {}
        self._viewers: set[Viewer] = set()
        self._tasks = asyncio.TaskGroup()
        metrics.gauge("live_viewers", lambda: len(self._viewers))
        metrics.gauge("live_peers", lambda: len(self._peers))

    async def run(self) -> None:
        """Carry the subscriptions until cancelled."""
        async with self._tasks:
            await asyncio.Event().wait()

    async def handle(self, request: web.Request) -> web.WebSocketResponse:
        """The endpoint `/{chassisId}/live?msgType=`."""
        peer = peer_of(request)
        socket = web.WebSocketResponse(heartbeat=30, max_msg_size=self._config.message_bytes_max)
        await socket.prepare(request)
        viewer = Viewer(request, socket, self._config.viewer_queue_messages_max)
        self._viewers.add(viewer)
        try:
            await until_first(viewer.run(), self._read(peer, viewer))
        finally:
            self._leave(peer, viewer)
        if viewer.overloaded:
            await _cut(request, socket, _OVERLOADED, b"too slow")
        return socket

    async def _read(self, peer: Peer, viewer: Viewer) -> None:
        async for message in viewer.socket:
            error = self._take(peer, viewer, message)
            if error is not None:
                self._metrics.count("live_bad_messages_total", code=error[0])
                viewer.offer(_error_text(*error))

    def _take(self, peer: Peer, viewer: Viewer, message: WSMessage) -> tuple[str, str] | None:
        """Act on a client's message; what is wrong with it, as code and text."""
        if message.type is not WSMsgType.TEXT:
            return "bad_message", "a message must be text"
        try:
            read = _read.decode(message.data)
        except (msgspec.DecodeError, UnicodeEncodeError, RecursionError) as e:
            return "bad_message", f"not a message of this service: {e}"
        if read.type != "INIT_FIELD_LIST":
            return "unknown_type", f"type {read.type!r} is not one of INIT_FIELD_LIST"
        if read.payload is None or len(read.payload) > _FIELDS_MAX:
            return "bad_fields", f"INIT_FIELD_LIST needs a payload of at most {_FIELDS_MAX} field names"
        unknown = [name for name in read.stats or () if name not in (*STATS, "last")]
        if unknown:
            return "bad_stats", f"stats {unknown[0][:80]!r} is not one of last, {', '.join(STATS)}"
        self._watch(peer, viewer, read.payload, read.stats or [])
        return None

    def _watch(self, peer: Peer, viewer: Viewer, fields: list[str], stats: list[str]) -> None:
        if peer not in self._peers:
            fanout: Fanout[Viewer] = Fanout()
            task = self._tasks.create_task(self._follow(peer, fanout), name=f"live {peer.channel}")
            self._peers[peer] = fanout, task
        self._peers[peer][0].watch(viewer, fields, stats)

    def _leave(self, peer: Peer, viewer: Viewer) -> None:
        self._viewers.discard(viewer)
        held = self._peers.get(peer)
        if held is None:
            return
        fanout, task = held
        fanout.leave(viewer)
        if not len(fanout):
            del self._peers[peer]
            task.cancel()

    async def _follow(self, peer: Peer, fanout: Fanout[Viewer]) -> None:
        """Stay subscribed while anybody watches."""
        await retry("live", partial(self._hand_on, peer, fanout), self._metrics)

    async def _hand_on(self, peer: Peer, fanout: Fanout[Viewer]) -> None:
        """Hand every message of the peer's channel to its viewers, in order of seq."""
        order: Ordering[Sample] = Ordering(self._reorder_s)
        late = 0
        async with (
            aclosing(await self._live.subscribe(peer.channel)) as messages,  # type: ignore[type-var]  # it has aclose
            aclosing(in_order(messages, partial(self._read_sample, peer), order)) as samples,
        ):
            async for sample in samples:
                if order.late > late:
                    self._metrics.count("live_late_total", order.late - late)
                    late = order.late
                self._deliver(fanout, sample)

    def _read_sample(self, peer: Peer, message: bytes) -> Sample | None:
        try:
            return read_sample(message, self._clock.wall_ms())
        except BadBody as e:
            self._metrics.count("live_bad_publications_total")
            log.warning("live message not readable", channel=peer.channel, error=str(e))
            return None

    def _deliver(self, fanout: Fanout[Viewer], sample: Sample) -> None:
        for text, viewers in fanout.texts(sample):
            for viewer in viewers:
                good = viewer.offer(text)
                self._metrics.count("live_deliveries_total" if good else "live_overloaded_total")

    async def close(self) -> None:
        """Tell all viewers that the server goes (1001); who takes no bytes is cut."""
        going = (_cut(v.request, v.socket, WSCloseCode.GOING_AWAY, b"server stops") for v in self._viewers)
        await asyncio.gather(*going, return_exceptions=True)


async def _cut(request: web.Request, socket: web.WebSocketResponse, code: int, message: bytes) -> None:
    """Close a connection in order, within 2 s; one that takes no bytes at all is cut."""
    try:
        async with asyncio.timeout(_CLOSE_S):
            await socket.close(code=code, message=message, drain=False)
    except TimeoutError:
        pass
    if request.transport is not None:
        request.transport.abort()


def _error_text(code: str, message: str) -> bytes:
    return msgspec.json.encode({"type": "ERROR", "payload": {"code": code, "message": message[:500]}})
