"""What one tenant feels of another one's flood: from publication to receipt, without and with it, by turns.

`python -m tests.bench.flood [--rounds 3] [--seconds 10] [--connections 1000]`

A studio (`python -m duco_rt`, Redis Pub/Sub) with tokens. Tenant b has 5 viewers on a machine with 20 samples a second.
Tenant a, from a process of its own at a lower priority, has its viewers, and asks, sends field lists, nonsense and
pings, guesses tokens and opens connections as fast as it can. Its machine has a sample a second. "Beside" is the same
attack on another studio of this machine: what b feels then is the processors that all share, not its own studio.
Printed are the delays of b, its server's lag (`duco_loop_lag_seconds`, of 99 in 100 looks), and what a got.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import socket
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp
import uvloop

from duco_rt.model import Peer
from tests.bench.live_client import summary
from tests.bench.live_parts import LISTS, SENT, Studio, cpu_s, loaded, message, started
from tests.programs import REPO
from tests.servers.redis import RedisServer
from tests.servers.server import HOST

VIEWERS = 5
RATE = 20.0
_GONE_S = 90.0
_LAG = re.compile(r'duco_loop_lag_seconds_bucket\{le="([^"]+)"\} (\d+)')


class Phase(NamedTuple):
    """What b saw in some seconds: delays in ms, the server's lag in ms (an upper bound) and its share of a processor,
    samples that did not come."""

    p50_ms: float
    p99_ms: float
    most_ms: float
    lag_ms: float
    cpu: float
    missing: int


class Result(NamedTuple):
    """The phases by turns, and what a got in all of its own."""

    quiet: list[Phase]
    flooded: list[Phase]
    beside: list[Phase]
    got: Counter[str]

    def ratio(self, others: list[Phase]) -> float:
        """How much longer 99 in 100 samples took at most with the flood: of the medians of the phases."""
        return _median([phase.p99_ms for phase in self.flooded]) / _median([phase.p99_ms for phase in others])


def _median(values: Sequence[float]) -> float:
    return sorted(values)[len(values) // 2]


class Site(NamedTuple):
    """A studio with both tenants' machines, how to ask it, and the headers of whoever is on its machine."""

    port: int
    pid: int
    http: aiohttp.ClientSession
    local: dict[str, str]

    async def token(self, tenant: str, number: int) -> str:
        """A viewer's."""
        return await new_token(self.http, self.local, tenant, number)

    async def metrics(self) -> str:
        """As the server gives them."""
        async with self.http.get("/metrics", headers=self.local) as response:
            return await response.text()

    async def alone(self, viewers: int) -> None:
        """Return when a's are gone, so many left: those that were not read are found out by a heartbeat."""
        async with asyncio.timeout(_GONE_S):
            while f"\nduco_live_viewers {viewers}\n" not in await self.metrics():
                await asyncio.sleep(1.0)


@asynccontextmanager
async def studio_at(stack: ExitStack, folder: Path, redis: RedisServer, settings: Sequence[str]) -> AsyncIterator[Site]:
    """One that is ready; it ends with the stack."""
    studio = Studio(folder, redis, ["web.auth=tokens", "app.log_level=error", *settings])
    await asyncio.to_thread(started, stack, studio)
    local = local_headers(folder / "data")
    async with aiohttp.ClientSession(f"http://{HOST}:{studio.port}") as http:
        for tenant in "ab":
            device = f"/api/metaapi/devices/{tenant.upper()}_1"
            async with http.put(device, json={"tenant": tenant}, headers=local) as response:
                assert response.status == 200, await response.text()
        yield Site(studio.port, studio.pid, http, local)


class Neighbour:
    """Tenant b: its viewers, and who publishes for both machines."""

    def __init__(self, redis: RedisServer, site: Site, token: str) -> None:
        self._redis = socket.create_connection((HOST, redis.port))
        self._site = site
        self._token = token
        self._delays_ns: list[int] = []
        self._seqs: Counter[str] = Counter()

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """With its viewers, as long as the block."""
        path = "/api/resources/b/_common/datasets/B_1/live?msgType=vehicle_can"
        async with asyncio.TaskGroup() as tasks:
            readers = []
            for number in range(VIEWERS):
                ws = await self._site.http.ws_connect(path, headers={"Authorization": f"Bearer {self._token}"})
                fields = [*LISTS[number], SENT]
                await ws.send_json({"type": "INIT_FIELD_LIST", "payload": fields, "ack": True})
                await ws.receive_json()
                readers.append(tasks.create_task(self._read(ws)))
            yield
            for reader in readers:
                reader.cancel()

    async def _read(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        async for each in ws:
            now_ns = time.monotonic_ns()
            self._delays_ns.append(now_ns - json.loads(each.data)["payload"][SENT])
        raise ConnectionError(f"a viewer of b was closed: {ws.close_code}")

    async def phase(self, seconds: float) -> Phase:
        """Publish for so long; what came of it."""
        self._delays_ns.clear()
        before, begun_s, count = await self._lag(), time.monotonic(), int(seconds * RATE)
        used_s = cpu_s(self._site.pid)
        for number in range(count):
            await asyncio.sleep(max(0.0, begun_s + number / RATE - time.monotonic()))
            self._publish("b", "B_1")
            if number % int(RATE) == 0:
                self._publish("a", "A_1")
        await asyncio.sleep(1.0)
        found, cpu = summary(self._delays_ns), (cpu_s(self._site.pid) - used_s) / (time.monotonic() - begun_s)
        missing = count * VIEWERS - len(self._delays_ns)
        return Phase(found["p50"], found["p99"], found["most"], _lag_ms(before, await self._lag()), cpu, missing)

    def _publish(self, tenant: str, chassis_id: str) -> None:
        self._seqs[tenant] += 1
        channel = Peer(tenant, chassis_id, "vehicle_can").channel.encode()
        words = b"PUBLISH", channel, message(self._seqs[tenant])
        self._redis.sendall(b"*3\r\n" + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words))
        self._redis.recv(1024)

    async def _lag(self) -> dict[float, int]:
        return {float(bound): int(count) for bound, count in _LAG.findall(await self._site.metrics())}


def _lag_ms(before: dict[float, int], after: dict[float, int]) -> float:
    """Of 99 in 100 looks, as the upper bound of their bucket."""
    counts = {bound: count - before.get(bound, 0) for bound, count in sorted(after.items())}
    total = max(counts.values(), default=0)
    return next((1000 * bound for bound, count in counts.items() if count >= 0.99 * total), 0.0)


@asynccontextmanager
async def attacked(port: int, connections: int, tokens: Sequence[str], got: Counter[str]) -> AsyncIterator[None]:
    """Tenant a's flood, as long as the block."""
    process = await asyncio.create_subprocess_exec(
        "nice", "-n", "5", sys.executable, "-m", "tests.bench.flood_attack", str(port), str(connections), *tokens,
        cwd=REPO, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    said = b"{}"
    try:
        for _ in range(8):  # until all are connected
            said = await process.stdout.readline()
        yield
    finally:
        process.kill()
        more, _ = await process.communicate()
        got.update(json.loads((more.splitlines() or [said])[-1]))


async def run(rounds: int = 3, seconds: float = 10.0, connections: int = 1000, settings: Sequence[str] = ()) -> Result:
    """Phases without and with the flood, and with it beside, by turns."""
    with loaded() as (stack, folder, redis):
        async with (
            studio_at(stack, folder / "studio", redis, settings) as ours,
            studio_at(stack, folder / "other", redis, settings) as other,
        ):
            neighbour = Neighbour(redis, ours, await ours.token("b", 0))
            result = Result([], [], [], Counter())
            attacks = [
                (site, phases, got, viewers, [await site.token("a", n) for n in range(max(1, connections // 150))])
                for site, phases, got, viewers in (
                    (ours, result.flooded, result.got, VIEWERS),
                    (other, result.beside, Counter[str](), 0),
                )
            ]
            async with neighbour.watching():
                await neighbour.phase(1.0)  # warm
                for _ in range(rounds):
                    result.quiet.append(await neighbour.phase(seconds))
                    for site, phases, got, viewers, tokens in attacks:
                        async with attacked(site.port, connections, tokens, got):
                            phases.append(await neighbour.phase(seconds))
                        await site.alone(viewers)
            return result


def local_headers(data_dir: Path) -> dict[str, str]:
    """Of whoever can read the lock file."""
    return {"Authorization": f"Bearer {json.loads((data_dir / 'lock').read_text())['key']}"}


async def new_token(http: aiohttp.ClientSession, local: dict[str, str], tenant: str, number: int) -> str:
    """A viewer's token in the tenant."""
    body: dict[str, Any] = {"name": f"{tenant}{number}", "grants": {tenant: "viewer"}, "days": 1}
    async with http.post("/api/metaapi/tokens", json=body, headers=local) as response:
        assert response.status == 201, await response.text()
        return str((await response.json())["token"])


def main() -> None:
    """Print what it is."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--connections", type=int, default=1000)
    parser.add_argument("--set", action="append", default=[], help="of the studio, as web.requests_user_per_s_max=50")
    args = parser.parse_args()
    result = uvloop.run(run(args.rounds, args.seconds, args.connections, args.set))
    for name, phases in (("without", result.quiet), ("with", result.flooded), ("beside", result.beside)):
        for phase in phases:
            print(
                f"{name:8} p50 {phase.p50_ms:6.1f} ms  p99 {phase.p99_ms:6.1f} ms  most {phase.most_ms:6.1f} ms"
                f"  server: lag (p99) up to {phase.lag_ms:g} ms, processor {phase.cpu:.0%}  missing {phase.missing}"
            )
    print(f"a got: {dict(sorted(result.got.items()))}")
    print(
        f"p99 with the flood: {result.ratio(result.quiet):.2f} × without, {result.ratio(result.beside):.2f} × beside;"
        f" load of this machine {os.getloadavg()[0]:.1f}"
    )


if __name__ == "__main__":
    main()
