"""Whether an SQLite file is one that may be opened, or is damaged: then nothing is written to it."""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Collection
from pathlib import Path

from duco_rt.errors import ConfigError

_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_WAL_HEAD = struct.Struct(">IIIIIIII")
_WAL_MAGIC = 0x377F0682  # the last bit says in which byte order its checksums are made


def check_whole(file: Path) -> None:
    """Raise ConfigError where a file that is there is damaged. Reads all of it: 1 s for 500 MB.

    Also where SQLite would begin anew in place of what was there: an empty file, or a write-ahead log that it takes for
    none. What the log of a file that was not closed says at its end is SQLite's own to find out.
    """
    if not file.exists():
        return
    if not file.is_file():
        raise ConfigError(f"app.data_dir = {str(file.parent)!r}: {file.name} is no file; move it aside")
    _check_beginnings(file)
    # a connection that can write would write the log into the file at its end
    db = sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)
    try:
        [(found,)] = db.execute("PRAGMA quick_check(1)").fetchall()
    except sqlite3.DatabaseError as e:
        raise if_damaged(file, e) from e
    finally:
        db.close()
    if found != "ok":
        raise damaged(file, " ".join(found.split()))


def check_tables(file: Path, known: Collection[str]) -> None:
    """Raise ConfigError where a file that came from elsewhere has what would do something of its own, triggers and
    views, or a table that is not one of the known."""
    check_whole(file)
    db = sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)
    try:
        rows = db.execute("SELECT type, name, coalesce(sql, '') FROM sqlite_master ORDER BY name").fetchall()
    except sqlite3.DatabaseError as e:
        raise if_damaged(file, e) from e
    finally:
        db.close()
    for kind, name, sql in rows:
        is_virtual = sql.upper().startswith("CREATE VIRTUAL")
        is_known = name in known or name.startswith("sqlite_")
        if kind == "index" or (kind == "table" and is_known and not is_virtual):
            continue
        what = "virtual table" if is_virtual else kind
        raise ConfigError(f"{file.name} has a {what} {name[:80]!r}, which none of duco_rt has")


def _check_beginnings(file: Path) -> None:
    try:
        if file.stat().st_size == 0:
            raise damaged(file, "it is empty")
        wal = file.with_name(f"{file.name}-wal")
        with wal.open("rb") as opened:
            head = opened.read(_WAL_HEAD.size)
            is_longer = bool(opened.read(1))
    except FileNotFoundError:
        return
    except OSError as e:
        raise ConfigError(f"{e.filename}: {e.strerror}") from e
    if is_longer and not _is_wal(head):
        raise damaged(file, f"what was written last, in {wal.name}, cannot be read")


def _is_wal(head: bytes) -> bool:
    """Whether a write-ahead log begins so, by its own checksum."""
    if len(head) < _WAL_HEAD.size:
        return False
    magic, *_, sum_1, sum_2 = _WAL_HEAD.unpack(head)
    if magic & ~1 != _WAL_MAGIC:
        return False
    words = struct.unpack(">6I" if magic & 1 else "<6I", head[:24])
    a = b = 0
    for first, second in zip(words[::2], words[1::2], strict=True):
        a = (a + first + b) & 0xFFFFFFFF
        b = (b + second + a) & 0xFFFFFFFF
    return (a, b) == (sum_1, sum_2)


def if_damaged(file: Path, error: sqlite3.Error) -> Exception:
    """A ConfigError where that is what the error says, else the error itself."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return damaged(file, str(error)) if code in _DAMAGED else error


def damaged(file: Path, what: str) -> ConfigError:
    """The error that says so, and what the operator can do."""
    return ConfigError(
        f"app.data_dir = {str(file.parent)!r}: {file.name} is damaged: {what}; move it aside to begin anew, or restore"
        " a backup: python -m duco_rt restore FILE --replace"
    )


def snapshot(file: Path, to: Path) -> None:
    """Write what is in the file as of this moment to a new one, while others read and write. Raises sqlite3.Error."""
    db = sqlite3.connect(file, isolation_level=None, timeout=30.0)
    try:
        db.execute("VACUUM INTO ?", (str(to),))
    finally:
        db.close()
