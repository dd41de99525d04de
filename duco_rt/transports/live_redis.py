"""What the two live transports on Redis share: one subscribing connection a process, carried by `run`.

Publishing has connections of its own, so that it neither waits for the subscriber nor wakes it.
"""

from __future__ import annotations

import asyncio
import time

import structlog
from redis.asyncio.connection import AbstractConnection

from duco_rt.errors import TransportError
from duco_rt.pipeline.runner import backoff_s
from duco_rt.seeing.metrics import Metrics
from duco_rt.transports.live_queue import Queues
from duco_rt.transports.redis_client import RedisClient

log = structlog.get_logger()

_PAUSE_S_MAX = 1.0
"""Between two attempts to connect: the server's return is noticed within it."""

_LASTING_S = 5.0
_LOG_S = 60.0


class RedisLive:
    """A subclass says what a session is: reading on one connection until it is lost."""

    def __init__(self, client: RedisClient, queue_messages_max: int, metrics: Metrics) -> None:
        self._client = client
        self._metrics = metrics
        self._queues = Queues(queue_messages_max, metrics, self._left)
        self._changed = asyncio.Event()
        self._lost: TransportError | None = None
        self._sessions = 0
        self._established = False
        self._is_closed = False
        self._next_log_s = 0.0

    async def run(self) -> None:
        """Carry all subscriptions on one connection, made anew where it is lost, until cancelled, or closed."""
        attempt = 0
        while not self._is_closed:
            begun_s = time.monotonic()
            self._established = False
            try:
                async with self._client.connection("subscriptions") as connection:
                    await self._session(connection)
            except TransportError as e:
                self._fail(e)
            except Exception as e:  # told to those who wait; whoever carries this begins it again
                self._fail(TransportError(f"{self._client.name}: subscriptions: {e!r}"))
                raise
            # one that is lost at once again and again is not a reason to try at once
            attempt = 0 if self._established and time.monotonic() - begun_s > _LASTING_S else attempt + 1
            await asyncio.sleep(backoff_s(attempt, most_s=_PAUSE_S_MAX))

    async def _session(self, connection: AbstractConnection) -> None:
        """Read until the connection is lost; call `_is_up` as soon as the server answers."""
        raise NotImplementedError

    def _is_up(self) -> None:
        if self._established:
            return
        self._established = True
        self._lost = None
        if self._sessions and self._queues.channels:
            self._metrics.count("live_resubscribed_total")
        self._sessions += 1

    def _fail(self, error: TransportError) -> None:
        """The connection is lost, or could not be made."""
        self._lost = error
        if time.monotonic() >= self._next_log_s:
            self._next_log_s = time.monotonic() + _LOG_S
            log.warning("live subscriptions lost, connecting anew", error=str(error))

    def _left(self, channel: str) -> None:
        """The channel's last subscription ended."""
        self._changed.set()

    async def check(self) -> None:
        """Raises TransportError where the server does not answer, or the subscriptions are lost."""
        await self._client.check()
        if self._lost is not None:
            raise self._lost

    async def close(self) -> None:
        """End all subscriptions, and the connections that publish."""
        self._is_closed = True
        self._queues.close()
        await self._client.close()
