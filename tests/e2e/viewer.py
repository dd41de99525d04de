"""A viewer that stays: it connects again by itself, as the page does, and keeps what it saw."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import aiohttp

FIELDS = ["speed", "engine_rpm", "brake_status", "EngineSpeed", "no_such_field"]


class Viewer:
    """What came over the WebSocket, in order, with the time of its receipt; `urls` are the studios to choose from."""

    def __init__(self, urls: Callable[[], str], chassis_id: str = "DUCO_001") -> None:
        self._urls = urls
        self._chassis_id = chassis_id
        self.id = str(uuid.uuid4())
        self.samples: list[dict[str, Any]] = []
        self.came_s: list[float] = []
        self.connects = 0
        self._changed = asyncio.Event()

    @asynccontextmanager
    async def watching(self, http: aiohttp.ClientSession) -> AsyncIterator[Viewer]:
        """Watch, with a heartbeat, as long as the block."""
        async with asyncio.TaskGroup() as tasks:
            works = [tasks.create_task(self._watch(http)), tasks.create_task(self._beat(http))]
            yield self
            for work in works:
                work.cancel()

    async def _watch(self, http: aiohttp.ClientSession) -> None:
        while True:
            address = f"{self._urls()}api/resources/duco/_common/datasets/{self._chassis_id}/live?msgType=vehicle_can"
            try:
                async with http.ws_connect(address) as socket:
                    self.connects += 1
                    await socket.send_json({"type": "INIT_FIELD_LIST", "payload": FIELDS})
                    async for message in socket:
                        self._take(json.loads(message.data))
            except (aiohttp.ClientError, OSError):
                pass
            await asyncio.sleep(0.2)

    def _take(self, message: dict[str, Any]) -> None:
        assert message["type"] == "LIVE_DATA", message
        self.samples.append(message)
        self.came_s.append(time.monotonic())
        self._changed.set()

    async def _beat(self, http: aiohttp.ClientSession) -> None:
        """The page's heartbeat, quicker: a server that was away has forgotten the lease."""
        while True:
            with suppress(aiohttp.ClientError, OSError, ValueError):
                await self.command(http, "start")
            await asyncio.sleep(2.0)

    async def command(self, http: aiohttp.ClientSession, action: str) -> dict[str, Any]:
        """The answer to a command of this viewer."""
        payload = {"action": action, "reason": "user_action", "commandId": str(uuid.uuid4()), "viewerId": self.id}
        body = {"methodName": "setRealTimeUpload", "payload": payload}
        address = f"{self._urls()}api/iothubs/ducohub/devices/{self._chassis_id}/methods"
        async with http.post(address, json=body, timeout=aiohttp.ClientTimeout(total=15)) as response:
            answer: dict[str, Any] = await response.json()
            return answer

    async def until(self, count: int, within_s: float = 30.0) -> None:
        """Wait for so many samples more."""
        wanted = len(self.samples) + count
        async with asyncio.timeout(within_s):
            while len(self.samples) < wanted:
                self._changed.clear()
                await self._changed.wait()

    def points(self, first: int = 0) -> dict[tuple[str, int, int], Any]:
        """Every value that came since sample `first`, by field, seq and ts."""
        return {
            (name, message["seq"], message["ts"]): value
            for message in self.samples[first:]
            for name, value in message["payload"].items()
        }


async def history_points(
    http: aiohttp.ClientSession, url: str, from_ms: int, to_ms: int
) -> dict[tuple[str, int, int], Any]:
    """Every value that history has, in the same form."""
    address = f"{url}api/resources/duco/_common/datasets/DUCO_001/history"
    query = {"fields": ",".join(FIELDS), "from": str(from_ms), "to": str(to_ms)}
    async with http.get(address, params=query) as response:
        found = await response.json()
    return {
        (name, seq, ts): value
        for name, column in found["fields"].items()
        for seq, ts, value in zip(found["seq"], found["ts"], column, strict=True)
        if value is not None
    }
