"""What each role costs a device, with every transport real: the figures that sizing starts from.

`python -m tests.bench.roles [--seconds 60] [--devices 40]`

Every machine sends in real time (589 CAN frames a second), one viewer watches each. Prints processor and memory of
each role's process and of each server, and the delay from the end of a second to the viewer's receipt.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

import aiohttp
import psutil

from tests.bench.fleet import Viewer, keep, watch
from tests.e2e.processes import Process, running
from tests.e2e.real import Servers

ROLES = ("ingest", "process", "distribute", "studio")


async def run(folder: Path, seconds: float, devices: int) -> tuple[dict[str, tuple[float, float]], list[Viewer]]:
    """Share of a core and resident MB by process, and what the viewers saw."""
    servers = Servers(folder)
    settings = [*servers.settings(), f"device.simulate={devices}"]
    metaapi = Process("metaapi", folder, ["metaapi", "device"], settings)
    settings += ["meta.kind=http", f"meta.url={metaapi.url}"]
    roles = [Process(role, folder, [role], settings) for role in ROLES]
    async with (
        servers.running(),
        running([metaapi, *roles]),
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http,
    ):
        studio = roles[-1].program
        ids = [row["chassisId"] for row in await studio.json(http, "")]
        measured = {"devices, metaapi": metaapi.program.process.pid}
        measured |= {process.name: process.program.process.pid for process in roles}
        measured |= {type(server).__name__: server.pid for server in servers.each.values()}
        async with asyncio.TaskGroup() as background:
            beat = background.create_task(keep(http, studio, ids))
            await asyncio.sleep(5)
            before = {name: _cpu_s(pid) for name, pid in measured.items()}
            begun_s = time.monotonic()
            seen = await asyncio.gather(*(watch(http, studio, name, begun_s + seconds) for name in ids))
            spent_s = time.monotonic() - begun_s
            beat.cancel()
        used = {
            name: ((_cpu_s(pid) - before[name]) / spent_s, psutil.Process(pid).memory_info().rss / 1e6)
            for name, pid in measured.items()
        }
        return used, list(seen)


def _cpu_s(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def report(used: dict[str, tuple[float, float]], viewers: list[Viewer], devices: int) -> None:
    """Print the figures."""
    print(f"{'process':<20}{'% of a core':>12}{'% a device':>12}{'MB':>7}")
    for name, (cores, mb) in used.items():
        print(f"{name:<20}{100 * cores:>12.1f}{100 * cores / devices:>12.2f}{mb:>7.0f}")
    delays = sorted(delay for viewer in viewers for delay in viewer.delays_ms)
    p50, p99 = delays[len(delays) // 2], delays[int(len(delays) * 0.99)]
    holes, doubles = sum(v.holes for v in viewers), sum(v.doubles for v in viewers)
    print(f"messages {len(delays)}, holes {holes}, doubles {doubles}, delay p50 {p50:.0f} ms, p99 {p99:.0f} ms")


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--devices", type=int, default=40)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        used, viewers = asyncio.run(run(Path(folder), args.seconds, args.devices))
    report(used, viewers, args.devices)
    return 0


if __name__ == "__main__":
    sys.exit(main())
