"""The command ledger of a MetaAPI in another process, asked each time: nothing of it comes from the cache."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

import msgspec

from duco_rt.model import Command, CommandState
from duco_rt.transports.meta_http_client import HttpClient


class _Begun(msgspec.Struct):
    earlier: Command | None


class _Moved(msgspec.Struct):
    moved: bool


class _Noted(msgspec.Struct):
    noted: int


class _Commands(msgspec.Struct):
    commands: list[dict[str, object]]


class _Acknowledged(msgspec.Struct):
    ms: int | None


class HttpCommands(HttpClient):
    """`CommandLedger` by MetaAPI's endpoints."""

    async def begin_command(self, command: Command) -> Command | None:
        """Claim an id; the earlier row where it acted or is under way."""
        found = await self._ask("POST", _place(command.chassis_id), msgspec.to_builtins(command))
        return self._as(found, _Begun).earlier

    async def move_command(self, command: Command, was: CommandState) -> bool:
        """From state `was` to a later one; False where it is not in that state."""
        body = msgspec.to_builtins(command)
        return self._as(await self._ask("PUT", f"{_place(command.chassis_id)}?was={was}", body), _Moved).moved

    async def note_commands(self, commands: Sequence[Command]) -> None:
        """Leased commands in one transaction; of a known id the beats are counted."""
        found = await self._ask("POST", "/commands", {"commands": msgspec.to_builtins(commands)})
        self._as(found, _Noted)

    async def command(self, chassis_id: str, command_id: str) -> Command | None:
        """One command, None where it is not there."""
        found = await self._listed(chassis_id, f"commandId={quote(command_id, safe='')}")
        return found[0] if found else None

    async def commands(self, chassis_id: str, limit: int, before_ms: int | None = None) -> list[Command]:
        """The newest of a device, newest first."""
        return await self._listed(chassis_id, f"limit={limit}" + ("" if before_ms is None else f"&before={before_ms}"))

    async def _listed(self, chassis_id: str, query: str) -> list[Command]:
        found = self._as(await self._ask("GET", f"{_place(chassis_id)}?{query}"), _Commands)
        return [self._as({**row, "chassisId": chassis_id}, Command) for row in found.commands]

    async def acknowledged_ms(self, chassis_id: str) -> int | None:
        """When the device last acknowledged a start; None after a stop."""
        return self._as(await self._ask("GET", _place(chassis_id, "acknowledged")), _Acknowledged).ms

    async def fed(self, chassis_id: str, at_ms: int) -> None:
        """The device acknowledged its start again."""
        self._as(await self._ask("PUT", _place(chassis_id, "acknowledged"), {"ms": at_ms}), _Acknowledged)


def _place(chassis_id: str, what: str = "commands") -> str:
    return f"/devices/{quote(chassis_id, safe='')}/{what}"
