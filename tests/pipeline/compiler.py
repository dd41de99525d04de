"""A compiler of parsings for tests: in this process, and as slow as a test wants it."""

from __future__ import annotations

import asyncio

from duco_rt.errors import BadParsing, ReadingLate, TransportError
from duco_rt.model import Parsing
from duco_rt.pipeline.decoding.compiling import compile_here
from duco_rt.pipeline.decoding.plan import Plan
from duco_rt.pipeline.parsing_cache import Known


class Compiler:
    """Compiles in this process, which is quicker for small texts; parsings in `held` wait until they are let go.

    Those in `late` take too long.
    """

    def __init__(self) -> None:
        self.compiled: list[tuple[str, int]] = []
        self.limits_s: set[float] = set()
        self.tenants: set[str] = set()
        self.held: dict[str, asyncio.Event] = {}
        self.late: set[str] = set()
        self.begun = asyncio.Event()
        self.away = False

    async def __call__(self, parsing: Parsing, limit_s: float, tenant: str = "") -> Plan:
        """Make the plan."""
        self.tenants.add(tenant)
        self.limits_s.add(limit_s)
        self.begun.set()
        if self.away:
            raise TransportError("no process to read databases in")
        if parsing.name in self.held:
            await self.held[parsing.name].wait()
        self.compiled.append((parsing.name, parsing.version))
        if parsing.name in self.late:
            raise ReadingLate("a.dbc: reading takes more than 20 s")
        if "hangs" in parsing.files[0].text:
            raise BadParsing("a.dbc: reading takes too much memory")
        return compile_here(parsing)


def version(known: Known | None) -> int | None:
    """The version of a device's plan."""
    return known.plan.version if known and known.plan else None
