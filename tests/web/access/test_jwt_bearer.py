"""Whose JWT is good, as whom, and every way in which one is not."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Callable

import pytest
from cryptography.hazmat.primitives import serialization
from structlog.testing import capture_logs

from duco_rt.config import Web
from duco_rt.errors import TransportError, Unauthorized
from duco_rt.seeing.metrics import Metrics
from duco_rt.web.access.authentication import REFUSED
from duco_rt.web.access.jwt_bearer import JwtBearer, claim_of, grants_of
from tests.servers.oidc import CLIENT_ID, Key, OidcIssuer, new_key, oidc_issuer, unsigned


class MovedClock:
    """The machine's clocks, moved on by a test; the steady one by that alone, so that a slow machine moves nothing."""

    moved_s = 0.0

    def wall_ms(self) -> int:
        """Unix time in ms."""
        return round((time.time() + self.moved_s) * 1000)

    def steady_s(self) -> float:
        """Seconds."""
        return 1000.0 + self.moved_s


@pytest.fixture(scope="module")
def rsa_key() -> Key:
    """Takes its time to make."""
    return new_key("RS256", "r1")


@pytest.fixture
async def issuer(rsa_key: Key) -> AsyncIterator[OidcIssuer]:
    """With a key of each kind; ES256 is the newest."""
    async with oidc_issuer(rsa_key, new_key("ES256", "e1")) as running:
        yield running


@pytest.fixture
def clock() -> MovedClock:
    """Now, until it is moved."""
    return MovedClock()


@pytest.fixture
def bearer(issuer: OidcIssuer, clock: MovedClock) -> JwtBearer:
    """What is tested."""
    return JwtBearer(Web(auth="oidc", oidc_issuer=issuer.url, oidc_client_id=CLIENT_ID), clock, Metrics())


async def test_who_it_is_from(issuer: OidcIssuer, bearer: JwtBearer) -> None:
    """Name, roles and end, by either algorithm."""
    for key in issuer.keys:
        claims = issuer.claims()
        found = await bearer.verify(issuer.sign(claims, key))
        assert (found.name, found.kind, found.credential) == ("anna", "jwt", "")
        assert found.grants == {"duco": "operator"}
        assert found.expires_ms == claims["exp"] * 1000
    several = await bearer.verify(issuer.token(aud=["other", CLIENT_ID], preferred_username=None))
    assert several.name == "u1"
    assert (await bearer.verify(issuer.token(preferred_username="a\nb\x1b[0m" + "c" * 99))).name == "a b [0m" + "c" * 57


async def test_without_an_id_the_only_key_is_meant(rsa_key: Key) -> None:
    """Where the issuer has several of the kind, none is."""
    nameless = new_key("ES256", None)
    async with oidc_issuer(rsa_key, nameless) as issuer:
        config = Web(auth="oidc", oidc_issuer=issuer.url, oidc_client_id="x", oidc_audience=CLIENT_ID)
        bearer = JwtBearer(config, MovedClock(), Metrics())
        assert (await bearer.verify(issuer.sign(issuer.claims(), nameless))).name == "anna"
    async with oidc_issuer(nameless, new_key("ES256", "e2")) as issuer:
        bearer = JwtBearer(Web(auth="oidc", oidc_issuer=issuer.url, oidc_client_id=CLIENT_ID), MovedClock(), Metrics())
        with pytest.raises(Unauthorized):
            await bearer.verify(issuer.sign(issuer.claims(), nameless))


def by_public_key(issuer: OidcIssuer) -> str:
    """The classic: the issuer's public key as the secret of HS256."""
    public = issuer.keys[0].private.public_key()
    secret = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    parts = ({"alg": "HS256", "kid": "r1", "typ": "JWT"}, issuer.claims())
    text = ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)
    signature = base64.urlsafe_b64encode(hmac.digest(secret, text.encode(), hashlib.sha256)).decode().rstrip("=")
    return f"{text}.{signature}"


def altered(issuer: OidcIssuer) -> str:
    """Claims of one token with the signature of another."""
    head, _, signature = issuer.token().split(".")
    return f"{head}.{issuer.token(duco_roles=['*:admin']).split('.')[1]}.{signature}"


WRONG: dict[str, Callable[[OidcIssuer], str]] = {
    "unsigned": lambda at: unsigned(at.claims()),
    "unsigned, with a key": lambda at: unsigned(at.claims(), kid="e1"),
    "HS256 with the public key": by_public_key,
    "the other algorithm's key": lambda at: at.sign(at.claims(), at.keys[1], kid="r1"),
    "a stranger's key of that id": lambda at: at.sign(at.claims(), new_key("ES256", "e1")),
    "a key that came along": lambda at: at.sign(
        at.claims(), new_key("ES256", "own"), jwk=new_key("ES256", "own").public(), jku=f"{at.url}/mine"
    ),
    "an unknown key": lambda at: at.sign(at.claims(), new_key("ES256", "e9")),
    "altered": altered,
    "another issuer": lambda at: at.token(iss=f"{at.url}/"),
    "no issuer": lambda at: at.token(iss=None),
    "another audience": lambda at: at.token(aud="other"),
    "no audience": lambda at: at.token(aud=None),
    "over": lambda at: at.token(exp=int(time.time()) - 31),
    "without an end": lambda at: at.token(exp=None),
    "an end that is no time": lambda at: at.token(exp="2099"),
    "an endless end": lambda at: at.token(exp=float("inf")),
    "an end that is too far": lambda at: at.token(exp=10**400),
    "an end too far back": lambda at: at.token(exp=-(10**400)),
    "an end that is no number": lambda at: at.token(exp=float("nan")),
    "a beginning that is too far": lambda at: at.token(nbf=-(10**400)),
    "made too long ago": lambda at: at.token(iat=-(10**400)),
    "not yet": lambda at: at.token(nbf=int(time.time()) + 40),
    "made tomorrow": lambda at: at.token(iat=int(time.time()) + 86_400),
    "from nobody": lambda at: at.token(sub=None),
    "critical and unknown": lambda at: at.sign(at.claims(), None, crit=["x"], x=1),
    "too long": lambda at: at.token(pad="x" * 9000),
    "garbage": lambda at: "a.b.c",
    "empty": lambda at: "",
    "deep": lambda at: f"{base64.urlsafe_b64encode(b'[' * 5000).decode().rstrip('=')}.e30.AAAA",
    "an id that is none": lambda at: unsigned(at.claims(), alg="ES256", kid=["e1"]),
    "no text at all": lambda at: "é.ü.\udcff",
}


@pytest.mark.parametrize("case", WRONG)
async def test_refused(issuer: OidcIssuer, bearer: JwtBearer, case: str) -> None:
    """All by the one error with the one text."""
    with pytest.raises(Unauthorized) as found:
        await bearer.verify(WRONG[case](issuer))
    assert str(found.value) == REFUSED


async def test_another_algorithm_costs_the_issuer_no_question(issuer: OidcIssuer, bearer: JwtBearer) -> None:
    """It is refused before anybody looks for a key."""
    for text in (unsigned(issuer.claims(), kid="e1"), by_public_key(issuer), unsigned(issuer.claims(), alg="RS512")):
        with pytest.raises(Unauthorized):
            await bearer.verify(text)
    assert issuer.asked == {}


async def test_where_the_issuer_is_asked_is_for_the_log_alone(clock: MovedClock) -> None:
    """Whoever sends a JWT while it is away learns that much."""
    key = new_key("ES256", "e1")
    async with oidc_issuer(key) as issuer:
        text = issuer.token()
    bearer = JwtBearer(Web(auth="oidc", oidc_issuer=issuer.url, oidc_client_id=CLIENT_ID), clock, Metrics())
    with capture_logs() as lines, pytest.raises(TransportError) as found:
        await bearer.verify(text)
    assert str(found.value) == "who you are cannot be checked now: the OpenID issuer does not answer"
    assert issuer.url in repr(lines)


async def test_times_have_a_leeway(issuer: OidcIssuer, bearer: JwtBearer, clock: MovedClock) -> None:
    """Of 30 s, by the clock that is passed in."""
    now_s = int(time.time())
    text = issuer.token(exp=now_s + 100, nbf=now_s + 20, iat=now_s + 20)
    await bearer.verify(text)
    clock.moved_s = now_s + 125 - time.time()  # whatever has passed until here
    await bearer.verify(text)
    clock.moved_s = 131
    with pytest.raises(Unauthorized):
        await bearer.verify(text)


@pytest.mark.parametrize(
    ("claim", "grants", "ignored"),
    [
        (["duco:viewer", "acme:admin"], {"duco": "viewer", "acme": "admin"}, 0),
        ("duco:viewer  *:operator", {"duco": "viewer", "*": "operator"}, 0),
        (["duco:admin", "duco:viewer"], {"duco": "admin"}, 0),
        (["*:service", "*:monitor", "duco:service", "duco:root", "duco:", "duco", ":viewer", ""], {}, 8),
        (["a b:viewer", "x" * 65 + ":viewer", "duco:viewer:x", 7, None, ["duco:viewer"]], {}, 6),
        ({"duco": "admin"}, {}, 0),
        (None, {}, 0),
    ],
)
def test_roles(claim: object, grants: dict[str, str], ignored: int) -> None:
    """Of a list or a text; never service or monitor, and the highest of several."""
    assert grants_of(claim) == (grants, ignored)


NESTED = {"realm_access": {"roles": ["duco:viewer"]}, "https://acme.example/roles": ["duco:admin"], "a": {"b": 1}}


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("realm_access.roles", ["duco:viewer"]),
        ("https://acme.example/roles", ["duco:admin"]),
        ("a", {"b": 1}),
        ("a.b", 1),
        *((name, None) for name in ("roles", "a.b.c", "a.", ".a", "", "realm_access.roles.0")),
    ],
)
def test_a_claim_within_another(name: str, found: object) -> None:
    """A name with dots is a path, where no claim has that very name."""
    assert claim_of(NESTED, name) == found
    assert claim_of({**NESTED, name: "whole"}, name) == "whole"


async def test_other_claims_can_be_named(issuer: OidcIssuer, clock: MovedClock) -> None:
    """By configuration; a role that is none is counted, and gives nothing."""
    metrics = Metrics()
    config = Web(auth="oidc", oidc_issuer=issuer.url, oidc_client_id=CLIENT_ID)
    named = {"oidc_roles_claim": "realm_access.roles", "oidc_name_claim": "email"}
    config = Web(**{**{name: getattr(config, name) for name in config.__struct_fields__}, **named})
    bearer = JwtBearer(config, clock, metrics)
    found = await bearer.verify(
        issuer.token(realm_access={"roles": ["duco:viewer", "staff"]}, email="anna@example.com")
    )
    assert (found.name, found.grants) == ("anna@example.com", {"duco": "viewer"})
    assert metrics.value("oidc_roles_ignored_total") == 1
