"""A folder of the engine that is damaged is told before the engine sees it; nothing is written to it."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from duco_rt.errors import ConfigError, TransportError
from duco_rt.model import Peer, RawSecond, Sample
from duco_rt.transports.store_chdb import ChdbStore
from duco_rt.transports.store_chdb_folder import cannot_open, check_folder

pytestmark = pytest.mark.servers

NOW = 1_795_352_000_000
PEER = Peer("duco", "DUCO_001", "vehicle_can")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with rows, closed."""
    folder = tmp_path_factory.mktemp("made") / "chdb"

    async def make() -> None:
        store = await ChdbStore(folder).open()
        await store.insert_parsed([Sample(PEER, NOW, 1, NOW, {"a": 1.0})])
        await store.insert_raw([RawSecond(PEER, NOW, 1, 0, NOW, True, "json1", body=b"{}")])
        await store.close()

    asyncio.run(make())
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    shutil.copytree(made, tmp_path / "chdb", symlinks=True)
    return tmp_path / "chdb"


def described(folder: Path, name: str) -> Path:
    """What describes a table."""
    return next(folder.glob(f"store/*/*/{name}.sql"))


def remove(*names: str) -> Callable[[Path], None]:
    """Some of what describes the tables is not there."""

    def damage(folder: Path) -> None:
        for name in names:
            if name == "metadata":
                shutil.rmtree(folder / name)
            else:
                (folder / "metadata" / name if name == "duco.sql" else described(folder, name)).unlink()

    return damage


def empty(pattern: str) -> Callable[[Path], None]:
    """What is called so is gone: by mistake, or it is a disk that is not mounted."""

    def damage(folder: Path) -> None:
        for place in list(folder.glob(pattern)):
            shutil.rmtree(place)

    return damage


def remove_data(folder: Path) -> None:
    """A table is described, and its folder is gone, as what points at it."""
    link = folder / "data" / "duco" / "ce_technology"
    shutil.rmtree(link.resolve())
    link.unlink()


def fill(name: str, data: bytes) -> Callable[[Path], None]:
    """It is something else."""

    def damage(folder: Path) -> None:
        (folder / "metadata" / name if name == "duco.sql" else described(folder, name)).write_bytes(data)

    return damage


DAMAGE: dict[str, tuple[Callable[[Path], None], str]] = {
    "no description of the database": (remove("duco.sql"), r"what describes store/\S+ is missing under metadata"),
    "none at all": (remove("metadata"), r"what describes store/\S+ is missing under metadata"),
    "no data": (empty("store/*"), r"the data in store/\S+, which \S+ says is there, is gone: bring it back"),
    "no folder of it": (empty("store"), r"the data in store/\S+, which \S+ says is there, is gone: bring it back"),
    "no data of a table": (remove_data, r"the data in store/\S+, which \S+ says is there, is gone: bring it back"),
    "none of a table": (remove("ce_technology"), r"what describes store/\S+ is missing under metadata"),
    "garbage for the database": (
        fill("duco.sql", os.urandom(500)),
        r"metadata/duco\.sql is not what describes a table",
    ),
    "garbage for a table": (fill("newest", b"xx"), r"store/\S+/newest\.sql is not what describes a table"),
    "an empty one": (fill("raw_data_cache_store", b""), r"store/\S+/raw_data_cache_store\.sql is not what describes"),
}


@pytest.mark.parametrize("case", DAMAGE)
async def test_damage_is_told_and_left_as_it_is(folder: Path, case: str) -> None:
    """The key, the file, and what can be done, in one line."""
    damage, words = DAMAGE[case]
    damage(folder)
    before = {str(f): f.read_bytes() for f in folder.rglob("*") if f.is_file()}
    with pytest.raises(ConfigError, match=rf"app\.data_dir = '\S+': chdb: {words}.*; move that folder aside") as caught:
        await ChdbStore(folder).open()
    assert "\n" not in str(caught.value) and "python -m duco_rt restore FILE --replace" in str(caught.value)
    assert {str(f): f.read_bytes() for f in folder.rglob("*") if f.is_file()} == before


async def test_a_whole_folder(folder: Path, tmp_path: Path) -> None:
    """And one that is not there, or begun with and left by a process that was killed."""
    check_folder(folder)
    check_folder(tmp_path / "absent")
    begun = tmp_path / "begun" / "store" / "abc" / "abc00000-0000-4000-8000-000000000000"
    (begun / "detached").mkdir(parents=True)
    (begun / "format_version.txt").write_text("1")
    check_folder(tmp_path / "begun")
    (tmp_path / "database alone" / "metadata").mkdir(parents=True)  # killed before its first table
    shutil.copy(folder / "metadata" / "duco.sql", tmp_path / "database alone" / "metadata")
    check_folder(tmp_path / "database alone")
    store = await ChdbStore(folder).open()
    assert (await store.history(PEER, ["a"], NOW, NOW)).fields["a"] == [1.0]
    await store.close()


async def test_a_file_of_its_name(tmp_path: Path) -> None:
    """Is told as what it is."""
    (tmp_path / "chdb").touch()
    with pytest.raises(ConfigError, match=r"app\.data_dir = '\S+': chdb is no folder; move it aside"):
        await ChdbStore(tmp_path / "chdb").open()


OPEN = """
import asyncio, sys
from pathlib import Path
from duco_rt.transports.store_chdb import ChdbStore
asyncio.run(ChdbStore(Path(sys.argv[1])).open())
"""


def test_what_only_the_engine_finds(folder: Path) -> None:
    """Its own words are on stderr. In a process of its own: one whose engine failed begins no other."""
    next(folder.glob("store/*/*/format_version.txt")).write_text("77\n")
    done = subprocess.run([sys.executable, "-c", OPEN, str(folder)], capture_output=True, text=True, check=False)
    last = done.stderr.strip().splitlines()[-1]
    assert "ConfigError: app.data_dir = " in last and "chdb: the engine cannot open it (" in last
    assert "its own lines above say more); move that folder aside" in last
    assert "Bad version file" in done.stderr


def test_a_full_disk_is_no_damage(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is there is whole."""
    assert isinstance(cannot_open(folder, "Code: 1"), ConfigError)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=0))
    full = cannot_open(folder, "Code: 1")
    assert isinstance(full, TransportError) and "its disk is full (Code: 1)" in str(full)
