"""The command ledger over HTTP: what a tenant may read, and MetaAPI's own endpoints for reading and writing it."""

from __future__ import annotations

from typing import cast, get_args

import msgspec
from aiohttp import web

from duco_rt.errors import BadRequest, NotFound
from duco_rt.model import COMMAND_ID_MAX, Command, CommandState
from duco_rt.transports.base_data import COMMANDS_PAGE_MAX, CommandLedger, Meta
from duco_rt.web.params import body_of, int_of, name_of, reply

_LIMIT = 50
_NOTED_MAX = 1_000
_REASON_MAX = 1_000


class CommandNotes(msgspec.Struct):
    """Commands that nobody sent."""

    commands: list[Command]


class Acknowledged(msgspec.Struct):
    """When a device acknowledged a start, Unix ms."""

    ms: int


class TenantCommands:
    """`/api/resources/{tenant}/_common/datasets/{chassisId}/commands`."""

    def __init__(self, meta: Meta) -> None:
        self._meta = meta

    async def handle(self, request: web.Request) -> web.Response:
        """The newest of a device of the tenant, newest first: `limit` (1 to 500, 50), `before` (ms)."""
        tenant, chassis_id = name_of(request, "tenant"), name_of(request, "chassisId")
        if (await self._meta.device(chassis_id)).tenant != tenant:
            raise NotFound(f"device {chassis_id!r} is not known")
        return _rows(await self._meta.commands(chassis_id, *_page_of(request)))


class LedgerApi:
    """MetaAPI's `/devices/{chassisId}/commands`, `…/acknowledged` and `/commands`."""

    def __init__(self, ledger: CommandLedger) -> None:
        self._ledger = ledger

    def routes(self, base: str) -> list[web.RouteDef]:
        """Its routes below `base`."""
        commands, acknowledged = f"{base}/devices/{{chassisId}}/commands", f"{base}/devices/{{chassisId}}/acknowledged"
        return [
            web.get(commands, self.read),
            web.post(commands, self.begin),
            web.put(commands, self.move),
            web.get(acknowledged, self.acknowledged),
            web.put(acknowledged, self.fed),
            web.post(f"{base}/commands", self.note),
        ]

    async def read(self, request: web.Request) -> web.Response:
        """The newest of a device, or the one of `?commandId=`."""
        chassis_id, command_id = name_of(request, "chassisId"), request.query.get("commandId")
        limit, before_ms = _page_of(request)
        if command_id is None:
            return _rows(await self._ledger.commands(chassis_id, limit, before_ms))
        found = await self._ledger.command(chassis_id, command_id)
        return _rows([] if found is None else [found])

    async def begin(self, request: web.Request) -> web.Response:
        """Claim an id: `{"earlier": null}`, or the row that has it."""
        return reply({"earlier": await self._ledger.begin_command(await _command_of(request))})

    async def move(self, request: web.Request) -> web.Response:
        """From state `?was=` to that of the body: `{"moved": true}`."""
        was = request.query.get("was", "")
        if was not in get_args(CommandState):
            raise BadRequest(f"was {was[:80]!r}: one of {', '.join(get_args(CommandState))}")
        moved = await self._ledger.move_command(await _command_of(request), cast(CommandState, was))
        return reply({"moved": moved})

    async def note(self, request: web.Request) -> web.Response:
        """Leased commands of many devices: `{"noted": n}`."""
        commands = (await body_of(request, CommandNotes)).commands
        if len(commands) > _NOTED_MAX:
            raise BadRequest(f"commands: at most {_NOTED_MAX}, {len(commands)} given")
        for command in commands:
            _check(command)
        await self._ledger.note_commands(commands)
        return reply({"noted": len(commands)})

    async def acknowledged(self, request: web.Request) -> web.Response:
        """When the device last acknowledged a start: `{"ms": …}`, null after a stop."""
        return reply({"ms": await self._ledger.acknowledged_ms(name_of(request, "chassisId"))})

    async def fed(self, request: web.Request) -> web.Response:
        """It acknowledged a start again at `{"ms": …}`."""
        body = await body_of(request, Acknowledged)
        await self._ledger.fed(name_of(request, "chassisId"), body.ms)
        return reply(body)


def _page_of(request: web.Request) -> tuple[int, int | None]:
    """How many rows, and from before which time in ms."""
    limit = int_of(request, "limit", _LIMIT)
    if limit is None or not 1 <= limit <= COMMANDS_PAGE_MAX:
        raise BadRequest(f"limit {limit}: 1 to {COMMANDS_PAGE_MAX}")
    return limit, int_of(request, "before")


def _rows(commands: list[Command]) -> web.Response:
    rows = [msgspec.to_builtins(command) for command in commands]
    return reply({"commands": [{key: row[key] for key in row if key != "chassisId"} for row in rows]})


async def _command_of(request: web.Request) -> Command:
    """The command of a body, of the device in the address."""
    command = await body_of(request, Command)
    if command.chassis_id != name_of(request, "chassisId"):
        raise BadRequest(f"chassisId {command.chassis_id[:80]!r} is not the one of the address")
    _check(command)
    return command


def _check(command: Command) -> None:
    if not 1 <= len(command.command_id) <= COMMAND_ID_MAX or not 1 <= len(command.who) <= COMMAND_ID_MAX:
        raise BadRequest(f"commandId, who: a text of 1 to {COMMAND_ID_MAX} characters")
    if len(command.reason) > _REASON_MAX:
        raise BadRequest(f"reason: at most {_REASON_MAX} characters")
    if command.beats < 0:
        raise BadRequest(f"beats {command.beats}: 0 or more")
