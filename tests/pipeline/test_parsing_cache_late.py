"""A parsing that could not be read in time, as on a machine that is busy for a while."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from duco_rt.model import Device, Parsing, ParsingFile
from duco_rt.pipeline.decoding.plan import Plan
from duco_rt.pipeline.parsing_cache import Known, ParsingCache
from duco_rt.seeing.metrics import Metrics
from tests.pipeline.compiler import Compiler
from tests.pipeline.line import DBC, AwayMeta, open_meta


@pytest.fixture
async def meta(tmp_path: Path) -> AsyncIterator[AwayMeta]:
    """A MetaAPI that knows DUCO_001."""
    async with open_meta(tmp_path) as found:
        yield found


@pytest.fixture
def compiler() -> Compiler:
    """Compiles in this process."""
    return Compiler()


@pytest.fixture
def metrics() -> Metrics:
    """A registry."""
    return Metrics()


@pytest.fixture
def cache(meta: AwayMeta, compiler: Compiler, metrics: Metrics) -> ParsingCache:
    """An empty cache, which would ask every two minutes."""
    return ParsingCache(meta, 120.0, metrics, compile_parsing=compiler)


def version(known: Known | None) -> int | None:
    """The version of a device's plan."""
    return known.plan.version if known and known.plan else None


SLOW = [ParsingFile("slow.dbc", DBC.replace("VERSION", "VERSION "))]


async def test_what_is_late_is_read_again_less_and_less_often(
    meta: AwayMeta, cache: ParsingCache, compiler: Compiler, metrics: Metrics
) -> None:
    """After a start on a busy machine too; every ten minutes at last, and a device that comes later reads nothing."""
    compiler.late = {"p"}
    await meta.put_device(Device("DUCO_002", "duco", "two", "p"))
    for chassis_id in ("DUCO_001", "DUCO_002"):
        assert await cache.get(chassis_id) == Known("duco", None)
    assert len(compiler.compiled) == 1
    tries = []
    for _ in range(18):
        before = len(compiler.compiled)
        await cache.refresh()
        tries.append(len(compiler.compiled) - before)
    assert tries == [1, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0]
    assert metrics.value("parsing_late_total") == 6
    compiler.late.clear()
    for _ in range(4):
        await cache.refresh()
    assert version(await cache.get("DUCO_001")) == version(await cache.get("DUCO_002")) == 1
    assert metrics.value("parsing_unusable_total") == 0


async def test_a_late_version_leaves_the_old_plan(meta: AwayMeta, cache: ParsingCache, compiler: Compiler) -> None:
    """Of the same parsing; another one's would read the machine wrongly. A newer version is tried at once."""
    before = await cache.get("DUCO_001")
    compiler.late = {"p", "q"}
    await meta.put_parsing("p", SLOW)
    await cache.refresh()
    assert await cache.get("DUCO_001") == before
    await meta.put_parsing("p", [ParsingFile("b.dbc", DBC)])
    compiler.late = {"q"}
    await cache.refresh()
    assert version(await cache.get("DUCO_001")) == 3
    await meta.put_parsing("q", SLOW)
    await meta.put_device(Device("DUCO_001", "duco", "one", "q"))
    await cache.refresh()
    assert await cache.get("DUCO_001") == Known("duco", None)
    compiler.late.clear()
    await cache.refresh()
    assert version(await cache.get("DUCO_001")) == 1


async def test_devices_that_come_together_read_a_late_parsing_once(
    meta: AwayMeta, cache: ParsingCache, compiler: Compiler
) -> None:
    """Each would take all its time, one after another."""
    compiler.late, compiler.held["p"] = {"p"}, asyncio.Event()
    names = [f"DUCO_{n:03d}" for n in range(2, 12)]
    for name in names:
        await meta.put_device(Device(name, "duco", name, "p"))
    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        asked = [tasks.create_task(cache.get(name)) for name in names]
        await compiler.begun.wait()
        compiler.held["p"].set()
    assert [task.result() for task in asked] == [Known("duco", None)] * 10
    assert compiler.compiled == [("p", 1)]


async def test_an_error_of_ours_in_one_parsing(meta: AwayMeta, metrics: Metrics) -> None:
    """Its devices are kept raw, the others go on, and it is tried again later."""
    compiling, fails = Compiler(), True

    async def compile_parsing(parsing: Parsing, limit_s: float, tenant: str) -> Plan:
        if parsing.name == "p" and fails:
            raise ZeroDivisionError("a defect")
        return await compiling(parsing, limit_s, tenant)

    cache = ParsingCache(meta, 60, metrics, compile_parsing=compile_parsing)
    await meta.put_parsing("q", [ParsingFile("a.dbc", DBC)])
    await meta.put_device(Device("DUCO_002", "duco", "two", "q"))
    assert await cache.get("DUCO_001") == Known("duco", None)
    assert version(await cache.get("DUCO_002")) == 1
    assert metrics.value("parsing_late_total") == 1
    fails = False
    await cache.refresh()
    assert version(await cache.get("DUCO_001")) == 1
