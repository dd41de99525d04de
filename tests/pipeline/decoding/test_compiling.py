"""From texts to a plan, in a process that can be ended or here: the same plan."""

from __future__ import annotations

import asyncio
import threading

import pytest

from duco_rt.errors import BadParsing, ReadingLate, TransportError
from duco_rt.model import Parsing, ParsingFile
from duco_rt.pipeline.decoding.compiling import (
    _compile,
    check_parsing,
    check_parsing_async,
    compile_for_live,
    compile_here,
    compile_parsing,
    compile_parsing_async,
)
from duco_rt.pipeline.decoding.describe import describe_all
from duco_rt.pipeline.decoding.reading import ASKED, LIMIT_S, Readers
from tests.database_texts import TEXTS
from tests.dbc_texts import dbc_text

GOOD = (
    ParsingFile("a.dbc", dbc_text("256 A 8\nspeed : 0|8@1+ (0.5,0)"), "can1"),
    *(ParsingFile(f"a.{ending}", text, format=ending) for ending, text in TEXTS.items()),
)
WRONG: dict[str, tuple[tuple[ParsingFile, ...], str]] = {
    "none": ((), "one file at least"),
    "text": ((GOOD[0], ParsingFile("b.dbc", "BO_ nonsense")), r"^b\.dbc: line 1"),
    "format": ((ParsingFile("b.xls", "", format="xls"),), r"^b\.xls: format 'xls'"),
}


def test_every_format_compiles_here() -> None:
    """Name and version are the parsing's."""
    plan = compile_here(Parsing("p", 7, GOOD))
    assert (plan.name, plan.version) == ("p", 7)
    (message,) = compile_here(Parsing("p", 1, GOOD[:1])).find("can1", 256, False)
    assert message.decode(b"\x03" + bytes(7)) == {"speed": 1.5}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_parsing_is_refused_here(case: str) -> None:
    """By file and line."""
    files, words = WRONG[case]
    with pytest.raises(BadParsing, match=words):
        compile_here(Parsing("p", 1, files))


@pytest.mark.servers
async def test_it_compiles_elsewhere_as_here() -> None:
    """Waiting, and beside the loop."""
    parsing = Parsing("p", 7, GOOD)
    here = compile_here(parsing)
    for plan in (compile_parsing(parsing), await compile_parsing_async(parsing), await compile_for_live(parsing)):
        assert (plan.name, plan.version, plan.fields) == ("p", 7, here.fields)
    check_parsing(GOOD)
    await check_parsing_async(GOOD)


@pytest.mark.servers
@pytest.mark.parametrize("case", WRONG)
async def test_a_wrong_parsing_is_refused_elsewhere(case: str) -> None:
    """As here."""
    files, words = WRONG[case]
    with pytest.raises(BadParsing, match=words):
        check_parsing(files)
    with pytest.raises(BadParsing, match=words):
        await check_parsing_async(files)


@pytest.mark.servers
async def test_a_limit_holds() -> None:
    """No process starts in a hundredth of a second."""
    with pytest.raises(ReadingLate, match=r"^a\.dbc: reading takes more than 0\.01 s \(1 signals\)$"):
        await check_parsing_async(GOOD[:1], 0.01)


def test_reading_and_compiling_share_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is read in time and compiled too late is refused all the same, by the parsing's name."""
    seconds = iter(range(1000))
    monkeypatch.setattr("duco_rt.pipeline.decoding.compiling.monotonic", lambda: float(next(seconds)))
    files = describe_all(GOOD)
    assert _compile(Parsing("p", 1, GOOD), lambda: files, 900.0).fields
    with pytest.raises(ReadingLate, match=r"^parsing p: reading and compiling it takes more than 2 s$"):
        _compile(Parsing("p", 1, GOOD), lambda: files, 2.0)


def test_many_multiplexers_in_a_message_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is looked for in all its signals: 10,000 of 20,000 would take half a minute that nothing ends."""
    monkeypatch.setattr("duco_rt.pipeline.decoding.describe.MULTIPLEXERS_MAX", 2)
    rows = [f"x{n} M : {8 * n}|8@1+ (1,0)" for n in range(3)]
    two, three = ("\n".join(["256 A 8", *rows[:n]]) for n in (2, 3))
    assert compile_here(Parsing("p", 1, (ParsingFile("a.dbc", dbc_text(two)),))).fields
    with pytest.raises(BadParsing, match=r"^a\.dbc: line 7: The message A has 3 multiplexers, more than 2"):
        compile_here(Parsing("p", 1, (ParsingFile("a.dbc", dbc_text(three)),)))


async def test_too_many_are_told_to_come_again() -> None:
    """Nothing waits without an end; no process is started for them."""
    readers, going = Readers("test", 0), threading.Event()
    held = [readers.submit(going.wait, tenant) for tenant in ("a", "b")]
    try:
        with pytest.raises(TransportError, match=r"^0 parsings wait to be read already: try again later$"):
            await compile_parsing_async(Parsing("p", 1, GOOD), LIMIT_S, "c", readers)
    finally:
        going.set()
    assert [each.result(5) for each in held] == [True] * 2


@pytest.mark.servers
async def test_nothing_that_is_asked_for_holds_up_the_live_path() -> None:
    """Uploads that take long have threads of their own."""
    going = threading.Event()
    held = [ASKED.submit(going.wait, tenant) for tenant in ("a", "b")]
    try:
        async with asyncio.timeout(30):
            assert (await compile_for_live(Parsing("p", 1, GOOD))).fields
    finally:
        going.set()
    assert all(each.result(5) for each in held)
