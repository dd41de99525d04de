"""Log lines that cannot be written hurt nobody."""

from __future__ import annotations

import io
import sys

import pytest
import structlog

from duco_rt.seeing import logs
from duco_rt.seeing.log_stream import LogStream


class Disk(io.StringIO):
    """A stream of a disk that is full where the test says so."""

    full = False

    def write(self, text: str) -> int:
        """Unless it is full."""
        if self.full:
            raise OSError(28, "No space left on device")
        return super().write(text)


def test_lines_that_are_lost_are_counted() -> None:
    """And told as soon as there is room; a closed stream is as a full one."""
    disk = Disk()
    stream = LogStream(disk)
    for n in range(6):
        disk.full = n in (1, 2, 3)
        print(f"line {n}", file=stream, flush=True)
    assert disk.getvalue().splitlines() == [
        "line 0", "duco_rt: 3 log lines could not be written", "line 4", "line 5",
    ]  # fmt: skip
    disk.close()
    print("line 6", file=stream, flush=True)


def test_a_log_on_a_full_disk_raises_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the program's own log is set up."""
    disk = Disk()
    monkeypatch.setattr(sys, "stderr", disk)
    logs.configure("info", "json")
    try:
        disk.full = True
        structlog.get_logger().error("lost")
        disk.full = False
        structlog.get_logger().error("written")
    finally:
        structlog.reset_defaults()
    assert [line[:8] for line in disk.getvalue().splitlines()] == ["duco_rt:", '{"event"']
