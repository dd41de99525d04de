"""The process that reads databases for `reading`: `python -m duco_rt.pipeline.decoding.reading_child`.

stdin has one `Request` as MessagePack; stdout gets an `Answer` for each file as soon as it is read, each behind its
length in 4 bytes, big-endian. The first wrong file is the last one that is answered.
"""

from __future__ import annotations

import signal
import sys
from contextlib import suppress
from importlib.util import find_spec
from types import ModuleType
from typing import BinaryIO

import msgspec

from duco_rt.errors import BadParsing
from duco_rt.model import ParsingFile
from duco_rt.pipeline.decoding.described import DescribedFile
from duco_rt.pipeline.decoding.fields import Size

MEMORY_MAX = 1536 * 1024 * 1024
"""Bytes of address space, where the system can limit them."""

ANSWERS_BYTES_MAX = 32 * 1024 * 1024
"""All answers: the parent holds them, too."""


class Request(msgspec.Struct, frozen=True):
    """Files to read, and the seconds of CPU after which nobody waits any more."""

    files: tuple[ParsingFile, ...]
    limit_s: float


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """A file and what was left out of it, or what is wrong with it."""

    file: DescribedFile | None = None
    notes: tuple[str, ...] = ()
    wrong: str = ""


def serve(stdin: BinaryIO, stdout: BinaryIO) -> None:
    """Read the files of one request."""
    request = msgspec.msgpack.decode(stdin.read(), type=Request)
    _limit(request.limit_s)
    _leave_out_python_can()
    written, size = 0, Size()
    for file in request.files:
        answered = answer(file)
        message = msgspec.msgpack.encode(answered)
        written += len(message)
        if answered.file is not None:
            size = size.plus(answered.file)
            problem = size.problem()
            if written > ANSWERS_BYTES_MAX:
                problem = f"what is read so far takes more than {ANSWERS_BYTES_MAX} bytes"
            if problem:
                answered = Answer(wrong=f"{file.name}: {problem}")
                message = msgspec.msgpack.encode(answered)
        stdout.write(len(message).to_bytes(4, "big") + message)
        stdout.flush()
        if answered.wrong:
            return


def answer(file: ParsingFile) -> Answer:
    """Read one file."""
    # cantools is imported after `_leave_out_python_can`
    from duco_rt.pipeline.decoding.describe import describe_noted

    try:
        return Answer(*describe_noted(file))
    except BadParsing as e:
        if isinstance(e.__cause__, MemoryError):
            return Answer(wrong=f"{file.name}: reading takes too much memory")
        return Answer(wrong=str(e))


def _limit(limit_s: float) -> None:
    """A second wall: the parent ends this process in time, unless it is gone itself."""
    try:
        import resource
    except ImportError:  # Windows
        return
    seconds = int(limit_s) + 2
    for what, most in ((resource.RLIMIT_AS, MEMORY_MAX), (resource.RLIMIT_CPU, seconds), (resource.RLIMIT_CORE, 0)):
        with suppress(ValueError, OSError):  # macOS cannot limit address space
            resource.setrlimit(what, (most, most))


def _leave_out_python_can() -> None:
    """Let `cantools.database` be imported without what cantools itself imports: half of this process's start."""
    spec = find_spec("cantools")
    if spec is not None and spec.submodule_search_locations is not None:
        package = ModuleType("cantools")
        package.__path__ = list(spec.submodule_search_locations)
        sys.modules["cantools"] = package


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # ctrl-C is the parent's to hear
    serve(sys.stdin.buffer, sys.stdout.buffer)
