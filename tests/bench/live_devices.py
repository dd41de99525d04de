"""What studio's processor does with 10,000 machines live of which 10 are watched, beside the same with 10 live.

`python -m tests.bench.live_devices [--devices 10000] [--watched 10] [--viewers 10] [--seconds 20] [--rounds 3]`

Redis Pub/Sub with a subscription to each watched channel (the default); a message of 1 KB a machine and second.
"""

from __future__ import annotations

import argparse
import json
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.bench.live_parts import (
    FIELDS,
    LoadClient,
    Studio,
    channel_of,
    client,
    cpu_s,
    loaded,
    ratio,
    started,
    value_of,
    verdict,
)
from tests.programs import REPO
from tests.servers.redis import RedisServer
from tests.servers.server import HOST

TARGET = 1.1
SETTLE_S = 3.0
TICKS_A_SECOND = 100
WANTED = FIELDS[:45]  # with the rest of a message about 1 KB


def publish(port: int, devices: int) -> None:
    """A sample a second of every machine, for ever and evenly; `seq` follows the clock: the next run goes on."""
    payload = {name: value_of(name, 0) for name in WANTED}
    rest = json.dumps({"received": 1_700_000_000_000, "payload": payload}, separators=(",", ":"))[1:].encode()
    channels = [channel_of(f"M{number:05d}").encode() for number in range(devices)]
    head = b"*3\r\n$7\r\nPUBLISH\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n"
    with socket.create_connection((HOST, port)) as redis:
        tick = time.time_ns() * TICKS_A_SECOND // 10**9
        while True:
            text = b'{"ts":%d,"seq":%d,' % (time.time_ns() // 1_000_000, tick // TICKS_A_SECOND) + rest
            due = channels[tick % TICKS_A_SECOND :: TICKS_A_SECOND]
            redis.sendall(b"".join(head % (len(channel), channel, len(text), text) for channel in due))
            answers = 0
            while answers < len(due):
                answers += redis.recv(65536).count(b":")
            tick += 1
            time.sleep(max(0.0, tick / TICKS_A_SECOND - time.time()))


@contextmanager
def publishing(redis: RedisServer, devices: int) -> Iterator[None]:
    """So many machines live as long as the block."""
    words = ["--publish-to", str(redis.port), "--devices", str(devices)]
    command = [sys.executable, "-m", "tests.bench.live_devices", *words]
    with subprocess.Popen(command, cwd=REPO) as process:
        try:
            yield
        finally:
            process.kill()


def turn(redis: RedisServer, studio: Studio, load: LoadClient, devices: int, seconds: float) -> tuple[float, float]:
    """Studio's part of a core, and deliveries a second, with so many machines live."""
    with publishing(redis, devices):
        time.sleep(SETTLE_S)
        load.ask("reset")
        begun_s, before = time.monotonic(), cpu_s(studio.pid)
        time.sleep(seconds)
        passed_s, used = time.monotonic() - begun_s, cpu_s(studio.pid) - before
        return used / passed_s, load.ask("report")["frames"] / passed_s


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--devices", type=int, default=10_000)
    parser.add_argument("--watched", type=int, default=10)
    parser.add_argument("--viewers", type=int, default=10, help="of each watched machine")
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--publish-to", type=int, help="be the publisher: Redis's port")
    args = parser.parse_args()
    if args.publish_to:
        publish(args.publish_to, args.devices)
    found: dict[int, list[tuple[float, float]]] = {args.watched: [], args.devices: []}
    with loaded() as (stack, folder, redis):
        studio = Studio(folder / "studio", redis)
        started(stack, studio)
        load = client(stack)
        for number in range(args.watched):
            load.connect(studio, f"M{number:05d}", [WANTED[:2]], args.viewers)
        for _ in range(args.rounds):
            for devices, figures in found.items():
                figures.append(turn(redis, studio, load, devices, args.seconds))
    due = args.watched * args.viewers
    wrong = [delivered for each in found.values() for _, delivered in each if abs(delivered - due) > 0.1 * due]
    assert not wrong, f"not {due} deliveries a second: {wrong}"
    print(f"{'machines live':>14} {'watched':>8} {'studio, % of a core':>20} {'deliveries/s':>13}")
    for devices, figures in found.items():
        cpu, delivered = (statistics.median(column) for column in zip(*figures, strict=True))
        print(f"{devices:>14,} {args.watched:>8} {100 * cpu:>20.2f} {delivered:>13.1f}")
    few, many = ([cpu for cpu, _ in found[devices]] for devices in (args.watched, args.devices))
    is_now = ratio(many, few)
    print(f"ratio (median) {is_now:.2f}, target 1 (at most {TARGET})  {verdict(is_now <= TARGET)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
