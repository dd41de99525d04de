"""The meta database's file: kept over restarts, closed for good, its failures as TransportError."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest

from duco_rt.errors import BadRequest, ConfigError, Conflict, TransportError
from duco_rt.model import Device, ParsingFile
from duco_rt.transports.meta_sqlite import SqliteMeta

FILES = (ParsingFile("a.dbc", "text", None),)


async def test_data_outlives_the_process(tmp_path: Path) -> None:
    """A file is new until it has what a new one starts with; an old one has everything."""
    first = SqliteMeta(tmp_path / "deep" / "meta.sqlite")
    assert await first.open()
    await first.put_parsing("p", FILES)
    await first.put_device(Device("D1", "duco", "One", "p"))
    group = await first.put_group("duco", {"groupId": "g"})
    await first.put_group("duco", {"groupId": "forgotten"})
    await first.remove_group("duco", "forgotten")
    await first.close()
    filled = SqliteMeta(tmp_path / "deep" / "meta.sqlite")
    assert await filled.open()
    await filled.seeded()
    await filled.close()
    second = SqliteMeta(tmp_path / "deep" / "meta.sqlite")
    assert not await second.open()
    assert await second.devices() == [Device("D1", "duco", "One", "p")]
    assert (await second.parsing("p")).files == FILES
    assert await second.groups("duco") == [group]
    assert (await second.put_group("duco", {"groupId": "forgotten"}))["version"] == 2
    await second.close()


async def test_files_of_an_older_release(tmp_path: Path) -> None:
    """They were kept without sources, and have none; the same put again is no new version."""
    meta = SqliteMeta(tmp_path / "meta.sqlite")
    await meta.open()
    await meta.put_parsing("p", FILES)
    db = sqlite3.connect(tmp_path / "meta.sqlite")
    with db:
        db.execute("UPDATE parsings SET files = ?", ('[{"name":"a.dbc","text":"text","bus":null,"format":"dbc"}]',))
    db.close()
    assert (await meta.parsing("p")).files == FILES
    assert (await meta.put_parsing("p", FILES)).version == 1
    await meta.close()


async def test_closed_or_never_opened(tmp_path: Path) -> None:
    """Closing twice is safe, and nothing is answered after it."""
    meta = SqliteMeta(tmp_path / "meta.sqlite")
    with pytest.raises(TransportError, match="closed"):
        await meta.devices()
    await meta.open()
    await meta.close()
    await meta.close()
    with pytest.raises(TransportError, match="closed"):
        await meta.devices()


async def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    """The error names the file, and what to do; nothing is written to it."""
    file = tmp_path / "meta.sqlite"
    file.write_bytes(b"this is not a database" * 100)
    meta = SqliteMeta(file)
    with pytest.raises(ConfigError, match=r"meta\.sqlite"):
        await meta.open()
    await meta.close()
    assert [entry.name for entry in tmp_path.iterdir()] == ["meta.sqlite"]
    assert file.read_bytes() == b"this is not a database" * 100


async def test_a_folder_that_cannot_be(tmp_path: Path) -> None:
    """A file where the folder should be."""
    (tmp_path / "taken").write_text("")
    meta = SqliteMeta(tmp_path / "taken" / "meta.sqlite")
    with pytest.raises(TransportError, match="taken"):
        await meta.open()
    await meta.close()


async def test_two_who_change_a_parsing_at_once(tmp_path: Path) -> None:
    """Both have their version, or one is told of the conflict; none is lost silently."""
    meta = SqliteMeta(tmp_path / "meta.sqlite")
    await meta.open()
    texts = [(ParsingFile("a.dbc", f"text {i}", None),) for i in range(4)]
    results = await asyncio.gather(*(meta.put_parsing("p", files) for files in texts), return_exceptions=True)
    kept = [result for result in results if not isinstance(result, BaseException)]
    assert all(isinstance(result, Conflict) for result in results if isinstance(result, BaseException))
    assert sorted(parsing.version for parsing in kept) == list(range(1, len(kept) + 1))
    for parsing in kept:
        assert await meta.parsing("p", parsing.version) == parsing
    await meta.close()


@pytest.mark.parametrize("order", [2**63, -(2**70)])
async def test_a_number_that_no_column_holds(tmp_path: Path, order: int) -> None:
    """It is the asker's mistake, not a failure of the database."""
    meta = SqliteMeta(tmp_path / "meta.sqlite")
    await meta.open()
    with pytest.raises(BadRequest):
        await meta.put_group("duco", {"groupId": "g", "order": order})
    with pytest.raises(BadRequest):
        await meta.parsing("p", order)
    assert await meta.groups("duco") == []
    await meta.close()
