"""Direct methods as MetaAPI does them: once per commandId, one at a time for a device, in the device's words."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from duco_rt.errors import BadRequest, NotFound
from duco_rt.model import MethodResult
from tests.web.conftest import Site


def payload(command_id: str = "c1", action: str = "start", **more: object) -> dict[str, object]:
    """Return the payload of setRealTimeUpload."""
    return {"action": action, "reason": "user_action", "commandId": command_id, **more}


async def call(
    site: Site, body: dict[str, object], method: str = "setRealTimeUpload", hub: str = "ducohub"
) -> MethodResult:
    """Call the demo device."""
    return await site.methods.call(hub, "DUCO_001", method, body)


async def test_the_devices_own_answer(site: Site) -> None:
    """Whatever its status; the payload goes to it untouched."""
    device = await site.device()
    for status in (200, 409):
        device.status = status
        result = await call(site, payload(f"c{status}", extra=[1]))
        assert (result.status, result.payload["commandId"]) == (status, f"c{status}")
    assert device.calls == [payload("c200", extra=[1]), payload("c409", extra=[1])]
    assert site.metrics.value("methods_total", result="200") == 1


async def test_a_command_acts_once(site: Site) -> None:
    """The same commandId gets the same answer; another device's is another command."""
    device, other = await site.device(), await site.device("DUCO_002")
    results = [await call(site, payload("c1")) for _ in range(3)]
    assert results[0] == results[1] == results[2]
    await site.methods.call("ducohub", "DUCO_002", "setRealTimeUpload", payload("c1"))
    await call(site, payload("c2"))
    assert [c["commandId"] for c in device.calls] == ["c1", "c2"]
    assert len(other.calls) == 1


async def test_one_at_a_time_for_a_device(site: Site) -> None:
    """The same command twice at once acts once; the next waits for the answer of the first."""
    device = await site.device()
    device.answers.clear()
    async with asyncio.TaskGroup() as tasks:
        calls = [tasks.create_task(call(site, payload(name))) for name in ("c1", "c1", "c2")]
        while not device.calls:
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.02)  # the others could come now
        assert len(device.calls) == 1
        device.answers.set()
    assert calls[0].result() == calls[1].result()
    assert [c["commandId"] for c in device.calls] == ["c1", "c2"]


async def test_other_methods_are_not_in_the_ledger(site: Site) -> None:
    """They act once by what this process remembers."""
    device = await site.device()
    for _ in range(2):
        assert (await call(site, payload(), "reboot")).status == 200
    assert len(device.calls) == 1
    assert await site.meta.commands("DUCO_001", 10) == []


BAD: dict[str, tuple[Callable[[Site], Any], type[Exception]]] = {
    "hub": (lambda site: call(site, payload(), hub="other"), NotFound),
    "device": (lambda site: site.methods.call("ducohub", "D9", "m", payload()), NotFound),
    "no commandId": (lambda site: call(site, {"action": "start"}), BadRequest),
    "empty commandId": (lambda site: call(site, payload("")), BadRequest),
    "long commandId": (lambda site: call(site, payload("x" * 129)), BadRequest),
    "action": (lambda site: call(site, payload(action="jump")), BadRequest),
    "viewerId": (lambda site: call(site, payload(viewerId=7)), BadRequest),
    "empty viewerId": (lambda site: call(site, payload(viewerId="")), BadRequest),
}


@pytest.mark.parametrize("case", BAD)
async def test_what_is_refused(site: Site, case: str) -> None:
    """Before the device hears of it."""
    device = await site.device()
    work, error = BAD[case]
    with pytest.raises(error):
        await work(site)
    assert device.calls == []
