"""Read the parts of a request that several endpoints share. Raises BadRequest naming the parameter."""

from __future__ import annotations

import re
from typing import TypeVar

import msgspec
from aiohttp import web

from duco_rt.errors import BadRequest
from duco_rt.model import NAME, VEHICLE_CAN, Peer

T = TypeVar("T")

_INTEGER = re.compile(r"[+-]?[0-9]{1,15}\Z")


def name_of(request: web.Request, part: str) -> str:
    """A name in the path: tenant, chassisId, parsing."""
    value = request.match_info[part]
    if not NAME.match(value):
        raise BadRequest(f"{part} {value[:80]!r}: 1 to 64 of A-Z a-z 0-9 _ -")
    return value


def tenant_of(request: web.Request) -> str:
    """The tenant in the path, or in the query where the path has none."""
    if "tenant" in request.match_info:
        return name_of(request, "tenant")
    value = request.query.get("tenant", "")
    if not NAME.match(value):
        raise BadRequest(f"tenant {value[:80]!r}: 1 to 64 of A-Z a-z 0-9 _ -")
    return value


def peer_of(request: web.Request) -> Peer:
    """Tenant, chassisId and msgType of a request."""
    msg_type = request.query.get("msgType", VEHICLE_CAN)
    if not NAME.match(msg_type):
        raise BadRequest(f"msgType {msg_type[:80]!r}: 1 to 64 of A-Z a-z 0-9 _ -")
    return Peer(name_of(request, "tenant"), name_of(request, "chassisId"), msg_type)


def int_of(request: web.Request, name: str, default: int | None = None) -> int | None:
    """An integer of the query."""
    value = request.query.get(name)
    if value is None:
        return default
    if not _INTEGER.match(value):
        raise BadRequest(f"{name} {value[:80]!r}: expected an integer of at most 15 digits")
    return int(value)


async def body_of(request: web.Request, kind: type[T]) -> T:
    """The JSON body as `kind`."""
    try:
        return msgspec.json.decode(await request.read(), type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
        raise BadRequest(f"body: {e}") from e


def reply(value: object, status: int = 200) -> web.Response:
    """A JSON answer."""
    return web.Response(body=msgspec.json.encode(value), status=status, content_type="application/json")
