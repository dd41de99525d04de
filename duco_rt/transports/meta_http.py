"""A MetaAPI in another process, over HTTP. What it said last is asked again by its ETag, and used while it is away."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import quote

import aiohttp
import msgspec

from duco_rt.errors import BadRequest, Conflict, DeviceOffline, DeviceTimeout, DucoError, NotFound, TransportError
from duco_rt.metrics import Metrics
from duco_rt.model import Device, MethodResult, Parsing, ParsingFile
from duco_rt.transports.base_data import check_name

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
_CHECK_S = 2.0
_PUT_S = 90.0
"""A large parsing takes its time to be checked: over `meta.read_limit_s`, where others are read before it."""


class _Device(msgspec.Struct, rename="camel"):
    chassis_id: str
    tenant: str
    name: str
    parsing: str | None = None

    def device(self) -> Device:
        return Device(self.chassis_id, self.tenant, self.name, self.parsing)


class _Groups(msgspec.Struct):
    groups: list[dict[str, object]]


class HttpMeta:
    """`Meta` by MetaAPI's endpoints, and its direct methods, which may take `method_timeout_s` (for the device)."""

    def __init__(self, url: str, metrics: Metrics, method_timeout_s: float = 10.0, timeout_s: float = 3.0) -> None:
        self._url = url.rstrip("/")
        self._metrics = metrics
        self._timeout_s = timeout_s
        self._method_timeout_s = method_timeout_s + timeout_s
        self._session: aiohttp.ClientSession | None = None
        self._cache: OrderedDict[str, tuple[str, bytes]] = OrderedDict()
        self._closed = False

    async def devices(self, tenant: str | None = None) -> list[Device]:
        """All devices, or a tenant's."""
        rows = await self._get("/devices" + ("" if tenant is None else f"?tenant={quote(tenant, safe='')}"))
        return [self._as(row, _Device).device() for row in rows]

    async def device(self, chassis_id: str) -> Device:
        """One device, or NotFound."""
        return self._as(await self._get(f"/devices/{quote(chassis_id, safe='')}"), _Device).device()

    async def put_device(self, device: Device) -> None:
        """Add or replace."""
        check_name("chassisId", device.chassis_id)
        check_name("tenant", device.tenant)
        body = {"tenant": device.tenant, "name": device.name, "parsing": device.parsing}
        await self._ask("PUT", f"/devices/{device.chassis_id}", body)

    async def remove_device(self, chassis_id: str) -> None:
        """Forget a device, or NotFound."""
        await self._ask("DELETE", f"/devices/{quote(chassis_id, safe='')}")

    async def parsing(self, name: str, version: int | None = None) -> Parsing:
        """A version of a parsing, or NotFound."""
        query = "" if version is None else f"?version={version}"
        return self._as(await self._get(f"/parsings/{quote(name, safe='')}{query}"), Parsing)

    async def put_parsing(self, name: str, files: Sequence[ParsingFile]) -> Parsing:
        """Keep a new version, or give the newest where nothing changed."""
        check_name("parsing", name)
        body = {"files": msgspec.to_builtins(files)}
        return self._as(await self._ask("PUT", f"/parsings/{name}", body, timeout_s=_PUT_S), Parsing)

    async def groups(self, tenant: str) -> list[dict[str, object]]:
        """The tenant's groups in order."""
        return self._as(await self._get(f"/groups?tenant={quote(tenant, safe='')}"), _Groups).groups

    async def put_group(self, tenant: str, group: dict[str, object]) -> None:
        """Add or replace by `groupId`."""
        await self._ask("PUT", self._group(tenant, str(group["groupId"])), group)

    async def remove_group(self, tenant: str, group_id: str) -> None:
        """Forget a group, or NotFound."""
        await self._ask("DELETE", self._group(tenant, group_id))

    def _group(self, tenant: str, group_id: str) -> str:
        return f"/groups/{quote(group_id, safe='')}?tenant={quote(tenant, safe='')}"

    async def connected(self, tenant: str) -> Mapping[str, bool | None]:
        """Which devices of a tenant are on the hub; nothing is known while MetaAPI is away."""
        try:
            found = await self._ask("GET", f"/presence?tenant={quote(tenant, safe='')}")
            return self._as(found, dict[str, bool | None])
        except TransportError:
            return {}

    async def call(self, hub: str, chassis_id: str, method: str, payload: dict[str, object]) -> MethodResult:
        """A direct method, as MetaAPI answers it. Raises NotFound, BadRequest, DeviceOffline, DeviceTimeout."""
        path = f"/api/iothubs/{quote(hub, safe='')}/devices/{quote(chassis_id, safe='')}/methods"
        body = {"methodName": method, "payload": payload}
        found = await self._ask("POST", path, body, base="", timeout_s=self._method_timeout_s)
        return self._as(found, MethodResult)

    async def check(self) -> None:
        """Raises TransportError where MetaAPI does not answer now, though the cache may serve."""
        status, _, body = await self._request("GET", "/presence?tenant=-", timeout_s=_CHECK_S)
        self._as(self._value(status, body), dict[str, bool | None])

    async def close(self) -> None:
        """End the connections; safe to call twice."""
        self._closed = True
        if self._session is not None:
            await self._session.close()

    async def _get(self, path: str) -> Any:  # noqa: ANN401  # JSON
        cached = self._cache.get(path)
        try:
            status, etag, body = await self._request("GET", path, etag=cached[0] if cached else "")
        except TransportError:
            if cached is None:
                raise
            self._metrics.count("meta_from_cache_total")
            return msgspec.json.decode(cached[1])
        if status == 304 and cached is not None:
            self._cache.move_to_end(path)
            return msgspec.json.decode(cached[1])
        if status == 404:
            self._cache.pop(path, None)
        value = self._value(status, body)
        if etag:
            self._cache[path] = etag, body
            if len(self._cache) > _CACHED_MAX:
                self._cache.popitem(last=False)
        return value

    async def _ask(
        self, method: str, path: str, body: object = None, base: str = "/api/metaapi", timeout_s: float | None = None
    ) -> Any:  # noqa: ANN401  # JSON
        status, _, answer = await self._request(method, path, body=body, base=base, timeout_s=timeout_s)
        return self._value(status, answer)

    async def _request(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        etag: str = "",
        base: str = "/api/metaapi",
        timeout_s: float | None = None,
    ) -> tuple[int, str, bytes]:
        """Status, ETag and body; 5xx of the server itself counts as away."""
        if self._closed:
            raise TransportError("MetaAPI: closed")
        if self._session is None:
            self._session = aiohttp.ClientSession()
        headers = {"If-None-Match": etag} if etag else {}
        timeout = aiohttp.ClientTimeout(total=timeout_s or self._timeout_s)
        address = f"{self._url}{base}{path}"
        try:
            async with self._session.request(method, address, json=body, headers=headers, timeout=timeout) as response:
                answer = await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as e:
            raise TransportError(f"MetaAPI: {method} {address}: {str(e) or type(e).__name__}") from e
        if response.status >= 500 and response.status != 504:
            raise TransportError(f"MetaAPI: {method} {address}: {response.status} {answer[:200]!r}")
        return response.status, response.headers.get("ETag", ""), answer

    def _value(self, status: int, body: bytes) -> Any:  # noqa: ANN401  # JSON
        try:
            value = msgspec.json.decode(body)
            if status < 400:
                return value
            error = value["error"]
            kind = _ERRORS.get(error["code"], TransportError)
            raise kind(f"meta.url = {self._url!r}: {error['message']}" if kind is TransportError else error["message"])
        except (msgspec.DecodeError, KeyError, TypeError) as e:
            raise TransportError(f"MetaAPI at {self._url}: {status} {body[:200]!r} is no answer of it") from e

    def _as(self, value: object, kind: type[T]) -> T:
        try:
            return msgspec.convert(value, kind)
        except msgspec.ValidationError as e:
            raise TransportError(f"meta.url = {self._url!r}: an answer that is not MetaAPI's: {e}") from e
