"""The DUCO App: reads CAN and its own metrics, closes a second a second, uploads, obeys commands."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import structlog

from duco_rt.body import CanSecond, JsonSecond
from duco_rt.clock import Clock
from duco_rt.config import Device
from duco_rt.device.app_metrics import ComputerMetrics
from duco_rt.device.buses import Source
from duco_rt.device.can_bus import FrameCollector, Totals
from duco_rt.device.kept import Kept
from duco_rt.device.last_command import LastCommand
from duco_rt.device.local_signals import app_plan, key_signal, read_signals
from duco_rt.device.messages import can_messages, json_messages
from duco_rt.device.outbox import Outbox
from duco_rt.device.spool import Entry, Spool
from duco_rt.device.uploads import Upload, UploadMode
from duco_rt.model import HubMessage, MethodResult, Value
from duco_rt.seeing.metrics import Metrics
from duco_rt.supervisor import Supervisor
from duco_rt.transports.base import HubDevice

log = structlog.get_logger()

_KEY_POLL_S = 0.1


@dataclass(frozen=True, slots=True)
class Collected:
    """What one second gave, and its messages as they lie in the spool."""

    can: CanSecond
    own: JsonSecond
    entries: tuple[tuple[Entry, HubMessage], ...]


class DucoApp:
    """One device. `run` until cancelled; `drain` first, so that the hub has everything.

    `run` may be called again after it failed: then it goes on as an App does that was killed, from what is on disk.
    """

    def __init__(
        self,
        chassis_id: str,
        config: Device,
        source: Source,
        hub: HubDevice,
        data_dir: Path,
        computer: ComputerMetrics,
        clock: Clock,
        metrics: Metrics,
        phase_s: float = 0.0,
    ) -> None:
        self.chassis_id = chassis_id
        self._config = config
        self._source = source
        self._hub = hub
        self._computer = computer
        self._clock = clock
        self._metrics = metrics
        self._phase_s = phase_s
        self._folder = data_dir / "device"
        self._command = LastCommand(self._folder / f"{chassis_id}.command")
        self._parts = Supervisor(metrics, clock)
        self._begin()
        self._is_begun = True
        metrics.gauge("device_buses_failed", lambda: self._collector.failed is not None, each=True)
        metrics.gauge("device_realtime_on", lambda: self._mode.realtime, each=True)
        metrics.gauge("device_spool_bytes", lambda: self._spool.size_bytes, each=True)
        metrics.depth("device_outbox_depth", lambda: len(self._outbox), each=True)
        self._key_signal = key_signal(config)
        self._gps = {"gps_lat": config.gps_lat_signal, "gps_lng": config.gps_lng_signal}
        self._plan = app_plan(config)
        self._key_on = config.key == "always"
        self._ending = asyncio.Event()
        self._ended = asyncio.Event()

    def _begin(self, earlier: Kept | None = None) -> None:
        """All that a run uses up."""
        bytes_max = round(self._config.spool_mb_max * 1e6)
        kept = Kept(self._folder, self.chassis_id, bytes_max, self._clock, self._metrics, earlier)
        self._kept, self._spool, self._open, self._position = kept, kept.spool, kept.open, kept.position
        self._collector = FrameCollector()
        self._readers = [bus.reader(self._collector) for bus in self._source.buses]
        self._outbox = Outbox(self._hub, self._spool, self._config.resend_s, self._clock, self._metrics)
        self._mode: UploadMode[Collected] = UploadMode(
            self._config.upload_interval_s, self._config.realtime_timeout_s, self._config.open_frames_max
        )

    async def run(self) -> None:
        """Collect and upload until cancelled."""
        if not self._is_begun:
            self._begin(self._kept)
        self._is_begun = False
        has_failed = True
        try:
            for reader in self._readers:
                reader.start()
            async with Supervisor(self._metrics, self._clock) as self._parts:  # what fails of it stops no collecting
                on_hub = partial(self._hub.run, self._on_method, self._outbox.resend)
                self._parts.start(f"device {self.chassis_id}: hub", on_hub, kind="device hub")
                self._parts.start(f"device {self.chassis_id}: outbox", self._outbox.run, kind="device outbox")
                await self._collect()
                self._ended.set()
                await asyncio.Event().wait()
        except asyncio.CancelledError:
            has_failed = False
            raise
        finally:
            self._ended.clear()
            await asyncio.gather(*(reader.close() for reader in self._readers))
            self._kept.end()
            self._outbox.close(keep_sent=has_failed)

    @property
    def is_online(self) -> bool:
        """Whether the device is on the hub now."""
        return self._hub.is_online

    def troubles(self) -> Mapping[str, str]:
        """Parts of it that failed and are about to be begun again, with why; as of `Supervisor.states`."""
        return {name: state for name, state in self._parts.states().items() if state != "ok"}

    async def online(self) -> None:
        """Return when the device is on the hub."""
        await self._hub.online()

    async def drain(self) -> None:
        """Key off, and return when the hub has everything; without a hub, when the spool has it."""
        self._ending.set()
        self._parts.hurry()
        while True:
            await self._ended.wait()
            await self._outbox.drained()
            if self._ended.is_set():
                return  # else it failed meanwhile, and is begun again

    async def _collect(self) -> None:
        await self._pause(self._phase_s)
        while not self._ending.is_set():
            if self._is_key_on(None):
                await self._drive()
            else:
                await self._pause(_KEY_POLL_S)

    async def _drive(self) -> None:
        """From key-on to key-off."""
        self._key_on = True
        log.info("key on", chassis_id=self.chassis_id)
        age_s = self._command.age_s(self._clock.wall_ms())
        if age_s is not None and age_s < self._config.realtime_timeout_s:
            self._send(self._mode.start(self._clock.steady_s() - age_s))  # the App was restarted in the midst of it
        start_ms, next_s = self._clock.wall_ms(), self._clock.steady_s() + 1.0
        while self._key_on:
            await self._pause(next_s - self._clock.steady_s())
            late_s = self._clock.steady_s() - next_s
            now_s = self._clock.steady_s()
            collected = self._close_second(start_ms, late_s, now_s)
            self._key_on = not self._ending.is_set() and self._is_key_on(collected)
            was_on = self._mode.realtime
            self._send(self._mode.second(collected, collected.can.frames, now_s))
            if was_on and not self._mode.realtime:
                self._metrics.count("device_realtime_total", event="watchdog")
            start_ms, next_s = self._following(start_ms, next_s, late_s)
        if not self._ending.is_set():
            self._command.forget()
        if self._mode.realtime:
            self._metrics.count("device_realtime_total", event="key_off")
        self._send(self._mode.key_off())
        log.info("key off", chassis_id=self.chassis_id)

    def _following(self, start_ms: int, next_s: float, late_s: float) -> tuple[int, float]:
        """The next second begins where this one ended; after a stall or a jump of the clock, now."""
        start_ms += 1000
        if late_s > 1.0 or abs(self._clock.wall_ms() - start_ms) > 1000:
            self._metrics.count("device_seconds_realigned_total")
            return self._clock.wall_ms(), self._clock.steady_s() + 1.0
        return start_ms, next_s + 1.0

    def _close_second(self, start_ms: int, late_s: float, now_s: float) -> Collected:
        seq = self._position.next
        second, totals = self._collector.close(start_ms, seq)
        self._metrics.count("device_seconds_total")
        self._metrics.count("device_frames_total", second.frames)
        payload = self._own_values(second, totals, start_ms) | {"second_late_ms": round(max(0.0, late_s) * 1000, 1)}
        own = JsonSecond(start_ms, seq, payload)
        # In a spool first, used after: a second is kept, or its seq was never used.
        spool = self._spool if self._mode.is_realtime_at(now_s) else self._open
        entries = self._keep(spool, [second], [own], realtime=True)
        self._position.take()
        return Collected(second, own, entries)

    def _keep(
        self, spool: Spool, can: Sequence[CanSecond], own: Sequence[JsonSecond], *, realtime: bool
    ) -> tuple[tuple[Entry, HubMessage], ...]:
        """The messages of seconds, in a spool."""
        messages = can_messages(self.chassis_id, can, realtime=realtime)
        messages += json_messages(self.chassis_id, own, realtime=realtime)
        now_s = self._clock.steady_s()
        return tuple((spool.append(message, now_s), message) for message in messages)

    def _own_values(self, second: CanSecond, totals: dict[str, Totals], start_ms: int) -> dict[str, Value]:
        now_s = self._clock.steady_s()
        seen = read_signals(self._plan, second)
        gps = {name: seen[signal] for name, signal in self._gps.items() if signal in seen}
        loads = [100.0 * totals[name].bits / rate for name, rate in self._source.bitrates.items() if name in totals]
        own: dict[str, Value] = {
            "timestamp": start_ms,
            **gps,
            **self._computer.values(now_s),
            "can_frames_per_s": second.frames,
            "can_ids": len(second.streams),
            "queue_messages": len(self._outbox),
            "dropped_messages": self._spool.dropped,
            "sent_messages": self._outbox.sent,
            "upload_latency_ms": round(self._outbox.latency_ms, 2),
            "realtime": self._mode.realtime,
            "realtime_remaining_s": round(self._mode.remaining_s(now_s), 1),
        }
        return own | ({"bus_load_percent": round(max(loads), 2)} if loads else {})

    def _is_key_on(self, collected: Collected | None) -> bool:
        if self._config.key == "always":
            return True
        if self._key_signal is None:
            return self._clock.steady_s() - self._collector.last_frame_s < self._config.key_bus_timeout_s
        if collected is None:
            second, _ = self._collector.close(self._clock.wall_ms(), 0)
        else:
            second = collected.can
        value = read_signals(self._plan, second).get(self._key_signal)
        return self._key_on if value is None and second.frames else bool(value)

    def _send(self, uploads: list[Upload[Collected]]) -> None:
        for upload in uploads:
            singles = [entry for second in upload.seconds for entry in second.entries]
            if upload.realtime:
                self._outbox.put(singles)
                continue
            can, own = [c.can for c in upload.seconds], [c.own for c in upload.seconds]
            self._outbox.put(self._keep(self._spool, can, own, realtime=False))
            for entry, _ in singles:
                self._open.release(entry)

    async def _pause(self, seconds: float) -> None:
        """Sleep, but not past the end."""
        try:
            async with asyncio.timeout(max(0.0, seconds)):
                await self._ending.wait()
        except TimeoutError:
            pass

    async def _on_method(self, method: str, payload: dict[str, object]) -> MethodResult:
        if method != "setRealTimeUpload":
            return MethodResult(404, {"message": f"no method {method!r}"})
        action = payload.get("action")
        if action not in ("start", "stop"):
            return MethodResult(400, {"message": f"action {action!r} is not start or stop"})
        if action == "start" and not self._key_on:
            return MethodResult(409, {"message": "the key is off", "realtime": False})
        if action == "start":
            if not self._mode.realtime:
                self._metrics.count("device_realtime_total", event="start")
            self._command.note(self._clock.wall_ms())
            self._send(self._mode.start(self._clock.steady_s()))
        else:
            if self._mode.realtime:
                self._metrics.count("device_realtime_total", event="stop")
            self._command.forget()
            self._mode.stop()
        answer = {
            "commandId": payload.get("commandId"),
            "action": action,
            "realtime": self._mode.realtime,
            "ts": self._clock.wall_ms(),
            "source": "device",
        }
        return MethodResult(200, answer)
