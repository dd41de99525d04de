"""Measures layouts of the parsed table and codecs of the raw table; docs/store.md has the results.

    python -m tests.bench.store_layouts [--values 1e8] [--only NAME ...] [--raw]

A fleet of 50 devices with 60 fields each at 1 Hz, in a temporary folder that is removed at the end.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.bench import store_layouts_raw
from tests.bench.store_layouts_data import DEVICES, FIELDS, LAYOUTS, START_MS, Fleet, Layout

BATCH_S = 60
LIVE_INSERTS = 200


def evict(folder: Path) -> None:
    """Take the folder's files out of the page cache."""
    os.sync()
    for parent, _, names in os.walk(folder):
        for name in names:
            # The engine removes merged parts meanwhile.
            with suppress(FileNotFoundError), Path(parent, name).open("rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


class Bench:
    """One layout in one folder."""

    def __init__(self, layout: Layout, folder: Path) -> None:
        from chdb import session

        from duco_rt.transports.store_chdb import ENGINE

        self.layout, self.folder = layout, folder
        self.session: Any = session.Session(f"{folder}?{ENGINE}")
        self.fleet = Fleet()
        self.filled = 0
        self.sql("CREATE DATABASE duco")
        self.sql(layout.ddl)

    def sql(self, statement: str) -> Any:
        """Run a statement."""
        return self.session.query(statement, "Native")

    def insert(self, seconds: int) -> float:
        """Insert the fleet's next seconds; return the CPU seconds that this thread spent to make them."""
        before = time.thread_time()
        blocks = list(self.layout.blocks(self.fleet, seconds))
        made = time.thread_time() - before
        with self.session.send_insert(f"INSERT INTO duco.{self.layout.table}", "Native") as stream:
            for block in blocks:
                stream.append(block)
            stream.finish()
        return made

    def settle(self) -> None:
        """Wait until no merge has run for some seconds."""
        quiet = 0
        while quiet < 8:
            time.sleep(0.5)
            busy = self.session.query("SELECT count() FROM system.merges", "TSV").bytes() != b"0\n"
            quiet = 0 if busy else quiet + 1

    def fill(self, values: int) -> dict[str, float]:
        """Insert `values`, then some single seconds as in live operation."""
        clock, cpu = time.perf_counter(), time.process_time()
        made, batches = 0.0, max(1, round(values / (BATCH_S * DEVICES * FIELDS)))
        for _ in range(batches):
            made += self.insert(BATCH_S)
        wall = time.perf_counter() - clock - made
        self.settle()
        count = batches * BATCH_S * DEVICES * FIELDS
        cost = (time.process_time() - cpu - made) / count
        disk = self.session.query("SELECT sum(bytes_on_disk) FROM system.parts WHERE active", "TSV")
        found = {"values": count, "rate": count / wall, "cpu_us": cost * 1e6}
        found["disk"] = int(disk.bytes()) / count
        # On another day, so that no large merge of what was there falls into the measurement.
        self.filled, self.fleet.second = self.fleet.second, 30 * 86400
        cpu, made, walls = time.process_time(), 0.0, []
        for _ in range(LIVE_INSERTS):
            clock = time.perf_counter()
            spent = self.insert(1)
            walls.append(time.perf_counter() - clock - spent)
            made += spent
        self.settle()
        found["live_us"] = (time.process_time() - cpu - made) / (LIVE_INSERTS * DEVICES * FIELDS) * 1e6
        found["live_ms"] = statistics.median(walls) * 1e3
        return found

    def latency(self, fields: int, seconds: int, runs: int, cold: bool) -> float:
        """Median ms of a query for `fields` of one device; `seconds` somewhere in the time that is stored."""
        took = []
        span = self.filled - seconds
        for run in range(runs):
            if cold:
                for cache in ("MARK", "PRIMARY INDEX", "QUERY CONDITION"):
                    self.sql(f"SYSTEM DROP {cache} CACHE")
                evict(self.folder)
            start = START_MS + max(0, (run * 7919) % max(1, span)) * 1000
            statement = self.layout.query(run * 7 % DEVICES, fields, start, start + seconds * 1000 - 1)
            clock = time.perf_counter()
            self.sql(statement).bytes()
            took.append(time.perf_counter() - clock)
        return statistics.median(took) * 1e3

    def run(self, values: int) -> dict[str, float]:
        """Return all that is measured."""
        found = self.fill(values)
        found["cold_ms"] = self.latency(12, 120, 7, cold=True)
        cpu = time.process_time()
        found["warm_ms"] = self.latency(12, 120, 30, cold=False)
        found["warm_cpu"] = (time.process_time() - cpu) / 30 * 1e3
        found["hour_ms"] = self.latency(12, 3600, 10, cold=False)
        found["one_ms"] = self.latency(1, 3600, 10, cold=False)
        found["day_ms"] = self.latency(1, 86400, 5, cold=False)
        self.session.close()
        return found


COLUMNS: list[tuple[str, str, str]] = [
    ("rate", "values/s", "{:,.0f}"),
    ("cpu_us", "CPU µs/value", "{:.3f}"),
    ("live_us", "live CPU µs/value", "{:.2f}"),
    ("live_ms", "live insert ms", "{:.1f}"),
    ("disk", "bytes/value", "{:.2f}"),
    ("cold_ms", "12×2 min cold ms", "{:.0f}"),
    ("warm_ms", "12×2 min ms", "{:.1f}"),
    ("warm_cpu", "its CPU ms", "{:.1f}"),
    ("hour_ms", "12×1 h ms", "{:.0f}"),
    ("one_ms", "1×1 h ms", "{:.1f}"),
    ("day_ms", "1×all ms", "{:.0f}"),
]


def in_folder(work: Callable[[Path], dict[str, float]]) -> dict[str, float]:
    """Run with a temporary folder."""
    folder = Path(tempfile.mkdtemp(prefix="duco_layouts_"))
    try:
        return work(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def rows(names: list[str], values: int) -> Iterator[str]:
    """Yield the table's lines as they are measured."""
    yield "| layout | " + " | ".join(title for _, title, _ in COLUMNS) + " |"
    yield "|---|" + "---:|" * len(COLUMNS)
    for layout in LAYOUTS:
        if names and layout.name not in names:
            continue
        found = in_folder(lambda folder, layout=layout: Bench(layout, folder).run(values))  # type: ignore[misc]
        cells = [form.format(found[key]) for key, _, form in COLUMNS]
        yield f"| {layout.name} | " + " | ".join(cells) + " |"


def main() -> None:
    """Parse the arguments and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--values", type=float, default=1e8)
    parser.add_argument("--only", nargs="*", default=[], choices=[layout.name for layout in LAYOUTS])
    parser.add_argument("--raw", action="store_true", help="only the raw table")
    arguments = parser.parse_args()
    if not arguments.raw:
        for line in rows(arguments.only, int(arguments.values)):
            print(line, flush=True)
    if arguments.raw or not arguments.only:
        for line in store_layouts_raw.rows(in_folder):
            print(line, flush=True)


if __name__ == "__main__":
    main()
