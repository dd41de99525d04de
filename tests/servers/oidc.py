"""A small OpenID issuer on loopback: discovery, keys that rotate, a sign-in form, codes with PKCE, id_tokens."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html import escape
from typing import Any, NamedTuple
from urllib.parse import quote_plus, urlencode

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

CLIENT_ID = "duco"
CLIENT_SECRET = "a secret: with/signs+"

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


class Key(NamedTuple):
    """A signing key. `kid` None: published without one."""

    algorithm: str
    private: PrivateKey
    kid: str | None

    def public(self) -> dict[str, Any]:
        """As JWKS has it."""
        if isinstance(self.private, rsa.RSAPrivateKey):
            jwk = RSAAlgorithm.to_jwk(self.private.public_key(), as_dict=True)
        else:
            jwk = ECAlgorithm.to_jwk(self.private.public_key(), as_dict=True)
        more = {} if self.kid is None else {"kid": self.kid}
        return {**jwk, **more, "use": "sig", "alg": self.algorithm}


def new_key(algorithm: str = "ES256", kid: str | None = "k1", bits: int = 2048) -> Key:
    """A fresh one; ES256 takes no time to make."""
    if algorithm == "RS256":
        return Key(algorithm, rsa.generate_private_key(65537, bits), kid)
    return Key(algorithm, ec.generate_private_key(ec.SECP256R1()), kid)


class _Code(NamedTuple):
    query: dict[str, str]
    claims: dict[str, Any]


class OidcIssuer:
    """A running one. What it signs is chosen by its attributes; `asked` counts requests by path."""

    def __init__(self, url: str, keys: list[Key]) -> None:
        self.url = self.named = url
        self.keys = keys
        self.user: dict[str, Any] = {"sub": "u1", "preferred_username": "anna", "duco_roles": ["duco:operator"]}
        self.secret = CLIENT_SECRET
        self.auth_methods: list[str] | None = None
        self.asked: dict[str, int] = {}
        self.published: list[Any] | None = None
        self.changed: dict[str, Any] = {}
        """Claims of the next id_token that are other than they should be."""
        self.refuses = ""
        """The error with which the next sign-in ends."""
        self.is_away = False
        self.places: dict[str, str] = {}
        """Addresses that discovery tells in place of its own."""
        self._codes: dict[str, _Code] = {}

    def claims(self, **changed: object) -> dict[str, Any]:
        """Good ones for an hour, but for what is changed; None takes a claim out."""
        now_s = int(time.time())
        good = {"iss": self.url, "aud": CLIENT_ID, "iat": now_s, "exp": now_s + 3600, **self.user, **changed}
        return {name: value for name, value in good.items() if value is not None}

    def sign(self, claims: dict[str, Any], key: Key | None = None, **header: object) -> str:
        """A JWT of the newest key, or of another."""
        key = key or self.keys[-1]
        named = {"kid": key.kid, **header} if key.kid is not None else header
        return jwt.encode(claims, key.private, key.algorithm, headers=named)

    def token(self, **changed: object) -> str:
        """A good bearer token but for what is changed."""
        return self.sign(self.claims(**changed))

    def routes(self) -> list[web.RouteDef]:
        """All endpoints."""
        return [
            web.get("/.well-known/openid-configuration", self._discovery),
            web.get("/keys", self._jwks),
            web.get("/authorize", self._authorize),
            web.post("/login", self._login),
            web.post("/token", self._token),
        ]

    @web.middleware
    async def count(self, request: web.Request, handler: Any) -> web.StreamResponse:
        """Count, and break where it is away."""
        self.asked[request.path] = self.asked.get(request.path, 0) + 1
        if self.is_away:
            return web.json_response({"error": "away"}, status=503)
        answer: web.StreamResponse = await handler(request)
        return answer

    async def _discovery(self, _: web.Request) -> web.Response:
        places = {f"{name}_endpoint": f"{self.url}/{path}" for name, path in _PLACES.items()}
        methods = {} if self.auth_methods is None else {"token_endpoint_auth_methods_supported": self.auth_methods}
        return web.json_response(
            {"issuer": self.named, "jwks_uri": f"{self.url}/keys", **places, **methods, **self.places}
        )

    async def _jwks(self, _: web.Request) -> web.Response:
        listed = self.published if self.published is not None else [key.public() for key in self.keys]
        return web.json_response({"keys": listed})

    async def _authorize(self, request: web.Request) -> web.Response:
        """A form as people see it: what the browser had behind # is lost there."""
        kept = "".join(
            f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
            for name, value in request.query.items()
        )
        form = f'<form method="post" action="/login">{kept}<button id="approve">Sign in as anna</button></form>'
        return web.Response(text=f"<!doctype html><title>Issuer</title>{form}", content_type="text/html")

    async def _login(self, request: web.Request) -> web.Response:
        query = {name: str(value) for name, value in (await request.post()).items()}
        answer = {"state": query["state"], "iss": self.url}
        if self.refuses:
            return _see(query["redirect_uri"], {**answer, "error": self.refuses})
        code = secrets.token_urlsafe(16)
        nonce = {"nonce": query["nonce"]}
        self._codes[code] = _Code(query, self.claims(**{**nonce, **self.changed}))
        return _see(query["redirect_uri"], {**answer, "code": code})

    async def _token(self, request: web.Request) -> web.Response:
        """Each code once, with its verifier, by its client."""
        form = {name: str(value) for name, value in (await request.post()).items()}
        code = self._codes.pop(form.get("code", ""), None)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form["code_verifier"].encode()).digest()).decode()
        is_good = (
            code is not None
            and form["grant_type"] == "authorization_code"
            and code.query["code_challenge_method"] == "S256"
            and code.query["code_challenge"] == challenge.rstrip("=")
            and code.query["redirect_uri"] == form["redirect_uri"]
            and code.query["client_id"] == form["client_id"] == CLIENT_ID
        )
        if not self._is_client(request, form):
            return web.json_response({"error": "invalid_client"}, status=401)
        if code is None or not is_good:
            return web.json_response({"error": "invalid_grant"}, status=400)
        return web.json_response({"access_token": "opaque", "token_type": "Bearer", "id_token": self.sign(code.claims)})

    def _is_client(self, request: web.Request, form: dict[str, str]) -> bool:
        if not self.secret:
            return "Authorization" not in request.headers and "client_secret" not in form
        if self.auth_methods is not None and "client_secret_basic" not in self.auth_methods:
            return form.get("client_secret") == self.secret
        basic = base64.b64encode(f"{CLIENT_ID}:{quote_plus(self.secret)}".encode()).decode()
        return request.headers.get("Authorization") == f"Basic {basic}"


_PLACES = {"authorization": "authorize", "token": "token"}


def _see(address: str, query: dict[str, str]) -> web.Response:
    return web.Response(status=302, headers={"Location": f"{address}?{urlencode(query)}"})


def unsigned(claims: dict[str, Any], **header: object) -> str:
    """A JWT that nobody signed."""
    parts = ({"alg": "none", "typ": "JWT", **header}, claims)
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts) + "."


@asynccontextmanager
async def oidc_issuer(*keys: Key) -> AsyncIterator[OidcIssuer]:
    """One on a free port until the block ends."""
    application = web.Application()
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
    issuer = OidcIssuer("", list(keys) or [new_key()])
    application.middlewares.append(issuer.count)
    application.add_routes(issuer.routes())
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        issuer.url = issuer.named = f"http://{host}:{port}"
        yield issuer
    finally:
        await runner.cleanup()
