"""The hub inside the process: room for so many messages, and gauges of what waits."""

from __future__ import annotations

import asyncio

from duco_rt.metrics import Metrics
from duco_rt.model import HubMessage
from duco_rt.transports.hub_memory import MemoryHub


def message(seq: int) -> HubMessage:
    """Return the message of second seq."""
    return HubMessage("D", "vehicle_can", False, seq, seq, "x/y", "identity", b"")


async def settle() -> None:
    """Let every task that can go on do so."""
    for _ in range(10):
        await asyncio.sleep(0)


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
            delivery = await asyncio.wait_for(anext(stored), 5)
            seen.append(delivery.message.seq)
            delivery.ack()
        await asyncio.wait_for(sending, 5)
    await settle()
    assert metrics.value("hub_unacked_depth") == 0
