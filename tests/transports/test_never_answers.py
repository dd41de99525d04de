"""Servers that accept and never answer: every call ends in time with an error that names the server; later it works.

Waits are cut short here where a module has them as constants: that they are there is what is tested.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from duco_rt.clock import SystemClock
from duco_rt.errors import TransportError
from duco_rt.model import HubMessage, Peer, RawMessage, Sample
from duco_rt.seeing.metrics import Metrics
from duco_rt.transports.hub_iothub.checkpoints_redis import RedisCheckpoints
from duco_rt.transports.hub_iothub.hub import IotHub
from duco_rt.transports.hub_mqtt.hub import MqttHub
from duco_rt.transports.leases_redis import RedisLeases
from duco_rt.transports.live_redis_pubsub import RedisPubSubLive
from duco_rt.transports.live_redis_streams import RedisStreamsLive
from duco_rt.transports.log_kafka import KafkaLog
from duco_rt.transports.meta_http import HttpMeta
from duco_rt.transports.store_clickhouse import ClickHouseStore
from tests.servers.deaf import Deaf
from tests.servers.iothub.cloud import Cloud
from tests.servers.iothub.testing import DEVICE, answer, hub_of, message, put
from tests.servers.mosquitto import Mosquitto
from tests.servers.redis import RedisServer, carried, read
from tests.servers.server import HOST

pytestmark = pytest.mark.servers

IN_TIME_S = 10.0
PEER = Peer("duco", "D", "vehicle_can")
MESSAGE = HubMessage("D", "vehicle_can", True, 1, 1, "x/y", "identity", b"1")


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of those that are long."""
    for name in (
        "hub_iothub.events._FIRST_S",
        "hub_mqtt.client._CONNECT_S",
        "live_redis_pubsub.CALL_S",
        "log_kafka_cluster.CONNECT_S",
        "log_kafka_writer.CONNECT_S",
        "redis_client.CALL_S",
        "store_clickhouse_connection.CONNECT_S",
    ):
        monkeypatch.setattr(f"duco_rt.transports.{name}", 0.5)


@pytest.fixture
async def deaf() -> AsyncIterator[Deaf]:
    """One."""
    async with Deaf() as server:
        yield server


async def in_time(work: Awaitable[object], said: str) -> None:
    """It fails within some seconds, as a transport does, and names what did not answer."""
    begun_s = time.monotonic()
    with pytest.raises(TransportError, match=said):
        async with asyncio.timeout(30):
            await work
    assert time.monotonic() - begun_s < IN_TIME_S


REDIS: dict[str, Callable[[str], Awaitable[object]]] = {
    "leases renew": lambda url: RedisLeases(url).renew("k", "v", 60),
    "leases held": lambda url: RedisLeases(url).held(),
    "leases turn": lambda url: RedisLeases(url).turn("t", 1),
    "leases check": lambda url: RedisLeases(url).check(),
    "checkpoints": lambda url: RedisCheckpoints(url).check(),
    "streams publish": lambda url: RedisStreamsLive(url, 10, Metrics()).publish("c", b"1"),
    "streams subscribe": lambda url: RedisStreamsLive(url, 10, Metrics()).subscribe("c"),
    "streams recent": lambda url: RedisStreamsLive(url, 10, Metrics()).recent("c", 10),
    "pubsub publish": lambda url: RedisPubSubLive(url, 10, Metrics(), pattern=False).publish("c", b"1"),
    "pubsub subscribe": lambda url: RedisPubSubLive(url, 10, Metrics(), pattern=True).subscribe("c"),
}


@pytest.mark.parametrize("call", REDIS)
async def test_redis(deaf: Deaf, call: str) -> None:
    """Each kind of call, its connection included."""
    await in_time(REDIS[call](f"redis://{HOST}:{deaf.port}"), f"redis://{HOST}:{deaf.port}: .*no answer in time")


@pytest.mark.parametrize("make", [RedisStreamsLive, None])
async def test_redis_is_found_when_it_answers(
    deaf: Deaf, tmp_path: Path, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The carried subscriptions are told as lost, and work as soon as a real server has the port."""
    url, server = f"redis://{HOST}:{deaf.port}", RedisServer(tmp_path)
    live = make(url, 10, Metrics()) if make else RedisPubSubLive(url, 10, Metrics(), pattern=False)
    async with carried(live):
        await in_time(live.check(), "no answer in time")
        monkeypatch.undo()  # a server that answers may take its time
        await deaf.__aexit__()
        server.port = deaf.port
        await asyncio.to_thread(server.start)
        try:
            async with asyncio.timeout(20):
                while True:
                    try:
                        source = await live.subscribe("c")
                        await live.check()
                        break
                    except TransportError:
                        await asyncio.sleep(0.05)
            await live.publish("c", b"1")
            assert await read(source, 1) == [b"1"]
        finally:
            server.kill()


def kafka(port: int) -> KafkaLog:
    """A log at a port."""
    return KafkaLog(f"{HOST}:{port}", ["vehicle_can"], Metrics())


KAFKA: dict[str, Callable[[int], Awaitable[object]]] = {
    "check": lambda port: kafka(port).check(),
    "append raw": lambda port: kafka(port).append_raw([RawMessage(MESSAGE, "duco", 1)]),
    "append parsed": lambda port: kafka(port).append_parsed([Sample(PEER, 1, 1, 1, {})]),
    "read": lambda port: anext(kafka(port).read_raw(1, 1)),
}


@pytest.mark.parametrize("call", KAFKA)
async def test_kafka(deaf: Deaf, call: str) -> None:
    """Writing, reading, and the check of readiness."""
    await in_time(KAFKA[call](deaf.port), f"kafka at {HOST}:{deaf.port}: .*no answer in time")


STORE: dict[str, Callable[[ClickHouseStore], Awaitable[object]]] = {
    "history": lambda store: store.history(PEER, ["a"], 0, 1),
    "thinned": lambda store: store.thinned(PEER, ["a"], 0, 10, 1),
    "raw": lambda store: store.raw(PEER, 0, 1),
    "insert": lambda store: store.insert_parsed([Sample(PEER, 1, 1, 1, {"a": 1.0})]),
    "expire": lambda store: store.expire(1),
    "check": lambda store: store.check(),
}


@pytest.mark.parametrize("call", STORE)
async def test_clickhouse(deaf: Deaf, call: str) -> None:
    """Each kind of call."""
    store = ClickHouseStore(f"clickhouse://{HOST}:{deaf.port}")
    await in_time(STORE[call](store), f"clickhouse {HOST}:{deaf.port}: no answer within")
    await store.close()


@pytest.mark.parametrize("call", ["devices", "check", "call"])
async def test_metaapi(deaf: Deaf, call: str) -> None:
    """Questions, the check, and direct methods, which may take longer than others."""
    meta = HttpMeta(f"http://{HOST}:{deaf.port}", Metrics(), 0.2, 0.3)
    calls: dict[str, Callable[[], Awaitable[object]]] = {
        "devices": meta.devices,
        "check": meta.check,
        "call": lambda: meta.call("ducohub", "D", "setRealTimeUpload", {}),
    }
    try:
        await in_time(calls[call](), f"{HOST}:{deaf.port}")
    finally:
        await meta.close()


async def no_method(*_: object) -> Any:
    """Nobody calls one."""
    raise NotImplementedError


async def _first(hub: MqttHub | IotHub) -> HubMessage:
    async for delivery in hub.stored():
        return delivery.message
    raise AssertionError


async def test_iothub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each of its three endpoints; when they answer, the reading that is begun again has what was sent meanwhile."""
    async with Cloud(tmp_path) as ready:  # for its ports and certificates
        ports = ready.mqtt.port, ready.methods.port, ready.events.port
        hub = hub_of(ready, tmp_path)
    device = hub.device(DEVICE)
    async with AsyncExitStack() as stack, asyncio.TaskGroup() as tasks:
        for port in ports:
            await stack.enter_async_context(Deaf(port))
        running = tasks.create_task(device.run(answer, lambda: None))
        for reading in (hub.stored(), hub.live()):
            await in_time(anext(reading), f"event hub .* at localhost:{ports[2]}: no answer within")
        await in_time(device.send(message(1)), f"device {DEVICE} is offline")
        await in_time(hub.call(DEVICE, "m", {}, 1.0), "did not answer m within 1 s")
        await in_time(hub.check(), "event hub|no answer within")
        monkeypatch.undo()  # a real one may take its time
        await stack.aclose()
        async with Cloud(tmp_path, ports=ports) as cloud:
            put(cloud, message(7))
            async with asyncio.timeout(30):
                assert (await _first(hub)).seq == 7
                await device.online()
                assert (await hub.call(DEVICE, "m", {}, 10.0)).status == 200
            running.cancel()
            await hub.close()


async def test_mqtt(deaf: Deaf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All connections say what is wrong; devices and ingest are there when a real broker has the port."""
    metrics, broker = Metrics(), Mosquitto(tmp_path)
    hub = MqttHub(f"mqtt://{HOST}:{deaf.port}", metrics, client_id="c", clock=SystemClock())
    device = hub.device("D")
    for reading in (hub.stored(), hub.live()):
        await in_time(anext(reading), f"MQTT broker {HOST}:{deaf.port}: no connection: Operation timed out")
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(hub.run()), tasks.create_task(device.run(no_method, lambda: None))]
        await in_time(device.send(MESSAGE), "device D is offline")
        await in_time(hub.call("D", "m", {}, 1.0), "cannot call D")
        await in_time(hub.check(), "stored: MQTT broker .* Operation timed out")
        monkeypatch.undo()  # as above
        await deaf.__aexit__()
        broker.port = deaf.port
        await asyncio.to_thread(broker.start)
        try:
            async with asyncio.timeout(30):
                first = tasks.create_task(_first(hub))
                await device.online()
                while hub.connected("D") is not True:
                    await asyncio.sleep(0.05)
                while True:
                    try:
                        await device.send(MESSAGE)
                        break
                    except TransportError:  # until ingest is subscribed
                        await asyncio.sleep(0.05)
                assert (await first).seq == 1
        finally:
            for task in running:
                task.cancel()
            await asyncio.to_thread(broker.stop)
