"""What of a data directory is in a backup, all of it true of one moment, while the process that has it goes on.

Where messages go from is copied before where they go to: a device's open batch, its spool, how far a reading again is,
how far the hub was read, MetaAPI's data, the store. So what was acknowledged before the backup began is in it, some
twice; copies collapse by position.
"""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar, runtime_checkable

import structlog

from duco_rt import __version__
from duco_rt.clock import Clock
from duco_rt.disk import sqlite_health
from duco_rt.disk.backup_archive import CHUNK_BYTES, FORMAT, Manifest, Source, chunks, is_name, measure
from duco_rt.disk.data_version import BACKUP_STAGE, VERSION
from duco_rt.errors import TransportError

log = structlog.get_logger()
T = TypeVar("T")

_COPIED = ("device/*.open/*.spool", "device/*.spool/*.spool", "device/*.seq", "device/*.command", "instance")
_DATABASES = ("iothub-checkpoints.sqlite", "meta.sqlite")
_STORE = "chdb"


@runtime_checkable
class Freezes(Protocol):
    """A store whose rows lie in this data directory."""

    async def freeze(self) -> list[tuple[str, Path]]:
        """All that is in now, as names and files that do not change until `thaw`."""
        ...

    async def thaw(self) -> None:
        """They are not needed any more."""
        ...


class Snapshot(NamedTuple):
    """A moment of a data directory."""

    manifest: Manifest
    sources: Sequence[Source]

    def pieces(self) -> Iterator[bytes]:
        """The archive in pieces of some 256 kB, none empty; each takes a read of the disk. Raises TransportError."""
        waiting, size = [], 0
        for chunk in chunks(self.manifest, self.sources):
            waiting.append(chunk)
            size += len(chunk)
            if size >= CHUNK_BYTES:
                yield b"".join(waiting)
                waiting, size = [], 0
        if size:
            yield b"".join(waiting)


@asynccontextmanager
async def snapshot(folder: Path, store: object, clock: Clock) -> AsyncIterator[Snapshot]:
    """A moment of the folder, as long as the block; one at a time. Whoever calls it holds the folder.

    `store`: the one that is open, or None. All heavy work is done in threads. Raises TransportError.
    """
    stage = folder / BACKUP_STAGE
    frozen: list[tuple[str, Path]] = []
    made_ms = clock.wall_ms()
    try:
        sources = await _in_thread(lambda: [*_copies(folder, stage), *_databases(folder, stage)])
        if isinstance(store, Freezes):
            frozen = await store.freeze()
        sources += [Source(f"{_STORE}/{name}", file) for name, file in frozen]
        members = await _in_thread(lambda: measure(sources))
        left_out = await _in_thread(lambda: _left_out(folder, store))
        manifest = Manifest(FORMAT, VERSION, __version__, made_ms, left_out, members)
        log.info("backup made", files=len(members), bytes=manifest.size, left_out=list(left_out))
        yield Snapshot(manifest, sources)
    finally:
        if isinstance(store, Freezes):
            with suppress(TransportError):
                await store.thaw()
        await asyncio.to_thread(shutil.rmtree, stage, ignore_errors=True)


async def _in_thread(work: Callable[[], T]) -> T:
    try:
        return await asyncio.to_thread(work)
    except (OSError, sqlite3.Error) as e:
        raise TransportError(f"backup: {e}") from e


def _copies(folder: Path, stage: Path) -> Iterator[Source]:
    """Small files, as they are now; one that goes meanwhile is not needed any more."""
    shutil.rmtree(stage, ignore_errors=True)
    stage.mkdir(mode=0o700)
    for pattern in (*_COPIED, "reparse/*.json", "parse-later.json"):
        for file in sorted(folder.glob(pattern)):
            name = file.relative_to(folder).as_posix()
            if not is_name(name) or not file.is_file() or file.is_symlink():
                continue
            copy = stage / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            with suppress(FileNotFoundError):
                shutil.copyfile(file, copy)
                yield Source(name, copy)


def _databases(folder: Path, stage: Path) -> Iterator[Source]:
    for name in _DATABASES:
        if (folder / name).is_file():
            try:
                sqlite_health.snapshot(folder / name, stage / name)
            except sqlite3.Error as e:
                raise TransportError(f"backup: {folder / name}: {e}") from e
            yield Source(name, stage / name)
    meta = stage / "meta.sqlite"
    if meta.exists():
        _without_sessions(meta)


def _without_sessions(file: Path) -> None:
    """Who was signed in at a browser signs in again: a stolen backup opens no session."""
    db = sqlite3.connect(file, isolation_level=None)
    try:
        if db.execute("SELECT 1 FROM sqlite_master WHERE name = 'credentials'").fetchone():
            db.execute("DELETE FROM credentials WHERE kind = 'session'")
            db.execute("VACUUM")
    finally:
        db.close()


def _left_out(folder: Path, store: object) -> tuple[str, ...]:
    """What a reader of the manifest might look for in vain."""
    found = []
    if not isinstance(store, Freezes):
        if store is not None:
            found.append("history: it is on the ClickHouse server of store.url, which has backups of its own")
        elif (folder / _STORE).is_dir():
            found.append("history: the folder chdb, which this process does not use")
    elif any((folder / _STORE).glob("store/*/*/detached/broken*")):
        found.append("parts of the history that are broken and set aside")
    if not (folder / "meta.sqlite").exists():
        found.append("devices, parsings, groups, tokens and commands: MetaAPI's data is not in this data directory")
    return tuple(found)
