"""What an ingestor reads: in order, acknowledged in order, bounded."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from duco_rt.seeing.metrics import Metrics
from duco_rt.transports.hub_mqtt import topics
from duco_rt.transports.hub_mqtt.client import Publication, Session
from duco_rt.transports.hub_mqtt.connection import Connection, connected
from duco_rt.transports.hub_mqtt.readings import LiveMessages, MqttDelivery, Stored
from tests.needs import needs
from tests.servers.mosquitto import Mosquitto
from tests.servers.server import HOST
from tests.transports.hub_flows import message

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    """One broker for all of these tests."""
    server = Mosquitto(tmp_path_factory.mktemp("broker"), persistence=False).start()
    yield server
    server.kill()


@pytest.fixture
async def device(broker: Mosquitto) -> AsyncIterator[Connection]:
    """Who publishes."""
    async with connected(Session(HOST, broker.port, "device"), print) as connection:
        yield connection


async def send(device: Connection, *seqs: int) -> None:
    """Publish real-time messages."""
    for seq in seqs:
        await device.publish(Publication(topics.events(message(seq, realtime=True)), b"body"))


@asynccontextmanager
async def reading(
    broker: Mosquitto, client_id: str, most: int, metrics: Metrics, keepalive_s: int = 10
) -> AsyncIterator[Stored]:
    """One connection of an ingestor that the broker knows by this id."""
    stored = Stored(most, metrics)
    session = Session(HOST, broker.port, client_id, keepalive_s=keepalive_s)
    session = replace(session, kept_s=60, manual_ack=True, receive_max=most)
    async with connected(session, stored.arrived) as connection:
        stored.read_from(connection)
        if not connection.has_session:
            await connection.subscribe(topics.EVENTS, qos=1)
        yield stored


async def take(stored: Stored, count: int) -> list[MqttDelivery]:
    """The next deliveries."""
    async with asyncio.timeout(20):
        taken = [await stored.next() for _ in range(count)]
    return [each for each in taken if each is not None]


def seqs(deliveries: list[MqttDelivery]) -> list[int]:
    """Whose they are."""
    return [each.message.seq for each in deliveries]


async def test_acknowledgements_go_out_in_order_of_arrival(broker: Mosquitto, device: Connection) -> None:
    """One before an earlier message waits for that; the broker sends again exactly what it heard nothing of."""
    metrics = Metrics()
    async with reading(broker, "order", 100, metrics) as stored:
        await send(device, *range(6))
        taken = await take(stored, 6)
        for n in (0, 1, 3, 4):
            taken[n].ack()
    async with reading(broker, "order", 100, metrics) as stored:
        again = await take(stored, 4)
        assert seqs(again) == [2, 3, 4, 5]
        for each in reversed(again):
            each.ack()
            each.ack()
        assert not stored.unacked
    async with reading(broker, "order", 100, metrics) as stored:
        await send(device, 9)
        assert seqs(await take(stored, 1)) == [9]


async def test_acknowledgements_of_an_older_connection_do_nothing(broker: Mosquitto, device: Connection) -> None:
    """Its ids mean other messages by now."""
    metrics = Metrics()
    async with reading(broker, "older", 100, metrics) as stored:
        await send(device, 1, 2)
        old = await take(stored, 2)
    async with reading(broker, "older", 100, metrics) as stored:
        for each in old:
            each.ack()
        await take(stored, 2)
    async with reading(broker, "older", 100, metrics) as stored:
        assert seqs(await take(stored, 2)) == [1, 2]


async def test_no_more_than_there_is_room_for(broker: Mosquitto, device: Connection) -> None:
    """The others wait at the broker, which by itself would send more; in order, none twice, after a new connection."""
    metrics, seen, most = Metrics(), list[int](), 0
    async with reading(broker, "room", 10, metrics):
        pass
    await send(device, *range(1000))
    for part in (500, 1000):
        async with reading(broker, "room", 10, metrics) as stored:
            held: deque[MqttDelivery] = deque()
            while len(seen) < part:
                held += await take(stored, 1)
                if len(held) == 10 or len(seen) + len(held) == part:
                    await asyncio.sleep(0)
                    if len(seen) > part - 100:  # a burst may come with the connection, before the reading can stop it
                        most = max(most, len(stored.unacked))
                    for each in held:
                        each.ack()
                    seen += seqs(list(held))
                    held.clear()
    assert seen == list(range(1000))
    assert most == 10


async def test_a_stall_longer_than_the_keepalive(broker: Mosquitto, device: Connection) -> None:
    """The connection stays up while nothing is read off it, and goes on afterwards."""
    metrics = Metrics()
    async with reading(broker, "stall", 5, metrics, keepalive_s=3) as stored:
        await send(device, *range(20))
        taken = await take(stored, 5)
        await asyncio.sleep(6)  # the broker ends a connection that is silent for 4.5 s
        for seq in range(5, 20):
            taken.pop(0).ack()
            taken += await take(stored, 1)
            assert taken[-1].message.seq == seq


@pytest.mark.parametrize(
    "topic", ["devices/D/messages/events/x=1", "devices/D/messages/events/", "devices/a.b/messages/events/x"]
)
async def test_what_cannot_be_read(broker: Mosquitto, device: Connection, topic: str) -> None:
    """It is counted and done with: it holds up nothing and does not come again."""
    metrics = Metrics()
    async with reading(broker, "bad", 100, metrics) as stored:
        await send(device, 1)
        await device.publish(Publication(topic, b"x"))
        await send(device, 2)
        taken = await take(stored, 2)
        assert seqs(taken) == [1, 2]
        assert metrics.value("hub_bad_messages_total") == 1
        for each in taken:
            each.ack()
    async with reading(broker, "bad", 100, metrics) as stored:
        await send(device, 3)
        (last,) = await take(stored, 1)
        last.ack()
        assert last.message.seq == 3
        assert metrics.value("hub_bad_messages_total") == 1


async def test_a_flood_that_asks_for_no_acknowledgement(broker: Mosquitto) -> None:
    """QoS 0, by another publisher: it is read, and no more at a time than there is room for."""
    pub = [str(needs("mosquitto_pub")), "-p", str(broker.port), "-q", "0", "-l", "-t", topics.events(message(1))]
    async with reading(broker, "flood", 5, Metrics()) as stored:
        lines = "\n".join(["body"] * 200).encode()
        process = await asyncio.create_subprocess_exec(*pub, stdin=asyncio.subprocess.PIPE)
        await process.communicate(lines)
        for _ in range(200):
            await take(stored, 1)
            await asyncio.sleep(0)
            assert len(stored.items) <= 5
            assert not stored.unacked


def test_live_keeps_the_newest() -> None:
    """Of real-time messages alone; what went is counted."""
    metrics = Metrics()
    live = LiveMessages(3, metrics)
    for seq in range(10):
        live.arrived(topics.events(message(seq, realtime=seq % 2 == 0)), b"", 0)
    live.arrived("devices/D/messages/events/x", b"", 0)
    assert [each.seq for each in live.items] == [4, 6, 8]
    assert metrics.value("hub_live_dropped_total") == 2


async def test_closed() -> None:
    """Whoever waits, and whoever comes later, is told the end."""
    live = LiveMessages(3, Metrics())
    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(live.next())
        await asyncio.sleep(0)
        live.close()
        assert await waiting is None
    assert await live.next() is None
