"""A backup of a running program, its machine's computer lost, and the same machine going on from the backup."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.e2e.commands import command
from tests.e2e.processes import TYPES, Process, running, stored, taken

pytestmark = pytest.mark.servers

ROLES = ("device", "ingest", "process", "distribute", "studio", "metaapi")
SETTINGS = ("device.upload_interval_s=1", "web.auth=tokens")
GROUPS = "/_groups"


async def stored_after(http: aiohttp.ClientSession, process: Process, seq: int) -> dict[str, list[int]]:
    """Wait until the history of both types goes past a seq; all of it, which has nothing twice."""
    async with asyncio.timeout(60):
        while True:
            found = {kind: await stored(http, process.program, kind) for kind in TYPES}
            for seqs in found.values():
                assert seqs == sorted(set(seqs)), "twice, or not in order"
            if all(seqs and seqs[-1] > seq for seqs in found.values()):
                return found
            await asyncio.sleep(0.2)


async def group(http: aiohttp.ClientSession, process: Process, title: str) -> None:
    """The chart group `g` is called so from now on."""
    body: dict[str, Any] = {"title": title, "lines": [{"field": "speed"}]}
    headers = {} if "g" in await titles(http, process) else {"If-None-Match": "*"}
    address = process.program.address(f"{GROUPS}/g")
    async with http.put(address, json=body, headers=headers) as response:
        assert response.status < 300, await response.text()


async def titles(http: aiohttp.ClientSession, process: Process) -> dict[str, str]:
    """Of all chart groups."""
    answer = await process.program.json(http, GROUPS)
    return {found["groupId"]: found["title"] for found in answer["groups"]}


async def test_a_machine_goes_on_from_a_backup(tmp_path: Path) -> None:
    """History up to the backup is whole, groups and tokens are there, and no seq is used twice; then the backup is
    brought into the running program once more."""
    first, again = (Process(name, tmp_path, ROLES, SETTINGS) for name in ("first", "again"))
    file = tmp_path / "kept" / "b.tar"
    file.parent.mkdir()
    first.data_dir.mkdir(mode=0o700)  # where it has another name than the default, one makes it before the first run
    made = await command(first.data_dir, "token", "add", "anna", "--tenant", "duco", "--role", "admin")
    assert made.code == 0, made.err
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {made.out.strip()}"}) as http:
        async with running([first]):
            await group(http, first, "as kept")
            before = await stored_after(http, first, taken(first.data_dir) + 2)
            done = await command(first.data_dir, "backup", file)
            assert (done.code, done.err) == (0, ""), done
            assert done.out.startswith(f"{file}: backup of 2") and "read again and found whole" in done.out
            kept_until = taken(first.data_dir)  # of the time until then the backup may have any second
            await group(http, first, "changed later")
            await stored_after(http, first, kept_until + 2)
            await first.end(signal.SIGKILL)
        last = taken(first.data_dir)
        done = await command(again.data_dir, "restore", file)
        assert done.code == 0, done
        assert taken(again.data_dir) >= last, "a seq would come again"
        async with running([again]):
            after = await stored_after(http, again, last)
            for kind, seqs in before.items():
                assert set(seqs) <= set(after[kind]), f"{kind}: lost by the backup"
            assert not {seq for seqs in after.values() for seq in seqs if kept_until < seq <= last}
            assert (await titles(http, again))["g"] == "as kept"
            await group(http, again, "changed again")
            refused = await command(again.data_dir, "restore", file, "--replace")
            assert refused.code == 2 and "a process has the data directory" in refused.said
            done = await command(again.data_dir, "restore", file)
            assert done.code == 0 and "parts of history more" in done.out, done
            assert (await titles(http, again))["g"] == "as kept"
            merged = await stored_after(http, again, taken(again.data_dir))
            assert all(set(after[kind]) <= set(merged[kind]) for kind in TYPES)
            await again.until_ready(http)


async def test_a_backup_without_a_process(tmp_path: Path) -> None:
    """Of a folder that nobody has, by the command itself; refused where there is nothing, or no place for the file."""
    process = Process("first", tmp_path, ROLES, SETTINGS[:1])
    async with aiohttp.ClientSession() as http, running([process]):
        before = await stored_after(http, process, taken(process.data_dir) + 1)
    file = tmp_path / "b.tar"
    done = await command(process.data_dir, "backup", file)
    assert done.code == 0 and file.stat().st_mode & 0o777 == 0o600, done
    assert sorted(entry.name for entry in tmp_path.glob("b.tar*")) == ["b.tar"]
    done = await command(process.data_dir, "restore", file, "--replace")
    assert done.code == 0 and "what was there is in " in done.err, done
    assert len(list(tmp_path.glob("first.before-restore-*"))) == 1
    async with aiohttp.ClientSession() as http, running([process]):
        after = await stored_after(http, process, before["vehicle_can"][-1])
    assert all(set(before[kind]) <= set(after[kind]) for kind in TYPES)
    for folder, target, words in (
        (tmp_path / "nothing", file, "nothing is there"),
        (process.data_dir, tmp_path, "is a folder"),
        (process.data_dir, tmp_path / "absent" / "b.tar", "its folder is not there"),
    ):
        done = await command(folder, "backup", target)
        assert done.code == 2 and words in done.said and done.err.count("\n") == 1, done
    assert not (tmp_path / "nothing").exists()
