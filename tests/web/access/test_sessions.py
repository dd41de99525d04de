"""Signing in by a token, the cookie, how long it holds, and signing out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from http.cookies import Morsel
from pathlib import Path
from typing import Any

import pytest

from duco_rt.config import Web
from duco_rt.rights import read_token
from tests.web.access.sign_in import SignInServer, said, sign_in_server
from tests.web.access.test_audit import Lines, audited, lines

__all__ = ["lines"]  # a fixture

pytestmark = pytest.mark.servers

HOUR_MS = 3_600_000


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[SignInServer]:
    """With auth = "tokens"."""
    async with sign_in_server(tmp_path, Web(port=0, auth="tokens", token_refresh_s=0.001)) as running:
        yield running


def cookie(answer: Any) -> Morsel[str]:
    """The session's."""
    found: Morsel[str] = answer.cookies["duco_session"]
    return found


async def test_signed_in(server: SignInServer) -> None:
    """A token becomes a session with its name and roles; what is kept of it is no secret."""
    assert await server.session() == 401
    token = await server.token("anna", duco="operator", acme="viewer")
    async with await server.sign_in(token) as answer:
        assert (answer.status, answer.headers["Location"]) == (303, "/")
        morsel = cookie(answer)
    attributes = {name: morsel[name] for name in ("path", "httponly", "samesite", "secure", "domain", "max-age")}
    wanted = {"path": "/", "httponly": True, "samesite": "Lax", "secure": "", "domain": "", "max-age": "43200"}
    assert attributes == wanted
    assert token not in morsel.value
    found = await server.session()
    assert isinstance(found, dict)
    assert found.pop("expires") == pytest.approx(server.clock.wall_ms() + 12 * HOUR_MS, abs=60_000)
    assert found == {
        "auth": "tokens",
        "name": "anna",
        "grants": {"duco": "operator", "acme": "viewer"},
        "tenants": ["acme", "duco"],
    }
    kept = await server.meta.credential((read_token(morsel.value) or ("",))[0])
    assert kept is not None
    assert (kept.kind, kept.parent) == ("session", (read_token(token) or ("",))[0])
    assert morsel.value.split("_", 2)[2] not in repr(kept)


async def test_a_role_in_all_tenants_sees_all_of_them(server: SignInServer) -> None:
    """Those that have a machine."""
    await (await server.sign_in(await server.token(every="admin"))).release()
    found = await server.session()
    assert isinstance(found, dict)
    assert (found["grants"], found["tenants"]) == ({"*": "admin"}, ["acme", "duco"])


@pytest.mark.parametrize("case", ["", "garbage", "unknown", "altered", "over", "a session", "no field"])
async def test_a_wrong_token(server: SignInServer, case: str) -> None:
    """Is told on the page, with 401, and gives no cookie."""
    token = await server.token(hours=1, duco="viewer")
    if case == "over":
        server.clock.moved_s = 3600
    if case == "a session":
        async with await server.sign_in(token) as answer:
            token = cookie(answer).value
        server.http.cookie_jar.clear()
    given = {
        "garbage": "duco_<b>",
        "unknown": f"duco_{'0' * 16}_{token.split('_', 2)[2]}",
        "altered": token[:-1],
        "": "",
    }
    data = {"other": token} if case == "no field" else {"token": given.get(case, token)}
    async with await server.post("/sign-in", data) as answer:
        page = await answer.text()
        assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, "Bearer")
        assert answer.headers["Cache-Control"] == "no-store"
        assert "form-action 'self'" in answer.headers["Content-Security-Policy"]
        assert not answer.cookies
    assert said(page) == "This token is not known, has ended, or was taken back."
    assert "<b>" not in page


@pytest.mark.parametrize("role", ["service", "monitor"])
async def test_a_token_for_programs(server: SignInServer, role: Any) -> None:
    """No browser gets a session with it."""
    async with await server.sign_in(await server.token(every=role)) as answer:
        assert answer.status == 403
        assert said(await answer.text()).startswith("This token is for programs.")
        assert not answer.cookies


@pytest.mark.parametrize("path", ["/sign-in", "/sign-out"])
@pytest.mark.parametrize("headers", [{"Origin": ""}, {"Origin": "http://evil.example"}, {"Origin": "null"}])
async def test_another_page_cannot(server: SignInServer, path: str, headers: dict[str, str]) -> None:
    """Neither sign somebody in as somebody else nor out."""
    token = await server.token(duco="viewer")
    await (await server.sign_in(token)).release()
    async with await server.post(path, {"token": token}, **headers) as answer:
        assert answer.status == 403
        assert (await answer.json())["error"]["code"] == "foreign_origin"
        assert not answer.cookies
    assert isinstance(await server.session(), dict)


async def test_a_session_ends_with_its_token(server: SignInServer) -> None:
    """At its end, and when it is taken back."""
    token = await server.token(hours=2, duco="viewer")
    async with await server.sign_in(token) as answer:
        assert 7140 <= int(cookie(answer)["max-age"]) <= 7200
    server.clock.moved_s = 7201
    assert await server.session() == 401

    token = await server.token(duco="viewer")
    await (await server.sign_in(token)).release()
    assert isinstance(await server.session(), dict)
    await server.meta.remove_credential((read_token(token) or ("",))[0])
    server.clock.moved_s += 1
    assert await server.session() == 401


async def test_a_session_ends_by_itself(server: SignInServer) -> None:
    """After `web.session_hours`, whatever the browser does with its cookie."""
    async with await server.sign_in(await server.token(duco="viewer")) as answer:
        text = cookie(answer).value
    server.clock.moved_s = 12 * 3600 + 1
    async with await server.get("/api/session", headers={"Cookie": f"duco_session={text}"}) as answer:
        assert answer.status == 401


async def test_signed_out(server: SignInServer) -> None:
    """The cookie goes, and is good for nothing where somebody kept it."""
    async with await server.sign_in(await server.token(duco="viewer")) as answer:
        text = cookie(answer).value
    async with await server.post("/sign-out") as answer:
        assert (answer.status, answer.headers["Location"]) == (303, "/sign-in")
        assert (cookie(answer).value, cookie(answer)["max-age"]) == ("", "0")
    async with await server.get("/api/session", headers={"Cookie": f"duco_session={text}"}) as answer:
        assert answer.status == 401
    async with await server.post("/sign-out") as answer:  # nobody is signed in
        assert answer.status == 303


async def test_signed_in_anew(server: SignInServer) -> None:
    """The session before it is over."""
    texts = []
    for name in ("anna", "berta"):
        async with await server.sign_in(await server.token(name, duco="viewer")) as answer:
            assert len(answer.headers.getall("Set-Cookie")) == 1
            texts.append(cookie(answer).value)
    found = await server.session()
    assert isinstance(found, dict)
    assert found["name"] == "berta"
    server.http.cookie_jar.clear()
    async with await server.get("/api/session", headers={"Cookie": f"duco_session={texts[0]}"}) as answer:
        assert answer.status == 401


async def test_metaapi_away(server: SignInServer) -> None:
    """The page says so; who signs out is told that it did not work, and is still in."""
    token = await server.token(duco="viewer")
    server.meta.is_away = True
    async with await server.sign_in(token) as answer:
        assert answer.status == 503
        assert "cannot be checked" in said(await answer.text())
    server.meta.is_away = False
    await (await server.sign_in(token)).release()
    assert isinstance(await server.session(), dict)
    server.meta.is_away = True
    async with await server.post("/sign-out") as answer:
        assert answer.status == 503
        assert "did not work" in said(await answer.text())
    assert isinstance(await server.session(), dict)


async def test_forms_that_are_none(server: SignInServer) -> None:
    """Too large is refused unread; of another kind has no token."""
    async with await server.post("/sign-in", {"token": "x" * 5000}) as answer:
        assert answer.status == 413
    async with await server.post(
        "/sign-in", b"\xff\xfe=&&token", **{"Content-Type": "text/plain; charset=nope"}
    ) as found:
        assert found.status == 401


async def test_under_tls(tmp_path: Path) -> None:
    """The cookie is Secure, and of a name that other hosts of the domain cannot set."""
    config = Web(port=0, auth="tokens", public_url="https://duco.example")
    async with sign_in_server(tmp_path, config) as server:
        token = await server.token(duco="viewer")
        named = {"Origin": "https://duco.example", "Host": "duco.example"}
        async with await server.post("/sign-in", {"token": token}, **named) as answer:
            morsel = answer.cookies["__Host-duco_session"]
            assert (morsel["secure"], morsel["path"], morsel["domain"]) == (True, "/", "")


async def test_without_authentication(tmp_path: Path) -> None:
    """Nobody signs in; the page is told that it may do everything."""
    async with sign_in_server(tmp_path, Web(port=0)) as server:
        expected: Any = {
            "auth": "none",
            "name": "anonymous",
            "grants": {"*": "service"},
            "tenants": [],
            "expires": None,
        }
        assert await server.session() == expected
        for path in ("/sign-in", "/sign-in/oidc", "/sign-in/oidc/back"):
            async with await server.get(path) as answer:
                assert (answer.status, answer.headers["Location"]) in ((303, "/"), (303, "/sign-in"))
        async with await server.post("/sign-out") as answer:
            assert (answer.status, answer.headers["Location"]) == (303, "/")


async def test_signing_in_too_often(tmp_path: Path, lines: Lines) -> None:
    """By one token ten times, and once a second from then on: no session is thrown out by others; others come in."""
    config = Web(port=0, auth="tokens", denied_per_s_max=1000)
    async with sign_in_server(tmp_path, config) as server:
        token, other = await server.token("anna", duco="viewer"), await server.token("bert", duco="viewer")
        statuses = []
        for _ in range(40):
            async with await server.sign_in(token) as answer:
                statuses.append(answer.status)
                page, retry = await answer.text(), answer.headers.get("Retry-After")
        assert (statuses, retry) == ([303] * 10 + [429] * 30, "1")
        found = [line["result"] for line in audited(lines)]
        assert found == ["done"] * 10 + ["denied"] * 20  # of refusals not each has a line
        assert "too often" in said(page)
        assert await server.session() != 401
        assert (await server.sign_in(other)).status == 303
        server.clock.moved_s = 2
        assert (await server.sign_in(token)).status == 303
