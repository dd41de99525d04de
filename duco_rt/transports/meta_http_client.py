"""Questions to a MetaAPI in another process: what it said last is kept by its ETag, its errors become ours."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from ssl import SSLContext
from time import monotonic
from typing import Any, NamedTuple, TypeVar

import aiohttp
import msgspec
from aiohttp import hdrs

from duco_rt.errors import (
    BadRequest,
    Conflict,
    DeviceOffline,
    DeviceTimeout,
    DucoError,
    GroupChanged,
    NotFound,
    TransportError,
)
from duco_rt.seeing.metrics import Metrics
from duco_rt.transports.certificates import explained
from duco_rt.transports.meta_http_ages import Ages

T = TypeVar("T")

_ERRORS: dict[str, type[DucoError]] = {
    "bad_request": BadRequest,
    "not_found": NotFound,
    "conflict": Conflict,
    "device_offline": DeviceOffline,
    "device_timeout": DeviceTimeout,
}
"""Codes of MetaAPI's own answers; another server's 404 is not one of them."""

_CACHED_MAX = 10_000


class Trust(NamedTuple):
    """What this process shows to MetaAPI, and how it knows that it is MetaAPI.

    `token_key`: where the token comes from, for errors. `ssl`: as aiohttp takes it; True for the system's authorities.
    """

    token: str = ""
    ssl: SSLContext | aiohttp.Fingerprint | bool = True
    token_key: str = "meta.token"

    def __repr__(self) -> str:
        """Without the token."""
        return f"Trust({self.token_key})"


class HttpClient:
    """One MetaAPI at `url`, within `timeout_s` a question unless told otherwise."""

    def __init__(
        self, url: str, metrics: Metrics, timeout_s: float, trust: Trust | None = None, stale_s: float = 30.0
    ) -> None:
        """`stale_s`: `check_age` fails where an answer is older, and MetaAPI gives no other."""
        self._url = url.rstrip("/")
        self._trust = trust or Trust()
        self._metrics = metrics
        self._timeout_s = timeout_s
        self._session: aiohttp.ClientSession | None = None
        self._cache: OrderedDict[str, tuple[str, bytes]] = OrderedDict()
        self._ages = Ages(metrics, stale_s)
        self._closed = False

    async def close(self) -> None:
        """End the connections; safe to call twice."""
        self._closed = True
        if self._session is not None:
            await self._session.close()

    async def _get(self, path: str) -> Any:  # noqa: ANN401  # JSON
        cached = self._cache.get(path)
        try:
            status, etag, body = await self._request(
                "GET", path, headers={"If-None-Match": cached[0]} if cached else {}
            )
        except TransportError as e:
            if cached is None:
                raise
            self._metrics.count("meta_from_cache_total")
            self._ages.fail(path, str(e), monotonic())
            return msgspec.json.decode(cached[1])
        if status == 304 and cached is not None:
            self._cache.move_to_end(path)
            self._ages.answer(path, monotonic())
            return msgspec.json.decode(cached[1])
        if status == 404:
            self._cache.pop(path, None)
            self._ages.forget(path)
        value = self._value(status, body)
        if etag:
            self._cache[path] = etag, body
            self._ages.answer(path, monotonic())
            if len(self._cache) > _CACHED_MAX:
                self._ages.forget(self._cache.popitem(last=False)[0])
        return value

    async def _ask(
        self,
        method: str,
        path: str,
        body: object = None,
        base: str = "/api/metaapi",
        timeout_s: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:  # noqa: ANN401  # JSON
        status, _, answer = await self._request(
            method, path, body=body, base=base, timeout_s=timeout_s, headers=headers
        )
        return self._value(status, answer)

    async def _request(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        base: str = "/api/metaapi",
        timeout_s: float | None = None,
    ) -> tuple[int, str, bytes]:
        """Status, ETag and body; 5xx of the server itself counts as away."""
        if self._closed:
            raise TransportError("MetaAPI: closed")
        if self._session is None:
            self._session = self._connections()
        timeout = aiohttp.ClientTimeout(total=timeout_s or self._timeout_s)
        address = f"{self._url}{base}{path}"
        try:
            async with self._session.request(
                method,
                address,
                json=body,
                headers=headers,
                timeout=timeout,
                allow_redirects=False,  # the token goes where it was meant to, and nowhere else
            ) as response:
                answer = await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as e:
            raise TransportError(f"MetaAPI: {method} {address}: {explained(str(e), 'meta') or type(e).__name__}") from e
        if response.status in (401, 403):
            raise TransportError(self._refusal(response.status, answer))
        if response.status >= 500 and response.status != 504:
            raise TransportError(f"MetaAPI: {method} {address}: {response.status} {answer[:200]!r}")
        return response.status, response.headers.get("ETag", ""), answer

    def _connections(self) -> aiohttp.ClientSession:
        headers = {hdrs.AUTHORIZATION: f"Bearer {self._trust.token}"} if self._trust.token else {}
        return aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=self._trust.ssl), headers=headers)

    def _refusal(self, status: int, answer: bytes) -> str:
        """What to do where MetaAPI does not let this process in."""
        try:
            said = str(msgspec.json.decode(answer)["error"]["message"])[:200]
        except (msgspec.DecodeError, UnicodeDecodeError, KeyError, TypeError):
            said = "no words"
        why = "is not one that is good there" if status == 401 else "is not enough there"
        if not self._trust.token:
            why = "is not set"
        return f"MetaAPI at {self._url} refused ({status}, {said}): {self._trust.token_key} {why}"

    def _value(self, status: int, body: bytes) -> Any:  # noqa: ANN401  # JSON
        try:
            value = msgspec.json.decode(body)
            if status < 400:
                return value
            error = value["error"]
            kind = _ERRORS.get(error["code"], TransportError)
            if kind is Conflict and isinstance(value.get("group"), dict):
                raise GroupChanged(error["message"], value["group"])
            raise kind(f"meta.url = {self._url!r}: {error['message']}" if kind is TransportError else error["message"])
        except (msgspec.DecodeError, KeyError, TypeError) as e:
            raise TransportError(f"MetaAPI at {self._url}: {status} {body[:200]!r} is no answer of it") from e

    def _as(self, value: object, kind: type[T]) -> T:
        try:
            return msgspec.convert(value, kind)
        except msgspec.ValidationError as e:
            raise TransportError(f"meta.url = {self._url!r}: an answer that is not MetaAPI's: {e}") from e
