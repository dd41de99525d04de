"""A running duco_rt: everything of one process, started, used from Python, and ended in order."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Self

import structlog

from duco_rt import app
from duco_rt.adapters import Transports, needs
from duco_rt.clock import SystemClock
from duco_rt.config import Config
from duco_rt.disk.data_dir import DataDir
from duco_rt.errors import BadBody, ConfigError, DucoError, TransportError
from duco_rt.live_message import read_live
from duco_rt.model import MethodResult, Peer, Sample, Value
from duco_rt.pipeline.full_resolution import full_table
from duco_rt.pipeline.parsing_cache import ParsingCache
from duco_rt.seeing import logs
from duco_rt.seeing.loop_errors import LoopErrors
from duco_rt.seeing.metrics import Metrics
from duco_rt.seeing.monitor import Monitor
from duco_rt.supervisor import Supervisor
from duco_rt.table import history_table
from duco_rt.web.live.in_order import in_order
from duco_rt.web.live.ordering import Ordering
from duco_rt.web.params import SPANS, check_detail, device_now_ms
from duco_rt.web.server import listen

if TYPE_CHECKING:
    import pyarrow

    from duco_rt.blocking import BlockingRuntime
    from duco_rt.device.app import DucoApp

log = structlog.get_logger()

_ONLINE_S = 2.0


class Runtime:
    """`async with Runtime(load_config()) as rt:` runs the configured roles in this loop until the block ends.

    Leaving the block drains: what the devices have handed over is in the store. A part that fails is begun again; what
    only the operator can mend is raised at the start (ConfigError, Conflict), and never after it.
    """

    def __init__(self, config: Config) -> None:
        """Nothing starts before `async with` or `start()`."""
        self.config = config
        self.metrics = Metrics()
        self.url = ""
        self._clock = SystemClock()
        self._parts = Supervisor(self.metrics, self._clock)
        self._stack = AsyncExitStack()
        self._devices: list[DucoApp] = []

    def start(self) -> BlockingRuntime:
        """Run in a thread and loop of its own, on a free port, with plain calls: for notebooks and scripts."""
        from duco_rt.blocking import BlockingRuntime

        return BlockingRuntime(self.config)

    async def __aenter__(self) -> Self:
        try:
            await self._open()
        except BaseException as e:
            await self._stack.__aexit__(type(e), e, e.__traceback__)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return await self._stack.__aexit__(kind, error, trace)

    async def _open(self) -> None:
        config, clock, metrics, stack = self.config, self._clock, self.metrics, self._stack
        logs.configure_where_nobody_did()
        stack.enter_context(LoopErrors(metrics, clock).watched())
        for warning in app.check(config):
            log.warning(warning)
        data_dir = stack.enter_context(DataDir(Path(config.app.data_dir)))
        listening = stack.enter_context(listen(config.web))
        self._transports = Transports(config, data_dir.path, clock, metrics)
        await self._transports.open(stack)
        parsings = None
        if needs(config, "ingest", "process", "studio"):
            parsings = ParsingCache(self._transports.meta, config.meta.refresh_s, metrics, config.meta.read_limit_s)
        monitor = Monitor(metrics, clock, self._states)
        monitor.watch_folder(data_dir.path)
        self._web = app.build_web(config, listening, self._transports, parsings, clock, metrics, monitor, data_dir.key)
        pipeline = app.build_pipeline(config, self._transports, parsings, clock, metrics)
        self._devices = app.build_devices(config, self._transports, data_dir.path, clock, metrics)
        await self._warn_of_unknown_devices()
        await stack.enter_async_context(self._parts)
        stack.push_async_exit(self._end)
        self._start({**self._transports.carried, **{type(part).__name__.lower(): part.run for part in pipeline}})
        self._start({"monitor": monitor.run})
        if parsings is not None:
            self._start({"parsings": parsings.run})
        if self._web.studio is not None:
            self._start({"commands": self._web.studio.commands.run, "live service": self._web.studio.live.run})
        for device in self._devices:
            self._parts.start(f"device {device.chassis_id}", device.run, kind="device")
        await self._web.server.start()
        self.url = self._web.server.url
        data_dir.announce(self.url, self._web.server.certificate_sha256)
        with suppress(TimeoutError):  # a hub that is away now is no reason not to collect
            async with asyncio.timeout(_ONLINE_S):
                await asyncio.gather(*(device.online() for device in self._devices))
        self._parts.ready()

    def _states(self) -> dict[str, str]:
        """What each part does, for `/readyz`; of machines also what of them failed."""
        states = dict(self._parts.states())
        for device in self._devices:
            states |= device.troubles()
        return states

    def _start(self, runs: Mapping[str, Callable[[], Awaitable[None]]]) -> None:
        for name, run in runs.items():
            self._parts.start(name, run)

    async def _warn_of_unknown_devices(self) -> None:
        if not self._devices or not hasattr(self._transports, "meta"):
            return
        try:
            known = {device.chassis_id for device in await self._transports.meta.devices()}
        except TransportError:
            return  # MetaAPI is away: ingest counts what it does not know
        for device in self._devices:
            if device.chassis_id not in known:
                add = f"python -m duco_rt device add {device.chassis_id} --tenant NAME --dbc [BUS=]FILE"
                log.warning("MetaAPI does not know this device: its data is kept raw, nobody can see it", add_it_by=add)

    async def _end(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Devices first, so that the hub, the log and the store behind them take what they have; then the rest."""
        self._web.reparse.stop()
        self._parts.hurry()
        try:
            async with asyncio.timeout(self.config.app.drain_timeout_s):
                await asyncio.gather(*(device.drain() for device in self._devices))
        except TimeoutError:
            log.error(
                "not all that the devices hold could be stored in time",
                drain_timeout_s=self.config.app.drain_timeout_s,
            )
        finally:
            if self._web.studio is not None:
                await self._web.studio.live.close()
            await self._web.server.close()
            self._parts.cancel()

    def _studio(self) -> app.Studio:
        if self._web.studio is None:
            raise ConfigError("app.roles: this needs the role studio in this process")
        return self._web.studio

    async def start_realtime(self, chassis_id: str, viewer: str = "runtime") -> MethodResult:
        """Ask for real-time upload as a viewer does. Raises NotFound, DeviceOffline, DeviceTimeout."""
        return await self._command(chassis_id, "start", viewer)

    async def stop_realtime(self, chassis_id: str, viewer: str = "runtime") -> MethodResult:
        """Take this viewer out; the device stops when none is left."""
        return await self._command(chassis_id, "stop", viewer)

    async def _command(self, chassis_id: str, action: str, viewer: str) -> MethodResult:
        commands = self._studio().commands
        payload: dict[str, object] = {"action": action, "reason": "user_action", "viewerId": viewer}
        payload["commandId"] = str(uuid.uuid4())
        return await commands.handle(self.config.hub.name, chassis_id, "setRealTimeUpload", payload)

    async def live(
        self, chassis_id: str, msg_type: str = "vehicle_can", *, fields: Sequence[str] | None = None
    ) -> AsyncIterator[Sample]:
        """Samples as they come, with the named fields (None: all). Holds a lease while it runs, as a page does."""
        self._studio()
        peer = Peer(await self.tenant_of(chassis_id), chassis_id, msg_type)
        viewer = f"runtime-{uuid.uuid4()}"
        end_beat = self._parts.start(viewer, partial(self._heartbeat, chassis_id, viewer), kind="heartbeat")
        try:
            order: Ordering[Sample] = Ordering(self.config.live.reorder_s)
            source = await self._transports.live.subscribe(peer.channel)
            async with aclosing(source):  # type: ignore[type-var]  # it has aclose
                async for sample in in_order(source, partial(self._sample, peer, fields), order):
                    yield sample
        finally:
            end_beat()
            with suppress(DucoError):  # its watchdog stops it
                await self.stop_realtime(chassis_id, viewer)

    async def _heartbeat(self, chassis_id: str, viewer: str) -> None:
        while True:
            pause_s = self.config.leases.ttl_s * 0.9
            try:
                await self.start_realtime(chassis_id, viewer)
            except DucoError as e:
                log.warning("real-time upload not started, trying again", chassis_id=chassis_id, error=str(e))
                pause_s = 5.0
            await asyncio.sleep(pause_s)

    def _sample(self, peer: Peer, fields: Sequence[str] | None, message: bytes) -> Sample | None:
        try:
            return read_live(message, peer, fields, self._clock.wall_ms())
        except BadBody as e:
            self.metrics.count("live_bad_publications_total")
            log.warning("live message not readable", channel=peer.channel, error=str(e))
            return None

    async def tenant_of(self, chassis_id: str) -> str:
        """The device's tenant. Raises NotFound."""
        self._studio()
        return (await self._transports.meta.device(chassis_id)).tenant

    async def collect(
        self,
        chassis_id: str,
        msg_type: str = "vehicle_can",
        *,
        fields: Sequence[str] | None = None,
        seconds: float = 10,
    ) -> list[dict[str, Value | None]]:
        """Live samples of the next `seconds`, a dict each: ts (ms), seq, and the fields that it has."""
        rows: list[dict[str, Value | None]] = []
        samples = self.live(chassis_id, msg_type, fields=fields)
        try:
            async with asyncio.timeout(seconds):
                async for sample in samples:
                    rows.append({**sample.payload, "ts": sample.ts_ms, "seq": sample.seq})  # noqa: PERF401  # kept at the time-out
        except TimeoutError:
            pass
        finally:
            await samples.aclose()  # type: ignore[attr-defined]  # an async generator
        return rows

    async def history(
        self,
        chassis_id: str,
        msg_type: str = "vehicle_can",
        *,
        fields: Sequence[str],
        minutes: float = 2,
        resolution: Literal["second", "full"] = "second",
        stats: Sequence[str] = (),
    ) -> pyarrow.Table:
        """The last `minutes` by the device's clock: columns ts (timestamp, ms, UTC), seq, then the fields.

        `stats`: some of min, max and count, as columns NAME.min and so on. `resolution="full"`: every sample of the raw
        frames by today's parsing, a row each: field, ts (timestamp, µs, UTC), value. Raises BadRequest.
        """
        self._studio()
        check_detail(resolution, stats)
        peer = Peer(await self.tenant_of(chassis_id), chassis_id, msg_type)
        to_ms = await device_now_ms(self._transports.store, peer, self._clock.wall_ms())
        from_ms = to_ms - round(minutes * 60_000)
        if resolution == "full":
            return full_table(await self._studio().full.read(peer, fields, from_ms, to_ms))
        spans = SPANS.intersection(stats)
        found = await self._transports.store.history(peer, fields, from_ms, to_ms, stats=bool(spans))
        table = history_table(found)
        return table.drop_columns([f"{name}.{kind}" for name in found.stats for kind in SPANS - spans])
