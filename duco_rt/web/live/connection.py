"""One viewer's WebSocket: aiohttp shakes hands, reads and closes; finished frames go straight to the transport.

A frame that is written while the transport still holds bytes would only wait there. So it is not written: the viewer
is behind, and gets what it lacks when all is written. uvloop counts what was written once its turn is over, so a
transport is asked before a write, never after one.
"""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from typing import TypeVar

from aiohttp import WSMessage, WSMsgType, hdrs, web
from aiohttp.abc import AbstractStreamWriter

from duco_rt.errors import drop_frames
from duco_rt.web.live.frames import Encoding, frame

MSGPACK = "duco.msgpack"
"""The subprotocol of those who want MessagePack."""

OVERLOADED = 1013

_HEARTBEAT_S = 30.0
_CLOSE_S = 2.0
_PROBE_S = 5.0
_PONG = b"\x8a\x00"
"""Unasked, it wants no answer (RFC 6455, 5.5.3)."""

_NOT_SENT_BYTES = 16 * 1024
"""More than this does not go to the system's socket before the client takes it: old samples would hide there."""

_NOT_SENT = getattr(socket, "TCP_NOTSENT_LOWAT", 25 if hasattr(socket, "TCP_CORK") else None)
"""Linux has it; Python names it from 3.12 on."""

_ESTABLISHED = 1
_WINDOW_BITS_MIN = 12
"""What `frames` compresses with."""


class Connection:
    """A viewer's connection. `write` and `waiting_bytes` are the transport's own: they are called for each frame."""

    __slots__ = (
        "_added", "_probed_s", "_reason", "_request", "_scope", "_socket", "_writer",
        "encoding", "waiting_bytes", "write",
    )  # fmt: skip

    def __init__(self, request: web.Request, socket_: web.WebSocketResponse, writer: AbstractStreamWriter) -> None:
        """Use `connect`. The transport must still be there."""
        transport = request.transport
        assert transport is not None
        self._request = request
        self._socket = socket_
        self._writer = writer
        self._scope: asyncio.Timeout | None = None
        self._reason: tuple[int, bytes] | None = None
        self._added = 0
        self._probed_s = 0.0
        self.encoding = Encoding(socket_.ws_protocol == MSGPACK, bool(socket_.compress))
        self.write = transport.write
        self.waiting_bytes = transport.get_write_buffer_size

    @property
    def is_ending(self) -> bool:
        """Whether `end` was called, or the client is gone."""
        return self._reason is not None or self._request.transport is None

    def has_left(self) -> bool:
        """Whether the client has closed or is gone, though what it said is still to be read. Linux knows that.

        Of a client that was killed, what it said can stand before its end, and each piece that is read postpones
        aiohttp's heartbeat; so a little is written now and then, which its system answers with a reset.
        """
        now_s = asyncio.get_running_loop().time()
        if now_s - self._probed_s >= _PROBE_S:
            self._probed_s = now_s
            self.give([_PONG])
        transport, asked = self._request.transport, getattr(socket, "TCP_INFO", None)
        if transport is None or asked is None or not hasattr(socket, "TCP_CORK"):
            return transport is None
        try:
            state: int = transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, asked, 1)[0]
        except OSError:
            return True
        return state != _ESTABLISHED

    async def serve(self, act: Callable[[WSMessage], Awaitable[None]]) -> None:
        """Give each of the client's messages to `act`, until the client goes or `end` is called; then `finish` it.

        Pings are answered here and given to `act` as well: aiohttp would answer a whole piece of them in one go.
        """
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(None) as self._scope:
                    async for message in self._socket:
                        if message.type is WSMsgType.PING:
                            with suppress(ConnectionError):
                                await self._socket.pong(message.data)
                        await act(message)
                        await asyncio.sleep(0)  # many small messages in one piece must not hold up the others
        finally:
            self._scope = None

    async def finish(self) -> web.WebSocketResponse:
        """Close in order, within 2 s; a connection that takes no bytes at all is cut."""
        if self._reason is not None:
            code, reason = self._reason
            with suppress(TimeoutError):
                async with asyncio.timeout(_CLOSE_S):
                    await self._socket.close(code=code, message=reason, drain=False)
            self._abort()
        elif self.waiting_bytes():
            self._abort()
        drop_frames(self._socket.exception())
        return self._socket

    def end(self, code: int, reason: bytes) -> None:
        """Let `serve` return, and `finish` close with this code; the first call decides."""
        if self._reason is None:
            self._reason = code, reason
            if self._scope is not None:
                self._scope.reschedule(asyncio.get_running_loop().time())

    def say(self, text: bytes, bytes_max: int) -> bool:
        """Write an answer, given as JSON text. False where more than `bytes_max` waits already: then it is left."""
        if self.waiting_bytes() > bytes_max:
            return False
        self.give([frame(text, self.encoding)])
        return True

    def give(self, frames: Iterable[bytes]) -> bool:
        """Write finished frames. False where the client is gone."""
        whole = b"".join(frames)
        self._added += len(whole)
        try:
            self.write(whole)
        except RuntimeError:  # uvloop's transport once it is closed
            return False
        return not self.is_ending

    async def drained(self) -> None:
        """Return when nothing waits any more, or the client is gone."""
        with suppress(ConnectionError):
            await self._writer.drain()

    @property
    def passed_bytes(self) -> int:
        """Grows while the client takes what waits; counts from any number."""
        return self._added - self.waiting_bytes()

    def _abort(self) -> None:
        if self._request.transport is not None:
            self._request.transport.abort()


C = TypeVar("C", bound=Connection)


async def connect(request: web.Request, message_bytes_max: int) -> Connection:
    """Shake hands. Raises HTTPBadRequest where the client does not, ConnectionResetError where it is gone."""
    live = web.WebSocketResponse(
        heartbeat=_HEARTBEAT_S, max_msg_size=message_bytes_max, protocols=(MSGPACK,), autoping=False
    )
    writer = await live.prepare(_asking_for_frames_of_their_own(request))
    transport = request.transport
    if transport is None:
        raise ConnectionResetError("the client is gone")
    transport.set_write_buffer_limits(high=0)
    if _NOT_SENT is not None:
        with suppress(OSError):
            transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, _NOT_SENT, _NOT_SENT_BYTES)
    return Connection(request, live, writer)


def deliver(finished: bytes, viewers: Sequence[C]) -> list[C]:
    """Write a frame to each that is clear; those that are not, whose bytes still wait."""
    behind = []
    for viewer in viewers:
        try:
            if viewer.waiting_bytes():
                behind.append(viewer)
            else:
                viewer.write(finished)
        except RuntimeError:  # a closed transport of uvloop's: its handler is about to see it
            pass
    return behind


def _asking_for_frames_of_their_own(request: web.Request) -> web.Request:
    """The request with an offer of permessage-deflate that lets a frame be compressed for all viewers.

    That takes server_no_context_takeover, which a server may answer though it was not offered (RFC 7692, 7.1.1.1);
    aiohttp answers what it finds in the offer.
    """
    offered = request.headers.get(hdrs.SEC_WEBSOCKET_EXTENSIONS)
    if offered is None:
        return request
    headers = request.headers.copy()
    del headers[hdrs.SEC_WEBSOCKET_EXTENSIONS]
    if (accepted := accepted_offer(offered)) is not None:
        headers[hdrs.SEC_WEBSOCKET_EXTENSIONS] = accepted
    return request.clone(headers=headers)


def accepted_offer(offered: str) -> str | None:
    """The first offer of permessage-deflate that can be met, without context over messages; None for none."""
    for offer in offered.split(","):
        name, *parameters = (part.strip().replace(" ", "") for part in offer.split(";"))
        kept = [each for each in parameters if each != "server_no_context_takeover"]
        if name == "permessage-deflate" and all(map(_can_be_met, kept)):
            return "; ".join([name, "server_no_context_takeover", *kept])
    return None


def _can_be_met(parameter: str) -> bool:
    if parameter == "client_no_context_takeover":
        return True
    found = re.fullmatch(r'(server|client)_max_window_bits(?:="?([0-9]{1,2})"?)?', parameter)
    if found is None or (found[1] == "server" and found[2] is None):
        return False
    least = _WINDOW_BITS_MIN if found[1] == "server" else 8
    return found[2] is None or least <= int(found[2]) <= 15
