"""What the tests of the IoT Hub's adapter share."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from duco_rt.clock import SystemClock
from duco_rt.model import HubMessage, MethodResult
from duco_rt.seeing.metrics import Metrics
from duco_rt.transports.hub_iothub.checkpoints import SqliteCheckpoints
from duco_rt.transports.hub_iothub.hub import IotHub
from duco_rt.transports.hub_properties import application_properties
from tests.servers.iothub.cloud import Cloud

WITHIN_S = 20.0
DEVICE = "DUCO_001"


def message(seq: int, chassis_id: str = DEVICE, *, realtime: bool = False) -> HubMessage:
    """Return the message of second seq."""
    return HubMessage(chassis_id, "vehicle_can", realtime, seq * 1000, seq, "x/y", "identity", b"body %d" % seq)


def put(cloud: Cloud, *messages: HubMessage) -> None:
    """As if devices had sent them."""
    for each in messages:
        system = {"$.ct": each.content_type, "$.ce": each.content_encoding}
        cloud.log.append(each.chassis_id, application_properties(each), system, each.body)


def hub_of(cloud: Cloud, folder: Path, metrics: Metrics | None = None, **more: Any) -> IotHub:
    """A hub on the peers; hubs with the same folder share their checkpoints."""
    given: dict[str, Any] = {
        "device_connection_string": cloud.device_string(),
        "service_connection_string": cloud.service_string,
        "events_connection_string": cloud.events_string,
        "ca_file": cloud.ca_file,
        "checkpoints": SqliteCheckpoints(folder / "checkpoints.sqlite"),
        "balance_s": 0.2,
    }
    return IotHub(metrics or Metrics(), SystemClock(), **{**given, **more})


async def answer(method: str, payload: dict[str, object]) -> MethodResult:
    """A device that repeats what it was told."""
    return MethodResult(200, {"method": method, **payload})


async def until(condition: Callable[[], bool], within_s: float = WITHIN_S) -> None:
    """Return when it holds."""
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(0.01)
