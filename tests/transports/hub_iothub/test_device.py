"""A device on IoT Hub: its tokens and certificates are checked by the peer, its topics are Azure's."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from duco_rt.clock import SystemClock
from duco_rt.errors import BadInput, ConfigError, TransportError
from duco_rt.pipeline.runner import retry
from duco_rt.seeing.metrics import Metrics
from duco_rt.transports.hub_iothub.device import IotHubDialect
from duco_rt.transports.hub_iothub.hub import IotHub
from duco_rt.transports.hub_mqtt.device import MqttHubDevice
from tests.contracts.hub_adapters import carried
from tests.servers.iothub.cloud import HOST, Cloud, key_of
from tests.servers.iothub.testing import DEVICE, WITHIN_S, answer, hub_of, message, until

pytestmark = pytest.mark.servers


@pytest.fixture
async def cloud(tmp_path: Path) -> AsyncIterator[Cloud]:
    """The peers, with two devices."""
    async with Cloud(tmp_path / "cloud", devices=(DEVICE, "TRUCK_1")) as served:
        yield served


def events(cloud: Cloud) -> int:
    """How many the hub has."""
    return sum(len(partition.events) for partition in cloud.log.partitions)


async def comes_online(device: MqttHubDevice, cloud: Cloud) -> None:
    """It does, sends, and its message is there."""
    async with carried(device.run(answer, lambda: None)):
        await asyncio.wait_for(device.online(), WITHIN_S)
        await device.send(message(1))
    assert (events(cloud), cloud.mqtt.refused) == (1, [])


async def is_refused(device: MqttHubDevice, cloud: Cloud) -> None:
    """It is, and says so where it sends."""
    async with carried(device.run(answer, lambda: None)):
        await until(lambda: bool(cloud.mqtt.refused))
        await asyncio.sleep(0.05)  # the refusal is on its way
        with pytest.raises(TransportError, match=f"{DEVICE} is offline"):
            await device.send(message(1))
    assert not device.is_online


async def test_a_device_with_its_token(cloud: Cloud, tmp_path: Path) -> None:
    """Login, user name and signature are what IoT Hub wants."""
    await comes_online(hub_of(cloud, tmp_path).device(DEVICE), cloud)


async def test_a_device_with_another_devices_key(cloud: Cloud, tmp_path: Path) -> None:
    """The peer checks the signature, or the test above says nothing."""
    string = cloud.device_string().replace(key_of(DEVICE), key_of("TRUCK_1"))
    await is_refused(hub_of(cloud, tmp_path, device_connection_string=string).device(DEVICE), cloud)
    assert "a wrong signature" in cloud.mqtt.refused


async def test_a_token_is_renewed_before_it_ends(cloud: Cloud, tmp_path: Path) -> None:
    """By a new connection; nothing that is sent meanwhile is lost, and the hub never had to end one."""
    device, metrics, sent = hub_of(cloud, tmp_path, token_s=6.0).device(DEVICE), Metrics(), 0
    async with carried(device.run(answer, lambda: None)):
        async with asyncio.timeout(30):
            while len(cloud.mqtt.logins) < 2 or not device.is_online:
                await retry("hub", partial(device.send, message(sent)), metrics)
                sent += 1
                await asyncio.sleep(0.02)
    assert events(cloud) >= sent > 10
    assert cloud.mqtt.expired == 0
    assert len(cloud.mqtt.logins) == 2


def with_certificate(cloud: Cloud, common_name: str) -> MqttHubDevice:
    """A device of a hub without a connection string."""
    cert_file, key_file = cloud.authority.certificate("device", common_name)
    host, cert, key = f"{HOST}:{cloud.mqtt.port}", str(cert_file), str(key_file)
    hub = IotHub(Metrics(), SystemClock(), host=host, cert_file=cert, key_file=key, ca_file=cloud.ca_file)
    return hub.device(DEVICE)


async def test_a_device_with_its_certificate(cloud: Cloud) -> None:
    """No password; the certificate names the device."""
    await comes_online(with_certificate(cloud, DEVICE), cloud)


async def test_a_device_with_another_devices_certificate(cloud: Cloud) -> None:
    """The peer looks at it."""
    await is_refused(with_certificate(cloud, "TRUCK_1"), cloud)


async def test_a_server_that_nobody_vouches_for(cloud: Cloud, tmp_path: Path) -> None:
    """TLS always, and checked: without its authority the hub is not believed."""
    device = hub_of(cloud, tmp_path, ca_file="").device(DEVICE)
    async with carried(device.run(answer, lambda: None)):
        await until(lambda: "hub.ca_file" in device._problem)
    assert cloud.mqtt.logins == []


async def test_a_hub_that_acknowledges_nothing(cloud: Cloud, tmp_path: Path) -> None:
    """The message fails after its time; the next one goes over a new connection."""
    device = hub_of(cloud, tmp_path, send_timeout_s=2.0).device(DEVICE)
    async with carried(device.run(answer, lambda: None)):
        await asyncio.wait_for(device.online(), WITHIN_S)
        cloud.mqtt.is_deaf = True
        with pytest.raises(TransportError, match=r"no acknowledgement for 2 s"):
            await device.send(message(1))
        cloud.mqtt.is_deaf = False
        await retry("hub", lambda: device.send(message(1)), Metrics())
    assert len(cloud.mqtt.logins) == 2


async def test_a_hub_that_was_away(cloud: Cloud, tmp_path: Path) -> None:
    """The device comes back by itself, and is not asked to send again what was acknowledged."""
    device, losses = hub_of(cloud, tmp_path).device(DEVICE), list[int]()
    async with carried(device.run(answer, lambda: losses.append(1))):
        await asyncio.wait_for(device.online(), WITHIN_S)
        await cloud.mqtt.stop()
        await until(lambda: not device.is_online)
        await cloud.mqtt.start("127.0.0.1")
        await asyncio.wait_for(device.online(), WITHIN_S)
    assert losses == []


async def test_a_string_of_another_device(cloud: Cloud, tmp_path: Path) -> None:
    """A device speaks for itself alone."""
    with pytest.raises(ConfigError, match=r"hub.device_connection_string is of device DUCO_001, not of TRUCK_1"):
        hub_of(cloud, tmp_path).device("TRUCK_1")


DIALECT = IotHubDialect("h.net", 8883, ssl.create_default_context(), DEVICE, key_of(DEVICE))


@pytest.mark.parametrize(
    ("topic", "parsed"),
    [
        ("$iothub/methods/POST/setRealTimeUpload/?$rid=1f", ("setRealTimeUpload", "1f")),
        ("$iothub/methods/POST/m/?$rid=1&more=2", ("m", "1")),
    ],
)
def test_a_methods_topic(topic: str, parsed: tuple[str, str]) -> None:
    """Name and request id."""
    assert DIALECT.parse_method(topic) == parsed


@pytest.mark.parametrize(
    "topic",
    [
        "",
        "$iothub/methods/POST/",
        "$iothub/methods/POST/m",
        "$iothub/methods/POST//?$rid=1",
        "$iothub/methods/POST/m/?$rid=",
        "$iothub/twin/PATCH/?$rid=1",
    ],
)
def test_no_methods_topic(topic: str) -> None:
    """Anything else is bad input."""
    with pytest.raises(BadInput):
        DIALECT.parse_method(topic)


def test_the_topics_and_names_of_a_device() -> None:
    """As Azure has them."""
    assert DIALECT.username == "h.net/DUCO_001/?api-version=2021-04-12"
    assert DIALECT.events_topic(message(7, realtime=True)) == (
        "devices/DUCO_001/messages/events/msgType=vehicle_can&seq=7&ts=7000&realtime=1&%24.ct=x%2Fy&%24.ce=identity"
    )
    assert DIALECT.answer_topic(200, "1f") == "$iothub/methods/res/200/?$rid=1f"
    assert DIALECT.presence(True, 0) is None
