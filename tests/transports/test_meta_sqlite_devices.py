"""Devices in the meta database: as many as a tenant may have, and whose the removed ones were."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from duco_rt.errors import BadRequest
from duco_rt.model import Device, ParsingFile
from duco_rt.transports import meta_sqlite_devices
from duco_rt.transports.meta_sqlite import SqliteMeta
from duco_rt.transports.meta_sqlite_devices import Bounds


@pytest.fixture
async def meta(tmp_path: Path) -> AsyncIterator[SqliteMeta]:
    """A file in which a tenant may have three devices and two parsings."""
    opened = SqliteMeta(tmp_path / "meta.sqlite", bounds=Bounds(3, 2))
    await opened.open()
    yield opened
    await opened.close()


async def test_a_tenant_has_so_many_devices(meta: SqliteMeta) -> None:
    """Of many at once as many are kept; those that there are may change, others' have their own room."""
    puts = [meta.put_device(Device(f"D{n}", "duco", "")) for n in range(10)]
    refused = [each for each in await asyncio.gather(*puts, return_exceptions=True) if each is not None]
    assert len(refused) == 7 and all(isinstance(each, BadRequest) for each in refused)
    assert "at most 3 (meta.devices_tenant_max)" in str(refused[0])
    own = await meta.devices("duco")
    await meta.put_device(Device(own[0].chassis_id, "duco", "Changed"))
    await meta.put_device(Device("D20", "other", ""))
    with pytest.raises(BadRequest, match="'duco' has 3 devices"):
        await meta.put_device(Device("D20", "duco", ""))
    await meta.remove_device(own[0].chassis_id)
    await meta.put_device(Device("D20", "duco", ""))
    assert len(await meta.devices("duco")) == 3 and await meta.devices("other") == []


async def test_a_tenant_has_so_many_parsings(meta: SqliteMeta) -> None:
    """Their versions are not counted, nor what is nobody's."""
    texts = [(ParsingFile("a.dbc", text, None),) for text in "ab"]
    for name in "pq":
        for files in texts:
            await meta.put_parsing(name, files, "duco")
    with pytest.raises(BadRequest, match=r"at most 2 \(meta.parsings_tenant_max\)"):
        await meta.put_parsing("r", texts[0], "duco")
    assert (await meta.put_parsing("p", texts[0], "duco")).version == 3
    await meta.put_parsing("r", texts[0], "other")
    await meta.put_parsing("s", texts[0])


async def test_so_many_removed_ones_are_known(meta: SqliteMeta, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a tenant: its own oldest is forgotten, nobody else's."""
    monkeypatch.setattr(meta_sqlite_devices, "REMOVED_TENANT_MAX", 2)
    for name, tenant in (("A", "other"), ("B", "duco"), ("C", "duco"), ("D", "duco")):
        await meta.put_device(Device(name, tenant, ""))
        await meta.remove_device(name)
    assert [await meta.tenant_before(name) for name in "ABCD"] == ["other", None, "duco", "duco"]
