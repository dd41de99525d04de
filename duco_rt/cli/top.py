"""`top`: a running process in the terminal, from what it serves of itself; nothing is kept there for it."""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
from rich.console import Console
from rich.live import Live

from duco_rt.cli.owner import Remote, error_of, holder, json_of, remote_of
from duco_rt.cli.top_rows import View, view
from duco_rt.cli.top_scrape import Change, Scrape, read_scrape
from duco_rt.cli.top_screen import screen
from duco_rt.config import Config
from duco_rt.config.load import load_config
from duco_rt.errors import ConfigError, DucoError, TransportError
from duco_rt.tls import client_context

_WINDOW_S = 30.0
_TIMEOUT = aiohttp.ClientTimeout(total=8.0)
_WIDTH_OF_FILES = 110


def top(args: argparse.Namespace) -> int:
    """`top`: until q or Ctrl-C; `--once` prints one table."""
    if not 0.2 <= args.every <= 600:
        raise ConfigError(f"--every {args.every:g}: from 0.2 to 600 seconds")
    config = load_config(args.config, overrides=args.overrides)
    try:
        asyncio.run(_show(_remote(config, args), args))
    except KeyboardInterrupt:  # how one leaves it
        return 0
    return 0


def _remote(config: Config, args: argparse.Namespace) -> Remote:
    """The process that `--url` names, or the one that holds the data directory."""
    token = _token(args.token_file) if args.token_file else ""
    if args.url:
        if not args.url.startswith(("http://", "https://")):
            raise ConfigError(f"--url {args.url!r}: begins with http:// or https://")
        is_https = args.url.startswith("https")
        ssl = client_context(config.meta.ca_file, "meta.ca_file") if is_https else True
        return Remote(args.url, token, ssl, _TIMEOUT)
    owner = holder(config)
    if owner is None:
        words = f"nothing runs with app.data_dir = {config.app.data_dir!r}; --url names a process elsewhere"
        raise TransportError(words)
    return remote_of(owner._replace(key=token or owner.key), _TIMEOUT)


def _token(file: str) -> str:
    try:
        return Path(file).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as e:
        raise ConfigError(f"--token-file {file!r}: {getattr(e, 'strerror', None) or 'no token'}") from e


async def _show(remote: Remote, args: argparse.Namespace) -> None:
    async with remote:
        if args.once or not sys.stdout.isatty():
            before = await _scrape(remote)
            await asyncio.sleep(args.every)
            shown = view(Change(before, await _scrape(remote)), await _ready(remote))
            console = Console(width=None if sys.stdout.isatty() else _WIDTH_OF_FILES)
            console.print(screen(remote.url, shown))
        else:
            await _watch(remote, args.every)


async def _watch(remote: Remote, every_s: float) -> None:
    """Draw anew until q. Rates and delays are of the last half minute."""
    scrapes: deque[Scrape] = deque()
    console = Console()
    quits = asyncio.Event()
    with _keys(quits), Live(console=console, screen=True, auto_refresh=False) as live:
        live.update(screen(remote.url, "asking …"), refresh=True)
        while not quits.is_set():
            shown = await _next(remote, scrapes)
            title = f"{remote.url}   {time.strftime('%H:%M:%S')}   q quits"
            live.update(screen(title, shown, console.height), refresh=True)
            try:
                async with asyncio.timeout(every_s if len(scrapes) != 1 else min(every_s, 1.0)):
                    await quits.wait()
            except TimeoutError:
                pass


async def _next(remote: Remote, scrapes: deque[Scrape]) -> View | str:
    """What there is to show now. A process that is away is asked again."""
    try:
        scrapes.append(await _scrape(remote))
        while len(scrapes) > 2 and scrapes[1].at_s <= scrapes[-1].at_s - _WINDOW_S:
            scrapes.popleft()
        return view(Change(scrapes[0], scrapes[-1]), await _ready(remote))
    except DucoError as e:
        return f"{e}; asking again"


async def _scrape(remote: Remote) -> Scrape:
    status, text = await _get(remote, "metrics")
    if status != 200:
        raise error_of(json_of(text))
    return read_scrape(text.decode("utf-8", "replace"), time.monotonic())


async def _ready(remote: Remote) -> dict[str, object]:
    _, text = await _get(remote, "readyz")  # 503 is an answer
    found = json_of(text)
    if not isinstance(found, dict):
        raise TransportError("an answer that is none of duco_rt")
    return found


async def _get(remote: Remote, path: str) -> tuple[int, bytes]:
    try:
        async with remote.http.get(path, allow_redirects=False) as response:
            return response.status, await response.read()
    except (aiohttp.ClientError, TimeoutError, OSError) as e:
        raise TransportError(f"the process at {remote.url}: {str(e) or type(e).__name__}") from e


@contextmanager
def _keys(quits: asyncio.Event) -> Iterator[None]:
    """Set `quits` when q is pressed, where the terminal can tell; Ctrl-C ends it everywhere."""
    try:
        import termios
        import tty

        before = termios.tcgetattr(sys.stdin)
    except (ImportError, OSError, ValueError, termios.error):  # Windows, or input that is no terminal
        yield
        return
    loop = asyncio.get_running_loop()

    def pressed() -> None:
        if sys.stdin.read(1) in ("q", "Q", "\x1b", ""):
            quits.set()

    tty.setcbreak(sys.stdin)
    loop.add_reader(sys.stdin, pressed)
    try:
        yield
    finally:
        loop.remove_reader(sys.stdin)
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)
