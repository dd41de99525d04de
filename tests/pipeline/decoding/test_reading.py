"""Reading in a process that can be ended: the same as here, and nothing that hangs or fills this process."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import psutil
import pytest

from duco_rt.errors import BadParsing, ReadingLate, TransportError
from duco_rt.model import ParsingFile
from duco_rt.pipeline.decoding.describe import describe_all
from duco_rt.pipeline.decoding.reading import Child, Readers, beside, read, read_async
from tests.database_texts import TEXTS, arxml_text
from tests.dbc_texts import dbc_text

SMALL = ParsingFile("small.dbc", dbc_text("256 A 8\nx : 0|8@1+ (1,0)"), "can1", sources=(3,))
FILES = [SMALL, *(ParsingFile(f"a.{ending}", text, format=ending) for ending, text in TEXTS.items())]


def large(signals: int = 14_400) -> ParsingFile:
    """A database of so many good signals, eight a message."""
    rows = "\n".join(f"s{n} : {8 * n}|8@1+ (0.1,0)" for n in range(8))
    return ParsingFile("machine.dbc", dbc_text(*(f"{n | 1 << 31} M{n} 8\n{rows}" for n in range(signals // 8))))


REFUSED: dict[str, tuple[list[ParsingFile], str]] = {
    "no file": ([], "one file at least"),
    "size": ([SMALL, ParsingFile("b.dbc", "x" * (16 * 2**20 + 1))], r"^b\.dbc: 16777217 bytes, more than 16777216"),
    "letters": ([ParsingFile("c.dbc", "ok\n\ud800")], r"^c\.dbc: line 2: a character that is none: '\\ud800'"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused_unread(case: str) -> None:
    """No process is started for it."""
    files, words = REFUSED[case]
    child = Child(files)
    with pytest.raises(BadParsing, match=words):
        child.run()
    assert child.pid is None


def test_one_that_was_killed_before_is_never_started() -> None:
    """A cancelled reading may still wait for its turn."""
    child = Child([SMALL])
    child.kill()
    with pytest.raises(TransportError, match="ended"):
        child.run()
    assert child.pid is None


ENDINGS = {-9: True, -15: True, -24: True, -11: False, -6: False, 1: False, 0: False}


@pytest.mark.parametrize("status", ENDINGS)
def test_why_a_process_ended(status: int) -> None:
    """Killed, told to end or out of seconds, another time it may succeed; what fails by itself fails again."""
    with pytest.raises(BadParsing, match=rf"ended its process \(1 signals, status {status}\)$") as caught:
        Child([SMALL])._results(b"", late=False, status=status)
    assert isinstance(caught.value, ReadingLate) == ENDINGS[status]


def test_what_waits_is_bounded() -> None:
    """Two at once and so many more; a place is free again as soon as one is done, well or not."""
    readers, going = Readers("test", 1), threading.Event()
    held = [readers.submit(going.wait, tenant) for tenant in ("a", "b", "a")]
    for tenant in ("a", "c"):
        with pytest.raises(TransportError, match="1 parsings wait"):
            readers.submit(going.wait, tenant)
    going.set()
    assert all(each.result(5) for each in held)
    for _ in range(5):
        with pytest.raises(ZeroDivisionError):
            readers.submit(lambda: 1 // 0).result(5)


def test_a_tenants_slow_readings_hold_up_nobody_else() -> None:
    """Another tenant's begins at once, however many wait of the first; then they take turns, and none is left out."""
    readers, going, order = Readers("test", 20, at_once=3, tenant_max=2), threading.Event(), list[str]()
    begun = threading.Event()

    def read_one(tenant: str) -> None:
        order.append(tenant)
        going.wait(5)

    slow = [readers.submit(partial(read_one, "evil"), "evil") for _ in range(8)]
    readers.submit(begun.set, "duco").result(5)
    assert (begun.is_set(), order) == (True, ["evil"] * 2)
    held = [readers.submit(partial(read_one, tenant), tenant) for tenant in ("duco", "duco", "other")]
    slow += [readers.submit(partial(read_one, "evil"), "evil") for _ in range(4)]
    with pytest.raises(TransportError, match="12 parsings wait to be read already, 10 of them of evil: try"):
        readers.submit(going.wait, "evil")
    going.set()
    for each in (*held, *slow):
        each.result(5)
    assert order[2] == "duco" and "evil" in order[-3:]
    assert order.count("evil") == 12


async def test_what_was_cancelled_keeps_its_place_until_its_turn() -> None:
    """Its texts are held as long; that it was ended is nobody's error."""
    errors: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, error: errors.append(error))
    readers, going = Readers("test", 1), threading.Event()
    held = [readers.submit(going.wait, tenant) for tenant in ("a", "b")]
    child = Child([SMALL])
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(beside(child, child.run, readers))
        await asyncio.sleep(0)
        waiting.cancel()
    with pytest.raises(TransportError):
        readers.submit(going.wait)
    going.set()
    assert all(each.result(5) for each in held)
    readers._threads.shutdown()
    for _ in range(5):  # until the loop has heard of it
        await asyncio.sleep(0)
    del waiting
    gc.collect()
    assert (child.pid, errors) == (None, [])


@pytest.mark.servers
async def test_it_reads_as_here() -> None:
    """Every format, waiting and beside the loop."""
    assert read(FILES) == describe_all(FILES)
    assert await read_async(FILES) == describe_all(FILES)


@pytest.mark.servers
def test_a_wrong_file_is_named() -> None:
    """With its line, as here."""
    with pytest.raises(BadParsing, match=r"^b\.sym: line 1: Only SYM version 6\.0"):
        read([SMALL, ParsingFile("b.sym", "x", format="sym"), SMALL])


@pytest.mark.servers
@pytest.mark.parametrize("kind", ["selector", "uvloop"])
def test_any_loop_will_do(kind: str) -> None:
    """Windows' selector loop cannot start processes by itself, and uvloop does it its own way."""
    factory: Callable[[], asyncio.AbstractEventLoop] = asyncio.SelectorEventLoop
    if kind == "uvloop":
        factory = pytest.importorskip("uvloop").new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        assert runner.run(read_async([SMALL])) == describe_all([SMALL])


@pytest.mark.servers
def test_what_takes_too_long_is_refused_and_ended() -> None:
    """By name, with its size; 14,400 signals take some 2 s."""
    child = Child([large()], 0.3)
    begin = time.monotonic()
    with pytest.raises(ReadingLate, match=r"^machine\.dbc: reading takes more than 0\.3 s \(14400 signals\)$"):
        child.run()
    assert time.monotonic() - begin < 10
    assert child.pid is not None and not psutil.pid_exists(child.pid)


@pytest.mark.servers
def test_what_is_told_of_a_large_text_takes_no_time() -> None:
    """The parent counts its signals: not by trying each of millions of empty lines against all others."""
    begin = time.monotonic()
    with pytest.raises(BadParsing, match=r"^a\.dbc: reading takes more than 0\.01 s \(0 signals\)$"):
        read([ParsingFile("a.dbc", "\n" * 2_000_000)], 0.01)
    assert time.monotonic() - begin < 30


@pytest.mark.servers
def test_the_file_that_takes_too_long_is_named() -> None:
    """Of several the one that was being read."""
    with pytest.raises(BadParsing, match=r"^machine\.dbc: reading takes more than 5 s \(96000 signals\)$"):
        read([SMALL, large(96_000)], 5)  # the first one in far less, also where processes begin slowly


async def started(child: Child) -> int:
    """Wait until the process is there."""
    async with asyncio.timeout(20):
        while child.pid is None:
            await asyncio.sleep(0.001)
    return child.pid


async def gone(pid: int) -> None:
    """Wait until a process is gone and was taken note of."""
    async with asyncio.timeout(20):
        while psutil.pid_exists(pid):
            await asyncio.sleep(0.001)


@pytest.mark.servers
async def test_cancelled_it_ends_the_process() -> None:
    """At once, whatever it is reading: this takes some 7 s."""
    child = Child([large(48_000)])
    async with asyncio.TaskGroup() as tasks:
        reading = tasks.create_task(beside(child, child.run))
        pid = await started(child)
        reading.cancel()
        begin = time.monotonic()
        await gone(pid)
    assert reading.cancelled()
    assert time.monotonic() - begin < 3


@pytest.mark.servers
async def test_a_process_that_dies_is_an_answer() -> None:
    """Whoever ended it: the file that it was reading cannot be used now."""
    child = Child([large()])
    reading = asyncio.get_running_loop().run_in_executor(None, child.run)
    psutil.Process(await started(child)).kill()
    with pytest.raises(ReadingLate, match=r"^machine\.dbc: reading ended its process \(14400 signals, status"):
        await reading


@pytest.mark.servers
@pytest.mark.skipif(sys.platform != "linux", reason="address space is limited on Linux alone for sure")
def test_memory_has_an_end() -> None:
    """A number in a text asks for 2 GB."""
    text = arxml_text().replace("<LENGTH>16</LENGTH>", "<LENGTH>1000000000</LENGTH>", 1)
    with pytest.raises(BadParsing, match=r"^big\.arxml: reading takes too much memory$"):
        read([ParsingFile("big.arxml", text, format="arxml")])


@pytest.mark.servers
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_the_process_knows_no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of this one's environment it gets what a Python needs to start."""
    monkeypatch.setenv("DUCO_HUB__PASSWORD", "a-secret-word")
    monkeypatch.setenv("LANG", "C.UTF-8")
    child = Child([large()])
    reading = asyncio.get_running_loop().run_in_executor(None, child.run)
    environment = Path(f"/proc/{await started(child)}/environ")
    async with asyncio.timeout(20):
        while b"PYTHONSAFEPATH" not in (found := environment.read_bytes()):  # not yet a Python of its own
            await asyncio.sleep(0.001)
    assert b"LANG=C.UTF-8" in found and b"a-secret-word" not in found
    child.kill()
    with pytest.raises(TransportError, match="ended"):
        await reading


@pytest.mark.servers
async def test_it_finds_the_package_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the current folder is, and whatever modules lie in it."""
    (tmp_path / "msgspec.py").write_text("raise SystemExit(3)\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path])
    assert await read_async([SMALL]) == describe_all([SMALL])


@pytest.mark.servers
async def test_many_wait_their_turn() -> None:
    """Two at once, all in the end."""
    found = await asyncio.gather(*(read_async([SMALL]) for _ in range(6)))
    assert found == [describe_all([SMALL])] * 6


@pytest.mark.servers
@pytest.mark.skipif(sys.platform == "win32", reason="signals to processes")
async def test_ctrl_c_is_not_for_the_child() -> None:
    """A terminal sends it to both; the parent drains, and needs its answer."""
    child = Child([large()])
    reading = asyncio.get_running_loop().run_in_executor(None, child.run)
    process = psutil.Process(await started(child))
    async with asyncio.timeout(20):
        while process.memory_info().rss < 30 * 2**20:  # until then it loads what it needs
            await asyncio.sleep(0.001)
    os.kill(process.pid, signal.SIGINT)
    assert len((await reading)[0].messages) == 1_800
