"""`reparse`: asks the process that holds the data directory, or does it itself; and shows how far it is."""

from __future__ import annotations

import argparse
import asyncio
import math
import shutil
import sys
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any, TextIO

import msgspec

from duco_rt.adapters import open_store
from duco_rt.adapters_meta import open_meta
from duco_rt.cli.owner import check_folder, error_of, holder, json_of, remote_of
from duco_rt.clock import SystemClock
from duco_rt.config import Config
from duco_rt.config.load import load_config
from duco_rt.disk.data_dir import DataDir, Owner
from duco_rt.errors import DucoError, TransportError
from duco_rt.moments import show_moment
from duco_rt.pipeline.decoding.compiling import compile_parsing_async
from duco_rt.pipeline.reparse import Means, Progress, Result
from duco_rt.pipeline.reparse_jobs import Asked, Reparses
from duco_rt.seeing import logs
from duco_rt.seeing.metrics import Metrics

_SILENCE_S = 60.0
"""A large parsing takes its time to be compiled; after that a line comes twice a second."""


def reparse(args: argparse.Namespace) -> int:
    """`reparse`: raw store → parsed store with today's logic. Ctrl-C ends it in order."""
    config = load_config(args.config, overrides=args.overrides)
    asked = Asked(args.device, args.from_, args.to_)
    asked.range(SystemClock().wall_ms(), ("--from", "--to"))
    logs.configure(config.app.log_level, config.app.log_format)
    display = Display(args.device, sys.stdout)
    try:
        asyncio.run(_reparse(config, asked, display))
    except KeyboardInterrupt:
        display.note("stopped; the same command goes on from there")
        return 130
    except DucoError:
        display.end_line()
        raise
    return 0


async def _reparse(config: Config, asked: Asked, display: Display) -> None:
    folder = Path(config.app.data_dir)
    owner = holder(config)
    result = await (_here(config, folder, asked, display) if owner is None else _there(owner, asked, display))
    display.result(result)


async def _here(config: Config, folder: Path, asked: Asked, display: Display) -> Result:
    async with AsyncExitStack() as stack:
        check_folder(config)
        stack.enter_context(DataDir(folder))
        meta = await open_meta(config, folder, stack)
        await meta.device(asked.chassis_id)  # before the engine takes its second to load
        store = await open_store(config, folder)
        stack.push_async_callback(store.close)
        compiled = partial(compile_parsing_async, limit_s=config.meta.read_limit_s)
        means = Means(store, meta, SystemClock(), Metrics())
        reparses = Reparses(means, config.app.msg_types, folder / "reparse", compiled)
        async with reparses.begin(asked) as job:
            for note in job.notes:
                display.note(note)

            async def tell(progress: Progress) -> None:
                display.progress(progress)

            return await job.watch(tell)


async def _there(owner: Owner, asked: Asked, display: Display) -> Result:
    import aiohttp

    body = {"device": asked.chassis_id, "from": asked.from_text, "to": asked.to_text}
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=5.0, sock_read=_SILENCE_S)
    try:
        async with remote_of(owner, timeout) as process, process.http.post("api/reparse", json=body) as response:
            if response.status != 200:
                raise error_of(json_of(await response.read()))
            async for line in response.content:
                result = _take(json_of(line), display)
                if result is not None:
                    return result
    except (aiohttp.ClientError, TimeoutError, OSError) as e:
        why = str(e) or type(e).__name__
        words = f"the process at {owner.url} went away ({why}); the same command goes on from there"
        raise TransportError(words) from e
    raise TransportError(f"the process at {owner.url} ended before it was done; the same command goes on from there")


def _take(read: Any, display: Display) -> Result | None:  # noqa: ANN401  # JSON
    """Show a line of the answer; the result where it is that."""
    try:
        if "result" in read:
            return msgspec.convert(read["result"], Result)
        if "note" in read:
            display.note(read["note"])
        elif "error" in read:
            raise error_of(read)
        else:
            display.progress(msgspec.convert(read, Progress))
    except (msgspec.ValidationError, TypeError) as e:
        raise TransportError(f"an answer that is not one of this version: {e}") from e
    return None


class Display:
    """One line redrawn on a terminal; elsewhere a line every 10 %. Notes go to stderr."""

    def __init__(self, chassis_id: str, out: TextIO) -> None:
        self._chassis_id = chassis_id
        self._out = out
        self._redraws = out.isatty()
        self._open = 0
        self._next_percent = 10

    def note(self, text: str) -> None:
        """Something that the user should know."""
        self.end_line()
        print(logs.escaped(f"{self._chassis_id}: {text}"), file=sys.stderr, flush=True)

    def progress(self, now: Progress) -> None:
        """How far it is."""
        percent = 100 * now.done_ms // now.total_ms
        if self._redraws:
            width = max(10, min(40, shutil.get_terminal_size().columns - 60))
            filled = width * now.done_ms // now.total_ms
            text = f"{self._chassis_id} [{'#' * filled}{'-' * (width - filled)}] {_figures(percent, now)}"
            self._out.write("\r" + text.ljust(self._open))
            self._open = len(text)
        elif percent >= self._next_percent:
            self._next_percent = percent // 10 * 10 + 10
            self._out.write(f"{self._chassis_id} {_figures(percent, now)}\n")
        self._out.flush()

    def end_line(self) -> None:
        """What is written next begins a line."""
        if self._open:
            self._out.write("\n")
            self._open = 0

    def result(self, done: Result) -> None:
        """What it gave."""
        self.end_line()
        for note in done.notes:
            self.note(note)
        what = f"{show_moment(done.from_ms)} to {show_moment(done.to_ms)}"
        parsing = "without a parsing" if done.parsing is None else "with {} version {}".format(*done.parsing)
        if done.seconds or done.problems:
            counts = f"{done.seconds} seconds read again {parsing}, {done.samples} samples stored"
            pace = f"{_clock(done.elapsed_s)}, {done.rate:.0f}x real time"
            self._out.write(f"{self._chassis_id}: {counts}, {what}, in {pace}\n")
        else:
            self._out.write(f"{self._chassis_id}: no raw data, {what}\n")
        if done.problems:
            shown = ", ".join(f"{kind} {count}" for kind, count in sorted(done.problems.items()))
            self._out.write(f"problems: {shown}\n")
        self._out.flush()


def _figures(percent: int, now: Progress) -> str:
    left_s = (now.total_ms - now.done_ms) / 1000 / now.rate if now.rate else math.inf
    eta = _clock(left_s) if left_s < 1e7 else "-:--"
    return f"{percent:3} %  {now.rate:.0f}x real time  {now.samples} samples  ETA {eta}"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
