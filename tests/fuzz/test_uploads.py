"""Databases of any quality sent to MetaAPI: kept, or refused with file and line, in bounded time, and it serves on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from duco_rt.config import Web
from duco_rt.demo import shipped_parsing
from tests.dbc_texts import dbc_text
from tests.pipeline.decoding.mangled import mangled
from tests.pipeline.decoding.test_xml_text import BOMBS
from tests.web.conftest import Site, is_error

GOOD = {"files": [{"name": "small.dbc", "text": dbc_text("256 Engine 2\nrpm : 0|16@1+ (1,0)")}]}
PLACE = "/api/metaapi/parsings/uploaded"


@pytest.fixture
def web() -> Web:
    """Bodies as large as by default."""
    return Web(port=0)


async def put(site: Site, name: str, text: str, kind: str = "dbc") -> tuple[int, object]:
    """Upload one database; beside it the server answers others."""
    body = {"files": [{"name": name, "text": text, "format": kind}]}
    answer, alive = await asyncio.gather(site.ask("PUT", PLACE, body), site.ask("GET", "/healthz"))
    assert alive == (200, {"status": "ok"})
    return answer


@pytest.mark.parametrize("start", [50_000, pytest.param(60_000, marks=[pytest.mark.long, pytest.mark.timeout(1200)])])
async def test_mangled_databases(site: Site, request: pytest.FixtureRequest, start: int) -> None:
    """Of all formats. What is refused changes nothing: the next good one is the next version."""
    kept = 0
    for seed in range(start, start + (500 if start == 60_000 else 24)):
        file = mangled(seed)
        answer = await put(site, file.name, file.text, file.format)
        assert answer[0] == 200 or is_error(answer, 400, "bad_request"), answer
        assert answer[0] == 200 or f"{file.name}: line " in str(answer[1]), answer
        kept += answer[0] == 200
    status, good = await site.ask("PUT", PLACE, GOOD)
    assert status == 200 and good["version"] == kept + 1


DBC_BOMBS: dict[str, Callable[[], str]] = {
    "a quoted text without end": lambda: dbc_text(tail='CM_ "' + "a\\" * 200_000),
    "words without end": lambda: dbc_text(tail="BA_ " + '"a" ' * 100_000),
    "spaces without end": lambda: dbc_text(tail="BA_DEF_" + " " * 500_000 + '"x'),
    "a range of pages": lambda: dbc_text(tail="SG_MUL_VAL_ 256 a b 0-99999999999999999999;"),
    "a signal of many bits": lambda: dbc_text("256 A 8\nx : 0|99999999999@1+ (1,0)"),
    "a message of many bytes": lambda: dbc_text("256 A 99999999999\nx : 0|8@1+ (1,0)"),
    "a number of many digits": lambda: dbc_text("256 A 8\nx : 0|8@1+ (" + "9" * 100_000 + ",0)"),
    "an exponent": lambda: dbc_text("256 A 8\nx : 0|8@1+ (1e999999999,0)"),
    "brackets in each other": lambda: dbc_text(tail="(" * 300_000),
}


@pytest.mark.parametrize("bomb", DBC_BOMBS)
async def test_dbc_bombs(site: Site, bomb: str) -> None:
    """Refused with the line, or read; never more time than a reading may take."""
    answer = await put(site, "bomb.dbc", DBC_BOMBS[bomb]())
    assert answer[0] == 200 or is_error(answer, 400, "bad_request"), answer
    assert answer[0] == 200 or "bomb.dbc" in str(answer[1])
    assert (await site.ask("PUT", PLACE, GOOD))[0] == 200


@pytest.mark.parametrize("kind", ["kcd", "arxml"])
@pytest.mark.parametrize("bomb", BOMBS)
async def test_xml_bombs(site: Site, bomb: str, kind: str) -> None:
    """Entities that grow, files and addresses that would be read: nothing is expanded, nothing of them is told."""
    answer = await put(site, f"bomb.{kind}", BOMBS[bomb], kind)
    assert is_error(answer, 400, "bad_request")
    assert (await site.ask("PUT", PLACE, GOOD))[0] == 200


async def test_files_as_shipped_still_go_through(site: Site) -> None:
    """What guards against bombs refuses no real database."""
    files = [{"name": file.name, "text": file.text, "bus": file.bus} for file in shipped_parsing().files]
    assert (await site.ask("PUT", PLACE, {"files": files}))[0] == 200
