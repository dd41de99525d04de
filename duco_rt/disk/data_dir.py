"""The folder that everything kept lies under, held by one process at a time; the lock file says which."""

from __future__ import annotations

import errno
import json
import os
import secrets
import shutil
import stat
import sys
import time
import uuid
from pathlib import Path
from typing import NamedTuple, Self

import structlog

from duco_rt.disk.data_version import FILE, bring_up, check_version, is_fresh
from duco_rt.disk.small_file import write_whole
from duco_rt.errors import ConfigError, Conflict, TransportError
from duco_rt.model import NAME

log = structlog.get_logger()

_LOCK_AT = 1 << 30  # past the text, so that Windows lets others read it

_LOCK = "lock"
_AGAIN_S = 1.0
"""So long a start tries to get the folder: who asks whose it is holds it for a moment, too."""

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
        except OSError as e:
            raise ConfigError(f"app.data_dir = {str(self.path)!r}: {e.strerror}") from e
        fd = _open_lock(self.path, os.O_CREAT)
        if not _lock_soon(fd):
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
    if not (path / _LOCK).exists() and not (path / _LOCK).is_symlink():
        return None
    fd = _open_lock(path)
    try:
        if _try_lock(fd):
            return None
    finally:
        os.close(fd)
    found = _read(path)
    return Owner(*(str(found.get(key, "")) for key in Owner._fields))


def check_place(path: Path) -> None:
    """Raise ConfigError where `DataDir` would, but for a process that has the folder; nothing is made or changed."""
    there = path
    try:
        while not there.exists() and there != there.parent:
            there = there.parent
        what = "" if there == path else f"{there}: "
        if not there.is_dir():
            raise ConfigError(f"app.data_dir = {str(path)!r}: {what}{os.strerror(errno.ENOTDIR)}")
    except OSError as e:
        raise ConfigError(f"app.data_dir = {str(path)!r}: {e.strerror}") from e
    if not os.access(there, os.W_OK | os.X_OK):
        raise ConfigError(f"app.data_dir = {str(path)!r}: {what}cannot be written")
    check_version(path)
    owner_of(path)


def check_there(path: Path, *, may_begin: bool = False) -> None:
    """Raise ConfigError where nothing of this program is in the folder, so that a mistyped name makes none.

    `may_begin`: one that is there and empty will do.
    """
    if (path / _LOCK).exists() or (path / FILE).exists():
        return
    if not path.exists():
        raise ConfigError(f"nothing is there: app.data_dir = {str(path)!r}")
    if not is_fresh(path):
        raise ConfigError(f"app.data_dir = {str(path)!r}: what is in that folder is nothing of duco_rt")
    if not may_begin:
        raise ConfigError(f"app.data_dir = {str(path)!r}: there is nothing in it")


def is_open_to_others(path: Path) -> bool:
    """Whether other accounts of this machine can look into the folder; of one that is not there nobody can."""
    try:
        return sys.platform != "win32" and bool(path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO))
    except OSError:
        return False


def _open_lock(path: Path, more: int = 0) -> int:
    """The lock file to read and write, never what a link of that name points at: it is cut and written over."""
    flags = os.O_RDWR | more | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        fd = os.open(path / _LOCK, flags, 0o600)
    except OSError as e:
        why = str(e.strerror)
        if (path / _LOCK).is_symlink():
            why = f"{_LOCK}: is a symbolic link, which is not followed; remove it"
        elif e.errno != errno.EROFS and (path / _LOCK).exists():
            why = f"{_LOCK}: {why}{'; whose folder it is can ask' if isinstance(e, PermissionError) else ''}"
        raise ConfigError(f"app.data_dir = {str(path)!r}: {why}") from e
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise ConfigError(f"app.data_dir = {str(path)!r}: {_LOCK}: is no plain file; remove it")
    return fd


def _read(path: Path) -> dict[str, object]:
    try:
        found = json.loads((path / _LOCK).read_text(encoding="utf-8"))
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


def _lock_soon(fd: int) -> bool:
    end_s = time.monotonic() + _AGAIN_S
    while not _try_lock(fd):
        if time.monotonic() >= end_s:
            return False
        time.sleep(0.02)
    return True


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
