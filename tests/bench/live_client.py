"""The viewers of a bench in one process: sockets under epoll, frames counted by their lengths, some of them checked.

Commands come on stdin, a JSON object a line; each is answered by one on stdout. See `Client.act`.
"""

from __future__ import annotations

import json
import select
import socket
import struct
import sys
import time
import zlib
from typing import Any

from tests.bench.live_parts import SENT, value_of

HOST = "127.0.0.1"
CHECK_EVERY = 997
_SENT = f'"{SENT}":'.encode()
_PONG = b"\x8a\x80\0\0\0\0"
_OFFER = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"  # as a browser's


def masked(text: bytes) -> bytes:
    """A client's text frame with the mask 0, which leaves the text as it is."""
    size = bytes([0x80 | len(text)]) if len(text) < 126 else b"\xfe" + struct.pack(">H", len(text))
    return b"\x81" + size + b"\0\0\0\0" + text


class Viewer:
    """One connection."""

    __slots__ = ("apart", "checks", "fields", "frames", "rest", "sock")

    def __init__(self, sock: socket.socket, fields: list[str], *, checks: bool, apart: bool) -> None:
        self.sock = sock
        self.fields = fields
        self.checks = checks
        self.apart = apart
        self.frames = 0
        self.rest = b""


class Client:
    """All viewers, and what they got since the last reset."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._epoll.register(sys.stdin.fileno(), select.EPOLLIN)
        self._viewers: dict[int, Viewer] = {}
        self._paused: list[Viewer] = []
        self._buffer = bytearray(1 << 18)
        self._delayed = False
        self._nap_s = 0.0
        self._closed = 0
        self._reset()

    def _reset(self) -> None:
        for viewer in self._viewers.values():
            viewer.frames = 0
        self._delays_ns: list[int] = []
        self._marked = 0
        self._frames = self._bytes = self._checked = self._wrong = 0

    def run(self) -> None:
        """Until stdin ends."""
        stdin, view, buffer = sys.stdin.fileno(), memoryview(self._buffer), self._buffer
        viewers = self._viewers
        while True:
            time.sleep(self._nap_s)
            for fd, _ in self._epoll.poll():
                if fd == stdin:
                    line = sys.stdin.readline()
                    if not line:
                        return
                    print(json.dumps(self.act(json.loads(line))), flush=True)
                    continue
                viewer = viewers.get(fd)
                if viewer is None:
                    continue
                start = len(viewer.rest)
                try:
                    size = viewer.sock.recv_into(view[start:] if start else buffer)
                except BlockingIOError:
                    continue
                except OSError:
                    size = 0
                if not size:
                    self._close(viewer)
                    continue
                self._bytes += size
                if start:
                    buffer[:start] = viewer.rest
                self._split(viewer, start + size)

    def _split(self, viewer: Viewer, end: int) -> None:
        """Count the frames of the buffer up to `end`, and keep what is no whole one."""
        buffer, at = self._buffer, 0
        while end - at >= 2:
            size, begin = buffer[at + 1], at + 2
            if size == 126:
                size, begin = (buffer[at + 2] << 8 | buffer[at + 3] if end - at >= 4 else 1 << 40), at + 4
            elif size == 127:
                size, begin = (int.from_bytes(buffer[at + 2 : at + 10], "big") if end - at >= 10 else 1 << 40), at + 10
            if begin + size > end:
                break
            first = buffer[at]
            if first & 8:
                self._control(viewer, first & 15)
            elif not viewer.apart:
                self._frames += 1
                viewer.frames += 1
                if self._delayed:
                    self._delay(begin, begin + size)
                if viewer.checks and self._frames % CHECK_EVERY == 0:
                    self._check(viewer, first, bytes(buffer[begin : begin + size]))
            at = begin + size
        viewer.rest = bytes(buffer[at:end]) if at < end else b""

    def _control(self, viewer: Viewer, opcode: int) -> None:
        if opcode == 9:
            viewer.sock.send(_PONG)
        elif opcode == 8:
            self._close(viewer)

    def _close(self, viewer: Viewer) -> None:
        if self._viewers.pop(viewer.sock.fileno(), None) is not None:
            self._epoll.unregister(viewer.sock.fileno())
            viewer.sock.close()
            self._closed += 1

    def _delay(self, begin: int, end: int) -> None:
        now_ns = time.monotonic_ns()
        at = self._buffer.find(_SENT, begin, end)
        if at >= 0:
            at += len(_SENT)
            stops = [each for each in (self._buffer.find(b",", at, end), self._buffer.find(b"}", at, end)) if each > 0]
            self._delays_ns.append(now_ns - int(self._buffer[at : min(stops)]))

    def _check(self, viewer: Viewer, first: int, content: bytes) -> None:
        self._checked += 1
        text = zlib.decompressobj(-15).decompress(content + b"\0\0\xff\xff") if first & 0x40 else content
        read = json.loads(text)
        wanted = {name: value_of(name, read["seq"]) for name in viewer.fields if name != SENT}
        got = {name: value for name, value in read["payload"].items() if name != SENT}
        self._wrong += read["type"] != "LIVE_DATA" or got != wanted

    def act(self, order: dict[str, Any]) -> dict[str, Any]:
        """connect: viewers of a server; those with a `small` buffer are read and not counted. report: what came; close:
        all connections.

        reset: forget what came, and from now on note `delays`, and sleep `nap_s` before each look, so that no server
        pays for waking the client; mark: what comes now is summed up apart, too; pause and resume: the last so many
        viewers read nothing, or go on.
        """
        match order.pop("do"):
            case "connect":
                return self._connect(**order)
            case "reset":
                self._delayed, self._nap_s = bool(order.get("delays")), order.get("nap_s", 0.0)
                self._reset()
            case "mark":
                self._marked = len(self._delays_ns)
            case "pause":
                self._paused = list(self._viewers.values())[-order["last"] :]
                for viewer in self._paused:
                    self._epoll.unregister(viewer.sock.fileno())
            case "resume":
                for viewer in self._paused:
                    self._epoll.register(viewer.sock.fileno(), select.EPOLLIN)
                self._paused = []
            case "close":
                for viewer in list(self._viewers.values()):
                    self._close(viewer)
            case "report":
                return self._report()
        return {}

    def _report(self) -> dict[str, Any]:
        counts = [viewer.frames for viewer in self._viewers.values() if not viewer.apart]
        return {
            "frames": self._frames,
            "bytes": self._bytes,
            "least": min(counts, default=0),
            "most": max(counts, default=0),
            "checked": self._checked,
            "wrong": self._wrong,
            "opaque": sum(not viewer.checks for viewer in self._viewers.values()),
            "closed": self._closed,
            "delays_ms": summary(self._delays_ns),
            "marked_ms": summary(self._delays_ns[self._marked :]),
        }

    def _connect(
        self, port: int, path: str, lists: list[list[str]], count: int, deflate: bool = False, small: bool = False
    ) -> dict[str, Any]:
        for number in range(count):
            sock, fields = socket.socket(), lists[number % len(lists)]
            if small:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.connect((HOST, port))
            answer = handshake(sock, path, port, deflate)
            checks = not deflate or "server_no_context_takeover" in answer
            sock.sendall(masked(json.dumps({"type": "INIT_FIELD_LIST", "payload": fields}).encode()))
            sock.setblocking(False)
            self._viewers[sock.fileno()] = Viewer(sock, fields, checks=checks, apart=small)
            self._epoll.register(sock.fileno(), select.EPOLLIN)
        return {"count": count}


def summary(delays_ns: list[int]) -> dict[str, float]:
    """Percentiles in ms; empty for nothing."""
    ordered = sorted(delays_ns)
    if not ordered:
        return {}
    at = {f"p{each}": ordered[int(len(ordered) * each / 100)] / 1e6 for each in (50, 99)}
    return {**at, "most": ordered[-1] / 1e6}


def handshake(sock: socket.socket, path: str, port: int, deflate: bool) -> str:
    """Ask for a WebSocket; the answer's head. Raises ConnectionError where the server refuses."""
    extension = _OFFER if deflate else ""
    head = (
        f"GET {path} HTTP/1.1\r\nHost: {HOST}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n{extension}\r\n"
    )
    sock.sendall(head.encode())
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):  # nothing follows before the first field list
        got = sock.recv(4096)
        if not got:
            break
        answer += got
    if not answer.startswith(b"HTTP/1.1 101"):
        raise ConnectionError(f"no WebSocket: {answer[:200]!r}")
    return answer.decode()


if __name__ == "__main__":
    Client().run()
