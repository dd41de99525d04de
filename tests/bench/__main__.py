"""`make bench`: what this machine does. Each benchmark is a module with a command of its own, too."""

from __future__ import annotations

import subprocess
import sys

BENCHMARKS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("the decode engine against cantools", ("tests.bench.decode",)),
    ("from the hub to the parsed store, points a CPU-second", ("tests.bench.pipeline",)),
    ("history of wide windows", ("tests.bench.history",)),
    ("history at full resolution", ("tests.bench.full_history",)),
    ("an hour of a full bus read again", ("tests.bench.reparse",)),
    ("20 simulated machines, 5 viewers each, 5 minutes", ("tests.bench.fleet",)),
    ("from the start of the program to the first live point", ("tests.bench.startup",)),
    ("every transport real, a process a role, 40 machines in real time", ("tests.bench.roles",)),
    ("10,000 live messages a second of which 20 are watched", ("tests.bench.live_subscriptions",)),
    ("deliveries per CPU-second to 1,000 viewers, beside Node and a bare loop", ("tests.bench.live_fanout",)),
    ("from publication to receipt, 1,000 and 5,000 viewers", ("tests.bench.live_delay",)),
    ("one tenant's flood, as another one feels it", ("tests.bench.flood",)),
    ("... beside the whole system", ("tests.bench.flood_whole",)),
    ("memory a viewer", ("tests.bench.live_memory",)),
    ("10,000 machines live of which 10 are watched", ("tests.bench.live_devices",)),
    ("the store on a ClickHouse server", ("tests.bench.store_clickhouse",)),
    ("store layouts, 10 million values", ("tests.bench.store_layouts", "--values", "1e7")),
)


def main() -> int:
    """Run all, one after the other."""
    failed = 0
    for title, (module, *arguments) in BENCHMARKS:
        print(f"\n== {title}\n   python -m {' '.join((module, *arguments))}", flush=True)
        failed |= subprocess.run([sys.executable, "-m", module, *arguments], check=False).returncode
    return failed


if __name__ == "__main__":
    sys.exit(main())
