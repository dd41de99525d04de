"""Database files of the command line: format and encoding by themselves, addresses in both spellings."""

from __future__ import annotations

from pathlib import Path

import pytest

from duco_rt.errors import BadParsing, ConfigError
from duco_rt.parsing_files import read_files, read_sources

FORMATS = {
    "a.dbc": "dbc",
    "a.DBC": "dbc",
    "a.kcd": "kcd",
    "a.Sym": "sym",
    "a.ARXML": "arxml",
    "a.txt": "dbc",
    "none": "dbc",
    "a.kcd.dbc": "dbc",
}


@pytest.mark.parametrize("name", FORMATS)
def test_the_ending_says_the_format(tmp_path: Path, name: str) -> None:
    """In any case; what is none of them is a DBC."""
    (tmp_path / name).write_text("x")
    (file,) = read_files([f"can1={tmp_path / name}"])
    assert (file.name, file.bus, file.format, file.text, file.sources) == (name, "can1", FORMATS[name], "x", ())


ENCODINGS = {
    "UTF-8": "Öl µ €".encode(),
    "UTF-8 with a mark": b"\xef\xbb\xbf" + "Öl µ €".encode(),
    "Windows": "Öl µ €".encode("cp1252"),
    "UTF-16": "Öl µ €".encode("utf-16"),
}


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_texts_in_every_usual_encoding(tmp_path: Path, encoding: str) -> None:
    """Editors of DBC and SYM write Windows-1252."""
    (tmp_path / "a.sym").write_bytes(ENCODINGS[encoding])
    assert read_files([str(tmp_path / "a.sym")])[0].text == "Öl µ €"


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    """Something is read in any case; the reader will say on which line it is wrong."""
    (tmp_path / "a.dbc").write_bytes(b"\xff\xfe\x81\x8d\x00")
    assert read_files([str(tmp_path / "a.dbc")])[0].text


def test_sources_hold_for_every_file(tmp_path: Path) -> None:
    """In the order of the files."""
    for name in ("a.dbc", "b.kcd"):
        (tmp_path / name).write_text(name)
    found = read_files([str(tmp_path / name) for name in ("a.dbc", "b.kcd")], (0, 3))
    assert [(file.name, file.sources, file.bus) for file in found] == [("a.dbc", (0, 3), None), ("b.kcd", (0, 3), None)]


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    """By their names: one that is not there, a folder, one that is too large."""
    for name in ("gone.dbc", "."):
        with pytest.raises(ConfigError, match="--dbc "):
            read_files([str(tmp_path / name)])
    with (tmp_path / "big.dbc").open("wb") as file:
        file.truncate(16 * 2**20 + 1)
    with pytest.raises(BadParsing, match=r"^big\.dbc: more than 16777216 bytes$"):
        read_files([str(tmp_path / "big.dbc")])


SOURCES = {"0": (0,), "0,3": (0, 3), " 0x00 , 0X3a": (0, 58), "253": (253,), "3,0,3": (3, 0), "010": (10,)}


@pytest.mark.parametrize("text", SOURCES)
def test_sources(text: str) -> None:
    """Decimal and hexadecimal, each once, in the order given."""
    assert read_sources(text) == SOURCES[text]


@pytest.mark.parametrize("text", ["", ",", "0,", "254", "0xFE", "-1", "x", "1.0", "0x", "9" * 5000, "1_0", "٣"])
def test_wrong_sources(text: str) -> None:
    """The option and the wrong part are named."""
    with pytest.raises(ConfigError, match=r"^--sources "):
        read_sources(text)
