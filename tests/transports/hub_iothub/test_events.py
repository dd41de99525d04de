"""The two readings against an event hub that is cut off, away, frozen, shared, or wrong."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from duco_rt.errors import TransportError
from duco_rt.model import HubMessage
from duco_rt.pipeline.runner import readings
from duco_rt.seeing.metrics import Metrics
from duco_rt.transports.base import Delivery
from duco_rt.transports.hub_iothub import client, events
from duco_rt.transports.hub_iothub.checkpoints import SqliteCheckpoints, named
from duco_rt.transports.hub_iothub.hub import IotHub
from tests.contracts.hub_adapters import Reading, begun, carried, up
from tests.servers.iothub.cloud import BIND, NAME, Cloud
from tests.servers.iothub.testing import DEVICE, WITHIN_S, hub_of, message, put, until

pytestmark = pytest.mark.servers

PARTITION = zlib.crc32(DEVICE.encode()) % 4
SPREAD = ("D0", "D1", "D2", "D3", "D4", "D5", "D6", "D7")
"""Devices of all four partitions."""


@pytest.fixture
async def cloud(tmp_path: Path) -> AsyncIterator[Cloud]:
    """The peers."""
    async with Cloud(tmp_path / "cloud") as served:
        yield served


Hubs = Callable[..., IotHub]


@pytest.fixture
async def hubs(cloud: Cloud, tmp_path: Path) -> AsyncIterator[Hubs]:
    """Makes hubs that share their checkpoints, and closes them."""
    made: list[IotHub] = []

    def make(metrics: Metrics | None = None, **more: Any) -> IotHub:
        made.append(hub_of(cloud, tmp_path, metrics, **more))
        return made[-1]

    yield make
    for hub in made:
        await hub.close()


async def take(reading: Reading[Delivery], count: int) -> list[Delivery]:
    """So many, not acknowledged."""
    return [await reading.next() for _ in range(count)]


async def collect(hub: IotHub, seen: list[HubMessage], metrics: Metrics | None = None) -> None:
    """A reader that acknowledges at once and begins again where the hub is lost."""
    async with aclosing(readings("hub", hub.stored, metrics or Metrics())) as stored:
        async for delivery in stored:
            seen.append(delivery.message)
            delivery.ack()


def checkpoint(cloud: Cloud, tmp_path: Path) -> Any:
    """The sequence numbers that a new reading would go on behind, by partition."""
    store = SqliteCheckpoints(tmp_path / "checkpoints.sqlite")
    names = f"localhost:{cloud.events.port}", NAME, "$Default"

    async def read() -> dict[str, int]:
        found = {row["partition_id"]: row["sequence_number"] for row in await store.list_checkpoints(*names)}
        await store.close()
        return found

    return read()


async def test_a_reading_goes_on_behind_what_was_acknowledged(cloud: Cloud, hubs: Hubs, tmp_path: Path) -> None:
    """Not before, and not after: the contiguous prefix; the peer is asked for exactly the next one."""
    put(cloud, *(message(seq) for seq in range(10)))
    first = hubs()
    async with begun(first, first.stored()) as stored:
        held = await take(stored, 8)
        for number in (0, 1, 2, 4, 6):
            held[number].ack()
    assert list((await checkpoint(cloud, tmp_path)).values()) == [2]
    cloud.events.starts.clear()
    second = hubs()
    async with begun(second, second.stored()) as stored:
        rest = await take(stored, 7)
        assert [delivery.message.seq for delivery in rest] == [3, 4, 5, 6, 7, 8, 9]
        await until(lambda: len(cloud.events.starts) == 4)  # the other partitions may come later
    assert sorted(start for _, _, start in cloud.events.starts) == [0, 0, 0, 3]


async def test_checkpoints_are_written_while_it_reads(
    cloud: Cloud, hubs: Hubs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that is killed has lost little of what it had acknowledged."""
    monkeypatch.setattr(events, "_TEND_S", 0.02)
    monkeypatch.setattr(events, "_CHECKPOINT_S", 0.05)
    put(cloud, *(message(seq) for seq in range(3)))
    hub = hubs()
    async with begun(hub, hub.stored()) as stored:
        for delivery in await take(stored, 3):
            delivery.ack()
        async with asyncio.timeout(WITHIN_S):
            while list((await checkpoint(cloud, tmp_path)).values()) != [2]:
                await asyncio.sleep(0.02)


async def test_a_cut_costs_nothing(cloud: Cloud, hubs: Hubs) -> None:
    """All connections are reset while messages come: each is there once, in order."""
    hub = hubs()
    async with begun(hub, hub.stored()) as stored:
        for start in (0, 20, 40):
            put(cloud, *(message(seq) for seq in range(start, start + 20)))
            taken = await take(stored, 10)
            cloud.events.reset()
            taken += await take(stored, 10)
            assert [delivery.message.seq for delivery in taken] == list(range(start, start + 20))


async def test_a_cut_while_reading_pauses(cloud: Cloud, hubs: Hubs) -> None:
    """What the driver holds unread it reads again after the cut: each is handed out once all the same."""
    put(cloud, *(message(seq) for seq in range(700)))
    hub = hubs(queue_messages_max=5)
    async with begun(hub, hub.stored()) as stored:
        await until(lambda: max(link.sent for link in cloud.events.holders("$Default", PARTITION)) == 600)
        for seq in range(700):
            if seq == 310:  # the driver has taken a second batch, and with that has room to read on and see the cut
                cloud.events.starts.clear()
                cloud.events.reset()
                await until(lambda: len(cloud.events.starts) == 4)
            (delivery,) = await take(stored, 1)
            assert delivery.message.seq == seq
            delivery.ack()


async def test_an_outage_ends_the_reading_and_loses_nothing(
    cloud: Cloud, hubs: Hubs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """TransportError after a while (5 s; here less), `check` knows at once, and all is there when the hub is back."""
    monkeypatch.setattr(events, "_DOWN_S", 0.5)
    hub, seen, metrics = hubs(), list[HubMessage](), Metrics()
    async with carried(collect(hub, seen, metrics)):
        await up(hub)
        put(cloud, *(message(seq, SPREAD[seq % 8]) for seq in range(50)))
        await until(lambda: len(seen) == 50)
        await cloud.events.stop()
        with pytest.raises(TransportError, match=rf"event hub {NAME} at localhost:{cloud.events.port}"):
            while True:
                await hub.check()
                await asyncio.sleep(0.01)
        put(cloud, *(message(seq, SPREAD[seq % 8]) for seq in range(50, 100)))
        await until(lambda: metrics.value("transport_retries_total", what="hub") > 0)
        await cloud.events.start(BIND)
        await until(lambda: len(seen) >= 100)
        await up(hub)
    assert sorted(each.seq for each in seen) == list(range(100))


async def test_a_hub_that_plays_dead_is_noticed(cloud: Cloud, hubs: Hubs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its connections stay and nothing comes, not even heartbeats (60 s; here 4)."""
    monkeypatch.setattr(client, "_IDLE_S", 4.0)
    monkeypatch.setattr(events, "_DOWN_S", 0.5)
    hub, seen = hubs(), list[HubMessage]()
    async with carried(collect(hub, seen)):
        await up(hub)
        await asyncio.sleep(4.5)  # heartbeats keep it
        await hub.check()
        cloud.events.thawed.clear()
        put(cloud, message(1))
        with pytest.raises(TransportError):
            async with asyncio.timeout(30):
                while True:
                    await hub.check()
                    await asyncio.sleep(0.05)
        cloud.events.thawed.set()
        await until(lambda: len(seen) == 1)


async def test_ingestors_share_the_partitions(cloud: Cloud, hubs: Hubs) -> None:
    """Two each; when one goes, its partitions come to the other, and no message is missed."""
    first, second, seen = hubs(), hubs(), list[HubMessage]()
    async with carried(collect(first, seen)):
        await until(lambda: len(cloud.events.starts) == 4)
        async with carried(collect(second, seen)):
            await until(lambda: len(cloud.events.starts) >= 6)  # two were claimed anew
            await up(second)
            put(cloud, *(message(seq, SPREAD[seq % 8]) for seq in range(80)))
            await until(lambda: {each.seq for each in seen} == set(range(80)))
        put(cloud, *(message(seq, SPREAD[seq % 8]) for seq in range(80, 160)))
        await until(lambda: {each.seq for each in seen} == set(range(160)))


async def test_the_partitions_of_an_ingestor_that_died_come_back(cloud: Cloud, hubs: Hubs, tmp_path: Path) -> None:
    """It gave nothing back: its ownerships run out (after 5 rounds)."""
    store = SqliteCheckpoints(tmp_path / "checkpoints.sqlite")
    names = f"localhost:{cloud.events.port}", NAME, "$Default"
    claimed = await store.claim_ownership([named(*names, str(p), {"owner_id": "dead"}) for p in range(4)])
    assert len(list(claimed)) == 4
    await store.close()
    put(cloud, *(message(seq, SPREAD[seq % 8]) for seq in range(40)))
    hub, seen = hubs(), list[HubMessage]()
    async with carried(collect(hub, seen)):
        await until(lambda: {each.seq for each in seen} == set(range(40)))


async def test_an_acknowledgement_that_comes_too_late(cloud: Cloud, hubs: Hubs, tmp_path: Path) -> None:
    """A partition that was lost to another ingestor gets no checkpoint from the one that had it."""
    put(cloud, *(message(seq, SPREAD[seq % 8]) for seq in range(40)))
    first, second = hubs(), hubs()
    async with begun(first, first.stored()) as stored:
        held = {delivery.message.seq: delivery for delivery in await take(stored, 40)}
        async with begun(second, second.stored()) as stolen:
            again = await stolen.next()
            while again.message.seq not in held:
                again = await stolen.next()
            await until(lambda: len(first._readings[0]._owned) < 4)  # it knows
            for delivery in held.values():
                delivery.ack()
    assert 0 < len(await checkpoint(cloud, tmp_path)) < 4, "those that the first kept"


async def test_no_more_than_there_is_room_for(cloud: Cloud, hubs: Hubs) -> None:
    """Reading pauses while the oldest are not acknowledged; each acknowledged prefix makes room."""
    put(cloud, *(message(seq) for seq in range(20)))
    hub = hubs(queue_messages_max=5)
    stored = hub.stored()
    async with aclosing(stored), asyncio.timeout(WITHIN_S):  # type: ignore[type-var]  # an async generator
        held = [await anext(stored) for _ in range(5)]
        held[3].ack()
        async with asyncio.TaskGroup() as tasks:
            sixth = tasks.create_task(_next(stored))
            await asyncio.wait([sixth], timeout=0.3)
            assert not sixth.done()
            held[0].ack()
            assert (await sixth).message.seq == 5


async def _next(source: AsyncIterator[Delivery]) -> Delivery:
    return await anext(source)


async def test_what_is_no_message_of_ours_is_passed_over(cloud: Cloud, hubs: Hubs, tmp_path: Path) -> None:
    """Counted, and acknowledged as if it had been stored."""
    cloud.log.append(DEVICE, {"temperature": "21"}, {}, b"{}")
    put(cloud, message(1))
    cloud.log.append(DEVICE, {"msgType": "vehicle_can", "seq": "x", "ts": "1"}, {"$.ct": "a", "$.ce": "b"}, b"")
    put(cloud, message(2))
    metrics = Metrics()
    hub = hubs(metrics)
    async with begun(hub, hub.stored()) as stored:
        for delivery, seq in zip(await take(stored, 2), (1, 2), strict=True):
            assert delivery.message.seq == seq
            delivery.ack()
    assert metrics.value("hub_bad_messages_total") == 2
    assert list((await checkpoint(cloud, tmp_path)).values()) == [3]


async def test_live_begins_now(cloud: Cloud, hubs: Hubs) -> None:
    """Nothing older, no batches, no checkpoint; begun again, it begins again."""
    hub = hubs()
    for start in (0, 10):
        put(cloud, *(message(start + seq, realtime=True) for seq in range(3)))
        await asyncio.sleep(0.005)  # the hub's times are ms
        async with begun(hub, hub.live()) as live:
            put(cloud, *(message(start + seq, realtime=seq % 2 == 1) for seq in range(3, 8)))
            assert [(await live.next()).seq for _ in range(3)] == [start + 3, start + 5, start + 7]
