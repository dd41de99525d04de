"""Parts of a request that cannot be read are the asker's mistake: 400 with the name of the part."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from tests.web.conftest import BASE, Site, is_error

NAMES = ["a.b", "ü", "x" * 65, "a b", "a\n", "%"]
PLACES = {
    "tenant": "/api/resources/{}/_common/datasets",
    "chassisId": BASE + "/{}/fields",
    "msgType": BASE + "/DUCO_001/fields?msgType={}",
    "name": "/api/metaapi/parsings/{}",
    "groupId": BASE + "/_groups/{}",
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("place", PLACES)
async def test_names(site: Site, place: str, name: str) -> None:
    """1 to 64 of A-Z a-z 0-9 _ -, everywhere."""
    answer = await site.ask("GET", PLACES[place].format(quote(name, safe="")))
    assert is_error(answer, 400, "bad_request")
    assert place in answer[1]["error"]["message"]


INTEGERS = ["x", "1.5", "", "1e3", "²", "0x10", "1_000", " 1", "9" * 400, "-" + "9" * 400, "nan"]


@pytest.mark.parametrize("value", INTEGERS)
@pytest.mark.parametrize("name", ["from", "to", "points"])
async def test_integers(site: Site, name: str, value: str) -> None:
    """Plain decimal ones that a clock can reach."""
    answer = await site.ask("GET", f"{BASE}/DUCO_001/history", params={"fields": "speed", name: value})
    assert is_error(answer, 400, "bad_request")
    assert name in answer[1]["error"]["message"]


@pytest.mark.parametrize("value", INTEGERS)
async def test_the_version_of_a_parsing(site: Site, value: str) -> None:
    """An integer too."""
    assert is_error(await site.ask("GET", "/api/metaapi/parsings/demo", params={"version": value}), 400, "bad_request")


BODIES = [b"", b"{", b"null", b"\xff", b"[" * 100_000, b'"text"', b'{"tenant":1}', b'{"tenant":"\\ud800"}']


@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
async def test_bodies(site: Site, body: bytes) -> None:
    """Whatever is no JSON of the right form."""
    async with site.session.put("/api/metaapi/devices/D1", data=body) as response:
        assert is_error((response.status, await response.json()), 400, "bad_request")
