"""The decode engine against cantools in the same run: signals a second, on the truck's recording and on a full bus.

`python -m tests.bench.decode [--rounds 9]`

Both decode the same frames on one thread; cantools is asked as its users ask it: the message looked up in a dict by id
(J1939: by PGN), `message.decode(data, decode_choices=False)`. They take turns, each round gives one ratio of processor
time, and the median counts. Exits 1 where a target is missed by more than the spread of the rounds.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import can
from cantools.database.can import Message

from duco_rt.body import CanSecond, pack_columns, unpack_columns
from duco_rt.device.second import SecondBuilder
from duco_rt.model import Parsing
from duco_rt.parsing_files import read_files
from duco_rt.pipeline.decoding import j1939
from duco_rt.pipeline.decoding.columns import decode_columns
from duco_rt.pipeline.decoding.compiling import compile_here
from duco_rt.pipeline.decoding.last import last_values
from duco_rt.pipeline.decoding.plan import Plan, compile_plan
from duco_rt.pipeline.decoding.reading import Child
from duco_rt.pipeline.decoding.rows import rows_of
from duco_rt.pipeline.decoding.spans import spans
from duco_rt.pipeline.decoding.whole import is_read
from tests.bench.full_bus import FULL, Bus

REPO = Path(__file__).resolve().parents[2]
RECORDING = REPO.parent / "shared" / "data" / "truck-j1939-gps.log.gz"
SHIPPED = REPO / "duco_rt" / "dbc"
LONG_S = 120
SINGLE = 20
"""Seconds that are decoded one by one: what differs between them counts as it comes."""

Frames = list[tuple[int, bytes]]


class Input(NamedTuple):
    """A bus and how to read it; targets are of one second, 120 s and the last values."""

    name: str
    parsing: Parsing
    seconds: Sequence[CanSecond]
    targets: tuple[float, float, float | None]


class Turns(NamedTuple):
    """What two works that take turns cost: median seconds of each, and the ratios b / a of the rounds, sorted."""

    a_s: float
    b_s: float
    ratios: list[float]


def turns(a: Callable[[], object], b: Callable[[], object], rounds: int) -> Turns:
    """Processor time of both, after one round that is not counted; b runs once a round, a as often as fits its time."""
    a_s, b_s = _spent(a, 1), _spent(b, 1)
    times = max(1, min(1000, int(b_s / max(a_s, 1e-9)) // 2))
    rows = []
    for _ in range(rounds):
        a_s = _spent(a, times) / times
        rows.append((a_s, _spent(b, 1)))
    ratios = sorted(b_s / a_s for a_s, b_s in rows)
    return Turns(statistics.median(a_s for a_s, _ in rows), statistics.median(b_s for _, b_s in rows), ratios)


def _spent(work: Callable[[], object], times: int) -> float:
    gc.collect()
    gc.disable()
    begun = time.process_time()
    for _ in range(times):
        work()
    spent = time.process_time() - begun
    gc.enable()
    return spent


@dataclass
class Cantools:
    """Databases as a user of cantools holds them: messages by id, those of J1939 by PGN."""

    exact: dict[int, Message]
    groups: dict[int, Message]

    @classmethod
    def of(cls, parsing: Parsing) -> Cantools:
        """Read the files."""
        import cantools

        messages: list[Message] = []
        for file in parsing.files:
            database = cantools.database.load_string(file.text, "dbc")
            assert isinstance(database, cantools.database.Database)
            messages += database.messages
        groups = {j1939.pgn_of(m.frame_id): m for m in messages if m.protocol == "j1939"}
        return cls({m.frame_id: m for m in messages if m.protocol != "j1939"}, groups)

    def find(self, can_id: int) -> Message | None:
        """The message of an id."""
        return self.exact.get(can_id) or self.groups.get(j1939.pgn_of(can_id))

    def decode(self, frames: Frames) -> int:
        """Decode every frame that is known; the number of values."""
        exact, groups, values = self.exact.get, self.groups.get, 0
        for can_id, data in frames:
            message = exact(can_id) or groups(j1939.pgn_of(can_id))
            if message is not None and len(data) >= message.length:
                values += len(message.decode(data, decode_choices=False))
        return values


def frames_of(seconds: Sequence[CanSecond]) -> Frames:
    """The frames one by one, stream by stream."""
    frames: Frames = []
    for second in seconds:
        for stream, _, data in second.slices():
            n = stream.length
            frames += [(stream.can_id, bytes(data[at : at + n])) for at in range(0, stream.count * n, n)]
    return frames


def truck() -> Iterator[CanSecond]:
    """The recording's seconds."""
    builder, open_s = SecondBuilder(), None
    for m in can.LogReader(RECORDING):
        second_s = int(m.timestamp)
        if open_s is not None and second_s != open_s:
            yield builder.close(open_s * 1000, open_s)
        open_s = second_s
        key = str(m.channel), m.arbitration_id, m.is_extended_id, 0, len(m.data)
        builder.add(key, round(m.timestamp * 1e6), bytes(m.data))


def inputs() -> Iterator[Input]:
    """What is measured."""
    yield Input("full bus", FULL.parsing(), list(FULL.seconds(LONG_S)), (10, 50, 20))
    if not RECORDING.is_file():
        print("the truck's recording is not here: it belongs in ../shared/data")
        return
    seconds = list(truck())[1 : LONG_S + 1]
    for name, files in (
        ("truck, demo DBC", [RECORDING.with_name("j1939-demo.dbc")]),
        ("truck, shipped DBCs", [SHIPPED / "j1939.dbc", SHIPPED / "gnss.dbc"]),
    ):
        parsing = Parsing("truck", 1, read_files([str(file) for file in files]))
        yield Input(name, parsing, seconds, (4, 20, None))


def decoded(plan: Plan, seconds: Sequence[CanSecond]) -> int:
    """Every value as columns, in one call; how many there are."""
    rows = rows_of(seconds, partial(is_read, plan))
    return sum(block.values.size for block in decode_columns(plan, rows, Counter()))


def measure(case: Input, rounds: int) -> list[str]:
    """Print the rows of an input; the targets that it missed."""
    plan, theirs = compile_here(case.parsing), Cantools.of(case.parsing)
    some = case.seconds[:SINGLE]
    some_frames, all_frames = frames_of(some), frames_of(case.seconds)
    known = sum(theirs.find(can_id) is not None for can_id, _ in some_frames)
    print(f"\n{case.name}: {len(some_frames) // len(some):,} frames a second, {known // len(some):,} of them known")
    print(f"{'':<34}{'signals/s':>13}{'cantools':>12}{'ratio':>8}{'of the rounds':>16}{'target':>8}")
    missed = []

    def row(what: str, values: int, found: Turns, target: float | None) -> None:
        low, high = found.ratios[len(found.ratios) // 4], found.ratios[-1 - len(found.ratios) // 4]
        speeds = f"{values / found.a_s:>13,.0f}{values / found.b_s:>12,.0f}"
        shown = "" if target is None else f">= {target:g}"
        ratio = statistics.median(found.ratios)
        print(f"{what:<34}{speeds}{ratio:>7.1f}x{f'{low:.1f} to {high:.1f}':>16}{shown:>8}", flush=True)
        if target is not None and high < target:
            missed.append(f"{case.name}, {what}: {ratio:.1f}x, target {target:g}x")

    one_s, long_s, last = case.targets
    values = theirs.decode(some_frames)
    assert values == sum(decoded(plan, [second]) for second in some)

    def ours() -> None:
        for second in some:
            decode_columns(plan, rows_of([second]), Counter())

    row("columns, one second a call", values, turns(ours, lambda: theirs.decode(some_frames), rounds), one_s)
    every, packed = theirs.decode(all_frames), [pack_columns(second) for second in case.seconds]
    assert every == decoded(plan, case.seconds)
    few = max(3, rounds // 2)
    long = turns(lambda: decoded(plan, case.seconds), lambda: theirs.decode(all_frames), few)
    row(f"columns, {LONG_S} s a call", every, long, long_s)

    def stored() -> None:
        decoded(plan, [unpack_columns(columns, 0, 0) for columns in packed])

    row("  from the store's columns", every, turns(stored, lambda: theirs.decode(all_frames), 3), None)

    def lasts() -> None:
        for second in some:
            last_values(plan, second.slices(), Counter())

    def lasts_and_spans() -> None:
        for second in some:
            slices = list(second.slices())
            last_values(plan, slices, Counter())
            spans(plan, slices)

    row("last values (of all their frames)", values, turns(lasts, lambda: theirs.decode(some_frames), rounds), last)
    row(
        "last values, min, max, count", values, turns(lasts_and_spans, lambda: theirs.decode(some_frames), rounds), None
    )
    return missed


def plan_costs() -> None:
    """Print what a plan costs."""
    print(f"\n{'a plan':<34}{'signals':>13}{'read by cantools, ms':>22}{'compiled, ms':>14}")
    shipped = Parsing("j1939", 1, read_files([str(SHIPPED / "j1939.dbc"), str(SHIPPED / "gnss.dbc")]))
    for name, parsing in (
        ("shipped DBCs", shipped),
        ("full bus", FULL.parsing()),
        ("1,800 messages", Bus((1,) * 1800).parsing()),
    ):
        begun = time.perf_counter()
        files = Child(parsing.files).run()
        read = time.perf_counter()
        plan = compile_plan(parsing.name, parsing.version, files)
        compiled = time.perf_counter()
        times = f"{(read - begun) * 1e3:>22,.0f}{(compiled - read) * 1e3:>14,.1f}"
        print(f"{name:<34}{len(plan.fields):>13,}{times}", flush=True)


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=9)
    args = parser.parse_args()
    missed = [line for case in inputs() for line in measure(case, args.rounds)]
    plan_costs()
    for line in missed:
        print("MISSED", line)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
