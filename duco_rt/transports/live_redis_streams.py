"""Live channels by Redis Streams: a stream a channel, kept for some minutes, read by one XREAD over all watched ones.

A subscription remembers the last entry that it was given. So a lost connection, or a server that kept its data over a
restart, costs no message: reading goes on after that entry. Each entry has the message in the field `data`.
"""

from __future__ import annotations

import asyncio
import math
import uuid
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress

from redis.asyncio.connection import AbstractConnection

from duco_rt.errors import TransportError
from duco_rt.seeing.metrics import Metrics
from duco_rt.transports.live_queue import Queue, Reader
from duco_rt.transports.live_redis import RedisLive
from duco_rt.transports.redis_client import RedisClient

Position = tuple[int, int]
"""A stream's entry: the server's Unix ms, and a count within it."""

BEGIN: Position = (0, 0)
"""Before the first entry."""

_PUBLISH = """
local time = redis.call('TIME')
local oldest = time[1] * 1000 + math.floor(time[2] / 1000) - ARGV[1]
redis.call('XADD', KEYS[1], 'MINID', '=', string.format('%.0f', math.max(oldest, 0)), '*', 'data', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[1])
"""
# By the server's clock, which also numbers the entries: a publisher whose clock is ahead would trim its own message.
# Exactly, not "about" (~): that leaves whole nodes of up to 100 entries, minutes of them at one a second.

_RECENT = """
local time = redis.call('TIME')
local oldest = time[1] * 1000 + math.floor(time[2] / 1000) - ARGV[1]
return redis.call('XREVRANGE', KEYS[1], '+', string.format('%.0f', math.max(oldest, 0)), 'COUNT', ARGV[2])
"""

_ENTRIES_MAX = 100  # a stream and answer
_BLOCK_MS = 1000
_ANSWER_S = 3.0  # for a read that blocks _BLOCK_MS at most
_WAKE_MS = 10_000

_GATHER_S_PER_STREAM = 50e-6
_GATHER_S_MAX = 0.05
"""A pause before the next read, so that one answer has the news of many streams: each read names all of them."""


class RedisStreamsLive(RedisLive):
    """`keep_s`: how long entries stay, by the server's clock; a channel without news for that long is gone.

    A change of what is watched must reach a read that is blocked. For that each read also names a key of this object's
    own (duco:live-wake:…, gone after 10 s), which gets an entry after each change.
    """

    def __init__(
        self,
        url: str,
        queue_messages_max: int,
        metrics: Metrics,
        *,
        keep_s: float = 300.0,
        user: str = "",
        password: str = "",
        ca_file: str = "",
    ) -> None:
        client = RedisClient(url, user=user, password=password, ca_file=ca_file)
        super().__init__(client, queue_messages_max, metrics)
        self._publish = client.redis.register_script(_PUBLISH)
        self._recent = client.redis.register_script(_RECENT)
        self._recent_max = queue_messages_max
        self._keep_ms = round(keep_s * 1000)
        self._wake_key = f"duco:live-wake:{uuid.uuid4().hex}"
        self._version = 0

    async def publish(self, channel: str, message: bytes) -> None:
        """Append to the channel's stream, and drop what is older than `keep_s`."""
        async with self._client.limit("publish"):
            await self._publish(keys=[channel], args=[self._keep_ms, message])

    async def subscribe(self, channel: str) -> AsyncIterator[bytes]:
        """Messages after the stream's newest entry of now."""
        newest = await self._client.execute("subscribe", "XREVRANGE", channel, "+", "-", "COUNT", 1)
        queue = self._queues.open(channel, _position(newest[0][0]) if newest else BEGIN)
        self._changed.set()
        return Reader(self._queues, queue)

    async def recent(self, channel: str, back_s: float) -> list[bytes]:
        """The stream's entries of that time by the server's clock, at most `queue_messages_max` of them."""
        async with self._client.limit("recent"):
            found = await self._recent(keys=[channel], args=[round(back_s * 1000), self._recent_max])
        messages = [_message(fields) for _, fields in reversed(found)]
        return [message for message in messages if message is not None]

    async def _session(self, connection: AbstractConnection) -> None:
        await self._settle(connection)
        self._is_up()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._read(connection))
            tasks.create_task(self._wake())

    async def _settle(self, connection: AbstractConnection) -> None:
        """Where the server came back without the entries that were read, begin anew instead of waiting for ever."""
        streams = {channel: list(self._queues.of(channel)) for channel in self._queues.channels}
        commands = [("PING",), *(("XREVRANGE", channel, "+", "-", "COUNT", 1) for channel in streams)]
        async with asyncio.timeout(_ANSWER_S):
            await connection.send_packed_command(connection.pack_commands(commands), check_health=False)
            await connection.read_response()
            for queues in streams.values():
                newest = await connection.read_response()
                at = _position(newest[0][0]) if newest else BEGIN
                for queue in queues:
                    queue.position = min(queue.position, at)

    async def _read(self, connection: AbstractConnection) -> None:
        while True:
            streams = {self._wake_key: (self._version, 0)}
            for channel in self._queues.channels:
                streams[channel] = min(queue.position for queue in self._queues.of(channel))
            options = ("COUNT", _ENTRIES_MAX, "BLOCK", _BLOCK_MS, "STREAMS")
            async with asyncio.timeout(_ANSWER_S):
                words = ("XREAD", *options, *streams, *map(_id, streams.values()))
                await connection.send_command(*words, check_health=False)
                answer = await connection.read_response(timeout=math.inf)
            for key, entries in answer or ():
                self._take(key.decode(), entries)
            await asyncio.sleep(min(_GATHER_S_MAX, len(streams) * _GATHER_S_PER_STREAM))

    def _take(self, channel: str, entries: Sequence[tuple[bytes, Sequence[bytes]]]) -> None:
        queues = self._queues.of(channel)  # none for the key that wakes
        for entry_id, fields in entries if queues else ():
            position = _position(entry_id)
            message = _message(fields)
            if message is None:
                self._metrics.count("live_bad_publications_total")
            for queue in queues:
                self._give(queue, position, message)

    def _give(self, queue: Queue, position: Position, message: bytes | None) -> None:
        if position <= queue.position:
            return  # from before this subscription, or read again for another one
        queue.position = position
        if message is not None:
            self._queues.put(queue, message)

    async def _wake(self) -> None:
        """Let the blocked read end after each change; the number tells a read that knows of it already."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            self._version += 1
            with suppress(TransportError):  # then the change takes effect with the next read, within _BLOCK_MS
                async with self._client.limit("wake"), self._client.redis.pipeline() as both:  # no key without its end
                    both.xadd(self._wake_key, {"w": ""}, id=f"{self._version}-0", maxlen=1, approximate=False)
                    both.pexpire(self._wake_key, _WAKE_MS)
                    await both.execute()


def _position(entry_id: bytes) -> Position:
    ms, _, count = entry_id.partition(b"-")
    return int(ms), int(count)


def _message(fields: Sequence[bytes]) -> bytes | None:
    """The message of an entry; None where it has none."""
    return next((value for name, value in zip(fields[::2], fields[1::2], strict=True) if name == b"data"), None)


def _id(position: Position) -> str:
    return f"{position[0]}-{position[1]}"
