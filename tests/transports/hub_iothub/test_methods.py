"""Direct methods through the service API: what is asked, what each answer means."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from duco_rt.errors import DeviceOffline, DeviceTimeout, NotFound, TransportError
from duco_rt.model import MethodResult
from duco_rt.transports.hub_iothub.hub import IotHub
from tests.servers.iothub.cloud import Cloud, key_of
from tests.servers.iothub.testing import DEVICE, hub_of

pytestmark = pytest.mark.servers


@pytest.fixture
async def cloud(tmp_path: Path) -> AsyncIterator[Cloud]:
    """The peers."""
    async with Cloud(tmp_path / "cloud") as served:
        yield served


@pytest.fixture
async def hub(cloud: Cloud, tmp_path: Path) -> AsyncIterator[IotHub]:
    """A hub on them, closed in the end."""
    opened = hub_of(cloud, tmp_path)
    yield opened
    await opened.close()


def answers(cloud: Cloud, status: int, payload: bytes) -> None:
    """Whatever is called, the device says this."""

    async def call(*_: object) -> tuple[int, bytes]:
        return status, payload

    cloud.methods.call = call


@pytest.mark.parametrize(
    ("status", "code", "error", "says"),
    [
        (404, 404001, NotFound, "knows no device DUCO_001"),
        (404, 404103, DeviceOffline, "DUCO_001 is not connected"),
        (404, 404104, DeviceOffline, "DUCO_001 is not connected"),
        (504, 504101, DeviceTimeout, "DUCO_001 did not answer m within 7 s"),
        (429, 429001, TransportError, "throttled"),
        (429, 429002, TransportError, "throttled"),
        (403, 403002, TransportError, "quota is used up"),
        (401, 401003, TransportError, "refused the key of policy service"),
        (404, 404999, TransportError, "HTTP 404 404999"),
        (500, 500001, TransportError, "HTTP 500 500001"),
        (503, 0, TransportError, "HTTP 503"),
    ],
)
async def test_what_an_error_means(
    cloud: Cloud, hub: IotHub, status: int, code: int, error: type[Exception], says: str
) -> None:
    """Each as its own exception, and never as a sub-class that says more."""
    cloud.methods.failing = status, code
    with pytest.raises(error, match=says) as caught:
        await hub.call(DEVICE, "m", {}, 7.0)
    assert type(caught.value) is error


@pytest.mark.parametrize(
    ("payload", "result"),
    [(b'{"a":1}', {"a": 1}), (b"", {}), (b"null", {}), (b"[1]", {"value": [1]}), (b"3", {"value": 3})],
)
async def test_what_a_device_may_answer(cloud: Cloud, hub: IotHub, payload: bytes, result: dict[str, object]) -> None:
    """Any JSON, any status."""
    answers(cloud, 418, payload)
    assert await hub.call(DEVICE, "m", {}, 7.0) == MethodResult(418, result)


@pytest.mark.parametrize(("timeout_s", "asked_s"), [(4.5, 5), (7.2, 8), (1000.0, 300)])
async def test_what_is_asked(cloud: Cloud, hub: IotHub, timeout_s: float, asked_s: int) -> None:
    """Name, payload, and times in the API's bounds; an absent device is not waited for."""
    answers(cloud, 200, b"{}")
    await hub.call(DEVICE, "setRealTimeUpload", {"action": "start"}, timeout_s)
    assert cloud.methods.requests == [
        {
            "methodName": "setRealTimeUpload",
            "payload": {"action": "start"},
            "responseTimeoutInSeconds": asked_s,
            "connectTimeoutInSeconds": 0,
        }
    ]


async def test_a_time_that_is_too_short_for_the_api_is_kept_here(cloud: Cloud, hub: IotHub) -> None:
    """The API waits 5 s at least."""

    async def silent(*_: object) -> None:
        await asyncio.Event().wait()

    cloud.methods.call = silent
    with pytest.raises(DeviceTimeout, match=r"within 0.1 s"):
        await hub.call(DEVICE, "m", {}, 0.1)


async def test_a_device_that_nobody_registered(hub: IotHub) -> None:
    """The peer's own answer."""
    with pytest.raises(NotFound, match="knows no device NOBODY"):
        await hub.call("NOBODY", "m", {}, 7.0)


async def test_a_wrong_key(cloud: Cloud, tmp_path: Path) -> None:
    """The peer checks the token, or the other tests say nothing."""
    string = cloud.service_string.replace(key_of("service"), key_of("other"))
    hub = hub_of(cloud, tmp_path, service_connection_string=string)
    for asked in (hub.call(DEVICE, "m", {}, 7.0), hub.check()):
        with pytest.raises(TransportError, match=r"refused the key of policy service.*a wrong signature"):
            await asked
    await hub.close()


async def test_a_service_that_is_away(cloud: Cloud, hub: IotHub) -> None:
    """TransportError names it, at once; when it is back, so are the methods."""
    answers(cloud, 200, b"{}")
    await hub.call(DEVICE, "m", {}, 7.0)
    await cloud.methods.stop()
    for asked in (hub.call(DEVICE, "m", {}, 7.0), hub.check()):
        with pytest.raises(TransportError, match=f"IoT Hub localhost:{cloud.methods.port}"):
            await asked
    await cloud.methods.start("127.0.0.1")
    assert (await hub.call(DEVICE, "m", {}, 7.0)).status == 200


async def test_an_answer_that_is_no_answer(cloud: Cloud, hub: IotHub) -> None:
    """TransportError shows it."""
    with pytest.raises(TransportError, match=r"cannot read the method's answer 'nonsense'"):
        hub._methods._answer("nonsense")  # type: ignore[union-attr]  # it was given a string
    assert cloud.methods.requests == []
