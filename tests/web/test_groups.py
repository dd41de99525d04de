"""Chart groups of a tenant over HTTP, under both of their addresses."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.web.conftest import BASE, Site, is_error

GROUP: dict[str, Any] = {"title": "Drive", "lines": [{"field": "speed", "label": "v", "color": "#f00"}], "order": 99}
"""As a client sends it that knows nothing of axes and limits."""

LINE = {"field": "speed", "label": "v", "color": "#f00", "style": None, "dash": False}
FULL: dict[str, Any] = {
    "title": "Drive",
    "lines": [LINE],
    "msgType": "vehicle_can",
    "order": 99,
    "axes": [],
    "limits": [],
}
RICH: dict[str, Any] = {
    "title": "Other",
    "lines": [{"field": "a", "label": None, "color": None, "style": "step", "dash": True}],
    "msgType": "x",
    "order": -1,
    "axes": [
        {"unit": "bar", "side": "right", "min": -0.5, "max": None},
        {"unit": "", "side": "left", "min": 0, "max": 1},
    ],
    "limits": [
        {"unit": "bar", "from": 3, "to": 3, "label": "Line", "level": "info"},
        {"unit": "bar", "from": None, "to": 9.5, "label": None, "level": "bad"},
    ],
}


def kept(group: dict[str, Any], version: int = 1) -> dict[str, Any]:
    """A group without its id and time; these are as they should be."""
    assert group["groupId"]
    assert abs(group["changed"] - time.time() * 1000) < 60_000
    assert group["version"] == version
    return {name: value for name, value in group.items() if name not in ("groupId", "version", "changed")}


async def test_created_read_changed_forgotten(site: Site) -> None:
    """The whole life of a group."""
    before = (await site.ask("GET", f"{BASE}/_groups"))[1]["groups"]
    status, created = await site.ask("POST", f"{BASE}/_groups", GROUP)
    assert (status, kept(created)) == (201, FULL)
    place = f"{BASE}/_groups/{created['groupId']}"
    assert await site.ask("GET", place) == (200, created)
    assert (await site.ask("GET", f"{BASE}/_groups"))[1]["groups"] == [*before, created]
    status, changed = await site.ask("PUT", place, RICH)
    assert (status, kept(changed, version=2)) == (200, RICH)
    assert changed["groupId"] == created["groupId"]
    assert await site.ask("GET", place) == (200, changed)
    assert (await site.ask("GET", f"{BASE}/_groups"))[1]["groups"] == [changed, *before]
    assert (await site.ask("DELETE", place))[0] == 200
    for method, body in (("GET", None), ("PUT", GROUP), ("DELETE", None)):
        assert is_error(await site.ask(method, place, body), 404, "not_found")
    assert (await site.ask("GET", f"{BASE}/_groups"))[1]["groups"] == before


async def test_a_whole_answer_may_be_sent_back(site: Site) -> None:
    """What the server adds to a group is not the client's to set: it is passed over."""
    created = (await site.ask("POST", f"{BASE}/_groups", RICH))[1]
    place = f"{BASE}/_groups/{created['groupId']}"
    status, changed = await site.ask("PUT", place, {**created, "groupId": "x", "version": 70, "changed": 1})
    assert (status, kept(changed, version=2), changed["groupId"]) == (200, RICH, created["groupId"])


async def test_groups_of_an_older_release(site: Site, tmp_path: Path) -> None:
    """They are answered with what they lack, and are changed as version 1."""
    place = f"{BASE}/_groups/old"
    await site.ask("PUT", place, GROUP, headers={"If-None-Match": "*"})
    old = {"groupId": "old", **GROUP, "msgType": "vehicle_can"}
    with closing(sqlite3.connect(tmp_path / "meta.sqlite")) as db, db:
        db.execute("UPDATE groups SET body = ? WHERE groupId = 'old'", (json.dumps(old),))
    whole = {"groupId": "old", **FULL, "version": 1, "changed": 0}
    assert await site.ask("GET", place) == (200, whole)
    assert whole in (await site.ask("GET", f"{BASE}/_groups"))[1]["groups"]
    assert whole in (await site.ask("GET", "/api/metaapi/groups?tenant=duco"))[1]["groups"]
    assert (await site.ask("PUT", place, GROUP, headers={"If-Match": '"2"'}))[1]["group"] == whole
    status, changed = await site.ask("PUT", place, RICH, headers={"If-Match": '"1"'})
    assert (status, kept(changed, version=2)) == (200, RICH)


async def test_a_fresh_demo_has_groups_of_its_fields(site: Site) -> None:
    """What the page shows first."""
    groups = (await site.ask("GET", f"{BASE}/_groups"))[1]["groups"]
    shown = {line["field"] for group in groups for line in group["lines"]}
    assert {"speed", "engine_rpm"} <= shown


async def test_tenants_never_mix(site: Site) -> None:
    """Another tenant neither sees nor reaches a group."""
    group_id = (await site.ask("POST", f"{BASE}/_groups", GROUP))[1]["groupId"]
    foreign = "/api/resources/other/_common/datasets/_groups"
    assert (await site.ask("GET", foreign))[1] == {"groups": []}
    for method, body in (("GET", None), ("PUT", GROUP), ("DELETE", None)):
        assert is_error(await site.ask(method, f"{foreign}/{group_id}", body), 404, "not_found")
    assert (await site.ask("GET", f"{BASE}/_groups/{group_id}"))[0] == 200


async def test_metaapi_keeps_them(site: Site) -> None:
    """The same groups, the tenant in the query."""
    status, created = await site.ask("POST", "/api/metaapi/groups?tenant=duco", GROUP)
    assert status == 201
    assert (await site.ask("GET", f"{BASE}/_groups/{created['groupId']}"))[1] == created
    listed = (await site.ask("GET", "/api/metaapi/groups?tenant=duco"))[1]["groups"]
    assert listed == (await site.ask("GET", f"{BASE}/_groups"))[1]["groups"]
    assert (await site.ask("DELETE", f"/api/metaapi/groups/{created['groupId']}?tenant=duco"))[0] == 200
    place = f"/api/metaapi/groups/{created['groupId']}?tenant=duco"
    status, made = await site.ask("PUT", place, GROUP)
    assert (status, kept(made, version=2)) == (200, FULL)
    assert (await site.ask("PUT", place, GROUP, headers={"If-Match": '"7"'}))[0] == 409
    assert is_error(await site.ask("GET", "/api/metaapi/groups?tenant=a.b"), 400, "bad_request")
    assert is_error(await site.ask("GET", "/api/metaapi/groups"), 400, "bad_request")


def with_axis(**axis: object) -> dict[str, object]:
    """A group with a good axis, and a second one that is not."""
    return {**GROUP, "axes": [{"unit": "m"}, {"unit": "bar", "side": "left", **axis}]}


def with_limit(**limit: object) -> dict[str, object]:
    """A group with a good limit, and a second one that is not."""
    return {**GROUP, "limits": [{"unit": "m", "to": 1}, {"unit": "bar", **limit}]}


def with_line(**line: object) -> dict[str, object]:
    """A group with a good line, and a second one that is not."""
    return {**GROUP, "lines": [{"field": "a"}, {"field": "b", **line}]}


BAD: dict[str, tuple[object, str]] = {
    "no object": ([], ""),
    "no title": ({"lines": []}, "title"),
    "empty title": ({**GROUP, "title": ""}, "title"),
    "long title": ({**GROUP, "title": "x" * 201}, "title"),
    "no lines": ({"title": "x"}, "lines"),
    "too many lines": ({**GROUP, "lines": [{"field": "a"}] * 51}, "lines"),
    "line without field": ({**GROUP, "lines": [{}]}, "lines[0]"),
    "long field": (with_line(field="x" * 201), "lines[1].field"),
    "long label of a line": (with_line(label="x" * 201), "lines[1].label"),
    "long color": (with_line(color="x" * 201), "lines[1].color"),
    "style": (with_line(style="dots"), "lines[1].style"),
    "dash is a number": (with_line(dash=1), "lines[1].dash"),
    "msgType": ({**GROUP, "msgType": "a/b"}, "msgType"),
    "order is text": ({**GROUP, "order": "1"}, "order"),
    "order is huge": ({**GROUP, "order": 2**70}, "number"),
    "axes is null": ({**GROUP, "axes": None}, "axes"),
    "too many axes": ({**GROUP, "axes": [{"unit": str(i)} for i in range(9)]}, "axes"),
    "axis without unit": ({**GROUP, "axes": [{"side": "left"}]}, "axes[0]"),
    "two axes of a unit": (with_axis(unit="m"), "axes[1]: unit 'm'"),
    "long unit": (with_axis(unit="x" * 201), "axes[1].unit"),
    "side": (with_axis(side="top"), "axes[1].side"),
    "min is text": (with_axis(min="1"), "axes[1].min"),
    "min over max": (with_axis(min=2, max=1), "axes[1]: min 2 is above max 1"),
    "min is max": (with_axis(min=2, max=2), "axes[1]: min and max"),
    "min is huge": (with_axis(min=10**400), "axes[1].min"),
    "too many limits": ({**GROUP, "limits": [{"unit": "m", "to": 1}] * 21}, "limits"),
    "limit without unit": ({**GROUP, "limits": [{"from": 1}]}, "limits[0]"),
    "limit without ends": (with_limit(), "limits[1]: needs from, to or both"),
    "from over to": (with_limit(**{"from": 2, "to": 1.5}), "limits[1]: from 2 is above to 1.5"),
    "long label of a limit": (with_limit(to=1, label="x" * 201), "limits[1].label"),
    "level": (with_limit(to=1, level="worst"), "limits[1].level"),
}


@pytest.mark.parametrize("case", BAD)
async def test_a_bad_group_is_refused(site: Site, case: str) -> None:
    """New or changed; the error says what and where, and nothing is kept of it."""
    bad, where = BAD[case]
    before = (await site.ask("GET", f"{BASE}/_groups"))[1]
    place = f"{BASE}/_groups/{before['groups'][0]['groupId']}"
    for method, target in (("POST", f"{BASE}/_groups"), ("PUT", place)):
        answer = await site.ask(method, target, bad)
        assert is_error(answer, 400, "bad_request")
        assert where in answer[1]["error"]["message"]
    assert (await site.ask("GET", f"{BASE}/_groups"))[1] == before


async def test_infinity_is_no_end(site: Site) -> None:
    """JSON knows no infinity, but a number may be written that is one."""
    text = '{"title": "x", "lines": [], "limits": [{"unit": "m", "to": 1e999}]}'
    headers = {"Content-Type": "application/json"}
    async with site.session.post(f"{BASE}/_groups", data=text, headers=headers) as response:
        assert is_error((response.status, await response.json()), 400, "bad_request")


async def test_as_much_as_a_group_may_have(site: Site) -> None:
    """At the bounds all is kept."""
    text = "x" * 200
    line = {"field": text, "label": text, "color": text, "style": "line", "dash": True}
    limit = {"unit": text, "from": 1, "to": 1, "label": text, "level": "warn"}
    axes = [{"unit": f"{i}{text}"[:200], "side": "right", "min": -1e300, "max": 1e300} for i in range(8)]
    group = {**FULL, "title": text, "lines": [line] * 50, "axes": axes, "limits": [limit] * 20}
    status, created = await site.ask("POST", f"{BASE}/_groups", group)
    assert (status, kept(created)) == (201, group)


async def test_a_tenant_has_at_most_500_groups(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """However they are made: one more is refused, and those that are there can be changed."""
    for i in range(500 - len(await site.meta.groups("duco"))):
        await site.meta.put_group("duco", {"groupId": f"g{i}", **FULL})
    assert is_error(await site.ask("POST", f"{BASE}/_groups", GROUP), 400, "bad_request")
    new = await site.ask("PUT", f"{BASE}/_groups/new", GROUP, headers={"If-None-Match": "*"})
    assert is_error(new, 400, "bad_request")
    at_metaapi = "/api/metaapi/groups/{}?tenant=duco"
    assert is_error(await site.ask("PUT", at_metaapi.format("new"), GROUP), 400, "bad_request")
    for place in (f"{BASE}/_groups/g0", at_metaapi.format("g0")):
        assert (await site.ask("PUT", place, GROUP))[0] == 200
    await site.meta.remove_group("duco", "g0")
    groups = site.meta.groups

    async def late(tenant: str) -> list[dict[str, object]]:
        found = await groups(tenant)
        await asyncio.sleep(0.01)  # all of them have asked before one is made
        return found

    monkeypatch.setattr(site.meta, "groups", late)
    made = await asyncio.gather(*(site.ask("PUT", at_metaapi.format(f"at_once_{i}"), GROUP) for i in range(5)))
    assert sorted(answer[0] for answer in made) == [200, 400, 400, 400, 400]
