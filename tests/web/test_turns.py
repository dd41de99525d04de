"""Who may read raw rows now."""

from __future__ import annotations

import asyncio

from duco_rt.errors import TransportError
from duco_rt.web.turns import Turns


class Asker:
    """Takes a turn and keeps it until it may leave; it can go away."""

    def __init__(self, turns: Turns, tenant: str, done: list[str]) -> None:
        self.leave, self.has_gone = asyncio.Event(), False
        self._turns, self._tenant, self._done = turns, tenant, done

    async def take(self) -> str:
        """What became of it. Who has a turn is noted in `done` by tenant."""
        try:
            async with self._turns.turn(self._tenant, lambda: self.has_gone):
                self._done.append(self._tenant)
                await self.leave.wait()
        except TransportError as e:
            return str(e)
        except ConnectionResetError:
            return "gone"
        return "had it"


async def settle() -> None:
    """Let every task go as far as it can."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_turns_are_bounded() -> None:
    """Two at once, some wait, half of them of one tenant, more are refused; who gives up waiting leaves no trace."""
    turns, done = Turns(2, 4), list[str]()
    askers = [Asker(turns, tenant, done) for tenant in "aaaaabbbca"]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(asker.take()) for asker in askers[:9]]
        await settle()
        assert done == ["a", "a"]
        assert "2 requests are waiting to be read, 2 of them of a:" in tasks[4].result()
        assert "4 requests are waiting to be read:" in tasks[7].result()  # b's third
        assert "4 requests are waiting to be read:" in tasks[8].result()
        tasks[3].cancel()
        await settle()
        tasks.append(group.create_task(askers[9].take()))
        await settle()
        for asker in askers:
            asker.leave.set()
    assert [tasks[n].result() for n in (0, 1, 2, 5, 6, 9)] == ["had it"] * 6
    assert sorted(done) == ["a"] * 4 + ["b"] * 2


async def test_tenants_take_turns() -> None:
    """Who has the fewest at work is next, of those each in turn: who came last does not wait for all of one tenant."""
    turns, done = Turns(2, 16), list[str]()
    askers = [Asker(turns, tenant, done) for tenant in ["a"] * 6 + ["b"] * 4 + ["c"] * 2]
    async with asyncio.TaskGroup() as group:
        for asker in askers:
            group.create_task(asker.take())
        await settle()
        assert done == ["a", "a"]
        for asker in askers:
            asker.leave.set()
    assert "".join(done) == "aabacbacbaba"
    assert not turns._waiting
    assert not turns._working


async def test_who_has_gone_has_no_place() -> None:
    """Neither a turn nor a place to wait."""
    turns, done = Turns(1, 4), list[str]()
    askers = [Asker(turns, "a", done) for _ in range(5)]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(asker.take()) for asker in askers[:3]]
        await settle()
        askers[1].has_gone = True
        tasks.append(group.create_task(askers[3].take()))  # its place is free again
        await settle()
        assert (tasks[1].result(), tasks[3].done()) == ("gone", False)
        askers[2].has_gone = True
        for asker in askers:
            asker.leave.set()
    assert [task.result() for task in tasks] == ["had it", "gone", "gone", "had it"]
    assert done == ["a", "a"]


async def test_a_turn_is_passed_on_whatever_happens() -> None:
    """Cancelled at the moment at which it gets one, it gives it to the next."""
    turns, done = Turns(1, 4), list[str]()
    askers = [Asker(turns, "a", done) for _ in range(3)]
    async with asyncio.TaskGroup() as group:
        first, second, third = [group.create_task(asker.take()) for asker in askers]
        await settle()
        askers[0].leave.set()
        while len(turns._waiting["a"]) > 1:  # until the second has it and does not know
            await asyncio.sleep(0)
        second.cancel()
        askers[2].leave.set()
    assert (first.result(), second.cancelled(), third.result()) == ("had it", True, "had it")
    assert done == ["a", "a"]
    assert not turns._working
