"""What every keeper of the command ledger promises, on every adapter."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from duco_rt.errors import BadRequest, NotFound
from duco_rt.model import Command, CommandState, Device, MethodResult
from duco_rt.transports.base_data import Meta
from tests.contracts.test_meta import ADAPTERS

NOW = 1_700_000_000_000
ANSWER = MethodResult(200, {"commandId": "c1", "realtime": True, "ü": [1, None]})


@pytest.fixture(params=["sqlite", pytest.param("http", marks=pytest.mark.servers)])
async def meta(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Meta]:
    """A ledger that knows two devices."""
    async with AsyncExitStack() as stack:
        opened = await ADAPTERS[request.param](tmp_path, stack)
        for name in ("D1", "D2"):
            await opened.put_device(Device(name, "duco", name))
        yield opened
        await opened.close()


def row(command_id: str = "c1", state: CommandState = "sent", at: int = 0, chassis_id: str = "D1") -> Command:
    """A start that began `at` ms after NOW."""
    sent_ms = None if state in ("queued", "leased") else NOW + at
    return Command(
        chassis_id=chassis_id,
        command_id=command_id,
        action="start",
        reason="user_action",
        who="v1",
        state=state,
        queued_ms=NOW + at,
        sent_ms=sent_ms,
    )


async def run(meta: Meta, command: Command, action: str = "start", status: int = 200) -> Command:
    """Send a command and end it with the device's answer 5 ms later."""
    command = replace(command, action="start" if action == "start" else "stop")
    assert await meta.begin_command(command) is None
    state: CommandState = "acknowledged" if status == 200 else "failed"
    answer = MethodResult(status, ANSWER.payload)
    ended = replace(command, state=state, answered_ms=command.queued_ms + 5, answer=answer)
    assert await meta.move_command(ended, "sent")
    return ended


async def test_a_command_goes_through_its_states(meta: Meta) -> None:
    """Queued, sent, acknowledged: each is there to read, with its times and the answer."""
    queued = row(state="queued")
    assert await meta.begin_command(queued) is None
    assert await meta.command("D1", "c1") == queued
    sent = replace(queued, state="sent", sent_ms=NOW + 7)
    assert await meta.move_command(sent, "queued")
    assert await meta.command("D1", "c1") == sent
    done = replace(sent, state="acknowledged", answered_ms=NOW + 9, answer=ANSWER)
    assert await meta.move_command(done, "sent")
    assert await meta.commands("D1", 10) == [done]
    assert await meta.command("D2", "c1") is None
    assert await meta.command("D1", "c2") is None


MOVES: list[tuple[CommandState, CommandState]] = [
    ("queued", "acknowledged"),
    ("queued", "leased"),
    ("sent", "queued"),
    ("acknowledged", "sent"),
    ("expired", "acknowledged"),
    ("leased", "sent"),
]


@pytest.mark.parametrize(("was", "state"), MOVES)
async def test_no_state_goes_back(meta: Meta, was: CommandState, state: CommandState) -> None:
    """Such a move is refused; one from a state that the row is not in changes nothing."""
    with pytest.raises(BadRequest):
        await meta.move_command(row(state=state), was)
    done = await run(meta, row())
    for state in ("failed", "expired", "acknowledged"):
        assert not await meta.move_command(replace(row(), state=state), "sent")
    assert not await meta.move_command(row(), "queued")
    assert not await meta.move_command(replace(row("c2"), state="failed"), "sent")
    assert await meta.commands("D1", 10) == [done]


async def test_an_id_that_acted_is_not_claimed_again(meta: Meta) -> None:
    """It counts a beat; the answer is that of then. Of another device it is another command."""
    done = await run(meta, row())
    expected = replace(done, beats=1, last_beat_ms=NOW + 50)
    assert await meta.begin_command(row(at=50)) == expected
    assert await meta.commands("D1", 10) == [expected]
    assert await meta.begin_command(row(chassis_id="D2")) is None


@pytest.mark.parametrize("state", ["queued", "sent"])
async def test_an_id_that_is_under_way_is_not_claimed(meta: Meta, state: CommandState) -> None:
    """It stays as it was: whoever began it ends it."""
    assert await meta.begin_command(row(state=state)) is None
    assert await meta.begin_command(row(at=5)) == row(state=state)
    assert await meta.commands("D1", 10) == [row(state=state)]


@pytest.mark.parametrize("state", ["failed", "expired"])
async def test_what_did_not_act_may_be_tried_again(meta: Meta, state: CommandState) -> None:
    """With times of its own, and without the error of before; the end of the first try means nothing any more."""
    await meta.begin_command(row())
    assert await meta.move_command(replace(row(), state=state, error="no"), "sent")
    assert await meta.begin_command(row(at=50)) is None
    again = replace(row(at=50), beats=1, last_beat_ms=NOW + 50)
    assert await meta.command("D1", "c1") == again
    assert not await meta.move_command(replace(row(), state="failed"), "sent")
    assert await meta.commands("D1", 10) == [again]


async def test_two_who_claim_at_once(meta: Meta) -> None:
    """One has it, the others get its row."""
    found = await asyncio.gather(*(meta.begin_command(row()) for _ in range(8)))
    assert sorted(earlier is None for earlier in found) == [False] * 7 + [True]
    assert all(earlier in (None, row()) for earlier in found)


async def test_leased_commands_are_noted(meta: Meta) -> None:
    """New ones with the state leased, known ones with their beats; nothing else of a known one changes."""
    done = await run(meta, row())
    beat = replace(row(state="leased", at=60), beats=2, last_beat_ms=NOW + 80)
    other, foreign = row("c2", "leased", 61), row("c1", "leased", 62, "D9")
    await meta.note_commands([beat, other, foreign])
    assert await meta.commands("D1", 10) == [other, replace(done, beats=3, last_beat_ms=NOW + 80)]
    await meta.note_commands([row("c2", "leased", 70)])
    assert (await meta.commands("D1", 10))[0] == replace(other, beats=1, last_beat_ms=NOW + 70)
    await meta.put_device(Device("D9", "duco", ""))
    assert await meta.commands("D9", 10) == []
    with pytest.raises(BadRequest):
        await meta.note_commands([row("c3", "leased"), row("c4", "sent")])
    assert await meta.command("D1", "c3") is None


async def test_a_leased_start_may_act_a_leased_stop_did(meta: Meta) -> None:
    """Nobody sent the start, so it may go out; the stop took its viewer out, and is answered as it was then."""
    stop = replace(row("halt", "leased"), action="stop", answer=ANSWER)
    await meta.note_commands([row("go", "leased"), stop])
    assert await meta.begin_command(row("go", at=5)) is None
    found = await meta.begin_command(replace(row("halt", at=5), action="stop"))
    assert found == replace(stop, beats=1, last_beat_ms=NOW + 5)


async def test_when_a_start_was_acknowledged(meta: Meta) -> None:
    """The newest, or its newest beat that reached the device; nothing after a stop, of a refusal, or of no command."""
    assert await meta.acknowledged_ms("D1") is None
    await meta.fed("D1", NOW)
    assert await meta.acknowledged_ms("D1") is None
    await run(meta, row())
    await run(meta, row(chassis_id="D2"))
    assert await meta.acknowledged_ms("D1") == NOW + 5
    await run(meta, row("c2", at=20), status=409)
    assert await meta.acknowledged_ms("D1") == NOW + 5
    await meta.fed("D1", NOW + 60)
    assert await meta.acknowledged_ms("D1") == NOW + 60
    await run(meta, row("c3", at=70), "stop")
    await meta.fed("D1", NOW + 80)
    assert await meta.acknowledged_ms("D1") is None
    assert await meta.acknowledged_ms("D2") == NOW + 5


async def test_pages_are_newest_first(meta: Meta) -> None:
    """Each begins before the oldest of the last; a millisecond is in one page, which is shorter then."""
    times = [0, 1, 2, 2, 2, 3, 4]
    await meta.note_commands([row(f"c{i}", "leased", at) for i, at in enumerate(times)])
    pages, before_ms = [], None
    while page := await meta.commands("D1", 3, before_ms):
        pages.append([command.command_id for command in page])
        before_ms = page[-1].queued_ms
    assert pages == [["c6", "c5"], ["c4", "c3", "c2"], ["c1", "c0"]]
    assert [command.command_id for command in await meta.commands("D1", 2, NOW + 3)] == ["c4", "c3"]
    assert len(await meta.commands("D1", 500)) == 7


@pytest.mark.parametrize("limit", [0, 501, -1])
async def test_a_page_has_a_size(meta: Meta, limit: int) -> None:
    """1 to 500."""
    with pytest.raises(BadRequest, match=f"limit {limit}"):
        await meta.commands("D1", limit)


async def test_a_device_that_is_not_known(meta: Meta) -> None:
    """Has no ledger; one that was removed keeps what it has."""
    with pytest.raises(NotFound, match="D9"):
        await meta.begin_command(row(chassis_id="D9"))
    with pytest.raises(NotFound, match="D9"):
        await meta.commands("D9", 10)
    await meta.begin_command(row())
    await meta.remove_device("D1")
    assert await meta.commands("D1", 10) == [row()]


async def test_what_was_commanded_is_of_the_tenant_of_then(meta: Meta) -> None:
    """Whoever has the device now neither reads it nor is answered by it; back again, it is there, as it was."""
    done = await run(meta, row())
    await meta.note_commands([row("c2", "leased", 1)])
    await meta.put_device(Device("D1", "other", ""))
    assert await meta.commands("D1", 10) == []
    assert await meta.command("D1", "c1") is None
    theirs = replace(row(at=50), who="theirs")
    assert await meta.begin_command(theirs) is None
    await meta.note_commands([row("c2", "leased", 60)])
    assert await meta.commands("D1", 10) == [row("c2", "leased", 60), theirs]
    ended = replace(theirs, state="failed", answered_ms=NOW + 70, error="no")
    assert await meta.move_command(ended, "sent")
    await meta.remove_device("D1")
    assert await meta.commands("D1", 10) == [row("c2", "leased", 60), ended]
    await meta.put_device(Device("D1", "duco", ""))
    assert await meta.commands("D1", 10) == [row("c2", "leased", 1), done]
    assert await meta.begin_command(row(at=90)) == replace(done, beats=1, last_beat_ms=NOW + 90)
    await meta.put_device(Device("D1", "other", ""))
    assert await meta.commands("D1", 10) == [row("c2", "leased", 60), ended]


_TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(command_id=_TEXT, who=_TEXT, reason=_TEXT, answer=st.dictionaries(_TEXT, _TEXT | st.integers(0, 9), max_size=3))
async def test_texts_come_back_as_they_were(
    meta: Meta, command_id: str, who: str, reason: str, answer: dict[str, object]
) -> None:
    """Ids, viewers, reasons and answers of any letters."""
    command = replace(row(command_id), who=who, reason=reason)
    if await meta.begin_command(command) is not None:
        return  # an example that came before
    done = replace(command, state="acknowledged", answered_ms=NOW, answer=MethodResult(200, answer))
    assert await meta.move_command(done, "sent")
    assert await meta.command("D1", command_id) == done
