"""Where a device stands: `seq` grows by one each second and never comes again, over restarts and power cuts.

The file holds three lines: next seq, a ceiling, and the boot id, or `closed` after an ordered end. `next` is written
each second without waiting for the disk, which survives the end of the process; the ceiling is synced 3,600 ahead, so
that after a power cut (another boot id) counting goes on above anything that was ever used. Without a file it starts
at the Unix second.
"""

from __future__ import annotations

import os
from pathlib import Path

import psutil
import structlog

log = structlog.get_logger()

_AHEAD = 3600
_CLOSED = "closed"


class PositionFile:
    """The next `seq` of one device."""

    def __init__(self, file: Path, unix_s: int, boot_id: str | None = None, least: int = 0) -> None:
        """`least`: the next seq is not below it; what lies in the spool has been used."""
        self._failed = False
        self._boot = boot_id if boot_id is not None else read_boot_id()
        file.parent.mkdir(parents=True, exist_ok=True)
        self._next, self._ceiling = self._start(file, unix_s)
        self._next = max(self._next, least)
        self._ceiling = max(self._ceiling, self._next + 1)
        self._fd = os.open(file, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o644)
        self._write(sync=True)

    def _start(self, file: Path, unix_s: int) -> tuple[int, int]:
        try:
            lines = file.read_text(encoding="ascii").split()
            following, ceiling, boot = int(lines[0]), int(lines[1]), lines[2]
        except FileNotFoundError:
            return unix_s, unix_s + _AHEAD
        except (ValueError, IndexError):  # torn by a power cut: the clock is what is left
            return unix_s + _AHEAD, unix_s + 2 * _AHEAD
        start = following if boot in (self._boot, _CLOSED) else max(following, ceiling)
        return start, max(ceiling, start + _AHEAD)

    @property
    def next(self) -> int:
        """The seq of the second that closes next."""
        return self._next

    def take(self) -> int:
        """The seq of the second that closed; it is used from now on."""
        seq = self._next
        self._next += 1
        if self._next >= self._ceiling:
            self._ceiling = self._next + _AHEAD
            self._write(sync=True)
        else:
            self._write(sync=False)
        return seq

    def _write(self, *, sync: bool) -> None:
        try:
            os.lseek(self._fd, 0, os.SEEK_SET)  # os.pwrite is not there on Windows
            os.write(self._fd, f"{self._next:020d}\n{self._ceiling:020d}\n{self._boot:<40.40}\n".encode())
            if sync:
                os.fsync(self._fd)
        except OSError as e:  # collecting goes on; a start may find an older position, and the spool's above it
            if not self._failed:
                log.error("position not kept", error=str(e))
            self._failed = True
        else:
            self._failed = False

    def close(self) -> None:
        """An ordered end: the next start goes on by one, also after the computer was off."""
        self._boot = _CLOSED
        self._write(sync=True)
        os.close(self._fd)


def restored(text: bytes, made_s: int, now_s: int, newest: int) -> bytes:
    """What the file of a backup says when it is used again: above all that the device used until now.

    Since the backup was made (`made_s`) it went on by one a second at most, so it is as far ahead of the clock as it
    was then; `newest` is the highest seq that is known from elsewhere.
    """
    try:
        following = int(text.split()[0])
    except (ValueError, IndexError):
        following = made_s + _AHEAD
    following = max(following, newest + 1)
    start = max(following, now_s + max(0, following - made_s))
    return f"{start:020d}\n{start + _AHEAD:020d}\n{_CLOSED:<40}\n".encode()


def read_boot_id() -> str:
    """What changes with each start of the computer; outside Linux the minute in which it started."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return f"minute-{round(psutil.boot_time() / 60)}"
