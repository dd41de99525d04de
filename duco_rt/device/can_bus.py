"""Read any python-can bus in a thread of its own into the open second."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

import can
import structlog

from duco_rt.body import BRS, ERROR, ESI, FD, REMOTE, TX, CanSecond
from duco_rt.config import Bus
from duco_rt.device.second import SecondBuilder
from duco_rt.errors import ConfigError

log = structlog.get_logger()

_DRIFT_S = 2.0


class Totals(NamedTuple):
    """What one channel carried since the last `close`: frames, and bits on the wire without stuffing."""

    frames: int
    bits: int


class FrameCollector:
    """The open second of one device, filled by the reader threads of its buses."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._builder = SecondBuilder()
        self._totals: dict[str, list[int]] = {}
        self.last_frame_s = float("-inf")
        self._failures: dict[str, str] = {}
        self.before_close: Callable[[], None] = lambda: None

    @property
    def failed(self) -> str | None:
        """What is wrong with the buses that do not work now; None where all do."""
        return "; ".join(self._failures.values()) or None

    def bus_works(self, channel: str) -> None:
        """The bus was opened."""
        self._failures.pop(channel, None)

    def bus_failed(self, channel: str, why: str) -> None:
        """The bus does not work."""
        self._failures[channel] = why

    def add(self, channel: str, messages: list[can.Message], shift_us: int) -> None:
        """Take what a bus gave; `shift_us` turns its time stamps into Unix time."""
        with self._lock:
            for m in messages:
                name = channel or ("" if m.channel is None else str(m.channel))
                data = bytes(m.data)
                length = len(data)
                flags = _flags(m)
                if flags & REMOTE:
                    length = m.dlc
                    data = bytes(length)
                key = name, m.arbitration_id, m.is_extended_id, flags, length
                self._builder.add(key, int(m.timestamp * 1e6) + shift_us, data)
                totals = self._totals.setdefault(name, [0, 0])
                totals[0] += 1
                totals[1] += (67 if m.is_extended_id else 47) + 8 * length
            self.last_frame_s = time.monotonic()

    def close(self, ts_ms: int, seq: int) -> tuple[CanSecond, dict[str, Totals]]:
        """End the second."""
        self.before_close()
        with self._lock:
            builder, self._builder = self._builder, SecondBuilder()
            totals, self._totals = self._totals, {}
        return builder.close(ts_ms, seq), {name: Totals(*pair) for name, pair in totals.items()}


def _flags(m: can.Message) -> int:
    return (
        (FD if m.is_fd else 0)
        | (BRS if m.bitrate_switch else 0)
        | (ESI if m.error_state_indicator else 0)
        | (REMOTE if m.is_remote_frame else 0)
        | (ERROR if m.is_error_frame else 0)
        | (0 if m.is_rx else TX)
    )


class BusReader:
    """A thread that reads one bus until `stop`. An empty channel name takes the messages' own (a recording)."""

    def __init__(self, channel: str, open_bus: Callable[[], can.BusABC], collector: FrameCollector) -> None:
        self._channel = channel
        self._open_bus = open_bus
        self._collector = collector
        self._stopping = threading.Event()
        self._failures = 0
        self._thread = threading.Thread(target=self._run, name=f"bus-{channel or 'log'}", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; waits for at most a second."""
        self._stopping.set()
        self._thread.join(1.0)

    async def close(self) -> None:
        """The same without holding up the event loop."""
        await asyncio.to_thread(self.stop)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                with self._open_bus() as bus:
                    self._collector.bus_works(self._channel)
                    self._read(bus)
            except ConfigError as e:  # trying again would change nothing
                self._collector.bus_failed(self._channel, str(e))
                log.error("bus cannot be read", bus=self._channel, error=str(e))
                return
            except Exception as e:  # drivers raise what they like; the thread outlives it
                self._collector.bus_failed(self._channel, f"{self._channel}: {e}")
                if self._failures in (0, 5):
                    log.warning("bus failed, trying again", bus=self._channel, error=str(e))
                self._stopping.wait(min(10.0, 0.5 * 2 ** min(self._failures, 5)))
                self._failures += 1

    def _read(self, bus: can.BusABC) -> None:
        shift_us = 0
        while not self._stopping.is_set():
            first = bus.recv(timeout=0.2)
            if first is None:
                continue
            self._failures = 0
            messages = [first]
            try:
                while len(messages) < 500 and (more := bus.recv(timeout=0)) is not None:
                    messages.append(more)
            finally:  # a bus that fails meanwhile does not take back what it gave
                now = time.time()
                # some interfaces count from their own start: their clock is set by the first frame
                if abs(now - messages[-1].timestamp - shift_us / 1e6) > _DRIFT_S:
                    shift_us = int((now - messages[-1].timestamp) * 1e6)
                self._collector.add(self._channel, messages, shift_us)


def open_bus(bus: Bus) -> can.BusABC:
    """A configured bus. Raises ConfigError where python-can does not know the interface."""
    try:
        return can.Bus(interface=bus.interface, channel=bus.channel, bitrate=bus.bitrate, fd=bus.fd)
    except (can.CanInterfaceNotImplementedError, TypeError) as e:
        raise ConfigError(f"device.buses {bus.name}: {e}") from e
