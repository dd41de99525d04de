"""The process that reads: one request in, an answer a file out."""

from __future__ import annotations

import subprocess
import sys

import msgspec
import pytest

from duco_rt.model import ParsingFile
from duco_rt.pipeline.decoding.describe import describe
from duco_rt.pipeline.decoding.reading_child import Answer, Request, answer
from tests.database_texts import TEXTS
from tests.dbc_texts import J1939_TAIL, dbc_text

GOOD = [
    ParsingFile("a.dbc", dbc_text("256 A 8\nx : 0|8@1+ (1,0)"), "can1", sources=(0, 253)),
    *(ParsingFile(f"a.{ending}", text, format=ending) for ending, text in TEXTS.items()),
]
BAD = ParsingFile("b.dbc", "BO_ nonsense")


def test_what_is_said_survives_the_way() -> None:
    """Requests and answers as MessagePack, whole numbers whole."""
    request = Request(tuple(GOOD), 20.0)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(request), type=Request) == request
    for file in [*GOOD, BAD]:
        said = answer(file)
        heard = msgspec.msgpack.decode(msgspec.msgpack.encode(said), type=Answer)
        assert heard == said
        assert repr(heard) == repr(said)  # 1 is not 1.0 here


def test_answers() -> None:
    """The file, what was left out of it, or what is wrong with it."""
    for file in GOOD:
        assert answer(file).file == describe(file)
    assert answer(GOOD[-1]).notes == ("container message Box is left out",)
    assert answer(BAD).wrong.startswith("b.dbc: line 1")


def ask(request: bytes, child: str = "duco_rt.pipeline.decoding.reading_child") -> list[Answer]:
    """What the process answers to the bytes of a request."""
    done = subprocess.run([sys.executable, "-m", child], input=request, capture_output=True, check=True, timeout=60)
    found, at = [], 0
    while at < len(done.stdout):
        size = int.from_bytes(done.stdout[at : at + 4], "big")
        found.append(msgspec.msgpack.decode(done.stdout[at + 4 : at + 4 + size], type=Answer))
        at += 4 + size
    return found


@pytest.mark.servers
def test_the_first_wrong_file_ends_it() -> None:
    """What came before it has been answered."""
    found = ask(msgspec.msgpack.encode(Request((GOOD[0], BAD, GOOD[1]), 20.0)))
    assert [bool(each.wrong) for each in found] == [False, True]


@pytest.mark.servers
def test_answers_have_an_end() -> None:
    """Texts of a few megabytes may share long comments; the parent holds all that is answered."""
    signals = "".join(f"Sig=x{n} unsigned 8 // {'w' * 120_000}\n" for n in range(8))
    text = f"FormatVersion=6.0 // x\n{{SIGNALS}}\n{signals}{{SEND}}\n[m]\nID=000h-00Fh\nLen=8\n" + "".join(
        f"Sig=x{n} {8 * n}\n" for n in range(8)
    )
    files = tuple(ParsingFile(f"{n}.sym", text, format="sym") for n in range(4))
    found = ask(msgspec.msgpack.encode(Request(files, 20.0)))
    assert [each.wrong for each in found[:-1]] == [""] * 2
    assert found[-1].wrong == "2.sym: what is read so far takes more than 33554432 bytes"


@pytest.mark.servers
def test_a_parsing_as_a_whole_has_an_end() -> None:
    """Source addresses multiply its fields: the server would have to compile and hold them all."""
    signals = "".join(f"s{n} : {8 * n}|8@1+ (1,0)\n" for n in range(8))
    text = dbc_text(*(f"{0x98F00000 | n << 8} M{n} 8\n{signals}" for n in range(240)), tail=J1939_TAIL)
    small = ParsingFile("small.dbc", text, sources=tuple(range(12)))
    large = ParsingFile("large.dbc", text, sources=tuple(range(13)))
    found = ask(msgspec.msgpack.encode(Request((small, large, small), 20.0)))
    assert [each.wrong for each in found] == ["", "large.dbc: 51840 fields up to here, more than 50000"]


@pytest.mark.servers
def test_it_loads_little() -> None:
    """Neither python-can nor numpy nor a server: it starts in a tenth of a second."""
    script = (
        "import io, sys, msgspec\n"
        "from duco_rt.pipeline.decoding.reading_child import Request, serve\n"
        "from duco_rt.model import ParsingFile\n"
        "out = io.BytesIO()\n"
        "serve(io.BytesIO(msgspec.msgpack.encode(Request((ParsingFile('a.dbc', ''),), 20.0))), out)\n"
        "assert b'a.dbc: line 1' in out.getvalue()\n"
        "print(*({'can', 'numpy', 'aiohttp', 'asyncio', 'structlog'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, timeout=60, text=True)
    assert done.stdout.split() == []
