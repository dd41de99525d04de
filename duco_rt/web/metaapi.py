"""MetaAPI's endpoints: devices, versioned parsings, direct methods."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from aiohttp import web

from duco_rt.errors import BadRequest
from duco_rt.model import Device, MethodResult, ParsingFile
from duco_rt.pipeline.decoding.compiling import check_parsing_async
from duco_rt.pipeline.decoding.limits import SOURCE_MAX
from duco_rt.pipeline.decoding.reading import LIMIT_S
from duco_rt.transports.base_data import Meta
from duco_rt.web.commands import Call
from duco_rt.web.groups import Groups
from duco_rt.web.ledger_api import LedgerApi
from duco_rt.web.params import body_of, int_of, name_of, reply

_FILES_MAX = 20


class _DeviceBody(msgspec.Struct):
    tenant: str
    chassisId: str | None = None
    name: str | None = None
    parsing: str | None = None


class _FileBody(msgspec.Struct):
    name: str
    text: str
    bus: str | None = None
    format: str = "dbc"
    sources: list[int] = []


class _ParsingBody(msgspec.Struct):
    files: list[_FileBody]
    version: int | None = None


class _MethodBody(msgspec.Struct):
    methodName: str
    payload: dict[str, object]


class MetaApi:
    """The data endpoints; `handle_method` serves the device methods with whatever `call` it is given."""

    def __init__(self, meta: Meta, connected: Callable[[str], bool | None], read_limit_s: float = LIMIT_S) -> None:
        """`connected(chassisId)` is the hub's word; None where it has none."""
        self._meta = meta
        self._connected = connected
        self._read_limit_s = read_limit_s
        self.groups = Groups(meta, upsert=True)
        self.ledger = LedgerApi(meta)

    async def devices(self, request: web.Request) -> web.Response:
        """All devices, or a tenant's."""
        return reply([_device(d) for d in await self._meta.devices(request.query.get("tenant"))])

    async def device(self, request: web.Request) -> web.Response:
        """One device."""
        return reply(_device(await self._meta.device(name_of(request, "chassisId"))))

    async def put_device(self, request: web.Request) -> web.Response:
        """Add or replace a device."""
        chassis_id = name_of(request, "chassisId")
        body = await body_of(request, _DeviceBody)
        if body.chassisId not in (None, chassis_id):
            raise BadRequest(f"chassisId {body.chassisId!r} is not the one of the address, {chassis_id!r}")
        device = Device(chassis_id, body.tenant, chassis_id if body.name is None else body.name, body.parsing)
        await self._meta.put_device(device)
        return reply(_device(device))

    async def remove_device(self, request: web.Request) -> web.Response:
        """Forget a device."""
        await self._meta.remove_device(name_of(request, "chassisId"))
        return reply({})

    async def presence(self, request: web.Request) -> web.Response:
        """chassisId → whether the device is on the hub, null where the hub cannot tell; of all, or a tenant's."""
        return reply(await hub_presence(self._meta, self._connected, request.query.get("tenant")))

    async def parsing(self, request: web.Request) -> web.Response:
        """A parsing, the newest version or the one of `?version=`."""
        return reply(await self._meta.parsing(name_of(request, "name"), int_of(request, "version")))

    async def put_parsing(self, request: web.Request) -> web.Response:
        """Keep a new version; a bad database is refused with its line."""
        name = name_of(request, "name")
        body = await body_of(request, _ParsingBody)
        if not 1 <= len(body.files) <= _FILES_MAX:
            raise BadRequest(f"files: 1 to {_FILES_MAX}, {len(body.files)} given")
        files = [ParsingFile(f.name, f.text, f.bus, f.format, _sources(f)) for f in body.files]
        await check_parsing_async(files, self._read_limit_s)
        return reply(await self._meta.put_parsing(name, files))

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
    body = await body_of(request, _MethodBody)
    chassis_id = name_of(request, "chassisId")
    result = await call(request.match_info["hub"], chassis_id, body.methodName, body.payload)
    return reply(method_answer(result))


def method_answer(result: MethodResult) -> dict[str, object]:
    """The device's own answer as the endpoint gives it."""
    return {"status": result.status, "payload": result.payload}


def _sources(file: _FileBody) -> tuple[int, ...]:
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
