"""The issuer's addresses and keys: fetched when needed, kept while it is away, and nobody else's taken for them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from duco_rt.config import Web
from duco_rt.errors import ConfigError, TransportError
from duco_rt.seeing.metrics import Metrics
from duco_rt.web.access.issuer import ASK_EVERY_S, KEEP_S, RETRY_S, Issuer
from tests.servers.oidc import OidcIssuer, new_key, oidc_issuer
from tests.web.access.test_jwt_bearer import MovedClock

DISCOVERY = "/.well-known/openid-configuration"


@pytest.fixture
async def server() -> AsyncIterator[OidcIssuer]:
    """With one key."""
    async with oidc_issuer() as running:
        yield running


@pytest.fixture
def clock() -> MovedClock:
    """Now, until it is moved."""
    return MovedClock()


def issuer_at(url: str, clock: MovedClock) -> Issuer:
    """What is tested."""
    return Issuer(Web(auth="oidc", oidc_issuer=url, oidc_client_id="duco"), clock, Metrics())


async def test_a_new_key_is_noticed_and_strangers_cost_one_question(server: OidcIssuer, clock: MovedClock) -> None:
    """Unknown ids make the keys be fetched anew, once in 30 s however many come."""
    issuer = issuer_at(server.url, clock)
    assert len(await issuer.keys("ES256", "k1")) == 1
    server.keys.append(new_key("ES256", "k2"))
    assert await issuer.keys("ES256", "k2") == []
    clock.moved_s += ASK_EVERY_S
    found = await asyncio.gather(*(issuer.keys("ES256", f"k{n}") for n in range(2, 30)))
    assert [len(keys) for keys in found] == [1] + 27 * [0]
    assert server.asked == {DISCOVERY: 2, "/keys": 2}


async def test_a_withdrawn_key_is_forgotten(server: OidcIssuer, clock: MovedClock) -> None:
    """Within an hour, and nobody asks before."""
    issuer = issuer_at(server.url, clock)
    await issuer.keys("ES256", "k1")
    server.keys[:] = [new_key("ES256", "k2")]
    clock.moved_s = KEEP_S - 1
    assert await issuer.keys("ES256", "k1")
    clock.moved_s = KEEP_S
    assert await issuer.keys("ES256", "k1") == []
    assert server.asked["/keys"] == 2


async def test_away(server: OidcIssuer, clock: MovedClock) -> None:
    """From the start: an error that names it, and a new try soon. Later: what is known goes on."""
    issuer = issuer_at(server.url, clock)
    server.is_away = True
    for _ in range(3):
        with pytest.raises(TransportError, match=r"web.oidc_issuer = .*status 503"):
            await issuer.keys("ES256", "k1")
    assert server.asked[DISCOVERY] == 1
    server.is_away = False
    clock.moved_s = RETRY_S
    assert await issuer.keys("ES256", "k1")
    server.is_away = True
    clock.moved_s += KEEP_S
    assert await issuer.keys("ES256", "k1")
    assert await issuer.keys("ES256", "k2") == []
    assert (await issuer.addresses()).token_endpoint == f"{server.url}/token"


async def test_nobody_there(clock: MovedClock) -> None:
    """A closed port is an error that says so."""
    with pytest.raises(TransportError, match=r"http://127.0.0.1:9/.*onnect"):
        await issuer_at("http://127.0.0.1:9", clock).addresses()


async def test_it_has_to_call_itself_so(server: OidcIssuer, clock: MovedClock) -> None:
    """Another name in discovery is another issuer."""
    server.named = f"{server.url}/realms/other"
    with pytest.raises(TransportError, match="calls itself"):
        await issuer_at(server.url, clock).addresses()


async def test_keys_that_cannot_be_used_are_left_out(server: OidcIssuer, clock: MovedClock) -> None:
    """Secrets, other curves, keys to encrypt, short and broken ones; the good one beside them is taken."""
    good, short = server.keys[0].public(), new_key("RS256", "short", 1024).public()
    server.published = [
        {"kty": "oct", "k": "c2VjcmV0", "kid": "h"},
        {**good, "kid": "enc", "use": "enc"},
        {**good, "kid": "p384", "crv": "P-384"},
        {**good, "kid": "other", "alg": "ES512"},
        {**good, "kid": "off", "x": good["y"]},
        {"kty": "EC", "kid": "bare"},
        {**good, "kid": ["list"]},
        short,
        "text",
        good,
    ]
    issuer = issuer_at(server.url, clock)
    assert len(await issuer.keys("ES256", "k1")) == 1
    assert await issuer.keys("RS256", None) == []
    for kid in ("h", "enc", "p384", "other", "off", "bare", "short"):
        assert await issuer.keys("ES256", kid) == []


@pytest.mark.parametrize(
    "url", ["", "http://issuer.example", "ftp://127.0.0.1", "127.0.0.1", "https://", "http://[::1", "javascript:x"]
)
def test_an_address_that_others_could_answer(url: str, clock: MovedClock) -> None:
    """Is refused at the start, naming the key."""
    with pytest.raises(ConfigError, match=r"web.oidc_issuer"):
        issuer_at(url, clock)


async def answering(text: str, status: int = 200, **headers: str) -> AsyncIterator[str]:
    """A server that answers everything so; its address."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(text=text, status=status, headers=headers, content_type="application/json")

    application = web.Application()
    application.add_routes([web.get("/{all:.*}", answer)])
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield "http://{}:{}".format(*runner.addresses[0][:2])
    finally:
        await runner.cleanup()


@pytest.mark.parametrize(
    ("text", "status", "headers", "words"),
    [
        ("no JSON", 200, {}, "JSON"),
        ("[]", 200, {}, "array"),
        ('{"issuer": 7}', 200, {}, "str"),
        ('{"pad": "' + "x" * 300_000 + '"}', 200, {}, "262144 bytes"),
        ("{}", 302, {"Location": "/elsewhere"}, "status 302"),
        ("[" * 100_000, 200, {}, "oidc_issuer"),
    ],
)
async def test_answers_that_are_none(
    clock: MovedClock, text: str, status: int, headers: dict[str, str], words: str
) -> None:
    """Malformed, endless, or leading elsewhere."""
    async for url in answering(text, status, **headers):
        with pytest.raises(TransportError, match=words):
            await issuer_at(url, clock).addresses()


@pytest.mark.parametrize("place", ["authorization_endpoint", "token_endpoint", "jwks_uri"])
async def test_addresses_of_others(server: OidcIssuer, clock: MovedClock, place: str) -> None:
    """Discovery cannot send us where anybody on the way can answer."""
    server.places = {place: "http://elsewhere.example/"}
    with pytest.raises(TransportError, match=r"elsewhere.example.*not https"):
        await issuer_at(server.url, clock).addresses()
