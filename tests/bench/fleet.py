"""20 simulated machines, 5 viewers each, in one process: every viewer gets a message a second, soon.

`python -m tests.bench.fleet [--seconds 300] [--devices 20] [--viewers 5]`

The delay is from the device's send to the viewer's receipt: the device's App notes the time of each real-time send
(`duco_rt.device.outbox`), viewers are sockets of another process on the same machine, with the same clock.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import psutil

from tests.programs import Program, program


@dataclass
class Viewer:
    """What one viewer saw."""

    seqs: list[int] = field(default_factory=list)
    delays_ms: list[float] = field(default_factory=list)

    @property
    def holes(self) -> int:
        """Steps in seq that are not one."""
        return sum(1 for a, b in zip(self.seqs, self.seqs[1:], strict=False) if b > a + 1)

    @property
    def doubles(self) -> int:
        """Samples seen before, or out of order."""
        return sum(1 for a, b in zip(self.seqs, self.seqs[1:], strict=False) if b <= a)


@dataclass
class Result:
    """What the run gave. Memory in MB, by half-minutes of the run."""

    viewers: list[Viewer]
    memory_mb: list[float]
    cpu_percent: float


async def watch(http: aiohttp.ClientSession, running: Program, chassis_id: str, end_s: float) -> Viewer:
    """One viewer until `end_s` (monotonic)."""
    seen = Viewer()
    address = running.address(f"/{chassis_id}/live?msgType=vehicle_can")
    async with http.ws_connect(address, max_msg_size=0) as socket:
        await socket.send_json(
            {"type": "INIT_FIELD_LIST", "payload": ["speed", "engine_rpm", "hydraulics_pump_pressure"]}
        )
        try:
            async with asyncio.timeout(max(0.0, end_s - time.monotonic())):
                async for message in socket:
                    now_ms = time.time() * 1000
                    read = json.loads(message.data)
                    seen.seqs.append(read["seq"])
                    # a second is sent when it ends, 1,000 ms after its start
                    seen.delays_ms.append(now_ms - read["ts"] - 1000)
        except TimeoutError:
            pass
    return seen


async def keep(http: aiohttp.ClientSession, running: Program, ids: list[str]) -> None:
    """The heartbeat of all pages."""
    while True:
        for chassis_id in ids:
            await running.start_realtime(http, chassis_id)
        await asyncio.sleep(50)


async def sample_memory(pid: int, out: list[float], every_s: float) -> None:
    """Resident memory, for ever."""
    process = psutil.Process(pid)
    while True:
        out.append(process.memory_info().rss / 1e6)
        await asyncio.sleep(every_s)


async def run(data_dir: Path, seconds: float, devices: int, viewers: int) -> Result:
    """The whole trial."""
    async with (
        program(data_dir, f"device.simulate={devices}") as running,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http,
    ):
        ids = [row["chassisId"] for row in await running.json(http, "")]
        assert len(ids) == devices
        process = psutil.Process(running.process.pid)
        memory: list[float] = []
        async with asyncio.TaskGroup() as background:
            helpers = [
                background.create_task(keep(http, running, ids)),
                background.create_task(sample_memory(running.process.pid, memory, min(30.0, seconds / 10))),
            ]
            process.cpu_percent(None)
            end_s = time.monotonic() + seconds
            seen = await asyncio.gather(*(watch(http, running, name, end_s) for name in ids for _ in range(viewers)))
            cpu = process.cpu_percent(None)
            for helper in helpers:
                helper.cancel()
        return Result(list(seen), memory, cpu)


def report(result: Result, seconds: float) -> None:
    """Print the figures."""
    # the first second of a connection may fall between two samples
    delays = sorted(d for v in result.viewers for d in v.delays_ms)
    counts = [len(v.seqs) for v in result.viewers]
    quantile = {p: delays[min(len(delays) - 1, int(len(delays) * p / 100))] for p in (50, 99)}
    print(f"viewers {len(result.viewers)}, {seconds:g} s: {min(counts)} to {max(counts)} messages each")
    print(f"holes {sum(v.holes for v in result.viewers)}, doubles {sum(v.doubles for v in result.viewers)}")
    print(f"delay from the end of the second to receipt: p50 {quantile[50]:.1f} ms, p99 {quantile[99]:.1f} ms, "
          f"most {delays[-1]:.1f} ms")  # fmt: skip
    print(f"processor {result.cpu_percent:.0f} % of one core")
    print("resident MB:", " ".join(f"{mb:.0f}" for mb in result.memory_mb))


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--devices", type=int, default=20)
    parser.add_argument("--viewers", type=int, default=5)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = asyncio.run(run(Path(folder) / "data", args.seconds, args.devices, args.viewers))
    report(result, args.seconds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
