"""What tests of hubs on real servers share: a device that sends again until the hub has it, and who reads it all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager

from duco_rt.model import HubMessage, MethodResult
from duco_rt.pipeline.runner import readings, retry
from duco_rt.seeing.metrics import Metrics
from duco_rt.transports.base import HubCloud, HubDevice, MethodHandler
from tests.contracts.hub_adapters import WITHIN_S, carried


def message(seq: int, chassis_id: str = "D", *, realtime: bool = False, body: bytes = b"body") -> HubMessage:
    """Return the message of second seq."""
    return HubMessage(chassis_id, "vehicle_can", realtime, seq * 1000, seq, "x/y", "identity", body)


async def echo(method: str, payload: dict[str, object]) -> MethodResult:
    """Answer with what was asked."""
    return MethodResult(200, {"method": method, **payload})


@asynccontextmanager
async def running(
    device: HubDevice, on_method: MethodHandler = echo, on_loss: Callable[[], None] = lambda: None
) -> AsyncIterator[asyncio.Task[None]]:
    """The device on the hub, for the time of the block."""
    async with carried(device.run(on_method, on_loss)) as task:
        await asyncio.wait_for(device.online(), WITHIN_S)
        yield task


class Outbox:
    """Sends until the hub has it; after a loss, what was acknowledged lately once more."""

    def __init__(self, device: HubDevice, tasks: asyncio.TaskGroup, metrics: Metrics) -> None:
        self._device, self._tasks, self._metrics = device, tasks, metrics
        self._acknowledged: list[HubMessage] = []
        self._waiting: set[asyncio.Task[None]] = set()

    def put(self, message: HubMessage) -> None:
        """Send it, some time."""
        task = self._tasks.create_task(self._send(message))
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)

    async def _send(self, message: HubMessage) -> None:
        await retry("hub", lambda: self._device.send(message), self._metrics)
        self._acknowledged.append(message)

    def on_loss(self) -> None:
        """Send all of it again: no test takes 60 s."""
        again, self._acknowledged = self._acknowledged, []
        for message in again:
            self.put(message)

    async def drained(self) -> None:
        """Return when the hub has everything."""
        while self._waiting:
            await asyncio.wait(self._waiting)


async def collect(hub: HubCloud, into: list[int], metrics: Metrics, until: Callable[[], bool]) -> None:
    """Read, acknowledge, and read on after losses, until it holds."""
    async with aclosing(readings("hub", hub.stored, metrics)) as deliveries:
        async for delivery in deliveries:
            into.append(delivery.message.seq)
            delivery.ack()
            if until():
                return
