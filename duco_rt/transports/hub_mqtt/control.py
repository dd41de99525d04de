"""The control connection of `hub = mqtt`: calls to devices, their answers, and who is there."""

from __future__ import annotations

import asyncio
import json
import math
import secrets

from duco_rt.clock import Clock
from duco_rt.errors import BadInput, DeviceOffline, DeviceTimeout, TransportError
from duco_rt.model import NAME, MethodResult
from duco_rt.seeing.metrics import Metrics
from duco_rt.transports.hub_mqtt import topics
from duco_rt.transports.hub_mqtt.client import Publication, Session
from duco_rt.transports.hub_mqtt.connection import NO_SUBSCRIBERS, Connection, connected
from duco_rt.transports.hub_mqtt.reconnect import stay_connected

_RETAINED_S = 0.3
"""Within this time of the subscription the broker has begun to tell who is there."""


class Control:
    """Carried by `run`; any number of processes may have one."""

    def __init__(self, session: Session, metrics: Metrics, clock: Clock) -> None:
        self._session, self._metrics, self._clock = session, metrics, clock
        self._connection: Connection | None = None
        self._told_s = math.inf
        self._heard_s = 0.0
        self._present: dict[str, bool] = {}
        self._calls: dict[tuple[str, str], asyncio.Future[MethodResult]] = {}
        self._problem = "not connected yet"
        self.is_begun = False

    @property
    def problem(self) -> str:
        """What is wrong; "" where it is connected."""
        if self._connection is not None and self._connection.is_up:
            return ""
        return self._problem

    async def run(self) -> None:
        """Stay connected, until cancelled."""
        self.is_begun = True
        try:
            await stay_connected(self._serve, "control", self._metrics, self._clock)
        finally:
            self.is_begun = False

    async def _serve(self) -> None:
        self._present.clear()
        try:
            async with connected(self._session, self._arrived) as connection:
                connection.when_lost(self._fail_calls)
                await connection.subscribe(topics.ANSWERS, qos=1)
                await connection.subscribe(topics.STATUSES, qos=1)
                self._told_s = self._clock.steady_s() + _RETAINED_S
                self._connection = connection
                await connection.lost()
        except TransportError as e:
            self._problem = str(e)
            raise
        finally:
            self._connection = None

    def connected(self, chassis_id: str) -> bool | None:
        """Whether the device says that it is there; None where it cannot be known now."""
        if self.problem:
            return None
        known = self._present.get(chassis_id)
        if known is None and self._has_been_told:
            return False
        return known

    @property
    def _has_been_told(self) -> bool:
        """Whether the broker has told of every device that it knows."""
        now_s = self._clock.steady_s()
        return now_s > self._told_s and now_s > self._heard_s + _RETAINED_S

    async def call(self, chassis_id: str, method: str, payload: dict[str, object], timeout_s: float) -> MethodResult:
        """The device's answer."""
        connection = self._connection
        if connection is None or self.problem:
            raise TransportError(f"cannot call {chassis_id}: {self.problem}")
        if self.connected(chassis_id) is False or not NAME.match(chassis_id):
            raise DeviceOffline(f"device {chassis_id} is not connected")
        key = chassis_id, secrets.token_hex(8)
        answer: asyncio.Future[MethodResult] = asyncio.get_running_loop().create_future()
        self._calls[key] = answer
        is_published = False
        call = Publication(topics.method(chassis_id, method, key[1]), json.dumps(payload).encode())
        try:
            async with asyncio.timeout(timeout_s):
                if await connection.publish(call, expiry_s=max(1, math.ceil(timeout_s))) == NO_SUBSCRIBERS:
                    raise DeviceOffline(f"device {chassis_id} is not connected")
                is_published = True
                return await answer
        except TimeoutError as e:
            if not is_published:
                raise TransportError(f"{connection.broker}: no acknowledgement within {timeout_s:g} s") from e
            raise DeviceTimeout(f"device {chassis_id} did not answer {method} within {timeout_s:g} s") from e
        finally:
            del self._calls[key]
            if answer.done() and not answer.cancelled():
                answer.exception()  # seen: asyncio complains of one that nobody looks at

    def _arrived(self, topic: str, payload: bytes, _: int) -> None:
        try:
            if topic.endswith("/status"):
                self._heard_presence(topics.read_status(topic), payload)
            else:
                self._heard_answer(topics.read_answer(topic), payload)
        except BadInput:
            self._metrics.count("hub_bad_messages_total")

    def _heard_presence(self, chassis_id: str, payload: bytes) -> None:
        self._heard_s = self._clock.steady_s()
        if not payload:  # the broker has forgotten it
            self._present.pop(chassis_id, None)
            return
        is_online = _json_object(payload).get("online")
        if not isinstance(is_online, bool):
            raise BadInput(f"status of {chassis_id}: no online")
        self._present[chassis_id] = is_online

    def _heard_answer(self, of: topics.Answer, payload: bytes) -> None:
        answer = self._calls.get((of.chassis_id, of.request_id))
        if answer is None or answer.done():  # another process asked, or nobody waits any more
            return
        answer.set_result(MethodResult(of.status, _json_object(payload or b"{}")))

    def _fail_calls(self) -> None:
        for answer in self._calls.values():
            if not answer.done():
                answer.set_exception(TransportError(f"{self._session.broker}: connection lost before the answer"))


def _json_object(payload: bytes) -> dict[str, object]:
    try:
        found = json.loads(payload)
    except (ValueError, RecursionError) as e:
        raise BadInput(f"not JSON: {payload[:80]!r}") from e
    if not isinstance(found, dict):
        raise BadInput(f"no JSON object: {payload[:80]!r}")
    return found
