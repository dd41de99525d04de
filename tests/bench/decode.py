"""The decode engine against cantools in the same run: signals a second, on the truck's recording and on a full bus.

`python -m tests.bench.decode [--rounds 9]`

Both decode the same frames on one thread; cantools is asked as its users ask it: the message looked up in a dict by id
(J1939: by PGN), `message.decode(data, decode_choices=False)`. They take turns, each round gives one ratio of processor
time, and the median counts. It names the targets that are missed by more than the spread of the rounds.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

from duco_rt.body import CanSecond, pack_columns
from duco_rt.model import Parsing, Peer, RawSecond
from duco_rt.parsing_files import read_files
from duco_rt.pipeline.decoding.columns import decode_columns
from duco_rt.pipeline.decoding.compiling import compile_here
from duco_rt.pipeline.decoding.last import last_values
from duco_rt.pipeline.decoding.multi_packet import NOTHING_OPEN
from duco_rt.pipeline.decoding.plan import Plan, compile_plan
from duco_rt.pipeline.decoding.reading import Child
from duco_rt.pipeline.decoding.rows import rows_of
from duco_rt.pipeline.decoding.spans import spans
from duco_rt.pipeline.decoding.stored import read_stored
from duco_rt.pipeline.decoding.whole import is_read, whole_slices
from tests.bench.decode_inputs import LONG_S, SHIPPED, Cantools, Frames, Input, frames_of, inputs
from tests.bench.full_bus import FULL, Bus

SINGLE = 20
"""Seconds that are decoded one by one: what differs between them counts as it comes."""

_ROUND_S = 0.1


class Work(NamedTuple):
    """Something to do with frames, in which cantools finds so many values."""

    name: str
    run: Callable[[], object]
    frames: Frames
    values: int
    target: float | None


class Turns(NamedTuple):
    """What two works that take turns cost: median seconds of each, and the ratios b / a of the rounds, sorted."""

    a_s: float
    b_s: float
    ratios: list[float]


def turns(a: Callable[[], object], b: Callable[[], object], rounds: int) -> Turns:
    """Processor time of both, each some 0.1 s a round; what comes before the first round is not counted."""
    a_times, b_times = (max(1, int(_ROUND_S / _spent(work, 1))) for work in (a, b))
    rows = [(_spent(a, a_times), _spent(b, b_times)) for _ in range(rounds)]
    a_s, b_s = (statistics.median(times) for times in zip(*rows, strict=True))
    return Turns(a_s, b_s, sorted(b_s / a_s for a_s, b_s in rows))


def _spent(work: Callable[[], object], times: int) -> float:
    """Processor time of one `work`."""
    gc.collect()
    gc.disable()
    begun = time.process_time()
    for _ in range(times):
        work()
    spent = time.process_time() - begun
    gc.enable()
    return max(spent / times, 1e-9)


def decoded(plan: Plan, seconds: Sequence[CanSecond]) -> int:
    """Every value as columns, in one call; how many there are."""
    rows = rows_of(seconds, partial(is_read, plan))
    return sum(block.values.size for block in decode_columns(plan, rows, Counter()))


def works(case: Input, plan: Plan, theirs: Cantools) -> Iterator[Work]:
    """What is measured of an input."""
    some, frames = case.seconds[:SINGLE], frames_of(case.seconds[:SINGLE])
    values = theirs.decode(frames)
    assert values == sum(decoded(plan, [second]) for second in some)

    def each() -> None:
        for second in some:
            decode_columns(plan, whole_slices(plan, second, NOTHING_OPEN, Counter())[0], Counter())

    yield Work("columns, one second a call", each, frames, values, case.targets.one)

    def lasts() -> None:
        for second in some:
            last_values(plan, whole_slices(plan, second, NOTHING_OPEN, Counter())[0], Counter())

    def lasts_and_spans() -> None:
        for second in some:
            slices, _ = whole_slices(plan, second, NOTHING_OPEN, Counter())
            last_values(plan, slices, Counter())
            spans(plan, slices)

    yield Work("last values (of all their frames)", lasts, frames, values, case.targets.last)
    yield Work("last values, min, max, count", lasts_and_spans, frames, values, None)
    frames, rows = frames_of(case.seconds), [stored_row(second) for second in case.seconds]
    values = theirs.decode(frames)
    assert values == decoded(plan, case.seconds)
    yield Work(f"columns, {LONG_S} s a call", partial(decoded, plan, case.seconds), frames, values, None)

    def stored() -> None:
        read = read_stored(rows, partial(is_read, plan), Counter())
        assert sum(block.values.size for block in decode_columns(plan, read, Counter())) == values

    yield Work(f"columns, {LONG_S} s of stored rows", stored, frames, values, case.targets.long)


def stored_row(second: CanSecond) -> RawSecond:
    """The second as the raw store keeps it."""
    columns = pack_columns(second)
    peer, times, data = Peer("duco", "D1", "vehicle_can"), columns.times, columns.data
    return RawSecond(peer, second.ts_ms, second.seq, 0, 0, False, "can1", columns.streams, times=times, data=data)


def measure(case: Input, rounds: int) -> list[str]:
    """Print the rows of an input; the targets that it missed."""
    plan, theirs = compile_here(case.parsing), Cantools.of(case.parsing)
    frames = frames_of(case.seconds)
    counts = f"{len(frames) / LONG_S:,.0f} frames a second, {theirs.known(frames) / LONG_S:,.0f} of them known"
    print(f"\n{case.name}: {counts}")
    print(f"{'':<37}{'signals/s':>13}{'cantools':>12}{'ratio':>8}{'of the rounds':>18}{'target':>8}")
    missed = []
    for work in works(case, plan, theirs):
        few = rounds if len(work.frames) < len(frames) else max(3, rounds // 2)
        found = turns(work.run, partial(theirs.decode, work.frames), few)
        quarter, ratio = len(found.ratios) // 4, statistics.median(found.ratios)
        low, high = found.ratios[quarter], found.ratios[-1 - quarter]
        speeds = f"{work.values / found.a_s:>13,.0f}{work.values / found.b_s:>12,.0f}"
        target = "" if work.target is None else f">= {work.target:g}"
        print(f"{work.name:<37}{speeds}{ratio:>7.1f}x{f'{low:.1f} to {high:.1f}':>18}{target:>8}", flush=True)
        if work.target is not None and high < work.target:
            missed.append(f"{case.name}, {work.name.strip()}: {ratio:.1f}x, target {work.target:g}x")
    return missed


def plan_costs() -> None:
    """Print what a plan costs: cantools reads the text in a process of its own, what it says is compiled here."""
    print(f"\n{'a plan':<37}{'signals':>13}{'read, ms':>12}{'compiled, ms':>14}")
    for name, parsing in (
        ("shipped DBCs", Parsing("j1939", 1, read_files(SHIPPED))),
        ("full bus", FULL.parsing()),
        ("1,800 messages", Bus((1,) * 1800).parsing()),
    ):
        begun = time.perf_counter()
        files = Child(parsing.files).run()
        read = time.perf_counter()
        plan = compile_plan(parsing.name, parsing.version, files)
        compiled = time.perf_counter()
        times = f"{(read - begun) * 1e3:>12,.0f}{(compiled - read) * 1e3:>14,.1f}"
        print(f"{name:<37}{len(plan.fields):>13,}{times}", flush=True)


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=9)
    args = parser.parse_args()
    missed = [line for case in inputs() for line in measure(case, args.rounds)]
    plan_costs()
    for line in missed:
        print("MISSED", line)
    return 0


if __name__ == "__main__":
    sys.exit(main())
