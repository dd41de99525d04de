"""What studio's processor does at 10,000 published messages a second of which 20 are watched, by kind of subscription.

`python -m tests.bench.live_subscriptions [--seconds 10] [--rate 10000] [--watched 20] [--kinds exact,pattern,streams]`

A Redis server, a publisher (a channel a machine, one message of about 1 KB a second each), a studio (LiveService with
its WebSocket endpoint, uvloop) and its viewers (one a watched channel) are processes of their own; the figure is
studio's alone.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path

import aiohttp
import psutil
import uvloop
from aiohttp import web

from duco_rt.clock import SystemClock
from duco_rt.config import Web
from duco_rt.model import Peer
from duco_rt.pipeline.parsing_cache import ParsingCache
from duco_rt.seeing.metrics import Metrics
from duco_rt.transports.base import Live
from duco_rt.transports.leases_memory import MemoryLeases
from duco_rt.transports.live_redis_pubsub import RedisPubSubLive
from duco_rt.transports.live_redis_streams import RedisStreamsLive
from duco_rt.transports.meta_sqlite import SqliteMeta
from duco_rt.web.live.means import Means
from duco_rt.web.live.service import LiveService
from tests.servers.redis import RedisServer
from tests.servers.server import HOST
from tests.web.conftest import ListStore

KINDS: dict[str, Callable[[str, Metrics], Live]] = {
    "exact": lambda url, metrics: RedisPubSubLive(url, 600, metrics, pattern=False),
    "pattern": lambda url, metrics: RedisPubSubLive(url, 600, metrics, pattern=True),
    "streams": lambda url, metrics: RedisStreamsLive(url, 600, metrics),
}
TICKS_A_SECOND = 100
FIELDS = {f"signal_{i:02d}": 1000.5 + i for i in range(45)}  # with ts, seq and received about 1 KB
SETTLE_S = 3.0


def publish(port: int, kind: str, rate: int) -> None:
    """Publish for ever, evenly; the answers are read and forgotten."""
    rest = json.dumps({"received": 1_700_000_000_000, "payload": {"speed": 12.5, **FIELDS}}, separators=(",", ":"))[1:]
    channels = [Peer("duco", f"M{i:05d}", "vehicle_can").channel.encode() for i in range(rate)]
    with socket.create_connection((HOST, port)) as redis:
        begun_s, number = time.monotonic(), 0
        while True:
            seq = number // TICKS_A_SECOND
            message = b'{"ts":%d,"seq":%d,' % (time.time_ns() // 1_000_000, seq) + rest.encode()
            tail = b"$%d\r\n%s\r\n" % (len(message), message)
            of_tick = channels[number % TICKS_A_SECOND :: TICKS_A_SECOND]
            if kind == "streams":
                head, answer = (
                    b"*7\r\n$4\r\nXADD\r\n$%d\r\n%s\r\n$6\r\nMAXLEN\r\n$1\r\n5\r\n$1\r\n*\r\n$4\r\ndata\r\n",
                    b"$",
                )
            else:
                head, answer = b"*3\r\n$7\r\nPUBLISH\r\n$%d\r\n%s\r\n", b":"
            redis.sendall(b"".join(head % (len(channel), channel) + tail for channel in of_tick))
            answers = 0
            while answers < len(of_tick):
                answers += redis.recv(65536).count(answer)
            number += 1
            time.sleep(max(0.0, begun_s + number / TICKS_A_SECOND - time.monotonic()))


async def studio(port: int, kind: str) -> None:
    """Serve viewers until killed; prints its own port."""
    metrics = Metrics()
    live = KINDS[kind](f"redis://{HOST}:{port}", metrics)
    clock = SystemClock()
    parsings = ParsingCache(SqliteMeta(Path("never opened")), 5, metrics)
    service = LiveService(Means(live, ListStore(), parsings, MemoryLeases(clock), Web(), clock, metrics))
    application = web.Application()
    application.router.add_get("/api/resources/{tenant}/_common/datasets/{chassisId}/live", service.handle)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, HOST, 0)
    await site.start()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(live.run())
        tasks.create_task(service.run())
        print(runner.addresses[0][1], flush=True)


@contextmanager
def role(*words: str) -> Iterator[subprocess.Popen[str]]:
    """A process of this module, as long as the block."""
    command = [sys.executable, "-m", "tests.bench.live_subscriptions", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


@asynccontextmanager
async def viewers(port: int, count: int, seen: list[float]) -> AsyncIterator[None]:
    """One a channel; `seen` gets each message's delay in ms."""

    async def view(http: aiohttp.ClientSession, number: int) -> None:
        address = f"http://{HOST}:{port}/api/resources/duco/_common/datasets/M{number:05d}/live?msgType=vehicle_can"
        async with http.ws_connect(address) as ws:
            await ws.send_json({"type": "INIT_FIELD_LIST", "payload": ["speed", "signal_07"]})
            async for message in ws:
                seen.append(time.time() * 1000 - json.loads(message.data)["ts"])  # noqa: PERF401  # read meanwhile

    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)))
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        for number in range(count):
            stack.callback(tasks.create_task(view(http, number)).cancel)
        yield


async def measure(kind: str, server: RedisServer, seconds: float, rate: int, watched: int) -> str:
    """The figures of one kind of subscription as a line."""
    work = ("--port", str(server.port), "--kinds", kind, "--rate", str(rate))
    with role("--role", "studio", *work) as serving, role("--role", "publish", *work):
        assert serving.stdout is not None
        port = int(await asyncio.to_thread(serving.stdout.readline))
        seen: list[float] = []
        async with viewers(port, watched, seen):
            await asyncio.sleep(SETTLE_S)
            seen.clear()
            begun_s, before = time.monotonic(), figures(server, serving.pid)
            await asyncio.sleep(seconds)
            after, passed_s = figures(server, serving.pid), time.monotonic() - begun_s
            delays = sorted(seen)
    studio_s, redis_s, published = ((b - a) / passed_s for a, b in zip(before, after, strict=True))
    delay = f"p50 {delays[len(delays) // 2]:.1f} ms, most {delays[-1]:.1f} ms" if delays else "nothing came"
    return (
        f"{kind:8} studio {100 * studio_s:5.1f} % of a core (redis {100 * redis_s:.0f} %): "
        f"{published:.0f} published/s, {len(delays) / passed_s:.1f} delivered/s of {watched} watched, {delay}"
    )


def figures(server: RedisServer, studio_pid: int) -> tuple[float, float, float]:
    """Processor seconds of studio and of Redis, and messages published, up to now."""
    redis_pid = int(server.cli("INFO", "server").split("process_id:")[1].split()[0])
    counts = re.findall(r"cmdstat_(?:publish|xadd):calls=(\d+)", server.cli("INFO", "commandstats"))
    studio_s, redis_s = (sum(psutil.Process(pid).cpu_times()[:2]) for pid in (studio_pid, redis_pid))
    return studio_s, redis_s, float(sum(map(int, counts)))


async def run(kinds: list[str], seconds: float, rate: int, watched: int) -> None:
    """All kinds, one after the other, each on a fresh server."""
    for kind in kinds:
        with tempfile.TemporaryDirectory() as folder:
            server = RedisServer(Path(folder)).start()
            try:
                print(await measure(kind, server, seconds, rate, watched), flush=True)
            finally:
                server.kill()


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--rate", type=int, default=10_000)
    parser.add_argument("--watched", type=int, default=20)
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--role", choices=["publish", "studio"], help="one of its processes")
    parser.add_argument("--port", type=int, help="of Redis, for a role")
    args = parser.parse_args()
    if args.role == "publish":
        publish(args.port, args.kinds, args.rate)
    work: Awaitable[None]
    if args.role == "studio":
        work = studio(args.port, args.kinds)
    else:
        work = run(args.kinds.split(","), args.seconds, args.rate, args.watched)
    uvloop.run(work)
    return 0


if __name__ == "__main__":
    sys.exit(main())
