"""From the start of the process to the first live point at a viewer, several times, each with a fresh data folder."""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from pathlib import Path

import aiohttp

from tests.programs import live, program


async def once(data_dir: Path) -> tuple[float, float]:
    """Seconds until the program is ready, and until the first live point."""
    begun_s = time.monotonic()
    async with program(data_dir) as running, aiohttp.ClientSession() as http:
        ready_s = time.monotonic() - begun_s
        await running.start_realtime(http)
        async for _ in live(http, running, "DUCO_001", ["speed"]):
            return ready_s, time.monotonic() - begun_s
    raise AssertionError("the stream ended")


async def run(times: int) -> list[tuple[float, float]]:
    """That many starts."""
    found = []
    for _ in range(times):
        with tempfile.TemporaryDirectory() as folder:
            found.append(await once(Path(folder) / "data"))
    return found


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--times", type=int, default=5)
    rows = asyncio.run(run(parser.parse_args().times))
    for name, column in zip(("ready", "first live point"), zip(*rows, strict=True), strict=True):
        print(f"{name}: median {statistics.median(column):.1f} s, {min(column):.1f} to {max(column):.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
