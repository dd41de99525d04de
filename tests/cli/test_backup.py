"""What `backup` and `restore` make of what another process answers: a whole file, or none and why."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

from duco_rt.cli.backup import _backup, _restore
from duco_rt.config import App, Config
from duco_rt.disk.backup_archive import FORMAT, Manifest, Source, chunks, measure
from duco_rt.disk.data_dir import DataDir
from duco_rt.disk.data_version import VERSION
from duco_rt.errors import BadInput, ConfigError, Conflict, TransportError

OLD: dict[str, object] = {"id": "old", "name": "anna", "grants": {"duco": "viewer"}, "created": 1, "expires": None}
NEW: dict[str, object] = {**OLD, "id": "new", "name": "mal\nlory", "grants": {"*": "admin"}}


def archive(folder: Path) -> bytes:
    """A whole one."""
    (folder / "source").write_bytes(b"0123456789abcdef")
    sources = [Source("instance", folder / "source")]
    return b"".join(chunks(Manifest(FORMAT, VERSION, "0.1.0", 1_795_897_438_923, (), measure(sources)), sources))


def _error(status: int, code: str, message: str) -> web.Response:
    """As every endpoint gives it."""
    return web.json_response({"error": {"code": code, "message": message}}, status=status)


class Other:
    """A process that holds the data directory, and answers as the test wants."""

    def __init__(self, folder: Path) -> None:
        self.config = Config(app=App(data_dir=str(folder)))
        self.key = ""
        self.answer: bytes | web.Response = b""
        self.breaks = False
        self.received = b""
        self.keys: list[str | None] = []
        self.tokens: list[list[dict[str, object]]] = []

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Both endpoints."""
        self.keys.append(request.headers.get("Authorization"))
        self.received = await request.read()
        if isinstance(self.answer, web.Response):
            return self.answer
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(self.answer)
        if self.breaks:
            assert request.transport is not None
            request.transport.abort()
        return response

    async def list(self, request: web.Request) -> web.Response:
        """Its tokens, each time others."""
        if not self.tokens:
            return _error(404, "no_such_route", "GET")
        return web.json_response({"tokens": self.tokens.pop(0)})


@pytest.fixture
async def other(tmp_path: Path) -> AsyncIterator[Other]:
    """One that runs."""
    made = Other(tmp_path / "data")
    application = web.Application()
    application.add_routes([web.post("/api/backup", made.handle), web.post("/api/restore", made.handle)])
    application.add_routes([web.get("/api/metaapi/tokens", made.list)])
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert site._server is not None
    port = site._server.sockets[0].getsockname()[1]  # type: ignore[attr-defined]  # a server of asyncio has them
    with DataDir(tmp_path / "data") as held:
        held.announce(f"http://127.0.0.1:{port}/")
        made.key = held.key
        yield made
    await runner.cleanup()


async def test_a_whole_one_takes_the_old_ones_place(other: Other, tmp_path: Path) -> None:
    """For its owner alone; asked with the key of the lock file."""
    file = tmp_path / "b.tar"
    file.write_bytes(b"old")
    (tmp_path / "b.tar.part").write_bytes(b"of one that was killed")
    other.answer = archive(tmp_path)
    manifest = await _backup(other.config, file)
    assert file.read_bytes() == other.answer and file.stat().st_mode & 0o777 == 0o600
    assert [member.name for member in manifest.members] == ["instance"]
    assert other.keys == [f"Bearer {other.key}"]
    assert not (tmp_path / "b.tar.part").exists()


@pytest.mark.parametrize("case", ["cut", "breaks", "another answer", "busy", "empty"])
async def test_anything_else_leaves_the_old_one(other: Other, tmp_path: Path, case: str) -> None:
    """And no half of a new one."""
    file = tmp_path / "b.tar"
    file.write_bytes(b"old")
    whole = archive(tmp_path)
    expected: type[Exception] = TransportError
    if case == "cut":
        other.answer = whole[:-700]
    elif case == "breaks":
        other.answer, other.breaks = whole[:3000], True
    elif case == "another answer":
        other.answer = web.Response(status=502, text="<html>")
    elif case == "busy":
        other.answer, expected = _error(409, "conflict", "a backup is under way"), Conflict
    with pytest.raises(expected):
        await _backup(other.config, file)
    assert file.read_bytes() == b"old"
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["b.tar", "data", "source"]


async def test_a_file_that_cannot_be_written(other: Other, tmp_path: Path) -> None:
    """It is named."""
    other.answer = archive(tmp_path)
    with pytest.raises(TransportError, match=r"b\.tar\.part: No such file"):
        await _backup(other.config, tmp_path / "absent" / "b.tar")


async def test_a_restore_into_a_process(other: Other, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All of the file is sent, and what came of it is told."""
    file = tmp_path / "b.tar"
    file.write_bytes(archive(tmp_path))
    other.tokens = [[OLD], [OLD, NEW]]
    other.answer = web.json_response(
        {"made": 1, "parts": 7, "counts": {"devices": 2, "tokens": 1}, "notes": ["history: x"]}
    )
    await _restore(other.config, file, replace=False)
    said = capsys.readouterr()
    assert other.received == file.read_bytes()
    assert "has 2 devices, 1 tokens now, and 7 parts of history more" in said.out
    assert said.err == (
        "tokens that were not there before (`token remove ID` takes one back):\n"
        "ID   ROLES    NAME\nnew  *:admin  mal\\nlory\nnot brought in: history: x\n"
    )


async def test_a_restore_that_is_refused(other: Other, tmp_path: Path) -> None:
    """Before anything is sent where the file is none; by the other process's own words."""
    file = tmp_path / "b.tar"
    file.write_bytes(archive(tmp_path)[:-1])
    with pytest.raises(BadInput, match="nothing was done with it"):
        await _restore(other.config, file, replace=False)
    file.write_bytes(archive(tmp_path))
    with pytest.raises(ConfigError, match="a process has the data directory"):
        await _restore(other.config, file, replace=True)
    assert other.keys == []
    other.answer = _error(503, "unavailable", "its disk is full")
    with pytest.raises(TransportError, match="its disk is full"):
        await _restore(other.config, file, replace=False)
    other.answer = web.json_response({"other": 1})
    with pytest.raises(TransportError, match="not one of this version"):
        await _restore(other.config, file, replace=False)
