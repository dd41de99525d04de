"""The whole code flow against a real issuer, and each way in which it must not let in."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from structlog.testing import capture_logs
from yarl import URL

from duco_rt.config import Web
from duco_rt.web.access.oidc import Begun, read_begun, safe_fragment
from tests.servers.oidc import CLIENT_ID, CLIENT_SECRET, OidcIssuer, new_key, oidc_issuer
from tests.web.access.sign_in import SignInServer, said, sign_in_server

pytestmark = pytest.mark.servers

REFUSED = "What the issuer answered was not accepted. Please try again."


def config(issuer: OidcIssuer, **more: Any) -> Web:
    """With the issuer."""
    return Web(
        port=0, auth="oidc", oidc_issuer=issuer.url, oidc_client_id=CLIENT_ID, oidc_client_secret=issuer.secret, **more
    )


@pytest.fixture
async def issuer() -> AsyncIterator[OidcIssuer]:
    """One that gives the role operator in duco."""
    async with oidc_issuer() as running:
        yield running


@pytest.fixture
async def server(tmp_path: Path, issuer: OidcIssuer) -> AsyncIterator[SignInServer]:
    """With that issuer."""
    async with sign_in_server(tmp_path, config(issuer)) as running:
        yield running


async def approve(server: SignInServer, at: str = "") -> str:
    """Go to the issuer and sign in there; where it sends the browser."""
    async with await server.get("/sign-in/oidc", params={"at": at} if at else {}) as answer:
        assert answer.status == 303, await answer.text()
        there = answer.headers["Location"]
    async with server.http.get(there) as answer:
        fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', await answer.text()))
        login = urlsplit(str(answer.url))._replace(path="/login", query="").geturl()
    async with server.http.post(login, data=fields, allow_redirects=False) as answer:
        assert answer.status == 302
        return answer.headers["Location"].removeprefix(server.url)


async def test_the_whole_flow(server: SignInServer, issuer: OidcIssuer) -> None:
    """State, nonce and PKCE go along; back comes a session of our own, at the place where one wanted to be."""
    async with await server.get("/sign-in/oidc") as answer:
        address, morsel = urlsplit(answer.headers["Location"]), answer.cookies["duco_oidc"]
    begun = read_begun(morsel.value)
    assert begun is not None
    assert (morsel["httponly"], morsel["samesite"], morsel["max-age"], morsel["path"]) == (True, "Lax", "600", "/")
    challenge = base64.urlsafe_b64encode(hashlib.sha256(begun.verifier.encode()).digest()).decode().rstrip("=")
    assert {name: values[0] for name, values in parse_qs(address.query).items()} == {
        "response_type": "code",
        "client_id": CLIENT_ID,
        "redirect_uri": f"{server.url}/sign-in/oidc/back",
        "scope": "openid profile",
        "state": begun.state,
        "nonce": begun.nonce,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    assert begun.verifier not in address.query

    back = await approve(server, "#/duco/DUCO_001?w=60")
    async with await server.get(back) as answer:
        assert (answer.status, answer.headers["Location"]) == (303, "/#/duco/DUCO_001?w=60")
        assert answer.cookies["duco_oidc"]["max-age"] == "0"
    found = await server.session()
    assert isinstance(found, dict)
    assert (found["auth"], found["name"], found["grants"]) == ("oidc", "anna", {"duco": "operator"})
    async with await server.get("/api/session", headers={"Authorization": f"Bearer {issuer.token()}"}) as answer:
        assert (await answer.json())["name"] == "anna"


@pytest.mark.parametrize(
    ("secret", "methods"),
    [
        ("", None),
        (CLIENT_SECRET, ["client_secret_post"]),
        (CLIENT_SECRET, ["client_secret_post", "client_secret_basic"]),
    ],
)
async def test_how_we_say_who_we_are(
    tmp_path: Path, issuer: OidcIssuer, secret: str, methods: list[str] | None
) -> None:
    """Without a secret, with it in the form, or in the header, as the issuer likes it."""
    issuer.secret, issuer.auth_methods = secret, methods
    async with (
        sign_in_server(tmp_path, config(issuer)) as server,
        await server.get(await approve(server)) as answer,
    ):
        assert answer.status == 303, await answer.text()


async def refused(server: SignInServer, back: str, status: int = 401) -> str:
    """What the page says; nobody is signed in."""
    async with await server.get(back) as answer:
        assert answer.status == status
        assert "duco_session" not in answer.cookies
        words = said(await answer.text())
    assert await server.session() == 401
    return words


async def test_a_forged_state(server: SignInServer, issuer: OidcIssuer) -> None:
    """Nor another's, nor none, nor the right one in another browser; and no code is spent on it."""
    back = await approve(server)
    state = parse_qs(urlsplit(back).query)["state"][0]
    kept = server.http.cookie_jar.filter_cookies(URL(server.url))["duco_oidc"].value
    for forged in (back.replace(state, "x" * 43), back.replace(state, ""), back.replace("state=", "other=")):
        assert "another window" in await refused(server, forged)
        server.http.cookie_jar.update_cookies({"duco_oidc": kept})
    server.http.cookie_jar.clear()
    assert "another window" in await refused(server, back)
    server.http.cookie_jar.update_cookies({"duco_oidc": "a.b.c.d"})
    assert "another window" in await refused(server, back)
    assert "/token" not in issuer.asked


async def test_a_code_counts_once(server: SignInServer) -> None:
    """Back again is not in again: what was begun is over."""
    back = await approve(server)
    await (await server.get(back)).release()
    await (await server.post("/sign-out")).release()
    assert "another window" in await refused(server, back)


@pytest.mark.parametrize(
    "changed",
    [
        {"nonce": "another"},
        {"nonce": None},
        {"aud": "another"},
        {"aud": [CLIENT_ID, "another"]},
        {"azp": "another"},
        {"iss": "http://127.0.0.1:1"},
        {"exp": 1},
    ],
)
async def test_a_wrong_id_token(server: SignInServer, issuer: OidcIssuer, changed: dict[str, Any]) -> None:
    """Of another browser, for somebody else, of another issuer, or old."""
    issuer.changed = changed
    assert await refused(server, await approve(server)) == REFUSED


async def test_several_audiences(server: SignInServer, issuer: OidcIssuer) -> None:
    """Where it says that it was made for us."""
    issuer.changed = {"aud": [CLIENT_ID, "another"], "azp": CLIENT_ID}
    async with await server.get(await approve(server)) as answer:
        assert answer.status == 303


async def test_a_stranger_signed_it(server: SignInServer, issuer: OidcIssuer) -> None:
    """An id_token of a key that is not the issuer's."""
    back = await approve(server)
    issuer.published = [issuer.keys[0].public()]
    issuer.keys.append(new_key("ES256", "k1"))
    assert await refused(server, back) == REFUSED


async def test_another_client_s_secret(server: SignInServer, issuer: OidcIssuer) -> None:
    """The issuer does not know us: that is said in the audit log, not on the page; and no secret is in it."""
    back = await approve(server)
    issuer.secret = "other"
    with capture_logs() as lines:
        assert await refused(server, back) == REFUSED
    (line,) = (line for line in lines if line.get("event_kind") == "sign-in")
    assert line["why"] == "the issuer's token endpoint: status 401, 'invalid_client'"
    assert (line["result"], line["path"], line["who"]) == ("denied", "/sign-in/oidc/back", "")
    for secret in (CLIENT_SECRET, *parse_qs(urlsplit(back).query)["code"], *parse_qs(urlsplit(back).query)["state"]):
        assert secret not in str(lines)


async def test_who_signed_in_is_in_the_audit_log(server: SignInServer) -> None:
    """By name, and with the session's id."""
    back = await approve(server)
    with capture_logs() as lines:
        await (await server.get(back)).release()
    (line,) = lines
    assert (line["event_kind"], line["who"], line["kind"], line["result"]) == ("sign-in", "anna", "session", "done")
    assert await server.meta.credential(line["credential"]) is not None


async def test_what_the_issuer_refuses(server: SignInServer, issuer: OidcIssuer) -> None:
    """Its code is told where it is one; no text of an address gets onto the page."""
    issuer.refuses = "access_denied"
    assert await refused(server, await approve(server)) == "The issuer did not sign you in: access_denied."
    issuer.refuses = "<script>alert(1)</script>"
    assert await refused(server, await approve(server)) == "The issuer did not sign you in: an error."
    back = await approve(server)
    assert "expected issuer" in await refused(server, re.sub("iss=[^&]*", "iss=http://evil.example", back))


async def test_nobody_s_role(server: SignInServer, issuer: OidcIssuer) -> None:
    """Who is known and may do nothing is told so, by name."""
    issuer.user = {"sub": "u2", "preferred_username": "<i>bob</i>", "duco_roles": ["other:thing"]}
    words = await refused(server, await approve(server), 403)
    assert words.startswith("You are &lt;i&gt;bob&lt;/i&gt;, and have no role here yet.")


async def test_the_issuer_away(server: SignInServer, issuer: OidcIssuer) -> None:
    """Before and after: the page says who does not answer. A token lets in all the same."""
    issuer.is_away = True
    async with await server.get("/sign-in/oidc") as answer:
        assert answer.status == 503
        assert said(await answer.text()) == f"{issuer.url} does not answer. Please try again."
    issuer.is_away = False
    server.clock.moved_s = 3
    back = await approve(server)
    issuer.is_away = True
    assert "does not answer" in await refused(server, back, 503)
    async with await server.sign_in(await server.token(duco="viewer")) as answer:
        assert answer.status == 303


async def test_the_page_names_the_issuer(server: SignInServer) -> None:
    """And has the token's form folded below it."""
    async with await server.get("/sign-in") as answer:
        page = await answer.text()
    assert 'href="/sign-in/oidc" >Continue with 127.0.0.1</a>' in page
    assert "<details >" in page
    assert said(page) == ""


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("#/duco/DUCO_001?w=60&hide=a:b", True),
        ("#/", True),
        ("", False),
        ("https://evil.example/#/", False),
        ("//evil.example", False),
        ("#//evil.example", True),  # behind # it leads nowhere
        ("#/a\r\nSet-Cookie: x", False),
        ("#/ü", False),
        ("#/" + "x" * 1500, False),
    ],
)
def test_no_way_elsewhere(text: str, safe: bool) -> None:
    """Only a place on our own page is gone back to; it survives the cookie."""
    assert safe_fragment(text) == (text if safe else "")
    begun = Begun("s" * 43, "n" * 43, "v" * 43, text)
    assert read_begun(begun.text()) in (begun._replace(fragment=safe_fragment(text)), None)
    assert not safe or read_begun(begun.text()) == begun
