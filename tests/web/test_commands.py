"""Studio's proxy over HTTP, and the cron: one lease a device, however many viewers."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import pytest

from duco_rt.model import MethodResult
from tests.web.conftest import METHOD_TIMEOUT_S, NOW_MS, Site, is_error

NUMBERS = itertools.count()
PLACE = "/api/iothubs/ducohub/devices/{}/methods"


async def command(site: Site, action: str, viewer: str | None = None, chassis_id: str = "DUCO_001", **more: Any) -> Any:
    """A viewer's command with a new commandId; status and body."""
    payload: dict[str, object] = {"action": action, "reason": "user_action", "commandId": f"c{next(NUMBERS)}", **more}
    if viewer is not None:
        payload["viewerId"] = viewer
    body = {"methodName": "setRealTimeUpload", "payload": payload}
    return await site.ask("POST", PLACE.format(chassis_id), body)


async def test_the_first_start_is_forwarded_the_next_are_answered_from_the_lease(site: Site) -> None:
    """With the device's last own answer's time; every viewer's, and every heartbeat."""
    device = await site.device()
    status, first = await command(site, "start", "v1", commandId="mine")
    answered = site.clock.wall_ms()
    own = {"commandId": "mine", "action": "start", "realtime": True, "ts": answered, "source": "device"}
    assert (status, first) == (200, {"status": 200, "payload": own})
    assert [c["commandId"] for c in device.calls] == ["mine"]
    for viewer in ("v2", "v1", None):
        site.clock.now_s += 20
        status, again = await command(site, "start", viewer, commandId=f"beat {viewer}")
        assert (status, again["status"]) == (200, 200)
        assert again["payload"] == {**own, "commandId": f"beat {viewer}", "source": "lease"}
    assert len(device.calls) == 1
    assert await site.leases.held() == {"DUCO_001": 3}


async def test_after_the_lease_the_next_start_is_a_first_again(site: Site) -> None:
    """60 s after the last heartbeat."""
    device = await site.device()
    await command(site, "start", "v1")
    site.clock.now_s += 61
    assert (await command(site, "start", "v2"))[1]["payload"]["source"] == "device"
    assert len(device.calls) == 2


async def test_a_command_that_was_seen_before_acts_once_and_counts_as_heartbeat(site: Site) -> None:
    """Repeated within the lease, and after it."""
    device = await site.device()
    await command(site, "start", "v1", commandId="same")
    site.clock.now_s += 50
    await command(site, "start", "v1", commandId="same")
    site.clock.now_s += 50
    assert await site.leases.held() == {"DUCO_001": 1}
    site.clock.now_s += 50
    answered = (await command(site, "start", "v1", commandId="same"))[1]["payload"]
    assert (answered["source"], answered["ts"]) == ("device", NOW_MS)  # what the device said then
    assert [c["commandId"] for c in device.calls] == ["same", "same"]  # its watchdog has been fed
    assert await site.leases.held() == {"DUCO_001": 1}


async def test_a_stop_with_viewer_takes_that_one_out(site: Site) -> None:
    """And reaches the device when none is left."""
    device = await site.device()
    for viewer in ("v1", "v2"):
        await command(site, "start", viewer)
    status, answer = await command(site, "stop", "v1")
    assert status == 200
    assert (answer["payload"]["source"], answer["payload"]["realtime"]) == ("lease", True)
    assert device.actions() == ["start"]
    answer = (await command(site, "stop", "v2"))[1]
    assert (answer["payload"]["source"], answer["payload"]["realtime"]) == ("device", False)
    assert device.actions() == ["start", "stop"]
    assert await site.leases.held() == {}
    assert (await command(site, "start", "v1"))[1]["payload"]["source"] == "device"


async def test_a_stop_without_viewer_stops_at_once(site: Site) -> None:
    """However many watch."""
    device = await site.device()
    for viewer in ("v1", "v2"):
        await command(site, "start", viewer)
    assert (await command(site, "stop"))[1]["payload"]["source"] == "device"
    assert device.actions() == ["start", "stop"]
    assert await site.leases.held() == {}


async def test_many_viewers_at_once_are_one_start(site: Site) -> None:
    """The others wait for its answer."""
    device = await site.device()
    answers = await asyncio.gather(*(command(site, "start", f"v{i}") for i in range(20)))
    assert sorted(answer["payload"]["source"] for _, answer in answers) == ["device"] + ["lease"] * 19
    assert len(device.calls) == 1


async def test_a_start_that_failed_leaves_no_lease(site: Site) -> None:
    """Offline 409, silent 504, refused by the device: its status in the body."""
    assert is_error(await command(site, "start", "v1"), 409, "device_offline")
    device = await site.device()
    device.answers.clear()
    site.methods._timeout_s = 0.2
    assert is_error(await command(site, "start", "v1"), 504, "device_timeout")
    site.methods._timeout_s = METHOD_TIMEOUT_S
    device.answers.set()
    device.status = 409
    status, answer = await command(site, "start", "v1")
    assert (status, answer["status"]) == (200, 409)
    assert await site.leases.held() == {}


async def test_unknown_and_bad(site: Site) -> None:
    """404 for device and hub, 400 for the body; the device hears nothing."""
    device = await site.device()
    for action in ("start", "stop"):
        assert is_error(await command(site, action, chassis_id="D9"), 404, "not_found")
    body = {"methodName": "setRealTimeUpload", "payload": {"action": "start", "commandId": "c"}}
    assert is_error(await site.ask("POST", PLACE.format("D1").replace("ducohub", "other"), body), 404, "not_found")
    assert is_error(await command(site, "jump"), 400, "bad_request")
    assert is_error(await command(site, "start", commandId=7), 400, "bad_request")
    for bad in (None, {}, {"methodName": "x"}, {"methodName": "x", "payload": []}, {"methodName": 1, "payload": {}}):
        assert is_error(await site.ask("POST", PLACE.format("DUCO_001"), bad), 400, "bad_request")
    assert device.calls == []
    assert await site.leases.held() == {}


async def test_another_method_goes_through(site: Site) -> None:
    """It needs no lease."""
    device = await site.device()
    body = {"methodName": "reboot", "payload": {"commandId": "c"}}
    assert (await site.ask("POST", PLACE.format("DUCO_001"), body))[0] == 200
    assert device.calls == [{"commandId": "c"}]
    assert await site.leases.held() == {}


async def test_the_cron_renews_what_is_leased_once(site: Site) -> None:
    """One start a device and period, over all processes; the lease's answer then has the new time."""
    device, other = await site.device(), await site.device("DUCO_002")
    await command(site, "start", "v1")
    await command(site, "start", "v2")
    site.clock.now_s += 30
    for _ in range(3):
        await site.commands.renew_all()
    assert device.actions() == ["start", "start"]
    assert device.calls[1]["reason"] == "lease"
    assert len({str(c["commandId"]) for c in device.calls}) == 2
    assert other.calls == []
    renewed = site.clock.wall_ms()
    site.clock.now_s += 5
    assert (await command(site, "start", "v1"))[1]["payload"]["ts"] == renewed


async def test_the_cron_sends_nothing_without_a_lease(site: Site) -> None:
    """Neither after a stop nor after the viewers have gone."""
    device = await site.device()
    await command(site, "start", "v1")
    site.clock.now_s += 61
    await site.commands.renew_all()
    await command(site, "start", "v1")
    await command(site, "stop", "v1")
    site.clock.now_s += 61
    await site.commands.renew_all()
    assert device.actions() == ["start", "start", "stop"]


async def test_the_cron_goes_on_past_a_device_that_is_away(site: Site) -> None:
    """Counted by result; the others have their renewal."""
    gone, there = await site.device(), await site.device("DUCO_002")
    for chassis_id in ("DUCO_001", "DUCO_002"):
        await command(site, "start", "v1", chassis_id)
    await site.disconnect("DUCO_001")
    await site.commands.renew_all()
    assert (len(gone.calls), len(there.calls)) == (1, 2)
    assert site.metrics.value("lease_renewals_total", result="DeviceOffline") == 1
    assert site.metrics.value("lease_renewals_total", result="200") == 1


@pytest.mark.parametrize("count", [100])
async def test_names_that_are_no_devices_leave_nothing_behind(site: Site, count: int) -> None:
    """However many are asked for."""
    for i in range(count):
        assert (await command(site, "start", chassis_id=f"none{i}"))[0] == 404
    assert await site.leases.held() == {}
    assert len(site.commands._locks) == 0


async def test_the_cron_goes_on_past_an_error_that_nobody_thought_of(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of one device; the others have their renewal."""
    there = [await site.device(), await site.device("DUCO_002")]
    for chassis_id in ("DUCO_001", "DUCO_002"):
        await command(site, "start", "v1", chassis_id)
    call = site.commands._call

    async def fails(hub: str, chassis_id: str, method: str, payload: dict[str, object]) -> MethodResult:
        if chassis_id == "DUCO_001":
            raise RuntimeError("a defect")
        return await call(hub, chassis_id, method, payload)

    monkeypatch.setattr(site.commands, "_call", fails)
    await site.commands.renew_all()
    assert [len(device.calls) for device in there] == [1, 2]
    assert site.metrics.value("lease_renewals_total", result="RuntimeError") == 1
