"""How fast one ingestor reads a backlog of the loopback event hub, the peer in a thread of the same process.

python -m tests.servers.iothub.speed [EVENTS] [BYTES]
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from contextlib import aclosing
from pathlib import Path

from duco_rt.clock import SystemClock
from duco_rt.seeing.metrics import Metrics
from duco_rt.transports.hub_iothub.checkpoints import SqliteCheckpoints
from duco_rt.transports.hub_iothub.hub import IotHub
from tests.servers.iothub.cloud import Cloud
from tests.servers.iothub.thread import in_thread


def _fill(cloud: Cloud, events: int, size: int) -> None:
    for seq in range(events):
        properties = {"msgType": "vehicle_can", "seq": str(seq), "ts": str(seq)}
        cloud.log.append(f"D{seq % 64}", properties, {"$.ct": "x/y", "$.ce": "identity"}, bytes(size))


async def _read(cloud: Cloud, folder: Path, events: int) -> tuple[float, float]:
    checkpoints = SqliteCheckpoints(folder / "checkpoints.sqlite")
    string = cloud.events_string
    hub = IotHub(Metrics(), SystemClock(), events_connection_string=string, checkpoints=checkpoints)
    async with aclosing(hub.stored()) as stored:  # type: ignore[type-var]  # an async generator
        (await anext(stored)).ack()
        begun_s, used_s = time.monotonic(), time.thread_time()
        for _ in range(events - 1):
            (await anext(stored)).ack()
        taken_s = time.monotonic() - begun_s, time.thread_time() - used_s
    await hub.close()
    return taken_s


def main() -> None:
    """Print events a second, by the wall and by the reader's own CPU time."""
    events, size = (int(word) for word in [*sys.argv[1:], *("20000", "1000")[len(sys.argv) - 1 :]])
    with tempfile.TemporaryDirectory() as name, in_thread(Path(name), ()) as (cloud, _):
        _fill(cloud, events, size)
        wall_s, cpu_s = asyncio.run(_read(cloud, Path(name), events))
    print(f"{events} events of {size} bytes over 4 partitions: {events / wall_s:.0f}/s, {events / cpu_s:.0f} a CPU s")


if __name__ == "__main__":
    main()
