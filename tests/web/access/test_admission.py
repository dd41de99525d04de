"""Who asks too often, who guesses, and whose body does not come, against the running server."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from msgspec.structs import replace

from duco_rt.config import Web
from duco_rt.rights import ANONYMOUS, Grants, Identity
from duco_rt.web.access import admission
from duco_rt.web.access.admission import user_of
from duco_rt.web.access.authentication import LOCAL, MONITOR
from tests.web.conftest import BASE, LOCAL_KEY, Site, is_error
from tests.web.live.viewing import becomes
from tests.web.raw import Raw, code
from tests.web.slow_rates import SlowRates

pytestmark = pytest.mark.servers  # a web server of its own each

LIMITS = Web(
    port=0,
    auth="tokens",
    requests_user_per_s_max=5,
    requests_tenant_per_s_max=12,
    denied_per_s_max=3,
    body_bytes_max=1_000_000,
)
SECRET = "x" * 43


@pytest.fixture
def web() -> Web:
    """Small limits."""
    return LIMITS


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refusals wait no second here, and a share that was used up is not there again when a slow machine asks on."""
    monkeypatch.setattr(admission, "HOLD_S", 0.0)
    monkeypatch.setattr(admission, "Rates", SlowRates)


def guess(number: int) -> dict[str, str]:
    """A token that was never made."""
    return {"Authorization": f"Bearer duco_{number:016x}_{SECRET}"}


async def status(site: Site, headers: dict[str, str], path: str = BASE) -> int:
    """Of one request."""
    async with site.session.get(path, headers=headers) as response:
        return response.status


async def test_a_users_share(site: Site) -> None:
    """One user that asks too often is told when to ask again; another one, and this machine, are not affected."""
    anna, bert = await site.token("anna", duco="viewer"), await site.token("bert", duco="viewer")
    assert [await status(site, anna) for _ in range(10)] == [200] * 10
    async with site.session.get(BASE, headers=anna) as response:
        assert is_error((response.status, await response.json()), 429, "too_many_requests")
        assert response.headers["Retry-After"] == "1"
    assert await status(site, bert) == 200 and await status(site, anna, "/healthz") == 200
    local = {"Authorization": f"Bearer {LOCAL_KEY}"}
    assert [await status(site, local) for _ in range(30)] == [200] * 30
    assert site.metrics.value("web_refused_total", why="requests") == 1


async def test_sessions_share_with_each_other(site: Site) -> None:
    """Signing in again gives no second share."""
    for _ in range(2):
        session = await site.session_of("viewer")
        assert [await status(site, session) for _ in range(5)] == [200] * 5
    assert await status(site, await site.session_of("viewer")) == 429


async def test_who_guesses_is_not_heard(site: Site) -> None:
    """After a burst nothing of that address is looked up that was not let in before, right or wrong."""
    anna = await site.token("anna", duco="viewer")
    assert await status(site, anna) == 200
    assert [await status(site, guess(number)) for number in range(6)] == [401] * 6
    new = await site.token("new", duco="viewer")
    for wrong in (guess(9), guess(0), new):
        assert is_error(await site.ask("GET", BASE, headers=wrong), 429, "too_many_requests")
    assert await status(site, anna) == 200  # those at work beside one who guesses work on
    assert await status(site, {}) == 401 and await status(site, {}, "/healthz") == 200
    assert site.metrics.value("web_refused_total", why="denied") == 3


async def test_one_wrong_token_again_and_again(site: Site) -> None:
    """A script that was forgotten is refused, and nobody else: it guesses nothing."""
    anna = await site.token("anna", duco="viewer")
    assert [await status(site, guess(1)) for _ in range(8)] == [401] * 6 + [429] * 2
    assert await status(site, guess(2)) == 401 and await status(site, anna) == 200


async def test_one_that_was_good_is_known_no_longer(site: Site) -> None:
    """A token that was taken back counts as a wrong one."""
    anna = await site.token("anna", duco="viewer")
    assert await status(site, anna) == 200
    [credential] = await site.meta.tokens()
    await site.meta.remove_credential(credential.id)
    site.authentication.forget(credential.id)
    assert [await status(site, anna) for _ in range(7)] == [401] * 6 + [429]


async def test_signing_in_by_guesses(site: Site) -> None:
    """The sign-in page takes as many tries."""
    headers = {"Origin": site.url}
    found = []
    for number in range(7):
        form = {"token": f"duco_{number:016x}_{SECRET}"}
        async with site.session.post("/sign-in", data=form, headers=headers) as response:
            found.append(response.status)
    assert found == [401] * 6 + [429]
    assert await status(site, {}, "/sign-in") == 200


async def test_refusals_that_wait_are_bounded(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """They come late, lest asking at full speed pays; beyond some of one user they come at once, and end it."""
    monkeypatch.setattr(admission, "HOLD_S", 60.0)
    monkeypatch.setattr(admission, "_HELD_MAX", 2)
    anna = await site.token("anna", duco="viewer")
    for _ in range(10):
        assert await status(site, anna) == 200
    waiting = [await Raw.open(site.url) for _ in range(3)]
    for at, connection in enumerate(waiting):
        connection.ask(BASE, f"Authorization: {anna['Authorization']}")
        await becomes(site, "web_refused_total", at + 1, why="requests")
    answer = await waiting[-1].answer()
    assert (answer.status, code(answer), answer.ends) == (429, "too_many_requests", True)
    for connection in waiting:
        connection.close()


async def test_a_tenants_share(site: Site) -> None:
    """Its tokens share as much as a tenant has, whatever they ask about it; another tenant is not affected."""
    for number in range(3):
        user = await site.token(f"anna{number}", duco="viewer")
        assert [await status(site, user) for _ in range(8)] == [200] * 8
    last = await site.token("anna3", duco="viewer")
    assert {await status(site, last), await status(site, last, "/api/session")} == {429}
    bert, both = await site.token("bert", acme="viewer"), await site.token("both", duco="viewer", acme="viewer")
    of_acme = "/api/resources/acme/_common/datasets"
    assert await status(site, bert, of_acme) == await status(site, both, of_acme) == 200
    assert await status(site, both) == 429 and await status(site, both, "/api/session") == 200
    local = {"Authorization": f"Bearer {LOCAL_KEY}"}
    assert [await status(site, local) for _ in range(30)] == [200] * 30
    assert site.metrics.value("web_refused_total", why="requests_tenant") == 3


async def test_many_guesses_at_once(site: Site) -> None:
    """They are begun before one has failed; their address is not shut out for longer than after a few."""
    headers = {"Origin": site.url}

    async def sign_in(number: int) -> None:
        form = {"token": f"duco_{number:016x}_{SECRET}"}
        async with site.session.post("/sign-in", data=form, headers=headers) as response:
            assert response.status in (401, 429)

    await asyncio.gather(*(sign_in(number) for number in range(60)))
    async with site.session.get(BASE, headers=guess(99)) as response:
        assert response.status == 429 and 1 <= int(response.headers["Retry-After"]) <= 2


async def test_a_strangers_body_has_less_time(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Than whoever has signed in; a form is short."""
    monkeypatch.setattr(admission, "_STRANGERS_BODY_S", 0.01)
    connection = await Raw.open(site.url)
    connection.ask("/sign-in", "Origin: http://localhost", "Content-Length: 100", method="POST")
    answer = await connection.answer()
    assert (answer.status, code(answer), answer.ends) == (408, "request_timeout", True)
    assert "0.01 s" in answer.body["error"]["message"]


@pytest.mark.parametrize("version", ["0.9", "2.0"])
async def test_another_version_of_http(site: Site, version: str) -> None:
    """Is not answered as if it were one that is spoken here."""
    connection = await Raw.open(site.url)
    connection.send(f"GET /healthz HTTP/{version}\r\nHost: localhost\r\n\r\n")
    answer = await connection.answer()
    assert (answer.status, code(answer), answer.ends) == (505, "http_version_not_supported", True)


@pytest.mark.parametrize("web", [replace(LIMITS, body_timeout_s=0.1)], ids=["soon"])
async def test_a_body_that_does_not_come(site: Site) -> None:
    """Is not waited for, and the connection ends; nor is one that nobody reads."""
    anna = await site.token("anna", duco="operator")
    for path, expected in ((f"{BASE}/_groups", (408, "request_timeout")), ("/nowhere", (404, "no_such_route"))):
        connection = await Raw.open(site.url)
        headers = f"Authorization: {anna['Authorization']}", "Content-Length: 100"
        connection.ask(path, *headers, method="POST")
        connection.send('{"name":')
        answer = await connection.answer()
        assert (answer.status, code(answer)) == expected and answer.ends
        assert await connection.ended()


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "GZIP, identity"])
async def test_compressed_bodies(site: Site, encoding: str) -> None:
    """Are refused before anything is made of them: some bytes would be gigabytes."""
    anna = await site.token("anna", duco="operator")
    headers = {**anna, "Content-Encoding": encoding}
    async with site.session.post(f"{BASE}/_groups", data=b"x" * 100, headers=headers) as response:
        assert is_error((response.status, await response.json()), 415, "unsupported_media_type")


async def test_bodies_as_they_are(site: Site) -> None:
    """`identity` says nothing, in pieces they may come as well, and too large ones are refused."""
    anna = await site.token("anna", duco="operator")
    path = f"{BASE}/_groups"
    headers = {**anna, "Content-Encoding": "identity"}
    async with site.session.post(path, data=b"{", headers=headers) as response:
        assert response.status == 400
    async with site.session.post(path, data=b" " * 2_000_000, headers=anna) as response:
        assert is_error((response.status, await response.json()), 413, "request_entity_too_large")


def test_whose_share_it_is() -> None:
    """A token's own; of a signed-in user all sessions, though another tenant's may have the same name."""

    def session(grants: Grants, credential: str) -> Identity:
        return Identity("anna", "session", grants, credential)

    one = session({"a": "viewer"}, "1")
    assert user_of(one) == user_of(session({"a": "viewer"}, "2")) != user_of(session({"b": "viewer"}, "3"))
    assert user_of(Identity("anna", "token", {"a": "viewer"}, "4")) == "4" != user_of(one)
    assert user_of(MONITOR) == "monitor"
    assert user_of(LOCAL) is user_of(ANONYMOUS) is user_of(None) is None


async def test_without_authentication_nobody_is_refused(tmp_path: Path) -> None:
    """Nobody can guess, and there are no users."""
    async with Site(tmp_path, Web(port=0, requests_user_per_s_max=1, denied_per_s_max=1)).running() as site:
        found = await asyncio.gather(*(status(site, guess(number)) for number in range(50)))
        assert set(found) == {200}
