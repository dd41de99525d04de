"""Deliveries per CPU-second to 1,000 viewers on 10 field lists of 12 of 200 fields, beside what they are compared with.

`python -m tests.bench.live_fanout [--viewers 1000] [--rounds 5] [--seconds 3]`

Three servers get their samples by turns: studio as it is deployed (`python -m duco_rt`, Redis Pub/Sub, uvloop), a naive
server on Node (ws, redis, lodash), and a bare loop of socket.send of the same finished frames. Each has its own load
client of one kind. Counted is what the server's process takes, user and system; the ratios are medians over the rounds.
"stats": messages as ingest writes them by default, with lowest, highest and number of each field, which nobody asks for
here; "deflate": the viewers offer compression.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from shutil import which
from typing import NamedTuple

from tests.bench.live_parts import (
    LISTS,
    LoadClient,
    NaiveNode,
    Plain,
    Publisher,
    Studio,
    client,
    cpu_s,
    loaded,
    ratio,
    started,
    verdict,
)
from tests.bench.live_plain import go
from tests.servers.redis import RedisServer
from tests.servers.server import Server

OURS, NODE, LOOP = "duco_rt", "Node", "bare loop"
STATS, DEFLATE = ", stats", ", deflate"
RATES = {OURS: 40.0, NODE: 3.0, LOOP: 40.0}
"""Samples a second that leave each server room on one core with 1,000 viewers."""


NAP_S = 0.01


class Side(NamedTuple):
    """One server with its viewers; `send` has so many samples delivered at a rate."""

    server: Server
    viewers: LoadClient
    rate: float
    send: Callable[[int, float], object]


def sides(stack: ExitStack, folder: Path, redis: RedisServer, viewers: int) -> dict[str, Side]:
    """All servers running, all viewers connected."""
    publisher = Publisher(redis)
    studio, loop = Studio(folder / "studio", redis), Plain(folder / "loop", "loop")
    servers: dict[str, Server] = {OURS: studio, LOOP: loop}
    if node_is_here():
        servers[NODE] = NaiveNode(folder / "node", redis)
    found: dict[str, Side] = {}
    for server_name, server in servers.items():
        started(stack, server)
        for kind in ("",) if server is loop else ("", STATS, DEFLATE):
            load, chassis_id = client(stack), f"M_{len(found)}"
            load.connect(server, chassis_id, LISTS, viewers, deflate=kind == DEFLATE)
            publish = partial(publisher.stream, chassis_id, stats=kind == STATS)
            found[server_name + kind] = Side(
                server, load, RATES[server_name], partial(go, loop.port) if server is loop else publish
            )
    return found


def node_is_here() -> bool:
    """Whether there is a Node to compare with; what to install otherwise."""
    missing = [name for name in ("node", "npm") if which(name) is None]
    if missing:
        print(f"without Node: {' and '.join(missing)} missing")
    return not missing


def deliveries(name: str, side: Side, viewers: int, seconds: float) -> tuple[float, float]:
    """Deliveries per CPU-second, and bytes a delivery, of one turn. Raises AssertionError where something is wrong."""
    count = max(2, round(side.rate * seconds))
    side.viewers.ask("reset", nap_s=NAP_S)
    before = cpu_s(side.server.pid)
    side.send(count, side.rate)
    came = side.viewers.all_came(count * viewers)
    used = cpu_s(side.server.pid) - before
    assert came["least"] == came["most"] == count and not came["wrong"], f"{name}: {came}"
    assert came["checked"] or came["opaque"], f"{name}: nothing was checked"
    return came["frames"] / used, came["bytes"] / came["frames"]


def table(rates: Mapping[str, list[float]], sizes: Mapping[str, float]) -> None:
    """What came out."""
    print(f"{'server':18} {'deliveries per CPU-second':>26} {'bytes a frame':>14}")
    for name, figures in rates.items():
        spread = f"({min(figures):,.0f} to {max(figures):,.0f})"
        print(f"{name:18} {statistics.median(figures):>10,.0f} {spread:>22} {sizes[name]:>7.0f}")
    rows = [
        (OURS, NODE, 10.0),
        (OURS + STATS, NODE + STATS, 10.0),
        (OURS, LOOP, 0.6),
        (OURS + DEFLATE, NODE + DEFLATE, 10.0),
        (OURS + DEFLATE, LOOP, 0.0),
    ]
    print(f"\n{'ratio (median)':34} {'is':>7} {'target':>8}")
    for ours, other, target in rows:
        if other in rates:
            is_now = ratio(rates[ours], rates[other])
            asked = f">= {target:g}  {verdict(is_now >= target)}" if target else "none"
            print(f"{ours + ' / ' + other:34} {is_now:>7.2f}   {asked}")


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--viewers", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0)
    args = parser.parse_args()
    with loaded() as (stack, folder, redis):
        try:
            every = sides(stack, folder, redis, args.viewers)
        except subprocess.CalledProcessError as e:
            print(f"npm install failed ({e}): there is nothing to compare with")
            return 1
        rates: dict[str, list[float]] = {name: [] for name in every}
        sizes: dict[str, float] = {}
        for turn in range(-1, args.rounds):
            for name, side in every.items():
                figure, sizes[name] = deliveries(name, side, args.viewers, args.seconds if turn >= 0 else 0.5)
                if turn >= 0:  # before it everything gets warm
                    rates[name].append(figure)
    table(rates, sizes)
    return 0


if __name__ == "__main__":
    sys.exit(main())
