"""Who a request is from: what each way in gives, and that everything else is refused with the same words."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from duco_rt.config import Web
from duco_rt.errors import TransportError, Unauthorized
from duco_rt.rights import ANONYMOUS, Identity, token_text
from duco_rt.transports.meta_sqlite import SqliteMeta
from duco_rt.web.access.authentication import LOCAL, MONITOR, REFUSED, Authentication, cookie_name
from duco_rt.web.access.tokens import mint
from tests.web.conftest import NOW_MS, SetClock

KEY = "local-" + "k" * 37
MONITOR_TOKEN = "m" * 20
TOKENS = Web(auth="tokens", monitor_token=MONITOR_TOKEN, token_refresh_s=5)
HOUR_MS = 3_600_000


class Issuer:
    """Knows one JWT."""

    async def verify(self, text: str) -> Identity:
        """Whose it is."""
        if text == "away":
            raise TransportError("the issuer is away")
        if text != "a.good.jwt":
            raise Unauthorized("its signature is of another key")
        return Identity("otto", "jwt", {"duco": "viewer"}, expires_ms=NOW_MS + HOUR_MS)


class Place:
    """MetaAPI's data, and who is asked."""

    def __init__(self, folder: Path) -> None:
        self.clock = SetClock()
        self.meta = SqliteMeta(folder / "meta.sqlite", self.clock)
        self.tokens = Authentication(TOKENS, self.meta, KEY, self.clock)

    async def token(self, expires_ms: int | None = None) -> tuple[str, str]:
        """Id and text of a new one."""
        kept, text = mint("token", "anna", {"duco": "operator"}, NOW_MS, expires_ms)
        await self.meta.add_credential(kept)
        return kept.id, text

    async def session(self, parent: str) -> tuple[str, str]:
        """Id and text of one that was opened with a token."""
        kept, text = mint("session", "anna", {"duco": "operator"}, NOW_MS, NOW_MS + HOUR_MS, parent)
        await self.meta.add_credential(kept)
        return kept.id, text


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Place]:
    """Nobody has a token yet."""
    opened = Place(tmp_path)
    await opened.meta.open()
    yield opened
    await opened.meta.close()


async def who(asked: Authentication, *bearers: str, cookie: str = "", name: str = "duco_session") -> Identity | None:
    """Who a request with these is from."""
    headers = CIMultiDict[str]()
    for bearer in bearers:
        headers.add("Authorization", bearer)
    if cookie:
        headers["Cookie"] = f"{name}={cookie}"
    return await asked.identify(make_mocked_request("GET", "/", headers=headers))


async def test_without_authentication(place: Place) -> None:
    """Everybody is the same, whatever they send."""
    asked = Authentication(Web(), place.meta, KEY, place.clock)
    for identity in (await who(asked), await who(asked, "Bearer nonsense"), await who(asked, cookie="x")):
        assert identity == ANONYMOUS
    assert await asked.is_good(ANONYMOUS)


async def test_tokens_and_sessions(place: Place) -> None:
    """The header for scripts, the cookie for browsers; with both the header counts, and nothing is nobody."""
    token_id, token = await place.token(NOW_MS + HOUR_MS)
    session_id, session = await place.session(token_id)
    mine = Identity("anna", "token", {"duco": "operator"}, token_id, NOW_MS + HOUR_MS)
    assert await who(place.tokens, f"Bearer {token}") == mine
    assert await who(place.tokens, f"bearer  {token} ") == mine
    assert await who(place.tokens, f"Bearer {token}", cookie=session) == mine
    assert await who(place.tokens, f"Bearer {token}", cookie="nonsense") == mine
    browser = Identity("anna", "session", {"duco": "operator"}, session_id, NOW_MS + HOUR_MS)
    assert await who(place.tokens, cookie=session) == browser
    assert await who(place.tokens, "Basic YTpi", cookie=session) == browser
    assert await who(place.tokens) is None
    assert await who(place.tokens, "Basic YTpi") is None
    assert await who(place.tokens, cookie=session, name="__Host-duco_session") is None
    assert await place.tokens.of_token(token) == mine


async def test_the_cookie_under_tls(place: Place) -> None:
    """Only the name that other hosts of the domain cannot set."""
    for config in (Web(auth="tokens", public_url="https://duco.example"), Web(auth="tokens", cert_file="c")):
        asked = Authentication(config, place.meta, KEY, place.clock)
        token_id, _ = await place.token()
        _, session = await place.session(token_id)
        assert await who(asked, cookie=session) is None
        assert cookie_name(config) == "__Host-duco_session"
        identity = await who(asked, cookie=session, name="__Host-duco_session")
        assert identity is not None and identity.kind == "session"


async def test_what_is_refused_is_refused_with_the_same_words(place: Place) -> None:
    """Nothing tells an unknown id from a wrong secret, one that is over, or one of another kind."""
    token_id, token = await place.token()
    _, session = await place.session(token_id)
    _, over = await place.token(NOW_MS)
    wrong = token_text(token_id, "x" * 43)
    unknown = token_text("0" * 16, "x" * 43)
    bearers = [wrong, unknown, over, session, "", "duco_", token[:-1], f"{token}x", "a.good.jwt", "ü", "x" * 9000]
    refusals = [(f"Bearer {bearer}", "") for bearer in bearers]
    cookies = [("", cookie) for cookie in (wrong, unknown, token, "x", KEY, MONITOR_TOKEN, "a.good.jwt")]
    for bearer, cookie in [*refusals, *cookies, (f"Bearer {wrong}", session), ("Bearer", session)]:
        with pytest.raises(Unauthorized) as caught:
            await who(place.tokens, *([bearer] if bearer else []), cookie=cookie)
        assert str(caught.value) == REFUSED
    with pytest.raises(Unauthorized):
        await who(place.tokens, f"Bearer {token}", f"Bearer {token}")
    with pytest.raises(Unauthorized):
        await place.tokens.of_bearer("\udcff")  # bytes that are no UTF-8, as headers have them
    for text in (KEY, MONITOR_TOKEN, session):
        with pytest.raises(Unauthorized):
            await place.tokens.of_token(text)


async def test_the_keys_of_the_machine(place: Place) -> None:
    """The local key may do everything, the monitor's reads metrics; where one is not set nothing is let in by it."""
    assert await who(place.tokens, f"Bearer {KEY}") == LOCAL and LOCAL.is_service
    assert await who(place.tokens, f"Bearer {MONITOR_TOKEN}") == MONITOR
    assert MONITOR.may("monitor") and not MONITOR.may("viewer", "duco")
    unset = Authentication(Web(auth="tokens"), None, "", place.clock)
    for bearer in ("Bearer ", f"Bearer {MONITOR_TOKEN}", f"Bearer {KEY}"):
        with pytest.raises(Unauthorized):
            await who(unset, bearer)


async def test_the_secret_of_all_processes(place: Place) -> None:
    """Whoever shows the `meta.token` that MetaAPI itself has is another process."""
    shared = "s" * 40
    asked = Authentication(TOKENS, place.meta, KEY, place.clock, service_secret=shared)
    found = await who(asked, f"Bearer {shared}")
    assert found is not None and found.is_service and await asked.is_good(found)
    with pytest.raises(Unauthorized, match=REFUSED):
        await who(asked, f"Bearer {shared[:-1]}")


async def test_a_process_without_metaapi(place: Place) -> None:
    """Knows the machine's keys, and nobody else."""
    asked = Authentication(TOKENS, None, KEY, place.clock)
    assert await who(asked, f"Bearer {KEY}") == LOCAL
    assert await who(asked, f"Bearer {MONITOR_TOKEN}") == MONITOR
    _, token = await place.token()
    with pytest.raises(Unauthorized, match=REFUSED):
        await who(asked, f"Bearer {token}")
    assert not await asked.is_good(Identity("anna", "token", {}, "0" * 16))


async def test_jwts(place: Place) -> None:
    """With an issuer other bearers are its own; why one is refused is not told. Tokens go on."""
    asked = Authentication(msgspec.structs.replace(TOKENS, auth="oidc"), place.meta, KEY, place.clock, Issuer())
    identity = await who(asked, "Bearer a.good.jwt")
    assert identity is not None and identity.name == "otto"
    token_id, token = await place.token()
    found = await who(asked, f"Bearer {token}")
    assert found is not None and found.credential == token_id
    with pytest.raises(Unauthorized) as caught:
        await who(asked, "Bearer a.forged.jwt")
    assert str(caught.value) == REFUSED
    with pytest.raises(TransportError):
        await who(asked, "Bearer away")
    assert await asked.is_good(identity)
    place.clock.now_s += 3600
    assert not await asked.is_good(identity)


async def test_one_that_was_taken_back(place: Place) -> None:
    """Is refused within the refresh, at once where it was taken back here; what is open with it ends, too."""
    token_id, token = await place.token()
    _, session = await place.session(token_id)
    by_header, by_cookie = await who(place.tokens, f"Bearer {token}"), await who(place.tokens, cookie=session)
    assert by_header is not None and by_cookie is not None
    await place.meta.remove_credential(token_id)
    place.clock.now_s += 4.9
    assert await place.tokens.is_good(by_header) and await place.tokens.is_good(by_cookie)
    place.clock.now_s += 0.1
    assert not await place.tokens.is_good(by_header) and not await place.tokens.is_good(by_cookie)
    with pytest.raises(Unauthorized):
        await who(place.tokens, cookie=session)
    token_id, token = await place.token()
    _, session = await place.session(token_id)
    assert await who(place.tokens, cookie=session)
    await place.meta.remove_credential(token_id)
    place.tokens.forget(token_id)
    with pytest.raises(Unauthorized):
        await who(place.tokens, cookie=session)


async def test_one_that_ends(place: Place) -> None:
    """To the millisecond, for new requests and for what is open."""
    _, token = await place.token(NOW_MS + 1000)
    identity = await who(place.tokens, f"Bearer {token}")
    assert identity is not None
    place.clock.now_s = (NOW_MS + 999) / 1000
    assert await place.tokens.is_good(identity) and await who(place.tokens, f"Bearer {token}")
    place.clock.now_s = (NOW_MS + 1000) / 1000
    assert not await place.tokens.is_good(identity)
    with pytest.raises(Unauthorized):
        await who(place.tokens, f"Bearer {token}")


async def test_while_metaapi_is_away(place: Place) -> None:
    """Whoever it did not confirm yet cannot be told apart: not a refusal. What is open ends after an hour of it."""
    token_id, token = await place.token()
    identity = await who(place.tokens, f"Bearer {token}")
    assert identity is not None
    await place.meta.close()
    with pytest.raises(TransportError):
        await who(place.tokens, f"Bearer {token_text('0' * 16, 'x' * 43)}")
    for elapsed_s in (10, 3500):
        place.clock.now_s = NOW_MS / 1000 + elapsed_s
        assert await place.tokens.is_good(identity)
        assert await who(place.tokens, f"Bearer {token}") == identity
    place.clock.now_s = NOW_MS / 1000 + 3700
    assert not await place.tokens.is_good(identity)
    assert token_id == identity.credential
