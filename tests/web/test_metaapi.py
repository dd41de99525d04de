"""MetaAPI's data over HTTP: devices, versioned parsings, ETags."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from duco_rt.config import MetaStore, Web
from duco_rt.pipeline.decoding.reading import ASKED
from tests.database_texts import TEXTS
from tests.web.conftest import Site, is_error

API = "/api/metaapi"
DBC = 'VERSION ""\nBU_: ECU\nBO_ 256 Key: 1 ECU\n SG_ Ignition : 0|1@1+ (1,0) [0|1] "" Vector__XXX\n'
FILES = [{"name": "a.dbc", "bus": "can1", "format": "dbc", "text": DBC, "sources": []}]
DEMO = {"chassisId": "DUCO_001", "tenant": "duco", "name": "Wheel loader 001", "parsing": "demo"}


async def test_devices(site: Site) -> None:
    """Listed, read, added, replaced, forgotten; a tenant's alone where asked for."""
    status, found = await site.ask("GET", f"{API}/devices/DUCO_001")
    assert (status, found) == (200, {**DEMO, "name": found["name"]})
    added = {"chassisId": "D1", "tenant": "other", "name": "One", "parsing": None}
    body = {"tenant": "other", "name": "One"}
    assert await site.ask("PUT", f"{API}/devices/D1", body) == (200, added)
    assert await site.ask("GET", f"{API}/devices/D1") == (200, added)
    assert (await site.ask("GET", f"{API}/devices?tenant=other"))[1] == [added]
    assert len((await site.ask("GET", f"{API}/devices"))[1]) == 3
    whole = {**added, "parsing": "demo", "name": "Changed"}
    assert await site.ask("PUT", f"{API}/devices/D1", whole) == (200, whole)
    assert (await site.ask("DELETE", f"{API}/devices/D1"))[0] == 200
    for method in ("GET", "DELETE"):
        assert is_error(await site.ask(method, f"{API}/devices/D1"), 404, "not_found")


BAD_DEVICES: dict[str, tuple[dict[str, Any], int, str]] = {
    "no tenant": ({"name": "x"}, 400, "bad_request"),
    "tenant": ({"tenant": "a.b"}, 400, "bad_request"),
    "a long name": ({"tenant": "t", "name": "x" * 201}, 400, "bad_request"),
    "a name of two lines": ({"tenant": "t", "name": "a\nb"}, 400, "bad_request"),
    "another chassisId": ({"tenant": "t", "chassisId": "D2"}, 400, "bad_request"),
    "unknown parsing": ({"tenant": "t", "parsing": "gone"}, 404, "not_found"),
}


@pytest.mark.parametrize("case", BAD_DEVICES)
async def test_a_bad_device_is_refused(site: Site, case: str) -> None:
    """Nothing is kept of it."""
    body, status, code = BAD_DEVICES[case]
    assert is_error(await site.ask("PUT", f"{API}/devices/D1", body), status, code)
    assert is_error(await site.ask("GET", f"{API}/devices/D1"), 404, "not_found")


async def test_parsings_keep_their_versions(site: Site) -> None:
    """What was put comes back; an old version by its number."""
    status, first = await site.ask("PUT", f"{API}/parsings/p", {"version": 1, "files": FILES})
    assert (status, first["version"]) == (200, 1)
    assert first["files"] == FILES
    changed = [{**FILES[0], "bus": None}]
    assert (await site.ask("PUT", f"{API}/parsings/p", {"files": changed}))[1]["version"] == 2
    assert (await site.ask("GET", f"{API}/parsings/p"))[1]["files"] == changed
    assert (await site.ask("GET", f"{API}/parsings/p?version=1"))[1]["files"] == FILES
    assert is_error(await site.ask("GET", f"{API}/parsings/p?version=3"), 404, "not_found")
    assert is_error(await site.ask("GET", f"{API}/parsings/gone"), 404, "not_found")


async def test_files_of_every_format_with_sources(site: Site) -> None:
    """They come back as they were put; an address that was given twice is there once."""
    files = [
        {"name": f"a.{kind}", "bus": None, "format": kind, "text": text, "sources": [3, 0]}
        for kind, text in TEXTS.items()
    ]
    status, found = await site.ask("PUT", f"{API}/parsings/p", {"files": files})
    assert (status, found["files"]) == (200, files)
    assert (await site.ask("GET", f"{API}/parsings/p"))[1]["files"] == files
    again = [{**file, "sources": [3, 0, 3]} for file in files]
    assert (await site.ask("PUT", f"{API}/parsings/p", {"files": again}))[1]["version"] == 1
    without = [{key: file[key] for key in ("name", "text", "format")} for file in files]
    found = (await site.ask("PUT", f"{API}/parsings/p", {"files": without}))[1]
    assert found["version"] == 2 and [file["sources"] for file in found["files"]] == [[], [], []]


async def test_names_of_files_count_too(tmp_path: Path) -> None:
    """What a parsing holds is bounded with all of its texts."""
    opened = Site(tmp_path, Web(port=0))
    opened.meta_config = MetaStore(parsing_bytes_max=len(DBC) + 100)
    async with opened.running() as site:
        for change in ({"name": "x" * 101}, {"bus": "x" * 101}):
            answer = await site.ask("PUT", f"{API}/parsings/p", {"files": [{**FILES[0], **change}]})
            assert is_error(answer, 400, "bad_request") and "meta.parsing_bytes_max" in str(answer)
        assert (await site.ask("PUT", f"{API}/parsings/p", {"files": FILES}))[0] == 200


async def test_of_which_tenant_a_device_was(site: Site) -> None:
    """As long as it is removed."""
    place = f"{API}/devices/DUCO_002"
    assert await site.ask("GET", f"{place}/before") == (200, {"tenant": None})
    await site.ask("DELETE", place)
    assert await site.ask("GET", f"{place}/before") == (200, {"tenant": "duco"})


BAD_FILES: dict[str, tuple[object, str]] = {
    "a bad line": ([{**FILES[0], "text": DBC + "BO_ nonsense\n"}], "a.dbc: line 5"),
    "the second file": ([FILES[0], {"name": "b.dbc", "text": "BO_ x"}], "b.dbc: line 1"),
    "no message": ([{"name": "a.dbc", "text": ""}], "a.dbc: line 1"),
    "format": ([{**FILES[0], "format": "cdd"}], "a.dbc: format 'cdd' is not one of dbc, kcd, sym, arxml"),
    "another format": ([{**FILES[0], "format": "arxml"}], "a.dbc: line 1"),
    "a source": (
        [FILES[0], {**FILES[0], "sources": [0, 254]}],
        "a.dbc: sources: 254 is no J1939 source address, 0 to 253",
    ),
    "a source below 0": ([{**FILES[0], "sources": [-1]}], "a.dbc: sources: -1 is no J1939 source address, 0 to 253"),
    "a source that is none": ([{**FILES[0], "sources": ["0x03"]}], "sources"),
    "sources that are none": ([{**FILES[0], "sources": 3}], "sources"),
    "none": ([], "files"),
    "too many": (FILES * 21, "files"),
    "no list": ({}, "files"),
    "no text": ([{"name": "a.dbc"}], "text"),
}


@pytest.mark.parametrize("case", BAD_FILES)
async def test_a_bad_parsing_is_refused_with_its_line(site: Site, case: str) -> None:
    """The message names file and line; no version is kept."""
    files, expected = BAD_FILES[case]
    answer = await site.ask("PUT", f"{API}/parsings/p", {"files": files})
    assert is_error(answer, 400, "bad_request")
    assert expected in answer[1]["error"]["message"]
    assert is_error(await site.ask("GET", f"{API}/parsings/p"), 404, "not_found")


async def test_too_many_uploads_are_told_to_come_again(site: Site) -> None:
    """Two are read at once and six wait, few of one tenant; no version is kept of one more, which may come again."""
    going = threading.Event()
    held = [ASKED.submit(going.wait, tenant) for tenant in ("a", "b", "a", "b", "a", "b", "a", "b")]
    try:
        assert is_error(await site.ask("PUT", f"{API}/parsings/p", {"files": FILES}), 503, "unavailable")
    finally:
        going.set()
    assert all(each.result(5) for each in held)
    assert is_error(await site.ask("GET", f"{API}/parsings/p"), 404, "not_found")
    assert (await site.ask("PUT", f"{API}/parsings/p", {"files": FILES}))[0] == 200


async def test_uploads_of_one_tenant_hold_up_nobody_else(site: Site) -> None:
    """One of theirs is read and three wait; more are refused, and another tenant's is read at once."""
    going = threading.Event()
    held = [ASKED.submit(going.wait, "evil") for _ in range(4)]
    try:
        assert is_error(await site.ask("PUT", f"{API}/parsings/q?tenant=evil", {"files": FILES}), 503, "unavailable")
        assert (await site.ask("PUT", f"{API}/parsings/p?tenant=duco", {"files": FILES}))[0] == 200
    finally:
        going.set()
    assert all(each.result(5) for each in held)


async def test_a_devices_parsing_has_an_etag(site: Site) -> None:
    """304 without a body as long as nothing changed; a change of files, of parsing or of tenant is one."""
    place = f"{API}/devices/DUCO_001/parsing"
    tags = []
    await site.ask("PUT", f"{API}/parsings/p", {"files": FILES})
    for step in ("as it is", "parsing", "files", "tenant", "none"):
        if step == "files":
            await site.ask("PUT", f"{API}/parsings/p", {"files": [{**FILES[0], "bus": None}]})
        elif step != "as it is":
            body = {
                "tenant": "other" if step in ("tenant", "none") else "duco",
                "parsing": None if step == "none" else "p",
            }
            await site.ask("PUT", f"{API}/devices/DUCO_001", body)
        async with site.session.get(place) as response:
            assert response.status == 200
            body = await response.json()
            tags.append(response.headers["ETag"])
        async with site.session.get(place, headers={"If-None-Match": tags[-1]}) as again:
            assert (again.status, await again.read(), again.headers["ETag"]) == (304, b"", tags[-1])
        for old in tags[:-1]:
            async with site.session.get(place, headers={"If-None-Match": old}) as changed:
                assert changed.status == 200
    assert len(set(tags)) == 5
    assert (body["tenant"], body["parsing"]) == ("other", None)
    assert is_error(await site.ask("GET", f"{API}/devices/D9/parsing"), 404, "not_found")
