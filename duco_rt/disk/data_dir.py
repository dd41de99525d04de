"""The folder that everything kept lies under, held by one process at a time; the lock file says which."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import sys
import uuid
from pathlib import Path
from typing import NamedTuple, Self

import structlog

from duco_rt.disk.data_version import bring_up, check_version
from duco_rt.disk.small_file import write_whole
from duco_rt.errors import ConfigError, Conflict, TransportError
from duco_rt.model import NAME

log = structlog.get_logger()

_LOCK_AT = 1 << 30  # past the text, so that Windows lets others read it

_ROOM_BYTES, _ROOM_SHARE = 200_000_000, 0.01
"""Less free space than that is no room: of a disk under 20 GB its hundredth part."""


class Owner(NamedTuple):
    """The process that holds a folder: where it serves (empty: it still starts), the key of who may read that, and the
    SHA-256 of its certificate in hex (empty: it has none)."""

    url: str
    key: str
    certificate_sha256: str = ""

    def __repr__(self) -> str:
        """Without the key."""
        return f"Owner({self.url!r})"


class DataDir:
    """A held folder. `announce` writes where this process can be asked, and `key`, which its owner alone can read."""

    def __init__(self, path: Path, *, restoring: bool = False) -> None:
        """`restoring`: whatever is in the folder is left as it is, for who brings in a backup."""
        self.path = path
        self._restoring = restoring
        self.key = secrets.token_urlsafe(32)
        """New at each start: whoever has it may do everything here."""
        self._fd: int | None = None

    def __enter__(self) -> Self:
        """Take the folder, and bring it up to today's version. Raises Conflict where another process has it,
        ConfigError where it cannot be written, or is not for this program."""
        if not self._restoring:
            check_version(self.path)
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)  # one that is there keeps what its owner chose
            fd = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
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
        try:
            if sys.platform != "win32":
                os.fchmod(fd, 0o600)  # a file of an older release was there for everybody
            if not self._restoring:
                bring_up(self.path)
            self.announce("")
        except OSError as e:
            self.__exit__()
            raise ConfigError(f"app.data_dir = {str(self.path)!r}: {e.strerror}") from e
        except BaseException:
            self.__exit__()
            raise
        return self

    def announce(self, url: str, certificate_sha256: str = "") -> None:
        """Tell this user's other processes where this one serves, by which key, and with which certificate."""
        assert self._fd is not None
        said = {"pid": os.getpid(), "url": url, "key": self.key, "certificate_sha256": certificate_sha256}
        text = json.dumps(said).encode()
        os.lseek(self._fd, 0, os.SEEK_SET)  # no pwrite: Windows has none
        os.write(self._fd, text)
        os.ftruncate(self._fd, len(text))  # at last: a full disk has room for what takes the place of as much

    def __exit__(self, *_: object) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


def owner_of(path: Path) -> Owner | None:
    """The process that holds the folder; None where nobody does. Raises ConfigError where that cannot be read."""
    file = path / "lock"
    if not file.exists():
        return None
    try:
        fd = os.open(file, os.O_RDWR)
    except OSError as e:
        raise ConfigError(f"app.data_dir = {str(path)!r}: lock: {e.strerror}; whose folder it is can ask") from e
    try:
        if _try_lock(fd):
            return None
    finally:
        os.close(fd)
    found = _read(path)
    return Owner(*(str(found.get(key, "")) for key in Owner._fields))


def _read(path: Path) -> dict[str, object]:
    try:
        found = json.loads((path / "lock").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def instance_id(path: Path) -> str:
    """A name of this process's data folder, the same at each start: sessions of a broker go on with it."""
    file = path / "instance"
    try:
        is_there = file.exists()
        name = file.read_text(encoding="ascii", errors="replace").strip() if is_there else ""
        if not NAME.match(name):
            if is_there:
                log.error("the name of this process cannot be read, it gets a new one", file=str(file))
            name = uuid.uuid4().hex[:16]
            write_whole(file, name.encode())
    except OSError as e:
        raise ConfigError(f"app.data_dir = {str(path)!r}: instance: {e.strerror}") from e
    return name


def free_bytes(path: Path) -> int:
    """What is free on the folder's disk. Raises OSError."""
    return shutil.disk_usage(path).free


async def check_room(path: Path) -> None:
    """Raises TransportError where the folder's disk is full or nearly so, or cannot be asked."""
    try:
        disk = shutil.disk_usage(path)
    except OSError as e:
        raise TransportError(f"app.data_dir = {str(path)!r}: {e.strerror}") from e
    if disk.free < min(_ROOM_BYTES, disk.total * _ROOM_SHARE):
        raise TransportError(
            f"app.data_dir = {str(path)!r}: its disk is full, {disk.free / 1e6:.0f} MB of {disk.total / 1e9:.1f} GB"
            " free; make room, or lower store.raw_limit_gb and store.parsed_limit_gb"
        )


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
