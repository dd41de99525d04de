"""`token`: made, listed and taken back, with and without a running process; and the other commands with its key."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
from pathlib import Path

import aiohttp
import pytest
from structlog.testing import capture_logs

from duco_rt.__main__ import main
from duco_rt.clock import SystemClock
from duco_rt.disk.data_dir import owner_of
from duco_rt.rights import read_token
from duco_rt.tls import client_context
from duco_rt.transports.meta_sqlite import SqliteMeta
from duco_rt.web.access.tokens import mint
from tests.certificates import Certificates
from tests.dbc_texts import dbc_text
from tests.programs import program

pytestmark = pytest.mark.servers


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty current folder; no environment of the developer's."""
    monkeypatch.chdir(tmp_path)
    # loggers keep the first stderr that they wrote to, which here is the test's own
    monkeypatch.setattr("duco_rt.seeing.logs.configure", lambda *_: None)
    for name in [name for name in os.environ if name.startswith("DUCO_") and "__" in name]:
        monkeypatch.delenv(name)
    return tmp_path


def listed(capfd: pytest.CaptureFixture[str], *more: str) -> list[list[str]]:
    """The rows of `token list`: ID, ROLES, MADE, ENDS, NAME."""
    capfd.readouterr()
    assert main(["token", "list", *more]) == 0
    lines = [[word.strip() for word in line.split("  ") if word] for line in capfd.readouterr().out.splitlines()]
    assert lines[0] == ["ID", "ROLES", "MADE", "ENDS", "NAME"]
    return lines[1:]


def test_without_a_running_process(capfd: pytest.CaptureFixture[str]) -> None:
    """stdout is the token and nothing else, stderr what it is; listed without it, taken back once."""
    with capture_logs() as lines:
        assert main(["token", "add", "Anna B.", "--tenant", "duco", "--tenant", "other", "--role", "viewer"]) == 0
        out, err = capfd.readouterr()
        token_id, secret = read_token(out.removesuffix("\n")) or ("", "")
        said = f"token {token_id} of Anna B.: duco:viewer other:viewer, no end; it is shown this once\n"
        assert err == said
        assert main(["token", "add", "studio", "--tenant", "*", "--role", "service", "--days", "30"]) == 0
        rows = listed(capfd)
        assert [(row[0], row[1], row[3], row[4]) for row in rows[:1]] == [
            (token_id, "duco:viewer other:viewer", "-", "Anna B.")
        ]
        assert rows[1][1] == "*:service" and rows[1][3].endswith("Z") and rows[1][4] == "studio"
        assert main(["token", "remove", token_id]) == 0
        assert main(["token", "remove", token_id]) == 2
        assert f"token '{token_id}' is not known" in capfd.readouterr().err
        assert len(listed(capfd)) == 1
    audit = [(line["action"], line["token_name"], line["who"]) for line in lines if line["event"] == "audit"]
    assert audit == [("added", "Anna B.", "local"), ("added", "studio", "local"), ("removed", "Anna B.", "local")]
    assert secret and secret not in repr(lines)


def test_sessions(capfd: pytest.CaptureFixture[str]) -> None:
    """Who is signed in, newest first, is listed apart from the tokens, and ended by its id."""
    now_ms = SystemClock().wall_ms()
    minted = [mint("session", name, {"duco": "viewer"}, now_ms + n, now_ms + 60_000) for n, name in enumerate("ab")]
    over, _ = mint("session", "over", {"duco": "viewer"}, now_ms - 2, now_ms - 1)

    async def keep() -> None:
        meta = SqliteMeta(Path("data/meta.sqlite"))
        await meta.open()
        for kept in (over, *(each[0] for each in minted)):
            await meta.add_credential(kept)
        await meta.close()

    assert main(["token", "add", "anna", "--tenant", "duco", "--role", "viewer"]) == 0
    asyncio.run(keep())
    assert [row[4] for row in listed(capfd)] == ["anna"]
    assert [row[4] for row in listed(capfd, "--sessions")] == ["b", "a"]
    assert main(["token", "remove", minted[0][0].id]) == 0
    assert [row[4] for row in listed(capfd, "--sessions")] == ["b"]
    assert [row[4] for row in listed(capfd)] == ["anna"]


WRONG: dict[str, tuple[list[str], str]] = {
    "service in a tenant": (["--tenant", "duco", "--role", "service"], "the role service is one in all tenants, '*'"),
    "a tenant's name": (["--tenant", "a b", "--role", "viewer"], "tenant 'a b'"),
    "days": (["--tenant", "duco", "--role", "viewer", "--days", "0"], "days 0: 1 to 3650"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong(case: str, capfd: pytest.CaptureFixture[str]) -> None:
    """Exit 2, one line, nothing made."""
    words, said = WRONG[case]
    assert main(["token", "add", "anna", *words]) == 2
    out, err = capfd.readouterr()
    assert out == "" and said in err and len(err.splitlines()) == 1
    assert not Path("data").exists()


@pytest.mark.parametrize(
    "words",
    [
        "token",
        "token add anna --role viewer",
        "token add anna --tenant t",
        "token add a --tenant t --role x",
        "token remove",
    ],
)
def test_wrong_arguments(words: str, capfd: pytest.CaptureFixture[str]) -> None:
    """As everything else that is wrong."""
    with pytest.raises(SystemExit) as ended:
        main(words.split())
    assert ended.value.code == 2
    assert len(capfd.readouterr().err.strip().splitlines()) == 1


async def status(http: aiohttp.ClientSession, url: str, token: str, method: str = "GET") -> int:
    """What a request is answered with."""
    async with http.request(method, url, headers={"Authorization": f"Bearer {token}"} if token else {}) as response:
        return response.status


async def command(*words: str) -> int:
    """A command line, which has a loop of its own."""
    return await asyncio.to_thread(main, list(words))


async def test_a_process_that_asks_who_it_is(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """On all addresses, with TLS: commands come by loopback, its certificate and its key; tokens are good at once,
    refused at once; the log hints at the first one and has no secret."""
    files = Certificates(folder / "tls").server("127.0.0.1")
    settings = [
        "web.auth=tokens",
        "web.host=0.0.0.0",
        f"web.cert_file={files.cert}",
        f"web.key_file={files.key}",
        "app.roles=['metaapi']",
    ]
    (folder / "key.dbc").write_text(dbc_text("256 Engine 2\nrpm : 0|16@1+ (1,0)"))
    log = folder / "program.log"
    async with program(folder / "data", *settings, log=log) as running, aiohttp.ClientSession() as http:
        assert running.url.startswith("https://127.0.0.1:")
        lock = folder / "data" / "lock"
        owner = owner_of(folder / "data")
        assert owner is not None and stat.S_IMODE(lock.stat().st_mode) == 0o600
        assert await command("token", "add", "anna", "--tenant", "t1", "--role", "viewer") == 0
        token = capfd.readouterr().out.strip()
        token_id = token.split("_")[1]
        assert await command("device", "add", "D1", "--tenant", "t1", "--dbc", "key.dbc") == 0
        assert await command("device", "list") == 0
        out = capfd.readouterr().out
        assert "D1" in out and "DUCO_001" in out
        assert await command("reparse", "--device", "D1", "--from", "-1h", "--to", "now") == 2
        assert "neither role process nor studio" in capfd.readouterr().err  # it was let in, and answered
        http._connector._ssl = client_context(str(folder / "tls" / "ca.pem"), "ca")  # type: ignore[union-attr]
        place = f"{running.url}api/metaapi/devices?tenant=t1"
        found = [await status(http, place, each) for each in (token, "", token + "x", owner.key)]
        assert found == [200, 401, 401, 200]
        assert [row[4] for row in await asyncio.to_thread(listed, capfd)] == ["anna"]
        assert await command("token", "remove", token_id) == 0
        assert await status(http, place, token) == 401
        assert await asyncio.to_thread(listed, capfd, "--sessions") == []
        assert await command("token", "remove", token_id) == 2
        assert await running.end() == 0
    said = log.read_text()
    assert "there is no token yet: nobody can sign in" in said
    assert f'"token_id": "{token_id}"' in said
    for secret in (token, token.split("_", 2)[2], owner.key):
        assert secret not in said
    db = sqlite3.connect(folder / "data" / "meta.sqlite")
    assert db.execute("SELECT tenant FROM parsing_owners WHERE name = 'D1'").fetchall() == [("t1",)]
    db.close()
