"""From publication to receipt with many viewers of one machine, and what viewers that read nothing cost the others.

`python -m tests.bench.live_delay [--viewers 1000,5000] [--seconds 20] [--rounds 4] [--machines 1,50]`

Every viewer gets its machine's sample once a second; one machine for all is the worst case, since all of its viewers
are due at once. The publisher puts its monotonic time into the sample; the client, one process for all viewers, takes
the difference when it has read the frame, so that its own work counts, too.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.bench.live_parts import LISTS, SENT, Publisher, Studio, client, loaded, patient, started, verdict
from tests.servers.redis import RedisServer

TIMED = [[SENT, *fields] for fields in LISTS]
TARGETS_MS = {1000: 30.0, 5000: 100.0}
STALLED_PART, STALLED_TARGET = 0.05, 1.2
FILL = 250
"""Samples that fill a connection with a small receive buffer whose viewer reads nothing."""


class Watched:
    """A studio, its machines, and the viewers: `pausing` of them, which are not measured, may read nothing."""

    def __init__(self, stack: ExitStack, folder: Path, redis: RedisServer, machines: int) -> None:
        self._publisher = Publisher(redis)
        self._studio = Studio(folder / "studio", redis, patient())
        started(stack, self._studio)
        self._machines = [f"DUCO_{number:03d}" for number in range(1, machines + 1)]
        self.load = client(stack)
        self.viewers = self.pausing = 0

    def connect(self, viewers: int, pausing: int = 0) -> None:
        """So many viewers in all, spread over the machines."""
        for machine in self._machines:
            share = (viewers - pausing) // len(self._machines)
            self.load.connect(self._studio, machine, TIMED, share)
            self.viewers += share
        if pausing:
            self.load.connect(self._studio, self._machines[0], TIMED, pausing, small=True)
            self.pausing = pausing
        self._second()

    def _second(self) -> None:
        """A sample of every machine, the machines spread over the second."""
        begun_s = time.monotonic()
        for number, machine in enumerate(self._machines, 1):
            self._publisher.publish(machine)
            time.sleep(max(0.0, begun_s + number / len(self._machines) - time.monotonic()))

    def measure(self, seconds: int) -> dict[str, float]:
        """The delays of the viewers that read, in ms; `typical` is the p99 of the median second.

        Raises TimeoutError where one of them misses a sample.
        """
        self.load.ask("reset", delays=True)
        of_seconds = []
        for number in range(1, seconds + 1):
            self.load.ask("mark")
            self._second()
            came: dict[str, Any] = self.load.all_came(number * self.viewers)
            of_seconds.append(came["marked_ms"]["p99"])
        assert came["least"] == came["most"] == seconds and not came["wrong"], came
        return {**came["delays_ms"], "typical": statistics.median(of_seconds)}

    def pause(self) -> None:
        """The pausing viewers read nothing, and their connections are full."""
        self.load.ask("pause", last=self.pausing)
        self.fill()

    def resume(self) -> None:
        """All viewers read again; as many samples come as for a pause, so that both begin alike."""
        self.load.ask("resume")
        self.fill()

    def fill(self) -> None:
        """Samples as quickly as all are served."""
        self.load.ask("reset")
        for number in range(1, FILL + 1):
            self._publisher.publish(self._machines[0])
            self.load.all_came(number * (self.viewers // len(self._machines)))


def delays(viewers: int, machines: int, seconds: int) -> None:
    """A line of the first table."""
    with loaded() as (stack, folder, redis):
        watched = Watched(stack, folder, redis, machines)
        watched.connect(viewers)
        watched.measure(3)
        found = watched.measure(seconds)
    target = TARGETS_MS.get(viewers)
    asked = f"p99 < {target:g} ms  {verdict(found['p99'] < target)}" if target else ""
    shown = "".join(f"{found[name]:>9.1f}" for name in ("p50", "p99", "most", "typical"))
    print(f"{viewers:>7} {machines:>9} {shown}{'':20} {asked}", flush=True)


def beside_stalled(viewers: int, seconds: int, rounds: int) -> None:
    """The second table: by turns with all reading and with 5 % that read nothing."""
    pausing = round(viewers * STALLED_PART)
    found: dict[str, list[dict[str, float]]] = {"all read": [], "5 % read nothing": []}
    with loaded() as (stack, folder, redis):
        watched = Watched(stack, folder, redis, 1)
        watched.connect(viewers, pausing)
        watched.measure(3)
        for _ in range(rounds):
            watched.fill()
            found["all read"].append(watched.measure(seconds))
            watched.pause()
            found["5 % read nothing"].append(watched.measure(seconds))
            watched.resume()
    for key, title in (("p99", "p99"), ("typical", "median of the seconds' p99")):
        medians = [statistics.median(turn[key] for turn in turns) for turns in found.values()]
        part = medians[1] / medians[0]
        shown = ", ".join(f"{name} {value:.1f} ms" for name, value in zip(found, medians, strict=True))
        print(
            f"{title:28} {shown}: ratio {part:.2f}  <= {STALLED_TARGET}  {verdict(part <= STALLED_TARGET)}", flush=True
        )


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--viewers", default="1000,5000")
    parser.add_argument("--machines", default="1,50", help="a line for each, by number of viewers")
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--stalled-viewers", type=int, default=1000)
    args = parser.parse_args()
    print(f"delay from publication to receipt, ms, {args.seconds} s at 1 Hz")
    print("viewers  machines       p50      p99     most   median of the seconds' p99   target")
    for viewers in map(int, args.viewers.split(",")):
        for machines in map(int, args.machines.split(",")):
            delays(viewers, machines, args.seconds)
    print(f"\n{args.stalled_viewers} viewers of one machine, {args.rounds} turns of each, the others' delay")
    beside_stalled(args.stalled_viewers, max(5, args.seconds // 2), args.rounds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
