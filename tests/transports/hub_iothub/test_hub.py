"""The whole hub: what a role lacks is named, `check` tells the truth, a kill of the hub costs nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from duco_rt.clock import SystemClock
from duco_rt.errors import ConfigError, TransportError
from duco_rt.pipeline.runner import readings, retry
from duco_rt.seeing.metrics import Metrics
from duco_rt.transports.hub_iothub.checkpoints import SqliteCheckpoints
from duco_rt.transports.hub_iothub.hub import IotHub
from tests.contracts.hub_adapters import carried
from tests.servers.iothub.cloud import Cloud, key_of
from tests.servers.iothub.process import IotHubServer
from tests.servers.iothub.testing import DEVICE, WITHIN_S, answer, hub_of, message, until

KEY = key_of(DEVICE)
SERVICE = f"HostName=localhost:1;SharedAccessKeyName=service;SharedAccessKey={KEY}"
EVENTS = (
    f"Endpoint=sb://localhost:1/;SharedAccessKeyName=s;SharedAccessKey={KEY};EntityPath=e;UseDevelopmentEmulator=true"
)


def hub(**given: Any) -> IotHub:
    """Nobody listens where it points."""
    return IotHub(Metrics(), SystemClock(), **given)


@pytest.mark.parametrize(
    ("use", "says"),
    [
        (lambda: hub().device(DEVICE), "hub.device_connection_string is not set"),
        (lambda: hub(host="h", cert_file="no.pem", key_file="no.key").device(DEVICE), "hub.cert_file = 'no.pem'"),
        (lambda: hub(host="h/x").device(DEVICE), "hub.host: 'h/x' is no host name"),
        (lambda: hub(service_connection_string=SERVICE, ca_file="no.pem"), "hub.ca_file = 'no.pem'"),
        (lambda: hub(service_connection_string="HostName=h"), "hub.service_connection_string has no"),
        (lambda: hub(events_connection_string="Endpoint=h"), "hub.events_connection_string has no"),
        (lambda: hub(events_connection_string=EVENTS).stored(), "checkpoints"),
        (lambda: hub(events_connection_string=EVENTS).live(), "checkpoints"),
        (lambda: hub().stored(), "hub.events_connection_string is not set"),
        (lambda: hub().live(), "hub.events_connection_string is not set"),
        (lambda: hub(live_consumer_group="$Default"), "hub.live_consumer_group = '\\$Default'"),
    ],
)
def test_what_is_missing_is_named(use: Callable[[], object], says: str) -> None:
    """By the configuration's key, where it is needed and not before."""
    with pytest.raises(ConfigError, match=says):
        use()


async def test_methods_without_a_string() -> None:
    """Named like the rest."""
    with pytest.raises(ConfigError, match=r"hub.service_connection_string is not set"):
        await hub().call(DEVICE, "m", {}, 1.0)


async def test_a_device_alone_needs_nothing_of_the_cloud() -> None:
    """Its own connection says whether it is on the hub: there is nothing to check."""
    alone = hub(device_connection_string=f"HostName=localhost:1;DeviceId={DEVICE};SharedAccessKey={KEY}")
    assert not alone.device(DEVICE).is_online
    assert alone.connected(DEVICE) is None
    await alone.check()
    await alone.close()


@pytest.mark.parametrize("given", [{"service_connection_string": SERVICE}, {"events_connection_string": EVENTS}])
async def test_a_check_is_quick(given: dict[str, str]) -> None:
    """Within its 2 s it says what does not answer."""
    checked = hub(**given)
    with pytest.raises(TransportError, match="localhost:1"):
        async with asyncio.timeout(5):
            await checked.check()
    await checked.close()


@pytest.mark.servers
async def test_the_end_of_a_hub_ends_its_readings(tmp_path: Path) -> None:
    """Their partitions are given back, and their readers are told."""
    async with Cloud(tmp_path / "cloud") as cloud:
        closed = hub_of(cloud, tmp_path)
        async with asyncio.TaskGroup() as tasks:
            ended = [tasks.create_task(_ends(reading)) for reading in (closed.stored(), closed.live())]
            await until(lambda: len(cloud.events.starts) == 8)
            await closed.close()
            assert [await each for each in ended] == ["the IoT Hub is closed"] * 2
        await until(lambda: [cloud.events.holders("$Default", partition) for partition in range(4)] == [[]] * 4)
        for begin in (closed.stored, closed.live):
            with pytest.raises(TransportError, match="closed"):
                await anext(begin())


async def _ends(reading: Any) -> str:
    try:
        async for _ in reading:
            pass
    except TransportError as e:
        return str(e)
    return "without a word"


@pytest.mark.servers
async def test_a_hub_that_is_killed_comes_back(tmp_path: Path) -> None:
    """With the events it had acknowledged: device, readings and methods go on by themselves, nothing is missing."""
    server = await asyncio.to_thread(IotHubServer(tmp_path / "server").start)
    given = {key.removeprefix("DUCO_HUB__").lower(): value for key, value in server.environment.items()}
    kind = given.pop("kind")
    killed = IotHub(
        metrics := Metrics(),
        SystemClock(),
        checkpoints=SqliteCheckpoints(tmp_path / "c.sqlite"),
        **given,  # type: ignore[arg-type]  # all texts
    )
    device, seen, sent = killed.device(DEVICE), set[int](), 0

    async def collect() -> None:
        async with aclosing(readings("hub", killed.stored, metrics)) as stored:
            async for delivery in stored:
                seen.add(delivery.message.seq)
                delivery.ack()

    async def send() -> None:
        nonlocal sent
        while True:
            await retry("device", partial(device.send, message(sent)), metrics)
            sent += 1
            await asyncio.sleep(0.01)

    async with carried(device.run(answer, lambda: None)), carried(collect()):
        async with carried(send()):
            await until(lambda: len(seen) > 20)
            server.kill()
            await until(lambda: not device.is_online)
            await asyncio.to_thread(server.start)
            before = sent
            await until(lambda: sent > before + 20)
        await until(lambda: seen == set(range(sent)) or seen == set(range(sent + 1)))
        assert (await killed.call(DEVICE, "m", {}, WITHIN_S)).status == 200
    await killed.close()
    server.kill()
    assert kind == "iothub"
