"""`parsing-health` over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from duco_rt.config import Web
from duco_rt.model import Device, LastSeen, ParsingFile
from duco_rt.transports.store_chdb import ChdbStore
from tests.can_seconds import Frame, second_of
from tests.dbc_texts import dbc_text
from tests.pipeline.raw_rows import PEER, rows_of_second
from tests.web.conftest import BASE, NOW_MS, Site, compile_quickly, is_error

DBC = dbc_text("256 Engine 2\nrpm : 0|16@1+ (1,0)", "258 Never 8\nnothing : 0|8@1+ (1,0)")
HEALTH = f"{BASE}/DUCO_001/parsing-health"


@pytest.fixture
async def site(tmp_path: Path, web: Web) -> AsyncIterator[Site]:
    """A fresh server; its parsings are read in this process."""
    async with Site(tmp_path, web, compile_quickly).running() as running:
        yield running


async def fill(site: Site, seconds: int, end_ms: int = NOW_MS) -> None:
    """Seconds up to `end_ms`: 2 Engine frames, a short one, 3 of an unknown id."""
    ids = [(256, 2), (999, 8), (256, 2), (999, 8), (256, 1), (999, 8)]
    frames = [Frame(n, "can1", can_id, False, 0, bytes(length)) for n, (can_id, length) in enumerate(ids)]
    for n in range(1, seconds + 1):
        await site.store.insert_raw(rows_of_second(second_of(frames, end_ms - 1000 * n, 1000 - n)))
    await site.meta.put_parsing("own", [ParsingFile("a.dbc", DBC)])
    await site.meta.put_device(Device("DUCO_001", "duco", "one", "own"))


async def health(site: Site, place: Any = HEALTH, **query: Any) -> tuple[int, Any]:
    """Ask for it."""
    return await site.ask("GET", place, params={name: str(value) for name, value in query.items()})


def is_right(found: dict[str, Any], seconds: int) -> bool:
    """Whether the report tells what `fill` made."""
    head = {"channel": "can1", "extended": False}
    return {name: found[name] for name in found.keys() - {"from", "to"}} == {
        "parsing": {"name": "own", "version": 1},
        "seconds": seconds,
        "frames": 6 * seconds,
        "decoded": 2 * seconds,
        "pieces": 0,
        "unknown": [{**head, "id": 999, "count": 3 * seconds, "rate_hz": 3.0, "lengths": [8]}],
        "unknown_total": 1,
        "short": [{**head, "message": "Engine", "id": 256, "length": 1, "needed": 2, "count": seconds, "rate_hz": 1.0}],
        "long": [],
        "error_frames": 0,
        "remote_frames": 0,
        "out_of_range": [],
        "no_value": [],
        "never_seen": ["Never"],
        "multipacket": {},
        "unread": 0,
    }


async def test_the_last_minute(site: Site) -> None:
    """By default; or the range that is asked for."""
    await fill(site, 100)
    status, found = await health(site, msgType="vehicle_can")
    assert (status, found["from"], found["to"]) == (200, NOW_MS - 60_000, NOW_MS)
    assert is_right(found, 60)
    found = (await health(site, **{"from": NOW_MS - 10_000, "to": NOW_MS - 5_001}))[1]
    assert is_right(found, 5)


async def test_now_is_the_devices(site: Site) -> None:
    """A machine with a wrong clock is looked at, too."""
    await fill(site, 10, NOW_MS - 3_600_000)
    site.store.seen[PEER] = LastSeen(NOW_MS - 3_601_000, NOW_MS, 1, False, NOW_MS)
    assert is_right((await health(site))[1], 10)


async def test_without_parsing(site: Site) -> None:
    """Every id is unknown."""
    await fill(site, 3)
    await site.meta.put_device(Device("DUCO_001", "duco", "one", None))
    found = (await health(site))[1]
    assert (found["parsing"], found["unknown_total"], found["decoded"]) == (None, 2, 0)


BAD: dict[str, dict[str, Any]] = {
    "over ten minutes": {"from": NOW_MS - 600_001, "to": NOW_MS},
    "to before from": {"from": NOW_MS, "to": NOW_MS - 1},
    "no number": {"from": "x"},
    "no name": {"msgType": "a b"},
}


async def test_what_cannot_be_asked(site: Site) -> None:
    """400 in the form of every error."""
    for case, query in BAD.items():
        assert is_error(await health(site, **query), 400, "bad_request"), case


async def test_tenants_never_mix(site: Site) -> None:
    """Another tenant's device is not known, as one that is none."""
    await fill(site, 3)
    assert is_error(await health(site, HEALTH.replace("duco", "other", 1)), 404, "not_found")
    assert is_error(await health(site, HEALTH.replace("DUCO_001", "D9")), 404, "not_found")


@pytest.mark.servers
async def test_from_a_real_store(tmp_path: Path, web: Web) -> None:
    """The rows as chDB keeps them."""
    store = await ChdbStore(tmp_path / "store").open()
    try:
        site = Site(tmp_path, web, compile_quickly)
        site.store = store  # type: ignore[assignment]  # another store
        async with site.running():
            await fill(site, 100)
            assert is_right((await health(site))[1], 60)
    finally:
        await store.close()
