"""A server that accepts and never answers: a program that hangs, seen from outside."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from typing import Self

from tests.servers.server import HOST, free_port


class Deaf:
    """Takes connections on a port of loopback, reads nothing and says nothing, until the block ends."""

    def __init__(self, port: int | None = None) -> None:
        self.port = free_port() if port is None else port
        self.taken: list[socket.socket] = []

    async def __aenter__(self) -> Self:
        self._listening = socket.create_server((HOST, self.port), backlog=256)
        self._listening.setblocking(False)
        self._accepting = asyncio.get_running_loop().create_task(self._accept())  # cancelled in `__aexit__`
        return self

    async def _accept(self) -> None:
        while True:
            taken, _ = await asyncio.get_running_loop().sock_accept(self._listening)
            self.taken.append(taken)

    async def __aexit__(self, *_: object) -> None:
        self._accepting.cancel()
        with suppress(asyncio.CancelledError):
            await self._accepting
        for each in (*self.taken, self._listening):
            each.close()
