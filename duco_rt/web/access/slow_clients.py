"""The connections of a process: how many, how long they may take to ask, and what they are told who ask badly.

Of a connection, what is not asked in time is nobody's: it is closed after `header_timeout_s` from its beginning, or
from the first byte of a later request, and after `idle_timeout_s` without one. One that takes nothing of its answer
for `write_timeout_s` is cut; a live viewer has `viewer_stall_s` for that. Over `connections_max` the one that has been
waiting for a request longest makes room; where none is, the new one is answered 503.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import OrderedDict
from typing import Any, cast

import structlog
from aiohttp import web
from aiohttp.http_exceptions import LineTooLong

from duco_rt.config import Web
from duco_rt.errors import drop_frames
from duco_rt.seeing.metrics import Metrics
from duco_rt.web.access.accepting import Accepting, TurnedAway
from duco_rt.web.access.places import Places
from duco_rt.web.access.unsent import LOOKS, Unsent
from duco_rt.web.params import refusal, refusal_text

log = structlog.get_logger()

HEADERS_MAX = 100
"""Fields of one head."""

HEAD_TIMES = 4
"""A whole head has at most so many times `header_bytes_max`."""

_LINGERING_MAX = 1_000
_BODY_LEFT_S = 2.0
_WORDS_MAX = 300


class Connections:
    """Makes the protocol of each new connection."""

    def __init__(self, config: Web, metrics: Metrics) -> None:
        self.config = config
        self.metrics = metrics
        self._server: web.Server | None = None
        self._is_tls = False
        self._places = Places(config)
        self._open: dict[Connection, str] = {}  # and their addresses; those whose TLS handshake is not over as well
        self._waiting: OrderedDict[Connection, None] = OrderedDict()  # for a request; the first for longest
        self._lingering: set[asyncio.Protocol] = set()
        self._look: asyncio.TimerHandle | None = None
        metrics.gauge("web_connections", lambda: len(self._open))

    def accept(self, listening: socket.socket, server: web.Server, tls: ssl.SSLContext | None = None) -> Accepting:
        """Accept connections for `server`, which is `runner.server` once that is set up, until what is given closes."""
        self._server, self._is_tls = server, tls is not None
        return Accepting(listening, self.begin, self.over, tls, self.config.header_timeout_s)

    def begin(self, address: str) -> asyncio.Protocol | None:
        """The protocol of a connection that was just accepted."""
        assert self._server is not None
        if self._places.is_full_for(address):
            words = f"one address has at most {self.config.connections_address_max} connections"
            return self._turn_away("connections_address", 429, words)
        if self._places.is_full(address) and not self._make_room():
            words = f"this server has its {self.config.connections_max} connections: try again later"
            return self._turn_away("connections", 503, words)
        connection = Connection(self, self._server, asyncio.get_running_loop())
        self._places.take(address)
        self._open[connection] = address
        return connection

    def _turn_away(self, why: str, status: int, words: str) -> asyncio.Protocol | None:
        self.metrics.count("web_refused_total", why=why)
        if self._is_tls or len(self._lingering) >= _LINGERING_MAX:
            return None
        turned = TurnedAway(refusal_text(status, "too_many_connections", words, retry_s=1), self.over)
        self._lingering.add(turned)
        return turned

    def _make_room(self) -> bool:
        if not self._waiting:
            return False
        oldest = next(iter(self._waiting))
        self.metrics.count("web_cut_total", why="room")
        self.over(oldest)
        oldest.cut()
        return True

    def over(self, connection: asyncio.Protocol) -> None:
        """It is gone, or never was; its place is free."""
        self._lingering.discard(connection)
        if isinstance(connection, Connection) and (address := self._open.pop(connection, None)) is not None:
            self._waiting.pop(connection, None)
            self._places.give_back(address)

    def waits(self, connection: Connection, is_waiting: bool) -> None:
        """It waits for a request, or one has come."""
        if not is_waiting:
            self._waiting.pop(connection, None)
        elif connection in self._open:
            self._waiting[connection] = None
            if self._look is None:
                self._look_later()

    def _look_later(self) -> None:
        every_s = self.config.write_timeout_s / LOOKS
        self._look = asyncio.get_running_loop().call_later(every_s, self._look_at_writing)

    def _look_at_writing(self) -> None:
        """Cut who takes nothing; as long as there is anybody."""
        self._look = None
        for connection in [each for each in self._open if each.takes_nothing()]:
            self.metrics.count("web_cut_total", why="write")
            connection.cut()
        if self._open:
            self._look_later()


class Connection(web.RequestHandler):
    """aiohttp's connection, with a time and a size for each request's head, and answers in our own form."""

    __slots__ = (
        "_answered", "_connections", "_deadline", "_head_bytes", "_is_waiting", "_unsent"
    )  # fmt: skip

    def __init__(self, connections: Connections, server: web.Server, loop: asyncio.AbstractEventLoop) -> None:
        config = connections.config
        super().__init__(
            server,
            loop=loop,
            access_log=None,  # type: ignore[arg-type]  # aiohttp's own AppRunner is given None, too
            keepalive_timeout=config.idle_timeout_s,
            max_line_size=config.header_bytes_max,
            max_field_size=config.header_bytes_max,
            max_headers=HEADERS_MAX,
            lingering_time=_BODY_LEFT_S,
            auto_decompress=False,  # `Admission` refuses what is compressed
        )
        self._connections = connections
        self._answered = 0
        self._head_bytes = 0
        self._is_waiting = False
        self._deadline: asyncio.TimerHandle | None = None
        self._unsent: Unsent | None = None  # aiohttp forgets its transport when it closes, though much waits in it

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It begins by waiting for a request."""
        super().connection_made(transport)
        self._unsent = Unsent(cast(asyncio.Transport, transport))
        self._wait_for_head()
        self._arm()

    def connection_lost(self, exc: BaseException | None) -> None:
        """It is over."""
        self._disarm()
        self._unsent = None
        self._connections.over(self)
        super().connection_lost(exc)
        self._data_received_cb = None  # a WebSocket, which holds this: without a circle it goes at once

    def data_received(self, data: bytes) -> None:
        """A piece of a request, or of a WebSocket."""
        super().data_received(data)
        if self._request_count > self._answered:
            if self._is_waiting:
                self._is_waiting = False
                self._disarm()
                self._connections.waits(self, False)
        elif data and self._is_waiting and self.transport is not None:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_TIMES * self._connections.config.header_bytes_max:
                self._refuse_head()
            elif self._deadline is None:
                self._arm()

    def resume_writing(self) -> None:
        """The client has taken most of what waited."""
        if self._unsent is not None:
            self._unsent.taken()
        super().resume_writing()

    def takes_nothing(self) -> bool:
        """Whether nothing of what waits has been taken for `write_timeout_s`. It is no WebSocket, then."""
        return self._unsent is not None and self._payload_parser is None and self._unsent.is_stuck()

    def cut(self) -> None:
        """End it, whatever waits to be read at its other end."""
        unsent = self._unsent
        self.force_close()
        if unsent is not None:
            unsent.wire.abort()

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Answer; the next request is waited for only where all of this one has been read."""
        if isinstance(resp, web.HTTPExpectationFailed):
            resp = refusal(417, "expectation_failed", "Expect: 100-continue is all that can be expected here")
        if not request.content.is_eof():
            resp.force_close()
        try:
            return await super().finish_response(request, resp, start_time)
        finally:
            self._answered += 1
            if self._answered == self._request_count and request.content.is_eof():
                self._wait_for_head()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """What cannot be read is the client's fault: it is told so, and counted; a log line each would be a way in."""
        if status != 400 or request.writer.output_size > 0:
            answer = super().handle_error(request, status, exc, message)
            drop_frames(exc)
            return answer
        drop_frames(exc)
        self._connections.metrics.count("web_refused_total", why="head")
        words = (message or str(exc))[:_WORDS_MAX]
        log.debug("bad request", error=words)
        too_large = isinstance(exc, LineTooLong) or words.startswith("Too many headers")
        answer = refusal(431, "head_too_large", words) if too_large else refusal(400, "bad_request", words)
        answer.headers["Connection"] = "close"  # of a request that cannot be read nobody knows its version
        answer.force_close()
        return answer

    def log_exception(self, *args: Any, **more: Any) -> None:  # noqa: ANN401  # as aiohttp has it
        """A client that goes away before it has its answer, or before all of a refused body has come, is no mistake of
        ours: a traceback each would let anybody fill the log."""
        error = more.get("exc_info")
        is_gone = isinstance(error, ConnectionResetError)  # its end is known before its transport is lost
        if is_gone or (self.transport is None and isinstance(error, RuntimeError | ConnectionError)):
            self.log_debug(*args)
        else:
            super().log_exception(*args, **more)

    def _wait_for_head(self) -> None:
        self._head_bytes, self._is_waiting = 0, True
        self._connections.waits(self, True)

    def _arm(self) -> None:
        self._deadline = self._loop.call_later(self._connections.config.header_timeout_s, self._late)

    def _disarm(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _late(self) -> None:
        self._deadline = None
        self._connections.metrics.count("web_cut_total", why="head")
        self.cut()

    def _refuse_head(self) -> None:
        config = self._connections.config
        most = HEAD_TIMES * config.header_bytes_max
        self._connections.metrics.count("web_refused_total", why="head")
        if self.transport is not None:
            words = f"a request's head has at most {most} bytes, {HEAD_TIMES} times web.header_bytes_max"
            self.transport.write(refusal_text(431, "head_too_large", words))
        self.force_close()
