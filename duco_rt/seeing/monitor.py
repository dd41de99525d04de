"""What a process says of itself: how late its loop is, what it takes of the machine, and which of its parts work."""

from __future__ import annotations

import asyncio
import os
import platform
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

import psutil

import duco_rt
from duco_rt.clock import Clock
from duco_rt.disk.data_dir import check_room, free_bytes
from duco_rt.errors import TransportError
from duco_rt.seeing.metrics import Metrics

Check = Callable[[], Awaitable[None]]
"""Raises a DucoError whose text says what is wrong."""

_PERIOD_S = 0.1
_LAG_S = 3.0
_RECENT_S = 15.0


class _Usage(NamedTuple):
    """Of the process: s, bytes, files."""

    cpu_s: float
    resident_bytes: int
    open_files: int


class Monitor:
    """Of one process. `components`: what its supervisor says of each part; `checks`: more that is to be asked."""

    def __init__(
        self, metrics: Metrics, clock: Clock, components: Callable[[], Mapping[str, str]] = lambda: {}
    ) -> None:
        self.components = components
        self.checks: dict[str, Check] = {"event loop": self.check_loop}
        self._metrics = metrics
        self._clock = clock
        self._process = psutil.Process()
        self._usage = self._read()
        self._lag = metrics.histogram("loop_lag_seconds")
        self._lag_high = metrics.high("loop_lag_seconds_high")
        self._held_s = 0.0
        self._held_at_s = float("-inf")
        began_s = self._process.create_time()
        metrics.gauge("process_cpu_seconds_total", lambda: self._usage.cpu_s)
        metrics.gauge("process_resident_memory_bytes", lambda: self._usage.resident_bytes)
        metrics.gauge("process_open_fds", lambda: self._usage.open_files)
        metrics.gauge("process_max_fds", _files_max)
        metrics.gauge("process_start_time_seconds", lambda: began_s)
        metrics.gauge("build_info", lambda: 1, version=duco_rt.__version__, python=platform.python_version())

    async def run(self) -> None:
        """Look at the loop, and at all queues, ten times a second, until cancelled."""
        while True:
            due_s = self._clock.steady_s() + _PERIOD_S
            await asyncio.sleep(_PERIOD_S)
            now_s = self._clock.steady_s()
            self.note(max(0.0, now_s - due_s), now_s)
            self._metrics.tick(now_s)

    def note(self, late_s: float, now_s: float) -> None:
        """The loop came so late to what was due. Time is passed in."""
        self._lag.observe(late_s)
        self._lag_high.see(late_s)
        if late_s >= _LAG_S:
            self._held_s, self._held_at_s = late_s, now_s

    async def check_loop(self) -> None:
        """Raises TransportError where something held up the loop for seconds just now."""
        ago_s = self._clock.steady_s() - self._held_at_s
        if ago_s < _RECENT_S:
            raise TransportError(f"it was held up for {self._held_s:.1f} s, {ago_s:.0f} s ago: live data came late")

    def watch_folder(self, path: Path) -> None:
        """The data directory: whether it can be written, and the room on its disk."""
        self.checks["data directory"] = partial(check_folder, path)
        self._metrics.gauge("data_dir_free_bytes", lambda: free_bytes(path))

    async def look(self) -> None:
        """Read anew what the process takes; with many connections that takes its time, so not in the loop."""
        self._usage = await asyncio.to_thread(self._read)

    def _read(self) -> _Usage:
        with self._process.oneshot():
            times = self._process.cpu_times()
            resident = self._process.memory_info().rss
        return _Usage(times.user + times.system, resident, _open_files(self._process))


async def check_folder(path: Path) -> None:
    """Raises TransportError where a folder takes nothing, or has hardly any room."""
    await check_room(path)
    try:
        await asyncio.to_thread(_try_to_write, path / f"probe-{os.getpid()}")
    except OSError as e:
        raise TransportError(f"app.data_dir = {str(path)!r}: it cannot be written: {e.strerror}") from e


def _try_to_write(file: Path) -> None:
    file.write_bytes(b"duco")
    file.unlink()


def _open_files(process: psutil.Process) -> int:
    try:
        return int(process.num_fds() if os.name == "posix" else process.num_handles())
    except psutil.Error:
        return 0


def _files_max() -> float:
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return 0
    return float(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
