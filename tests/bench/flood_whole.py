"""The same flood beside the whole system: from the end of a machine's second to its viewer, without and with it.

`python -m tests.bench.flood_whole [--rounds 2] [--seconds 20] [--connections 1000]`

One process with all roles, embedded transports, tokens and 20 simulated loaders of tenant duco in real time, a viewer
each. Tenant a attacks as in `tests.bench.flood`. Printed are the delays of duco's viewers, by turns.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
import time
from collections import Counter
from pathlib import Path

import aiohttp
import uvloop

from tests.bench.fleet import Viewer, keep, watch
from tests.bench.flood import attacked, local_headers, new_token
from tests.programs import program

MACHINES = 20


def _line(name: str, seen: list[Viewer]) -> tuple[str, float]:
    delays = sorted(delay for viewer in seen for delay in viewer.delays_ms)
    p50, p99 = (delays[int(len(delays) * share)] for share in (0.5, 0.99))
    holes = sum(viewer.holes for viewer in seen)
    figures = f"p50 {p50:6.1f} ms  p99 {p99:6.1f} ms  most {delays[-1]:6.1f} ms"
    return f"{name:8} {figures}  {len(delays)} samples, holes {holes}", p99


async def run(rounds: int, seconds: float, connections: int) -> None:
    """Print the phases, and the ratio of their mean p99."""
    with tempfile.TemporaryDirectory() as name:
        data_dir, got = Path(name) / "data", Counter[str]()
        settings = f"device.simulate={MACHINES}", "web.auth=tokens", "app.log_level=error"
        async with program(data_dir, *settings) as running:
            local = local_headers(data_dir)
            async with aiohttp.ClientSession(running.url, headers=local) as plain, asyncio.TaskGroup() as tasks:
                async with plain.put("/api/metaapi/devices/A_1", json={"tenant": "a"}) as response:
                    assert response.status == 200
                tokens = [await new_token(plain, local, "a", n) for n in range(max(1, connections // 150))]
                ids = [row["chassisId"] for row in await running.json(plain, "")]
                beating = tasks.create_task(keep(plain, running, ids))
                found: dict[str, list[float]] = {"without": [], "with": []}

                async def phase(name: str) -> None:
                    end_s = time.monotonic() + seconds
                    seen = await asyncio.gather(*(watch(plain, running, each, end_s) for each in ids))
                    line, p99_ms = _line(name, list(seen))
                    found[name].append(p99_ms)
                    print(line, flush=True)

                await asyncio.sleep(5.0)  # warm
                for _ in range(rounds):
                    await phase("without")
                    async with attacked(int(running.url.rsplit(":", 1)[1].strip("/")), connections, tokens, got):
                        await phase("with")
                beating.cancel()
    means = [sum(values) / len(values) for values in found.values()]
    print(f"a got: {dict(sorted(got.items()))}")
    print(f"p99 with the flood: {means[1] / means[0]:.2f} × without; load of this machine {os.getloadavg()[0]:.1f}")


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--connections", type=int, default=1000)
    args = parser.parse_args()
    uvloop.run(run(args.rounds, args.seconds, args.connections))


if __name__ == "__main__":
    main()
