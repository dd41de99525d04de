"""The hub inside the process. `send` returns when the cloud side has acknowledged: what is not stored is not gone."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable
from functools import partial

from duco_rt.errors import DeviceOffline, DeviceTimeout, TransportError
from duco_rt.model import HubMessage, MethodResult
from duco_rt.seeing.metrics import Metrics
from duco_rt.transports.base import Delivery, MethodHandler


class _Kept:
    """A message that its device holds until it is acknowledged."""

    def __init__(self, message: HubMessage, acked: asyncio.Future[None]) -> None:
        self.message = message
        self.acked = acked

    def ack(self) -> None:
        if not self.acked.done():
            self.acked.set_result(None)


class _Connection:
    """A device that runs."""

    def __init__(self, on_method: MethodHandler) -> None:
        self.on_method = on_method


class MemoryHub:
    """Both sides of the hub. Full (`queue_messages_max` not acknowledged): the sender waits; live: the oldest goes."""

    def __init__(self, queue_messages_max: int, metrics: Metrics) -> None:
        self._room = asyncio.Semaphore(queue_messages_max)
        self._waiting: deque[_Kept] = deque()
        self._taken: OrderedDict[int, _Kept] = OrderedDict()
        self._live: deque[HubMessage] = deque(maxlen=queue_messages_max)
        self._stored_ready = asyncio.Event()
        self._live_ready = asyncio.Event()
        self._devices: dict[str, _Connection] = {}
        self._metrics = metrics
        self._closed = False
        self._stored_high = metrics.depth("hub_stored_depth", lambda: len(self._waiting))
        metrics.depth("hub_unacked_depth", lambda: len(self._taken))
        self._live_high = metrics.depth("hub_live_depth", lambda: len(self._live))

    def device(self, chassis_id: str) -> MemoryHubDevice:
        """The hub as this device sees it."""
        return MemoryHubDevice(self, chassis_id)

    async def _send(self, message: HubMessage) -> None:
        if self._closed:
            raise TransportError("the memory hub is closed")
        await self._room.acquire()
        try:
            kept = _Kept(message, asyncio.get_running_loop().create_future())
            self._waiting.append(kept)
            self._stored_high.see(len(self._waiting))
            self._stored_ready.set()
            if message.realtime:
                if len(self._live) == self._live.maxlen:
                    self._metrics.count("hub_live_dropped_total")
                self._live.append(message)
                self._live_high.see(len(self._live))
                self._live_ready.set()
            await kept.acked
        finally:
            self._room.release()

    async def stored(self) -> AsyncIterator[Delivery]:
        """Every message; what an earlier reader took and did not acknowledge comes first."""
        self._waiting.extendleft(reversed(self._taken.values()))
        self._taken.clear()
        while True:
            while self._waiting:
                kept = self._waiting.popleft()
                self._taken[id(kept)] = kept
                kept.acked.add_done_callback(partial(self._forget, id(kept)))
                yield kept
            self._stored_ready.clear()
            await self._stored_ready.wait()

    def _forget(self, key: int, _: asyncio.Future[None]) -> None:
        self._taken.pop(key, None)

    async def live(self) -> AsyncIterator[HubMessage]:
        """Real-time messages."""
        while True:
            while self._live:
                yield self._live.popleft()
            self._live_ready.clear()
            await self._live_ready.wait()

    async def call(self, chassis_id: str, method: str, payload: dict[str, object], timeout_s: float) -> MethodResult:
        """Direct method on a connected device."""
        connection = self._devices.get(chassis_id)
        if connection is None:
            raise DeviceOffline(f"device {chassis_id} is not connected")
        try:
            return await asyncio.wait_for(connection.on_method(method, payload), timeout_s)
        except TimeoutError as e:
            raise DeviceTimeout(f"device {chassis_id} did not answer {method} within {timeout_s:g} s") from e

    async def run(self) -> None:
        """Nothing to carry."""
        await asyncio.Event().wait()

    def connected(self, chassis_id: str) -> bool | None:
        """Whether the device is connected."""
        return chassis_id in self._devices

    async def check(self) -> None:
        """Raises TransportError where it is closed."""
        if self._closed:
            raise TransportError("the memory hub is closed")

    async def close(self) -> None:
        """Take no more messages."""
        self._closed = True


class MemoryHubDevice:
    """One device's side."""

    def __init__(self, hub: MemoryHub, chassis_id: str) -> None:
        self._hub = hub
        self._chassis_id = chassis_id
        self._connected = asyncio.Event()

    async def run(self, on_method: MethodHandler, _: Callable[[], None]) -> None:
        """Be reachable for direct methods until cancelled; the newest connection of a device counts."""
        devices, connection = self._hub._devices, _Connection(on_method)
        devices[self._chassis_id] = connection
        self._connected.set()
        try:
            await asyncio.Event().wait()
        finally:
            self._connected.clear()
            if devices.get(self._chassis_id) is connection:
                del devices[self._chassis_id]

    @property
    def is_online(self) -> bool:
        """Whether it runs."""
        return self._connected.is_set()

    async def online(self) -> None:
        """Return as soon as it runs."""
        await self._connected.wait()

    async def send(self, message: HubMessage) -> None:
        """Return when the cloud side has the message for good."""
        await self._hub._send(message)
