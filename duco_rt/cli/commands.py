"""What the commands do. Each takes the parsed arguments and returns an exit code."""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import signal
import sys
from collections import Counter
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import msgspec
import structlog

from duco_rt import app, demo
from duco_rt.adapters_meta import open_meta
from duco_rt.cli.backup import backup, restore
from duco_rt.cli.columns import columns
from duco_rt.cli.owner import meta_for_command
from duco_rt.cli.reparse import reparse
from duco_rt.cli.token import token
from duco_rt.cli.top import top
from duco_rt.config import Config
from duco_rt.config.load import load_config
from duco_rt.decoder import Decoder
from duco_rt.device.replay_bus import read_log
from duco_rt.disk.data_dir import DataDir, check_place, is_open_to_others
from duco_rt.errors import ConfigError, NotFound
from duco_rt.model import NAME, Device, ParsingFile
from duco_rt.parsing_files import read_files, read_sources
from duco_rt.pipeline.decoding.compiling import check_parsing_async
from duco_rt.runtime import Runtime
from duco_rt.seeing import logs
from duco_rt.transports.base_data import Meta

log = structlog.get_logger()

_SWITCH_S = 0.0005
"""After so long a thread that reads or writes much lets the event loop go on, which viewers wait for."""

_FULL_COLLECTION_EVERY = 1000
"""Collections of younger objects: with a thousand connections a full one holds up the live path for 67 ms, and what it
is there for, circles of old objects, connections do not leave (tests/web/test_circles.py)."""


def run(args: argparse.Namespace) -> int:
    """`run`: everything that the configuration asks for, until SIGINT or SIGTERM."""
    return _serve(_config_with_roles(args))


def _config_with_roles(args: argparse.Namespace) -> Config:
    overrides = list(args.overrides)
    if args.roles:
        overrides.append(f"app.roles=[{','.join(repr(role.strip()) for role in args.roles.split(','))}]")
    return load_config(args.config, overrides=overrides)


def _serve(config: Config) -> int:
    logs.configure(config.app.log_level, config.app.log_format)
    for warning in _warnings(config):
        log.warning(warning)
    _raise_file_limit()
    try:
        _run_loop(_until_signal(config))
    except ExceptionGroup as group:
        for error in _leaves(group):
            print(logs.escaped(f"duco_rt: {type(error).__name__}: {error}"), file=sys.stderr)
        return 1
    return 0


def _warnings(config: Config) -> list[str]:
    """What an operator who asks for credentials hardly wants."""
    if config.web.auth == "none" or not is_open_to_others(Path(config.app.data_dir)):
        return []
    what = "other accounts of this machine can look into that folder; chmod go= keeps them out"
    return [f"app.data_dir = {config.app.data_dir!r}: {what}"]


def _raise_file_limit() -> None:
    """As many open files as the system lets this process have: each viewer is one."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # macOS says "no limit" and means less
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


async def _until_signal(config: Config) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def on_signal() -> None:
        if stop.is_set():
            os._exit(1)  # asked twice: at once, whatever is open
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(number, on_signal)
        except NotImplementedError:  # Windows: Ctrl-C arrives as KeyboardInterrupt
            break
    async with Runtime(config) as runtime:
        print(f"duco_rt is ready: {runtime.url}", flush=True)
        # what is there now stays: collections need not walk it, which would hold up the live path for 50 ms
        gc.collect()
        gc.freeze()
        gc.set_threshold(*gc.get_threshold()[:2], _FULL_COLLECTION_EVERY)
        await stop.wait()


def _run_loop(main: Coroutine[object, object, None]) -> None:
    """uvloop where it exists; elsewhere a loop that can watch sockets."""
    sys.setswitchinterval(_SWITCH_S)
    try:
        import uvloop
    except ImportError:
        # MQTT watches its socket by add_reader, which Windows' default loop has not
        with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
            runner.run(main)
    else:
        uvloop.run(main)


def _leaves(group: BaseExceptionGroup[BaseException]) -> list[BaseException]:
    found: list[BaseException] = []
    for error in group.exceptions:
        found += _leaves(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found


def check(args: argparse.Namespace) -> int:
    """`check`: what is wrong with the configuration."""
    config = _config_with_roles(args)
    warnings = [*app.check(config), *_warnings(config)]
    check_place(Path(config.app.data_dir))
    for warning in warnings:
        print(f"warning: {warning}")
    print("the configuration is good")
    return 0


def decode(args: argparse.Namespace) -> int:
    """`decode`: JSON lines on stdout."""
    if not args.dbc:
        raise ConfigError("decode: --dbc [BUS=]FILE is needed")
    decoder = Decoder.from_files(args.dbc, sources=_sources(args))
    encode = msgspec.json.Encoder().encode
    write = sys.stdout.buffer.write
    if args.last:
        for ts, signals in decoder.last(read_log(args.log)):
            write(encode({"ts": ts, "signals": signals}) + b"\n")
    else:
        channels, decoded = Counter[str](), 0
        for frame in decoder.decode(read_log(args.log)):
            row = frame._asdict()
            if frame.signals is None:
                del row["signals"]
            write(encode(row) + b"\n")
            channels[str(frame.channel)] += 1
            decoded += frame.message is not None
        if channels and not decoded:
            seen = ", ".join(sorted(channels))
            print(f"duco_rt: none of {channels.total()} frames matched; buses in the log: {seen}", file=sys.stderr)
    sys.stdout.buffer.flush()
    return 0


def replay(args: argparse.Namespace) -> int:
    """`replay`: run with a recording as the bus of one device."""
    if not args.speed > 0:
        raise ConfigError(f"--speed {args.speed:g}: must be over 0")
    files = _files(args)
    next(read_log(args.log), None)  # one that cannot be read is told before anything starts
    settings = [
        *args.overrides,
        f"device.replay={args.log}",
        f"device.replay_speed={args.speed}",
        f"device.chassis_id={args.device}",
    ]
    config = load_config(args.config, overrides=settings)
    asyncio.run(_prepare_replay(config, args.device, files))
    return _serve(config)


def _files(args: argparse.Namespace) -> tuple[ParsingFile, ...]:
    """The databases of `--dbc`, with the addresses of `--sources`."""
    return read_files(args.dbc, _sources(args))


def _sources(args: argparse.Namespace) -> tuple[int, ...]:
    if args.sources is None:
        return ()
    if not args.dbc:
        raise ConfigError(f"--sources {args.sources}: goes with --dbc [BUS=]FILE")
    return read_sources(args.sources)


async def _prepare_replay(config: Config, chassis_id: str, files: tuple[ParsingFile, ...]) -> None:
    """See that the device is known, with its parsing, before the run begins."""
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(DataDir(Path(config.app.data_dir)))
        meta = await open_meta(config, folder.path, stack)
        try:
            device = await meta.device(chassis_id)
        except NotFound as e:
            if not files:
                raise ConfigError(f"--device {chassis_id}: not known; give it a parsing with --dbc [BUS=]FILE") from e
            device = Device(chassis_id, demo.TENANT, chassis_id)
        if files:
            known = Device(chassis_id, device.tenant, device.name, chassis_id)
            await _put(meta, known, files, config.meta.read_limit_s)


async def _put(meta: Meta, device: Device, files: tuple[ParsingFile, ...], limit_s: float) -> None:
    await check_parsing_async(files, limit_s)
    await meta.put_parsing(device.chassis_id, files, device.tenant)
    await meta.put_device(device)


def device(args: argparse.Namespace) -> int:
    """`device add|list|remove`: asks the process that holds the data directory, or does it itself."""
    config = load_config(args.config, overrides=args.overrides)
    for what, value in (("ID", args.id), ("--tenant", args.tenant)) if args.action == "add" else ():
        if not NAME.match(value):
            raise ConfigError(f"{what} {value!r}: 1 to 64 of A-Z a-z 0-9 _ -")
    asyncio.run(_device(config, args))
    return 0


async def _device(config: Config, args: argparse.Namespace) -> None:
    is_add = args.action == "add"
    if is_add and not args.dbc:
        raise ConfigError("device add: --dbc [BUS=]FILE is needed")
    files = _files(args) if is_add else ()
    async with AsyncExitStack() as stack:
        meta = await meta_for_command(config, stack, adds=is_add)
        if is_add:
            await _put(meta, Device(args.id, args.tenant, args.id, args.id), files, config.meta.read_limit_s)
            print(f"{args.id}: tenant {args.tenant}, parsing {args.id}")
        elif args.action == "remove":
            await meta.remove_device(args.id)
            print(f"{args.id}: removed; its data stays until its retention ends")
        else:
            rows = [("DEVICE", "TENANT", "PARSING", "NAME")]
            rows += [(d.chassis_id, d.tenant, d.parsing or "-", d.name) for d in await meta.devices()]
            print(columns(rows))


COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "run": run,
    "check": check,
    "decode": decode,
    "replay": replay,
    "device": device,
    "reparse": reparse,
    "backup": backup,
    "restore": restore,
    "token": token,
    "top": top,
}
