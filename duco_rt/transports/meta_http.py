"""A MetaAPI in another process, over HTTP. What it said last is asked again by its ETag, and used while it is away."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from time import monotonic
from urllib.parse import quote

import msgspec

from duco_rt.errors import TransportError
from duco_rt.model import Device, MethodResult, Parsing, ParsingFile
from duco_rt.seeing.metrics import Metrics
from duco_rt.transports.base_data import check_device, check_name
from duco_rt.transports.meta_http_client import Trust
from duco_rt.transports.meta_http_commands import HttpCommands
from duco_rt.transports.meta_http_credentials import HttpCredentials

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


class _Tenants(msgspec.Struct):
    owner: str | None
    tenants: list[str]


class _Before(msgspec.Struct):
    tenant: str | None


class _Groups(msgspec.Struct):
    groups: list[dict[str, object]]


class HttpMeta(HttpCommands, HttpCredentials):
    """`Meta` by MetaAPI's endpoints, and its direct methods, which may take `method_timeout_s` for their turn and as
    long for the device."""

    def __init__(
        self,
        url: str,
        metrics: Metrics,
        method_timeout_s: float = 10.0,
        timeout_s: float = 3.0,
        trust: Trust | None = None,
        stale_s: float = 30.0,
    ) -> None:
        super().__init__(url, metrics, timeout_s, trust, stale_s)
        self._method_timeout_s = 2 * method_timeout_s + timeout_s

    async def devices(self, tenant: str | None = None) -> list[Device]:
        """All devices, or a tenant's."""
        rows = await self._get("/devices" + ("" if tenant is None else f"?tenant={quote(tenant, safe='')}"))
        return [self._as(row, _Device).device() for row in rows]

    async def device(self, chassis_id: str) -> Device:
        """One device, or NotFound."""
        return self._as(await self._get(f"/devices/{quote(chassis_id, safe='')}"), _Device).device()

    async def put_device(self, device: Device) -> None:
        """Add or replace."""
        check_device(device)
        body = {"tenant": device.tenant, "name": device.name, "parsing": device.parsing}
        await self._ask("PUT", f"/devices/{device.chassis_id}", body)

    async def remove_device(self, chassis_id: str) -> None:
        """Forget a device, or NotFound."""
        await self._ask("DELETE", f"/devices/{quote(chassis_id, safe='')}")

    async def tenant_before(self, chassis_id: str) -> str | None:
        """The tenant that a removed device was of."""
        return self._as(await self._ask("GET", f"/devices/{quote(chassis_id, safe='')}/before"), _Before).tenant

    async def parsing(self, name: str, version: int | None = None) -> Parsing:
        """A version of a parsing, or NotFound."""
        query = "" if version is None else f"?version={version}"
        return self._as(await self._get(f"/parsings/{quote(name, safe='')}{query}"), Parsing)

    async def put_parsing(self, name: str, files: Sequence[ParsingFile], owner: str | None = None) -> Parsing:
        """Keep a new version, or give the newest where nothing changed; a new parsing is `owner`'s."""
        check_name("parsing", name)
        query = ""
        if owner is not None:
            check_name("tenant", owner)
            query = f"?tenant={owner}"
        body = {"files": msgspec.to_builtins(files)}
        return self._as(await self._ask("PUT", f"/parsings/{name}{query}", body, timeout_s=_PUT_S), Parsing)

    async def parsing_tenants(self, name: str) -> tuple[str | None, frozenset[str]]:
        """Whose it is, and the tenants of its devices; NotFound."""
        found = self._as(await self._ask("GET", f"/parsings/{quote(name, safe='')}/tenants"), _Tenants)
        return found.owner, frozenset(found.tenants)

    async def groups(self, tenant: str) -> list[dict[str, object]]:
        """The tenant's groups in order."""
        return self._as(await self._get(f"/groups?tenant={quote(tenant, safe='')}"), _Groups).groups

    async def put_group(self, tenant: str, group: dict[str, object], expected: int | None = None) -> dict[str, object]:
        """Add or replace by `groupId`, where the version is the expected one."""
        path = self._group(tenant, str(group["groupId"]))
        return self._as(await self._ask("PUT", path, group, headers=_only_if(expected)), dict[str, object])

    async def remove_group(self, tenant: str, group_id: str, expected: int | None = None) -> None:
        """Forget a group, or NotFound."""
        await self._ask("DELETE", self._group(tenant, group_id), headers=_only_if(expected))

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
        """Raises TransportError where MetaAPI does not answer now, or not what it is asked: though the cache serves."""
        status, _, body = await self._request("GET", "/presence?tenant=-", timeout_s=_CHECK_S)
        self._as(self._value(status, body), dict[str, bool | None])
        self._ages.check(monotonic())


def _only_if(expected: int | None) -> dict[str, str]:
    """The header that asks for a version."""
    if expected is None:
        return {}
    return {"If-Match": f'"{expected}"'} if expected else {"If-None-Match": "*"}
