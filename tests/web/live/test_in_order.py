"""A subscription's messages in order, with the loop's own time."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import msgspec

from duco_rt.seeing.metrics import Metrics
from duco_rt.transports.live_memory import MemoryLive
from duco_rt.web.live.in_order import in_order
from duco_rt.web.live.ordering import Ordering
from duco_rt.web.live.samples import Sample, read_sample


def read(message: bytes) -> Sample | None:
    """None for what is no sample."""
    return None if message == b"?" else read_sample(message, 0)


async def test_order_waiting_and_end() -> None:
    """Neighbours that swapped, something unreadable, a hole that is given up, and the end of the subscription."""
    live = MemoryLive(100, Metrics())
    source = await live.subscribe("c")
    order: Ordering[Sample] = Ordering(0.05)
    seen = []
    async with aclosing(in_order(source, read, order)) as samples:
        for seq in (1, 3, 2, 6):
            await live.publish("c", msgspec.json.encode({"payload": {}, "seq": seq}))
            await live.publish("c", b"?")
        async with asyncio.timeout(20):
            async for sample in samples:
                seen.append(sample.seq)
                if sample.seq == 6:  # after the wait for 4 and 5
                    await live.publish("c", msgspec.json.encode({"payload": {}, "seq": 5}))
                    await live.publish("c", msgspec.json.encode({"payload": {}, "seq": 7}))
                if sample.seq == 7:
                    await live.close()
    assert seen == [1, 2, 3, 6, 7]
    assert order.late == 1
