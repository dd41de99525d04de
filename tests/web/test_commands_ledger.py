"""Several studios on one MetaAPI over HTTP: what acted at one acted for all, also after restarts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from duco_rt.errors import DeviceTimeout, TransportError
from tests.web.conftest import NOW_MS
from tests.web.studios import Studios

pytestmark = pytest.mark.servers


@pytest.fixture
async def both(tmp_path: Path) -> AsyncIterator[Studios]:
    """Two studios."""
    async with Studios(tmp_path).running() as running:
        yield running


async def test_a_start_repeated_at_another_studio_acts_once(both: Studios) -> None:
    """It gets the device's answer of then, and is a beat of the same row."""
    first = await both.send(0, "start", "v1", "mine")
    again = await both.send(1, "start", "v1", "mine")
    assert again == first
    assert both.device.actions() == ["start"]
    row = await both.row("mine")
    assert (row.who, row.state, row.beats, row.answer) == ("v1", "acknowledged", 1, first)


async def test_a_start_that_is_under_way_at_another_studio(both: Studios) -> None:
    """Both get the one answer."""
    both.device.answers.clear()
    async with asyncio.TaskGroup() as tasks:
        calls = [tasks.create_task(both.send(studio, "start", "v1", "mine")) for studio in (0, 1)]
        while not both.device.calls:
            await asyncio.sleep(0.001)
        both.device.answers.set()
    assert calls[0].result() == calls[1].result()
    assert both.device.actions() == ["start"]


async def test_a_stop_repeated_at_another_studio_ends_nothing_new(both: Studios) -> None:
    """Others who began to watch in between go on, whoever the stop was of."""
    await both.send(0, "start", "v1")
    stopped = await both.send(0, "stop", None, "halt")
    await both.send(0, "start", "v2")
    assert await both.send(1, "stop", None, "halt") == stopped
    assert both.device.actions() == ["start", "stop", "start"]
    assert await both.leases.held() == {"D1": 1}


async def test_a_stop_repeated_while_it_is_under_way(both: Studios) -> None:
    """Who began to watch meanwhile is not put out by the second studio."""
    await both.send(0, "start", "v1")
    both.device.answers.clear()
    async with asyncio.TaskGroup() as tasks:
        calls = [tasks.create_task(both.send(0, "stop", None, "halt"))]
        while len(both.device.calls) < 2:
            await asyncio.sleep(0.001)
        await both.leases.renew("D1", "v2", 60)  # as a third studio does
        calls.append(tasks.create_task(both.send(1, "stop", None, "halt")))
        while both.asked < 3:  # the second stop waits where the first does
            await asyncio.sleep(0.001)
        both.device.answers.set()
    assert calls[0].result() == calls[1].result()
    assert await both.leases.held() == {"D1": 1}
    assert both.device.actions() == ["start", "stop", "start"]


async def test_a_leave_repeated_at_another_studio(both: Studios) -> None:
    """It took its viewer out once; the same viewer who came again since goes on."""
    for viewer in ("v1", "v2"):
        await both.send(0, "start", viewer)
    left = await both.send(0, "stop", "v1", "leave")
    assert left.payload["source"] == "lease"
    await both.send(1, "stop", "v2")
    await both.send(0, "start", "v1")
    assert await both.send(1, "stop", "v1", "leave") == left
    assert both.device.actions() == ["start", "stop", "start"]
    assert await both.leases.held() == {"D1": 1}
    assert (await both.row("leave")).state == "leased"


async def test_after_a_restart_of_everything(both: Studios, tmp_path: Path) -> None:
    """MetaAPI and studios remember nothing by themselves, and yet a command acts once."""
    first = await both.send(0, "start", "v1", "go")
    halted = await both.send(0, "stop", None, "halt")
    await both.end()
    async with Studios(tmp_path).running() as new:
        assert await new.send(0, "start", "v1", "go") == first
        assert await new.send(1, "stop", "v1", "halt") == halted
        assert new.device.calls == []
        await new.send(0, "start", "v1", "next")
        assert new.device.actions() == ["start"]


async def test_killed_between_sent_and_answer(both: Studios, tmp_path: Path) -> None:
    """Nobody knows whether the device acted: the row says so, and the same id may be tried again."""
    both.device.answers.clear()
    async with asyncio.TaskGroup() as tasks:
        killed = tasks.create_task(both.send(0, "start", "v1", "go"))
        while not both.device.calls:
            await asyncio.sleep(0.001)
        await both.meta.close()  # from here on it writes nothing any more
        killed.cancel()
    await both.end()
    async with Studios(tmp_path).running() as new:
        row = await new.row("go")
        assert (row.state, row.answer, row.answered_ms) == ("expired", None, None)
        assert row.error is not None and row.error.startswith("unknown outcome")
        assert (await new.send(1, "start", "v1", "go")).status == 200
        row = await new.row("go")
        assert (row.state, row.beats, row.error) == ("acknowledged", 1, None)


async def test_heartbeats_from_the_lease_are_in_the_ledger(both: Studios) -> None:
    """One row a viewer and commandId, handed over together; the same id again is a beat of it."""
    await both.send(0, "start", "v1")
    for viewer in ("v1", "v2", "v2"):
        both.clock.now_s += 1
        await both.send(0, "start", viewer, f"beat {viewer}")
    await both.studios[0].notes.flush()
    rows = (await both.meta.commands("D1", 10))[:2]
    assert [(row.command_id, row.who, row.state, row.queued_ms, row.beats) for row in rows] == [
        ("beat v2", "v2", "leased", NOW_MS + 2_000, 1),
        ("beat v1", "v1", "leased", NOW_MS + 1_000, 0),
    ]
    assert both.device.actions() == ["start"]


async def test_a_heartbeat_that_was_leased_may_act_later(both: Studios) -> None:
    """Once its lease is gone the same id goes to the device, for the first time."""
    await both.send(0, "start", "v1")
    await both.send(0, "start", "v1", "beat")
    await both.studios[0].notes.flush()
    both.clock.now_s += 61
    assert (await both.send(1, "start", "v1", "beat")).payload["source"] == "device"
    assert [call["commandId"] for call in both.device.calls][1:] == ["beat"]
    assert (await both.row("beat")).state == "acknowledged"


async def test_the_crons_commands_have_ids_of_their_own(both: Studios) -> None:
    """And its name; it is the newest that the device acknowledged."""
    await both.send(0, "start", "v1")
    for studio in both.studios:
        both.clock.now_s += 55
        await both.send(0, "start", "v1")
        await studio.renew_all()
    rows = [row for row in await both.meta.commands("D1", 10) if row.who == "cron"]
    assert [(row.reason, row.state) for row in rows] == [("lease", "acknowledged")] * 2
    assert len({row.command_id for row in rows}) == 2
    assert await both.meta.acknowledged_ms("D1") == both.clock.wall_ms()


async def test_a_studio_whose_metaapi_is_away_goes_on_answering(both: Studios) -> None:
    """From its leases; what it answered is in the ledger later. What needs the device fails, and puts nobody out."""
    await both.send(0, "start", "v1")
    await both.end()
    for viewer in ("v1", "v2", "v3"):
        assert (await both.send(0, "start", viewer, f"beat {viewer}")).payload["source"] == "lease"
    assert (await both.send(0, "stop", "v2", "leave")).payload["source"] == "lease"
    assert (await both.send(0, "stop", "v2", "leave")).payload["source"] == "lease"
    with pytest.raises(TransportError):
        await both.send(0, "stop", None)
    assert await both.leases.held() == {"D1": 2}
    await both.studios[0].notes.flush()
    await both.begin()
    await both.studios[0].notes.flush()
    assert {row.command_id for row in await both.meta.commands("D1", 10) if row.state == "leased"} == {
        "beat v1",
        "beat v2",
        "beat v3",
        "leave",
    }
    assert (await both.row("leave")).beats == 1


async def test_a_command_that_waited_for_another_studios(tmp_path: Path) -> None:
    """A device that is silent: the first times out, the second is sent after it; each row says what is known."""
    async with Studios(tmp_path, method_timeout_s=0.2).running() as both:
        both.device.answers.clear()
        found = await asyncio.gather(
            both.send(0, "start", "v1", "first"), both.send(1, "stop", None, "second"), return_exceptions=True
        )
        assert all(isinstance(error, DeviceTimeout) for error in found)
        for command_id in ("first", "second"):
            assert (await both.row(command_id)).state == "expired"
