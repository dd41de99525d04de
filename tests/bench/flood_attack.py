"""One tenant at full speed against a studio: what tests.bench.flood runs in a process of its own.

`python -m tests.bench.flood_attack PORT CONNECTIONS TOKEN…`: until killed, or its parent ends. A line of JSON twice
a second: what it got so far.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import suppress

import uvloop

from tests.bench.live_client import HOST, masked

BASE = "/api/resources/a/_common/datasets"
VIEW = f"{BASE}/A_1/live?msgType=vehicle_can"
FIELDS = [f"signal_{number:03d}" for number in range(200)]
PATHS = (BASE, f"{BASE}/A_1/history?fields=signal_001,signal_002", f"{BASE}/A_1/fields", f"{BASE}/_groups")

_READ = 65_536
_PIPELINED = 4

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Attack:
    """All of it; `got` counts answers by kind."""

    def __init__(self, port: int, tokens: list[str]) -> None:
        self._port = port
        self._tokens = itertools.cycle(tokens)
        self.got: Counter[str] = Counter()

    async def run(self, connections: int) -> None:
        """So many viewers that only read, and the rest beside them."""
        async with asyncio.TaskGroup() as tasks:
            works: list[Coroutine[object, object, None]] = []
            works += [self._again(self._watch) for _ in range(connections)]
            works += [self._again(self._lists) for _ in range(20)]
            works += [self._again(self._nonsense) for _ in range(20)]
            works += [self._again(self._pings) for _ in range(10)]
            works += [self._again(self._requests) for _ in range(60)]
            works += [self._again(self._guesses) for _ in range(10)]
            works += [self._again(self._once) for _ in range(4)]
            for work in works:
                tasks.create_task(work)
            parent = os.getppid()
            while os.getppid() == parent:
                await asyncio.sleep(0.5)
                print(json.dumps(self.got), flush=True)
            os._exit(1)  # whoever started it is gone

    async def _again(self, work: Callable[[Streams], Awaitable[None]]) -> None:
        """Over connections, one after the other; who is refused comes again in a second."""
        while True:
            with suppress(OSError, EOFError, ExceptionGroup):  # of such alone: nobody raises others
                reader, writer = await asyncio.open_connection(HOST, self._port)
                try:
                    await work((reader, writer))
                finally:
                    writer.transport.abort()
            await asyncio.sleep(1.0 if work != self._once else 0)

    def _head(self, path: str, token: str, *more: str) -> bytes:
        lines = [f"GET {path} HTTP/1.1", f"Host: {HOST}:{self._port}", f"Authorization: Bearer {token}", *more, "", ""]
        return "\r\n".join(lines).encode()

    async def _answer(self, reader: asyncio.StreamReader) -> int:
        head = await reader.readuntil(b"\r\n\r\n")
        status = int(head[9:12])
        self.got[f"{status}"] += 1
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                await reader.readexactly(int(line[15:]))
        return status

    async def _view(self, streams: Streams) -> bool:
        more = "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"
        key = "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="
        streams[1].write(self._head(VIEW, next(self._tokens), *more, key))
        return await self._answer(streams[0]) == 101

    async def _watch(self, streams: Streams) -> None:
        if await self._view(streams):
            streams[1].write(masked(json.dumps({"type": "INIT_FIELD_LIST", "payload": FIELDS[:12]}).encode()))
            while await streams[0].read(_READ):
                self.got["pieces"] += 1

    async def _say(self, streams: Streams, messages: Iterator[bytes]) -> None:
        """As fast as it takes them, and what it answers is read."""
        if not await self._view(streams):
            return
        async with asyncio.TaskGroup() as tasks:
            reading = tasks.create_task(self._drain(streams[0]))
            try:
                while not reading.done():
                    streams[1].write(b"".join(itertools.islice(messages, 20)))
                    await streams[1].drain()
                    self.got["messages"] += 20
                    await asyncio.sleep(0)
            finally:
                reading.cancel()

    async def _drain(self, reader: asyncio.StreamReader) -> None:
        with suppress(OSError):
            while await reader.read(_READ):
                pass

    async def _lists(self, streams: Streams) -> None:
        def messages() -> Iterator[bytes]:
            for number in itertools.count():
                names = [FIELDS[(number * 7 + step) % 200] for step in range(100)] + [f"s*_{number % 100:02d}"]
                yield masked(json.dumps({"type": "INIT_FIELD_LIST", "payload": names, "history": 60}).encode())

        await self._say(streams, messages())

    async def _nonsense(self, streams: Streams) -> None:
        await self._say(
            streams, itertools.cycle([masked(b'{"type":'), masked(b'{"type":"NONSENSE"}'), masked(b"x" * 500)])
        )

    async def _pings(self, streams: Streams) -> None:
        await self._say(streams, itertools.repeat(b"\x89\x80\0\0\0\0"))

    async def _requests(self, streams: Streams) -> None:
        token = next(self._tokens)
        for at in itertools.count():
            streams[1].write(b"".join(self._head(PATHS[(at + step) % len(PATHS)], token) for step in range(_PIPELINED)))
            for _ in range(_PIPELINED):
                await self._answer(streams[0])

    async def _guesses(self, streams: Streams) -> None:
        for number in itertools.count():
            streams[1].write(self._head(BASE, f"duco_{number:016x}_{'x' * 43}"))
            await self._answer(streams[0])

    async def _once(self, streams: Streams) -> None:
        streams[1].write(self._head(BASE, next(self._tokens)))
        await self._answer(streams[0])


async def main() -> None:
    """Run it."""
    port, connections, *tokens = sys.argv[1:]
    await Attack(int(port), tokens).run(int(connections))


if __name__ == "__main__":
    uvloop.run(main())
