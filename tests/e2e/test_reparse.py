"""`python -m duco_rt reparse`: by itself, through a running process, killed and asked again."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import aiohttp
import pytest

from duco_rt import body
from duco_rt.disk.data_dir import DataDir
from duco_rt.model import Device, History, ParsingFile, Peer, RawSecond
from duco_rt.transports.meta_sqlite import SqliteMeta
from duco_rt.transports.store_chdb import ChdbStore
from duco_rt.transports.store_clickhouse import ClickHouseStore
from tests.can_seconds import busy_second
from tests.dbc_texts import dbc_text
from tests.programs import REPO, live, program
from tests.servers.clickhouse import ClickHouseServer

BUS = Peer("duco", "BUS", "vehicle_can")
BEGIN_MS = int(time.time()) * 1000 - 3_600_000  # within every retention
IDS, SIGNALS = 80, 8
SECONDS = 1_000  # so that a run takes long beside the start of another command, which comes while it works
FIELDS = [f"m{i}_s{j}" for i in range(0, IDS, 9) for j in range(SIGNALS)]


def full_dbc(scale: float) -> str:
    """80 messages of 8 signals, for the ids of `busy_second`."""
    return dbc_text(
        *(
            "\n".join([f"{0x8000_0000 | 0x18F0_0000 + i * 0x101} M{i} 8"]
                      + [f"m{i}_s{j} : {8 * j}|8@1+ ({scale},0)" for j in range(SIGNALS)])
            for i in range(IDS)
        )
    )  # fmt: skip


async def fill(data_dir: Path, seconds: int = SECONDS) -> None:
    """A data folder with raw seconds of a full bus, never parsed."""
    with DataDir(data_dir):  # of today's version
        pass
    meta = SqliteMeta(data_dir / "meta.sqlite")
    await meta.open()
    await meta.put_parsing("full", [ParsingFile("full.dbc", full_dbc(0.5))])
    await meta.put_device(Device("BUS", "duco", "BUS", "full"))
    await meta.close()
    kinds = [body.pack_columns(busy_second(4000, IDS, seed=seed)) for seed in range(7)]
    store = await ChdbStore(data_dir / "chdb").open()
    for first in range(0, seconds, 100):
        await store.insert_raw([row(n, kinds[n % 7]) for n in range(first, min(first + 100, seconds))])
    await store.close()


def row(number: int, c: body.Columns) -> RawSecond:
    """Second `number`."""
    ts_ms = BEGIN_MS + 1000 * number
    return RawSecond(BUS, ts_ms, number, 0, ts_ms + 1200, False, "can1", c.streams, c.order, c.times, c.data)


async def parsed(data_dir: Path) -> History:
    """What the store has of it."""
    store = await ChdbStore(data_dir / "chdb").open()
    try:
        return await store.history(BUS, FIELDS, BEGIN_MS - 1_000_000, BEGIN_MS + 10_000_000)
    finally:
        await store.close()


class Done(NamedTuple):
    """A command that ended."""

    code: int
    out: str
    err: str


WHOLE = ("--device", "BUS", "--from", str(BEGIN_MS), "--to", str(BEGIN_MS + 1000 * SECONDS))


async def command(
    data_dir: Path,
    *words: str,
    meanwhile: Callable[[asyncio.subprocess.Process], Awaitable[None]] | None = None,
) -> Done:
    """Run `reparse` with these words to its end."""
    environ = {key: value for key, value in os.environ.items() if not key.startswith("DUCO_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "duco_rt", "reparse", *words, "--set", f"app.data_dir={data_dir}",
        cwd=REPO, env=environ, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background job ignores it
    )  # fmt: skip
    try:
        if meanwhile is not None:
            await meanwhile(process)
        out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode is not None
    return Done(process.returncode, out.decode(), err.decode())


async def noted(data_dir: Path, process: asyncio.subprocess.Process) -> None:
    """Until the run has noted a chunk."""
    file = data_dir / "reparse" / "BUS.json"
    before = file.read_text() if file.exists() else ""
    async with asyncio.timeout(60):
        while not file.exists() or file.read_text() == before:
            assert process.returncode is None, await process.communicate()
            await asyncio.sleep(0.01)


@pytest.mark.timeout(300)
async def test_by_itself_and_after_a_kill(tmp_path: Path) -> None:
    """Killed in the middle and asked again: what an undisturbed run gives."""
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    await fill(whole)
    await fill(broken)

    async def kill(process: asyncio.subprocess.Process) -> None:
        await noted(broken, process)
        process.send_signal(signal.SIGKILL)

    for number in range(2):
        done = await command(broken, *WHOLE, meanwhile=kill)
        assert done.code == -signal.SIGKILL
        assert ("goes on" in done.err) is (number == 1)
    done = await command(broken, *WHOLE)
    assert done.code == 0, done
    assert "BUS: goes on at " in done.err
    assert f"BUS: {SECONDS} seconds read again with full version 1, {SECONDS} samples stored" in done.out
    undisturbed = await command(whole, *WHOLE)
    assert (undisturbed.code, undisturbed.err) == (0, "")
    percents = [line.split()[1] for line in undisturbed.out.splitlines() if "%" in line]
    assert percents[-1] == "100"
    assert len(percents) <= 10
    found = await parsed(whole)
    assert found == await parsed(broken)
    assert found.seq == list(range(SECONDS))
    assert all(isinstance(value, float) for column in found.fields.values() for value in column)
    assert not list((broken / "reparse").iterdir())


@pytest.mark.timeout(120)
async def test_ctrl_c(tmp_path: Path) -> None:
    """Ends in order and says how to go on."""
    data_dir = tmp_path / "data"
    await fill(data_dir)

    async def interrupt(process: asyncio.subprocess.Process) -> None:
        await noted(data_dir, process)
        process.send_signal(signal.SIGINT)

    done = await command(data_dir, *WHOLE, meanwhile=interrupt)
    assert done.code == 130
    assert done.err == "BUS: stopped; the same command goes on from there\n"
    done = await command(data_dir, *WHOLE)
    assert (done.code, done.err.split(":")[1][:8]) == (0, " goes on")


@pytest.mark.timeout(120)
async def test_what_is_wrong(tmp_path: Path) -> None:
    """Exit 2 and one line; a range without data is no error."""
    data_dir = tmp_path / "data"
    nothing = ("--device", "DUCO_001", "--from", "-2h", "--to", "now")
    assert f"nothing is there: app.data_dir = {str(data_dir)!r}" in (await command(data_dir, *nothing)).err
    with DataDir(data_dir):
        pass
    for words, text in (
        (("--device", "D9", "--from", "-2h", "--to", "now"), "D9"),
        (("--device", "BUS", "--from", "soon", "--to", "now"), "--from 'soon'"),
        (("--device", "BUS", "--from", "now", "--to", "-2h"), "--to"),
        (("--device", "BUS", "--from", "-2h"), "--to"),
    ):
        done = await command(data_dir, *words)
        assert (done.code, len(done.err.splitlines())) == (2, 1), done
        assert text in done.err
    async with program(data_dir, "app.roles=['metaapi']"):
        done = await command(data_dir, *nothing)
        assert (done.code, len(done.err.splitlines())) == (2, 1), done
        assert "no store" in done.err
    done = await command(data_dir, *nothing)
    assert (done.code, done.err) == (0, "")
    assert "DUCO_001: no raw data, " in done.out


async def kill_in_its_midst(data_dir: Path, process: asyncio.subprocess.Process) -> None:
    """When a second one was refused."""
    await noted(data_dir, process)
    second = await command(data_dir, *WHOLE)
    assert (second.code, "being read again" in second.err) == (2, True), second
    process.send_signal(signal.SIGKILL)


@pytest.mark.timeout(300)
async def test_through_a_running_process(tmp_path: Path) -> None:
    """While a viewer looks at another device: no second of it is lost. A client that is killed, and the whole process
    that is, leave what the same command goes on with."""
    data_dir = tmp_path / "data"
    await fill(data_dir)
    async with program(data_dir) as running, aiohttp.ClientSession() as http:
        await running.start_realtime(http)
        seen: list[tuple[int, float]] = []
        begun_s = time.time()

        async def watch() -> None:
            async for message in live(http, running, "DUCO_001", ["speed"]):
                late_s = time.time() - message["ts"] / 1000 - 1
                seen.append((message["seq"], late_s))
            raise AssertionError("the viewer was sent away")

        async with asyncio.timeout(240), asyncio.TaskGroup() as tasks:
            watching = tasks.create_task(watch())
            while len(seen) < 2:
                await asyncio.sleep(0.1)
            assert (
                await command(data_dir, *WHOLE, meanwhile=partial(kill_in_its_midst, data_dir))
            ).code == -signal.SIGKILL
            done = await command(data_dir, *WHOLE)
            while done.code == 2 and "is being read again now" in done.err:  # it has not noticed the kill yet
                done = await command(data_dir, *WHOLE)
            count = len(seen)
            while len(seen) < count + 2:
                await asyncio.sleep(0.1)
            watching.cancel()
        assert done.code == 0, done
        assert "goes on" in done.err
        seqs = [seq for seq, _ in seen]
        assert seqs == list(range(seqs[0], seqs[-1] + 1))
        assert max(late_s for _, late_s in seen) < 2
        await asyncio.sleep(2)  # the promise: in history within 2 s
        times = f"from={round((begun_s - 60) * 1000)}&to={round((time.time() + 10) * 1000)}"  # however long it took
        found = await running.json(http, f"/DUCO_001/history?fields=speed&{times}")
        assert [seq for seq in found["seq"] if seqs[0] <= seq <= seqs[-1]] == seqs
        shutil.rmtree(data_dir / "reparse")

        async def kill_owner(process: asyncio.subprocess.Process) -> None:
            await noted(data_dir, process)
            await running.end(signal.SIGKILL)

        done = await command(data_dir, *WHOLE, meanwhile=kill_owner)
        assert (done.code, len(done.err.splitlines())) == (1, 1), done
        assert "the same command goes on" in done.err
    done = await command(data_dir, *WHOLE)
    assert (done.code, "goes on" in done.err) == (0, True), done
    assert (await parsed(data_dir)).seq == list(range(SECONDS))


@pytest.mark.timeout(120)
async def test_a_server_as_store(tmp_path: Path) -> None:
    """Nobody holds the data folder: the command itself reads and writes on the ClickHouse server, twice the same."""
    data_dir = tmp_path / "data"
    await fill(data_dir, 0)
    server = ClickHouseServer(tmp_path / "clickhouse").start()
    try:
        server.create_tables()
        store = ClickHouseStore(server.url, create_tables=False)
        columns = body.pack_columns(busy_second(400, IDS))
        await store.insert_raw([row(n, columns) for n in range(150)])
        settings = ("--set", "store.kind=clickhouse", "--set", f"store.url={server.url}")
        for _ in range(2):
            done = await command(data_dir, *WHOLE, *settings, "--set", "store.create_tables=false")
            assert (done.code, done.err) == (0, ""), done
            assert "150 samples stored" in done.out
            found = await store.history(BUS, FIELDS, BEGIN_MS, BEGIN_MS + 999_000)
            assert found.seq == list(range(150))
            assert None not in found.fields["m0_s0"]
        await store.close()
    finally:
        server.kill()
