"""`hub = mqtt`: both sides over any MQTT 5 broker; docs/mqtt.md says what the broker needs."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any

from duco_rt.clock import Clock, SystemClock
from duco_rt.errors import TransportError
from duco_rt.model import HubMessage, MethodResult
from duco_rt.seeing.metrics import Metrics
from duco_rt.transports.base import Delivery
from duco_rt.transports.hub_mqtt import topics
from duco_rt.transports.hub_mqtt.address import address
from duco_rt.transports.hub_mqtt.client import Session
from duco_rt.transports.hub_mqtt.connection import Connection, connected
from duco_rt.transports.hub_mqtt.control import Control
from duco_rt.transports.hub_mqtt.device import MqttHubDevice
from duco_rt.transports.hub_mqtt.dialect import BrokerDialect
from duco_rt.transports.hub_mqtt.readings import Inbox, LiveMessages, MqttDelivery, Stored

_KEPT: dict[str, Any] = {"kept_s": 7 * 86400, "manual_ack": True}
"""A session of an ingestor: the broker keeps its messages so long while it is away, and until they are acknowledged."""

_BEGIN_S = 0.05


class MqttHub:
    """`client_id`: this process's own, the same after a restart: what an ingestor has not acknowledged waits for it.

    `group`: ingestors of one group share the messages. `user` may hold "{chassisId}", for devices. `ca_file` (PEM)
    for `mqtts` with a CA of one's own, `cert_file` and `key_file` for a broker that wants client certificates.
    `queue_messages_max`: at most so many messages not acknowledged (65535 at most), and so many live ones unread.
    """

    def __init__(
        self,
        url: str,
        metrics: Metrics,
        *,
        client_id: str,
        group: str = "duco-ingest",
        user: str = "",
        password: str = "",
        ca_file: str = "",
        cert_file: str = "",
        key_file: str = "",
        queue_messages_max: int = 10_000,
        send_timeout_s: float = 10.0,
        clock: Clock | None = None,
    ) -> None:
        host, port, tls = address(url, ca_file, cert_file, key_file)
        self._user, self._group, self._metrics = user, group, metrics
        self._clock = clock or SystemClock()
        self._messages_max = min(queue_messages_max, 65535)
        self._session = Session(
            host,
            port,
            client_id,
            tls=tls,
            username=user or None,
            password=password or None,
            send_timeout_s=send_timeout_s,
        )
        self._control = Control(self._besides("control"), metrics, self._clock)
        self._parts: dict[str, _Part] = {}
        self._keeping = asyncio.Lock()
        self._is_kept = False
        self._is_closed = False

    def _besides(self, part: str) -> Session:
        """A connection that the broker keeps nothing for: any number of processes may have one."""
        return replace(self._session, client_id=f"{self._session.client_id}-{part}-{secrets.token_hex(4)}")

    def device(self, chassis_id: str) -> MqttHubDevice:
        """The hub as this device sees it."""
        user = self._user.replace("{chassisId}", chassis_id)
        dialect = BrokerDialect(
            chassis_id,
            self._session.host,
            self._session.port,
            self._session.tls,
            user or None,
            self._session.password,
        )
        return MqttHubDevice(dialect, self._clock, self._metrics, send_timeout_s=self._session.send_timeout_s)

    async def stored(self) -> AsyncIterator[Delivery]:
        """Every message of this ingestor's share; what it has not acknowledged before comes first."""
        stored = Stored(self._messages_max, self._metrics)
        self._metrics.depth("hub_unacked_depth", lambda: len(stored.unacked))
        self._is_kept = True
        with self._part("stored", stored) as part:
            async with AsyncExitStack() as stack:
                async with self._keeping:
                    session = replace(self._session, receive_max=self._messages_max, **_KEPT)
                    connection = await stack.enter_async_context(connected(session, stored.arrived))
                    stored.read_from(connection)
                    if connection.has_session:
                        connection.subscribe_again(topics.shared(self._group, topics.EVENTS), qos=1)
                    else:
                        await connection.subscribe(topics.shared(self._group, topics.EVENTS), qos=1)
                    part.connection = connection
                while (delivery := await stored.next()) is not None:
                    yield delivery

    async def _keep(self) -> None:
        """See to it that the broker keeps messages for this ingestor before anybody takes them otherwise.

        Mosquitto 2.0 forgets the shared subscriptions of its sessions when it is started again. As long as nobody is
        subscribed it tells the devices, who go on holding their messages; a live subscription alone would hide it.
        """
        if not self._is_kept:
            await asyncio.sleep(_BEGIN_S)  # `stored` is begun at the same time, perhaps a moment later
        async with self._keeping:
            part = self._parts.get("stored")
            if not self._is_kept or (part is not None and part.connection is not None and part.connection.is_up):
                return
            async with connected(replace(self._session, receive_max=1, **_KEPT), lambda *_: None) as connection:
                await connection.subscribe(topics.shared(self._group, topics.EVENTS), qos=1)

    async def live(self) -> AsyncIterator[HubMessage]:
        """Real-time messages, on a connection of its own: it goes on while nothing is acknowledged."""
        live = LiveMessages(self._messages_max, self._metrics)
        self._metrics.depth("hub_live_depth", lambda: len(live.items))
        with self._part("live", live) as part:
            await self._keep()
            async with connected(self._besides("live"), live.arrived) as connection:
                live.read_from(connection)
                await connection.subscribe(topics.shared(f"{self._group}-live", topics.EVENTS), qos=0)
                part.connection = connection
                while (message := await live.next()) is not None:
                    yield message

    @contextmanager
    def _part(self, name: str, inbox: Inbox[MqttDelivery] | Inbox[HubMessage]) -> Iterator[_Part]:
        """Keep how a reading fares: one that failed is wrong until it is begun again, one that ended is forgotten."""
        before = self._parts.get(name)
        part = self._parts[name] = _Part(inbox, before.problem) if before is not None else _Part(inbox)
        if self._is_closed:
            inbox.close()
        try:
            yield part
        except TransportError as e:
            part.problem, part.connection = str(e), None
            self._metrics.count("hub_connections_lost_total", part=name)
            raise
        except BaseException:
            self._forget(name, part)
            raise
        self._forget(name, part)

    def _forget(self, name: str, part: _Part) -> None:
        if self._parts.get(name) is part:
            del self._parts[name]

    async def run(self) -> None:
        """Carry calls and presence, until cancelled."""
        await self._control.run()

    async def call(self, chassis_id: str, method: str, payload: dict[str, object], timeout_s: float) -> MethodResult:
        """Direct method on a device."""
        return await self._control.call(chassis_id, method, payload, timeout_s)

    def connected(self, chassis_id: str) -> bool | None:
        """Whether the device is there, by what it said or its last will; None while that cannot be known."""
        return self._control.connected(chassis_id)

    async def check(self) -> None:
        """Raises TransportError where a connection that was begun is down."""
        if self._is_closed:
            raise TransportError(f"{self._session.broker}: closed")
        problems = {name: part.now for name, part in self._parts.items()}
        problems["control"] = self._control.problem if self._control.is_begun else ""
        wrong = [f"{name}: {problem}" for name, problem in problems.items() if problem]
        if wrong:
            raise TransportError("; ".join(wrong))

    async def close(self) -> None:
        """End the readings."""
        self._is_closed = True
        for part in self._parts.values():
            part.inbox.close()


@dataclass
class _Part:
    """A reading that was begun."""

    inbox: Inbox[MqttDelivery] | Inbox[HubMessage]
    problem: str = "not connected yet"
    connection: Connection | None = None

    @property
    def now(self) -> str:
        """What is wrong with it, "" for nothing."""
        if self.connection is None:
            return self.problem
        return "" if self.connection.is_up else "connection lost"
