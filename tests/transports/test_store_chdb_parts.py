"""Parts of the store: a backup of one moment that can be brought in anywhere, and broken ones that are set aside."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from duco_rt.errors import TransportError
from duco_rt.model import Peer, RawSecond, Sample
from duco_rt.transports import store_sql as sql
from duco_rt.transports.store_chdb import ChdbStore
from duco_rt.transports.store_chdb_parts import in_order

pytestmark = pytest.mark.servers

NOW = 1_795_352_000_000
PEER = Peer("duco", "DUCO_001", "vehicle_can")
OTHER = Peer("acme", "DUCO_002", "vehicle_can")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[ChdbStore]:
    """An open one."""
    opened = await ChdbStore(tmp_path / "chdb").open()
    yield opened
    await opened.close()


async def put(store: ChdbStore, seqs: range, a: float = 1.0, received_ms: int = NOW, peer: Peer = PEER) -> None:
    """A sample and a raw row for each."""
    await store.insert_raw([RawSecond(peer, NOW + n, n, 0, received_ms, True, "json1", body=b"{}") for n in seqs])
    await store.insert_parsed([Sample(peer, NOW + n, n, received_ms, {"a": a}) for n in seqs])


async def kept(store: ChdbStore, folder: Path) -> list[tuple[str, Path]]:
    """What is in now, as copies: table and folder of each part."""
    for name, file in await store.freeze():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, folder / name)
    await store.thaw()
    parts = sorted(folder.glob("*/*"), key=lambda part: (part.parent.name, in_order(part)))
    return [(part.parent.name, part) for part in parts]


async def values(store: ChdbStore, peer: Peer = PEER) -> dict[int, object]:
    """Seq → value of a."""
    found = await store.history(peer, ["a"], NOW, NOW + 10**6)
    assert len(set(found.seq)) == len(found.seq)
    return dict(zip(found.seq, found.fields["a"], strict=True))


async def test_it_comes_back_in_another_folder(store: ChdbStore, tmp_path: Path) -> None:
    """All that was in at that moment, in tables, and who was seen when; nothing that came later."""
    await put(store, range(10))
    await put(store, range(5, 15), a=2.0)
    await put(store, range(100, 103), peer=OTHER)
    parts = await kept(store, tmp_path / "frozen")
    await put(store, range(20, 30))
    await store.close()
    again = await ChdbStore(tmp_path / "again").open()
    for table, part in parts:
        await again.attach(table, part)
    assert await values(again) == {**dict.fromkeys(range(5), 1.0), **dict.fromkeys(range(5, 15), 2.0)}
    assert sorted({row.seq for row in await again.raw(PEER, NOW, NOW + 10**6)}) == list(range(15))
    assert (await again.last_seen("acme"))[OTHER].seq == 102
    assert await again.newest_seqs() == {"DUCO_001": 14, "DUCO_002": 102}
    await again.close()
    reopened = await ChdbStore(tmp_path / "again").open()
    assert len(await values(reopened)) == 15
    await reopened.close()


async def test_of_copies_the_latest_received_stays(store: ChdbStore, tmp_path: Path) -> None:
    """Brought into a store that has some of it, twice: as inserts of now, no second is doubled and none goes."""
    await put(store, range(10))
    parts = await kept(store, tmp_path / "frozen")
    shutil.copytree(tmp_path / "frozen", tmp_path / "twice")
    await put(store, range(5, 12), a=3.0, received_ms=NOW + 1)
    for table, part in parts:
        await store.attach(table, part)
    for table, part in parts:
        await store.attach(table, tmp_path / "twice" / table / part.name)
    assert await values(store) == {**dict.fromkeys(range(5), 1.0), **dict.fromkeys(range(5, 12), 3.0)}
    assert (await store.last_seen("duco"))[PEER].seq == 11


async def test_frozen_files_stay_while_the_store_goes_on(store: ChdbStore, tmp_path: Path) -> None:
    """Also when their day is dropped; they go with `thaw`, and with the next start."""
    await put(store, range(10))
    frozen = await store.freeze()
    sizes = {name: file.stat().st_size for name, file in frozen}
    await put(store, range(50, 51), received_ms=NOW + 40 * sql.DAY_MS)
    await store.expire(NOW + 40 * sql.DAY_MS)
    assert await values(store) == {50: 1.0}
    assert {name: file.stat().st_size for name, file in frozen} == sizes and sizes
    await store.close()
    again = await ChdbStore(tmp_path / "chdb").open()
    assert not any(file.exists() for _, file in frozen)
    await again.close()


async def test_inserts_go_on_while_it_is_frozen(store: ChdbStore, tmp_path: Path) -> None:
    """Whatever was acknowledged before it began is in it, of both tables."""
    done: list[int] = []

    async def insert() -> None:
        for n in range(40):
            await put(store, range(n, n + 1))
            done.append(n)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(insert())
        while len(done) < 10:
            await asyncio.sleep(0)
        before = list(done)
        frozen = await store.freeze()
        for name, file in frozen:
            (tmp_path / "frozen" / name).parent.mkdir(parents=True, exist_ok=True)
            os.link(file, tmp_path / "frozen" / name)
    await store.close()
    again = await ChdbStore(tmp_path / "again").open()
    for part in sorted((tmp_path / "frozen").glob("*/*")):
        await again.attach(part.parent.name, part)
    found, raw = await values(again), {row.seq for row in await again.raw(PEER, NOW, NOW + 10**6)}
    assert set(before) <= set(found) and set(before) <= raw
    await again.close()


async def test_what_is_no_part_is_refused(store: ChdbStore, tmp_path: Path) -> None:
    """By its name, and by what is in it; the store goes on."""
    for table, name in (("ce_technology", "../x"), ("ce_technology", "detached"), ("newest_view", "all_1_1_0")):
        with pytest.raises(TransportError, match="is no part"):
            await store.attach(table, tmp_path / name)
    bad = tmp_path / "20779_1_1_0"
    bad.mkdir()
    (bad / "columns.txt").write_text("garbage")
    with pytest.raises(TransportError, match="store: Code"):
        await store.attach("ce_technology", bad)
    with pytest.raises(TransportError, match="No such file"):
        await store.attach("ce_technology", tmp_path / "20779_2_2_0")
    await put(store, range(3))
    assert len(await values(store)) == 3


def part_of(folder: Path, table_sql: str, number: int) -> Path:
    """The folder of the nth part of a table, by the uuid in what describes it."""
    uuid = next(folder.glob(f"store/*/*/{table_sql}.sql")).read_text(encoding="utf-8").split("'")[1]
    return sorted((folder / "store" / uuid[:3] / uuid).glob("2*"))[number]


@pytest.mark.parametrize("file", ["data.bin", "checksums.txt", "columns.txt", "primary.cidx"])
async def test_a_broken_part_is_set_aside(store: ChdbStore, tmp_path: Path, file: str) -> None:
    """At the start or when it is read; told, and the rest is served; nothing of it is deleted."""
    for n in range(3):
        await put(store, range(n * 10, n * 10 + 10))
    await store.check()
    await store.close()
    part = part_of(tmp_path / "chdb", "ce_technology", 1)
    size = sum(f.stat().st_size for f in part.iterdir())
    (part / file).write_bytes(os.urandom((part / file).stat().st_size))
    again = await ChdbStore(tmp_path / "chdb").open()
    assert set(await values(again)) == {*range(10), *range(20, 30)}
    with pytest.raises(TransportError, match=r"1 broken parts are set aside, the rest is served: .*/detached/broken"):
        await again.check()
    [aside] = part.parent.glob("detached/broken*")
    assert sum(f.stat().st_size for f in aside.iterdir()) == size
    await put(again, range(10, 20), a=5.0)
    assert len(await values(again)) == 30
    shutil.rmtree(aside)
    await again.check()
    await again.close()


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "a bit": lambda data: data[:40] + bytes([data[40] ^ 1]) + data[41:],
    "cut short": lambda data: data[:100],
    "empty": lambda data: b"",
    "zeros": lambda data: bytes(len(data)),
    "a size": lambda data: data[:17] + b"\xff\xff\xff\x7f" + data[21:],
    "a codec": lambda data: data[:16] + b"\x01" + data[17:],
}
"""Of most of it the engine keeps an error that does not say which part; of the last kinds one that does."""


@pytest.mark.parametrize("kind", DAMAGE)
async def test_a_part_that_the_engine_itself_cannot_read(store: ChdbStore, tmp_path: Path, kind: str) -> None:
    """A merge that fails is told by nobody else: it is looked for, once."""
    for n in range(3):
        await put(store, range(n * 10, n * 10 + 10))
    await store.check()
    part = part_of(tmp_path / "chdb", "ce_technology", 1)
    (part / "data.bin").write_bytes(DAMAGE[kind]((part / "data.bin").read_bytes()))
    with pytest.raises(RuntimeError):
        await store._run(store._session.query, f"OPTIMIZE TABLE {sql.DATABASE}.{sql.PARSED} FINAL")
    await store.expire(NOW)
    assert [aside.name for aside in part.parent.glob("detached/*")] == [f"broken_{part.name}"]
    shutil.rmtree(part.parent / "detached")
    for _ in range(2):
        await store.check()
    await store._run(store._session.query, f"OPTIMIZE TABLE {sql.DATABASE}.{sql.PARSED} FINAL")
    assert set(await values(store)) == {*range(10), *range(20, 30)}


async def test_suspects_are_checked_a_little_with_each_look(
    store: ChdbStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The small ones first, so that inserts wait for some bytes alone; in the end all."""
    monkeypatch.setattr("duco_rt.transports.store_chdb_parts._CHECK_BYTES", 1)
    for n in range(3):
        await put(store, range(n * 10, n * 10 + 10 + n))
    await store.check()
    while store._parts._suspects:
        await store.check()
    part = part_of(tmp_path / "chdb", "ce_technology", 2)
    (part / "data.bin").write_bytes(b"")
    with pytest.raises(RuntimeError):
        await store._run(store._session.query, f"OPTIMIZE TABLE {sql.DATABASE}.{sql.PARSED} FINAL")
    sizes = []
    while not list(part.parent.glob("detached/broken*")):
        await store.expire(NOW)
        sizes.append([size for size, _, _ in store._parts._suspects])
    assert len(sizes) > 1
    assert all(sorted(s, reverse=True) == s for s in sizes)
    assert [len(s) for s in sizes] == [len(sizes[0]) - n for n in range(len(sizes))]


async def test_a_good_part_is_never_set_aside(store: ChdbStore, tmp_path: Path) -> None:
    """Whatever an error says: the engine checks it first."""
    await put(store, range(10))
    part = part_of(tmp_path / "chdb", "ce_technology", 0)
    error = f"Code: 40. DB::Exception: Checksum doesn't match: while reading from part {part}/ in table"
    assert not await store._run(store._parts.set_aside, error)
    assert not await store._run(store._parts.set_aside, error.replace(part.name, "20779_9_9_0"))
    assert not await store._run(store._parts.set_aside, f"Code: 241. Memory limit: while reading from part {part}/")
    assert len(await values(store)) == 10
