"""How a command asks the process that has the data: its key, its certificate, its errors."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from duco_rt.__main__ import main
from duco_rt.cli.owner import error_of, holder, metaapi_for_command, remote_of
from duco_rt.config import App, Config, MetaStore, Web
from duco_rt.disk.data_dir import DataDir, Owner
from duco_rt.errors import (
    BadRequest,
    Conflict,
    DucoError,
    Forbidden,
    NotFound,
    TransportError,
    Unauthorized,
)
from duco_rt.tls import leaf_sha256, server_context
from tests.certificates import Certificates
from tests.dbc_texts import dbc_text

ERRORS: dict[str, tuple[object, type[DucoError], str]] = {
    "bad request": ({"error": {"code": "bad_request", "message": "m"}}, BadRequest, "m"),
    "not found": ({"error": {"code": "not_found", "message": "m"}}, NotFound, "m"),
    "conflict": ({"error": {"code": "conflict", "message": "m"}}, Conflict, "m"),
    "unauthorized": ({"error": {"code": "unauthorized", "message": "m"}}, Unauthorized, "m"),
    "forbidden": ({"error": {"code": "forbidden", "message": "m"}}, Forbidden, "m"),
    "unavailable": ({"error": {"code": "unavailable", "message": "m"}}, TransportError, "m"),
    "of an older version": ({"error": {"code": "no_such_route", "message": "POST"}}, TransportError, "POST; the"),
    "of somebody else": ({"error": "m"}, TransportError, "none of duco_rt"),
    "half of one": ({"error": {"code": "not_found"}}, TransportError, "none of duco_rt"),
    "no object": ([1], TransportError, "none of duco_rt"),
}


ASKS = ["device list", "device remove D1", "token list", "token remove T1", "backup b.tar",
        "reparse --device D1 --from -1h --to now"]  # fmt: skip
ADDS = ["device add D1 --tenant t --dbc key.dbc", "token add anna --tenant t --role viewer"]


@pytest.mark.parametrize("case", ERRORS)
def test_errors_of_the_other_process(case: str) -> None:
    """Become the error that they were there, and with it the exit code."""
    read, kind, text = ERRORS[case]
    error = error_of(read)
    assert type(error) is kind
    assert text in str(error)


def test_who_holds_the_folder(tmp_path: Path) -> None:
    """Nobody, one that still starts, one that serves."""
    config = Config(app=App(data_dir=str(tmp_path)))
    assert holder(config) is None
    assert metaapi_for_command(config) is None
    with DataDir(tmp_path) as held:
        with pytest.raises(TransportError, match="still starting"):
            holder(config)
        held.announce("http://127.0.0.1:1/")
        assert holder(config) == Owner("http://127.0.0.1:1/", held.key)
        remote = metaapi_for_command(config)
        assert remote is not None and remote.url == "http://127.0.0.1:1/"
        elsewhere = Config(app=config.app, meta=MetaStore(kind="http", url="http://127.0.0.1:2/m"))
        remote = metaapi_for_command(elsewhere)
        assert remote is not None and remote.url == "http://127.0.0.1:2/m/"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder but for a database; no environment of the developer's."""
    monkeypatch.chdir(tmp_path)
    # loggers keep the first stderr that they wrote to, which here is the test's own
    monkeypatch.setattr("duco_rt.seeing.logs.configure", lambda *_: None)
    for name in [name for name in os.environ if name.startswith("DUCO_") and "__" in name]:
        monkeypatch.delenv(name)
    Path("key.dbc").write_text(dbc_text("256 Engine 2\nrpm : 0|16@1+ (1,0)"))
    return tmp_path


@pytest.mark.servers
@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("command", [*ASKS, *ADDS])
def test_a_mistyped_folder_is_not_made(command: str, capfd: pytest.CaptureFixture[str]) -> None:
    """Nor is one of somebody else's written into."""
    assert main([*command.split(), "--set", "app.data_dir=othr"]) == 2
    out, err = capfd.readouterr()
    assert out == "" and "nothing is there: app.data_dir = 'othr'" in err
    assert ("mode 0700" in err) == (command in ADDS)
    assert not Path("othr").exists()
    Path("photos").mkdir()
    Path("photos/a.jpg").touch()
    assert main([*command.split(), "--set", "app.data_dir=photos"]) == 2
    assert "app.data_dir = 'photos': what is in that folder is nothing of duco_rt" in capfd.readouterr().err
    assert [entry.name for entry in Path("photos").iterdir()] == ["a.jpg"]


@pytest.mark.servers
@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("command", ADDS)
def test_what_can_be_done_before_the_first_run(command: str, capfd: pytest.CaptureFixture[str]) -> None:
    """In the default folder, which is made for its owner alone, or in an empty one."""
    Path("empty").mkdir()
    assert main([*command.split(), "--set", "app.data_dir=empty"]) == 0
    assert main(command.split()) == 0
    for folder in ("empty", "data"):
        assert Path(folder, "meta.sqlite").stat().st_mode & 0o077 == 0
    assert Path("data").stat().st_mode & 0o077 == 0
    Path("nothing").mkdir()
    for command in ASKS[:-1]:
        assert main([*command.split(), "--set", "app.data_dir=nothing"]) == 2
        assert "app.data_dir = 'nothing': there is nothing in it" in capfd.readouterr().err
    assert list(Path("nothing").iterdir()) == []


@asynccontextmanager
async def serving(tls: Web, seen: list[str]) -> AsyncIterator[str]:
    """A server that notes by whom it was asked; `redirect` sends elsewhere."""

    async def serve(request: web.Request) -> web.Response:
        seen.append(request.headers.get("Authorization", ""))
        if request.path == "/redirect":
            raise web.HTTPFound("/there")
        return web.json_response({"path": request.path})

    application = web.Application()
    application.router.add_route("*", "/{any:.*}", serve)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    context = server_context(tls)
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    try:
        yield f"http{'' if context is None else 's'}://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


@pytest.mark.servers
async def test_it_is_asked_with_its_key() -> None:
    """The key goes to that process alone: what sends elsewhere is no answer."""
    seen: list[str] = []
    async with serving(Web(), seen) as url, remote_of(Owner(url, "k" * 43)) as process:
        assert await process.ask("GET", "api/x") == {"path": "/api/x"}
        with pytest.raises(TransportError, match="none of duco_rt"):
            await process.ask("GET", "redirect")
    assert seen == ["Bearer " + "k" * 43] * 2
    async with remote_of(Owner(url, "")) as process:
        with pytest.raises(TransportError, match=url):
            await process.ask("GET", "api/x")


@pytest.mark.servers
async def test_its_certificate_alone_is_trusted(tmp_path: Path) -> None:
    """The very one that it said, whoever signed it; another one gets no key."""
    own, other = Certificates(tmp_path / "own"), Certificates(tmp_path / "other")
    mine, seen = own.server("somewhere.example"), list[str]()
    web_of_mine = Web(cert_file=str(mine.cert), key_file=str(mine.key))
    theirs = other.server("127.0.0.1")
    async with serving(web_of_mine, seen) as url:
        async with remote_of(Owner(url, "k", leaf_sha256(web_of_mine))) as process:
            assert await process.ask("GET", "x") == {"path": "/x"}
        wrong = leaf_sha256(Web(cert_file=str(theirs.cert), key_file=str(theirs.key)))
        for sha256 in (wrong, ""):
            async with remote_of(Owner(url, "k", sha256)) as process:
                with pytest.raises(TransportError):
                    await process.ask("GET", "x")
    assert len(seen) == 1
