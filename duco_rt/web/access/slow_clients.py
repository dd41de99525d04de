"""The connections of a process: how many, how long they may take to ask, and what they are told who ask badly.

Of a connection, what is not asked in time is nobody's: it is closed after `header_timeout_s` from its beginning, or
from the first byte of a later request, and after `idle_timeout_s` without one. Over `connections_max` the one that has
been waiting for a request longest makes room; where none is, the new one is answered 503.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import OrderedDict
from typing import Any

import structlog
from aiohttp import web
from aiohttp.http_exceptions import LineTooLong

from duco_rt.config import Web
from duco_rt.seeing.metrics import Metrics
from duco_rt.web.params import refusal, refusal_text

log = structlog.get_logger()

HEADERS_MAX = 100
"""Fields of one head."""

HEAD_TIMES = 4
"""A whole head has at most so many times `header_bytes_max`."""

_BACKLOG = 1024
_LINGER_S = 1.0
_LINGERING_MAX = 1_000
_BODY_LEFT_S = 2.0
_WORDS_MAX = 300


class Connections:
    """Makes the protocol of each new connection: what `loop.create_server` is given."""

    def __init__(self, config: Web, metrics: Metrics) -> None:
        self.config = config
        self.metrics = metrics
        self._server: web.Server | None = None
        self._opening: OrderedDict[Connection, float] = OrderedDict()  # their TLS handshake is not over
        self._open: set[Connection] = set()
        self._waiting: OrderedDict[Connection, None] = OrderedDict()  # for a request; the first for longest
        self._lingering = 0
        metrics.gauge("web_connections", lambda: len(self._open) + len(self._opening))

    async def accept(
        self, listening: socket.socket, server: web.Server, tls: ssl.SSLContext | None = None
    ) -> asyncio.Server:
        """Accept connections for `server`, which is `runner.server` once that is set up, until what is given closes."""
        self._server = server
        handshake_s = None if tls is None else self.config.header_timeout_s
        return await asyncio.get_running_loop().create_server(
            self, sock=listening, backlog=_BACKLOG, ssl=tls, ssl_handshake_timeout=handshake_s
        )

    def __call__(self) -> asyncio.Protocol:
        """The protocol of a connection that was just accepted."""
        assert self._server is not None
        loop = asyncio.get_running_loop()
        while self._opening and next(iter(self._opening.values())) <= loop.time():
            self._opening.popitem(last=False)
        if len(self._open) + len(self._opening) >= self.config.connections_max and not self._make_room():
            self.metrics.count("web_refused_total", why="connections")
            return _TurnedAway(self)
        connection = Connection(self, self._server, loop)
        self._opening[connection] = loop.time() + self.config.header_timeout_s
        return connection

    def _make_room(self) -> bool:
        if not self._waiting:
            return False
        oldest, _ = self._waiting.popitem(last=False)
        self.metrics.count("web_cut_total", why="room")
        self._open.discard(oldest)
        oldest.force_close()
        return True

    def opened(self, connection: Connection) -> None:
        """It can be written to now."""
        self._opening.pop(connection, None)
        self._open.add(connection)

    def closed(self, connection: Connection) -> None:
        """It is gone."""
        self._open.discard(connection)
        self._waiting.pop(connection, None)

    def waits(self, connection: Connection, is_waiting: bool) -> None:
        """It waits for a request, or one has come."""
        if not is_waiting:
            self._waiting.pop(connection, None)
        elif connection in self._open:
            self._waiting[connection] = None

    def lingers(self, by: int) -> bool:
        """One more is turned away, or one less; whether there is room to do it slowly."""
        self._lingering += by
        return self._lingering <= _LINGERING_MAX


class Connection(web.RequestHandler):
    """aiohttp's connection, with a time and a size for each request's head, and answers in our own form."""

    __slots__ = ("_answered", "_connections", "_deadline", "_head_bytes", "_is_waiting")

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

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It begins by waiting for a request."""
        super().connection_made(transport)
        self._connections.opened(self)
        self._wait_for_head()
        self._arm()

    def connection_lost(self, exc: BaseException | None) -> None:
        """It is over."""
        self._disarm()
        self._connections.closed(self)
        super().connection_lost(exc)

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

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Answer; the next request is waited for only where all of this one has been read."""
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
            return super().handle_error(request, status, exc, message)
        self._connections.metrics.count("web_refused_total", why="head")
        words = (message or str(exc))[:_WORDS_MAX]
        log.debug("bad request", error=words)
        too_large = isinstance(exc, LineTooLong) or words.startswith("Too many headers")
        answer = refusal(431, "head_too_large", words) if too_large else refusal(400, "bad_request", words)
        answer.headers["Connection"] = "close"  # of a request that cannot be read nobody knows its version
        answer.force_close()
        return answer

    def log_exception(self, *args: Any, **more: Any) -> None:  # noqa: ANN401  # as aiohttp has it
        """A client that goes away before all of a refused body has come is no mistake of ours: a traceback each would
        let anybody fill the log."""
        if self.transport is None and isinstance(more.get("exc_info"), RuntimeError | ConnectionError):
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
        self.force_close()

    def _refuse_head(self) -> None:
        config = self._connections.config
        most = HEAD_TIMES * config.header_bytes_max
        self._connections.metrics.count("web_refused_total", why="head")
        if self.transport is not None:
            words = f"a request's head has at most {most} bytes, {HEAD_TIMES} times web.header_bytes_max"
            self.transport.write(refusal_text(431, "head_too_large", words))
        self.force_close()


class _TurnedAway(asyncio.Protocol):
    """A connection too many: it is answered at once, and closed when the client has had time to read that."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        most = self._connections.config.connections_max
        words = f"this server has its {most} connections: try again later"
        transport.write(refusal_text(503, "too_many_connections", words, retry_s=1))
        if not self._connections.lingers(1):
            transport.close()
        elif transport.can_write_eof():
            transport.write_eof()
        asyncio.get_running_loop().call_later(_LINGER_S, transport.close)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._transport is not None:
            self._transport = None
            self._connections.lingers(-1)
