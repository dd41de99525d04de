"""A disk that is full, breaks, cannot be written, or gives back something else than was written."""

from __future__ import annotations

import asyncio
import os
import resource
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.e2e.commands import command
from tests.e2e.processes import TYPES, Process, running, stored, taken
from tests.e2e.small_disk import on_small_disk, start
from tests.programs import Program

pytestmark = [pytest.mark.servers, pytest.mark.timeout(300)]  # more than what is waited for one after the other

ROLES = ("device", "ingest", "process", "distribute", "studio", "metaapi")
SETTINGS = ("device.upload_interval_s=1",)


async def readiness(http: aiohttp.ClientSession, running_: Program) -> tuple[int, str]:
    """Status and words of /readyz."""
    async with http.get(f"{running_.url}readyz") as response:
        return response.status, await response.text()


async def until_ready(http: aiohttp.ClientSession, running_: Program, status: int, words: str = "") -> None:
    """Wait until /readyz says so."""
    found: tuple[int, str] = (0, "")
    end_s = time.monotonic() + 60
    while time.monotonic() < end_s:
        found = await readiness(http, running_)
        if found[0] == status and words in found[1]:
            return
        await asyncio.sleep(0.2)
    raise AssertionError(f"not {status} {words!r}: {found}")


async def put_device(http: aiohttp.ClientSession, running_: Program, name: str) -> int:
    """Ask MetaAPI to keep a device with a long name; the status."""
    body = {"chassisId": name, "tenant": "duco", "name": "x" * 200, "parsing": None}
    async with http.put(f"{running_.url}api/metaapi/devices/{name}", json=body) as response:
        return response.status


async def known(http: aiohttp.ClientSession, running_: Program) -> set[str]:
    """The devices that MetaAPI has."""
    async with http.get(f"{running_.url}api/metaapi/devices?tenant=duco") as response:
        return {device["chassisId"] for device in await response.json()}


async def whole(http: aiohttp.ClientSession, running_: Program, first: int, last: int) -> None:
    """Wait until history has every second from first to last, once."""
    missing: Any = None
    end_s = time.monotonic() + 60
    while time.monotonic() < end_s:
        found = {kind: await stored(http, running_, kind) for kind in TYPES}
        assert all(seqs == sorted(set(seqs)) for seqs in found.values())
        missing = {kind: sorted(set(range(first, last + 1)) - set(seqs)) for kind, seqs in found.items()}
        if not any(missing.values()):
            return
        await asyncio.sleep(0.3)
    raise AssertionError(f"missing: {missing}")


async def test_a_disk_that_is_full(tmp_path: Path) -> None:
    """Nothing is acknowledged that is not on it, the machine goes on, and all is stored as soon as there is room. The
    program's own log lies on the same disk."""
    folder, log = tmp_path / "disk", tmp_path / "log"
    async with aiohttp.ClientSession() as http, on_small_disk(folder, log, *SETTINGS) as (running_, disk):
        data = disk.folder / "data"
        first = taken(data) + 1
        await whole(http, running_, first, first + 2)
        await until_ready(http, running_, 200)
        disk.fill()
        await until_ready(http, running_, 503, "its disk is full")
        refused = accepted = 0
        for n in range(200):
            status = await put_device(http, running_, f"FULL_{n}")
            assert status in (200, 503), status
            accepted += status == 200
            refused += status == 503
        assert refused > 100, "a full disk kept everything"
        full_at = taken(data)
        while taken(data) < full_at + 3:
            await asyncio.sleep(0.1)
        assert len({name for name in await known(http, running_) if name.startswith("FULL_")}) == accepted
        disk.free()
        await until_ready(http, running_, 200)
        assert await put_device(http, running_, "AFTER") == 200
        last = taken(data)
        await whole(http, running_, first, last)
        killed = tmp_path / "killed"
        running_.process.send_signal(signal.SIGSTOP)
        disk.copy(killed)
        running_.process.kill()
    again = Process("data", killed, ROLES, SETTINGS)
    async with aiohttp.ClientSession() as http, running([again]):
        await whole(http, again.program, first, last)
        devices = await known(http, again.program)
        assert "AFTER" in devices and len({name for name in devices if name.startswith("FULL_")}) == accepted


async def test_a_disk_that_breaks_while_it_runs(tmp_path: Path) -> None:
    """Every write fails, as on one that turned read-only: the same, in a file of which nothing is written."""
    process = Process("data", tmp_path, ROLES, SETTINGS)
    async with aiohttp.ClientSession() as http, running([process]):
        running_ = process.program
        first = taken(process.data_dir) + 1
        await whole(http, running_, first, first + 1)
        pid, (soft, hard) = running_.process.pid, resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, hard))
        await until_ready(http, running_, 503)
        assert await put_device(http, running_, "BROKEN") == 503
        await asyncio.sleep(3)
        assert running_.process.returncode is None
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (soft, hard))
        await until_ready(http, running_, 200)
        assert await put_device(http, running_, "AFTER") == 200
        assert "BROKEN" not in await known(http, running_)
        await whole(http, running_, first, taken(process.data_dir))


@pytest.mark.parametrize("fresh", [True, False])
async def test_a_data_directory_that_cannot_be_written(tmp_path: Path, fresh: bool) -> None:
    """The start is refused in one line that names the key and the cause."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if not fresh:
        process = Process("data", folder, ROLES, SETTINGS)
        async with running([process]):
            pass
    before = sorted(str(file) for file in folder.rglob("*"))
    refused, line = await start(folder, f"mount --bind {folder} {folder} && mount -o remount,bind,ro {folder}")
    assert (await refused.wait(), line) == (2, "")
    assert refused.stderr is not None
    said = (await refused.stderr.read()).decode()
    assert said == f"duco_rt: app.data_dir = '{folder}/data': Read-only file system\n"
    assert sorted(str(file) for file in folder.rglob("*")) == before


def garbage(file: Path) -> None:
    """Something else, as long."""
    file.write_bytes(os.urandom(file.stat().st_size))


def parts(data: Path) -> list[Path]:
    """The folders of the parts of the parsed history; the last one is in use."""
    uuid = next(data.glob("chdb/store/*/*/ce_technology.sql")).read_text(encoding="utf-8").split("'")[1]
    found = (data / "chdb" / "store" / uuid[:3] / uuid).glob("2*_*")
    return sorted(found, key=lambda part: tuple(map(int, part.name.split("_")[2:])))


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "meta.sqlite is garbage": (lambda data: garbage(data / "meta.sqlite"), "meta.sqlite is damaged: file is not a"),
    "meta.sqlite is empty": (lambda data: (data / "meta.sqlite").write_bytes(b""), "meta.sqlite is damaged: it is e"),
    "chDB's metadata is missing": (
        lambda data: (data / "chdb" / "metadata" / "duco.sql").unlink(), "chdb: what describes store/",
    ),
    "chDB's metadata is garbage": (
        lambda data: garbage(next(data.glob("chdb/store/*/*/newest.sql"))), "newest.sql is not what describes a table",
    ),
    "a table's version is garbage": (
        lambda data: [file.write_text("77\n") for file in data.glob("chdb/store/*/*/format_version.txt")],
        "chdb: the engine cannot open it",
    ),
    "version is garbage": (lambda data: garbage(data / "version"), "its file 'version' is damaged"),
    "version is a newer one": (
        lambda data: (data / "version").write_text('{"number":99,"program":"9.9","at":1}'),
        "version 99, made by a newer duco_rt (9.9)",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with some seconds in it."""
    folder = tmp_path_factory.mktemp("used")

    async def use() -> None:
        process = Process("data", folder, ROLES, SETTINGS)
        async with aiohttp.ClientSession() as http, running([process]):
            first = taken(process.data_dir) + 1
            await whole(http, process.program, first, first + 4)

    asyncio.run(use())
    return folder / "data"


@pytest.mark.parametrize("case", DAMAGE)
async def test_damage_that_nobody_can_work_with(used: Path, tmp_path: Path, case: str) -> None:
    """The start is refused: the file is named, and what the operator can do. Nothing is written over or deleted, and a
    restore moves it aside."""
    damage, words = DAMAGE[case]
    data = tmp_path / "data"
    shutil.copytree(used, data, symlinks=True)
    damage(data)
    before = {str(f): f.read_bytes() for f in data.rglob("*") if f.is_file() and f.name not in ("lock", "status")}
    done = await command(data, "run", settings=("web.port=0",))
    assert done.code == 2, done
    assert done.said.startswith(f"duco_rt: app.data_dir = '{data}': ") and words in done.said, done
    assert "restore" in done.said
    after = {str(f): f.read_bytes() for f in data.rglob("*") if f.is_file()}
    assert {name: after.get(name) for name in before} == before


async def test_damage_that_the_rest_can_do_without(used: Path, tmp_path: Path) -> None:
    """A part of the history is set aside and told, the rest served; lock and instance are made anew; a spool's broken
    record is counted, its others are sent."""
    data = tmp_path / "data"
    shutil.copytree(used, data, symlinks=True)
    process = Process("data", tmp_path, ROLES, SETTINGS)
    broken = parts(data)[-1]
    garbage(broken / "data.bin")
    garbage(data / "lock")
    (data / "instance").write_bytes(b"\xff\0")
    async with aiohttp.ClientSession() as http, running([process]):
        last = taken(process.data_dir)
        async with asyncio.timeout(30):
            while not (found := await stored(http, process.program, "vehicle_can")) or found[-1] <= last:
                await asyncio.sleep(0.2)
        await until_ready(http, process.program, 503, "broken parts are set aside, the rest is served")
        assert list(broken.parent.glob("detached/broken*"))
        shutil.rmtree(broken.parent / "detached")
        await until_ready(http, process.program, 200)
    assert "a part of the store is broken: set aside, the rest is served" in (tmp_path / "data.log").read_text()
