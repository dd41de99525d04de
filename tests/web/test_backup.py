"""A backup out of a server that runs, and one into it; as anybody would ask over HTTP."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from duco_rt.clock import Clock
from duco_rt.config import Web
from duco_rt.disk.backup import Snapshot, snapshot
from duco_rt.disk.backup_archive import Archive, verify
from duco_rt.errors import TransportError
from duco_rt.model import Device
from duco_rt.web import backup as backup_module
from tests.web.conftest import ListStore, Site, is_error

TAR = {"Content-Type": "application/x-tar"}


class PartStore(ListStore):
    """A list store with a part on disk, that remembers what was brought in."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        self.attached: list[str] = []
        self.frozen = asyncio.Event()
        self.goes_on = asyncio.Event()
        self.goes_on.set()

    async def freeze(self) -> list[tuple[str, Path]]:
        """One part, as soon as the test lets it."""
        self.frozen.set()
        await self.goes_on.wait()
        file = self.folder / "frozen" / "data.bin"
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(bytes(3_000_000))
        return [("ce_technology/20785_1_1_0/data.bin", file)]

    async def thaw(self) -> None:
        """Nothing."""

    async def attach(self, table: str, part: Path) -> None:
        """Remember."""
        size = (part / "data.bin").stat().st_size
        self.attached.append(f"{table}/{part.name} {size}")

    async def newest_seqs(self) -> dict[str, int]:
        """Nobody asks."""
        return {}


@pytest.fixture
async def site(tmp_path: Path, web: Web) -> AsyncIterator[Site]:
    """A server whose store has its rows in parts."""
    made = Site(tmp_path, web)
    made.store = PartStore(tmp_path)
    async with made.running() as running:
        yield running


def parts_of(site: Site) -> PartStore:
    """Its store."""
    assert isinstance(site.store, PartStore)
    return site.store


async def saved(site: Site) -> bytes:
    """A backup of the site."""
    async with site.session.post("/api/backup") as response:
        assert response.status == 200, await response.text()
        assert response.headers["Content-Type"] == "application/x-tar"
        assert response.headers["Content-Disposition"].startswith('attachment; filename="duco-2')
        return await response.read()


async def put(site: Site, data: bytes) -> tuple[int, dict[str, object]]:
    """Bring it in; the answer."""
    async with site.session.post("/api/restore", data=data, headers=TAR) as response:
        return response.status, await response.json()


def left_over(site: Site) -> list[str]:
    """What lies about in the folder."""
    return [entry.name for entry in site.folder.iterdir() if entry.name.endswith(".part")]


async def test_a_backup_is_whole(site: Site, tmp_path: Path) -> None:
    """MetaAPI's data and the store's parts; of the folder nothing else is left."""
    (tmp_path / "b.tar").write_bytes(await saved(site))
    manifest = verify(tmp_path / "b.tar")
    assert [member.name for member in manifest.members] == [
        "meta.sqlite",
        "chdb/ce_technology/20785_1_1_0/data.bin",
    ]
    assert left_over(site) == []


async def test_it_comes_back_into_the_same_server(site: Site) -> None:
    """What was changed since is as it was; history is merged; a larger body than other requests may have."""
    archive = await saved(site)
    assert len(archive) > site.web.body_bytes_max
    await site.meta.put_device(Device("LATER", "duco", ""))
    await site.meta.remove_device("DUCO_002")
    status, answer = await put(site, archive)
    assert status == 200, answer
    assert answer["counts"] == {"devices": 2, "parsings": 1, "groups": 12, "tokens": 0}
    assert (answer["parts"], answer["made"], answer["notes"]) == (1, site.clock.wall_ms(), [])
    assert parts_of(site).attached == ["ce_technology/20785_1_1_0 3000000"]
    known = await site.ask("GET", "/api/metaapi/devices?tenant=duco")
    assert [device["chassisId"] for device in known[1]] == ["DUCO_001", "DUCO_002"]
    assert left_over(site) == []


async def test_a_damaged_one_changes_nothing(site: Site) -> None:
    """Cut, changed, empty, or something else."""
    archive = await saved(site)
    await site.meta.put_device(Device("LATER", "duco", ""))
    changed = archive[:5000] + b"!" + archive[5001:]
    for bad in (archive[:-600], changed, b"", b"PK" * 5000):
        assert is_error(await put(site, bad), 400, "bad_request")
    assert (await site.meta.device("LATER")).chassis_id == "LATER"
    assert parts_of(site).attached == [] and left_over(site) == []


async def test_one_at_a_time(site: Site) -> None:
    """The second one is told so; the first one is not hurt, and the next one is served."""
    store = parts_of(site)
    store.goes_on.clear()
    async with asyncio.TaskGroup() as tasks:
        first = tasks.create_task(saved(site))
        await store.frozen.wait()
        for path in ("/api/backup", "/api/restore"):
            found = await site.ask("POST", path)
            assert is_error(found, 409, "conflict") and "a backup is under way" in found[1]["error"]["message"]
        store.goes_on.set()
    assert (await put(site, first.result()))[0] == 200


async def test_who_goes_away_leaves_nothing(site: Site) -> None:
    """While it takes a backup, and while it sends one."""
    async with site.session.post("/api/backup") as response:
        await response.content.readany()
        response.close()
    archive = io.BytesIO(await _next(site))

    async def half() -> AsyncIterator[bytes]:
        yield archive.read(100_000)
        raise ConnectionError

    with pytest.raises((aiohttp.ClientError, ConnectionError)):
        await site.session.post("/api/restore", data=half(), headers=TAR)
    assert len(await _next(site)) > 3_000_000
    assert left_over(site) == []


async def _next(site: Site) -> bytes:
    """A backup as soon as the server has seen that the one before is over."""
    async with asyncio.timeout(20):
        while True:
            async with site.session.post("/api/backup") as response:
                if response.status == 200:
                    return await response.read()
            await asyncio.sleep(0.01)


async def test_a_disk_that_breaks_in_the_middle(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer is cut off: nobody takes it for whole."""

    @asynccontextmanager
    async def changing(folder: Path, store: object, clock: Clock) -> AsyncIterator[Snapshot]:
        async with snapshot(folder, store, clock) as moment:
            moment.sources[-1].file.write_bytes(b"other")
            yield moment

    monkeypatch.setattr(backup_module, "snapshot", changing)
    with pytest.raises(aiohttp.ClientError):
        await saved(site)
    assert left_over(site) == []


async def test_no_room_for_one_that_comes_in(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ends before the disk is full, and says so."""
    archive = await saved(site)

    async def full(path: Path) -> None:
        raise TransportError(f"app.data_dir = {str(path)!r}: its disk is full")

    monkeypatch.setattr(backup_module, "check_room", full)
    assert is_error(await put(site, archive), 503, "unavailable")
    assert left_over(site) == []


async def test_a_store_that_takes_none(site: Site) -> None:
    """A server's, or none: MetaAPI's data comes in, and it says what does not."""
    archive = await saved(site)
    assert Archive(io.BytesIO(archive)).manifest.left_out == ()
    plain = Site(site.folder / "plain", site.web)
    plain.folder.mkdir()
    async with plain.running():
        _, answer = await put(plain, archive)
    assert answer["parts"] == 0 and answer["notes"] == ["history: this process has no store in its data directory"]
