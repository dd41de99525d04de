"""Which transports a configuration asks for, and what each role needs of them.

The one place that names concrete transports; a driver is imported only when its transport is configured.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from duco_rt.adapters_meta import http_meta, open_meta
from duco_rt.clock import Clock
from duco_rt.config import Config, Role, Server
from duco_rt.config import Log as LogConfig
from duco_rt.device.buses import chassis_ids
from duco_rt.disk.data_dir import instance_id
from duco_rt.seeing.metrics import Metrics
from duco_rt.transports.base import Hub, Leases, Live, Log
from duco_rt.transports.base_data import Meta, Store
from duco_rt.web.commands import Call
from duco_rt.web.datasets import Connected
from duco_rt.web.health import Check
from duco_rt.web.metaapi import hub_presence
from duco_rt.web.methods import Methods

if TYPE_CHECKING:
    from duco_rt.transports.hub_iothub.checkpoints import Checkpoints

log = structlog.get_logger()


def needs(config: Config, *roles: Role) -> bool:
    """Whether this process has one of the roles."""
    return any(role in config.app.roles for role in roles)


class Transports:
    """The transports that the roles of a process need, opened as configured and closed with the stack.

    One that no role needs is not there. `carried` is what has to run as long as the process, by name.
    """

    hub: Hub
    log: Log
    live: Live
    leases: Leases
    store: Store
    meta: Meta
    call: Call
    connected: Connected

    def __init__(self, config: Config, data_dir: Path, clock: Clock, metrics: Metrics) -> None:
        self._config = config
        self._data_dir = data_dir
        self._clock = clock
        self._metrics = metrics
        self.carried: dict[str, Callable[[], Awaitable[None]]] = {}
        self.checks: dict[str, Check] = {}

    async def open(self, stack: AsyncExitStack) -> None:
        """Open what the roles need; the store's engine first, while nothing is served yet."""
        config = self._config
        if needs(config, "process", "distribute", "studio"):
            self.store = await open_store(config, self._data_dir)
            self._keep(stack, "store", self.store.check, self.store.close)
        if needs(config, "ingest", "process", "studio", "metaapi"):
            self.meta = await self._open_meta(stack)
        if needs(config, "studio"):
            self.leases = open_leases(config, self._clock)
            self._keep(stack, "leases", self.leases.check, self.leases.close)
        if needs(config, "ingest", "studio"):
            self.live = open_live(config, self._metrics)
            self._keep(stack, "live", self.live.check, self.live.close)
            self.carried["live"] = self.live.run
        if needs(config, "ingest", "process", "distribute"):
            self.log = open_log(config, self._data_dir, self._metrics)
            self._keep(stack, "log", self.log.check, self.log.close)
        calls_hub = needs(config, "metaapi") or (needs(config, "studio") and config.meta.kind != "http")
        if calls_hub or needs(config, "device", "ingest"):
            self.hub = open_hub(config, self._data_dir, self._clock, self._metrics)
            self._keep(stack, "hub", self.hub.check, self.hub.close)
        if calls_hub:
            timeout_s = config.hub.method_timeout_s
            methods = Methods(config.hub.name, self.hub, self.meta, timeout_s, self._metrics, self._clock)
            self.call = methods.call
            self.connected = partial(hub_presence, self.meta, self.hub.connected)
            self.carried["hub"] = self.hub.run

    def _keep(self, stack: AsyncExitStack, name: str, check: Check, close: Callable[[], Awaitable[None]]) -> None:
        self.checks[name] = check
        stack.push_async_callback(close)

    async def _open_meta(self, stack: AsyncExitStack) -> Meta:
        config = self._config
        if config.meta.kind == "http":
            remote = http_meta(config, self._metrics)
            self.call, self.connected = remote.call, remote.connected
            self._keep(stack, "meta", remote.check, remote.close)
            return remote
        meta = await open_meta(config, self._data_dir, stack, simulated_ids(config))
        self.checks["meta"] = meta.check
        if config.web.auth == "tokens" and not await meta.tokens():
            how = "python -m duco_rt token add NAME --tenant '*' --role admin"
            log.warning("there is no token yet: nobody can sign in", make_one_by=how)
        return meta


async def open_store(config: Config, data_dir: Path) -> Store:
    """Raw and parsed history."""
    store = config.store
    match store.kind:
        case "chdb":
            from duco_rt.transports.store_chdb import ChdbStore

            return await ChdbStore(
                data_dir / "chdb",
                raw_days=store.raw_retention_days,
                parsed_days=store.parsed_retention_days,
                raw_limit_gb=store.raw_limit_gb,
                parsed_limit_gb=store.parsed_limit_gb,
            ).open()
        case "clickhouse":
            from duco_rt.transports.store_clickhouse import ClickHouseStore

            return ClickHouseStore(
                store.url,
                raw_days=store.raw_retention_days,
                parsed_days=store.parsed_retention_days,
                raw_limit_gb=store.raw_limit_gb,
                parsed_limit_gb=store.parsed_limit_gb,
                create_tables=store.create_tables,
                **{**_login(store), "user": store.user or "default"},
            )


def open_leases(config: Config, clock: Clock) -> Leases:
    """Who watches what."""
    leases = config.leases
    match leases.kind:
        case "memory":
            from duco_rt.transports.leases_memory import MemoryLeases

            return MemoryLeases(clock)
        case "redis":
            from duco_rt.transports.leases_redis import RedisLeases

            return RedisLeases(leases.url, **_login(leases))


def open_live(config: Config, metrics: Metrics) -> Live:
    """Real-time samples."""
    live = config.live
    match live.kind:
        case "memory":
            from duco_rt.transports.live_memory import MemoryLive

            return MemoryLive(live.queue_messages_max, metrics)
        case "redis-pubsub":
            from duco_rt.transports.live_redis_pubsub import RedisPubSubLive

            pattern = live.subscribe == "pattern"
            return RedisPubSubLive(live.url, live.queue_messages_max, metrics, pattern=pattern, **_login(live))
        case "redis-streams":
            from duco_rt.transports.live_redis_streams import RedisStreamsLive

            return RedisStreamsLive(live.url, live.queue_messages_max, metrics, keep_s=live.keep_s, **_login(live))


def open_log(config: Config, data_dir: Path, metrics: Metrics) -> Log:
    """Raw and parsed messages between the roles."""
    log = config.log
    match log.kind:
        case "memory":
            from duco_rt.transports.log_memory import MemoryLog

            return MemoryLog(log.queue_messages_max, metrics)
        case "kafka":
            from duco_rt.transports.log_kafka import KafkaLog

            return KafkaLog(
                log.bootstrap_servers,
                config.app.msg_types,
                metrics,
                prefix=log.prefix,
                partitions=log.partitions,
                replicas=log.replicas,
                client_id=f"duco-{instance_id(data_dir)}",
                **_login(log),
            )


def open_hub(config: Config, data_dir: Path, clock: Clock, metrics: Metrics) -> Hub:
    """Device to cloud, both sides."""
    hub = config.hub
    match hub.kind:
        case "memory":
            from duco_rt.transports.hub_memory import MemoryHub

            return MemoryHub(hub.queue_messages_max, metrics)
        case "mqtt":
            from duco_rt.transports.hub_mqtt.hub import MqttHub

            return MqttHub(
                hub.url,
                metrics,
                client_id=f"duco-{instance_id(data_dir)}",
                group=hub.group,
                cert_file=hub.cert_file,
                key_file=hub.key_file,
                queue_messages_max=hub.queue_messages_max,
                send_timeout_s=hub.send_timeout_s,
                clock=clock,
                **_login(hub),
            )
        case "iothub":
            from duco_rt.transports.hub_iothub.hub import IotHub

            return IotHub(
                metrics,
                clock,
                device_connection_string=hub.device_connection_string,
                host=hub.host,
                cert_file=hub.cert_file,
                key_file=hub.key_file,
                ca_file=hub.ca_file,
                service_connection_string=hub.service_connection_string,
                events_connection_string=hub.events_connection_string,
                consumer_group=hub.consumer_group,
                live_consumer_group=hub.live_consumer_group,
                checkpoints=_checkpoints(config, data_dir) if needs(config, "ingest") else None,
                queue_messages_max=hub.queue_messages_max,
                send_timeout_s=hub.send_timeout_s,
            )


def _checkpoints(config: Config, data_dir: Path) -> Checkpoints:
    """Where the ingestors of an IoT Hub keep how far they are, and who reads what."""
    if config.hub.checkpoints_url:
        from duco_rt.transports.hub_iothub.checkpoints_redis import RedisCheckpoints

        return RedisCheckpoints(config.hub.checkpoints_url, **_login(config.hub))
    from duco_rt.transports.hub_iothub.checkpoints import SqliteCheckpoints

    return SqliteCheckpoints(data_dir / "iothub-checkpoints.sqlite")


def _login(section: Server | LogConfig) -> dict[str, str]:
    """What every server asks for."""
    return {"user": section.user, "password": section.password, "ca_file": section.ca_file}


def simulated_ids(config: Config) -> list[str]:
    """The simulated machines of this process; a fresh MetaAPI knows them, and the demo device."""
    if not needs(config, "device") or config.device.buses or config.device.replay:
        return []
    return chassis_ids(config.device.chassis_id, config.device.simulate)
