"""A Redis server as live and leases use it: a pool that never waits long, and connections that never mend themselves.

redis-py retries, reconnects and subscribes anew by itself unless told otherwise; then a caller waits for seconds where
the server is away, and a loss is not seen. Here it does none of that: what fails, fails at once, as TransportError.
RESP 2, because a subscriber's answers are then plain lists on every version of the server.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import RedisError

from duco_rt.errors import TransportError
from duco_rt.transports.certificates import explained

CALL_S = 2.0
"""The longest that a call may take, connecting included."""

_CONNECT_S = 1.0
_CONNECTIONS_MAX = 16
_ERRORS = (RedisError, OSError)  # OSError: also what a time limit raises


class RedisClient:
    """One server: `url` is redis://host:port[/db], or rediss:// for TLS.

    `ca_file`, with rediss://: the authority that must have signed the server's certificate; "" is the system's.
    `section` is that of the configuration, for what errors say of it.
    """

    def __init__(
        self, url: str, *, user: str = "", password: str = "", ca_file: str = "", section: str = "live"
    ) -> None:
        self._section = section
        parts = urlsplit(url)
        self.name = f"{parts.scheme}://{parts.hostname}:{parts.port or 6379}"  # without a password that may be in it
        options: dict[str, Any] = {"username": user or None, "password": password or None}
        if parts.scheme == "rediss" and ca_file:
            options["ssl_ca_certs"] = ca_file
        self._pool = BlockingConnectionPool.from_url(
            url,
            max_connections=_CONNECTIONS_MAX,
            timeout=CALL_S,
            socket_timeout=None,  # each use has a time limit of its own; the driver's costs a task a call
            socket_connect_timeout=_CONNECT_S,
            protocol=2,
            driver_info=None,
            **options,
        )
        self.redis: Redis = Redis(connection_pool=self._pool)

    @contextmanager
    def edge(self, what: str) -> Iterator[None]:
        """The driver's errors, alone or in a group, become TransportError."""
        try:
            yield
        except ExceptionGroup as group:
            known, others = group.split(_ERRORS)
            if others is not None or known is None:
                raise
            raise self._error(what, known.exceptions[0]) from group
        except _ERRORS as e:
            raise self._error(what, e) from e

    def _error(self, what: str, error: BaseException) -> TransportError:
        text = explained(str(error), self._section) or "no answer in time"
        return TransportError(f"{self.name}: {what}: {text}")

    @asynccontextmanager
    async def limit(self, what: str) -> AsyncIterator[None]:
        """Around calls of `redis` that together take `CALL_S` at most; `what` is for the error's text."""
        with self.edge(what):
            async with asyncio.timeout(CALL_S):
                yield

    async def execute(self, what: str, *words: bytes | str | int) -> Any:  # noqa: ANN401  # whatever the command answers
        """One command on a connection of the pool."""
        async with self.limit(what):
            return await self.redis.execute_command(*words)  # type: ignore[no-untyped-call]  # redis-py's own

    @asynccontextmanager
    async def connection(self, what: str) -> AsyncIterator[AbstractConnection]:
        """A connection of its own, which ends with the block and is never made anew."""
        connection: AbstractConnection = self._pool.make_connection()  # type: ignore[no-untyped-call]  # redis-py's own
        with self.edge(what):
            try:
                async with asyncio.timeout(CALL_S):
                    await connection.connect()  # type: ignore[no-untyped-call]  # redis-py's own
                yield connection
            finally:
                await connection.disconnect(nowait=True)

    async def check(self) -> None:
        """Raises TransportError where the server does not answer."""
        await self.execute("ping", "PING")

    async def close(self) -> None:
        """End the pool's connections."""
        with suppress(*_ERRORS):  # where the server is away, nothing can end in order
            await self._pool.disconnect()
