"""What is in a backup, and that it comes back: without the engine, which has tests of its own."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from duco_rt.adapters_meta import renew_meta
from duco_rt.clock import SystemClock
from duco_rt.device.position import PositionFile
from duco_rt.device.spool import Spool
from duco_rt.disk.backup import snapshot
from duco_rt.disk.backup_archive import Archive
from duco_rt.disk.data_dir import DataDir
from duco_rt.disk.data_version import RESTORING, VERSION, read_version
from duco_rt.disk.restore import Means, restore_folder
from duco_rt.errors import BadInput, ConfigError, Conflict, TransportError
from duco_rt.model import Device, HubMessage
from duco_rt.rights import Credential
from duco_rt.seeing.metrics import Metrics
from duco_rt.transports.meta_sqlite import SqliteMeta

NOW_S = 1_795_900_000
SESSION = Credential("b" * 16, "session", "anna", {"duco": "viewer"}, "1" * 64, 1, 2**53, "a" * 16)
TOKEN = Credential("a" * 16, "token", "anna", {"duco": "viewer"}, "0" * 64, 1)


class SetClock(SystemClock):
    """A clock that a test sets."""

    def __init__(self, now_s: int) -> None:
        self.now_s = now_s

    def wall_ms(self) -> int:
        """Unix time in ms."""
        return self.now_s * 1000


class FrozenStore:
    """A store of two parts, and what was brought into it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.events: list[str] = []
        self.on_freeze: Callable[[], None] = lambda: None

    async def freeze(self) -> list[tuple[str, Path]]:
        """Two parts with a file each."""
        self.events.append("freeze")
        self.on_freeze()
        found = []
        for part in ("ce_technology/20785_7_7_1", "ce_technology/20785_10_12_2"):
            file = self._folder / part / "data.bin"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(part.encode())
            found.append((f"{part}/data.bin", file))
        return found

    async def thaw(self) -> None:
        """Told."""
        self.events.append("thaw")

    async def attach(self, table: str, part: Path) -> None:
        """Told, with what is in it."""
        self.events.append(f"attach {table} {part.name} {(part / 'data.bin').read_text(encoding='ascii')}")

    async def newest_seqs(self) -> dict[str, int]:
        """The device was at 90 when the backup was made."""
        return {"D": 90}

    async def close(self) -> None:
        """Told."""
        self.events.append("close")


class Kept(NamedTuple):
    """A data directory in use, and its store."""

    folder: Path
    store: FrozenStore
    meta: SqliteMeta


def message(seq: int) -> HubMessage:
    """A second of the device."""
    return HubMessage("D", "vehicle_can", False, seq * 1000, seq, "x/y;v=1", "", bytes(100))


@pytest.fixture
async def kept(tmp_path: Path) -> Kept:
    """A data directory with something of everything; SQLite's files are not closed, as in a process that runs."""
    folder = tmp_path / "data"
    with DataDir(folder):
        pass
    meta = SqliteMeta(folder / "meta.sqlite")
    await meta.open()
    await meta.put_device(Device("D", "duco", "Digger"))
    await meta.add_credential(TOKEN)
    await meta.add_credential(SESSION)
    spool = Spool(folder / "device" / "D.spool", "D", 1_000_000, Metrics())
    for seq in (80, 81):
        spool.append(message(seq), 0.0)
    PositionFile(folder / "device" / "D.seq", 83)
    (folder / "reparse").mkdir()
    (folder / "reparse" / "D.json").write_text("{}")
    (folder / "instance").write_text("0123456789abcdef")
    (folder / "notes of somebody.txt").write_text("not ours")
    return Kept(folder, FrozenStore(tmp_path / "frozen"), meta)


async def save(kept: Kept, file: Path, store: object = None, made_s: int = 83) -> Path:
    """A backup of it, into a file."""
    async with snapshot(kept.folder, kept.store if store is None else store, SetClock(made_s)) as moment:
        file.write_bytes(b"".join(moment.pieces()))
    return file


async def bring_in(file: Path, folder: Path, store: FrozenStore, *, replace: bool = False) -> Path | None:
    """Restore; where the old one is."""

    async def opened() -> FrozenStore:
        return store

    return (await restore_folder(file, folder, Means(opened, renew_meta), SetClock(NOW_S), replace=replace)).aside


async def test_all_that_is_kept_is_in_it(kept: Kept, tmp_path: Path) -> None:
    """And no lock with its key, no browser's session, no file of somebody else; the folder is as before."""
    before = sorted(entry.name for entry in kept.folder.iterdir())
    file = await save(kept, tmp_path / "b.tar")
    with file.open("rb") as opened:
        names = [member.name for member, _ in Archive(opened).members()]
    assert names == [
        "device/D.spool/000000000001.spool", "device/D.seq", "instance", "reparse/D.json", "meta.sqlite",
        "chdb/ce_technology/20785_7_7_1/data.bin", "chdb/ce_technology/20785_10_12_2/data.bin",
    ]  # fmt: skip
    assert kept.store.events == ["freeze", "thaw"]
    assert sorted(entry.name for entry in kept.folder.iterdir()) == before
    assert SESSION.digest.encode() not in file.read_bytes() and TOKEN.digest.encode() in file.read_bytes()


async def test_what_moves_meanwhile_is_not_lost(kept: Kept, tmp_path: Path) -> None:
    """A message that leaves the spool while the backup is made is in the spool's copy: its store comes later."""
    spool = Spool(kept.folder / "device" / "D.spool", "D", 1_000_000, Metrics())

    def stored() -> None:
        for entry in spool.left:
            spool.release(entry)

    kept.store.on_freeze = stored
    file = await save(kept, tmp_path / "b.tar")
    assert not list((kept.folder / "device" / "D.spool").iterdir())
    await bring_in(file, tmp_path / "new", kept.store)
    again = Spool(tmp_path / "new" / "device" / "D.spool", "D", 1_000_000, Metrics())
    assert [found.seq for entry in again.left if (found := again.read(entry))] == [80, 81]


async def test_it_comes_back_into_a_fresh_folder(kept: Kept, tmp_path: Path) -> None:
    """Devices and tokens; history in the order in which it came in; of today's version, for its owner alone."""
    file = await save(kept, tmp_path / "b.tar")
    kept.store.events.clear()
    new = tmp_path / "deep" / "new"
    assert await bring_in(file, new, kept.store) is None
    assert kept.store.events == [
        "attach ce_technology 20785_7_7_1 ce_technology/20785_7_7_1",
        "attach ce_technology 20785_10_12_2 ce_technology/20785_10_12_2",
        "close",
    ]
    names = sorted(entry.name for entry in new.iterdir())
    assert names == ["device", "instance", "lock", "meta.sqlite", "reparse", "version"]
    assert read_version(new) == VERSION
    assert stat.S_IMODE((new / "meta.sqlite").stat().st_mode) == 0o600
    meta = SqliteMeta(new / "meta.sqlite")
    assert await meta.open() is True  # it was never said to be seeded
    assert [device.name for device in await meta.devices()] == ["Digger"]
    assert await meta.credential(TOKEN.id) == TOKEN and await meta.credential(SESSION.id) is None
    await meta.close()


@pytest.mark.parametrize(
    ("made_s", "least"),
    [
        pytest.param(83, NOW_S, id="as the clock: from now on"),
        pytest.param(60, NOW_S + 91 - 60, id="ahead of the clock: as far ahead as it was"),
        pytest.param(NOW_S - 10, NOW_S, id="behind the clock: from now on"),
        pytest.param(NOW_S + 9, NOW_S, id="made in the future: from now on"),
    ],
)
async def test_a_seq_never_comes_again(kept: Kept, tmp_path: Path, made_s: int, least: int) -> None:
    """Not those that the device used after the backup was made: it was at 83, the store had 90."""
    file = await save(kept, tmp_path / "b.tar", made_s=made_s)
    await bring_in(file, tmp_path / "new", kept.store)
    found = PositionFile(tmp_path / "new" / "device" / "D.seq", 1).next
    assert found == max(least, NOW_S + max(0, 91 - made_s))


async def test_a_folder_with_something_in_it(kept: Kept, tmp_path: Path) -> None:
    """Is refused, or moved aside whole; nothing is deleted."""
    file = await save(kept, tmp_path / "b.tar")
    await kept.meta.close()
    before = {f.relative_to(kept.folder): f.read_bytes() for f in kept.folder.rglob("*") if f.is_file()}
    with pytest.raises(ConfigError, match=r"there is something in it; --replace moves that aside"):
        await bring_in(file, kept.folder, kept.store)
    assert {f.relative_to(kept.folder): f.read_bytes() for f in kept.folder.rglob("*") if f.is_file()} | {
        Path("lock"): b""
    } == before | {Path("lock"): b""}
    asides = [await bring_in(file, kept.folder, kept.store, replace=True) for _ in range(2)]
    assert asides[0] is not None and asides[0] != asides[1]
    assert asides[0].name.startswith("data.before-restore-2")
    moved = {f.relative_to(asides[0]): f.read_bytes() for f in asides[0].rglob("*") if f.is_file()}
    assert moved | {Path("lock"): b""} == before | {Path("lock"): b""}
    assert (kept.folder / "instance").exists() and not (kept.folder / RESTORING).exists()


async def test_a_folder_that_a_process_has(kept: Kept, tmp_path: Path) -> None:
    """Is left alone."""
    file = await save(kept, tmp_path / "b.tar")
    with DataDir(kept.folder), pytest.raises(Conflict, match="has it"):
        await bring_in(file, kept.folder, kept.store, replace=True)


async def test_a_damaged_archive_touches_nothing(kept: Kept, tmp_path: Path) -> None:
    """Not even the folder is made."""
    file = await save(kept, tmp_path / "b.tar")
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(BadInput, match=r"b\.tar: .*nothing was done with it"):
        await bring_in(file, tmp_path / "new", kept.store)
    assert not (tmp_path / "new").exists()


async def test_an_interrupted_one_is_no_data_directory(kept: Kept, tmp_path: Path) -> None:
    """What the store did not take is not begun with; done again it is whole, and nothing was deleted."""
    file = await save(kept, tmp_path / "b.tar")
    new = tmp_path / "new"

    async def failing(table: str, part: Path) -> None:
        raise TransportError("store: its disk is full")

    attach, kept.store.attach = kept.store.attach, failing  # type: ignore[method-assign]  # it fails this once
    with pytest.raises(TransportError, match="full"):
        await bring_in(file, new, kept.store)
    with pytest.raises(ConfigError, match="interrupted; do it again with restore --replace"), DataDir(new):
        pass
    kept.store.attach = attach  # type: ignore[method-assign]
    with pytest.raises(ConfigError, match="--replace"):
        await bring_in(file, new, kept.store)
    await bring_in(file, new, kept.store, replace=True)
    with DataDir(new):
        assert (new / "meta.sqlite").exists()


async def test_what_is_not_in_it_is_said(kept: Kept, tmp_path: Path) -> None:
    """History on a server or in a folder that is not in use, MetaAPI's data of another process."""
    (kept.folder / "chdb").mkdir()
    async with snapshot(kept.folder, object(), SetClock(1)) as moment:
        assert [text.split(":")[0] for text in moment.manifest.left_out] == ["history"]
        assert "ClickHouse server" in moment.manifest.left_out[0]
    await kept.meta.close()
    (kept.folder / "meta.sqlite").unlink()
    async with snapshot(kept.folder, None, SetClock(1)) as moment:
        assert "the folder chdb" in moment.manifest.left_out[0]
        assert "MetaAPI's data is not in this data directory" in moment.manifest.left_out[1]


async def test_one_of_an_older_version(kept: Kept, tmp_path: Path) -> None:
    """Comes back as it was, and is brought up by the next start."""
    async with snapshot(kept.folder, kept.store, SetClock(83)) as moment:
        older = moment._replace(manifest=msgspec.structs.replace(moment.manifest, version=1))
        (tmp_path / "b.tar").write_bytes(b"".join(older.pieces()))
    new = tmp_path / "new"
    await bring_in(tmp_path / "b.tar", new, kept.store)
    assert json.loads((new / "version").read_text(encoding="utf-8"))["number"] == 1
    with DataDir(new):
        assert read_version(new) == VERSION


async def test_a_database_that_cannot_be_read(kept: Kept, tmp_path: Path) -> None:
    """Is an error that names what it is, and no backup."""
    await kept.meta.close()
    (kept.folder / "meta.sqlite").write_bytes(b"garbage" * 1000)
    with pytest.raises(TransportError, match=r"backup: .*meta\.sqlite: file is not a database"):
        await save(kept, tmp_path / "b.tar")
    assert kept.store.events == ["thaw"] and not (kept.folder / "backup.part").exists()
