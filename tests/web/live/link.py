"""A WebSocket connection by hand: small buffers, and nothing is read but when it is asked for."""

from __future__ import annotations

import asyncio
import json
import socket
import zlib
from typing import Any

import msgspec

from tests.bench.live_client import masked


class Link:
    """A WebSocket of a viewer's own, that may read nothing."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @staticmethod
    async def open(port: int, path: str, more: str = "") -> Link:
        """Connect with a small receive buffer. `more`: header lines."""
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
        reader, writer = await asyncio.open_connection(sock=sock, limit=4096)
        writer.write(
            f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n{more}\r\n".encode()
        )
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101"), head
        return Link(reader, writer)

    def say(self, **message: object) -> None:
        """Send a message."""
        self._writer.write(masked(json.dumps(message).encode()))

    async def receive(self) -> dict[str, Any]:
        """The next message; pings are answered. Raises EOFError at the end, with the close code."""
        while True:
            first, size = await self._reader.readexactly(2)
            if size >= 126:
                size = int.from_bytes(await self._reader.readexactly(2 if size == 126 else 8), "big")
            content = await self._reader.readexactly(size)
            if first & 15 == 9:
                self._writer.write(b"\x8a\x80\0\0\0\0")
            elif first & 15 == 8:
                raise EOFError(int.from_bytes(content[:2], "big"))
            elif first & 15 in (1, 2):
                if first & 0x40:
                    content = zlib.decompressobj(-15).decompress(content + b"\0\0\xff\xff")
                read: dict[str, Any] = (msgspec.json if first & 15 == 1 else msgspec.msgpack).decode(content)
                return read

    def end(self, *, orderly: bool) -> None:
        """Close, or cut."""
        if orderly:
            self._writer.write(b"\x88\x82\0\0\0\0\x03\xe8")
            self._writer.close()
        else:
            self._writer.transport.abort()
