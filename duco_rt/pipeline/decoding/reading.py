"""Read databases in a process that can be ended: no text can hang or fill this one.

cantools cannot be interrupted, and a text of a few lines may ask it for hours or for all memory.
"""

from __future__ import annotations

import asyncio
import os
import re
import subprocess  # nosec B404  # what it starts is this program
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TypeVar

import msgspec
import structlog

from duco_rt.errors import BadParsing, ReadingLate, TransportError
from duco_rt.model import ParsingFile
from duco_rt.pipeline.decoding.described import DescribedFile
from duco_rt.pipeline.decoding.limits import TEXT_BYTES_MAX
from duco_rt.pipeline.decoding.reading_child import Answer, Request

log = structlog.get_logger()

T = TypeVar("T")

LIMIT_S = 20.0

_CHILD = "duco_rt.pipeline.decoding.reading_child"
_KEPT = ("PATH", "SYSTEMROOT", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PYTHONHOME", "LANG", "LC_ALL", "LC_CTYPE")
"""What a Python needs to start; secrets of the configuration are in the rest."""

_SIGNALS = {"dbc": r"^[ \t]*SG_\s", "kcd": r"<(?:\w+:)?Signal\b", "sym": r"\b(?:Sig|Var)\s*=", "arxml": r"<I-SIGNAL\b"}

_ENDED = (-9, -15, -24)
"""Of a process that was killed, told to end, or over its seconds: none says anything about the text."""


class Readers:
    """Threads that read, fair to every tenant; `waiting_max` others wait, more are refused. Any loop may use them.

    The next one is of the tenant that has the fewest at work, of those the one that had its turn longest ago. A tenant
    has `tenant_max` at work, so that a place is free for the others at once, and half of the places to wait; the
    operator, who is no tenant (""), all.
    """

    def __init__(self, name: str, waiting_max: int, at_once: int = 2, tenant_max: int = 1) -> None:
        self.at_once, self._tenant_max, self._waiting_max = at_once, tenant_max, waiting_max
        self._threads = ThreadPoolExecutor(at_once, thread_name_prefix=name)
        self._lock = threading.Lock()
        self._working: list[str] = []
        self._waiting: dict[str, deque[Callable[[], Callable[[], None]]]] = {}  # those who had a turn of late come last

    def submit(self, work: Callable[[], T], tenant: str = "") -> Future[T]:
        """Do work in the tenant's turn. Raises TransportError where too many wait already."""
        future: Future[T] = Future()
        with self._lock:
            self._check(tenant)
            self._waiting.setdefault(tenant, deque()).append(partial(_done, work, future))
            self._give()
        return future

    def _check(self, tenant: str) -> None:
        """Raise TransportError where there is no place to wait; who can begin at once needs none."""
        if len(self._working) < self.at_once and self._is_free(tenant):
            return
        waiting, own = sum(map(len, self._waiting.values())), len(self._waiting.get(tenant, ()))
        if waiting >= self._waiting_max or (tenant and own >= max(1, self._waiting_max // 2)):
            whose = f", {own} of them of {tenant}" if waiting < self._waiting_max else ""
            raise TransportError(f"{waiting} parsings wait to be read already{whose}: try again later")

    def _is_free(self, tenant: str) -> bool:
        """Whether one more of the tenant may begin where a thread is free."""
        return not tenant or self._working.count(tenant) < self._tenant_max

    def _give(self) -> None:
        """Give the free threads to those who may begin; with the lock."""
        while len(self._working) < self.at_once:
            able = [tenant for tenant in self._waiting if self._is_free(tenant)]
            if not able:
                return
            tenant = min(able, key=self._working.count)
            places = self._waiting.pop(tenant)
            self._threads.submit(self._work, tenant, places.popleft())
            self._working.append(tenant)
            if places:
                self._waiting[tenant] = places

    def _work(self, tenant: str, work: Callable[[], Callable[[], None]]) -> None:
        tell = work()
        with self._lock:  # whoever hears of it finds the place free
            self._working.remove(tenant)
            self._give()
        tell()


def _done(work: Callable[[], T], future: Future[T]) -> Callable[[], None]:
    """Do the work; what tells its result, or its error."""
    if not future.set_running_or_notify_cancel():
        return lambda: None
    try:
        result = work()
    except BaseException as e:
        return partial(future.set_exception, e)
    return partial(future.set_result, result)


ASKED = Readers("reading", 6)
"""For what somebody asks for (uploads, reading again), who waits 80 s for it at most: one of a tenant at a time."""

LIVE = Readers("reading-live", 10_000, at_once=3, tenant_max=2)
"""For the plans of the live path; a parsing waits here once, however many devices have it."""


class Child:
    """One process that reads; `kill` may come from any thread, at any time."""

    def __init__(self, files: Sequence[ParsingFile], limit_s: float = LIMIT_S) -> None:
        self._files = tuple(files)
        self._limit_s = limit_s
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._killed = False

    @property
    def pid(self) -> int | None:
        """The process's id, None before it was started."""
        return None if self._process is None else self._process.pid

    def kill(self) -> None:
        """End the process, or see that it is never started."""
        with self._lock:
            self._killed = True
            if self._process is not None:
                self._process.kill()

    def run(self) -> tuple[DescribedFile, ...]:
        """Read, waiting. Raises BadParsing naming the file that is wrong or too much to read.

        ReadingLate: it took too long, or something ended the process. TransportError: the system starts no process now.
        Another time either may succeed.
        """
        request = _encode(self._files, self._limit_s)
        try:
            with self._lock:
                if self._killed:
                    raise TransportError("reading was ended")
                self._process = process = _start()
        except OSError as e:
            raise TransportError(f"no process to read databases in: {e}") from e
        late = False
        with process:
            try:
                output, _ = process.communicate(request, timeout=self._limit_s)
            except subprocess.TimeoutExpired:
                late = True
                process.kill()
                output, _ = process.communicate()
            except BaseException:
                process.kill()
                raise
        return self._results(output, late, process.returncode)

    def _results(self, output: bytes, late: bool, status: int) -> tuple[DescribedFile, ...]:
        answers = _answers(output)
        for answer in answers:
            if answer.wrong:
                raise BadParsing(answer.wrong)
        found = tuple(answer.file for answer in answers if answer.file is not None)
        if len(found) == len(self._files):
            for answer in answers:
                _tell(answer)
            return found
        if self._killed:
            raise TransportError("reading was ended")
        file = self._files[len(found)]
        if late:
            raise ReadingLate(f"{file.name}: reading takes more than {self._limit_s:g} s ({_signals(file)} signals)")
        kind = ReadingLate if status in _ENDED else BadParsing
        raise kind(f"{file.name}: reading ended its process ({_signals(file)} signals, status {status})")


def read(files: Sequence[ParsingFile], limit_s: float = LIMIT_S) -> tuple[DescribedFile, ...]:
    """The messages of every file. Raises BadParsing naming file and line, ReadingLate the file past `limit_s`."""
    return Child(files, limit_s).run()


async def read_async(files: Sequence[ParsingFile], limit_s: float = LIMIT_S) -> tuple[DescribedFile, ...]:
    """`read` beside the loop; cancelled, it ends the process. Raises TransportError where too many wait."""
    child = Child(files, limit_s)
    return await beside(child, child.run)


async def beside(child: Child, work: Callable[[], T], readers: Readers = ASKED, tenant: str = "") -> T:
    """Do work that reads by `child` in a thread; cancelled, it ends the child. Raises TransportError as `Readers`."""
    future = asyncio.wrap_future(readers.submit(work, tenant))
    try:
        # a cancelled one keeps its place until its thread comes to it: what waits, with its texts, is bounded
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        child.kill()
        future.add_done_callback(lambda done: done.cancelled() or done.exception())  # nobody else asks for it
        raise


def _start() -> subprocess.Popen[bytes]:
    flags = getattr(subprocess, "CREATE_NO_WINDOW", 0)
    return subprocess.Popen(  # nosec B603  # no shell, and no argument from outside
        [sys.executable, "-m", _CHILD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=_environment(),
        creationflags=flags,
    )


def _environment() -> dict[str, str]:
    """The child finds what this process finds, and knows nothing else of it."""
    here = str(Path(__file__).resolve().parents[3])
    paths = [path or str(Path.cwd()) for path in sys.path]
    kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
    return {**kept, "PYTHONPATH": os.pathsep.join([*paths, here]), "PYTHONSAFEPATH": "1"}


def _encode(files: tuple[ParsingFile, ...], limit_s: float) -> bytes:
    """The request. Raises BadParsing for what would not be read at all."""
    if not files:
        raise BadParsing("a parsing needs one file at least")
    for file in files:
        if len(file.text) > TEXT_BYTES_MAX:
            raise BadParsing(f"{file.name}: {len(file.text)} bytes, more than {TEXT_BYTES_MAX}")
        try:
            file.text.encode()
        except UnicodeEncodeError as e:
            line = file.text.count("\n", 0, e.start) + 1
            raise BadParsing(f"{file.name}: line {line}: a character that is none: {e.object[e.start]!r}") from e
    return msgspec.msgpack.encode(Request(files, limit_s))


def _answers(output: bytes) -> list[Answer]:
    """Every whole answer; one that was cut off is none."""
    found, at = [], 0
    while at + 4 <= len(output):
        end = at + 4 + int.from_bytes(output[at : at + 4], "big")
        if end > len(output):
            break
        found.append(msgspec.msgpack.decode(memoryview(output)[at + 4 : end], type=Answer))
        at = end
    return found


def _tell(answer: Answer) -> None:
    if answer.file is not None and answer.notes:
        log.warning(
            "part of a database is left out", file=answer.file.name, first=answer.notes[0], notes=len(answer.notes)
        )


def _signals(file: ParsingFile) -> int:
    return sum(1 for _ in re.finditer(_SIGNALS.get(file.format, "^"), file.text, re.MULTILINE))
