"""Which plan a device has, as MetaAPI changes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from duco_rt.errors import TransportError
from duco_rt.metrics import Metrics
from duco_rt.model import Device, Parsing, ParsingFile
from duco_rt.pipeline import parsing_cache
from duco_rt.pipeline.decoding.plan import Plan, compile_parsing
from duco_rt.pipeline.parsing_cache import Known, ParsingCache
from tests.pipeline.line import DBC, AwayMeta, open_meta


@pytest.fixture
async def meta(tmp_path: Path) -> AsyncIterator[AwayMeta]:
    """A MetaAPI that knows DUCO_001."""
    async with open_meta(tmp_path) as found:
        yield found


@pytest.fixture
def metrics() -> Metrics:
    """A registry."""
    return Metrics()


@pytest.fixture
def cache(meta: AwayMeta, metrics: Metrics) -> ParsingCache:
    """An empty cache that asks again at once when it runs."""
    return ParsingCache(meta, 0.001, metrics)


def version(known: Known | None) -> int | None:
    """The version of a device's plan."""
    return known.plan.version if known and known.plan else None


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
    running = asyncio.TaskGroup()
    async with asyncio.timeout(10), running:
        task = running.create_task(cache.run())
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
    assert await asyncio.wait_for(cache.get("DUCO_009"), 1) is None


async def test_a_question_that_hangs_holds_up_no_other_device(
    meta: AwayMeta, cache: ParsingCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One device's answer does not come; another's does, and the plan is compiled once for many."""
    compiled: list[str] = []

    def compile_once(parsing: Parsing) -> Plan:
        compiled.append(parsing.name)
        return compile_parsing(parsing)

    monkeypatch.setattr(parsing_cache, "compile_parsing", compile_once)
    device = meta.device

    async def hang(chassis_id: str) -> Device:
        if chassis_id == "DUCO_000":
            await asyncio.Event().wait()
        return await device(chassis_id)

    monkeypatch.setattr(meta, "device", hang)
    names = [f"DUCO_{n:03d}" for n in range(2, 12)]
    for name in names:
        await meta.put_device(Device(name, "duco", name, "p"))
    async with asyncio.timeout(5), asyncio.TaskGroup() as tasks:
        hanging = tasks.create_task(cache.get("DUCO_000"))
        await asyncio.sleep(0)
        assert all([await known for known in [tasks.create_task(cache.get(name)) for name in names]])
        hanging.cancel()
    assert compiled == ["p"]
