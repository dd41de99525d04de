"""`token`: makes, lists and takes back tokens, at the process that has MetaAPI's data, or in them."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any
from urllib.parse import quote

import msgspec

from duco_rt.cli.columns import columns
from duco_rt.cli.owner import Remote, meta_for_command, metaapi_for_command
from duco_rt.clock import SystemClock
from duco_rt.config import Config
from duco_rt.config.load import load_config
from duco_rt.errors import NotFound, TransportError
from duco_rt.moments import show_moment
from duco_rt.rights import Role
from duco_rt.seeing import logs
from duco_rt.transports.base_data import Meta
from duco_rt.web.access import audit
from duco_rt.web.access.tokens import new_token


class Shown(msgspec.Struct):
    """A token without its secret. Times in Unix ms."""

    id: str
    name: str
    grants: dict[str, Role]
    created: int
    expires: int | None

    @property
    def roles(self) -> str:
        """As the command line gives them: "duco:viewer"."""
        return " ".join(f"{tenant}:{role}" for tenant, role in sorted(self.grants.items()))

    @property
    def end(self) -> str:
        """When it ends."""
        return "no end" if self.expires is None else f"until {show_moment(self.expires)}"


class _New(Shown):
    token: str


class _List(msgspec.Struct):
    tokens: list[Shown]


class There:
    """In another process, which notes it in its audit log."""

    def __init__(self, remote: Remote) -> None:
        self._remote = remote

    async def add(self, name: str, grants: Mapping[str, Role], days: int | None) -> tuple[Shown, str]:
        """A new token and its text."""
        asked = {"name": name, "grants": dict(grants), "days": days}
        found: _New = _as(await self._remote.ask("POST", "api/metaapi/tokens", asked), _New)
        return found, found.token

    async def list(self, kind: str = "token") -> Sequence[Shown]:
        """All, oldest first; sessions newest first."""
        found: _List = _as(await self._remote.ask("GET", f"api/metaapi/tokens?kind={kind}"), _List)
        return found.tokens

    async def remove(self, token_id: str) -> None:
        """Take one back, or NotFound."""
        await self._remote.ask("DELETE", f"api/metaapi/tokens/{quote(token_id, safe='')}")


class Here:
    """In the data themselves, which no other process has now."""

    def __init__(self, meta: Meta) -> None:
        self._meta = meta

    async def add(self, name: str, grants: Mapping[str, Role], days: int | None) -> tuple[Shown, str]:
        """A new token and its text."""
        kept, text = new_token(name, grants, days, SystemClock().wall_ms())
        await self._meta.add_credential(kept)
        shown = Shown(kept.id, kept.name, kept.grants, kept.created_ms, kept.expires_ms)
        _note("added", token_id=kept.id, token_name=kept.name, roles=shown.roles)
        return shown, text

    async def list(self, kind: str = "token") -> Sequence[Shown]:
        """All, oldest first; sessions newest first."""
        now_ms = SystemClock().wall_ms()
        found = await self._meta.tokens()
        if kind == "session":
            found = [each for each in await self._meta.sessions() if not each.is_expired(now_ms)]
        return [Shown(t.id, t.name, t.grants, t.created_ms, t.expires_ms) for t in found]

    async def remove(self, token_id: str) -> None:
        """Take one back, or NotFound."""
        found = await self._meta.credential(token_id)
        if found is None:
            raise NotFound(f"token {token_id!r} is not known")
        await self._meta.remove_credential(token_id)
        _note("removed", token_id=token_id, token_name=found.name)


def _note(action: str, **facts: str) -> None:
    audit.log.info("audit", event_kind="token", who="local", kind="local", action=action, **facts, result="done")


def _as(answer: Any, kind: type[Any]) -> Any:  # noqa: ANN401  # JSON
    try:
        return msgspec.convert(answer, kind)
    except msgspec.ValidationError as e:
        raise TransportError(f"an answer that is not one of this version: {e}") from e


def token(args: argparse.Namespace) -> int:
    """`token add|list|remove`: asks the process that holds the data directory, or does it itself."""
    config = load_config(args.config, overrides=args.overrides)
    logs.configure(config.app.log_level, config.app.log_format)
    if args.action == "add":  # before anything is asked: what is wrong with it
        new_token(args.name, _grants(args), args.days, 0)
    asyncio.run(_token(config, args))
    return 0


def _grants(args: argparse.Namespace) -> dict[str, Role]:
    return dict.fromkeys(args.tenants, args.role)


async def _token(config: Config, args: argparse.Namespace) -> None:
    async with AsyncExitStack() as stack:
        remote = metaapi_for_command(config)
        tokens: Here | There
        if remote is None:
            tokens = Here(await meta_for_command(config, stack, adds=args.action == "add"))
        else:
            tokens = There(await stack.enter_async_context(remote))
        if args.action == "add":
            shown, text = await tokens.add(args.name, _grants(args), args.days)
            print(text, flush=True)
            said = f"token {shown.id} of {shown.name}: {shown.roles}, {shown.end}; it is shown this once"
            print(logs.escaped(said), file=sys.stderr)
        elif args.action == "remove":
            await tokens.remove(args.id)
            print(f"token {args.id}: removed")
        else:
            _print(await tokens.list("session" if args.sessions else "token"))


def _print(tokens: Sequence[Shown]) -> None:
    rows = [("ID", "ROLES", "MADE", "ENDS", "NAME")]
    for each in tokens:
        ends = "-" if each.expires is None else show_moment(each.expires)
        rows.append((each.id, each.roles, show_moment(each.created), ends, each.name))
    print(columns(rows))
