"""The command ledger over HTTP: what a tenant reads, and what MetaAPI's own endpoints refuse."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from duco_rt.model import Device
from tests.contracts.test_command_ledger import NOW, row
from tests.web.conftest import BASE, Site, is_error
from tests.web.test_commands import command

API = "/api/metaapi"


async def test_a_command_as_it_is_read(site: Site) -> None:
    """By the tenant and at MetaAPI alike; times in ms, null where not."""
    device = await site.device()
    await command(site, "start", "v1", commandId="c1")
    site.clock.now_s += 20
    await command(site, "start", "v2", commandId="c2")
    device.status = 409
    await site.methods.call("ducohub", "DUCO_001", "setRealTimeUpload", {"action": "stop", "commandId": "c3"})
    await site.commands.notes.flush()
    own = {"commandId": "c1", "action": "start", "realtime": True, "ts": NOW, "source": "device"}
    refusal = {"commandId": "c3", "action": "stop", "realtime": False, "ts": NOW + 20_000, "source": "device"}
    none = {"sent": None, "answered": None, "answer": None, "error": None, "beats": 0, "lastBeat": None}
    first = {"commandId": "c1", "action": "start", "reason": "user_action", "who": "v1", "state": "acknowledged"}
    beat = {"commandId": "c2", "action": "start", "reason": "user_action", "who": "v2", "state": "leased"}
    stop = {"commandId": "c3", "action": "stop", "reason": "", "who": "anonymous", "state": "failed"}
    times = {"queued": NOW + 20_000, "sent": NOW + 20_000, "answered": NOW + 20_000}
    expected = [
        {**none, **beat, "queued": NOW + 20_000},
        {**none, **stop, **times, "answer": {"status": 409, "payload": refusal}},
        {**none, **first, "queued": NOW, "sent": NOW, "answered": NOW, "answer": {"status": 200, "payload": own}},
    ]
    for place in (f"{BASE}/DUCO_001/commands", f"{API}/devices/DUCO_001/commands"):
        assert await site.ask("GET", place) == (200, {"commands": expected})


async def test_pages(site: Site) -> None:
    """50 unless told otherwise, up to 500; the next begins before the oldest."""
    await site.meta.note_commands([row(f"c{i}", "leased", i, "DUCO_001") for i in range(600)])
    place = f"{BASE}/DUCO_001/commands"
    for query, count in (("", 50), ("?limit=500", 500), ("?limit=1", 1), (f"?before={NOW}", 0)):
        assert len((await site.ask("GET", place + query))[1]["commands"]) == count
    page = (await site.ask("GET", f"{place}?limit=2&before={NOW + 10}"))[1]["commands"]
    assert [found["commandId"] for found in page] == ["c9", "c8"]


@pytest.mark.parametrize("query", ["limit=0", "limit=501", "limit=x", "limit=-1", "before=x", "before=1.5", "limit="])
async def test_bad_pages(site: Site, query: str) -> None:
    """400 for both readers."""
    for place in (f"{BASE}/DUCO_001/commands", f"{API}/devices/DUCO_001/commands"):
        assert is_error(await site.ask("GET", f"{place}?{query}"), 400, "bad_request")


async def test_another_tenants_device_is_not_known(site: Site) -> None:
    """As one that does not exist."""
    for place in (
        "/api/resources/other/_common/datasets/DUCO_001/commands",
        f"{BASE}/D9/commands",
        f"{API}/devices/D9/commands",
    ):
        assert is_error(await site.ask("GET", place), 404, "not_found")


async def test_what_the_former_tenant_commanded(site: Site) -> None:
    """Is read by neither: not by who has the device now, nor any more by who had it."""
    await site.meta.note_commands([row("theirs", "leased", 1, "DUCO_001")])
    await site.meta.put_device(Device("DUCO_001", "other", ""))
    theirs = "/api/resources/other/_common/datasets/DUCO_001/commands"
    for place in (theirs, f"{API}/devices/DUCO_001/commands", f"{API}/devices/DUCO_001/commands?commandId=theirs"):
        assert await site.ask("GET", place) == (200, {"commands": []})
    await site.meta.note_commands([row("own", "leased", 2, "DUCO_001")])
    found = await site.ask("GET", theirs)
    assert [each["commandId"] for each in found[1]["commands"]] == ["own"]
    assert is_error(await site.ask("GET", f"{BASE}/DUCO_001/commands"), 404, "not_found")


def body(**more: Any) -> dict[str, Any]:
    """A command as MetaAPI's endpoints take it."""
    return {**msgspec.to_builtins(row("c1", chassis_id="DUCO_001")), **more}


BAD: dict[str, dict[str, Any]] = {
    "another device": body(chassisId="DUCO_002"),
    "no commandId": body(commandId=""),
    "a long commandId": body(commandId="x" * 129),
    "nobody": body(who=""),
    "a state that is none": body(state="done"),
    "an action that is none": body(action="jump"),
    "a long reason": body(reason="x" * 1_001),
    "beats below 0": body(beats=-1),
    "a time that is none": body(queued="now"),
    "not everything": {"commandId": "c1"},
}


@pytest.mark.parametrize("case", BAD)
async def test_what_the_ledger_does_not_take(site: Site, case: str) -> None:
    """400, and nothing is kept."""
    place, bad = f"{API}/devices/DUCO_001/commands", BAD[case]
    assert is_error(await site.ask("POST", place, bad), 400, "bad_request")
    assert is_error(await site.ask("PUT", f"{place}?was=sent", bad), 400, "bad_request")
    if case != "another device":
        noted = {"commands": [{**bad, "state": bad.get("state", "").replace("sent", "leased")}]}
        assert is_error(await site.ask("POST", f"{API}/commands", noted), 400, "bad_request")
    assert (await site.ask("GET", place))[1] == {"commands": []}


async def test_what_is_not_noted(site: Site) -> None:
    """Too many at once, and what is not leased; a state that is none."""
    leased = body(state="leased")
    short = {key: leased[key] for key in ("chassisId", "commandId", "action", "reason", "who", "state", "queued")}
    for bad in ([short] * 1_001, [leased, body()], leased):
        assert is_error(await site.ask("POST", f"{API}/commands", {"commands": bad}), 400, "bad_request")
    place = f"{API}/devices/DUCO_001/commands"
    assert is_error(await site.ask("PUT", f"{place}?was=done", body()), 400, "bad_request")
    assert is_error(await site.ask("PUT", place, body()), 400, "bad_request")
    assert (await site.ask("GET", place))[1] == {"commands": []}
