"""What the App says of itself and of its computer each second: `client_raw_data`'s fields beside GPS."""

from __future__ import annotations

import os
import time

import psutil
import structlog

from duco_rt.model import Value

log = structlog.get_logger()

_PROCESS = psutil.Process()
_READ_EVERY_S = 0.9


class ComputerMetrics:
    """Readings of the computer, shared by all devices of the process and read at most once a second."""

    def __init__(self, disk_path: str) -> None:
        self._disk_path = disk_path
        self._read_s = float("-inf")
        self._values: dict[str, Value] = {}
        psutil.cpu_percent(None)
        _PROCESS.cpu_percent(None)

    def values(self, now_s: float) -> dict[str, Value]:
        """CPU, memory and disk in percent, the process's own share, load, uptime."""
        if now_s - self._read_s >= _READ_EVERY_S:
            self._read_s = now_s
            try:
                self._values = self._read()
            except (psutil.Error, OSError) as e:  # the machine's data goes on without
                if self._values:
                    log.warning("the computer's own metrics cannot be read", error=str(e))
                self._values = {}
        return self._values

    def _read(self) -> dict[str, Value]:
        memory = psutil.virtual_memory()
        with _PROCESS.oneshot():
            app_cpu, app_memory = _PROCESS.cpu_percent(None), _PROCESS.memory_info().rss
        return {
            "cpu_percent": psutil.cpu_percent(None),
            "memory_percent": memory.percent,
            "disk_percent": psutil.disk_usage(self._disk_path).percent,
            "load_1min": os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0,
            "uptime_s": round(time.time() - psutil.boot_time()),
            "app_cpu_percent": app_cpu,
            "app_memory_mb": round(app_memory / 1e6, 1),
        }
