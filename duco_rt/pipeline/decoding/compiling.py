"""From a parsing's texts to its plan: read (in a process that can be ended, or here) and compiled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import monotonic

from duco_rt.errors import BadParsing, ReadingLate, TransportError
from duco_rt.model import Parsing, ParsingFile
from duco_rt.pipeline.decoding.described import DescribedFile
from duco_rt.pipeline.decoding.plan import Plan, compile_plan
from duco_rt.pipeline.decoding.reading import ASKED, LIMIT_S, LIVE, Child, Readers, beside


def compile_parsing(parsing: Parsing, limit_s: float = LIMIT_S) -> Plan:
    """Compile a parsing, waiting. Raises BadParsing naming file and line, ReadingLate for what takes over `limit_s`."""
    return _compile(parsing, Child(parsing.files, limit_s).run, limit_s)


async def compile_parsing_async(
    parsing: Parsing, limit_s: float = LIMIT_S, tenant: str = "", readers: Readers = ASKED
) -> Plan:
    """`compile_parsing` beside the loop, in the turn of `tenant` ("" where it is nobody's); cancelled, it ends the
    reading. Raises TransportError where too many wait."""
    child = Child(parsing.files, limit_s)
    return await beside(child, lambda: _compile(parsing, child.run, limit_s), readers, tenant)


async def compile_for_live(parsing: Parsing, limit_s: float = LIMIT_S, tenant: str = "") -> Plan:
    """`compile_parsing_async` for the live path, which waits for nobody's uploads."""
    return await compile_parsing_async(parsing, limit_s, tenant, LIVE)


def compile_here(parsing: Parsing) -> Plan:
    """Compile a parsing in this process, however long it takes: for files of one's own. Raises BadParsing."""
    # the library that reads is not loaded where others read
    from duco_rt.pipeline.decoding.describe import describe_all

    return _compile(parsing, lambda: describe_all(parsing.files))


def check_parsing(files: Sequence[ParsingFile], limit_s: float = LIMIT_S) -> None:
    """Raise BadParsing for files that cannot be used as a parsing."""
    compile_parsing(_unnamed(files), limit_s)


async def check_parsing_async(files: Sequence[ParsingFile], limit_s: float = LIMIT_S, tenant: str = "") -> None:
    """`check_parsing` beside the loop, in the turn of `tenant`; cancelled, it ends the reading."""
    await compile_parsing_async(_unnamed(files), limit_s, tenant)


def _unnamed(files: Sequence[ParsingFile]) -> Parsing:
    return Parsing("check", 0, tuple(files))


def _compile(parsing: Parsing, read: Callable[[], Sequence[DescribedFile]], limit_s: float | None = None) -> Plan:
    begin = monotonic()

    def check() -> None:
        if limit_s is not None and monotonic() - begin > limit_s:
            raise ReadingLate(f"parsing {parsing.name}: reading and compiling it takes more than {limit_s:g} s")

    try:
        return compile_plan(parsing.name, parsing.version, read(), check)
    except (BadParsing, TransportError):
        raise
    except Exception as e:  # what passes the checks and still cannot be compiled is refused, not a crash
        raise BadParsing(f"parsing {parsing.name}: {type(e).__name__}: {e}") from e
