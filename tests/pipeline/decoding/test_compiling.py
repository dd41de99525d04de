"""From texts to a plan, in a process that can be ended or here: the same plan."""

from __future__ import annotations

import pytest

from duco_rt.errors import BadParsing
from duco_rt.model import Parsing, ParsingFile
from duco_rt.pipeline.decoding.compiling import (
    check_parsing,
    check_parsing_async,
    compile_here,
    compile_parsing,
    compile_parsing_async,
)
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
    for plan in (compile_parsing(parsing), await compile_parsing_async(parsing)):
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
    with pytest.raises(BadParsing, match=r"^a\.dbc: reading takes more than 0\.01 s \(1 signals\)$"):
        await check_parsing_async(GOOD[:1], 0.01)
