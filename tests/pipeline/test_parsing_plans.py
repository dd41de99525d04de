"""Plans by name and version."""

from __future__ import annotations

import asyncio

from duco_rt.model import Parsing, ParsingFile
from duco_rt.pipeline.parsing_plans import Plans
from duco_rt.seeing.metrics import Metrics
from tests.pipeline.compiler import Compiler
from tests.pipeline.line import DBC

ONE, TWO = (Parsing("p", version, (ParsingFile("a.dbc", DBC),)) for version in (1, 2))


async def test_each_is_compiled_once_in_its_tenants_turn() -> None:
    """However many need it at the same time; what nobody needs any more is forgotten."""
    compiler = Compiler()
    plans = Plans(5, Metrics(), 20, compiler)
    await asyncio.gather(*(plans.compile(ONE, "duco") for _ in range(5)), plans.compile(TWO, "other"))
    assert sorted(compiler.compiled) == [("p", 1), ("p", 2)] and compiler.tenants == {"duco", "other"}
    plans.keep({("p", 2)})
    assert list(plans.plans) == [("p", 2)]
    assert plans.is_due(ONE) and not plans.is_due(TWO)


async def test_what_is_being_compiled_is_not_due() -> None:
    """Nobody begins it twice."""
    compiler = Compiler()
    compiler.held["p"] = asyncio.Event()
    plans = Plans(5, Metrics(), 20, compiler)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(plans.compile(ONE, "duco"))
        await compiler.begun.wait()
        assert not plans.is_due(ONE) and plans.is_due(TWO)
        compiler.held.pop("p").set()
