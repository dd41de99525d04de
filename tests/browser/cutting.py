"""A network that cuts every WebSocket after a second or two, now and then in the middle of a frame."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

CHUNK_BYTES = 65_536


class Cutter:
    """A TCP proxy on 127.0.0.1; ordinary HTTP goes through it whole."""

    def __init__(self, port: int, random: Random, least_s: float, most_s: float) -> None:
        self._port = port
        self._random = random
        self._between_s = least_s, most_s
        self._serving: set[asyncio.Task[None]] = set()
        self.port = 0
        self.cuts = 0
        self.is_cutting = True

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Cutter]:
        """Serve as long as the block."""
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for serving in self._serving:
                serving.cancel()
            await asyncio.gather(*self._serving, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving = asyncio.current_task()
        assert serving is not None
        self._serving.add(serving)
        try:
            await self._serve(reader, writer)
        finally:
            self._serving.discard(serving)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            up_writer.write(head)
            is_live = b"upgrade: websocket" in head.lower()
            async with asyncio.TaskGroup() as tasks:
                up = tasks.create_task(_pump(reader, up_writer))
                down = tasks.create_task(self._down(up_reader, writer, is_live and self.is_cutting))
                await asyncio.wait([up, down], return_when=asyncio.FIRST_COMPLETED)
                up.cancel()
                down.cancel()
        except (asyncio.IncompleteReadError, OSError):
            pass  # it ended by itself
        finally:
            writer.close()
            up_writer.transport.abort()

    async def _down(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, is_cut: bool) -> None:
        """Towards the browser, until the moment of the cut: at once, or inside of what comes next.

        Its time begins with what the server says after the handshake: where that takes long, nothing would ever arrive.
        """
        if not is_cut:
            await _pump(reader, writer)
            return
        is_inside = self._random.random() < 0.3
        for _ in range(2):  # the handshake, and the answer to the first question
            if not await _pass_on(reader, writer):
                return
        try:
            async with asyncio.timeout(self._random.uniform(*self._between_s)):
                await _pump(reader, writer)
                return
        except TimeoutError:
            self.cuts += 1
        if is_inside:
            data = await reader.read(CHUNK_BYTES)
            writer.write(data[: self._random.randrange(1, max(2, len(data)))])
            await writer.drain()
            writer.close()
        else:
            writer.transport.abort()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while await _pass_on(reader, writer):
        pass


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """What comes next; false at the end."""
    if not (data := await reader.read(CHUNK_BYTES)):
        return False
    writer.write(data)
    await writer.drain()
    return True
