"""Takes connections off a listening socket: whose they are is known before anything is done for them.

A loop's own server tells that only when TLS has shaken hands, which one who says nothing puts off.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from typing import cast

import structlog

log = structlog.get_logger()

Begin = Callable[[str], asyncio.Protocol | None]
"""An address → the protocol of its new connection; None: it is closed."""

_AT_ONCE = 4
"""What a connection brings with it is looked at in the same turn of the loop: those who are in come in between."""

_PAUSE_S = 1.0
_LINGER_S = 1.0


class Accepting:
    """Until `close`, connections of a listening socket get the protocols that `begin` makes.

    `failed` is told of a protocol that never has its `connection_made`.
    """

    def __init__(
        self,
        listening: socket.socket,
        begin: Begin,
        failed: Callable[[asyncio.Protocol], None],
        tls: ssl.SSLContext | None,
        handshake_s: float,
    ) -> None:
        self._listening = listening
        self._begin = begin
        self._failed = failed
        self._tls = tls
        self._handshake_s = None if tls is None else handshake_s
        self._loop = asyncio.get_running_loop()
        self._opening: set[asyncio.Task[None]] = set()
        listening.setblocking(False)
        self._accepting = self._loop.create_task(self._accept())  # `close` ends it, and those that it begins
        self._accepting.add_done_callback(lambda _: listening.close())

    def close(self) -> None:
        """Accept no more, and close the socket; what is not open yet is over."""
        self._accepting.cancel()
        for task in self._opening:
            task.cancel()

    async def _accept(self) -> None:
        while True:
            try:
                self._take(*await self._loop.sock_accept(self._listening))
                for _ in range(_AT_ONCE - 1):  # who came with it
                    self._take(*self._listening.accept())
                await asyncio.sleep(0)
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                pass
            except OSError as e:  # no more open files, or memory: whoever waits is there in a second still
                log.error("no connection can be accepted", error=str(e), again_s=_PAUSE_S)
                await asyncio.sleep(_PAUSE_S)
            except Exception as e:  # a defect costs one connection; without this loop nobody would come in any more
                log.error("connection not accepted", exc_info=e)
                await asyncio.sleep(_PAUSE_S)

    def _take(self, connection: socket.socket, peer: tuple[str, int]) -> None:
        protocol = None
        try:
            protocol = self._begin(peer[0])
        finally:
            if protocol is None:
                connection.close()
        if protocol is None:
            return
        connection.setblocking(False)
        task = self._loop.create_task(self._open(connection, protocol))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    async def _open(self, connection: socket.socket, protocol: asyncio.Protocol) -> None:
        is_open = False
        try:
            await self._loop.connect_accepted_socket(
                lambda: protocol, connection, ssl=self._tls, ssl_handshake_timeout=self._handshake_s
            )
            is_open = True
        except OSError:  # no TLS, none in time (TimeoutError), or gone: nobody's mistake but the client's
            pass
        finally:
            if not is_open:
                self._failed(protocol)


class TurnedAway(asyncio.Protocol):
    """A connection too many: it is answered at once, and closed when the client has had time to read that."""

    def __init__(self, answer: bytes, over: Callable[[asyncio.Protocol], None]) -> None:
        """`over` is called with it in the end."""
        self._answer = answer
        self._over = over

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Say it."""
        stream = cast(asyncio.Transport, transport)  # uvloop's is none by its class
        stream.write(self._answer)
        if stream.can_write_eof():
            stream.write_eof()
        asyncio.get_running_loop().call_later(_LINGER_S, stream.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone."""
        self._over(self)
