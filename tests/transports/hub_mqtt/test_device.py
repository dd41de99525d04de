"""A device over MQTT: offline and online, brokers that are killed, tokens that expire, many devices in a process."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from duco_rt.clock import SystemClock
from duco_rt.errors import TransportError
from duco_rt.model import MethodResult
from duco_rt.seeing.metrics import Metrics
from duco_rt.transports.hub_mqtt.client import Session
from duco_rt.transports.hub_mqtt.connection import connected
from duco_rt.transports.hub_mqtt.device import MqttHubDevice
from duco_rt.transports.hub_mqtt.dialect import BrokerDialect
from duco_rt.transports.hub_mqtt.hub import MqttHub
from tests.contracts.hub_adapters import carried, subscribed, up
from tests.servers.mosquitto import Mosquitto
from tests.servers.server import HOST
from tests.transports.hub_flows import Outbox, collect, echo, message, running

pytestmark = pytest.mark.servers


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    """A broker of the test's own; killed, it forgets what came since its start (the default autosave is 30 min)."""
    server = Mosquitto(tmp_path, autosave_changes=0).start()
    yield server
    server.kill()


def hub_of(broker: Mosquitto, metrics: Metrics | None = None) -> MqttHub:
    """Return the hub of an ingestor."""
    return MqttHub(broker.url, metrics or Metrics(), client_id="ingest")


async def test_offline_a_send_fails_at_once(broker: Mosquitto) -> None:
    """Before the device runs, while the broker is away, and after it was stopped; the text says why."""
    device = hub_of(broker).device("D")
    with pytest.raises(TransportError, match="not on the hub yet"):
        await device.send(message(1))
    async with running(device):
        await asyncio.to_thread(broker.kill)
        async with asyncio.timeout(20):
            while device.is_online:
                await asyncio.sleep(0.01)
        begun_s = time.monotonic()
        with pytest.raises(TransportError, match=f"{HOST}:{broker.port}"):
            await device.send(message(1))
        assert time.monotonic() - begun_s < 2
    with pytest.raises(TransportError, match="stopped"):
        await device.send(message(1))


async def test_a_message_that_nobody_would_keep_is_not_sent(broker: Mosquitto) -> None:
    """Until an ingestor has been there, the broker throws everything away: the device holds it."""
    hub = hub_of(broker)
    device = hub.device("D")
    async with running(device):
        with pytest.raises(TransportError, match="knows no ingestor"):
            await device.send(message(1))
        await subscribed(hub)
        await device.send(message(1))


async def test_300_messages_through_a_killed_broker(broker: Mosquitto) -> None:
    """Away for 3 s, and it has forgotten what it had acknowledged: all arrive, soon after its return."""
    metrics, seen = Metrics(), list[int]()
    hub = hub_of(broker, metrics)
    device = hub.device("D")
    back_s = 0.0
    await subscribed(hub)
    async with asyncio.TaskGroup() as tasks:
        outbox = Outbox(device, tasks, metrics)
        tasks.create_task(collect(hub, seen, metrics, lambda: len(set(seen)) == 300))
        async with running(device, on_loss=outbox.on_loss):
            for seq in range(300):
                outbox.put(message(seq))
                await asyncio.sleep(0.002)
                if seq == 150:
                    await asyncio.to_thread(broker.kill)
                    await asyncio.sleep(3)
                    await asyncio.to_thread(broker.start)
                    back_s = time.monotonic()
            await outbox.drained()
            async with asyncio.timeout(20):
                while len(set(seen)) < 300:
                    await asyncio.sleep(0.01)
            took_s = time.monotonic() - back_s
            print(f"all there {took_s:.1f} s after the broker, {len(seen) - 300} copies")
    assert set(seen) == set(range(300))
    assert took_s < 15


async def test_what_was_lost_is_told_after_every_connection_but_the_first(broker: Mosquitto) -> None:
    """The device is on the hub when it is told."""
    device, told = hub_of(broker).device("D"), list[bool]()
    async with running(device, on_loss=lambda: told.append(device.is_online)):
        for losses in range(3):
            assert told == [True] * losses
            await asyncio.to_thread(broker.kill)
            while device.is_online:
                await asyncio.sleep(0.01)
            await asyncio.to_thread(broker.start)
            await asyncio.wait_for(device.online(), 20)


@pytest.fixture
async def statuses(broker: Mosquitto) -> AsyncIterator[asyncio.Queue[bool]]:
    """What device D says of its presence."""
    said: asyncio.Queue[bool] = asyncio.Queue()
    session = Session(HOST, broker.port, "watcher")
    async with connected(session, lambda _, body, __: said.put_nowait(json.loads(body)["online"])) as watcher:
        await watcher.subscribe("devices/D/status", qos=1)
        yield said


DEVICE = """
import asyncio, sys
from duco_rt.seeing.metrics import Metrics
from duco_rt.model import MethodResult
from duco_rt.transports.hub_mqtt.hub import MqttHub
asyncio.run(MqttHub(sys.argv[1], Metrics(), client_id="x").device("D").run(None, lambda: None))
"""


async def test_presence(broker: Mosquitto, statuses: asyncio.Queue[bool]) -> None:
    """Online when it is reachable; offline when it stops in order, and by its last will when it is killed."""

    async def said() -> bool:
        return await asyncio.wait_for(statuses.get(), 20)

    async with running(hub_of(broker).device("D")):
        assert await said()
    assert not await said()
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", DEVICE, broker.url)
    assert await said()
    process.send_signal(signal.SIGKILL)
    assert not await said()
    await process.wait()


@dataclass(frozen=True)
class Expiring(BrokerDialect):
    """A token that is good for 1.5 s, or as long as a test says."""

    good_s: float = 1.5

    def password(self, now_s: float) -> tuple[str | None, float | None]:
        """A new one each time."""
        return f"{now_s}", now_s + self.good_s


async def test_a_token_that_expires(broker: Mosquitto) -> None:
    """The device makes a new connection before; nothing is lost, and nobody is told that it was."""
    metrics, seen = Metrics(), list[int]()
    hub = hub_of(broker, metrics)
    dialect = Expiring("D", HOST, broker.port, None, "D", None, may_lose=False)
    device = MqttHubDevice(dialect, SystemClock(), metrics)
    losses: list[None] = []
    await subscribed(hub)
    async with asyncio.TaskGroup() as tasks:
        outbox = Outbox(device, tasks, metrics)
        tasks.create_task(collect(hub, seen, metrics, lambda: len(set(seen)) == 300))
        async with running(device, on_loss=lambda: losses.append(None)):
            for seq in range(300):
                outbox.put(message(seq))
                await asyncio.sleep(0.01)
            await outbox.drained()
    assert sorted(set(seen)) == list(range(300))
    assert not losses
    assert metrics.value("hub_connections_lost_total", part="device") == 0
    connections = (broker.folder / "output.log").read_text().count("as duco-device-D ")
    assert connections >= 3


async def test_a_method_that_runs_when_the_token_expires(broker: Mosquitto) -> None:
    """The new connection waits for its answer."""

    async def slow(_: str, payload: dict[str, object]) -> MethodResult:
        while device.is_online:  # until the connection is being renewed
            await asyncio.sleep(0.01)
        return MethodResult(200, payload)

    hub = hub_of(broker)
    device = MqttHubDevice(Expiring("D", HOST, broker.port, None, "D", None, good_s=4.0), SystemClock(), Metrics())
    async with carried(hub.run()):
        await up(hub)
        async with running(device, slow):  # the call has 3.4 s to reach it
            async with asyncio.timeout(20):
                while not hub.connected("D"):
                    await asyncio.sleep(0.01)
            assert (await hub.call("D", "m", {"a": 1}, 20.0)).payload == {"a": 1}
            await asyncio.wait_for(device.online(), 20)


async def test_fifty_devices_in_a_process(broker: Mosquitto) -> None:
    """No thread each, little memory, and all send and are reachable."""
    metrics, seen, process = Metrics(), list[int](), psutil.Process()
    hub = hub_of(broker, metrics)
    await subscribed(hub)
    async with running(hub.device("first")):
        threads, memory = threading.active_count(), process.memory_info().rss
        devices = [hub.device(f"D{n}") for n in range(50)]
        async with asyncio.TaskGroup() as tasks:
            runs = [tasks.create_task(device.run(echo, lambda: None)) for device in devices]
            async with asyncio.timeout(20):
                for n, device in enumerate(devices):
                    await device.online()
                    await device.send(message(n, f"D{n}"))
            more = threading.active_count() - threads
            print(f"50 devices: {more} threads, {(process.memory_info().rss - memory) / 1e6:.1f} MB more")
            await collect(hub, seen, metrics, lambda: len(seen) == 50)
            for run in runs:
                run.cancel()
    assert sorted(seen) == list(range(50))
    assert more <= 32  # those of asyncio's own pool, which the attempts to connect share
