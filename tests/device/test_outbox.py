"""What is on its way to the hub: in order, again after a failure, bounded."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from duco_rt.clock import SystemClock
from duco_rt.device.outbox import Outbox
from duco_rt.errors import TransportError
from duco_rt.metrics import Metrics
from duco_rt.model import HubMessage
from duco_rt.transports.base import HubDevice, MethodHandler
from duco_rt.transports.hub_memory import MemoryHub
from tests.device.virtual import until_async


def message(seq: int) -> HubMessage:
    """Return the message of second seq."""
    return HubMessage("D", "vehicle_can", False, seq, seq, "x/y", "identity", b"")


class Flaky:
    """A hub that fails as it is told before it hands on."""

    def __init__(self, inner: HubDevice, fails: Callable[[HubMessage], bool]) -> None:
        self._inner = inner
        self._fails = fails

    async def connect(self, on_method: MethodHandler) -> None:
        """Not needed."""

    async def send(self, message: HubMessage) -> None:
        """Fail or hand on."""
        if self._fails(message):
            raise TransportError("away")
        await self._inner.send(message)

    async def close(self) -> None:
        """Not needed."""


@asynccontextmanager
async def running(work: Awaitable[None]) -> AsyncIterator[None]:
    """Run the outbox as long as the block."""
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(_run(work))
        yield
        task.cancel()


async def _run(work: Awaitable[None]) -> None:
    await work


async def read(hub: MemoryHub, count: int) -> list[int]:
    """The seq of the next messages, acknowledged."""
    seen = []
    async with asyncio.timeout(5):
        async for delivery in hub.stored():
            seen.append(delivery.message.seq)
            delivery.ack()
            if len(seen) == count:
                break
    return seen


async def test_messages_go_in_order_and_drained_waits_for_the_last() -> None:
    """Many more than are on their way at once."""
    metrics, hub = Metrics(), MemoryHub(1000, Metrics())
    outbox = Outbox(hub.device("D"), 1000, SystemClock(), metrics)
    async with running(outbox.run()):
        await outbox.put([message(i) for i in range(200)])
        async with asyncio.TaskGroup() as tasks:
            drained = tasks.create_task(outbox.drained())
            assert await read(hub, 199) == list(range(199))
            await until_async(lambda: outbox.sent == 199)
            assert not drained.done()
            assert len(outbox) == 1
            assert await read(hub, 1) == [199]
        assert (outbox.sent, outbox.dropped, len(outbox)) == (200, 0, 0)
        assert outbox.latency_ms > 0


async def test_at_most_64_are_on_their_way() -> None:
    """The others wait, and count as not yet sent."""
    metrics = Metrics()
    hub = MemoryHub(1000, metrics)
    outbox = Outbox(hub.device("D"), 1000, SystemClock(), metrics)
    async with running(outbox.run()):
        await outbox.put([message(i) for i in range(100)])
        await until_async(lambda: metrics.value("hub_stored_depth") == 64)
        await asyncio.sleep(0.02)
        assert metrics.value("hub_stored_depth") == 64
        assert len(outbox) == 100


async def test_a_message_is_sent_again_until_the_hub_has_it() -> None:
    """Each failure is counted; nothing is lost."""
    metrics, hub = Metrics(), MemoryHub(1000, Metrics())
    tries: dict[int, int] = {}

    def fails(sent: HubMessage) -> bool:
        tries[sent.seq] = tries.get(sent.seq, 0) + 1
        return sent.seq == 1 and tries[1] <= 2

    outbox = Outbox(Flaky(hub.device("D"), fails), 1000, SystemClock(), metrics)
    async with running(outbox.run()):
        await outbox.put([message(i) for i in range(3)])
        assert sorted(await read(hub, 3)) == [0, 1, 2]
        await asyncio.wait_for(outbox.drained(), 5)
    assert tries == {0: 1, 1: 3, 2: 1}
    assert metrics.value("transport_retries_total", what="hub") == 2


async def test_over_its_bound_the_oldest_goes_counted() -> None:
    """Handing over never waits; what came last is what is left."""
    metrics, hub = Metrics(), MemoryHub(1000, Metrics())
    outbox = Outbox(hub.device("D"), 10, SystemClock(), metrics)
    await asyncio.wait_for(outbox.put([message(i) for i in range(25)]), 1)
    assert (outbox.dropped, len(outbox), metrics.value("device_dropped_total")) == (15, 10, 15)
    async with running(outbox.run()):
        assert await read(hub, 10) == list(range(15, 25))


async def test_nothing_to_drain() -> None:
    """An empty outbox is drained at once."""
    outbox = Outbox(MemoryHub(1, Metrics()).device("D"), 10, SystemClock(), Metrics())
    await asyncio.wait_for(outbox.drained(), 1)
