"""The folder that everything kept lies under, held by one process at a time; the lock file says which."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Self

from duco_rt.errors import ConfigError, Conflict

_LOCK_AT = 1 << 30  # past the text, so that Windows lets others read it


class DataDir:
    """A held folder. `announce` writes where this process can be asked."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._fd: int | None = None

    def __enter__(self) -> Self:
        """Take the folder. Raises Conflict where another process has it, ConfigError where it cannot be written."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            fd = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as e:
            raise ConfigError(f"app.data_dir = {str(self.path)!r}: {e.strerror}") from e
        if not _try_lock(fd):
            os.close(fd)
            owner = _read(self.path)
            raise Conflict(
                f"app.data_dir = {str(self.path)!r}: process {owner.get('pid', '?')} has it"
                f" ({owner.get('url') or 'still starting'}); stop that one or name another data_dir"
            )
        self._fd = fd
        self.announce("")
        return self

    def announce(self, url: str) -> None:
        """Tell others on this machine where this process serves."""
        assert self._fd is not None
        text = json.dumps({"pid": os.getpid(), "url": url}).encode()
        os.ftruncate(self._fd, 0)
        os.lseek(self._fd, 0, os.SEEK_SET)  # no pwrite: Windows has none
        os.write(self._fd, text)

    def __exit__(self, *_: object) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


def owner_url(path: Path) -> str | None:
    """Where the process that holds the folder serves; None where nobody holds it."""
    file = path / "lock"
    if not file.exists():
        return None
    fd = os.open(file, os.O_RDWR)
    try:
        return None if _try_lock(fd) else str(_read(path).get("url", ""))
    finally:
        os.close(fd)


def _read(path: Path) -> dict[str, object]:
    try:
        found: dict[str, object] = json.loads((path / "lock").read_text(encoding="utf-8"))
        return found
    except (OSError, ValueError):
        return {}


def _try_lock(fd: int) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(fd, _LOCK_AT, os.SEEK_SET)
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
