"""The wiring: which parts the roles of a configuration ask for, put together."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from aiohttp import web

from duco_rt import __version__
from duco_rt.adapters import Transports, needs
from duco_rt.app_access import build_access
from duco_rt.clock import Clock
from duco_rt.config import Config, Role
from duco_rt.config.web import web_warnings
from duco_rt.device.app import DucoApp
from duco_rt.device.app_metrics import ComputerMetrics
from duco_rt.device.buses import sources
from duco_rt.device.local_signals import check_local
from duco_rt.errors import ConfigError, TransportError
from duco_rt.pipeline.decoding.compiling import compile_parsing_async
from duco_rt.pipeline.distribute import Distribute
from duco_rt.pipeline.ingest import Ingest
from duco_rt.pipeline.parsing_cache import ParsingCache
from duco_rt.pipeline.process import Process
from duco_rt.pipeline.reparse import Means
from duco_rt.pipeline.reparse_jobs import Reparses
from duco_rt.pipeline.retention import Retention
from duco_rt.seeing.metrics import Metrics
from duco_rt.seeing.monitor import Monitor
from duco_rt.tls import check_certificates, is_tls
from duco_rt.transports.base import Hub
from duco_rt.web.backup import BackupApi
from duco_rt.web.commands import Commands
from duco_rt.web.datasets import Datasets
from duco_rt.web.full_history import FullHistory
from duco_rt.web.groups import Groups
from duco_rt.web.health import Health
from duco_rt.web.live.means import Means as LiveMeans
from duco_rt.web.live.service import LiveService
from duco_rt.web.metaapi import MetaApi
from duco_rt.web.openapi import OpenApi
from duco_rt.web.presence import Presence
from duco_rt.web.reparse import ReparseApi
from duco_rt.web.server import Server, routes

REPARSE_REST = 0.5
"""Reading again pauses half as long as it works: others wait for the parsing of one second, never of many."""


def build_pipeline(
    config: Config, t: Transports, parsings: ParsingCache | None, clock: Clock, metrics: Metrics
) -> list[Ingest | Process | Distribute | Retention]:
    """The roles between hub and store."""
    parts: list[Ingest | Process | Distribute | Retention] = []
    batch, most = (config.log.batch_messages_max, config.log.batch_age_max_s), config.hub.inflated_bytes_max
    if needs(config, "distribute"):
        parts += [Distribute(t.log, t.store, batch, metrics), Retention(t.store, clock, metrics)]
    if needs(config, "process") and parsings is not None:
        parts.append(
            Process(
                t.log,
                t.store,
                parsings,
                config.app.msg_types,
                batch,
                clock,
                metrics,
                inflated_bytes_max=most,
                later_file=Path(config.app.data_dir) / "parse-later.json",
            )
        )
    if needs(config, "ingest") and parsings is not None:
        types, stats = config.app.msg_types, config.live.stats
        parts.append(
            Ingest(t.hub, t.log, t.live, parsings, types, clock, metrics, stats=stats, inflated_bytes_max=most)
        )
    return parts


def build_devices(config: Config, t: Transports, data_dir: Path, clock: Clock, metrics: Metrics) -> list[DucoApp]:
    """The devices of this process; several close their seconds spread over the second."""
    if not needs(config, "device"):
        return []
    computer = ComputerMetrics(str(data_dir))
    found = sources(config.device)
    devices = [
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
    t.checks["hub"] = partial(_check_online, t.hub, devices)
    return devices


async def _check_online(hub: Hub, devices: Sequence[DucoApp]) -> None:
    """The hub works where the devices of this process are on it, too."""
    await hub.check()
    away = [device.chassis_id for device in devices if not device.is_online]
    if away:
        shown = ", ".join(away[:3]) + (", …" if len(away) > 3 else "")
        raise TransportError(f"{len(away)} of {len(devices)} devices are not on the hub: {shown}")


@dataclass(frozen=True, slots=True)
class Studio:
    """What of studio runs beside its requests, or is used from Python."""

    live: LiveService
    commands: Commands
    full: FullHistory


@dataclass(frozen=True, slots=True)
class WebParts:
    """The web side of a process."""

    server: Server
    studio: Studio | None
    reparse: ReparseApi


def build_web(
    config: Config,
    listening: socket.socket,
    t: Transports,
    parsings: ParsingCache | None,
    clock: Clock,
    metrics: Metrics,
    monitor: Monitor | None = None,
    local_key: str = "",
) -> WebParts:
    """The server with the routes of this process's roles. Methods go through studio's leases where it has studio.

    `local_key`: `DataDir.key`, by which this machine's own commands are let in.
    """
    studio, readers, static = None, None, static_folder()
    access = build_access(config, t, local_key, static, clock, metrics)
    if needs(config, "studio") and parsings is not None:
        commands = Commands(config.hub.name, t.call, t.leases, t.meta, config.leases, clock, metrics)
        live = LiveService(
            LiveMeans(
                t.live,
                t.store,
                parsings,
                t.leases,
                config.web,
                clock,
                metrics,
                config.live.reorder_s,
                t.meta.acknowledged_ms,
                watchdog_s=config.device.realtime_timeout_s,
                is_good=access.authentication.is_good,
            )
        )
        presence = Presence(config.device.upload_interval_s)
        datasets = Datasets(t.meta, t.store, parsings, presence, t.connected, config.web, clock)
        studio, readers = Studio(live, commands, datasets.full), (datasets, Groups(t.meta), live)
    metaapi = build_metaapi(config, t) if needs(config, "metaapi") else None
    call = studio.commands.handle if studio else t.call if metaapi else None
    reparse = build_reparse(config, t, clock, metrics)
    health, openapi = Health(t.checks, metrics, monitor), OpenApi(config.web, __version__, secure=is_tls(config.web))
    backup = BackupApi(Path(config.app.data_dir), getattr(t, "store", None), getattr(t, "meta", None), clock)
    more = [web.get("/api/openapi.json", openapi.handle), *backup.routes(), *access.routes]
    table = routes(health, studio=readers, metaapi=metaapi, call=call, static=static, reparse=reparse, more=more)
    server = Server(config.web, listening, table, access.door, metrics=metrics, clock=clock)
    return WebParts(server, studio, reparse)


def build_metaapi(config: Config, t: Transports) -> MetaApi:
    """MetaAPI's endpoints, with its limits."""
    return MetaApi(t.meta, t.hub.connected, config.meta)


def build_reparse(config: Config, t: Transports, clock: Clock, metrics: Metrics) -> ReparseApi:
    """Reading again, in a process that has the store and asks MetaAPI."""
    if not needs(config, "process", "studio"):
        return ReparseApi(None)
    means = Means(t.store, t.meta, clock, metrics, REPARSE_REST)
    compiled = partial(compile_parsing_async, limit_s=config.meta.read_limit_s)
    return ReparseApi(Reparses(means, config.app.msg_types, Path(config.app.data_dir) / "reparse", compiled))


def static_folder() -> Path | None:
    """The page: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).parent
    for folder in (package / "static", package.parent / "static"):
        if (folder / "index.html").is_file():
            return folder
    return None


_USERS: dict[str, tuple[tuple[Role, ...], tuple[Role, ...]]] = {
    "hub": (("device", "ingest", "metaapi"), ("ingest", "metaapi")),
    "log": (("ingest", "process", "distribute"), ("ingest", "process", "distribute")),
    "live": (("ingest", "studio"), ("ingest", "studio")),
    "store": (("process", "distribute", "studio"), ("process", "distribute", "studio")),
    "meta": (("ingest", "process", "studio"), ("metaapi",)),
}
"""Who uses a transport, and who has to be there for it to be of use. A device may be anywhere."""


def check(config: Config) -> list[str]:
    """Look at what a configuration names without starting anything. Raises ConfigError; returns warnings."""
    if config.device.replay and not Path(config.device.replay).is_file():
        raise ConfigError(f"device.replay = {config.device.replay!r}: no such file")
    if needs(config, "device"):
        check_local(config.device)
    check_certificates(config)
    warnings = web_warnings(config)
    for name, (users, partners) in _USERS.items():
        kind = getattr(config, name).kind
        away = [role for role in partners if not needs(config, role)]
        if kind in ("memory", "chdb", "sqlite") and away and needs(config, *users):
            warnings.append(
                f"{name}.kind = {kind!r}: no other process can share it, and {', '.join(away)} are not here"
            )
    if needs(config, "studio") and static_folder() is None:
        warnings.append("the page's files (static/) are not there: studio serves its endpoints only")
    return warnings
