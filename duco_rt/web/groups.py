"""Chart groups of a tenant: which lines stand together in one chart, on which axes, with which limits.

Each write raises a group's version by one. A write that names the version it changed (`If-Match`) is refused where
another one is there, so that of two people who edit at once none loses a change unseen.
"""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Annotated, Literal

import msgspec
from aiohttp import web

from duco_rt.errors import BadRequest, GroupChanged, NotFound
from duco_rt.model import NAME, VEHICLE_CAN
from duco_rt.transports.base_data import Meta
from duco_rt.web.params import body_of, name_of, reply, tenant_of

_GROUPS_MAX = 500
_LINES_MAX = 50
_AXES_MAX = 8
_LIMITS_MAX = 20
_TEXT_MAX = 200

_ADDED: dict[str, object] = {"version": 1, "changed": 0, "axes": [], "limits": []}
_ADDED_LINE: dict[str, object] = {"style": None, "dash": False}
"""What groups of an older release lack."""

_VERSION = re.compile(r'"([1-9][0-9]{0,14})"')

Text = Annotated[str, msgspec.Meta(max_length=_TEXT_MAX)]


class Line(msgspec.Struct):
    """One line of a chart; without `style` a field with choices is drawn in steps."""

    field: Text
    label: Text | None = None
    color: Text | None = None
    style: Literal["line", "step"] | None = None
    dash: bool = False


class Axis(msgspec.Struct):
    """Where the axis of a unit stands, and its range; None follows the values."""

    unit: Text
    side: Literal["left", "right"] = "left"
    min: float | None = None
    max: float | None = None


class Limit(msgspec.Struct, rename={"from_": "from"}):
    """A threshold line (both ends equal) or a band in a unit; None is an open end."""

    unit: Text
    from_: float | None = None
    to: float | None = None
    label: Text | None = None
    level: Literal["info", "warn", "bad"] = "info"


class Group(msgspec.Struct):
    """One chart as a client sends it."""

    title: Annotated[str, msgspec.Meta(min_length=1, max_length=_TEXT_MAX)]
    lines: Annotated[list[Line], msgspec.Meta(max_length=_LINES_MAX)]
    msgType: str = VEHICLE_CAN  # the field's name in the protocol
    order: int = 0
    axes: Annotated[list[Axis], msgspec.Meta(max_length=_AXES_MAX)] = []
    limits: Annotated[list[Limit], msgspec.Meta(max_length=_LIMITS_MAX)] = []


_Handler = Callable[["Groups", web.Request], Awaitable[web.Response]]


def _guarded(handler: _Handler) -> _Handler:
    """A conflict is answered with the group that is there."""

    @wraps(handler)
    async def serve(self: Groups, request: web.Request) -> web.Response:
        try:
            return await handler(self, request)
        except GroupChanged as e:
            return reply({"error": {"code": "conflict", "message": str(e)}, "group": _whole(e.group)}, 409)

    return serve


class Groups:
    """`…/_groups` and `…/_groups/{groupId}`."""

    def __init__(self, meta: Meta, *, upsert: bool = False) -> None:
        """`upsert`: PUT makes a group that is not there, as MetaAPI's own endpoint does."""
        self._meta = meta
        self._upsert = upsert
        self._adding = asyncio.Lock()  # what was counted holds until the new one is there

    async def list(self, request: web.Request) -> web.Response:
        """All groups in order."""
        return reply({"groups": [_whole(group) for group in await self._meta.groups(tenant_of(request))]})

    async def create(self, request: web.Request) -> web.Response:
        """A new group; 201 with its groupId."""
        tenant = tenant_of(request)
        group = _stored(uuid.uuid4().hex, _checked(await body_of(request, Group)))
        async with self._adding:
            await self._check_room(tenant)
            return _answer(await self._meta.put_group(tenant, group), 201)

    async def read(self, request: web.Request) -> web.Response:
        """One group."""
        return _answer(await self._find(tenant_of(request), name_of(request, "groupId")))

    @_guarded
    async def replace(self, request: web.Request) -> web.Response:
        """Change a group that is there; with `If-None-Match: *` make one that is not."""
        tenant, group_id, expected = tenant_of(request), name_of(request, "groupId"), _expected(request)
        group = _stored(group_id, _checked(await body_of(request, Group)))
        if expected == 0 or (expected is None and self._upsert):
            async with self._adding:
                await self._check_room(tenant, group_id)
                stored = await self._meta.put_group(tenant, group, expected)
        else:
            if expected is None:
                await self._find(tenant, group_id)
            stored = await self._meta.put_group(tenant, group, expected)
        return _answer(stored, 201 if expected == 0 else 200)

    @_guarded
    async def remove(self, request: web.Request) -> web.Response:
        """Forget a group."""
        await self._meta.remove_group(tenant_of(request), name_of(request, "groupId"), _expected(request))
        return reply({})

    async def _check_room(self, tenant: str, group_id: str | None = None) -> None:
        """Whether there may be one more, where that id is not there."""
        there = {group["groupId"] for group in await self._meta.groups(tenant)}
        if len(there) >= _GROUPS_MAX and group_id not in there:
            raise BadRequest(f"a tenant has at most {_GROUPS_MAX} groups")

    async def _find(self, tenant: str, group_id: str) -> dict[str, object]:
        for group in await self._meta.groups(tenant):
            if group["groupId"] == group_id:
                return group
        raise NotFound(f"group {group_id!r} is not known")


def _expected(request: web.Request) -> int | None:
    """The version that the request wants to find: 0 for none there, None for any."""
    match, none = request.headers.get("If-Match"), request.headers.get("If-None-Match")
    if none is not None:
        if match is not None or none.strip() != "*" or request.method != "PUT":
            raise BadRequest('If-None-Match: only "*", with PUT and without If-Match')
        return 0
    if match is None:
        return None
    version = _VERSION.fullmatch(match.strip())
    if version is None:
        raise BadRequest(f'If-Match {match[:80]!r}: expected one version in quotes, such as "3"')
    return int(version[1])


def _stored(group_id: str, group: Group) -> dict[str, object]:
    return {"groupId": group_id, **msgspec.to_builtins(group)}


def _answer(group: dict[str, object], status: int = 200) -> web.Response:
    """A group with its version as ETag."""
    response = reply(_whole(group), status)
    response.headers["ETag"] = f'"{group.get("version", 1)}"'
    return response


def _whole(group: dict[str, object]) -> dict[str, object]:
    """A stored group with what those of an older release lack."""
    lines = group["lines"]
    assert isinstance(lines, list)
    return {**_ADDED, **group, "lines": [{**_ADDED_LINE, **line} for line in lines]}


def _checked(group: Group) -> Group:
    if not NAME.match(group.msgType):
        raise BadRequest(f"msgType {group.msgType[:80]!r}: 1 to 64 of A-Z a-z 0-9 _ -")
    units: set[str] = set()
    for i, axis in enumerate(group.axes):
        _check_range(f"axes[{i}]", min=axis.min, max=axis.max)
        if axis.min is not None and axis.min == axis.max:
            raise BadRequest(f"axes[{i}]: min and max are both {axis.min:g}, min must be below max")
        if axis.unit in units:
            raise BadRequest(f"axes[{i}]: unit {axis.unit!r} has an entry already")
        units.add(axis.unit)
    for i, limit in enumerate(group.limits):
        _check_range(f"limits[{i}]", **{"from": limit.from_, "to": limit.to})
        if limit.from_ is None and limit.to is None:
            raise BadRequest(f"limits[{i}]: needs from, to or both")
    return group


def _check_range(where: str, **ends: float | None) -> None:
    """Lower and upper end by their names, not the wrong way round."""
    (low_name, low), (high_name, high) = ends.items()
    if low is not None and high is not None and low > high:
        raise BadRequest(f"{where}: {low_name} {low:g} is above {high_name} {high:g}")
