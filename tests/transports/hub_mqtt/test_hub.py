"""The hub over MQTT: ingestors that share, die and come back; backlogs; what `check` says."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from duco_rt.errors import TransportError
from duco_rt.seeing.metrics import Metrics
from duco_rt.transports.hub_mqtt.device import MqttHubDevice
from duco_rt.transports.hub_mqtt.hub import MqttHub
from tests.contracts.hub_adapters import begun, subscribed, up
from tests.servers.mosquitto import Mosquitto
from tests.transports.hub_flows import Outbox, collect, message, running

pytestmark = pytest.mark.servers


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    """A broker of the test's own that writes each change to disk."""
    server = Mosquitto(tmp_path / "broker").start()
    yield server
    server.pause(False)
    server.kill()


def ingestor(broker: Mosquitto, name: str = "ingest-1", **options: int) -> MqttHub:
    """Return the hub of an ingestor."""
    return MqttHub(broker.url, Metrics(), client_id=name, **options)  # type: ignore[arg-type]  # queue_messages_max alone


async def test_two_ingestors_share(broker: Mosquitto) -> None:
    """Each message goes to one of them; so do live ones."""
    one, two = ingestor(broker, "one"), ingestor(broker, "two")
    seen: list[list[int]] = [[], []]
    everything = set(range(40))
    async with (
        begun(one, one.live()) as live_one,
        begun(two, two.live()) as live_two,
        running(one.device("D")),
        asyncio.TaskGroup() as tasks,
    ):
        readers = [
            tasks.create_task(collect(hub, into, Metrics(), lambda: False))
            for hub, into in zip((one, two), seen, strict=True)
        ]
        await up(one)
        await up(two)
        device = one.device("E")
        async with running(device):
            for seq in everything:
                await device.send(message(seq, "E", realtime=True))
        async with asyncio.timeout(20):
            while set(seen[0]) | set(seen[1]) != everything:
                await asyncio.sleep(0.01)
        live = [(await each.next()).seq for each in (live_one, live_two) for _ in range(20)]
        for reader in readers:
            reader.cancel()
    assert sorted(seen[0] + seen[1]) == sorted(live) == sorted(everything)
    assert min(len(each) for each in seen) > 10


READER = """
import asyncio, sys
from duco_rt.seeing.metrics import Metrics
from duco_rt.transports.hub_mqtt.hub import MqttHub
async def main():
    async for delivery in MqttHub(sys.argv[1], Metrics(), client_id=sys.argv[2]).stored():
        if delivery.message.seq < 3:
            delivery.ack()
        await asyncio.sleep(0.02)  # the acknowledgement goes out
        print(delivery.message.seq, flush=True)
asyncio.run(main())
"""


async def test_a_killed_ingestors_messages_come_again_when_it_is_back(broker: Mosquitto) -> None:
    """With the same client id: what it had taken and not acknowledged, then what came meanwhile."""
    hub = ingestor(broker)
    await subscribed(hub)
    device = hub.device("D")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", READER, broker.url, "ingest-1", stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    async with running(device):
        for seq in range(6):
            await device.send(message(seq))
        async with asyncio.timeout(20):
            assert [int(await process.stdout.readline()) for _ in range(6)] == list(range(6))
        process.kill()
        await process.wait()
        await device.send(message(6))
        async with begun(hub, hub.stored()) as stored:
            assert [(await stored.next()).message.seq for _ in range(4)] == [3, 4, 5, 6]


async def on_disk(broker: Mosquitto, device: MqttHubDevice) -> None:
    """Return when the broker has written what it was told, a few packets at most.

    In each of its rounds it reads one packet of each connection; a signal makes it write.
    """

    def written() -> list[tuple[int, int]]:
        return [(found.st_ino, found.st_mtime_ns) for found in map(Path.stat, broker.folder.glob("mosquitto.db"))]

    for seq in range(100, 105):  # each a round at least
        await device.send(message(seq))
    before = written()
    os.kill(broker.pid, signal.SIGUSR1)
    async with asyncio.timeout(20):
        while written() == before:
            await asyncio.sleep(0.01)


async def test_what_was_not_acknowledged_survives_the_brokers_kill(broker: Mosquitto) -> None:
    """The reading ends with TransportError; begun again, it has the same messages, and not those acknowledged."""
    hub = ingestor(broker)
    device = hub.device("D")
    async with running(device):
        async with begun(hub, hub.stored()) as stored:
            for seq in range(5):
                await device.send(message(seq))
            taken = [await stored.next() for _ in range(5)]
            taken[0].ack()
            taken[1].ack()
            await on_disk(broker, device)
            taken += [await stored.next() for _ in range(5)]  # nothing is left to read but the end
            await asyncio.to_thread(broker.kill)
            with pytest.raises(TransportError, match=f":{broker.port}"):
                await stored.next()
        with pytest.raises(TransportError, match="stored"):
            await hub.check()
        await asyncio.to_thread(broker.start)
        async with begun(hub, hub.stored()) as stored:
            await hub.check()
            assert [(await stored.next()).message.seq for _ in range(3)] == [2, 3, 4]


async def test_a_log_that_stalls_stops_the_broker_and_not_live(broker: Mosquitto) -> None:
    """Nothing acknowledged, room for 10: the others wait at the broker, live goes on, and nothing is lost."""
    hub = ingestor(broker, queue_messages_max=10)
    device = hub.device("D")
    async with running(device), begun(hub, hub.live()) as live, begun(hub, hub.stored()) as stored:
        for seq in range(50):
            await device.send(message(seq, realtime=True))
            assert (await live.next()).seq == seq
        for seq in range(50):
            delivery = await stored.next()
            assert delivery.message.seq == seq
            delivery.ack()


async def test_live_does_not_hide_that_the_broker_keeps_nothing(broker: Mosquitto) -> None:
    """Mosquitto started again has forgotten the ingestors' subscription; live sees to it, though nobody reads."""
    hub = ingestor(broker)
    device = hub.device("D")
    await subscribed(hub)
    await asyncio.sleep(0.3)  # the broker writes to disk
    await asyncio.to_thread(broker.kill)
    await asyncio.to_thread(broker.start)
    async with running(device):
        with pytest.raises(TransportError, match="keep nothing"):
            await device.send(message(0))
        async with begun(hub, hub.live()) as live:
            for seq in range(1, 6):
                await device.send(message(seq, realtime=True))
                assert (await live.next()).seq == seq
            async with begun(hub, hub.stored()) as stored:
                assert [(await stored.next()).message.seq for _ in range(5)] == [1, 2, 3, 4, 5]


async def test_live_alone_keeps_nothing(broker: Mosquitto) -> None:
    """A process that never stores is given no share that it would not read."""
    reader, ingest = ingestor(broker, "reader"), ingestor(broker)
    device = ingest.device("D")
    async with running(device), begun(reader, reader.live()), begun(ingest, ingest.stored()) as stored:
        for seq in range(6):
            await device.send(message(seq))
            assert (await stored.next()).message.seq == seq


async def test_a_backlog_larger_than_the_room_for_it(broker: Mosquitto) -> None:
    """It comes in order, though it fills the room before the broker has answered; what was acknowledged is done."""
    hub = ingestor(broker, queue_messages_max=10)
    device = hub.device("D")
    await subscribed(hub)
    async with running(device):
        for seq in range(200):
            await device.send(message(seq))
        async with begun(hub, hub.stored()) as stored:
            for _ in range(50):
                (await stored.next()).ack()
        async with begun(hub, hub.stored()) as stored:
            for seq in range(50, 200):
                delivery = await stored.next()
                assert delivery.message.seq == seq
                delivery.ack()


async def test_a_paused_broker_is_noticed_by_the_readings(broker: Mosquitto, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the keepalive, here of 1 s; `check` says so at once, also while nobody reads."""
    hub = ingestor(broker)
    monkeypatch.setattr(hub, "_session", replace(hub._session, keepalive_s=1))
    async with begun(hub, hub.stored()) as stored, begun(hub, hub.live()):
        broker.pause(True)
        async with asyncio.timeout(20):
            with pytest.raises(TransportError):
                while True:
                    await hub.check()
                    await asyncio.sleep(0.01)
        with pytest.raises(TransportError):
            await stored.next()


async def test_large_messages_keep_their_order_through_a_restart(broker: Mosquitto) -> None:
    """In order per device, as far as nothing had to be sent again."""
    hub, metrics, seen = ingestor(broker), Metrics(), list[int]()
    device = hub.device("D")
    await subscribed(hub)
    async with asyncio.TaskGroup() as tasks:
        outbox = Outbox(device, tasks, metrics)
        async with running(device):
            for seq in range(60):
                outbox.put(message(seq, body=bytes(200_000)))
            await outbox.drained()
            await asyncio.to_thread(broker.stop)
            await asyncio.to_thread(broker.start)
            await collect(hub, seen, metrics, lambda: len(seen) == 60)
    assert seen == list(range(60))


async def test_a_reading_that_was_closed(broker: Mosquitto) -> None:
    """It ends, without an error."""
    hub = ingestor(broker)
    async with begun(hub, hub.stored()) as stored:
        await hub.close()
        with pytest.raises(StopAsyncIteration):
            await stored.next()
