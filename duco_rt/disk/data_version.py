"""Which version the data directory is of, and how an older one becomes today's."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import structlog

from duco_rt import __version__
from duco_rt.disk.small_file import write_whole
from duco_rt.errors import ConfigError

log = structlog.get_logger()

VERSION = 2
"""Of what this program keeps. 1: no `version` file; who asks needs no key. 2: tokens, whose parsing it is."""

FILE = "version"
RESTORING = "restoring"
"""A folder that is there while a backup is brought in: what lies beside it is not whole."""

ASIDE = "before-restore-"
BACKUP_STAGE, RESTORE_STAGE = "backup.part", "restore.part"
"""Folders in which a backup is made, or waits to be brought in: after the end of a process nothing of worth."""

_NO_DATA = ("lock", "lost+found", f"{FILE}.part", BACKUP_STAGE, RESTORE_STAGE)


class Stamp(msgspec.Struct, frozen=True):
    """The `version` file: the number, and which program wrote it when (Unix ms)."""

    number: int
    program: str
    at: int


def check_version(folder: Path) -> None:
    """Raise ConfigError where the folder is not for this program; touches nothing."""
    if (folder / RESTORING).exists():
        raise ConfigError(f"{_named(folder)}: bringing in a backup was interrupted; do it again with restore --replace")
    read_version(folder)


def read_version(folder: Path) -> int:
    """The folder's version, 1 without a file. Raises ConfigError where it is a newer program's, or cannot be read."""
    file = folder / FILE
    try:
        stamp = msgspec.json.decode(file.read_bytes(), type=Stamp)
        if stamp.number < 1:
            raise msgspec.ValidationError(f"number {stamp.number}")
    except FileNotFoundError:
        return 1
    except OSError as e:
        raise ConfigError(f"{_named(folder)}: {FILE}: {e.strerror}") from e
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
        raise ConfigError(
            f"{_named(folder)}: its file {FILE!r} is damaged ({e}); if no newer duco_rt than {__version__} had this"
            " folder, delete that file, else restore a backup"
        ) from e
    if stamp.number > VERSION:
        raise ConfigError(
            f"{_named(folder)}: version {stamp.number}, made by a newer duco_rt ({stamp.program[:40]}); this one"
            f" ({__version__}) reads up to version {VERSION}: use that one, or restore a backup"
        )
    return stamp.number


def bring_up(folder: Path) -> None:
    """Make it today's version, a step at a time; a fresh one is so at once. Whoever calls it holds the folder.

    Each step can be done again: one that was interrupted is, at the next start.
    """
    found = read_version(folder)
    for stage in (BACKUP_STAGE, RESTORE_STAGE):
        shutil.rmtree(folder / stage, ignore_errors=True)
    if is_fresh(folder):
        stamp_version(folder)
        return
    for number in range(found + 1, VERSION + 1):
        try:
            STEPS[number](folder)
            stamp_version(folder, number)
        except OSError as e:
            what = f"cannot be brought from version {found} to {number}: {e.strerror}"
            raise ConfigError(f"{_named(folder)}: {what}") from e
        log.info("data directory brought up", folder=str(folder), version=number)


def stamp_version(folder: Path, number: int = VERSION) -> None:
    """Say that the folder is of a version. Raises OSError."""
    stamp = Stamp(number, __version__, time.time_ns() // 1_000_000)
    write_whole(folder / FILE, msgspec.json.encode(stamp) + b"\n")


def is_fresh(folder: Path) -> bool:
    """Whether nothing is kept in the folder. Raises ConfigError where it cannot be looked into."""
    try:
        names = [entry.name for entry in folder.iterdir()]
    except FileNotFoundError:
        return True
    except OSError as e:
        raise ConfigError(f"{_named(folder)}: {e.strerror}") from e
    return all(name in _NO_DATA or name.startswith(ASIDE) for name in names)


def _private(folder: Path) -> None:
    """Tokens lie in the databases from now on: nobody else on the machine reads them."""
    for file in folder.glob("*.sqlite*"):
        file.chmod(0o600)


STEPS: dict[int, Callable[[Path], None]] = {2: _private}
"""What makes a folder of the number from one of the number before."""


def _named(folder: Path) -> str:
    return f"app.data_dir = {str(folder)!r}"
