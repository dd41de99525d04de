"""Signing in at the issuer: the code flow with PKCE, state and nonce (OpenID Connect Core 1.0, RFC 7636, RFC 9207)."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import quote_plus, urlencode

import aiohttp

from duco_rt.config import Web
from duco_rt.errors import TransportError
from duco_rt.rights import Identity
from duco_rt.web.access.jwt_bearer import JwtBearer

SCOPE = "openid profile"
ID_TOKEN_MAX = 64 * 1024
"""It comes from the issuer itself, and may list many groups."""

FRAGMENT_MAX = 1500
CODE_MAX = 4096

_SECRET = re.compile(r"[A-Za-z0-9_-]{43}\Z")
_FRAGMENT = re.compile(r"#/[!-~]*\Z")
_ERROR = re.compile(r"[a-z_]{1,64}\Z")


class NotSignedInError(Exception):
    """The issuer, or somebody in its place, did not let in; the text is for who is in front of the page."""


class Begun(NamedTuple):
    """What the browser keeps while it is at the issuer: three secrets, and where on the page it wants to be."""

    state: str
    nonce: str
    verifier: str
    fragment: str = ""

    def text(self) -> str:
        """For a cookie."""
        kept = base64.urlsafe_b64encode(self.fragment.encode()).decode().rstrip("=")
        return ".".join((self.state, self.nonce, self.verifier, kept))


def read_begun(text: str) -> Begun | None:
    """What `Begun.text` wrote; None for anything else. Pure."""
    parts = text.split(".")
    if len(parts) != 4 or not all(_SECRET.match(part) for part in parts[:3]):
        return None
    try:
        fragment = base64.urlsafe_b64decode(parts[3] + "=" * (-len(parts[3]) % 4)).decode("ascii")
    except ValueError:
        return None
    return Begun(parts[0], parts[1], parts[2], safe_fragment(fragment))


def safe_fragment(text: str) -> str:
    """A place on our own page, `#/…`; empty where it is anything else, so that nobody is led elsewhere. Pure."""
    return text if len(text) <= FRAGMENT_MAX and _FRAGMENT.match(text) else ""


class Oidc:
    """The issuer's sign-in. `back` is the address to which the issuer sends the browser back."""

    def __init__(self, config: Web, jwt: JwtBearer) -> None:
        self._client_id = config.oidc_client_id
        self._secret = config.oidc_client_secret
        self._jwt = jwt

    @property
    def issuer_name(self) -> str:
        """Its address."""
        return self._jwt.issuer.name

    async def begin(self, back: str, fragment: str = "") -> tuple[str, Begun]:
        """Where the browser goes, and what it keeps. Raises TransportError where the issuer is not known and away."""
        addresses = await self._jwt.issuer.addresses()
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        begun = Begun(state, nonce, verifier, safe_fragment(fragment))
        challenge = base64.urlsafe_b64encode(hashlib.sha256(begun.verifier.encode()).digest()).decode().rstrip("=")
        query = {
            "response_type": "code",
            "client_id": self._client_id,
            "redirect_uri": back,
            "scope": SCOPE,
            "state": begun.state,
            "nonce": begun.nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        mark = "&" if "?" in addresses.authorization_endpoint else "?"
        return f"{addresses.authorization_endpoint}{mark}{urlencode(query)}", begun

    async def finish(self, query: Mapping[str, str], begun: Begun | None, back: str) -> Identity:
        """Who came back with that query. Raises NotSignedInError, Unauthorized, TransportError."""
        if begun is None or not hmac.compare_digest(query.get("state", "").encode(), begun.state.encode()):
            raise NotSignedInError("The sign-in took too long, or was begun in another window.")
        if query.get("iss", self.issuer_name) != self.issuer_name:
            raise NotSignedInError("The answer is not from the expected issuer.")
        if "error" in query:
            code = query["error"] if _ERROR.match(query["error"]) else "an error"
            raise NotSignedInError(f"The issuer did not sign you in: {code}.")
        code = query.get("code", "")
        if not 0 < len(code) <= CODE_MAX:
            raise NotSignedInError("The issuer sent no code.")
        claims = await self._jwt.claims(await self._exchange(code, begun, back), self._client_id, ID_TOKEN_MAX)
        self._check(claims, begun)
        return self._jwt.identity(claims)

    async def _exchange(self, code: str, begun: Begun, back: str) -> str:
        """The id_token for a code."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": back,
            "client_id": self._client_id,
            "code_verifier": begun.verifier,
        }
        addresses = await self._jwt.issuer.addresses()
        authorization = ""
        if self._secret and "client_secret_basic" in addresses.token_endpoint_auth_methods_supported:
            authorization = aiohttp.encode_basic_auth(quote_plus(self._client_id), quote_plus(self._secret))
        elif self._secret:
            form["client_secret"] = self._secret
        status, answer = await self._jwt.issuer.post(addresses.token_endpoint, form, authorization)
        token = answer.get("id_token") if isinstance(answer, dict) else None
        if status == 200 and isinstance(token, str):
            return token
        if status >= 500:
            raise TransportError(f"web.oidc_issuer = {self.issuer_name!r}: {addresses.token_endpoint}: status {status}")
        words = answer.get("error") if isinstance(answer, dict) else None
        raise self._jwt.refused(f"the issuer's token endpoint: status {status}, {words!r}")

    def _check(self, claims: Mapping[str, Any], begun: Begun) -> None:
        """What an id_token has beyond a bearer token: it answers to this browser, and is for us alone."""
        nonce = claims.get("nonce")
        if not isinstance(nonce, str) or not hmac.compare_digest(nonce.encode(), begun.nonce.encode()):
            raise self._jwt.refused("the id_token has another nonce")
        several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
        if claims.get("azp", None if several else self._client_id) != self._client_id:
            raise self._jwt.refused(f"the id_token is for {claims.get('azp')!r}")
