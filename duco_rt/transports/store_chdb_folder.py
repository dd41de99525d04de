"""The engine's folder before it is opened: who has it, and whether its tables and what describes them are there.

The engine would begin anew beside data whose description is missing, and where the data of a description is, and of
one that is garbage it does not say which file that is.
"""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from duco_rt.errors import ConfigError, DucoError, TransportError

_DESCRIBED = re.compile(rb"ATTACH (?:DATABASE|TABLE|MATERIALIZED VIEW) .{1,200}?UUID '([0-9a-f-]{36})'", re.DOTALL)
_DESCRIPTIONS = ("metadata/*.sql", "store/*/*/*.sql", "metadata_dropped/*.sql")
_LINKS = ("metadata/*", "data/*/*")
"""Where the engine points at the folder of a database, once it has a table, and of a table."""

_OPEN_BYTES = 1_000_000  # the engine does not open its folder without room for some small files

REMEDY = "move that folder aside and begin anew, or restore a backup: python -m duco_rt restore FILE --replace"
"""What the operator can do; nothing is deleted or written over for him."""


def make_folder(folder: Path) -> None:
    """See that it is there. Raises ConfigError where something else has its name, TransportError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as e:
        what = f"{folder.name} is no folder; move it aside"
        raise ConfigError(f"app.data_dir = {str(folder.parent)!r}: {what}") from e
    except OSError as e:
        raise TransportError(f"store: {e}") from e


def check_folder(folder: Path) -> None:
    """Raise ConfigError, naming the file, where the engine could not open the folder or would not find its data."""
    described: set[str] = set()
    try:
        for pattern in _DESCRIPTIONS:
            for file in sorted(folder.glob(pattern)):
                found = _DESCRIBED.match(file.read_bytes())
                if found is None:
                    raise damaged(folder, f"{file.relative_to(folder)} is not what describes a table")
                described.add(found[1].decode())
                _check_data(folder, file, found[0], found[1].decode())
        for pattern in _LINKS:
            for link in sorted(folder.glob(pattern)):
                if link.is_symlink() and not link.exists():
                    raise _gone(folder, link, link.resolve())
        for place in sorted(folder.glob("store/*/*")):
            if place.name not in described and _has_data(place):
                raise damaged(folder, f"what describes {place.relative_to(folder)} is missing under metadata")
    except OSError as e:
        raise damaged(folder, f"{e.filename}: {e.strerror}") from e


def _check_data(folder: Path, file: Path, statement: bytes, uuid: str) -> None:
    """A table has its folder before it is described; a view has none, one that was dropped may have none any more."""
    place = folder / "store" / uuid[:3] / uuid
    is_table = statement.startswith(b"ATTACH TABLE ") and file.parent.name != "metadata_dropped"
    if is_table and not place.is_dir():
        raise _gone(folder, file, place)


def _gone(folder: Path, file: Path, place: Path) -> ConfigError:
    where = place.relative_to(folder.resolve()) if place.is_relative_to(folder.resolve()) else place
    named = f"{where}, which {file.relative_to(folder)} says is there,"
    return damaged(folder, f"the data in {named} is gone: bring it back (is its disk mounted?)")


def _has_data(place: Path) -> bool:
    """Whether it is a table with parts, or a database with tables."""
    return place.is_dir() and any(
        entry.suffix == ".sql" or (entry.is_dir() and entry.name != "detached") for entry in place.iterdir()
    )


def damaged(folder: Path, what: str) -> ConfigError:
    """The error that says so."""
    return ConfigError(f"app.data_dir = {str(folder.parent)!r}: {folder.name}: {what}; {REMEDY}")


def cannot_open(folder: Path, why: str) -> DucoError:
    """The error for a folder that the engine does not open; it says itself, on stderr, which file that is."""
    try:
        full = shutil.disk_usage(folder).free < _OPEN_BYTES
    except OSError:
        full = False
    if full:
        return TransportError(f"store: {folder}: its disk is full ({why})")
    return damaged(folder, f"the engine cannot open it ({why}; its own lines above say more)")


def holder_of(folder: Path) -> str:
    """Return who has the folder open as `PID: n`, "" for nobody. The engine itself would not say."""
    import fcntl  # neither it nor the engine is there on Windows

    try:
        with (folder / "status").open() as status:
            try:
                fcntl.flock(status, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return status.readline().strip() or "no PID"
    except FileNotFoundError:
        pass
    return ""
