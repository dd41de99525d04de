"""Heartbeats from the lease on their way into the ledger: collected, bounded, patient."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace

from duco_rt.errors import BadRequest, TransportError
from duco_rt.model import Command, Device
from duco_rt.seeing.metrics import Metrics
from duco_rt.transports.meta_sqlite import SqliteMeta
from duco_rt.web.leased_notes import LeasedNotes
from tests.contracts.test_command_ledger import NOW, row


class Ledger(SqliteMeta):
    """The real ledger, which can be away, refuse, and be slow."""

    error: Exception | None = None
    batches: list[int]
    free: asyncio.Event

    async def note_commands(self, commands: Sequence[Command]) -> None:
        """Count the hand-overs."""
        await self.free.wait()
        if self.error is not None:
            raise self.error
        self.batches.append(len(commands))
        await super().note_commands(commands)


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    """An open one that knows D1."""
    opened = Ledger(tmp_path / "meta.sqlite")
    opened.batches, opened.free = [], asyncio.Event()
    opened.free.set()
    await opened.open()
    await opened.put_device(Device("D1", "duco", ""))
    yield opened
    await opened.close()


def leased(command_id: str, at: int = 0) -> Command:
    """A heartbeat."""
    return row(command_id, "leased", at)


async def ids(ledger: Ledger) -> list[str]:
    """What the ledger has, newest first."""
    return [command.command_id for command in await ledger.commands("D1", 500)]


async def test_one_hand_over_for_all_that_waits(ledger: Ledger) -> None:
    """Each once; the same id again is a beat of the one that waits."""
    notes = LeasedNotes(ledger, Metrics())
    for i in range(200):
        notes.add(leased(f"c{i}", i))
    for at in (300, 400):
        notes.add(leased("c7", at))
    await notes.flush()
    await notes.flush()
    assert ledger.batches == [200]
    assert await ledger.command("D1", "c7") == replace(leased("c7", 7), beats=2, last_beat_ms=NOW + 400)
    assert notes.waiting("D1", "c7") is None


async def test_while_metaapi_is_away_they_wait(ledger: Ledger) -> None:
    """And are handed over once it is back, with what came meanwhile."""
    metrics = Metrics()
    notes = LeasedNotes(ledger, metrics)
    ledger.error = TransportError("away")
    for at, command_id in enumerate(("a", "b", "a")):
        notes.add(leased(command_id, at))
        await notes.flush()
    assert metrics.value("ledger_notes_depth") == 2
    ledger.error = None
    await notes.flush()
    assert await ids(ledger) == ["b", "a"]
    assert await ledger.command("D1", "a") == replace(leased("a"), beats=1, last_beat_ms=NOW + 2)
    assert metrics.value("ledger_notes_depth") == 0


async def test_beats_of_a_hand_over_that_failed(ledger: Ledger) -> None:
    """What came while it was on its way is put together with it."""
    notes = LeasedNotes(ledger, Metrics())
    notes.add(leased("a"))
    ledger.free.clear()
    ledger.error = TransportError("away")
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(notes.flush())
        await asyncio.sleep(0)
        notes.add(leased("a", 5))
        ledger.free.set()
    ledger.error = None
    await notes.flush()
    assert await ledger.command("D1", "a") == replace(leased("a"), beats=1, last_beat_ms=NOW + 5)


async def test_the_oldest_goes_where_there_are_too_many(ledger: Ledger) -> None:
    """Counted; also among those that came back."""
    metrics = Metrics()
    notes = LeasedNotes(ledger, metrics, rows_max=3)
    ledger.error = TransportError("away")
    for i in range(5):
        notes.add(leased(f"c{i}", i))
        await notes.flush()
    assert metrics.value("ledger_notes_dropped_total") == 2
    ledger.free.clear()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(notes.flush())
        await asyncio.sleep(0)
        notes.add(leased("c5", 5))
        ledger.free.set()
    assert metrics.value("ledger_notes_dropped_total") == 3
    ledger.error = None
    await notes.flush()
    assert await ids(ledger) == ["c5", "c4", "c3"]


async def test_what_the_ledger_refuses_is_dropped(ledger: Ledger) -> None:
    """Counted; it does not come again for ever."""
    metrics = Metrics()
    notes = LeasedNotes(ledger, metrics)
    ledger.error = BadRequest("no")
    notes.add(leased("a"))
    await notes.flush()
    ledger.error = None
    notes.add(leased("b"))
    await notes.flush()
    assert await ids(ledger) == ["b"]
    assert metrics.value("ledger_notes_dropped_total") == 1


async def test_the_end_hands_over_what_is_left(ledger: Ledger) -> None:
    """Also what was on its way at that moment."""
    notes = LeasedNotes(ledger, Metrics(), period_s=0.01)
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(notes.run())
        ledger.free.clear()
        notes.add(leased("a"))
        while notes.waiting("D1", "a"):
            await asyncio.sleep(0.001)
        notes.add(leased("b", 1))
        notes._period_s = 20.0  # what it has for the end: a disk may be slow
        running.cancel()
        await asyncio.sleep(0)
        ledger.free.set()
    assert await ids(ledger) == ["b", "a"]


async def test_a_ledger_that_never_answers_does_not_hold_up_the_end(ledger: Ledger) -> None:
    """It has one period."""
    notes = LeasedNotes(ledger, Metrics(), period_s=0.01)
    notes.add(leased("a"))
    ledger.free.clear()
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(notes.run())
        await asyncio.sleep(0)
        running.cancel()
    assert running.cancelled()
    ledger.free.set()


async def test_an_error_that_nobody_thought_of(ledger: Ledger) -> None:
    """It ends the run; begun again it hands over what had been taken."""
    notes = LeasedNotes(ledger, Metrics(), period_s=0.001)
    ledger.error = RuntimeError("a defect")
    notes.add(leased("a"))
    with pytest.raises(RuntimeError, match="a defect"):
        await notes.run()
    ledger.error = None
    await notes.flush()
    assert await ids(ledger) == ["a"]
