"""A Redis server of a test's own."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from duco_rt.transports.base import Live
from tests.needs import needs
from tests.servers.server import HOST, Server

L = TypeVar("L", bound=Live)


class RedisServer(Server):
    """`appendonly`: data survives a kill; otherwise nothing does. `options` are lines of redis.conf, as a dict."""

    def __init__(
        self, folder: Path, *, password: str = "", appendonly: bool = False, options: dict[str, str] | None = None
    ) -> None:
        super().__init__(folder)
        self._program = needs("redis-server")
        self._password = password
        self._options = {
            "bind": HOST,
            "save": '""',
            "appendonly": "yes" if appendonly else "no",
            "appendfsync": "always",
            **({"requirepass": f'"{password}"'} if password else {}),
            **(options or {}),
        }

    @property
    def url(self) -> str:
        """The address without the password."""
        return f"redis://{HOST}:{self.port}"

    def command(self) -> list[str]:
        """Everything by a file, so that no password is in the list of processes."""
        lines = {"port": str(self.port), "dir": str(self.folder), **self._options}
        (self.folder / "redis.conf").write_text("".join(f"{name} {value}\n" for name, value in lines.items()))
        return [str(self._program), str(self.folder / "redis.conf")]

    def answers(self) -> bool:
        """Whether it answers PING, its data loaded."""
        try:
            return super().answers() and self.cli("PING").strip() == "PONG"
        except subprocess.TimeoutExpired:
            return False

    def cli(self, *words: str, data: bytes | None = None) -> str:
        """What redis-cli prints; `data` becomes the last argument (-x)."""
        command = [str(needs("redis-cli")), "-h", HOST, "-p", str(self.port), *(["-x"] if data else []), *words]
        login = {**os.environ, "REDISCLI_AUTH": self._password}
        return subprocess.run(
            command, input=data, env=login, capture_output=True, timeout=10, check=False
        ).stdout.decode()


@asynccontextmanager
async def carried(live: L) -> AsyncIterator[L]:
    """A live transport that runs as long as the block, and is closed after it."""
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(live.run())
        try:
            yield live
        finally:
            await live.close()
            running.cancel()


async def read(source: AsyncIterator[bytes], count: int, within_s: float = 20.0) -> list[bytes]:
    """The next messages of a subscription."""
    async with asyncio.timeout(within_s):
        return [await anext(source) for _ in range(count)]
