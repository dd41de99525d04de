"""Checkpoints and ownerships in Redis, for ingestors on several machines: two hashes a consumer group.

duco:iothub:{namespace}/{event hub}/{group}:owners        partition -> owner etag modified_s
duco:iothub:{namespace}/{event hub}/{group}:checkpoints   partition -> sequence offset
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from duco_rt.transports.hub_iothub.checkpoints import Checkpoints, Row, named, new_etag, owner_row, reader
from duco_rt.transports.redis_client import RedisClient

_OWNERS, _CHECKPOINTS = "IoT Hub ownerships", "IoT Hub checkpoints"

_CLAIM = """
local kept = redis.call('HGET', KEYS[1], ARGV[1])
if kept and string.match(kept, '^%S* (%S+) ') ~= ARGV[4] then return 0 end
local now = redis.call('TIME')
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. ' ' .. ARGV[3] .. ' ' .. now[1])
return 1
"""
_ADVANCE = """
local kept = redis.call('HGET', KEYS[1], ARGV[1])
if kept and tonumber(string.match(kept, '^%d+')) >= tonumber(ARGV[2]) then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. ' ' .. ARGV[3])
return 1
"""


class RedisCheckpoints(Checkpoints):
    """`url` is redis://host:port[/db], or rediss:// for TLS."""

    def __init__(self, url: str, *, user: str = "", password: str = "", ca_file: str = "") -> None:
        self._client = RedisClient(url, user=user, password=password, ca_file=ca_file, section="hub")

    async def list_ownership(
        self, fully_qualified_namespace: str, eventhub_name: str, consumer_group: str, **_: object
    ) -> Iterable[dict[str, Any]]:
        """Who owns which partition, and since when: by this machine's clock, the age measured by the server's."""
        names = fully_qualified_namespace, eventhub_name, consumer_group
        rows = await self._client.execute(_OWNERS, "HGETALL", _key("/".join(names), "owners"))
        server_s = int((await self._client.execute(_OWNERS, "TIME"))[0])
        found = []
        for partition, text in _texts(rows):
            owner, etag, modified_s = text.split(" ")
            since_s = time.time() - (server_s - int(modified_s))
            found.append(named(*names, partition, owner_row(owner, etag, since_s)))
        return found

    async def claim_ownership(self, ownership_list: Iterable[Row], **_: object) -> Iterable[dict[str, Any]]:
        """Those that nobody else claimed meanwhile, with their new etag."""
        claimed = []
        for row in ownership_list:
            etag, key = new_etag(), _key(reader(row), "owners")
            values = row["partition_id"], row["owner_id"], etag, row.get("etag") or ""
            if await self._client.execute(_OWNERS, "EVAL", _CLAIM, 1, key, *values):
                claimed.append({**row, "etag": etag, "last_modified_time": time.time()})
        return claimed

    async def update_checkpoint(self, checkpoint: Row, **_: object) -> None:
        """Only forwards."""
        key = _key(reader(checkpoint), "checkpoints")
        values = checkpoint["partition_id"], checkpoint["sequence_number"], checkpoint["offset"]
        await self._client.execute(_CHECKPOINTS, "EVAL", _ADVANCE, 1, key, *values)

    async def list_checkpoints(
        self, fully_qualified_namespace: str, eventhub_name: str, consumer_group: str, **_: object
    ) -> Iterable[dict[str, Any]]:
        """The last acknowledged event of each partition."""
        names = fully_qualified_namespace, eventhub_name, consumer_group
        rows = await self._client.execute(_CHECKPOINTS, "HGETALL", _key("/".join(names), "checkpoints"))
        found = []
        for partition, text in _texts(rows):
            sequence, _space, offset = text.partition(" ")
            found.append(named(*names, partition, {"offset": offset, "sequence_number": int(sequence)}))
        return found

    async def check(self) -> None:
        """Raises TransportError where the server does not answer."""
        await self._client.check()

    async def close(self) -> None:
        """End the connections."""
        await self._client.close()


def _key(who: str, kind: str) -> str:
    return f"duco:iothub:{who}:{kind}"


def _texts(rows: dict[bytes, bytes]) -> list[tuple[str, str]]:
    return [(name.decode(), value.decode()) for name, value in rows.items()]
