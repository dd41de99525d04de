"""The questions to read again: what is refused, where a run begins, how many run at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import msgspec
import pytest

from duco_rt.errors import BadParsing, BadRequest, Conflict, DucoError, NotFound, TransportError
from duco_rt.model import Device, ParsingFile
from duco_rt.moments import show_moment
from duco_rt.pipeline.reparse_jobs import Asked
from duco_rt.pipeline.reparse_note import Note, NoteFile
from tests.can_seconds import TS_MS
from tests.pipeline.again import AgainStore, asked, can_rows, late_clock, read_again, reparses
from tests.pipeline.line import AwayMeta, open_meta

pytestmark = pytest.mark.servers  # a database and files for each test

DAY_MS = 86_400_000


@pytest.fixture
async def meta(tmp_path: Path) -> AsyncIterator[AwayMeta]:
    """DUCO_001 with its parsing."""
    async with open_meta(tmp_path) as found:
        yield found


def rows(seconds: int) -> list[Any]:
    """So many seconds."""
    return [row for n in range(seconds) for row in can_rows(n)]


REFUSED: dict[str, tuple[Asked, type[DucoError], str]] = {
    "unknown device": (asked(0, 9, "D9"), NotFound, "D9"),
    "no name": (asked(0, 9, "../D1"), DucoError, "D1"),
    "from": (Asked("DUCO_001", "soon", "now"), BadRequest, "from 'soon'"),
    "to": (Asked("DUCO_001", "-2h", "late"), BadRequest, "to 'late'"),
    "the end before the begin": (asked(9, 8), BadRequest, "before the begin"),
    "too long": (Asked("DUCO_001", "0", "now"), BadRequest, "366 days"),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_what_is_refused(tmp_path: Path, meta: AwayMeta, case: str) -> None:
    """With what is wrong, before anything is read; the same device can be asked for again."""
    question, kind, text = REFUSED[case]
    store = AgainStore(rows(3))
    jobs = reparses(store, meta, tmp_path)
    for _ in range(2):
        with pytest.raises(kind, match=text):
            await read_again(jobs, question)
    assert store.asked == []
    assert not (tmp_path / "reparse").exists()


async def test_a_parsing_that_cannot_be_used(tmp_path: Path, meta: AwayMeta) -> None:
    """Is refused with its file and line."""
    await meta.put_parsing("p", [ParsingFile("bad.dbc", 'VERSION ""\nBO_ nonsense\n')])
    with pytest.raises(BadParsing, match=r"bad\.dbc"):
        await read_again(reparses(AgainStore(rows(3)), meta, tmp_path), asked(0, 2))


async def test_metaapi_that_is_away(tmp_path: Path, meta: AwayMeta) -> None:
    """Is said at once: nobody waits before it began."""
    meta.away = True
    with pytest.raises(TransportError, match="away"):
        await read_again(reparses(AgainStore(rows(3)), meta, tmp_path), asked(0, 2))


async def test_one_run_a_device_and_four_altogether(tmp_path: Path, meta: AwayMeta) -> None:
    """The others are told; when one has ended there is room."""
    jobs = reparses(AgainStore(), meta, tmp_path)
    for n in range(1, 6):
        await meta.put_device(Device(f"D{n}", "duco", "", "p"))
    async with AsyncExitStack() as running:
        for n in range(1, 4):
            await running.enter_async_context(jobs.begin(asked(0, 9, f"D{n}")))
        async with jobs.begin(asked(0, 9, "D4")):
            with pytest.raises(Conflict, match="D1"):
                await read_again(jobs, asked(5, 6, "D1"))
            with pytest.raises(Conflict, match="4 devices"):
                await read_again(jobs, asked(0, 9, "D5"))
        await read_again(jobs, asked(0, 9, "D5"))
    await read_again(jobs, asked(0, 9, "D1"))


async def interrupted(folder: Path, meta: AwayMeta, question: Asked) -> Note:
    """The note of a run of 200 s that ended within its third chunk."""
    store = AgainStore(rows(200), ends_after=2)
    with pytest.raises(asyncio.CancelledError):
        await read_again(reparses(store, meta, folder), question)
    note = NoteFile(folder / "reparse", "DUCO_001").read()
    assert note is not None
    return note


SAME = asked(0, 199)


async def test_the_same_question_goes_on(tmp_path: Path, meta: AwayMeta) -> None:
    """From where the note says; the counts are of the whole range; the note is gone at the end."""
    note = await interrupted(tmp_path, meta, SAME)
    assert (note.next_ms, note.seconds) == (TS_MS + 60_000, 60)
    store = AgainStore(rows(200))
    result, notes, _ = await read_again(reparses(store, meta, tmp_path), SAME)
    assert [text for text in notes if "goes on" in text] == notes != []
    assert [sample.seq for sample in store.samples] == list(range(60, 200))
    assert (result.seconds, result.samples) == (200, 200)
    assert NoteFile(tmp_path / "reparse", "DUCO_001").read() is None


async def change(folder: Path, meta: AwayMeta, case: str) -> Asked:
    """Make something another one than it was; the question to ask then."""
    file = NoteFile(folder / "reparse", "DUCO_001")
    path = folder / "reparse" / "DUCO_001.json"
    match case:
        case "range":
            return asked(0, 200)
        case "parsing":
            await meta.put_parsing("p", [ParsingFile("b.dbc", (await meta.parsing("p")).files[0].text)])
        case "tenant":
            await meta.put_device(Device("DUCO_001", "other", "one", "p"))
        case "torn":
            path.write_bytes(path.read_bytes()[:40])
        case "of another device":
            found = file.read()
            assert found is not None
            file.write(msgspec.structs.replace(found, device="D2"))
    return SAME


@pytest.mark.parametrize("case", ["range", "parsing", "tenant", "torn", "of another device"])
async def test_anything_else_begins_anew(tmp_path: Path, meta: AwayMeta, case: str) -> None:
    """And says so, and why."""
    await interrupted(tmp_path, meta, SAME)
    question = await change(tmp_path, meta, case)
    store = AgainStore(rows(200))
    result, notes, _ = await read_again(reparses(store, meta, tmp_path), question)
    assert len(notes) == 1
    assert "begins anew" in notes[0]
    expected = [] if case == "tenant" else list(range(200))
    assert [sample.seq for sample in store.samples] == expected
    assert result.samples == len(expected)


@pytest.mark.parametrize(("later_s", "goes_on"), [(0, True), (19, True), (20, False), (11 * 3600, False), (-20, False)])
async def test_a_relative_range_goes_on_while_it_means_nearly_the_same(
    tmp_path: Path, meta: AwayMeta, later_s: int, goes_on: bool
) -> None:
    """With the range that it meant when it began; past a tenth of that it means the new one."""
    question, clock = Asked("DUCO_001", "-199s", "now"), late_clock()
    note = await interrupted(tmp_path, meta, SAME)
    NoteFile(tmp_path / "reparse", "DUCO_001").write(msgspec.structs.replace(note, typed=("-199s", "now")))
    clock.now_ms = TS_MS + 199_000 + 1000 * later_s
    store = AgainStore(rows(200))
    result, notes, _ = await read_again(reparses(store, meta, tmp_path, clock), question)
    assert result.from_ms == TS_MS + (0 if goes_on else 1000 * later_s)
    assert len(store.samples) == (140 if goes_on else max(0, 200 - abs(later_s)))
    assert ("begins anew" in notes[0]) is not goes_on
    assert f"{show_moment(TS_MS)} to {show_moment(TS_MS + 199_000)}" in notes[0]


async def test_a_range_with_one_relative_end_begins_anew(tmp_path: Path, meta: AwayMeta) -> None:
    """Where it would end long before the moment that it means now."""
    note = await interrupted(tmp_path, meta, SAME)
    NoteFile(tmp_path / "reparse", "DUCO_001").write(msgspec.structs.replace(note, typed=(str(TS_MS), "now")))
    clock = late_clock()
    clock.now_ms = TS_MS + 300_000
    store = AgainStore(rows(301))
    result, _, _ = await read_again(reparses(store, meta, tmp_path, clock), Asked("DUCO_001", str(TS_MS), "now"))
    assert (result.to_ms, len(store.samples)) == (TS_MS + 300_000, 301)


async def test_a_device_without_a_parsing(tmp_path: Path, meta: AwayMeta) -> None:
    """Is told; its frames are counted."""
    await meta.put_device(Device("DUCO_001", "duco", "one", None))
    store = AgainStore(rows(3))
    result, notes, _ = await read_again(reparses(store, meta, tmp_path), asked(0, 2))
    assert notes == ["DUCO_001 has no parsing: its CAN frames are left as they are"]
    assert (result.seconds, result.samples, store.samples, result.parsing) == (3, 0, [], None)
