"""Two who change a chart group at once: versions, ETag, If-Match and If-None-Match."""

from __future__ import annotations

import pytest

from tests.web.conftest import BASE, Site, is_error
from tests.web.test_groups import FULL, GROUP, RICH, kept


async def test_the_etag_is_the_version(site: Site) -> None:
    """Of every answer with one group."""
    async with site.session.post(f"{BASE}/_groups", json=GROUP) as response:
        place = f"{BASE}/_groups/{(await response.json())['groupId']}"
        assert response.headers["ETag"] == '"1"'
    for method, etag in (("GET", '"1"'), ("PUT", '"2"'), ("PUT", '"3"'), ("GET", '"3"')):
        async with site.session.request(method, place, json=GROUP if method == "PUT" else None) as response:
            assert response.headers["ETag"] == etag


async def test_two_who_change_a_group(site: Site) -> None:
    """The second is told, and gets what is there; only with that version the change is made, or the group forgotten."""
    first = (await site.ask("POST", f"{BASE}/_groups", GROUP))[1]
    place = f"{BASE}/_groups/{first['groupId']}"
    theirs = (await site.ask("PUT", place, RICH, headers={"If-Match": '"1"'}))[1]
    assert theirs["version"] == 2
    for method in ("PUT", "DELETE"):
        status, answer = await site.ask(method, place, GROUP, headers={"If-Match": '"1"'})
        assert (status, answer["group"], answer["error"]["code"]) == (409, theirs, "conflict")
        assert "was changed meanwhile: version 2 is there, 1 was changed" in answer["error"]["message"]
    assert await site.ask("GET", place) == (200, theirs)
    status, mine = await site.ask("PUT", place, GROUP, headers={"If-Match": '"2"'})
    assert (status, kept(mine, version=3)) == (200, FULL)
    assert (await site.ask("DELETE", place, headers={"If-Match": '"3"'}))[0] == 200
    for method in ("PUT", "DELETE"):
        assert is_error(await site.ask(method, place, GROUP, headers={"If-Match": '"3"'}), 404, "not_found")


async def test_a_forgotten_group_comes_back_under_its_id(site: Site) -> None:
    """With `If-None-Match: *`, and only where none is."""
    place, only_new = f"{BASE}/_groups/drive", {"If-None-Match": "*"}
    there = (await site.ask("GET", place))[1]
    status, answer = await site.ask("PUT", place, GROUP, headers=only_new)
    assert (status, answer["error"]["code"], answer["group"]) == (409, "conflict", there)
    await site.ask("PUT", place, GROUP)
    await site.ask("DELETE", place)
    status, back = await site.ask("PUT", place, RICH, headers=only_new)
    assert (status, kept(back, version=3), back["groupId"]) == (201, RICH, "drive")
    for version in (1, 2):
        assert (await site.ask("PUT", place, GROUP, headers={"If-Match": f'"{version}"'}))[0] == 409
    assert await site.ask("GET", place) == (200, back)


BAD_HEADERS: dict[str, tuple[str, dict[str, str]]] = {
    "no quotes": ("PUT", {"If-Match": "1"}),
    "weak": ("PUT", {"If-Match": 'W/"1"'}),
    "two": ("PUT", {"If-Match": '"1", "2"'}),
    "none": ("DELETE", {"If-Match": '"0"'}),
    "any": ("DELETE", {"If-Match": "*"}),
    "a version that it is not": ("PUT", {"If-None-Match": '"1"'}),
    "both": ("PUT", {"If-None-Match": "*", "If-Match": '"1"'}),
    "forget what is not there": ("DELETE", {"If-None-Match": "*"}),
}


@pytest.mark.parametrize("case", BAD_HEADERS)
async def test_a_condition_that_is_not_understood_is_refused(site: Site, case: str) -> None:
    """Passing over it would lose somebody's change."""
    before = (await site.ask("GET", f"{BASE}/_groups"))[1]
    method, headers = BAD_HEADERS[case]
    answer = await site.ask(method, f"{BASE}/_groups/drive", GROUP, headers=headers)
    assert is_error(answer, 400, "bad_request")
    assert next(iter(headers)) in answer[1]["error"]["message"]
    assert (await site.ask("GET", f"{BASE}/_groups"))[1] == before
