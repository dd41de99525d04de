"""The hub inside the process: room for so many messages, and gauges of what waits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from duco_rt.model import HubMessage
from duco_rt.seeing.metrics import Metrics
from duco_rt.transports.base import Delivery
from duco_rt.transports.hub_memory import MemoryHub


def message(seq: int) -> HubMessage:
    """Return the message of second seq."""
    return HubMessage("D", "vehicle_can", False, seq, seq, "x/y", "identity", b"")


async def take(source: AsyncIterator[Delivery], count: int) -> list[Delivery]:
    """The next deliveries, not acknowledged."""
    async with asyncio.timeout(20):
        return [await anext(source) for _ in range(count)]


async def settle() -> None:
    """Let every task that can go on do so."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_send_ends_when_its_message_is_acknowledged() -> None:
    """Not a moment earlier: what the cloud side has not stored, the device still holds."""
    hub = MemoryHub(10, Metrics())
    stored = hub.stored()
    async with asyncio.TaskGroup() as tasks:
        first, second = (tasks.create_task(hub.device("D").send(message(seq))) for seq in (1, 2))
        held = [await anext(stored) for _ in range(2)]
        await settle()
        assert not first.done()
        assert not second.done()
        held[1].ack()
        await asyncio.wait_for(asyncio.shield(second), 20)
        assert not first.done()
        held[0].ack()
        held[0].ack()
        await asyncio.wait_for(first, 20)


async def test_what_was_acknowledged_does_not_come_again() -> None:
    """In whatever order; the others come first to the next reader, in order."""
    hub = MemoryHub(10, Metrics())
    async with asyncio.TaskGroup() as tasks:
        for seq in range(6):
            tasks.create_task(hub.device("D").send(message(seq)))
        await settle()
        held = await take(hub.stored(), 4)
        held[1].ack()
        await settle()
        rest = await take(hub.stored(), 5)
        assert [delivery.message.seq for delivery in rest] == [0, 2, 3, 4, 5]
        for delivery in rest:
            delivery.ack()


async def test_a_full_hub_makes_the_device_wait() -> None:
    """An acknowledgement makes room for the next, in order."""
    metrics = Metrics()
    hub = MemoryHub(2, metrics)
    stored = hub.stored()
    async with asyncio.TaskGroup() as tasks:
        for seq in range(4):
            tasks.create_task(hub.device("D").send(message(seq)))
        await settle()
        assert metrics.value("hub_stored_depth") == 2
        for seq in range(4):
            delivery = await anext(stored)
            assert delivery.message.seq == seq
            assert metrics.value("hub_stored_depth") + metrics.value("hub_unacked_depth") <= 2
            delivery.ack()
            await settle()
    assert (metrics.value("hub_stored_depth"), metrics.value("hub_unacked_depth")) == (0, 0)


async def test_a_device_that_goes_while_it_waits_frees_its_room() -> None:
    """Its message may still be taken; nobody waits for it any more."""
    metrics = Metrics()
    hub = MemoryHub(1, metrics)
    async with asyncio.TaskGroup() as tasks:
        gone = tasks.create_task(hub.device("D").send(message(1)))
        await settle()
        gone.cancel()
        await settle()
        sending = tasks.create_task(hub.device("D").send(message(2)))
        stored = hub.stored()
        seen = []
        while 2 not in seen:
            delivery = await asyncio.wait_for(anext(stored), 20)
            seen.append(delivery.message.seq)
            delivery.ack()
        await asyncio.wait_for(sending, 20)
    await settle()
    assert metrics.value("hub_unacked_depth") == 0
