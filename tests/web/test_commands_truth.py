"""Studio never says more than what the device said: repeated commands, and devices that go away."""

from __future__ import annotations

import asyncio

from tests.web.conftest import Site
from tests.web.test_commands import command


async def test_a_repeated_start_says_nothing_of_now(site: Site) -> None:
    """After a stop an old start does not count as running: the next new one asks the device itself."""
    device = await site.device()
    await command(site, "start", "v1", commandId="old")
    await command(site, "stop", "v1")
    await command(site, "start", "v1", commandId="old")
    assert device.actions() == ["start", "stop"]
    assert (await command(site, "start", "v1"))[1]["payload"]["source"] == "device"
    assert device.actions() == ["start", "stop", "start"]


async def test_a_repeated_stop_ends_nothing_new(site: Site) -> None:
    """Others who began to watch in between go on."""
    device = await site.device()
    await command(site, "start", "v1")
    await command(site, "stop", commandId="halt")
    await command(site, "start", "v2")
    await command(site, "stop", commandId="halt")
    assert device.actions() == ["start", "stop", "start"]
    assert await site.leases.held() == {"DUCO_001": 1}


async def test_a_command_id_is_of_one_device(site: Site) -> None:
    """The same id for another device is another command."""
    one, other = await site.device(), await site.device("DUCO_002")
    for chassis_id in ("DUCO_001", "DUCO_002"):
        await command(site, "start", "v1", chassis_id)
        await command(site, "stop", None, chassis_id, commandId="halt")
    assert one.actions() == other.actions() == ["start", "stop"]


async def test_a_viewer_of_another_studio_who_comes_during_a_stop(site: Site) -> None:
    """The stop that was on its way ends nothing for them."""
    device = await site.device()
    await command(site, "start", "v1")
    device.answers.clear()
    async with asyncio.TaskGroup() as tasks:
        stopping = tasks.create_task(command(site, "stop", "v1"))
        while len(device.calls) < 2:
            await asyncio.sleep(0)
        await site.leases.renew("DUCO_001", "v2", 60)  # as the other studio does
        device.answers.set()
    assert (await stopping)[1]["payload"]["action"] == "stop"
    assert device.actions() == ["start", "stop", "start"]


async def test_a_studio_that_has_just_started_asks_the_device(site: Site) -> None:
    """A lease may be older than the machine that it is of; what another studio noted holds once this one has heard."""
    device = await site.device()
    await site.leases.renew("DUCO_001", "v0", 60)
    await site.leases.note("DUCO_001", 5)
    assert (await command(site, "start", "v1"))[1]["payload"]["source"] == "device"
    await site.leases.note("DUCO_001", 7)
    answer = (await command(site, "start", "v2"))[1]["payload"]
    assert (answer["source"], answer["ts"]) == ("lease", 7)
    assert device.actions() == ["start"]


async def test_a_renewal_that_failed_ends_the_lease_s_word(site: Site) -> None:
    """The device refuses or is away: the next viewer asks it, and is not told that the stream is on."""
    device = await site.device()
    await command(site, "start", "v1")
    device.status = 409
    await site.commands.renew_all()
    assert (await command(site, "start", "v2"))[1]["status"] == 409
    device.status = 200
    assert (await command(site, "start", "v2"))[1]["payload"]["source"] == "device"
    await site.disconnect("DUCO_001")
    site.clock.now_s += 58
    await command(site, "start", "v2")
    await site.commands.renew_all()
    assert (await command(site, "start", "v2"))[0] == 409


async def test_the_cron_does_not_start_what_was_stopped_meanwhile(site: Site) -> None:
    """A stop that comes while the cron is at work is the last word."""
    device = await site.device()
    await command(site, "start", "v1")
    held = site.leases.held

    async def stop_in_between() -> dict[str, int]:
        found = await held()
        site.leases.held = held  # type: ignore[method-assign]  # only the cron's own look is early
        await command(site, "stop", "v1")
        return found

    site.leases.held = stop_in_between  # type: ignore[method-assign]  # the moment between look and renewal
    await site.commands.renew_all()
    assert device.actions() == ["start", "stop"]
