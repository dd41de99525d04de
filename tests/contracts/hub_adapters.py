"""The hubs that tests/contracts/test_hub.py runs on: each a context that starts its server and gives an opener."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Generic, TypeVar

import pytest

from duco_rt.errors import TransportError
from duco_rt.seeing.metrics import Metrics
from duco_rt.transports.base import Hub

T = TypeVar("T")

WITHIN_S = 20.0

Open = Callable[[int, Metrics], Awaitable[Hub]]
"""A fresh hub with room for so many messages, ready to keep what devices send."""


@contextmanager
def memory(_: Path) -> Iterator[Open]:
    """Inside the process."""
    from duco_rt.transports.hub_memory import MemoryHub

    async def open_(messages_max: int, metrics: Metrics) -> Hub:
        return MemoryHub(messages_max, metrics)

    yield open_


@contextmanager
def mqtt(folder: Path) -> Iterator[Open]:
    """A Mosquitto for all tests, with a group of ingestors a hub."""
    from duco_rt.transports.hub_mqtt.hub import MqttHub
    from tests.servers.mosquitto import Mosquitto

    server, numbers = Mosquitto(folder).start(), count()

    async def open_(messages_max: int, metrics: Metrics) -> Hub:
        name = f"ingest-{next(numbers)}"
        hub = MqttHub(server.url, metrics, client_id=name, group=name, queue_messages_max=messages_max)
        await subscribed(hub)
        return hub

    try:
        yield open_
    finally:
        server.kill()


@contextmanager
def iothub(folder: Path) -> Iterator[Open]:
    """Peers that speak as Azure does, for all tests; each hub finds them empty."""
    from duco_rt.clock import SystemClock
    from duco_rt.transports.hub_iothub.checkpoints import SqliteCheckpoints
    from duco_rt.transports.hub_iothub.hub import IotHub
    from duco_rt.transports.hub_mqtt.device import MqttHubDevice
    from tests.servers.iothub.thread import in_thread

    devices, numbers = ("DUCO_001", "D0", "D1", "D2"), count()

    class FleetHub(IotHub):
        """A device has its own connection string, and so a hub of its own."""

        def device(self, chassis_id: str) -> MqttHubDevice:
            string = cloud.device_string(chassis_id)
            hub = IotHub(Metrics(), SystemClock(), device_connection_string=string, ca_file=cloud.ca_file)
            return hub.device(chassis_id)

    with in_thread(folder, devices) as (cloud, loop):

        async def open_(messages_max: int, metrics: Metrics) -> Hub:
            loop.call_soon_threadsafe(cloud.log.clear)
            return FleetHub(
                metrics,
                SystemClock(),
                ca_file=cloud.ca_file,
                service_connection_string=cloud.service_string,
                events_connection_string=cloud.events_string,
                checkpoints=SqliteCheckpoints(folder / f"checkpoints-{next(numbers)}.sqlite"),
                queue_messages_max=messages_max,
            )

        yield open_


ADAPTERS = [
    pytest.param(memory, id="memory"),
    pytest.param(mqtt, id="mqtt", marks=pytest.mark.servers),
    pytest.param(iothub, id="iothub", marks=pytest.mark.servers),
]


async def up(hub: Hub, within_s: float = WITHIN_S) -> None:
    """Return when every connection of the hub that was begun works."""
    async with asyncio.timeout(within_s):
        await asyncio.sleep(0.01)  # what was begun gets to say so
        while True:
            with suppress(TransportError):
                await hub.check()
                return
            await asyncio.sleep(0.01)


@asynccontextmanager
async def carried(work: Coroutine[object, object, None]) -> AsyncIterator[asyncio.Task[None]]:
    """Run it for the time of the block."""
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(work)
        try:
            yield task
        finally:
            task.cancel()


class Reading(Generic[T]):
    """A reading of a hub, with a time limit on each step."""

    def __init__(self, first: asyncio.Task[T | Exception], source: AsyncIterator[T]) -> None:
        self._first: asyncio.Task[T | Exception] | None = first
        self._source = source

    async def next(self) -> T:
        """The next one."""
        async with asyncio.timeout(WITHIN_S):
            if self._first is None:
                return await anext(self._source)
            first, self._first = await self._first, None
        if isinstance(first, Exception):
            raise first
        return first


@asynccontextmanager
async def begun(hub: Hub, source: AsyncIterator[T]) -> AsyncIterator[Reading[T]]:
    """A reading for the time of the block; the hub knows of it when the block begins."""
    try:
        async with asyncio.TaskGroup() as tasks:
            first = tasks.create_task(_next(source))
            await up(hub)
            yield Reading(first, source)
            first.cancel()
    finally:
        await source.aclose()  # type: ignore[attr-defined]  # every adapter's reading is an async generator


async def _next(source: AsyncIterator[T]) -> T | Exception:
    try:
        return await anext(source)
    except Exception as e:  # for who reads it, not for the group
        return e


async def subscribed(hub: Hub) -> None:
    """Let the broker know the ingestor, who goes again: from here on messages wait for it."""
    async with begun(hub, hub.stored()):
        pass
