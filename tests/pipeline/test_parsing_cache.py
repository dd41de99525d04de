"""Which plan a device has, as MetaAPI changes."""

from __future__ import annotations

import asyncio

import pytest

from duco_rt.errors import TransportError
from duco_rt.model import Device, ParsingFile
from duco_rt.pipeline.parsing_cache import Known, ParsingCache
from duco_rt.seeing.metrics import Metrics
from tests.pipeline.compiler import Compiler, version
from tests.pipeline.line import DBC, AwayMeta


async def test_many_ask_once(meta: AwayMeta, cache: ParsingCache) -> None:
    """Whoever asks while it is looked up waits for that answer."""
    found = await asyncio.gather(*(cache.get("DUCO_001") for _ in range(10)))
    assert meta.asked == 1
    assert {known.tenant for known in found if known} == {"duco"} and version(found[0]) == 1


async def test_devices_of_one_parsing_share_its_plan(meta: AwayMeta, cache: ParsingCache) -> None:
    """Compiled once."""
    await meta.put_device(Device("DUCO_002", "other", "two", "p"))
    one, two = await cache.get("DUCO_001"), await cache.get("DUCO_002")
    assert one and two and one.plan is two.plan and (one.tenant, two.tenant) == ("duco", "other")


async def test_a_device_without_parsing(meta: AwayMeta, cache: ParsingCache) -> None:
    """Its tenant is known, a plan it has none."""
    await meta.put_device(Device("DUCO_002", "other", "two", None))
    assert await cache.get("DUCO_002") == Known("other", None)


async def test_an_unknown_device_is_asked_for_once_and_found_later(meta: AwayMeta, cache: ParsingCache) -> None:
    """Every message of it would ask otherwise; the next refresh finds it."""
    assert await cache.get("DUCO_002") is None
    assert await cache.get("DUCO_002") is None
    assert meta.asked == 1
    await meta.put_device(Device("DUCO_002", "duco", "two", "p"))
    assert await cache.get("DUCO_002") is None
    await cache.refresh()
    assert version(await cache.get("DUCO_002")) == 1


async def test_changes_are_noticed(meta: AwayMeta, cache: ParsingCache) -> None:
    """Another parsing, another tenant, a device that went."""
    assert version(await cache.get("DUCO_001")) == 1
    await meta.put_parsing("p", [ParsingFile("b.dbc", DBC)])
    await meta.put_device(Device("DUCO_001", "other", "one", "p"))
    assert version(await cache.get("DUCO_001")) == 1
    await cache.refresh()
    known = await cache.get("DUCO_001")
    assert version(known) == 2 and known and known.tenant == "other"
    await meta.remove_device("DUCO_001")
    await cache.refresh()
    assert await cache.get("DUCO_001") is None


async def test_run_refreshes_by_itself(meta: AwayMeta, cache: ParsingCache) -> None:
    """Every `refresh_s`, and it goes on after MetaAPI was away."""
    await cache.get("DUCO_001")
    group = asyncio.TaskGroup()
    async with asyncio.timeout(20), group:
        task = group.create_task(cache.run())
        meta.away, asked = True, meta.asked
        while meta.asked < asked + 3:
            await asyncio.sleep(0.001)
        meta.away = False
        await meta.put_parsing("p", [ParsingFile("b.dbc", DBC)])
        while version(await cache.get("DUCO_001")) != 2:
            await asyncio.sleep(0.001)
        task.cancel()


async def test_the_old_plan_stays_while_meta_is_away(meta: AwayMeta, cache: ParsingCache, metrics: Metrics) -> None:
    """Counted; and who was not known yet gets the error, not "unknown"."""
    before = await cache.get("DUCO_001")
    meta.away = True
    await cache.refresh()
    assert await cache.get("DUCO_001") is before
    assert metrics.value("parsing_refresh_failed_total") == 1
    with pytest.raises(TransportError):
        await cache.get("DUCO_002")
    meta.away = False
    assert await cache.get("DUCO_002") is None


async def test_a_parsing_that_cannot_be_used(meta: AwayMeta, cache: ParsingCache, metrics: Metrics) -> None:
    """The device stays known, without a plan; a good version brings it back."""
    await meta.put_parsing("p", [ParsingFile("bad.dbc", "BO_ nonsense")])
    assert await cache.get("DUCO_001") == Known("duco", None)
    assert metrics.value("parsing_unusable_total") == 1
    await meta.put_parsing("p", [ParsingFile("good.dbc", DBC)])
    await cache.refresh()
    assert version(await cache.get("DUCO_001")) == 3


async def test_an_unknown_device_stays_unknown_while_meta_is_away(meta: AwayMeta, cache: ParsingCache) -> None:
    """Its messages go on to the raw store instead of holding up all behind them."""
    assert await cache.get("DUCO_009") is None
    meta.away = True
    await cache.refresh()
    assert await asyncio.wait_for(cache.get("DUCO_009"), 5) is None


async def test_a_question_that_hangs_holds_up_no_other_device(
    meta: AwayMeta, cache: ParsingCache, compiler: Compiler, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One device's answer does not come; another's does, and the plan is compiled once for many."""
    device = meta.device

    async def hang(chassis_id: str) -> Device:
        if chassis_id == "DUCO_000":
            await asyncio.Event().wait()
        return await device(chassis_id)

    monkeypatch.setattr(meta, "device", hang)
    names = [f"DUCO_{n:03d}" for n in range(2, 12)]
    for name in names:
        await meta.put_device(Device(name, "duco", name, "p"))
    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        hanging = tasks.create_task(cache.get("DUCO_000"))
        await asyncio.sleep(0)
        assert all([await known for known in [tasks.create_task(cache.get(name)) for name in names]])
        hanging.cancel()
    assert compiler.compiled == [("p", 1)]


SLOW = [ParsingFile("slow.dbc", DBC.replace("VERSION", "VERSION "))]
HANGS = [ParsingFile("a.dbc", DBC + 'CM_ "hangs";\n')]


async def test_the_old_plan_goes_on_where_the_new_version_cannot_be_used(
    meta: AwayMeta, cache: ParsingCache, compiler: Compiler, metrics: Metrics
) -> None:
    """Too large or wrong: said once, not at each refresh; the next version takes over."""
    before = await cache.get("DUCO_001")
    await meta.put_parsing("p", HANGS)
    for _ in range(3):
        await cache.refresh()
    assert await cache.get("DUCO_001") == before
    assert compiler.compiled == [("p", 1), ("p", 2)]
    assert metrics.value("parsing_unusable_total") == 1
    await meta.put_parsing("p", SLOW)
    await cache.refresh()
    assert version(await cache.get("DUCO_001")) == 3


async def test_another_parsing_that_cannot_be_used_leaves_none(
    meta: AwayMeta, cache: ParsingCache, compiler: Compiler
) -> None:
    """The machine is another one, and its messages would be read wrongly; until it is known to be bad they go on."""
    before = await cache.get("DUCO_001")
    await meta.put_parsing("q", HANGS)
    await meta.put_device(Device("DUCO_001", "duco", "one", "q"))
    compiler.held["q"], compiler.begun = asyncio.Event(), asyncio.Event()
    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        refreshing = tasks.create_task(cache.refresh())
        await compiler.begun.wait()
        assert await cache.get("DUCO_001") == before
        compiler.held["q"].set()
        await refreshing
    assert await cache.get("DUCO_001") == Known("duco", None)


async def test_a_parsing_that_takes_long_holds_up_no_other(
    meta: AwayMeta, cache: ParsingCache, compiler: Compiler
) -> None:
    """While it is compiled its devices have their old plan, a changed tenant, and others their new plan."""
    await meta.put_parsing("q", SLOW)
    await meta.put_device(Device("DUCO_002", "duco", "two", "q"))
    for chassis_id in ("DUCO_001", "DUCO_002"):
        assert version(await cache.get(chassis_id)) == 1
    compiler.held["p"] = asyncio.Event()
    await meta.put_parsing("p", SLOW)
    await meta.put_device(Device("DUCO_001", "other", "one", "p"))
    group = asyncio.TaskGroup()
    async with asyncio.timeout(20), group:
        task = group.create_task(cache.run())
        known = await cache.get("DUCO_001")
        while known is None or known.tenant != "other":
            await asyncio.sleep(0.001)
            known = await cache.get("DUCO_001")
        assert version(known) == 1
        await meta.put_parsing("q", [ParsingFile("b.dbc", DBC)])
        while version(await cache.get("DUCO_002")) != 2:
            await asyncio.sleep(0.001)
        assert version(await cache.get("DUCO_001")) == 1
        compiler.held.pop("p").set()
        while version(await cache.get("DUCO_001")) != 2:
            await asyncio.sleep(0.001)
        task.cancel()
    assert compiler.compiled.count(("p", 2)) == 1


async def test_what_changed_while_it_was_compiled_counts(
    meta: AwayMeta, cache: ParsingCache, compiler: Compiler
) -> None:
    """A device that has moved on to another parsing does not get the plan that came late."""
    assert version(await cache.get("DUCO_001")) == 1
    await meta.put_parsing("q", SLOW)
    compiler.held["p"], compiler.begun = asyncio.Event(), asyncio.Event()
    await meta.put_parsing("p", SLOW)
    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        late = tasks.create_task(cache.refresh())
        await compiler.begun.wait()
        await meta.put_device(Device("DUCO_001", "duco", "one", "q"))
        await cache.refresh()
        compiler.held.pop("p").set()
        await late
    known = await cache.get("DUCO_001")
    assert known and known.plan and known.plan.name == "q"


async def test_no_process_now_is_tried_again(
    meta: AwayMeta, cache: ParsingCache, compiler: Compiler, metrics: Metrics
) -> None:
    """A system that starts none at the moment says nothing about the parsing."""
    before = await cache.get("DUCO_001")
    compiler.away = True
    await meta.put_parsing("p", SLOW)
    await cache.refresh()
    assert await cache.get("DUCO_001") == before
    assert metrics.value("parsing_unusable_total") == 0
    compiler.away = False
    await cache.refresh()
    assert version(await cache.get("DUCO_001")) == 2


async def test_the_limit_is_passed_on(meta: AwayMeta, metrics: Metrics) -> None:
    """`meta.read_limit_s` of the configuration."""
    compiler = Compiler()
    assert version(await ParsingCache(meta, 60, metrics, 7.5, compiler).get("DUCO_001")) == 1
    assert compiler.limits_s == {7.5}


@pytest.mark.servers
async def test_it_compiles_beside_the_loop(meta: AwayMeta, metrics: Metrics) -> None:
    """In the process that can be ended, and a limit that it cannot keep leaves no plan for now."""
    assert version(await ParsingCache(meta, 60, metrics).get("DUCO_001")) == 1
    assert await ParsingCache(meta, 60, metrics, 0.01).get("DUCO_001") == Known("duco", None)
    assert metrics.value("parsing_late_total") == 1
    assert metrics.value("parsing_unusable_total") == 0
