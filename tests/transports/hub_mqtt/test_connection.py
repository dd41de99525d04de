"""A connection's promises: acknowledgements, their time limit, and an end that everything waiting is told of."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress

import pytest

from duco_rt.errors import TransportError
from duco_rt.transports.hub_mqtt.client import Publication, Session
from duco_rt.transports.hub_mqtt.connection import NO_SUBSCRIBERS, Connection, connected
from tests.servers.mosquitto import Mosquitto
from tests.servers.server import HOST

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mosquitto]:
    """One broker for all of these tests."""
    server = Mosquitto(tmp_path_factory.mktemp("broker"), persistence=False)
    yield server
    server.kill()


@pytest.fixture
async def broker(server: Mosquitto) -> AsyncIterator[Mosquitto]:
    """The broker, up at the beginning, whatever the test does to it."""
    if not server.is_running:
        await asyncio.to_thread(server.start)
    yield server
    server.pause(False)


def session(broker: Mosquitto, client_id: str = "c", **options: float) -> Session:
    """Return how to connect to it."""
    return Session(HOST, broker.port, client_id, **options)  # type: ignore[arg-type]  # send_timeout_s and the like


async def test_many_are_on_their_way_at_once(broker: Mosquitto) -> None:
    """500 publishes need not 500 turns of the network, and each gets its acknowledgement."""
    got: list[bytes] = []
    async with connected(session(broker), lambda _, body, __: got.append(body)) as connection:
        assert await connection.publish(Publication("nobody/there", b"")) == NO_SUBSCRIBERS
        await connection.subscribe("x", qos=1)
        async with asyncio.TaskGroup() as tasks:
            codes = [tasks.create_task(connection.publish(Publication("x", b"%d" % n))) for n in range(500)]
        await asyncio.wait_for(connection.idle(), 20)
        async with asyncio.timeout(20):
            while len(got) < 500:
                await asyncio.sleep(0.01)
    assert {code.result() for code in codes} == {0}
    assert got == [b"%d" % n for n in range(500)]


async def test_a_killed_broker_fails_what_waits_at_once(broker: Mosquitto) -> None:
    """Not after the time limit; what comes later fails too, and `lost` says why."""
    async with connected(session(broker), print) as connection:
        broker.pause(True)
        async with asyncio.TaskGroup() as tasks:
            sending = [tasks.create_task(failing(connection)) for _ in range(100)]
            await asyncio.sleep(0.05)
            begun_s = time.monotonic()
            await asyncio.to_thread(broker.kill)
        assert time.monotonic() - begun_s < 5
        assert all(HOST in task.result() for task in sending)
        assert "lost" in await failing(connection)
        with pytest.raises(TransportError, match="lost"):
            await connection.lost()


async def failing(connection: Connection) -> str:
    """Publish; return the text of the error."""
    with pytest.raises(TransportError) as caught:
        await connection.publish(Publication("x", b""))
    return str(caught.value)


async def test_a_paused_broker_ends_the_connection(broker: Mosquitto) -> None:
    """When nothing at all was acknowledged for the time limit; the others that wait fail with it."""
    async with connected(session(broker, send_timeout_s=1.5), print) as connection:
        await connection.publish(Publication("x", b""))
        broker.pause(True)
        begun_s = time.monotonic()
        async with asyncio.TaskGroup() as tasks:
            texts = [tasks.create_task(failing(connection)) for _ in range(3)]
        assert 1.4 < time.monotonic() - begun_s < 8
        assert all("no acknowledgement for 1.5 s" in text.result() for text in texts)
        assert not connection.is_up


class Slow:
    """A broker of MQTT 5 that takes four messages at a time and acknowledges one every 0.4 s."""

    def __init__(self) -> None:
        self.waiting_most = 0
        self._mids: asyncio.Queue[bytes] = asyncio.Queue()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        async with asyncio.TaskGroup() as tasks:
            acks = tasks.create_task(self._acknowledge(writer))
            with suppress(asyncio.IncompleteReadError):
                while True:
                    kind, length = await reader.readexactly(2)
                    body = await reader.readexactly(length)
                    if kind >> 4 == 1:  # CONNECT; its answer says Receive Maximum 4
                        writer.write(bytes([0x20, 6, 0, 0, 3, 0x21, 0, 4]))
                    if kind >> 4 == 3:  # PUBLISH
                        at = 2 + int.from_bytes(body[:2], "big")
                        self._mids.put_nowait(body[at : at + 2])
                        self.waiting_most = max(self.waiting_most, self._mids.qsize())
            acks.cancel()
        writer.close()

    async def _acknowledge(self, writer: asyncio.StreamWriter) -> None:
        while True:
            await asyncio.sleep(0.4)
            writer.write(b"\x40\x02" + await self._mids.get())


async def test_a_slow_way_is_no_dead_broker() -> None:
    """A publish may take longer than the time limit while others are acknowledged; the broker's own limit is heeded."""
    slow = Slow()
    async with await asyncio.start_server(slow.serve, HOST, 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with connected(Session(HOST, port, "c", send_timeout_s=1.4), print) as connection:
            async with asyncio.TaskGroup() as tasks:
                for n in range(8):
                    tasks.create_task(connection.publish(Publication("x", b"%d" % n)))
            assert connection.is_up
    assert slow.waiting_most == 4


async def test_keepalive_notices_a_paused_broker(broker: Mosquitto) -> None:
    """Where nothing is sent, within two keepalives."""
    async with connected(session(broker, keepalive_s=1), print) as connection:
        broker.pause(True)
        with pytest.raises(TransportError):
            await asyncio.wait_for(connection.lost(), 20)


async def test_the_end_of_an_older_connection(broker: Mosquitto) -> None:
    """A connection with the same client id ends it."""
    async with connected(session(broker, "same"), print) as older, connected(session(broker, "same"), print) as newer:
        with pytest.raises(TransportError):
            await asyncio.wait_for(older.lost(), 20)
        assert newer.is_up
