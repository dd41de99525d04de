"""A damaged SQLite file is told, named, and left as it is."""

from __future__ import annotations

import shutil
import sqlite3
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from duco_rt.disk.sqlite_health import check_tables, check_whole, snapshot
from duco_rt.errors import ConfigError
from duco_rt.transports.meta_sqlite_file import SqliteFile


class Rows(SqliteFile):
    """A table of some pages."""

    schema = "CREATE TABLE IF NOT EXISTS rows (n INTEGER PRIMARY KEY, text TEXT NOT NULL);"

    async def open(self) -> None:
        """Open it."""
        await self._run(self._opened)

    async def add(self, first: int, count: int) -> None:
        """Rows of 100 bytes."""
        rows = [(n, "x" * 100) for n in range(first, first + count)]
        await self._write(lambda db: db.executemany("INSERT INTO rows VALUES (?, ?)", rows).rowcount)

    async def count(self) -> int:
        """How many there are."""
        found: int = (await self._rows("SELECT count(*) FROM rows"))[0][0]
        return found


@pytest.fixture
async def left(tmp_path: Path) -> Path:
    """A file as a process that was killed leaves it: half of its rows in the write-ahead log."""
    file = tmp_path / "killed" / "meta.sqlite"
    opened = Rows(tmp_path / "running" / "meta.sqlite")
    await opened.open()
    await opened.add(0, 1000)
    await opened._rows("PRAGMA wal_checkpoint(TRUNCATE)")
    await opened.add(1000, 1000)
    shutil.copytree(tmp_path / "running", tmp_path / "killed")
    await opened.close()
    return file


def garbage(at: int, count: int = 4096) -> Callable[[Path], None]:
    """Some bytes are others."""

    def damage(file: Path) -> None:
        with file.open("r+b") as opened:
            opened.seek(at)
            opened.write(b"\xa5" * count)

    return damage


def cut(size: int) -> Callable[[Path], None]:
    """The end is missing."""

    def damage(file: Path) -> None:
        with file.open("r+b") as opened:
            opened.truncate(size)

    return damage


SQLITE_SAYS = "malformed|[Pp]age|[Tt]ree|not a database"
DAMAGE: dict[str, tuple[str, Callable[[Path], None], str]] = {
    "empty": ("", cut(0), "it is empty"),
    "garbage": ("", garbage(0, 20_000), SQLITE_SAYS),
    "cut in its first page": ("", cut(50), SQLITE_SAYS),
    "cut in its middle": ("", cut(40_960), SQLITE_SAYS),
    "a broken page": ("", garbage(12_288), SQLITE_SAYS),
    "the log's head": ("-wal", garbage(0, 32), r"what was written last, in meta\.sqlite-wal, cannot be read"),
    "the log's checksum": ("-wal", garbage(24, 4), r"in meta\.sqlite-wal, cannot be read"),
}


@pytest.mark.parametrize("case", DAMAGE)
async def test_damage_is_told_and_left_as_it_is(left: Path, case: str) -> None:
    """Folder and file are named, and what can be done; nothing is written, made or removed."""
    suffix, damage, words = DAMAGE[case]
    damage(left.with_name(left.name + suffix))
    (left.parent / "meta.sqlite-shm").unlink()
    before = {file.name: file.read_bytes() for file in left.parent.iterdir()}
    opened = Rows(left)
    with pytest.raises(ConfigError, match=words) as caught:
        await opened.open()
    await opened.close()
    message = str(caught.value)
    assert message.startswith(f"app.data_dir = {str(left.parent)!r}: meta.sqlite is damaged: ")
    assert message.endswith("or restore a backup: python -m duco_rt restore FILE --replace") and "\n" not in message
    after = {file.name: file.read_bytes() for file in left.parent.iterdir()}
    assert {name: data for name, data in after.items() if not name.endswith("-shm")} == before


async def test_what_a_kill_left_is_no_damage(left: Path) -> None:
    """All that was acknowledged is there; a log whose last record is torn loses that one alone."""
    opened = Rows(left)
    await opened.open()
    assert await opened.count() == 2000
    await opened.add(2000, 1)
    wal = left.with_name("meta.sqlite-wal")
    torn = left.parent / "torn"
    torn.mkdir()
    shutil.copy(left, torn)
    (torn / wal.name).write_bytes(wal.read_bytes()[:-100])
    await opened.close()
    again = Rows(torn / left.name)
    await again.open()
    assert await again.count() == 2000
    await again.close()


async def test_a_new_file_is_its_owners_alone(tmp_path: Path) -> None:
    """Tokens lie in it."""
    opened = Rows(tmp_path / "meta.sqlite")
    await opened.open()
    await opened.add(0, 1)
    assert {stat.S_IMODE(file.stat().st_mode) for file in tmp_path.iterdir()} == {0o600}
    await opened.close()


async def test_a_snapshot_is_of_one_moment(tmp_path: Path) -> None:
    """While the file is in use, with what is in its log."""
    opened = Rows(tmp_path / "meta.sqlite")
    await opened.open()
    await opened.add(0, 100)
    snapshot(tmp_path / "meta.sqlite", tmp_path / "copy.sqlite")
    await opened.add(100, 100)
    with pytest.raises(sqlite3.OperationalError, match="already exists"):
        snapshot(tmp_path / "meta.sqlite", tmp_path / "copy.sqlite")
    await opened.close()
    copy = Rows(tmp_path / "copy.sqlite")
    await copy.open()
    assert await copy.count() == 100
    await copy.close()


def test_what_is_no_file(tmp_path: Path) -> None:
    """Is named; SQLite would speak of an I/O error."""
    (tmp_path / "meta.sqlite").mkdir()
    with pytest.raises(ConfigError, match=r"app\.data_dir = .*: meta\.sqlite is no file; move it aside"):
        check_whole(tmp_path / "meta.sqlite")


def test_what_none_of_ours_has(tmp_path: Path) -> None:
    """Tables that are known, with their indexes, and nothing else."""
    file = tmp_path / "meta.sqlite"
    db = sqlite3.connect(file)
    db.executescript("CREATE TABLE a (n INTEGER PRIMARY KEY AUTOINCREMENT, m UNIQUE); CREATE INDEX i ON a (m);")
    check_tables(file, {"a", "b"})
    with pytest.raises(ConfigError, match=r"meta\.sqlite has a table 'a', which none of duco_rt has"):
        check_tables(file, {"b"})
    db.execute("CREATE TRIGGER a_too AFTER DELETE ON a BEGIN SELECT 1; END")
    db.close()
    with pytest.raises(ConfigError, match="a trigger 'a_too'"):
        check_tables(file, {"a", "a_too"})
