"""Bring in a backup: into a folder that nothing is in, or into a process that runs."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar, runtime_checkable

import msgspec
import structlog

from duco_rt.clock import Clock
from duco_rt.device.position import restored
from duco_rt.disk.backup_archive import Manifest, extract, verify
from duco_rt.disk.data_dir import DataDir
from duco_rt.disk.data_version import ASIDE, RESTORE_STAGE, RESTORING, is_fresh, stamp_version
from duco_rt.errors import BadInput, ConfigError, TransportError
from duco_rt.rights import Credential

log = structlog.get_logger()
T = TypeVar("T")

UPLOAD = "upload.tar"
"""The archive as it came to a process that runs, in `RESTORE_STAGE`."""

_FILES, _META = "files", "meta.sqlite"
_STAY = ("lock", RESTORING, RESTORE_STAGE, "lost+found")
_UNUSABLE = "MetaAPI's data in the backup cannot be used; nothing was brought in"


@runtime_checkable
class Attaches(Protocol):
    """A store that takes rows as another one froze them."""

    async def attach(self, table: str, part: Path) -> None:
        """Bring in a part; its folder goes."""
        ...

    async def newest_seqs(self) -> dict[str, int]:
        """The highest seq of each device."""
        ...

    async def close(self) -> None:
        """Close."""
        ...


@runtime_checkable
class Restores(Protocol):
    """MetaAPI's data that takes over what a file says."""

    async def restore(self, file: Path) -> dict[str, int]:
        """How much of what there is then."""
        ...


class Outcome(msgspec.Struct, frozen=True):
    """What was brought in. `made`: when the backup was made (Unix ms); `parts` of the history; `counts`: how many
    devices, parsings, groups and tokens there are now; `notes`: what was not brought in, and why."""

    made: int
    parts: int
    counts: dict[str, int]
    notes: tuple[str, ...] = ()


class Fresh(NamedTuple):
    """What a folder got. `tokens`: those that were not there before."""

    manifest: Manifest
    aside: Path | None
    tokens: Sequence[Credential] = ()


class Means(NamedTuple):
    """What a folder is filled with. `renew_meta` puts the rows of MetaAPI's database, given its file and the one that
    there is now, into a new file in its place, and tells the tokens that are new."""

    open_store: Callable[[], Awaitable[object]]
    renew_meta: Callable[[Path, Path], Awaitable[Sequence[Credential]]]


async def restore_folder(file: Path, folder: Path, means: Means, clock: Clock, *, replace: bool) -> Fresh:
    """Bring a backup into a folder that nothing is in; what is in it moves aside where `replace` says so.

    Raises BadInput where the file is not whole, ConfigError where the folder is not empty, Conflict where a process
    has it, TransportError where the disk does not take it.
    """
    manifest = await asyncio.to_thread(verify, file)
    with DataDir(folder, restoring=True):
        _check_empty(folder, replace=replace)
        stage = folder / RESTORE_STAGE
        try:
            await _work(lambda: _new_stage(stage))
            await asyncio.to_thread(extract, file, stage)
            tokens = await _renewed(stage, folder, means)
            aside = await _work(lambda: _make_room(folder))
        except BaseException:
            shutil.rmtree(stage, ignore_errors=True)
            raise
        newest: dict[str, int] = {}
        parts = await asyncio.to_thread(_parts, stage)
        if parts:
            store = await means.open_store()
            assert isinstance(store, Attaches)
            try:
                for table, part in parts:
                    await store.attach(table, part)
                newest = await store.newest_seqs()
            finally:
                await store.close()
        await _work(lambda: _settle(folder, stage, manifest, newest, clock.wall_ms() // 1000))
    return Fresh(manifest, aside, tokens)


def _new_stage(stage: Path) -> None:
    shutil.rmtree(stage, ignore_errors=True)
    stage.mkdir(mode=0o700)


async def _renewed(stage: Path, folder: Path, means: Means) -> Sequence[Credential]:
    file = stage / _META
    if not file.exists():
        return ()
    try:
        return await means.renew_meta(file, folder / _META)
    except ConfigError as e:
        raise BadInput(f"{_UNUSABLE}: {e}") from e
    except OSError as e:
        raise TransportError(f"restore: {e.filename or ''}: {e.strerror}") from e


async def _work(work: Callable[[], T]) -> T:
    try:
        return await asyncio.to_thread(work)
    except OSError as e:
        raise TransportError(f"restore: {e.filename or ''}: {e.strerror}") from e


def _check_empty(folder: Path, *, replace: bool) -> None:
    if not replace and not is_fresh(folder):
        raise ConfigError(
            f"app.data_dir = {str(folder)!r}: there is something in it; --replace moves that aside, to"
            f" {folder.name}.{ASIDE}TIME, and deletes nothing"
        )


def _make_room(folder: Path) -> Path | None:
    """An empty folder but for the lock, marked as not whole; where the old content is, None where there was none."""
    if is_fresh(folder):
        (folder / RESTORING).mkdir(mode=0o700)
        return None
    shutil.rmtree(folder / RESTORING, ignore_errors=True)  # of a restore that was interrupted
    (folder / RESTORING).mkdir(mode=0o700)
    name = f"{ASIDE}{datetime.fromtimestamp(time.time(), UTC):%Y%m%dT%H%M%SZ}"
    real = folder.resolve()
    moving = [entry for entry in real.iterdir() if entry.name not in _STAY]
    moving = [entry for entry in moving if not entry.name.startswith(ASIDE)]
    aside = _new_folder(real.with_name(f"{real.name}.{name}"))
    for entry in moving:
        try:
            entry.rename(aside / entry.name)
        except OSError as e:
            if e.errno not in (errno.EXDEV, errno.EBUSY):
                raise
            aside.rmdir()  # the folder is a disk of its own: nothing of it can move beside it
            aside = _new_folder(real / name)
            entry.rename(aside / entry.name)
    log.info("what was in the data directory moved aside", to=str(aside))
    return aside


def _new_folder(folder: Path) -> Path:
    for n in range(1, 100):
        chosen = folder if n == 1 else folder.with_name(f"{folder.name}-{n}")
        try:
            chosen.mkdir(mode=0o700)
        except FileExistsError:
            continue
        return chosen
    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(folder))


def _parts(stage: Path) -> list[tuple[str, Path]]:
    """Table and folder of each part, in the order in which they were inserted."""
    parts = [part for part in stage.glob("chdb/*/*") if part.is_dir()]
    return [(part.parent.name, part) for part in sorted(parts, key=_inserted)]


def _inserted(part: Path) -> tuple[str, str, int]:
    """Table, partition and the number of the first insert in it: of copies the latest is brought in last."""
    partition, _, rest = part.name.partition("_")
    number = rest.partition("_")[0]
    return part.parent.name, partition, int(number) if number.isdecimal() else 0


def _settle(folder: Path, stage: Path, manifest: Manifest, newest: dict[str, int], now_s: int) -> None:
    """All but the store, which is there already, to its place; then the folder is whole."""
    for file in stage.glob("device/*.seq"):
        text = restored(file.read_bytes(), manifest.made // 1000, now_s, newest.get(file.stem, 0))
        file.write_bytes(text)
    for source in _plain(stage):
        target = folder / source.relative_to(stage)
        target.parent.mkdir(parents=True, exist_ok=True)
        source.replace(target)
    stamp_version(folder, manifest.version)
    if hasattr(os, "sync"):
        os.sync()
    shutil.rmtree(stage)
    (folder / RESTORING).rmdir()


def _plain(stage: Path) -> Iterator[Path]:
    return (file for file in sorted(stage.rglob("*")) if file.is_file() and file.relative_to(stage).parts[0] != "chdb")


async def _restore_meta(meta: Restores, file: Path) -> dict[str, int]:
    try:
        return await meta.restore(file)
    except ConfigError as e:
        raise BadInput(f"{_UNUSABLE}: {e}") from e


async def restore_running(folder: Path, meta: object, store: object) -> Outcome:
    """Bring the archive `UPLOAD` of the folder into what runs: MetaAPI's data is replaced, history merged.

    Devices keep their own state. Raises BadInput where the archive is not whole: nothing is touched then.
    """
    stage = folder / RESTORE_STAGE
    await asyncio.to_thread(verify, stage / UPLOAD)
    files = stage / _FILES
    await _work(lambda: files.mkdir(mode=0o700))
    manifest = await asyncio.to_thread(extract, stage / UPLOAD, files)
    await _work((stage / UPLOAD).unlink)
    notes, counts = list(manifest.left_out), dict[str, int]()
    if (files / _META).exists():
        if isinstance(meta, Restores):
            counts = await _restore_meta(meta, files / _META)
        else:
            notes.append("devices, parsings, groups, tokens and commands: this process does not keep MetaAPI's data")
    parts = await asyncio.to_thread(_parts, files)
    if parts and not isinstance(store, Attaches):
        notes.append("history: this process has no store in its data directory")
        parts = []
    for table, part in parts:
        assert isinstance(store, Attaches)
        await store.attach(table, part)
    log.info("backup brought in", made=manifest.made, parts=len(parts), **counts)
    return Outcome(manifest.made, len(parts), counts, tuple(notes))
