"""Random databases and frames: every reading of the engine gives what cantools gives, under the documented names."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from duco_rt.body import ERROR, REMOTE, CanSecond, Stream
from duco_rt.demo import shipped_parsing
from duco_rt.model import Parsing, ParsingFile, Value
from duco_rt.pipeline.decoding import blocks
from duco_rt.pipeline.decoding.columns import Column, columns_of, decode_columns
from duco_rt.pipeline.decoding.compiling import compile_here
from duco_rt.pipeline.decoding.last import last_values
from duco_rt.pipeline.decoding.plan import Plan
from duco_rt.pipeline.decoding.rows import rows_of
from duco_rt.pipeline.decoding.spans import spans
from tests.can_seconds import TS_MS, Frame
from tests.database_texts import TEXTS
from tests.databases import random_files, random_text
from tests.pipeline.decoding.reference import Number, Reference, is_good, near
from tests.pipeline.decoding.traffic import SECONDS, seconds_of, traffic

Rows = dict[str, list[tuple[int, Number]]]
"""By field: time in µs and value."""

FLAT_SIZES = ((0, 1), (128, 8192), (1_000_000, 1), (2, 40))
"""Frames a block and values at once up to which blocks are read as one flat array."""

FEW = max(6, settings().max_examples // 4)
seeds = st.integers(0, 2**32)


class Case(NamedTuple):
    """A parsing, some traffic, and what comes of each frame: `given` by frame, `good` the values that can be kept."""

    plan: Plan
    reference: Reference
    frames: list[Frame]
    seconds: list[CanSecond]
    given: list[dict[str, Number | None]]
    good: Rows


def case_of(files: Sequence[ParsingFile], rng: random.Random, rounds: int = 2) -> Case:
    """Random traffic for these files."""
    plan, reference = compile_here(Parsing("p", 1, tuple(files))), Reference(files)
    frames = traffic(rng, plan.files, rounds)
    given = [{} if f.flags & (ERROR | REMOTE) else reference.values(*f[1:4], f.data) for f in frames]
    return Case(plan, reference, frames, seconds_of(frames), given, good_of(frames, given))


def good_of(frames: Iterable[Frame], given: Iterable[dict[str, Number | None]]) -> Rows:
    """The values that can be kept, by field in order of time."""
    rows: Rows = {}
    for frame, values in sorted(zip(frames, given, strict=True), key=lambda row: row[0].time_us):
        for field, value in values.items():
            if value is not None and is_good(value):
                rows.setdefault(field, []).append((frame.time_us, value))
    return rows


def of_second(rows: Rows, n: int) -> Rows:
    """What falls into one second."""
    own = {field: [row for row in held if row[0] // 1_000_000 == n] for field, held in rows.items()}
    return {field: held for field, held in own.items() if held}


def of_fields(rows: Rows, fields: Collection[str]) -> Rows:
    """What some fields have."""
    return {field: held for field, held in rows.items() if field in fields}


def check_frames(case: Case) -> None:
    """One frame at a time: the same fields, values and types; None where J1939 has no value."""
    for frame, wanted in zip(case.frames, case.given, strict=True):
        stream = Stream(*frame[1:5], len(frame.data), 1)
        found: dict[str, Number | None] = {}
        for message in case.plan.match(stream).messages:
            if len(frame.data) >= message.length_bytes:
                found |= message.decode(frame.data)
        assert found.keys() == wanted.keys()
        for field, value in wanted.items():
            mine = found[field]
            assert type(mine) is type(value), (field, mine, value)
            assert mine == value or repr(mine) == repr(value), (field, mine, value)


def check_columns(plan: Plan, seconds: Sequence[CanSecond], wanted: Rows, offsets: dict[str, float]) -> None:
    """All values in order of time, whether blocks are read one by one or as one flat array."""
    for few, flat in FLAT_SIZES:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(blocks, "_FEW_FRAMES", few)
            patch.setattr(blocks, "_FLAT_VALUES", flat)
            found = columns_of(decode_columns(plan, rows_of(seconds), Counter()))
        same_columns(found, wanted, offsets)


def same_columns(found: dict[str, Column], wanted: Rows, offsets: dict[str, float]) -> None:
    """Time by time and value by value."""
    assert found.keys() == wanted.keys()
    for field, rows in wanted.items():
        times_us, values = found[field]
        assert (times_us - TS_MS * 1000).tolist() == [time_us for time_us, _ in rows], field
        for mine, (_, value) in zip(values.tolist(), rows, strict=True):
            assert near(mine, value, offsets[field]), (field, mine, value)


def check_second(plan: Plan, second: CanSecond, wanted: Rows, offsets: dict[str, float]) -> None:
    """The newest value of each field, whole ones whole; lowest, highest and number where there are several."""
    newest: dict[str, Value] = {field: rows[-1][1] for field, rows in wanted.items()}
    last = last_values(plan, second.slices(), Counter())
    assert last == newest
    assert {field: type(value) for field, value in last.items()} == {f: type(value) for f, value in newest.items()}
    stats = spans(plan, second.slices())
    several = {field: [value for _, value in rows] for field, rows in wanted.items() if len(rows) > 1}
    assert stats.keys() == several.keys()
    for field, values in several.items():
        span, offset = stats[field], offsets[field]
        assert span.count == len(values)
        assert near(span.min, min(values), offset) and near(span.max, max(values), offset), (field, span, values)


def check_problems(case: Case) -> None:
    """Frames that nobody describes, that are short, and error frames are counted."""
    columns: Counter[str] = Counter()
    last: Counter[str] = Counter()
    decode_columns(case.plan, rows_of(case.seconds), columns)
    for second in case.seconds:
        last_values(case.plan, second.slices(), last)
    sound = [f for f in case.frames if not f.flags & (ERROR | REMOTE)]
    described = [(f, case.reference.matching(*f[1:4])) for f in sound]
    for problems in (columns, last):
        assert problems["error_frame"] == sum(f.flags & ERROR != 0 for f in case.frames)
        assert problems["unknown_id"] == sum(not messages for _, messages in described)
        assert problems["short_frame"] == sum(case.reference.is_short(*f[1:4], f.data) for f in sound)
        assert all(problems.values())


def check(case: Case, rng: random.Random) -> None:
    """Every reading of the plan, and of the plan of some of its fields."""
    offsets = case.reference.offsets
    assert [field.name for field in case.plan.fields] == sorted(set(case.reference.names.values()))
    check_frames(case)
    check_problems(case)
    names = sorted(case.reference.names.values())
    some = frozenset(rng.sample(names, rng.randrange(len(names) + 1)))
    for plan, good in ((case.plan, case.good), (case.plan.only(some), of_fields(case.good, some))):
        check_columns(plan, case.seconds, good, offsets)
        for n, second in enumerate(case.seconds):
            check_second(plan, second, of_second(good, n), offsets)
    assert {field.name for field in case.plan.only(some).fields} == some


@settings(max_examples=FEW)
@given(seeds)
def test_databases_and_frames_at_random(seed: int) -> None:
    """All kinds of signals, messages, buses and senders: equal to cantools in every reading."""
    rng = random.Random(seed)
    check(case_of(random_files(rng), rng), rng)


@settings(max_examples=FEW // 2)
@given(seeds)
def test_names_are_stable(seed: int) -> None:
    """The same in any order of the files and for any version; of every frame and database the same fields."""
    rng = random.Random(seed)
    files = random_files(rng)
    plans = [compile_here(Parsing("p", n, each)) for n, each in enumerate((files, files[::-1]))]
    assert [f.name for f in plans[0].fields] == [f.name for f in plans[1].fields]
    assert plans[0].names == plans[1].names
    assert sorted(set(plans[0].names.values())) == [f.name for f in plans[0].fields]


@settings(max_examples=FEW)
@given(seeds, st.sampled_from(["kcd", "sym"]))
def test_other_formats_at_random(seed: int, ending: str) -> None:
    """What cantools' own writers make of a database, as far as cantools reads it again."""
    rng = random.Random(seed)
    file = written(rng, ending)
    if file is not None:
        check(case_of([file], rng), rng)


def written(rng: random.Random, ending: str) -> ParsingFile | None:
    """A random database in another format; None where that format, or its writer, cannot say it."""
    text = random_text(rng, groups=False, plain=rng.random() < 0.3)
    [(_, database)] = Reference([ParsingFile("a.dbc", text)]).files
    try:
        file = ParsingFile(f"a.{ending}", getattr(database, f"as_{ending}_string")(), format=ending)
        Reference([file])
    except Exception:  # SYM has no messages of 64 bytes; KCD repeats a signal of several pages; …
        return None
    return file


@settings(max_examples=FEW)
@given(seeds)
def test_autosar_at_random(seed: int) -> None:
    """Signals of other places, lengths, byte orders, signs and scales."""
    rng = random.Random(seed)
    check(case_of([ParsingFile("a.arxml", random_arxml(rng), format="arxml")], rng, rounds=3), rng)


def random_arxml(rng: random.Random) -> str:
    """The text of the other tests with each signal of `Engine` anywhere in two bytes of its own."""
    text = TEXTS["arxml"]
    for n, name in enumerate(("speed", "whole", "temp", "mode")):
        bits = rng.randrange(1, 17)
        first, big = 16 * n + rng.randrange(17 - bits), rng.random() < 0.5
        order, start = ("FIRST", first ^ 7) if big else ("LAST", first)
        text = re.sub(rf"(<SHORT-NAME>{name}</SHORT-NAME><LENGTH>)\d+", rf"\g<1>{bits}", text)
        text = re.sub(rf"(SIGNAL\">/P/{name}</.*\n.*BYTE-)\w+(<.*POSITION>)\d+", rf"\g<1>{order}\g<2>{start}", text)
        base = rf"({name}</SHORT-NAME><LENGTH>[\s\S]*?BASE-TYPE\">/P/)\w"
        text = re.sub(base, rf"\g<1>{rng.choice('us')}", text, count=1)
    for scale, offset in (("0.1", "-40"), ("2", "1"), ("0.5", "0")):
        other = f"<V>{rng.choice(('0', '7', '-0.25'))}</V><V>{rng.choice(('1', '3', '-0.125', '1e-3'))}</V>"
        text = text.replace(f"<V>{offset}</V><V>{scale}</V>", other)
    return text


SHIPPED = {file.name: file for file in shipped_parsing().files}
SHIPPED |= {f"loader.{ending}": ParsingFile(f"a.{ending}", text, format=ending) for ending, text in TEXTS.items()}


@pytest.mark.parametrize("name", [*SHIPPED, "j1939-demo.dbc"])
def test_every_database_that_the_project_has(name: str, request: pytest.FixtureRequest) -> None:
    """Random frames of every message."""
    if name in SHIPPED:
        file = SHIPPED[name]
    else:
        folder: Path = request.getfixturevalue("recordings")
        file = ParsingFile(name, (folder / name).read_text(encoding="utf-8"))
    rng = random.Random(name)
    check(case_of([file], rng, rounds=4), rng)


def test_traffic_has_everything() -> None:
    """So that the tests above mean something: many frames with values, and each kind of problem."""
    counts: Counter[str] = Counter()
    for seed in range(10):
        rng = random.Random(seed)
        case = case_of(random_files(rng), rng)
        counts["values"] += sum(map(len, case.good.values()))
        counts["no value"] += sum(value is None for values in case.given for value in values.values())
        counts["several"] += sum(len(rows) > 1 for n in range(SECONDS) for rows in of_second(case.good, n).values())
        for second in case.seconds:
            last_values(case.plan, second.slices(), counts)
    wanted = {"values", "no value", "several", "unknown_id", "short_frame", "error_frame", "unknown_page"}
    assert {kind for kind, count in counts.items() if count > 5} >= wanted, counts
