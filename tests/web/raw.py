"""A client by hand: what it sends is bytes, and it may stop in the middle."""

from __future__ import annotations

import asyncio
import json
from typing import Any, NamedTuple

WITHIN_S = 20.0


class Answer(NamedTuple):
    """One answer; `ends`: the connection is over with it."""

    status: int
    headers: dict[str, str]
    body: Any
    ends: bool


class Raw:
    """A TCP connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @staticmethod
    async def open(url: str, at: str = "127.0.0.1") -> Raw:
        """Connect to a server, by its address; from another one of this machine's own, 127.0.0.2."""
        host, _, port = url.rpartition("/")[2].partition(":")
        return Raw(*await asyncio.open_connection(host, int(port), local_addr=(at, 0)))

    def send(self, text: str | bytes) -> None:
        """Send some bytes."""
        self._writer.write(text.encode() if isinstance(text, str) else text)

    def ask(self, path: str, *headers: str, method: str = "GET") -> None:
        """Send a request's head."""
        self.send("\r\n".join([f"{method} {path} HTTP/1.1", "Host: localhost", *headers, "", ""]))

    async def answer(self) -> Answer:
        """The next answer. Raises IncompleteReadError where the connection ends without one."""
        async with asyncio.timeout(WITHIN_S):
            head = (await self._reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
            text = await self._reader.readexactly(int(headers.get("content-length", 0)))
        ends = headers.get("connection") == "close"
        is_json = headers.get("content-type", "").startswith("application/json")
        return Answer(int(head[0].split()[1]), headers, json.loads(text) if is_json else text, ends)

    async def ended(self) -> bool:
        """Return once the other end has closed: whether nothing came before that."""
        async with asyncio.timeout(WITHIN_S):
            try:
                return not await self._reader.read()
            except ConnectionError:
                return True

    def end(self) -> None:
        """Close, once all is sent."""
        self._writer.close()

    def close(self) -> None:
        """Cut."""
        self._writer.transport.abort()


def code(answer: Answer) -> str:
    """An error's code."""
    return str(answer.body["error"]["code"])
