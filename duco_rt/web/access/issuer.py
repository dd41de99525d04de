"""The OpenID issuer: its addresses (discovery) and its keys (JWKS), fetched when they are needed, and kept."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeVar
from urllib.parse import urlsplit

import aiohttp
import msgspec
import structlog
from aiohttp import hdrs
from jwt import PyJWK
from jwt.exceptions import PyJWTError

from duco_rt.clock import Clock
from duco_rt.config import Web
from duco_rt.errors import ConfigError, TransportError
from duco_rt.seeing.metrics import Metrics

log = structlog.get_logger()

T = TypeVar("T")

ANSWER_BYTES_MAX = 256 * 1024
"""Of any answer of the issuer."""

TIMEOUT_S = 5.0
ASK_EVERY_S = 30.0
"""An unknown key id makes the keys be fetched anew, not more often than this: anybody can send one."""

RETRY_S = 2.0
"""While nothing of the issuer is known."""

KEEP_S = 3600.0
"""Keys are fetched anew after this, so that one that the issuer withdrew is no longer believed."""

RSA_BITS_MIN = 2048

_MEMBERS = {"RSA": ("kty", "n", "e"), "EC": ("kty", "crv", "x", "y")}
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class Addresses(msgspec.Struct, frozen=True):
    """What discovery tells; other members are not used."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)


class _Found(NamedTuple):
    addresses: Addresses
    keys: Mapping[tuple[str, str | None], list[PyJWK]]


class Issuer:
    """`web.oidc_issuer`. While it is away, what is known of it goes on."""

    def __init__(self, config: Web, clock: Clock, metrics: Metrics) -> None:
        """Raises ConfigError where its address is not safe: whoever answers there says who people are."""
        self.name = config.oidc_issuer
        if not _is_safe(self.name):
            raise ConfigError(f"web.oidc_issuer = {self.name!r}: https:// is needed (http:// on this machine alone)")
        self._clock = clock
        self._metrics = metrics
        self._found: _Found | None = None
        self._asking = asyncio.Lock()
        self._asked_s = float("-inf")
        self._failure = f"web.oidc_issuer = {self.name!r}: no answer yet"

    async def addresses(self) -> Addresses:
        """Where it is asked. Raises TransportError where that is not known and it does not answer."""
        return (await self._current(lambda _: True)).addresses

    async def keys(self, algorithm: str, key_id: str | None) -> list[PyJWK]:
        """Its keys of that algorithm and id, usually one; without an id, all of that algorithm.

        Raises TransportError where no key at all is known and it does not answer.
        """
        wanted = (algorithm, key_id)
        return (await self._current(lambda found: wanted in found.keys)).keys.get(wanted, [])

    async def post(self, url: str, form: Mapping[str, str], authorization: str) -> tuple[int, Any]:
        """Status and JSON of an answer to a form. Raises TransportError."""
        return await self._ask(hdrs.METH_POST, url, form, authorization)

    async def _current(self, is_enough: Callable[[_Found], bool]) -> _Found:
        """What is known; asked for anew first where that is not enough, or old."""
        found = self._found
        is_old = self._clock.steady_s() - self._asked_s >= KEEP_S
        # Who finds others asking anew for what is only old does not wait for them.
        if found is not None and is_enough(found) and (not is_old or self._asking.locked()):
            return found
        async with self._asking:
            pause_s = RETRY_S if self._found is None else ASK_EVERY_S
            if self._clock.steady_s() - self._asked_s >= pause_s:
                self._asked_s = self._clock.steady_s()
                await self._refresh()
        if self._found is None:
            raise TransportError(self._failure)
        return self._found

    async def _refresh(self) -> None:
        try:
            self._found = await self._fetch()
        except TransportError as e:
            self._failure = str(e)
            self._metrics.count("oidc_issuer_failed_total")
            log.warning("the OpenID issuer does not answer as it should", error=str(e), goes_on=self._found is not None)

    async def _fetch(self) -> _Found:
        addresses = await self._get(f"{self.name.rstrip('/')}/.well-known/openid-configuration", Addresses)
        if addresses.issuer != self.name:
            raise TransportError(f"web.oidc_issuer = {self.name!r}: it calls itself {addresses.issuer!r}")
        for place in (addresses.authorization_endpoint, addresses.token_endpoint, addresses.jwks_uri):
            if not _is_safe(place):
                raise TransportError(f"web.oidc_issuer = {self.name!r}: its address {place!r} is not https://")
        listed = await self._get(addresses.jwks_uri, dict[str, Any])
        return _Found(addresses, _keys(listed.get("keys")))

    async def _get(self, url: str, kind: type[T]) -> T:
        status, answer = await self._ask(hdrs.METH_GET, url)
        try:
            if status != 200:
                raise ValueError(f"status {status}")
            return msgspec.convert(answer, kind)
        except ValueError as e:
            raise TransportError(f"web.oidc_issuer = {self.name!r}: {url}: {e}") from e

    async def _ask(
        self, method: str, url: str, form: Mapping[str, str] | None = None, authorization: str = ""
    ) -> tuple[int, Any]:
        """Redirects are not followed: what they would lead to has not been looked at."""
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        headers = {hdrs.ACCEPT: "application/json", hdrs.ACCEPT_ENCODING: "identity"}
        if authorization:
            headers[hdrs.AUTHORIZATION] = authorization
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout, auto_decompress=False) as session,
                session.request(method, url, data=form, headers=headers, allow_redirects=False) as response,
            ):
                body = b""
                async for chunk in response.content.iter_any():
                    body += chunk
                    if len(body) > ANSWER_BYTES_MAX:
                        raise ValueError(f"an answer of more than {ANSWER_BYTES_MAX} bytes")
                return response.status, msgspec.json.decode(body)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError, RecursionError) as e:
            words = "no answer in time" if isinstance(e, TimeoutError) else str(e) or type(e).__name__
            raise TransportError(f"web.oidc_issuer = {self.name!r}: {url}: {words}") from e


def _is_safe(url: str) -> bool:
    """Whether nobody on the way can answer in its place."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return bool(parts.hostname) and (
        parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    )


def _keys(listed: object) -> dict[tuple[str, str | None], list[PyJWK]]:
    """Those that sign with RS256 or ES256, by algorithm and id, and under None all of an algorithm.

    Which algorithm a key is for follows from the key, never from a token; of it the public part alone is taken.
    """
    found: dict[tuple[str, str | None], list[PyJWK]] = {}
    for each in listed if isinstance(listed, list) else ():
        if not isinstance(each, dict) or each.get("use", "sig") != "sig":
            continue
        kind = str(each.get("kty"))
        algorithm = {"RSA": "RS256", "EC": "ES256"}.get(kind)
        if algorithm is None or each.get("alg", algorithm) != algorithm or each.get("crv", "P-256") != "P-256":
            continue
        try:
            key = PyJWK({name: each[name] for name in _MEMBERS[kind]}, algorithm)
        except (PyJWTError, KeyError, ValueError, TypeError) as e:
            log.warning("a key of the OpenID issuer cannot be used", kid=each.get("kid"), error=str(e))
            continue
        if algorithm == "RS256" and key.key.key_size < RSA_BITS_MIN:
            log.warning("a key of the OpenID issuer is too short", kid=each.get("kid"), bits=key.key.key_size)
            continue
        found.setdefault((algorithm, None), []).append(key)
        if isinstance(each.get("kid"), str):
            found.setdefault((algorithm, each["kid"]), []).append(key)
    return found
