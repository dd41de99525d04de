"""A device's direct methods on one MQTT connection: each runs in a task of its own, and each is answered."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import structlog

from duco_rt.errors import BadInput, TransportError
from duco_rt.seeing.metrics import Metrics
from duco_rt.transports.base import MethodHandler
from duco_rt.transports.hub_mqtt.client import Publication
from duco_rt.transports.hub_mqtt.connection import Connection

log = structlog.get_logger()

_RUNNING_MAX = 64


class Methods:
    """The direct methods of one connection: `parse` gives a topic's name and request id, or raises BadInput."""

    def __init__(
        self,
        parse: Callable[[str], tuple[str, str]],
        answer_topic: Callable[[int, str], str],
        on_method: MethodHandler,
        metrics: Metrics,
    ) -> None:
        self._parse, self._answer_topic = parse, answer_topic
        self._on_method, self._metrics = on_method, metrics
        self._connection: Connection | None = None
        self._group: asyncio.TaskGroup | None = None
        self._running: set[asyncio.Task[None]] = set()

    @asynccontextmanager
    async def answered_on(self, connection: Connection) -> AsyncIterator[None]:
        """Answer for the time of the block; what still runs at its end is cancelled."""
        self._connection = connection
        failed: Exception | None = None
        async with asyncio.TaskGroup() as self._group:
            try:
                yield
            except TransportError as e:  # raised below: the group would wrap it
                failed = e
            self._group, running = None, list(self._running)
            for task in running:
                task.cancel()
        if failed is not None:
            raise failed

    async def idle(self) -> None:
        """Return when no method runs."""
        while self._running:
            await asyncio.wait(self._running)

    def arrived(self, topic: str, payload: bytes, _: int) -> None:
        """A method was called."""
        if self._group is None:
            return
        if len(self._running) >= _RUNNING_MAX:
            self._metrics.count("device_methods_dropped_total")
            return
        task = self._group.create_task(self._answer(topic, payload))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _answer(self, topic: str, payload: bytes) -> None:
        try:
            name, request_id = self._parse(topic)
        except BadInput:
            self._metrics.count("hub_bad_messages_total")
            return
        status, answer = await self._call(name, payload)
        if self._connection is not None:
            with suppress(TransportError):  # the caller's time-out says so
                await self._connection.publish(Publication(self._answer_topic(status, request_id), answer))

    async def _call(self, name: str, payload: bytes) -> tuple[int, bytes]:
        try:
            arguments = json.loads(payload) if payload else {}
        except (ValueError, RecursionError):
            return 400, b'{"error":"the payload is not JSON"}'
        if arguments is None:
            arguments = {}
        if not isinstance(arguments, dict):
            return 400, b'{"error":"the payload is not an object"}'
        try:
            result = await self._on_method(name, arguments)
            return result.status, json.dumps(result.payload, allow_nan=False).encode()
        except Exception as e:  # whatever a method does, its caller gets an answer and the device goes on
            log.exception("method failed", method=name)
            return 500, json.dumps({"error": f"{type(e).__name__}: {e}"}).encode()
