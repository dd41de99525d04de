"""Servers to compare with: `loop`, a bare loop of socket.send, and `aiohttp`, one that only accepts and reads.

`python -m tests.bench.live_plain loop|aiohttp PORT`
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import socket
import struct
import sys
import time

import uvloop
from aiohttp import web

from tests.bench.live_parts import value_of

HOST = "127.0.0.1"
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def frame_of(fields: list[str]) -> bytes:
    """A finished frame as the live service sends it."""
    payload = {name: value_of(name, 7) for name in fields}
    read = {"type": "LIVE_DATA", "payload": payload, "ts": 1_700_000_000_000, "seq": 7}
    text = json.dumps(read, separators=(",", ":")).encode()
    return b"\x81" + (bytes([len(text)]) if len(text) < 126 else b"\x7e" + struct.pack(">H", len(text))) + text


class Loop:
    """Viewers and their finished frames; a connection that says GO has all of them sent, again and again."""

    def __init__(self, port: int) -> None:
        self._listening = socket.create_server((HOST, port), backlog=1024)
        self._viewers: list[tuple[socket.socket, bytes]] = []
        self._frames: dict[str, bytes] = {}

    def run(self) -> None:
        """Until killed. One connection is served after the other."""
        while True:
            connection, _ = self._listening.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            said = connection.recv(4096)
            if said.startswith(b"GO "):
                count, rate = said.split()[1:]
                self._send(int(count), float(rate))
                connection.sendall(b"DONE")
                connection.close()
            elif said:
                self._welcome(connection, said)

    def _welcome(self, connection: socket.socket, said: bytes) -> None:
        while not said.endswith(b"\r\n\r\n"):
            said += connection.recv(4096)
        found = re.search(rb"Sec-WebSocket-Key: (\S+)", said)
        accept = base64.b64encode(hashlib.sha1((found[1] if found else b"") + _GUID).digest())
        head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        connection.sendall(head + b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n")
        read = b""
        while not read.endswith(b"}"):
            read += connection.recv(4096)
        text = read[read.index(b"{") :].decode()  # the load client's mask is 0
        frame = self._frames.setdefault(text, frame_of(json.loads(text)["payload"]))
        self._viewers.append((connection, frame))

    def _send(self, count: int, rate: float) -> None:
        """Every viewer's frame `count` times, `rate` times a second."""
        begun_s = time.monotonic()
        for number in range(count):
            time.sleep(max(0.0, begun_s + number / rate - time.monotonic()))
            for connection, frame in self._viewers:
                connection.send(frame)


def go(port: int, count: int, rate: float) -> None:
    """Have a Loop send to all of its viewers; return when it has."""
    with socket.create_connection((HOST, port)) as connection:
        connection.sendall(f"GO {count} {rate}".encode())
        connection.recv(4)


async def accept(request: web.Request) -> web.WebSocketResponse:
    """Read a viewer's messages and forget them."""
    ws = web.WebSocketResponse(heartbeat=30)
    await ws.prepare(request)
    async for _ in ws:
        pass
    return ws


def main() -> None:
    """The command."""
    kind, port = sys.argv[1], int(sys.argv[2])
    if kind == "loop":
        Loop(port).run()
    application = web.Application()
    application.router.add_get("/{path:.*}", accept)
    web.run_app(application, host=HOST, port=port, print=None, access_log=None, loop=uvloop.new_event_loop())


if __name__ == "__main__":
    main()
