"""Leases in Redis, shared by all processes; time is the server's clock alone.

duco:lease:KEY         sorted set: viewer -> the Unix ms at which it ends; expires with the last of them
duco:lease-answer:KEY  the time of the device's last own answer; expires with the lease
duco:turn:NAME         there while the period's turn is taken

Each operation on a key is one script, so that none sees another half done.
"""

from __future__ import annotations

from collections.abc import Sequence

from duco_rt.transports.base import Renewed
from duco_rt.transports.redis_client import RedisClient

_LEASE, _ANSWER, _TURN = "duco:lease:", "duco:lease-answer:", "duco:turn:"

_PRELUDE = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function ms(number) return string.format('%.0f', number) end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', ms(now))
local function expire()
  local last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')[2]
  for _, key in ipairs(KEYS) do redis.call('PEXPIREAT', key, ms(last)) end
end
"""

_RENEW = (
    _PRELUDE
    + """
local first = redis.call('EXISTS', KEYS[1]) == 0
if first then redis.call('DEL', KEYS[2]) end
redis.call('ZADD', KEYS[1], ms(now + ARGV[2]), ARGV[1])
expire()
return {first and 1 or 0, redis.call('GET', KEYS[2])}
"""
)

_NOTE = (
    _PRELUDE
    + """
if ARGV[1] == '' or redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('DEL', KEYS[2])
else
  redis.call('SET', KEYS[2], ARGV[1])
  expire()
end
"""
)

_DROP = (
    _PRELUDE
    + """
if ARGV[1] == 'all' then redis.call('DEL', KEYS[1]) else redis.call('ZREM', KEYS[1], ARGV[2]) end
if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('DEL', KEYS[2])
  return 1
end
expire()
return 0
"""
)

_SCAN_COUNT = 1000


class RedisLeases:
    """Leases that any number of processes share. `url`, `user`, `password`, `ca_file` as for RedisClient."""

    def __init__(self, url: str, *, user: str = "", password: str = "", ca_file: str = "") -> None:
        self._client = RedisClient(url, user=user, password=password, ca_file=ca_file, section="leases")
        self._renew = self._client.redis.register_script(_RENEW)
        self._note = self._client.redis.register_script(_NOTE)
        self._drop = self._client.redis.register_script(_DROP)

    async def renew(self, key: str, viewer: str, ttl_s: float) -> Renewed:
        """Add or renew a viewer."""
        async with self._client.limit("renew"):
            first, answer = await self._renew(keys=_keys(key), args=[viewer, round(ttl_s * 1000)])
        return Renewed(bool(first), None if answer is None else int(answer))

    async def note(self, key: str, answer_ms: int | None) -> None:
        """Keep the time of the device's last answer while the key is held; None forgets it."""
        async with self._client.limit("note"):
            await self._note(keys=_keys(key), args=["" if answer_ms is None else answer_ms])

    async def noted(self, key: str) -> int | None:
        """What was noted of a held key."""
        answer = await self._client.execute("noted", "GET", _ANSWER + key)
        return None if answer is None else int(answer)

    async def drop(self, key: str, viewer: str | None) -> bool:
        """Take a viewer (None: all) out; True where none is left."""
        async with self._client.limit("drop"):
            return bool(await self._drop(keys=_keys(key), args=["all" if viewer is None else "one", viewer or ""]))

    async def is_held(self, key: str) -> bool:
        """Whether the key has a live lease."""
        return bool(await self._client.execute("is held", "EXISTS", _LEASE + key))

    async def held(self) -> dict[str, int]:
        """Live keys and their number of viewers; a key that comes or goes meanwhile may be in it or not."""
        counts: dict[str, int] = {}
        cursor = None
        while cursor != 0:
            words = ("SCAN", cursor or 0, "MATCH", f"{_LEASE}*", "COUNT", _SCAN_COUNT)
            cursor, names = await self._client.execute("held", *words)
            for name, viewers in zip(names, await self._viewers(names), strict=True):
                if viewers:
                    counts[name.decode().removeprefix(_LEASE)] = viewers
        return counts

    async def _viewers(self, names: Sequence[bytes]) -> list[int]:
        seconds, micros = await self._client.execute("held", "TIME")
        after = f"({int(seconds) * 1000 + int(micros) // 1000}"
        async with self._client.limit("held"), self._client.redis.pipeline(transaction=False) as pipeline:
            for name in names:
                pipeline.zcount(name, after, "+inf")
            return await pipeline.execute()

    async def turn(self, name: str, period_s: float) -> bool:
        """True for one caller a period, over all processes."""
        return bool(await self._client.execute("turn", "SET", _TURN + name, 1, "NX", "PX", round(period_s * 1000)))

    async def check(self) -> None:
        """Raises TransportError where the server does not answer."""
        await self._client.check()

    async def close(self) -> None:
        """End the connections."""
        await self._client.close()


def _keys(key: str) -> list[str]:
    return [_LEASE + key, _ANSWER + key]
