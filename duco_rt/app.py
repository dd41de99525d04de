"""The wiring: which parts a configuration asks for.

The one place that names concrete transports; a driver is imported only when its transport is configured.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import structlog

from duco_rt import demo
from duco_rt.clock import Clock
from duco_rt.config import ROLES, Config, Role
from duco_rt.device.app import DucoApp
from duco_rt.device.app_metrics import ComputerMetrics
from duco_rt.device.buses import chassis_ids, sources
from duco_rt.device.local_signals import check_local
from duco_rt.errors import ConfigError
from duco_rt.metrics import Metrics
from duco_rt.pipeline.distribute import Distribute
from duco_rt.pipeline.ingest import Ingest
from duco_rt.pipeline.parsing_cache import ParsingCache
from duco_rt.pipeline.process import Process
from duco_rt.pipeline.retention import Retention
from duco_rt.transports.base import Hub, Leases, Live, Log, Meta, Store
from duco_rt.web.commands import Commands
from duco_rt.web.datasets import Datasets
from duco_rt.web.groups import Groups
from duco_rt.web.health import Check, Health
from duco_rt.web.live import LiveService
from duco_rt.web.metaapi import MetaApi
from duco_rt.web.methods import Methods
from duco_rt.web.presence import Presence
from duco_rt.web.server import Server, routes

log = structlog.get_logger()


def needs(config: Config, *roles: Role) -> bool:
    """Whether this process has one of the roles."""
    return any(role in config.app.roles for role in roles)


class Transports:
    """The six transports of a process, opened as configured and closed with the stack."""

    def __init__(self, config: Config, data_dir: Path, clock: Clock, metrics: Metrics) -> None:
        self._config = config
        self._data_dir = data_dir
        self._clock = clock
        self._metrics = metrics
        self.hub: Hub
        self.log: Log
        self.live: Live
        self.leases: Leases
        self.store: Store | None = None
        self.meta: Meta

    async def open(self, stack: AsyncExitStack) -> None:
        """Open what the roles need; the store's engine first, while nothing is served yet."""
        if needs(self._config, "process", "distribute", "studio"):
            self.store = await self._open_store(stack)
        self.meta = await open_meta(self._config, self._data_dir, stack, simulated_ids(self._config))
        match self._config.hub.kind:
            case "memory":
                from duco_rt.transports.hub_memory import MemoryHub

                self.hub = MemoryHub(self._config.hub.queue_messages_max, self._metrics)
        match self._config.log.kind:
            case "memory":
                from duco_rt.transports.log_memory import MemoryLog

                self.log = MemoryLog(self._config.log.queue_messages_max, self._metrics)
        match self._config.live.kind:
            case "memory":
                from duco_rt.transports.live_memory import MemoryLive

                self.live = MemoryLive(self._config.live.queue_messages_max, self._metrics)
        match self._config.leases.kind:
            case "memory":
                from duco_rt.transports.leases_memory import MemoryLeases

                self.leases = MemoryLeases(self._clock)
        for transport in (self.leases, self.live, self.log, self.hub):
            stack.push_async_callback(transport.close)

    async def _open_store(self, stack: AsyncExitStack) -> Store:
        config = self._config.store
        match config.kind:
            case "chdb":
                from duco_rt.transports.store_chdb import ChdbStore

                store = ChdbStore(
                    self._data_dir / "chdb",
                    raw_days=config.raw_retention_days,
                    parsed_days=config.parsed_retention_days,
                    raw_limit_gb=config.raw_limit_gb,
                    parsed_limit_gb=config.parsed_limit_gb,
                )
                stack.push_async_callback(store.close)
                return await store.open()

    def checks(self) -> dict[str, Check]:
        """What `/readyz` asks."""
        found: dict[str, Check] = {"meta": self._check_meta}
        found |= {"hub": self.hub.check, "log": self.log.check, "live": self.live.check, "leases": self.leases.check}
        if self.store is not None:
            found["store"] = self._check_store
        return found

    async def _check_meta(self) -> None:
        await self.meta.devices("-")

    async def _check_store(self) -> None:
        assert self.store is not None
        await self.store.last_seen("-")


async def open_meta(config: Config, data_dir: Path, stack: AsyncExitStack, simulated: Sequence[str] = ()) -> Meta:
    """MetaAPI's data; a fresh one gets the demo identity, and the machines that run simulated here are known."""
    match config.meta.kind:
        case "sqlite":
            from duco_rt.transports.meta_sqlite import SqliteMeta

            meta = SqliteMeta(data_dir / "meta.sqlite")
            stack.push_async_callback(meta.close)
            fresh = await meta.open()
            await demo.seed(meta, fresh=fresh, device_ids=list(simulated))
            await meta.seeded()
            return meta


def simulated_ids(config: Config) -> list[str]:
    """The simulated machines of this process; a fresh MetaAPI knows them, and the demo device."""
    if not needs(config, "device") or config.device.buses or config.device.replay:
        return []
    return chassis_ids(config.device.chassis_id, config.device.simulate)


def build_pipeline(
    config: Config, t: Transports, parsings: ParsingCache, clock: Clock, metrics: Metrics
) -> list[Ingest | Process | Distribute | Retention]:
    """The roles between hub and store."""
    parts: list[Ingest | Process | Distribute | Retention] = []
    batch = config.log.batch_messages_max, config.log.batch_age_max_s
    if needs(config, "distribute") and t.store is not None:
        parts += [Distribute(t.log, t.store, batch, metrics), Retention(t.store, clock, metrics)]
    if needs(config, "process") and t.store is not None:
        parts.append(Process(t.log, t.store, parsings, config.app.msg_types, batch, clock, metrics))
    if needs(config, "ingest"):
        parts.append(Ingest(t.hub, t.log, t.live, parsings, config.app.msg_types, clock, metrics))
    return parts


def build_devices(config: Config, t: Transports, data_dir: Path, clock: Clock, metrics: Metrics) -> list[DucoApp]:
    """The devices of this process; several close their seconds spread over the second."""
    if not needs(config, "device"):
        return []
    computer = ComputerMetrics(str(data_dir))
    found = sources(config.device)
    return [
        DucoApp(
            chassis_id,
            config.device,
            source,
            t.hub.device(chassis_id),
            data_dir,
            computer,
            clock,
            metrics,
            phase_s=n / len(found),
        )
        for n, (chassis_id, source) in enumerate(found.items())
    ]


@dataclass(frozen=True, slots=True)
class WebParts:
    """The web side of a process."""

    server: Server
    live: LiveService | None
    commands: Commands | None


def build_web(
    config: Config,
    listening: socket.socket,
    t: Transports,
    parsings: ParsingCache,
    clock: Clock,
    metrics: Metrics,
) -> WebParts:
    """The server with the routes of this process's roles. Methods go through studio's leases where it has studio."""
    health = Health(t.checks(), metrics)
    methods = Methods(config.hub.name, t.hub, t.meta, config.hub.method_timeout_s, metrics)
    commands, live, studio = None, None, None
    if needs(config, "studio") and t.store is not None:
        commands = Commands(config.hub.name, methods.call, t.leases, config.leases, metrics)
        live = LiveService(t.live, config.web, clock, metrics)
        presence = Presence(t.hub.connected, config.device.upload_interval_s)
        datasets = Datasets(t.meta, t.store, parsings, presence, config.web, clock)
        studio = datasets, Groups(t.meta), live
    metaapi = MetaApi(t.meta) if needs(config, "metaapi") else None
    call = commands.handle if commands else methods.call if metaapi else None
    table = routes(health, studio=studio, metaapi=metaapi, call=call, static=static_folder())
    return WebParts(Server(config.web, listening, table), live, commands)


def static_folder() -> Path | None:
    """The page: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).parent
    for folder in (package / "static", package.parent / "static"):
        if (folder / "index.html").is_file():
            return folder
    return None


def check(config: Config) -> list[str]:
    """Look at what a configuration names without starting anything. Raises ConfigError; returns warnings."""
    if config.device.replay and not Path(config.device.replay).is_file():
        raise ConfigError(f"device.replay = {config.device.replay!r}: no such file")
    if needs(config, "device"):
        check_local(config.device)
    warnings = []
    split = [role for role in ROLES if role != "device" and not needs(config, role)]
    kinds = {
        "hub": config.hub.kind,
        "log": config.log.kind,
        "live": config.live.kind,
        "store": config.store.kind,
    }
    embedded = [f"{name}.kind = {kind!r}" for name, kind in kinds.items() if kind in ("memory", "chdb")]
    if split and embedded:
        warnings.append(f"roles {', '.join(split)} are not here, and no other process can share {', '.join(embedded)}")
    if needs(config, "studio") and static_folder() is None:
        warnings.append("the page's files (static/) are not there: studio serves its endpoints only")
    return warnings
