"""MetaAPI's endpoints: devices, versioned parsings, direct methods."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

import msgspec
from aiohttp import web

from duco_rt.config import MetaStore
from duco_rt.errors import BadRequest, Conflict, NotFound
from duco_rt.model import Device, MethodResult, ParsingFile
from duco_rt.pipeline.decoding.compiling import check_parsing_async
from duco_rt.pipeline.decoding.limits import SOURCE_MAX
from duco_rt.rights import Identity
from duco_rt.transports.base_data import Meta
from duco_rt.web.access.audit import IDLE, note
from duco_rt.web.access.door import DENIED, forbidden, hidden, identity_of, require
from duco_rt.web.access.owners import Ownership, tenants_administered
from duco_rt.web.commands import Call
from duco_rt.web.groups import Groups
from duco_rt.web.ledger import ASKED_BY, asked_by
from duco_rt.web.ledger_api import LedgerApi
from duco_rt.web.params import body_of, int_of, name_of, reply, tenant_of

_DEFAULTS = MetaStore()
_FILES_MAX = 20
_NOT_ADDED = (
    "in all tenants, or meta.tenants_add_devices = true, for a machine that this tenant does not have;"
    " or add it on the server: python -m duco_rt device add"
)
_NOTED = ("action", "commandId")
"""Of a command's payload, in the audit log."""


class DeviceBody(msgspec.Struct):
    """A device as it is put; without a name it is called by its chassisId."""

    tenant: str
    chassisId: str | None = None
    name: str | None = None
    parsing: str | None = None


class FileBody(msgspec.Struct):
    """One database text; `bus` null matches every channel."""

    name: str
    text: str
    bus: str | None = None
    format: str = "dbc"
    sources: list[int] = []


class ParsingBody(msgspec.Struct):
    """A parsing as it is put; which version it becomes is said in the answer."""

    files: list[FileBody]
    version: int | None = None


class MethodBody(msgspec.Struct):
    """A call of a device's method."""

    methodName: str
    payload: dict[str, object]


class MetaApi:
    """The data endpoints; `handle_method` serves the device methods with whatever `call` it is given."""

    def __init__(
        self,
        meta: Meta,
        connected: Callable[[str], bool | None],
        config: MetaStore = _DEFAULTS,
    ) -> None:
        """`connected(chassisId)` is the hub's word; None where it has none."""
        self._meta = meta
        self._connected = connected
        self._config = config
        self._changing = asyncio.Lock()  # whose a name is stays as it was looked up: nobody else has the database
        self.groups = Groups(meta, upsert=True)
        self.ledger = LedgerApi(meta)

    async def devices(self, request: web.Request) -> web.Response:
        """All devices, or a tenant's."""
        return reply([_device(d) for d in await self._meta.devices(request.query.get("tenant"))])

    async def device(self, request: web.Request) -> web.Response:
        """One device."""
        return reply(_device(await self._meta.device(name_of(request, "chassisId"))))

    async def put_device(self, request: web.Request) -> web.Response:
        """Add or replace a device: for who is admin in its tenant, and in the one that it leaves; `_check_taking`."""
        chassis_id = name_of(request, "chassisId")
        body = await body_of(request, DeviceBody)
        if body.chassisId not in (None, chassis_id):
            raise BadRequest(f"chassisId {body.chassisId!r} is not the one of the address, {chassis_id!r}")
        device = Device(chassis_id, body.tenant, chassis_id if body.name is None else body.name, body.parsing)
        note(request, tenant=device.tenant)
        require(request, "admin", device.tenant)
        async with self._changing:
            await self._check_device(request, device)
            await self._meta.put_device(device)
        return reply(_device(device))

    async def _check_device(self, request: web.Request, device: Device) -> None:
        asker = identity_of(request)
        if asker.may("admin"):
            return
        await self._check_taking(request, device)
        if device.parsing is not None:
            whose = await self._whose(device.parsing)
            if whose is not None and not whose.may_use(asker, device.tenant):
                raise hidden(request, _unknown_parsing(device.parsing))

    async def _check_taking(self, request: web.Request, device: Device) -> None:
        """Nobody gets a machine, its data and its command path by being the first to name it; nor is it told whether it
        is another tenant's."""
        asker, now = identity_of(request), None
        with suppress(NotFound):
            now = (await self._meta.device(device.chassis_id)).tenant
        if now is not None and asker.may("viewer", now):
            require(request, "admin", now)
            return
        if not self._config.tenants_add_devices:
            raise forbidden(request, "admin", _NOT_ADDED)
        last = await self._meta.tenant_before(device.chassis_id) if now is None else now
        if last is not None and not asker.may("admin", last):
            request[DENIED] = "foreign"
            raise Conflict(f"device {device.chassis_id!r} cannot be used")

    async def tenant_before(self, request: web.Request) -> web.Response:
        """The tenant that a removed device was of; null where it is known, or never was."""
        return reply({"tenant": await self._meta.tenant_before(name_of(request, "chassisId"))})

    async def remove_device(self, request: web.Request) -> web.Response:
        """Forget a device."""
        await self._meta.remove_device(name_of(request, "chassisId"))
        return reply({})

    async def presence(self, request: web.Request) -> web.Response:
        """chassisId → whether the device is on the hub, null where the hub cannot tell; of all, or a tenant's."""
        return reply(await hub_presence(self._meta, self._connected, request.query.get("tenant")))

    async def parsing(self, request: web.Request) -> web.Response:
        """A parsing, the newest version or the one of `?version=`."""
        name, version, asker = name_of(request, "name"), int_of(request, "version"), identity_of(request)
        if not asker.may("viewer"):
            whose = await self._whose(name)
            if whose is None or not whose.may_read(asker):
                unknown = _unknown_parsing(name, version)
                raise NotFound(unknown) if whose is None else hidden(request, unknown)
        return reply(await self._meta.parsing(name, version))

    async def parsing_tenants(self, request: web.Request) -> web.Response:
        """Whose a parsing is (null: nobody's), and the tenants that have a device with it."""
        owner, tenants = await self._meta.parsing_tenants(name_of(request, "name"))
        return reply({"owner": owner, "tenants": sorted(tenants)})

    async def put_parsing(self, request: web.Request) -> web.Response:
        """Keep a new version; a bad database is refused with its line. A new parsing is the tenant's of `?tenant=`, by
        default of the only one in which who asks is admin; for an admin of all it is nobody's."""
        name, owner = name_of(request, "name"), _owner_of(request)
        await self._check_change(request, name)
        body = await body_of(request, ParsingBody)
        if not 1 <= len(body.files) <= _FILES_MAX:
            raise BadRequest(f"files: 1 to {_FILES_MAX}, {len(body.files)} given")
        size, most = sum(_size(file) for file in body.files), self._config.parsing_bytes_max
        if size > most:
            raise BadRequest(f"files: {size} bytes of text, at most {most} (meta.parsing_bytes_max)")
        files = [ParsingFile(f.name, f.text, f.bus, f.format, _sources(f)) for f in body.files]
        await check_parsing_async(files, self._config.read_limit_s, owner or "")
        async with self._changing:
            await self._check_change(request, name)
            return reply(await self._meta.put_parsing(name, files, owner))

    async def _check_change(self, request: web.Request, name: str) -> None:
        asker = identity_of(request)
        whose = None if asker.may("admin") else await self._whose(name)
        if whose is None or whose.may_change(asker):
            return
        if not whose.may_read(asker):
            request[DENIED] = "foreign"
            raise Conflict(f"parsing {name!r}: this name cannot be used")
        raise forbidden(request, "admin", f"in the tenant that parsing {name!r} belongs to")

    async def _whose(self, name: str) -> Ownership | None:
        """None: there is no such parsing."""
        try:
            return Ownership(*await self._meta.parsing_tenants(name))
        except NotFound:
            return None

    async def device_parsing(self, request: web.Request) -> web.Response:
        """The parsing of a device."""
        device = await self._meta.device(name_of(request, "chassisId"))
        found = None if device.parsing is None else await self._meta.parsing(device.parsing)
        return reply({"tenant": device.tenant, "parsing": found})


async def hub_presence(
    meta: Meta, connected: Callable[[str], bool | None], tenant: str | None
) -> dict[str, bool | None]:
    """The hub's word on every device of a tenant (None: of all)."""
    return {device.chassis_id: connected(device.chassis_id) for device in await meta.devices(tenant)}


async def handle_method(request: web.Request, call: Call) -> web.Response:
    """`POST /api/iothubs/{hub}/devices/{chassisId}/methods`."""
    body = await body_of(request, MethodBody)
    chassis_id = name_of(request, "chassisId")
    asker = identity_of(request)
    facts = {key: value for key in _NOTED if isinstance(value := body.payload.get(key), str)}
    note(request, methodName=body.methodName, **facts, asked_by=_for_whom(asker, body.payload))
    payload = asked_by(asker, body.methodName, body.payload)
    result = await call(request.match_info["hub"], chassis_id, body.methodName, payload)
    if _is_heartbeat(asker, payload, result):
        request[IDLE] = True
    return reply(method_answer(result))


def _for_whom(asker: Identity, payload: dict[str, object]) -> str:
    """The user in whose name another process of ours asks."""
    user = payload.get(ASKED_BY)
    return user if asker.is_service and isinstance(user, str) else ""


def _is_heartbeat(asker: Identity, payload: dict[str, object], result: MethodResult) -> bool:
    """Whether nobody did anything by it: a stream that is on goes on. The command ledger has it."""
    renews = asker.kind == "token" and asker.is_service and payload.get("reason") == "lease"
    return renews or (payload.get("action") == "start" and result.payload.get("source") == "lease")


def method_answer(result: MethodResult) -> dict[str, object]:
    """The device's own answer as the endpoint gives it."""
    return {"status": result.status, "payload": result.payload}


def _owner_of(request: web.Request) -> str | None:
    asker = identity_of(request)
    if "tenant" in request.query:
        tenant = tenant_of(request)
        require(request, "admin", tenant)
        note(request, tenant=tenant)
        return tenant
    if asker.may("admin"):
        return None
    tenants = tenants_administered(asker)
    if len(tenants) > 1:
        raise BadRequest(f"tenant: say whose parsing it is, ?tenant= one of {', '.join(tenants)}")
    note(request, tenant=tenants[0])
    return tenants[0]


def _unknown_parsing(name: str, version: int | None = None) -> str:
    """What MetaAPI says of a parsing that it does not know."""
    return f"parsing {name!r}{f' version {version}' if version else ''} is not known"


def _size(file: FileBody) -> int:
    texts = file.text, file.name, file.bus or ""
    return sum(len(text.encode(errors="surrogatepass")) for text in texts)


def _sources(file: FileBody) -> tuple[int, ...]:
    for source in file.sources:
        if not 0 <= source <= SOURCE_MAX:
            words = f"{source} is no J1939 source address, 0 to {SOURCE_MAX}"
            raise BadRequest(f"files: {file.name}: sources: {words}")
    return tuple(dict.fromkeys(file.sources))


def _device(device: Device) -> dict[str, object]:
    return {
        "chassisId": device.chassis_id,
        "tenant": device.tenant,
        "name": device.name,
        "parsing": device.parsing,
    }
