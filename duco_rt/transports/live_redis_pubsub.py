"""Live channels by Redis Pub/Sub: the channels that somebody here watches, or one pattern for all of them.

The server keeps nothing: what is published while the connection is lost, or was cut because this process read too
slowly (client-output-buffer-limit), is gone. Each loss is an error here, and counted (live_resubscribed_total).
"""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import AsyncIterator, Iterable
from itertools import islice
from typing import NamedTuple

from redis.asyncio.connection import AbstractConnection

from duco_rt.errors import TransportError
from duco_rt.seeing.metrics import Metrics
from duco_rt.transports.live_queue import Queue, Reader
from duco_rt.transports.live_redis import RedisLive
from duco_rt.transports.redis_client import CALL_S, RedisClient

PATTERN = "live-stream/*"

_PING_S = 1.0
_SILENT_PINGS_MAX = 3
"""So many pings without any sign of the server, and the connection is given up."""

_NAMES_A_COMMAND = 500


class _Ask(NamedTuple):
    """A call of `subscribe` that waits for the server's word; the queue is opened by whoever reads it."""

    channel: str
    answer: asyncio.Future[Queue]


class RedisPubSubLive(RedisLive):
    """`pattern`: subscribe to all machines at once instead of to each watched channel.

    Every `subscribe` sends a SUBSCRIBE of its own, though the channel is subscribed already: its confirmation comes
    after all that was published before, so the subscription begins exactly there.
    """

    def __init__(
        self,
        url: str,
        queue_messages_max: int,
        metrics: Metrics,
        *,
        pattern: bool,
        user: str = "",
        password: str = "",
        ca_file: str = "",
    ) -> None:
        client = RedisClient(url, user=user, password=password, ca_file=ca_file)
        super().__init__(client, queue_messages_max, metrics)
        self._pattern = pattern
        self._asks: dict[str, list[_Ask]] = {}  # to be sent, by the name that the server knows
        self._sent: dict[str, deque[list[_Ask]]] = {}  # not yet confirmed, in order
        self._subscribed: set[str] = set()  # sent on this connection and not taken back
        self._heard = 0

    async def publish(self, channel: str, message: bytes) -> None:
        """Hand to whoever is subscribed now, in all processes."""
        await self._client.execute("publish", "PUBLISH", channel, message)

    async def subscribe(self, channel: str) -> AsyncIterator[bytes]:
        """Messages from the server's confirmation on."""
        ask = _Ask(channel, asyncio.get_running_loop().create_future())
        self._asks.setdefault(self._name(channel), []).append(ask)
        self._changed.set()
        try:
            with self._client.edge("subscribe"):
                async with asyncio.timeout(CALL_S):
                    queue = await ask.answer
        except BaseException:
            if ask.answer.done() and not ask.answer.cancelled() and ask.answer.exception() is None:
                self._queues.leave(ask.answer.result())  # opened, but the caller was cancelled before it knew
            raise
        return Reader(self._queues, queue)

    async def recent(self, channel: str, back_s: float) -> list[bytes]:
        """The server keeps nothing."""
        return []

    def _name(self, channel: str) -> str:
        return PATTERN if self._pattern else channel

    async def _session(self, connection: AbstractConnection) -> None:
        self._sent.clear()
        self._subscribed.clear()
        self._heard = 0
        for channel in self._queues.channels:
            self._asks.setdefault(self._name(channel), [])
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._read(connection))
            tasks.create_task(self._tend(connection))

    async def _read(self, connection: AbstractConnection) -> None:
        while True:
            reply = await connection.read_response(timeout=math.inf)
            self._heard += 1
            match reply:
                case [b"message", channel, message] | [b"pmessage", _, channel, message]:
                    self._queues.offer(channel.decode("utf-8", "replace"), message)
                case [b"subscribe" | b"psubscribe", name, _]:
                    self._is_up()
                    self._confirmed(name.decode())
                case [b"pong", _] | b"PONG" | b"":  # with nothing subscribed the ping's own text comes back
                    self._is_up()

    def _confirmed(self, name: str) -> None:
        for ask in self._sent[name].popleft():
            if not ask.answer.done():
                ask.answer.set_result(self._queues.open(ask.channel))
        if not self._sent[name]:
            del self._sent[name]
            self._changed.set()  # those who asked may be gone again

    async def _tend(self, connection: AbstractConnection) -> None:
        """Send what changed, and a ping a second: only the lack of any answer tells that a server hangs."""
        loop = asyncio.get_running_loop()
        silent, heard, next_s = 0, -1, loop.time()
        while True:
            if loop.time() >= next_s:
                silent = silent + 1 if heard == self._heard else 0
                if silent >= _SILENT_PINGS_MAX:
                    raise TimeoutError(f"no sign of the server after {silent} pings")
                heard, next_s = self._heard, loop.time() + _PING_S
                await _send(connection, "PING", [""])
            self._changed.clear()
            await self._send_changes(connection)
            try:
                async with asyncio.timeout_at(next_s):
                    await self._changed.wait()
            except TimeoutError:
                pass

    async def _send_changes(self, connection: AbstractConnection) -> None:
        prefix = "P" if self._pattern else ""
        asks, self._asks = self._asks, {}
        for name, waiting in asks.items():
            self._sent.setdefault(name, deque()).append(waiting)
        self._subscribed.update(asks)
        await _send(connection, f"{prefix}SUBSCRIBE", asks)
        watched = {PATTERN} if self._pattern and self._queues.channels else set(self._queues.channels)
        gone = self._subscribed - watched - self._sent.keys()
        self._subscribed -= gone
        await _send(connection, f"{prefix}UNSUBSCRIBE", gone)

    def _fail(self, error: TransportError) -> None:
        super()._fail(error)
        waiting = [*self._asks.values(), *(each for sent in self._sent.values() for each in sent)]
        for ask in (ask for asks in waiting for ask in asks if not ask.answer.done()):
            ask.answer.set_exception(TransportError(str(error)))
        self._asks.clear()
        self._sent.clear()


async def _send(connection: AbstractConnection, command: str, names: Iterable[str]) -> None:
    rest = iter(names)
    while some := list(islice(rest, _NAMES_A_COMMAND)):
        async with asyncio.timeout(CALL_S):
            await connection.send_command(command, *some, check_health=False)
