"""Chart groups of a tenant over HTTP, under both of their addresses."""

from __future__ import annotations

from typing import Any

import pytest

from tests.web.conftest import BASE, Site, is_error

GROUP: dict[str, Any] = {"title": "Drive", "lines": [{"field": "speed", "label": "v", "color": "#f00"}], "order": 99}
FULL = {**GROUP, "msgType": "vehicle_can"}


async def test_created_read_changed_forgotten(site: Site) -> None:
    """The whole life of a group."""
    before = (await site.ask("GET", f"{BASE}/_groups"))[1]["groups"]
    status, created = await site.ask("POST", f"{BASE}/_groups", GROUP)
    group_id = created.pop("groupId")
    assert (status, created) == (201, FULL)
    place = f"{BASE}/_groups/{group_id}"
    assert await site.ask("GET", place) == (200, {"groupId": group_id, **FULL})
    assert (await site.ask("GET", f"{BASE}/_groups"))[1]["groups"] == [*before, {"groupId": group_id, **FULL}]
    changed = {"title": "Other", "lines": [{"field": "a", "label": None, "color": None}], "msgType": "x", "order": -1}
    assert await site.ask("PUT", place, changed) == (200, {"groupId": group_id, **changed})
    assert (await site.ask("GET", f"{BASE}/_groups"))[1]["groups"] == [{"groupId": group_id, **changed}, *before]
    assert (await site.ask("DELETE", place))[0] == 200
    for method, body in (("GET", None), ("PUT", GROUP), ("DELETE", None)):
        assert is_error(await site.ask(method, place, body), 404, "not_found")
    assert (await site.ask("GET", f"{BASE}/_groups"))[1]["groups"] == before


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
    assert is_error(await site.ask("GET", "/api/metaapi/groups?tenant=a.b"), 400, "bad_request")
    assert is_error(await site.ask("GET", "/api/metaapi/groups"), 400, "bad_request")


BAD: dict[str, object] = {
    "no object": [],
    "no title": {"lines": []},
    "empty title": {**GROUP, "title": ""},
    "long title": {**GROUP, "title": "x" * 201},
    "no lines": {"title": "x"},
    "too many lines": {**GROUP, "lines": [{"field": "a"}] * 51},
    "line without field": {**GROUP, "lines": [{}]},
    "msgType": {**GROUP, "msgType": "a/b"},
    "order is text": {**GROUP, "order": "1"},
    "order is huge": {**GROUP, "order": 2**70},
}


@pytest.mark.parametrize("case", BAD)
async def test_a_bad_group_is_refused(site: Site, case: str) -> None:
    """New or changed; nothing is kept of it."""
    before = (await site.ask("GET", f"{BASE}/_groups"))[1]
    place = f"{BASE}/_groups/{before['groups'][0]['groupId']}"
    assert is_error(await site.ask("POST", f"{BASE}/_groups", BAD[case]), 400, "bad_request")
    assert is_error(await site.ask("PUT", place, BAD[case]), 400, "bad_request")
    assert (await site.ask("GET", f"{BASE}/_groups"))[1] == before
