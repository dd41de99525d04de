"""Calls and presence: told apart are a device that is away, one that is silent, and a broker that is away."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from duco_rt.errors import DeviceOffline, DeviceTimeout, TransportError
from duco_rt.model import MethodResult
from duco_rt.seeing.metrics import Metrics
from duco_rt.transports.hub_mqtt.client import Publication, Session
from duco_rt.transports.hub_mqtt.connection import Connection, connected
from duco_rt.transports.hub_mqtt.hub import MqttHub
from tests.contracts.hub_adapters import carried, up
from tests.servers.mosquitto import Mosquitto
from tests.servers.server import HOST
from tests.transports.hub_flows import echo, running

pytestmark = pytest.mark.servers


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    """A broker of the test's own, whose retained messages survive a kill."""
    server = Mosquitto(tmp_path).start()
    yield server
    server.pause(False)
    server.kill()


@pytest.fixture
def metrics() -> Metrics:
    """What the hub counts."""
    return Metrics()


@pytest.fixture
async def hub(broker: Mosquitto, metrics: Metrics) -> MqttHub:
    """A hub whose `run` the test carries."""
    return MqttHub(broker.url, metrics, client_id="metaapi")


@pytest.fixture
async def device(broker: Mosquitto) -> AsyncIterator[Connection]:
    """A connection that publishes what it likes."""
    async with connected(Session(HOST, broker.port, "by-hand"), print) as connection:
        yield connection


async def known(hub: MqttHub, expected: bool | None) -> None:
    """Return when the presence of D is so."""
    async with asyncio.timeout(20):
        while hub.connected("D") is not expected:
            await asyncio.sleep(0.01)


async def test_presence_is_learnt_from_what_the_broker_kept(hub: MqttHub, device: Connection) -> None:
    """Also of devices that came before; none is known while the connection is down; unknown is away."""
    assert hub.connected("D") is None
    await device.publish(Publication("devices/D/status", b'{"online":true,"ts":1}', retain=True))
    await device.publish(Publication("devices/E/status", b'{"online":false,"ts":1}', retain=True))
    async with carried(hub.run()):
        await known(hub, True)
        async with asyncio.timeout(20):
            while hub.connected("never") is None:
                await asyncio.sleep(0.01)
        assert (hub.connected("E"), hub.connected("never")) == (False, False)
        await device.publish(Publication("devices/D/status", b"", retain=True))
        await known(hub, False)
    assert hub.connected("D") is None


async def test_statuses_and_answers_that_cannot_be_read(hub: MqttHub, device: Connection, metrics: Metrics) -> None:
    """They are counted, and change nothing."""
    topics = ["devices/D/status", "devices/a.b/status", "devices/D/methods/res/x/1"]
    async with carried(hub.run()):
        await up(hub)
        for topic, payload in zip(topics, [b"[]", b'{"online":true}', b"{}"], strict=True):
            await device.publish(Publication(topic, payload))
        for payload in (b"{", b'{"online":1}', b"\xff"):
            await device.publish(Publication("devices/D/status", payload))
        async with asyncio.timeout(20):
            while metrics.value("hub_bad_messages_total") < 6:
                await asyncio.sleep(0.01)
        await known(hub, False)


async def test_a_device_that_is_away_costs_no_time(hub: MqttHub, device: Connection) -> None:
    """By what it said last, by its absence, and by the broker's word where it said that it was there."""
    await device.publish(Publication("devices/D/status", b'{"online":false,"ts":1}', retain=True))
    await device.publish(Publication("devices/stale/status", b'{"online":true,"ts":1}', retain=True))
    async with carried(hub.run()):
        await up(hub)
        await known(hub, False)
        for chassis_id in ("D", "stale", "never", "a/b", "#", ""):
            begun_s = time.monotonic()
            with pytest.raises(DeviceOffline):
                await hub.call(chassis_id, "m", {}, 60.0)
            assert time.monotonic() - begun_s < 5


async def test_many_calls_at_once_from_two_processes(hub: MqttHub, broker: Mosquitto) -> None:
    """Each gets its own answer."""
    other = MqttHub(broker.url, Metrics(), client_id="metaapi")  # the same id: their connections differ
    async with running(hub.device("D")), carried(hub.run()), carried(other.run()):
        await up(hub)
        await up(other)
        async with asyncio.TaskGroup() as tasks:
            calls = [tasks.create_task((hub, other)[n % 2].call("D", f"m{n}", {"n": n}, 20.0)) for n in range(60)]
    for n, call in enumerate(calls):
        assert call.result() == MethodResult(200, {"method": f"m{n}", "n": n})


async def test_a_call_takes_few_milliseconds(hub: MqttHub) -> None:
    """Four messages, two of them the device's: without the broker's nodelay it is over 40 ms."""
    async with running(hub.device("D")), carried(hub.run()):
        await up(hub)
        took_ms: list[float] = []
        for _ in range(100):
            begun_s = time.monotonic()
            await hub.call("D", "m", {"action": "start"}, 20.0)
            took_ms.append((time.monotonic() - begun_s) * 1000)
    middle = sorted(took_ms)[50]
    print(f"a method's round trip: {middle:.2f} ms in the middle, {max(took_ms):.2f} ms at most")
    assert middle < 20


async def test_a_broker_that_is_away(hub: MqttHub, broker: Mosquitto) -> None:
    """TransportError at once, also for a call on its way; presence is unknown; soon after its return all is well."""

    async def silent(_: str, __: dict[str, object]) -> MethodResult:
        await asyncio.Event().wait()
        raise AssertionError

    async with running(hub.device("D")), running(hub.device("S"), silent), carried(hub.run()):
        await up(hub)
        await known(hub, True)
        async with asyncio.TaskGroup() as tasks:
            calling = tasks.create_task(_error(hub, "S", 30.0))
            await asyncio.sleep(0.1)
            await asyncio.to_thread(broker.kill)
            assert isinstance(await asyncio.wait_for(calling, 20), TransportError)
        await known(hub, None)
        with pytest.raises(TransportError, match=f"control.*{HOST}:{broker.port}"):
            await hub.check()
        assert HOST in str(await _error(hub, "D", 1.0))
        await asyncio.to_thread(broker.start)
        begun_s = time.monotonic()
        await known(hub, True)
        await hub.check()
        async with asyncio.timeout(20):
            while isinstance(await _error(hub, "D", 1.0), TransportError):
                await asyncio.sleep(0.05)
        print(f"calls again {time.monotonic() - begun_s:.1f} s after the broker's return")


async def test_a_run_that_ends_while_a_call_waits(hub: MqttHub) -> None:
    """The call ends with it."""

    async def silent(_: str, __: dict[str, object]) -> MethodResult:
        await asyncio.Event().wait()
        raise AssertionError

    async with running(hub.device("D"), silent), asyncio.TaskGroup() as tasks:
        async with carried(hub.run()):
            await up(hub)
            await known(hub, True)
            calling = tasks.create_task(_error(hub, "D", 30.0))
            await asyncio.sleep(0.1)
        assert isinstance(await asyncio.wait_for(calling, 20), TransportError)


async def _error(hub: MqttHub, chassis_id: str, timeout_s: float) -> Exception | None:
    try:
        await hub.call(chassis_id, "m", {}, timeout_s)
    except TransportError as e:
        return e
    return None


async def test_a_broker_that_does_not_answer_is_no_silent_device(broker: Mosquitto) -> None:
    """A call says which of the two it is, and `check` knows it soon."""
    hub = MqttHub(broker.url, Metrics(), client_id="metaapi", send_timeout_s=1.0)
    async with running(hub.device("D"), echo), carried(hub.run()):
        await up(hub)
        await known(hub, True)
        broker.pause(True)
        error = await _error(hub, "D", 0.3)
        assert isinstance(error, TransportError)
        assert not isinstance(error, DeviceTimeout)
        error = await _error(hub, "D", 20.0)  # the connection ends after a second without any acknowledgement
        assert isinstance(error, TransportError)
        with pytest.raises(TransportError, match="control"):
            await hub.check()
        broker.pause(False)
        await up(hub)
        async with asyncio.timeout(20):
            while await _error(hub, "D", 1.0) is not None:
                await asyncio.sleep(0.05)
