"""Chart groups of a tenant: which lines stand together in one chart."""

from __future__ import annotations

import uuid

import msgspec
from aiohttp import web

from duco_rt.errors import BadRequest, NotFound
from duco_rt.model import NAME, VEHICLE_CAN
from duco_rt.transports.base_data import Meta
from duco_rt.web.params import body_of, name_of, reply, tenant_of

_GROUPS_MAX = 500
_LINES_MAX = 50


class Line(msgspec.Struct):
    """One line of a chart."""

    field: str
    label: str | None = None
    color: str | None = None


class Group(msgspec.Struct):
    """One chart as a client sends it."""

    title: str
    lines: list[Line]
    msgType: str = VEHICLE_CAN  # the field's name in the protocol
    order: int = 0


class Groups:
    """`…/_groups` and `…/_groups/{groupId}`."""

    def __init__(self, meta: Meta, *, upsert: bool = False) -> None:
        """`upsert`: PUT makes a group that is not there, as MetaAPI's own endpoint does."""
        self._meta = meta
        self._upsert = upsert

    async def list(self, request: web.Request) -> web.Response:
        """All groups in order."""
        return reply({"groups": await self._meta.groups(tenant_of(request))})

    async def create(self, request: web.Request) -> web.Response:
        """A new group; 201 with its groupId."""
        tenant = tenant_of(request)
        group = _checked(await body_of(request, Group))
        if len(await self._meta.groups(tenant)) >= _GROUPS_MAX:
            raise BadRequest(f"a tenant has at most {_GROUPS_MAX} groups")
        stored = {"groupId": uuid.uuid4().hex, **msgspec.to_builtins(group)}
        await self._meta.put_group(tenant, stored)
        return reply(stored, 201)

    async def read(self, request: web.Request) -> web.Response:
        """One group."""
        return reply(await self._find(tenant_of(request), name_of(request, "groupId")))

    async def replace(self, request: web.Request) -> web.Response:
        """Change a group that is there."""
        tenant, group_id = tenant_of(request), name_of(request, "groupId")
        group = _checked(await body_of(request, Group))
        if not self._upsert:
            await self._find(tenant, group_id)
        stored = {"groupId": group_id, **msgspec.to_builtins(group)}
        await self._meta.put_group(tenant, stored)
        return reply(stored)

    async def remove(self, request: web.Request) -> web.Response:
        """Forget a group."""
        await self._meta.remove_group(tenant_of(request), name_of(request, "groupId"))
        return reply({})

    async def _find(self, tenant: str, group_id: str) -> dict[str, object]:
        for group in await self._meta.groups(tenant):
            if group["groupId"] == group_id:
                return group
        raise NotFound(f"group {group_id!r} is not known")


def _checked(group: Group) -> Group:
    if not group.title or len(group.title) > 200:
        raise BadRequest("title: 1 to 200 characters")
    if len(group.lines) > _LINES_MAX:
        raise BadRequest(f"lines: at most {_LINES_MAX}")
    if not NAME.match(group.msgType):
        raise BadRequest(f"msgType {group.msgType[:80]!r}: 1 to 64 of A-Z a-z 0-9 _ -")
    return group
