"""A recording as a python-can bus: restamped to now, paced by its own times divided by `speed`."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import can
import structlog

from duco_rt.clock import WallTime
from duco_rt.errors import ConfigError

log = structlog.get_logger()


class ReplayBus(can.BusABC):
    """Plays a log once; then the bus is silent. Each message keeps the channel it was recorded on."""

    def __init__(self, file: str | Path, speed: float) -> None:
        super().__init__(channel=str(file))
        self.channel_info = f"replay of {Path(file).name} at {speed:g}x"
        self._messages = read_log(file)
        self._speed = speed
        self._ended = False
        self._next = next(self._messages, None)
        self._first_s = self._next.timestamp if self._next else 0.0
        self._wall = WallTime()
        self._begun_s = time.monotonic()

    def _recv_internal(self, timeout: float | None) -> tuple[can.Message | None, bool]:
        message = self._next or next(self._messages, None)
        if message is None:
            if not self._ended:
                self._ended = True
                log.info("the recording has ended; its bus is silent from here on", recording=self.channel_info)
            time.sleep(min(timeout or 0.0, 0.2))
            return None, True
        due_s = self._begun_s + (message.timestamp - self._first_s) / self._speed
        wait_s = due_s - time.monotonic()
        self._next = message
        if wait_s > 0:
            if timeout is not None and wait_s > timeout:
                time.sleep(timeout)
                return None, True
            time.sleep(wait_s)
        self._next = None
        message.timestamp = self._wall.of(due_s)
        return message, True

    def send(self, msg: can.Message, timeout: float | None = None) -> None:
        """A recording takes nothing."""
        raise can.CanOperationError("a recording cannot be written to")


def read_log(file: str | Path) -> Iterator[can.Message]:
    """The messages of a log that python-can reads, `.gz` included. Raises ConfigError where it cannot be read."""
    path = Path(file)
    if not path.is_file():
        raise ConfigError(f"log {path}: no such file")
    try:
        reader = can.LogReader(path)
    except Exception as e:  # its readers let anything out of a malformed file
        raise ConfigError(f"log {path}: {e}") from e
    return _messages(path, reader)


def _messages(path: Path, reader: Iterable[can.Message]) -> Iterator[can.Message]:
    count = 0
    try:
        for message in reader:
            count += 1
            yield message
    except Exception as e:  # see read_log
        raise ConfigError(f"log {path}: after message {count}: {type(e).__name__}: {e}") from e
