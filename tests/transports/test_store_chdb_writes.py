"""A disk that does not take what the engine writes: nothing is acknowledged that is not on it, nothing stored goes.

In a process of its own, whose writes to files fail as long as it wants.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.programs import REPO

pytestmark = pytest.mark.servers

BEGIN = """
import asyncio, json, os, resource, shutil, sys
from pathlib import Path
from duco_rt.errors import TransportError
from duco_rt.model import Peer, RawSecond, Sample
from duco_rt.transports.store_chdb import ChdbStore

NOW = 1_795_352_000_000
PEER = Peer("duco", "D", "vehicle_can")
HARD = resource.getrlimit(resource.RLIMIT_FSIZE)[1]

def breaks(broken=True):
    resource.setrlimit(resource.RLIMIT_FSIZE, (0 if broken else HARD, HARD))

async def put(store, n):
    try:
        await store.insert_parsed([Sample(PEER, NOW + n, n, NOW, {"a": 1.0})])
        await store.insert_raw([RawSecond(PEER, NOW + n, n, 0, NOW, True, "json1", body=os.urandom(5000))])
    except TransportError as e:
        return str(e)
    return ""

async def seqs(store):
    found = (await store.history(PEER, ["a"], NOW, NOW + 10**6)).seq
    return [found, [row.seq for row in await store.raw(PEER, NOW, NOW + 10**6)]]

async def state(store):
    try:
        await store.check()
    except TransportError as e:
        return str(e)
    return "ok"

def say(**what):
    print("SAID " + json.dumps(what), flush=True)
"""

INSERTS = """
async def main():
    store = await ChdbStore(Path(sys.argv[1])).open()
    for n in range(3):
        await put(store, n)
    breaks()
    refused = [await put(store, n) for n in range(3, 8)]
    say(refused=refused, state=await state(store), kept=await seqs(store))
    if sys.argv[2] == "kill":
        os._exit(1)
    breaks(False)
    say(kept=await seqs(store), again=[await put(store, n) for n in range(3, 8)], after=await seqs(store))
    say(state=await state(store))
    await store.close()
    store = await ChdbStore(Path(sys.argv[1])).open()
    say(reopened=await seqs(store), state=await state(store))
    await store.close()
asyncio.run(main())
"""

MERGES = """
def merge(store):
    store._session.query("OPTIMIZE TABLE duco.ce_technology FINAL", "CSV")
    store._session.query("OPTIMIZE TABLE duco.raw_data_cache_store FINAL", "CSV")

async def main():
    folder = Path(sys.argv[1])
    store = await ChdbStore(folder).open()
    for n in range(5):
        await put(store, n)
    breaks()
    await store._run(merge, store)
    said = await state(store)
    breaks(False)
    if sys.argv[2] == "kill":
        say(state=said)
        os._exit(1)
    for part in folder.glob("store/*/*/20779_[1-5]_[1-5]_1"):
        shutil.rmtree(part)  # as the engine itself, a minute after it merged them
    say(state=said, after=await state(store), kept=await seqs(store))
    await store._run(merge, store)
    say(kept=await seqs(store), state=await state(store), left=[str(f) for f in folder.glob("store/*/*/detached/*")])
    await store.close()
asyncio.run(main())
"""

AGAIN = """
async def main():
    store = await ChdbStore(Path(sys.argv[1])).open()
    say(kept=await seqs(store), state=await state(store))
    await store.close()
asyncio.run(main())
"""


def run(script: str, *words: str) -> list[dict[str, Any]]:
    """What a child says."""
    command = [sys.executable, "-c", BEGIN + script, *words]
    done = subprocess.run(command, capture_output=True, text=True, cwd=REPO, timeout=60, check=False)
    said = [json.loads(line[5:]) for line in done.stdout.splitlines() if line.startswith("SAID ")]
    assert said, done.stderr
    return said


def test_an_insert_that_is_not_written_is_an_error(tmp_path: Path) -> None:
    """None of it shows up, nothing more is tried while the disk takes nothing, and then all goes in."""
    broken, mended, good, reopened = run(INSERTS, str(tmp_path / "store"), "go on")
    assert broken["kept"] == [[0, 1, 2], [0, 1, 2]]
    assert "ce_technology: the engine has not written the rows; its last errors: the disk" in broken["refused"][0]
    assert all("the disk takes nothing: File too large" in words for words in [*broken["refused"][1:], broken["state"]])
    assert mended["kept"] == [[0, 1, 2], [0, 1, 2]]
    assert mended["again"] == [""] * 5 and mended["after"] == [list(range(8))] * 2
    assert good["state"] == "ok"
    assert reopened == {"reopened": [list(range(8))] * 2, "state": "ok"}


def test_a_merge_that_is_not_written_loses_nothing(tmp_path: Path) -> None:
    """What it replaced is held, though the engine removes it, and comes back."""
    broken, after = run(MERGES, str(tmp_path / "store"), "go on")
    assert "the engine has not written the rows" in broken["state"] and broken["after"] == "ok"
    assert broken["kept"] == [list(range(5))] * 2
    assert after == {"kept": [list(range(5))] * 2, "state": "ok", "left": []}


def test_nor_does_it_where_the_process_is_killed_then(tmp_path: Path) -> None:
    """The next start brings it back."""
    folder = tmp_path / "store"
    run(MERGES, str(folder), "kill")
    for part in folder.glob("store/*/*/20779_[1-5]_[1-5]_1"):
        for file in part.iterdir():
            file.unlink()
        part.rmdir()
    assert run(AGAIN, str(folder)) == [{"kept": [list(range(5))] * 2, "state": "ok"}]


def test_an_insert_that_is_not_written_when_the_process_is_killed(tmp_path: Path) -> None:
    """Leaves nothing that the next start would take for damage."""
    run(INSERTS, str(tmp_path / "store"), "kill")
    assert run(AGAIN, str(tmp_path / "store")) == [{"kept": [[0, 1, 2]] * 2, "state": "ok"}]
