"""Read the parts of a request that several endpoints share. Raises BadRequest naming the parameter."""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import AsyncIterator, Callable, Sequence
from typing import TypeVar

import msgspec
from aiohttp import web

from duco_rt.errors import BadRequest
from duco_rt.model import NAME, VEHICLE_CAN, LastSeen, Peer
from duco_rt.transports.base_data import Store

T = TypeVar("T")

SPANS = frozenset({"min", "max", "count"})
"""What of `stats` the store is asked for; `last` is what `fields` has anyway."""

MEANS = frozenset({"mean", "seconds"})
"""What of `stats` is made of the last values."""

RESOLUTIONS = ("second", "full")

_WRITTEN_AT_ONCE = 256 * 1024

_INTEGER = re.compile(r"[+-]?[0-9]{1,15}\Z")
_SKEW_MS = 5_000


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


async def range_of(request: web.Request, store: Store, now_ms: int, window_ms: int, longest_ms: int) -> tuple[int, int]:
    """`from` and `to` of a request in ms; by default the last `window_ms` by the device's clock."""
    to_ms, from_ms = int_of(request, "to"), int_of(request, "from")
    if to_ms is None:
        to_ms = await device_now_ms(store, peer_of(request), now_ms)
    if from_ms is None:
        from_ms = to_ms - window_ms
    if not 0 <= to_ms - from_ms <= longest_ms:
        longest = f"{longest_ms / 3_600_000:g} hours" if longest_ms >= 3_600_000 else f"{longest_ms / 1000:g} s"
        raise BadRequest(f"from {from_ms} to {to_ms}: to must not be before from, and at most {longest} after it")
    return from_ms, to_ms


async def device_now_ms(store: Store, peer: Peer, now_ms: int) -> int:
    """Now by the device's clock, where that is known to be off by more than 5 s; else ours.

    An arrival that is still to come by our clock was of a time when that was wrong: it tells nothing.
    """
    last = (await store.last_seen(peer.tenant)).get(peer)
    return now_ms if last is None or last.received_ms > now_ms + _SKEW_MS else now_ms - skew_ms(last)


def skew_ms(last: LastSeen | None) -> int:
    """How far a device's clock is behind ours, 0 within 5 s. A second arrives 1 s after its start."""
    if last is None:
        return 0
    behind = last.received_ms - last.ts_ms - 1000
    return behind if abs(behind) > _SKEW_MS else 0


def detail_of(request: web.Request) -> tuple[str, tuple[str, ...]]:
    """What `resolution` and `stats` ask for, by default second and nothing."""
    resolution = request.query.get("resolution", "second")
    stats = tuple(name for name in request.query.get("stats", "").split(",") if name)
    check_detail(resolution, stats, means=True)
    return resolution, stats


def check_detail(resolution: str, stats: Sequence[str], means: bool = False) -> None:
    """Raise BadRequest for another resolution than second and full, or stats that it does not have.

    `means`: whether there are those of `MEANS`, too.
    """
    if resolution not in RESOLUTIONS:
        raise BadRequest(f"resolution {resolution[:80]!r}: one of {', '.join(RESOLUTIONS)}")
    known = ("last", "min", "max", "count", *(("mean", "seconds") if means else ()))
    for name in stats:
        if name not in known:
            raise BadRequest(f"stats {name[:80]!r}: some of {', '.join(known)}")
    if stats and resolution == "full":
        raise BadRequest("stats: resolution=full has every value; they go with resolution=second")


def gone(request: web.Request) -> Callable[[], bool]:
    """Asks whether the client has gone away since."""
    return lambda: request.transport is None or request.transport.is_closing()


async def body_of(request: web.Request, kind: type[T]) -> T:
    """The JSON body as `kind`."""
    try:
        return msgspec.json.decode(await request.read(), type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as e:
        raise BadRequest(f"body: {e}") from e


def reply(value: object, status: int = 200) -> web.Response:
    """A JSON answer."""
    return web.Response(body=msgspec.json.encode(value), status=status, content_type="application/json")


def refusal(status: int, code: str, message: str, retry_s: float | None = None) -> web.Response:
    """An error as every endpoint gives it. `retry_s`: when it may be asked again."""
    headers = {} if retry_s is None else {"Retry-After": str(max(1, math.ceil(retry_s)))}
    return web.json_response({"error": {"code": code, "message": message}}, status=status, headers=headers)


def refusal_text(status: int, code: str, message: str, retry_s: float | None = None) -> bytes:
    """The same as it goes over a connection, which ends with it."""
    answer = refusal(status, code, message, retry_s)
    assert isinstance(answer.body, bytes)
    answer.headers.update({"Content-Length": str(len(answer.body)), "Connection": "close"})
    lines = [f"HTTP/1.1 {status} {answer.reason}", *(f"{name}: {value}" for name, value in answer.headers.items())]
    return "\r\n".join([*lines, "", ""]).encode() + answer.body


def reply_text(text: bytes) -> web.Response:
    """An answer that is JSON already. A large one is written in pieces: copied at once it would hold up the loop."""
    if len(text) <= _WRITTEN_AT_ONCE:
        return web.Response(body=text, content_type="application/json")
    length = {"Content-Length": str(len(text))}
    return web.Response(body=_in_pieces(text), headers=length, content_type="application/json")


async def _in_pieces(text: bytes) -> AsyncIterator[bytes]:
    for at in range(0, len(text), _WRITTEN_AT_ONCE):
        yield text[at : at + _WRITTEN_AT_ONCE]
        await asyncio.sleep(0)  # a socket that takes everything would leave no turn to others
