"""What a fresh data directory starts with."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from duco_rt import demo
from duco_rt.app_fields import CLIENT_FIELDS
from duco_rt.model import CLIENT_RAW_DATA, VEHICLE_CAN, Device
from duco_rt.pipeline.decoding.compiling import compile_here
from duco_rt.transports.meta_sqlite import SqliteMeta
from duco_rt.web.groups import Group


@pytest.fixture
async def meta(tmp_path: Path) -> AsyncIterator[SqliteMeta]:
    """An empty MetaAPI."""
    found = SqliteMeta(tmp_path / "meta.sqlite")
    assert await found.open()
    yield found
    await found.close()


async def test_a_fresh_one_gets_the_demo_identity(meta: SqliteMeta) -> None:
    """DUCO_001 of tenant duco with the shipped parsing and the groups, and every simulated machine once."""
    await demo.seed(meta, fresh=True, device_ids=["DUCO_001", "DUCO_002"])
    assert [(d.chassis_id, d.tenant, d.parsing) for d in await meta.devices()] == [
        ("DUCO_001", "duco", "demo"),
        ("DUCO_002", "duco", "demo"),
    ]
    assert (await meta.parsing("demo")).files == demo.shipped_parsing().files
    groups = await meta.groups("duco")
    assert [group.pop("version") for group in groups] == [1] * len(groups)
    assert all(group.pop("changed") for group in groups)
    assert groups == demo.demo_groups()


async def test_what_users_changed_stays(meta: SqliteMeta) -> None:
    """Later starts only add machines that are not known yet."""
    await demo.seed(meta, fresh=True, device_ids=["DUCO_002"])
    await meta.put_device(Device("DUCO_002", "mine", "My loader", None))
    await meta.remove_device("DUCO_001")
    await meta.remove_group("duco", str(demo.demo_groups()[0]["groupId"]))
    groups = await meta.groups("duco")
    await demo.seed(meta, fresh=False, device_ids=["DUCO_002", "DUCO_003"])
    assert [(d.chassis_id, d.tenant) for d in await meta.devices()] == [("DUCO_002", "mine"), ("DUCO_003", "duco")]
    assert await meta.groups("duco") == groups


def test_every_demo_line_has_its_field() -> None:
    """The groups draw nothing that the shipped parsing and the App do not have."""
    known = {
        VEHICLE_CAN: {field.name for field in compile_here(demo.shipped_parsing()).fields},
        CLIENT_RAW_DATA: {field.name for field in CLIENT_FIELDS},
    }
    assert {"speed", "engine_rpm", "brake_status"} <= known[VEHICLE_CAN]
    groups = demo.demo_groups()
    assert len({group["groupId"] for group in groups}) == len(groups)
    for group in groups:
        lines = group["lines"]
        assert isinstance(lines, list)
        assert {line["field"] for line in lines} <= known[str(group["msgType"])], group["title"]


def test_demo_axes_and_limits_are_of_a_unit_of_their_lines() -> None:
    """Another unit would show nowhere. Each group is one that the server would take."""
    fields = [*compile_here(demo.shipped_parsing()).fields, *CLIENT_FIELDS]
    unit_of = {field.name: field.unit or "" for field in fields}
    groups = demo.demo_groups()
    assert any(group["axes"] for group in groups)
    assert any(group["limits"] for group in groups)
    for group in groups:
        read = msgspec.convert(group, Group)
        units = {unit_of[line.field] for line in read.lines}
        assert {axis.unit for axis in read.axes} | {limit.unit for limit in read.limits} <= units, read.title
        assert msgspec.to_builtins(read) == {name: value for name, value in group.items() if name != "groupId"}
