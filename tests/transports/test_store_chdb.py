"""What is chDB's own: files, processes, errors, the thread."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from duco_rt.errors import ConfigError, Conflict, TransportError
from duco_rt.model import Peer, RawSecond, Sample
from duco_rt.transports import store_sql
from duco_rt.transports.store_chdb import ChdbStore
from duco_rt.transports.store_native import block, numbers, peers, text

pytestmark = pytest.mark.servers

NOW = 1_795_352_000_000
PEER = Peer("duco", "DUCO_001", "vehicle_can")
FIELDS = [f"field_{i}" for i in range(60)]

CHILD = """
import asyncio, sys
from pathlib import Path
from duco_rt.model import Peer, RawSecond, Sample
from duco_rt.transports.store_chdb import ChdbStore

async def main():
    store = await ChdbStore(Path(sys.argv[1])).open()
    peer = Peer("duco", "DUCO_001", "vehicle_can")
    for i in range(10**5):
        ts = 1795352000000 + i * 1000
        await store.insert_raw([RawSecond(peer, ts, i, 0, ts, False, "json1", body=b"{}")])
        await store.insert_parsed([Sample(peer, ts, i, ts, {"a": float(i)})])
        print(i, flush=True)

asyncio.run(main())
"""


def child(folder: Path) -> subprocess.Popen[str]:
    """Start a process that opens the store, inserts and prints what is in."""
    command = [sys.executable, "-c", CHILD, str(folder)]
    root = Path(__file__).parents[2]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=root)


async def test_rows_are_there_after_a_restart(tmp_path: Path) -> None:
    """Closed and opened again, in a folder of any name."""
    folder = tmp_path / "with space ü" / "store"
    row = RawSecond(PEER, NOW, 1, 0, NOW, True, "can1", b"s", b"o", b"t", b"d")
    for i in range(3):
        store = await ChdbStore(folder).open()
        await store.insert_parsed([Sample(PEER, NOW + i, i, NOW, {"a": float(i)})])
        await store.insert_raw([row])
        await store.close()
    store = await ChdbStore(folder).open()
    assert (await store.history(PEER, ["a"], NOW, NOW + 9)).fields["a"] == [0.0, 1.0, 2.0]
    assert await store.raw(PEER, NOW, NOW) == [row]
    assert (await store.last_seen("duco"))[PEER].seq == 1
    await store.close()


async def test_what_was_inserted_survives_kill_9(tmp_path: Path) -> None:
    """While the other process lives, the folder is its own; when it is killed, its rows are there."""
    process = child(tmp_path / "store")
    assert process.stdout is not None
    done = [int(process.stdout.readline()) for _ in range(20)]
    with pytest.raises(Conflict, match=f"store is open in another store .PID: {process.pid}"):
        await ChdbStore(tmp_path / "store").open()
    process.kill()  # in the middle of an insert
    done += [int(line) for line in process.communicate()[0].split()]
    store = await ChdbStore(tmp_path / "store").open()
    history = await store.history(PEER, ["a"], NOW, NOW + 10**9)
    assert set(done) <= set(history.seq)
    assert history.fields["a"] == [float(seq) for seq in history.seq]
    assert set(done) <= {row.seq for row in await store.raw(PEER, NOW, NOW + 10**9)}
    await store.close()


async def test_one_store_a_process(tmp_path: Path) -> None:
    """A second one is refused and does not hurt the first."""
    store = await ChdbStore(tmp_path / "a").open()
    with pytest.raises(Conflict, match="this process has another"):
        await ChdbStore(tmp_path / "b").open()
    with pytest.raises(Conflict, match="open in another store"):
        await ChdbStore(tmp_path / "a").open()
    await store.insert_parsed([Sample(PEER, NOW, 1, NOW, {})])
    assert (await store.history(PEER, [], NOW, NOW)).seq == [1]
    await store.close()
    await (await ChdbStore(tmp_path / "b").open()).close()


async def test_errors_are_readable(tmp_path: Path) -> None:
    """One line that says what is wrong."""
    with pytest.raises(TransportError, match="takes no folder"):
        await ChdbStore(tmp_path / "a?b").open()
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="file is no folder"):
        await ChdbStore(tmp_path / "file").open()
    store = await ChdbStore(tmp_path / "store").open()
    await asyncio.to_thread(store._query, f"DROP TABLE {store_sql.DATABASE}.{store_sql.PARSED}")
    with pytest.raises(TransportError, match="ce_technology"):
        await store.insert_parsed([Sample(PEER, NOW, 1, NOW, {})])
    with pytest.raises(TransportError, match=r"store: Code: 60\.[^\n]*\Z"):
        await store.history(PEER, [], NOW, NOW)
    await store.close()


async def test_rows_that_the_engine_did_not_write_are_an_error(tmp_path: Path) -> None:
    """It says nothing itself, of a full disk neither; the next insert counts for itself."""
    store = await ChdbStore(tmp_path / "store").open()
    ends, columns = numbers("UInt64", [1]), peers([PEER])
    columns["value.name"] = ("Array(String)", ends + text("a"))
    columns["value.kind"] = ("Array(UInt8)", numbers("UInt64", [2]) + b"\1\1")
    for _ in range(2):
        with pytest.raises(
            TransportError, match=r"ce_technology: the engine has not written the rows; its last errors: .*sizes"
        ):
            await store._run(store._insert, store_sql.PARSED, [block(1, columns)])
        await store.insert_parsed([Sample(PEER, NOW, 1, NOW, {})])
    bad: dict[str, Any] = {"a": b"bytes"}
    with pytest.raises(TransportError, match="bytes is no value"):
        await store.insert_parsed([Sample(PEER, NOW, 2, NOW, {**bad})])
    await store.insert_parsed([Sample(PEER, NOW, 3, NOW, {})])
    assert (await store.history(PEER, [], NOW, NOW)).seq == [1, 3]
    await store.close()


async def test_calls_at_once_are_done_in_one_thread(tmp_path: Path) -> None:
    """Nobody waits for another call but there."""
    store = await ChdbStore(tmp_path / "store").open()
    async with asyncio.TaskGroup() as group:
        for i in range(10):
            group.create_task(store.insert_parsed([Sample(PEER, NOW + i, i, NOW, {"a": 1.0})]))
            group.create_task(store.history(PEER, ["a"], NOW, NOW + 9))
    assert len((await store.history(PEER, [], NOW, NOW + 9)).seq) == 10
    assert len([t for t in threading.enumerate() if t.name.startswith("store")]) == 1
    await store.close()


async def test_a_batch_of_300_000_values_is_one_part(tmp_path: Path) -> None:
    """Blocks are joined before they are written."""
    store = await ChdbStore(tmp_path / "store").open()
    samples = [Sample(PEER, NOW + i, i, NOW, dict.fromkeys(FIELDS, i / 2)) for i in range(5000)]
    await store.insert_parsed(samples)
    parts = store._query("SELECT rows FROM system.parts WHERE active AND table = 'ce_technology'")
    assert parts["rows"].tolist() == [5000]
    history = await store.history(PEER, FIELDS[:2], NOW, NOW + 10**6)
    assert history.fields["field_1"] == [i / 2 for i in range(5000)]
    await store.close()
