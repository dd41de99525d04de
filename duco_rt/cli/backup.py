"""`backup` and `restore`: ask the process that holds the data directory, or do it themselves."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import BinaryIO

import aiohttp
import msgspec

from duco_rt.adapters import open_store
from duco_rt.adapters_meta import renew_meta
from duco_rt.cli.columns import columns
from duco_rt.cli.owner import check_folder, error_of, holder, json_of, remote_of
from duco_rt.cli.token import Shown, There
from duco_rt.clock import SystemClock
from duco_rt.config import Config
from duco_rt.config.load import load_config
from duco_rt.disk.backup import snapshot
from duco_rt.disk.backup_archive import Manifest, verify
from duco_rt.disk.data_dir import DataDir, Owner
from duco_rt.disk.data_version import is_fresh
from duco_rt.disk.restore import Means, Outcome, restore_folder
from duco_rt.disk.small_file import sync_folder
from duco_rt.errors import BadInput, ConfigError, DucoError, TransportError
from duco_rt.moments import show_moment
from duco_rt.seeing import logs

_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=5.0)
"""Before the first byte the other process reads all of its data once: that takes as long as it takes."""

_PIECE_BYTES = 256 * 1024


def backup(args: argparse.Namespace) -> int:
    """`backup FILE`: all that the data directory keeps, whole or not at all."""
    config = load_config(args.config, overrides=args.overrides)
    logs.configure(config.app.log_level, config.app.log_format)
    file = Path(args.file)
    if file.is_dir() or not file.parent.is_dir():
        raise ConfigError(f"{file}: {'is a folder' if file.is_dir() else 'its folder is not there'}")
    manifest = asyncio.run(_backup(config, file))
    for what in manifest.left_out:
        print(logs.escaped(f"not in it: {what}"), file=sys.stderr)
    print(f"{file}: backup of {show_moment(manifest.made)}, {_amount(manifest)}; read again and found whole")
    return 0


async def _backup(config: Config, file: Path) -> Manifest:
    part = file.with_name(f"{file.name}.part")
    try:
        with suppress(FileNotFoundError):
            part.unlink()
        with part.open("xb", buffering=0) as out:
            part.chmod(0o600)
            owner = holder(config)
            source = _here(config) if owner is None else _there(owner)
            async with source as pieces:
                async for piece in pieces:
                    await asyncio.to_thread(_put, out, piece)
            await asyncio.to_thread(os.fsync, out.fileno())
        manifest = await asyncio.to_thread(_verified, part)
        part.replace(file)
        sync_folder(file.parent)
    except OSError as e:
        part.unlink(missing_ok=True)
        raise TransportError(f"{e.filename or part}: {e.strerror}") from e
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    return manifest


def _put(out: BinaryIO, piece: bytes) -> None:
    left = memoryview(piece)
    while left:
        left = left[out.write(left) :]


def _verified(part: Path) -> Manifest:
    try:
        return verify(part)
    except BadInput as e:
        raise TransportError(f"the backup did not arrive whole: {e}; the other process's log says why") from e


@asynccontextmanager
async def _here(config: Config) -> AsyncIterator[AsyncIterator[bytes]]:
    """The pieces of an archive of a folder that nobody has."""
    folder = Path(config.app.data_dir)
    check_folder(config)
    if is_fresh(folder):
        raise ConfigError(f"app.data_dir = {str(folder)!r}: there is nothing in it")
    async with AsyncExitStack() as stack:
        stack.enter_context(DataDir(folder))
        store = None
        if (folder / "chdb").is_dir() and config.store.kind == "chdb":
            store = await open_store(config, folder)
            stack.push_async_callback(store.close)
        moment = await stack.enter_async_context(snapshot(folder, store, SystemClock()))
        yield _aside(moment.pieces())


async def _aside(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    while piece := await asyncio.to_thread(next, pieces, b""):
        yield piece


@asynccontextmanager
async def _there(owner: Owner) -> AsyncIterator[AsyncIterator[bytes]]:
    """The pieces of an archive that another process makes."""
    try:
        async with remote_of(owner, _TIMEOUT) as process, process.http.post("api/backup") as response:
            if response.status != 200:
                raise error_of(json_of(await response.read()))
            yield response.content.iter_chunked(_PIECE_BYTES)
    except (aiohttp.ClientError, TimeoutError) as e:
        raise TransportError(f"the process at {owner.url} went away: {str(e) or type(e).__name__}") from e


def restore(args: argparse.Namespace) -> int:
    """`restore FILE`: into an empty or absent data directory, or into the process that holds it."""
    config = load_config(args.config, overrides=args.overrides)
    logs.configure(config.app.log_level, config.app.log_format)
    asyncio.run(_restore(config, Path(args.file), replace=args.replace))
    return 0


async def _restore(config: Config, file: Path, *, replace: bool) -> None:
    manifest = await asyncio.to_thread(verify, file)
    owner = holder(config)
    if owner is not None:
        if replace:
            raise ConfigError("--replace: a process has the data directory; stop it, or restore into it without")
        before = await _tokens(owner)
        outcome = await _into(owner, file)
        _say_tokens([token for token in await _tokens(owner) if token not in before])
        counts = ", ".join(f"{count} {what}" for what, count in outcome.counts.items()) or "nothing of MetaAPI"
        _say(outcome.notes)
        print(f"{file}: the process at {owner.url} has {counts} now, and {outcome.parts} parts of history more")
        return
    folder = Path(config.app.data_dir)
    embedded = msgspec.structs.replace(config, store=msgspec.structs.replace(config.store, kind="chdb"))
    means = Means(partial(open_store, embedded, folder), renew_meta)
    fresh = await restore_folder(file, folder, means, SystemClock(), replace=replace)
    _say(manifest.left_out)
    _say_tokens([Shown(t.id, t.name, t.grants, t.created_ms, t.expires_ms) for t in fresh.tokens])
    if fresh.aside is not None:
        print(f"what was there is in {fresh.aside}", file=sys.stderr)
    print(f"{file}: backup of {show_moment(manifest.made)}, {_amount(manifest)}, is in {folder}")


async def _into(owner: Owner, file: Path) -> Outcome:
    headers: Mapping[str, str] = {"Content-Type": "application/x-tar"}
    try:
        with file.open("rb") as opened:
            async with (
                remote_of(owner, _TIMEOUT) as process,
                process.http.post("api/restore", data=opened, headers=headers) as response,
            ):
                status, text = response.status, await response.read()
    except (aiohttp.ClientError, TimeoutError, OSError) as e:
        raise TransportError(f"the process at {owner.url}: {str(e) or type(e).__name__}") from e
    if status != 200:
        raise error_of(json_of(text))
    try:
        return msgspec.json.decode(text, type=Outcome)
    except msgspec.DecodeError as e:
        raise TransportError(f"an answer that is not one of this version: {e}") from e


async def _tokens(owner: Owner) -> Sequence[Shown]:
    """All that the process knows; none where it does not keep them."""
    async with remote_of(owner) as process:
        try:
            return await There(process).list()
        except DucoError:
            return ()


def _say_tokens(tokens: Sequence[Shown]) -> None:
    """Whoever could write the file could put some in, and those that were taken back since are good again."""
    if tokens:
        print("tokens that were not there before (`token remove ID` takes one back):", file=sys.stderr)
        print(columns([("ID", "ROLES", "NAME"), *((t.id, t.roles, t.name) for t in tokens)]), file=sys.stderr)


def _say(notes: tuple[str, ...]) -> None:
    for note in notes:
        print(logs.escaped(f"not brought in: {note}"), file=sys.stderr)


def _amount(manifest: Manifest) -> str:
    return f"{len(manifest.members)} files, {manifest.size / 1e6:.1f} MB"
