"""Commands by the ledger: a row before the device hears of it, what it says after each outcome, and heartbeats."""

from __future__ import annotations

import asyncio

import pytest

from duco_rt.errors import DeviceOffline, DeviceTimeout, TransportError
from duco_rt.model import Command, CommandState, MethodResult
from duco_rt.web.ledger import answered, command_of
from tests.web.conftest import METHOD_TIMEOUT_S, NOW_MS, Site
from tests.web.test_methods import call, payload


async def in_ledger(site: Site, command_id: str = "c1") -> Command:
    """A command's row."""
    row = await site.meta.command("DUCO_001", command_id)
    assert row is not None
    return row


async def test_a_call_that_failed_may_be_tried_again(site: Site) -> None:
    """Offline, then too slow, then refused, then answered: the same commandId all the time."""
    states = []
    with pytest.raises(DeviceOffline):
        await call(site, payload())
    states.append(await in_ledger(site))
    device = await site.device()
    device.answers.clear()
    site.methods._timeout_s = 0.2
    with pytest.raises(DeviceTimeout):
        await call(site, payload())
    site.methods._timeout_s = METHOD_TIMEOUT_S
    states.append(await in_ledger(site))
    device.answers.set()
    for device.status in (409, 200):
        assert (await call(site, payload())).status == device.status
        states.append(await in_ledger(site))
    assert len(device.calls) == 3
    assert [row.state for row in states] == ["failed", "expired", "failed", "acknowledged"]
    assert [row.beats for row in states] == [0, 1, 2, 3]
    assert [row.answer and row.answer.status for row in states] == [None, None, 409, 200]
    assert [row.error for row in states] == [
        "device DUCO_001 is not connected",
        "device DUCO_001 did not answer setRealTimeUpload within 0.2 s",
        None,
        None,
    ]


async def test_a_command_is_in_the_ledger_before_the_device_hears_of_it(site: Site) -> None:
    """As sent; one that waits for its turn as queued."""
    device = await site.device()
    device.answers.clear()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(call(site, payload("c1")))
        while not device.calls:
            await asyncio.sleep(0.001)
        site.clock.now_s += 1
        tasks.create_task(call(site, payload("c2", viewerId="v1")))
        while await site.meta.command("DUCO_001", "c2") is None:
            await asyncio.sleep(0.001)
        newest = await site.meta.commands("DUCO_001", 10)
        assert [(row.command_id, row.state, row.sent_ms) for row in newest] == [
            ("c2", "queued", None),
            ("c1", "sent", NOW_MS),
        ]
        site.clock.now_s += 1
        device.answers.set()
    newest = await site.meta.commands("DUCO_001", 10)
    assert [(row.state, row.queued_ms, row.sent_ms, row.answered_ms) for row in newest] == [
        ("acknowledged", NOW_MS + 1_000, NOW_MS + 2_000, NOW_MS + 2_000),
        ("acknowledged", NOW_MS, NOW_MS, NOW_MS + 2_000),
    ]


async def test_a_command_whose_turn_comes_too_late_is_not_sent(site: Site) -> None:
    """504; its row says so, and it may be tried again."""
    device = await site.device()
    busy = site.methods._busy.setdefault("DUCO_001", asyncio.Lock())
    site.methods._timeout_s = 0.2
    async with busy:
        with pytest.raises(DeviceTimeout, match="not sent"):
            await call(site, payload())
    site.methods._timeout_s = METHOD_TIMEOUT_S
    row = await in_ledger(site)
    assert (row.state, row.sent_ms, device.calls) == ("expired", None, [])
    assert row.error == "device DUCO_001 was busy with others for 0.2 s: not sent"
    assert (await call(site, payload())).status == 200


async def test_a_caller_who_gives_up_leaves_no_open_row(site: Site) -> None:
    """Whether it was sent, and that nobody knows whether the device acted; the next has its turn."""
    device = await site.device()
    device.answers.clear()
    async with asyncio.TaskGroup() as tasks:
        first = tasks.create_task(call(site, payload("c1")))
        while not device.calls:
            await asyncio.sleep(0.001)
        second = tasks.create_task(call(site, payload("c2")))
        while await site.meta.command("DUCO_001", "c2") is None:
            await asyncio.sleep(0.001)
        second.cancel()
        first.cancel()
    device.answers.set()
    rows = await site.meta.commands("DUCO_001", 10)
    assert [(row.state, row.sent_ms, row.error) for row in rows] == [
        ("expired", None, "the caller gave up waiting for its turn: not sent"),
        ("expired", NOW_MS, "unknown outcome: the caller gave up before the device's answer came"),
    ]
    assert (await call(site, payload("c3"))).status == 200


@pytest.mark.parametrize("turns", range(6))
async def test_a_caller_who_gives_up_at_any_moment(site: Site, turns: int) -> None:
    """Also while the ledger is being written: no row stays open."""
    device = await site.device()
    device.answers.clear()
    async with asyncio.TaskGroup() as tasks:
        calling = tasks.create_task(call(site, payload()))
        for _ in range(turns):
            await site.meta.check()  # as long as the ledger takes
        calling.cancel()
    row = await site.meta.command("DUCO_001", "c1")
    assert row is None or row.state == "expired"
    device.answers.set()
    assert (await call(site, payload())).status == 200


async def test_a_start_that_comes_again_feeds_the_watchdog(site: Site) -> None:
    """Not sooner than 10 s after the last; the answer is that of then, the ledger has the beats and when it was fed."""
    device = await site.device()
    first = await call(site, payload())
    for after_s, calls in ((5, 1), (10, 2), (12, 2), (20, 3)):
        site.clock.now_s = NOW_MS / 1000 + after_s
        assert await call(site, payload()) == first
        assert len(device.calls) == calls
    assert await site.meta.acknowledged_ms("DUCO_001") == NOW_MS + 20_000
    row = await in_ledger(site)
    assert (row.beats, row.last_beat_ms, row.answered_ms) == (4, NOW_MS + 20_000, NOW_MS)


async def test_a_heartbeat_that_does_not_arrive_says_so(site: Site) -> None:
    """The device's refusal, or that it is away; what it said then stays in the ledger."""
    device = await site.device()
    first = await call(site, payload())
    site.clock.now_s += 60
    device.status = 409
    assert (await call(site, payload())).status == 409
    await site.disconnect("DUCO_001")
    with pytest.raises(DeviceOffline):
        await call(site, payload())
    row = await in_ledger(site)
    assert (row.state, row.answer, row.beats) == ("acknowledged", first, 2)
    assert await site.meta.acknowledged_ms("DUCO_001") == NOW_MS


async def test_a_start_that_comes_again_after_a_stop_feeds_nothing(site: Site) -> None:
    """The stop is the last word; a stop that comes again is not sent again either."""
    device = await site.device()
    for name, action in (("c1", "start"), ("c2", "stop")):
        await call(site, payload(name, action))
    site.clock.now_s += 60
    for name, action in (("c1", "start"), ("c2", "stop"), ("c1", "stop")):
        assert (await call(site, payload(name, action))).payload["commandId"] == name
    assert device.actions() == ["start", "stop"]
    await call(site, payload("c3"))
    site.clock.now_s += 60
    await call(site, payload("c1"))
    assert device.actions() == ["start", "stop", "start", "start"]


async def test_a_command_that_another_process_is_on(site: Site) -> None:
    """Its outcome is waited for; where none comes the answer is that it is not known, and the device hears nothing."""
    device = await site.device()
    elsewhere = command_of("DUCO_001", payload(), "sent", NOW_MS)
    await site.meta.begin_command(elsewhere)
    site.methods._timeout_s = 0.2
    with pytest.raises(DeviceTimeout, match="not known"):
        await call(site, payload())
    site.methods._timeout_s = METHOD_TIMEOUT_S
    async with asyncio.TaskGroup() as tasks:
        waiting = tasks.create_task(call(site, payload()))
        await asyncio.sleep(0.01)
        await site.meta.move_command(answered(elsewhere, MethodResult(200, {"x": 1}), NOW_MS), "sent")
    assert waiting.result() == MethodResult(200, {"x": 1})
    assert device.calls == []


@pytest.mark.parametrize("state", ["queued", "sent"])
async def test_a_row_that_nobody_ended_is_given_up(site: Site, state: CommandState) -> None:
    """After three time-outs it is nobody's: the command may be tried again."""
    device = await site.device()
    await site.meta.begin_command(command_of("DUCO_001", payload(), state, NOW_MS))
    site.clock.now_s += 3.5 * METHOD_TIMEOUT_S
    assert (await call(site, payload())).status == 200
    assert len(device.calls) == 1


async def test_a_ledger_that_cannot_be_written(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before: the command does not go out. After: the device's own answer is given, and the loss is counted."""
    device = await site.device()

    async def fails(*_: object) -> bool:
        raise TransportError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(site.meta, "begin_command", fails)
        with pytest.raises(TransportError, match="disk is full"):
            await call(site, payload())
    assert device.calls == []
    with monkeypatch.context() as patched:
        patched.setattr(site.meta, "move_command", fails)
        assert (await call(site, payload())).status == 200
    assert site.metrics.value("ledger_lost_total") == 1
    assert (await in_ledger(site)).state == "sent"
