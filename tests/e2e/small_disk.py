"""A program on a disk of its own: a small one that can be filled, or one that cannot be written.

The disk is mounted in a namespace of the program, and so goes with it; it is seen through /proc.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from functools import cache
from pathlib import Path

from tests.needs import lacks, needs
from tests.programs import REPO, Program
from tests.servers.server import free_port

SIZE_MB = 64


@cache
def own_mounts() -> list[str]:
    """The words that begin a command with mounts of its own."""
    words = [str(needs("unshare")), "--mount"]
    if os.geteuid() != 0:
        words += ["--user", "--map-root-user"]
    if subprocess.run([*words, "true"], capture_output=True, check=False).returncode:
        lacks("mounts of its own for a process", "unshare --user --map-root-user --mount has to work here")
    return words


def _arguments(folder: Path, port: int, settings: Sequence[str]) -> list[str]:
    listed = [f"app.data_dir={folder}/data", f"web.port={port}", *settings]
    return [sys.executable, "-m", "duco_rt", "run", *(word for each in listed for word in ("--set", each))]


async def start(
    folder: Path, mount: str, settings: Sequence[str] = (), port: int = 0
) -> tuple[asyncio.subprocess.Process, str]:
    """A process that begins with a mount in the folder, and what it says first on stdout; its log is on that disk."""
    environ = {key: value for key, value in os.environ.items() if not key.startswith("DUCO_")}
    script = f'{mount} && exec "$@"'
    process = await asyncio.create_subprocess_exec(
        *own_mounts(), "sh", "-c", script, "sh", *_arguments(folder, port, settings),
        cwd=folder.parent, env={**environ, "PYTHONPATH": str(REPO)},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    return process, (await asyncio.wait_for(process.stdout.readline(), 60)).decode()


class Disk:
    """What the program's disk looks like from inside, while it lives."""

    def __init__(self, process: asyncio.subprocess.Process, folder: Path) -> None:
        self.folder = Path("/proc", str(process.pid), "root", *folder.parts[1:])

    def fill(self) -> None:
        """Until nothing goes in any more."""
        with (self.folder / "filler").open("ab", buffering=0) as file:
            for size in (1 << 20, 1 << 12, 1):
                try:
                    while True:
                        file.write(bytes(size))
                except OSError:
                    continue

    def free(self) -> None:
        """There is room again."""
        (self.folder / "filler").unlink()

    def copy(self, to: Path) -> None:
        """All that is on it."""
        shutil.copytree(self.folder, to, symlinks=True)


@asynccontextmanager
async def on_small_disk(folder: Path, log: Path, *settings: str) -> AsyncIterator[tuple[Program, Disk]]:
    """A program on a fresh disk of `SIZE_MB`; its log goes to a file of that disk, which is copied to `log` at last."""
    folder.mkdir()
    port = free_port()
    mount = f"mount -t tmpfs -o size={SIZE_MB}m none {folder} && exec 2>{folder}/log"
    process, line = await start(folder, mount, settings, port)
    disk = Disk(process, folder)
    try:
        assert line.startswith("duco_rt is ready: "), line
        yield Program(process, line.split()[-1]), disk
    finally:
        with suppress(OSError):  # it was killed: its disk went with it
            log.write_bytes((disk.folder / "log").read_bytes())
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.terminate()
            await asyncio.wait_for(process.wait(), 40)
