"""Parts that fail are begun again, told and counted; what only the operator can mend is raised at the start."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any

import pytest
import structlog

from duco_rt.errors import ConfigError, TransportError
from duco_rt.seeing.metrics import Metrics
from duco_rt.supervisor import Pauses, Supervisor, leaves

QUICK = Pauses(0.001, 0.004, 60.0)


class SetClock:
    """A clock that a test sets."""

    now_s = 100.0

    def wall_ms(self) -> int:
        """Nobody asks."""
        raise NotImplementedError

    def steady_s(self) -> float:
        """As set."""
        return self.now_s


class Failing:
    """A part that does each of `ends` once, then runs on."""

    def __init__(self, *ends: Callable[[], Awaitable[None]]) -> None:
        self.runs = 0
        self.runs_on = asyncio.Event()
        self._ends = list(ends)

    async def run(self) -> None:
        """As the test has it."""
        self.runs += 1
        if self._ends:
            await self._ends.pop(0)()
        else:
            self.runs_on.set()
            await asyncio.Event().wait()


def raising(error: BaseException) -> Callable[[], Coroutine[Any, Any, None]]:
    """An end by an error."""

    async def end() -> None:
        raise error

    return end


async def returning() -> None:
    """An end without an error."""


async def cancelled_by_a_library() -> None:
    """A CancelledError that comes out of a driver, though nobody cancelled the part."""
    raise asyncio.CancelledError


async def cancelled_from_within() -> None:
    """A cancel of its own task, which looks as one from outside."""
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    await asyncio.sleep(0)


async def in_a_group() -> None:
    """An error in a group of tasks."""
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(raising(OSError("a socket"))())


@pytest.fixture
def events() -> Any:
    """What is logged."""
    with structlog.testing.capture_logs() as found:
        yield found


@pytest.mark.parametrize(
    ("end", "said"),
    [
        (raising(RuntimeError("a defect")), "RuntimeError: a defect"),
        (raising(TransportError("no broker")), "TransportError: no broker"),
        (raising(ConfigError("hub.url")), "ConfigError: hub.url"),
        (raising(KeyError()), "KeyError"),
        (returning, "RuntimeError: it ended by itself"),
        (cancelled_by_a_library, "RuntimeError: cancelled, by nobody here"),
        (in_a_group, "OSError: a socket"),
    ],
)
async def test_whatever_ends_a_part_it_is_begun_again(
    end: Callable[[], Awaitable[None]], said: str, events: list[dict[str, Any]]
) -> None:
    """The error is in the log and counted; the others go on undisturbed."""
    metrics, part, other = Metrics(), Failing(end), Failing()
    async with asyncio.timeout(20), Supervisor(metrics, SetClock(), QUICK) as parts:
        parts.start("other", other.run)
        parts.ready()
        parts.start("device D", part.run, kind="device")
        await part.runs_on.wait()
        assert parts.states() == {"other": "ok", "device D": "ok"}
    assert (part.runs, other.runs) == (2, 1)
    assert metrics.value("component_restarts_total", component="device") == 1
    (event,) = events
    assert (event["part"], event["error"], event["log_level"]) == ("device D", said, "error")
    assert event["exc_info"] is not None


async def test_states_name_the_error_and_the_time() -> None:
    """While it waits to be begun again."""
    clock, waits = SetClock(), asyncio.Event()
    async with Supervisor(Metrics(), clock, Pauses(1000.0, 1000.0)) as parts:
        parts.start("hub", raising(RuntimeError("a defect")))
        while parts.states()["hub"] == "ok":
            await asyncio.sleep(0)
        states = parts.states()["hub"]
        before, _, why = states.partition(" s: ")
        assert why == "RuntimeError: a defect"
        assert 500 <= int(before.removeprefix("restarting in ")) <= 1000
        clock.now_s += 2000
        assert parts.states()["hub"] == "restarting in 0 s: RuntimeError: a defect"
        waits.set()


async def test_the_same_error_is_told_at_length_once(events: list[dict[str, Any]]) -> None:
    """Then in short, until another one comes."""
    same, other = raising(RuntimeError("same")), raising(RuntimeError("other"))
    part = Failing(same, same, same, other, same)
    async with asyncio.timeout(20), Supervisor(Metrics(), SetClock(), QUICK) as parts:
        parts.start("hub", part.run)
        await part.runs_on.wait()
    assert [event["exc_info"] is not None for event in events] == [True, False, False, True, True]
    assert [event["failures"] for event in events] == [1, 2, 3, 4, 5]


async def test_pauses_grow_and_begin_anew_after_health(events: list[dict[str, Any]]) -> None:
    """Doubled up to the most, in its upper half; a part that was well for long begins at the first."""
    clock = SetClock()

    async def after_a_minute() -> None:
        clock.now_s += 60
        raise RuntimeError

    part = Failing(*[raising(RuntimeError())] * 5, after_a_minute)
    async with asyncio.timeout(20), Supervisor(Metrics(), clock, Pauses(0.1, 0.4, 60.0)) as parts:
        parts.start("hub", part.run)
        await part.runs_on.wait()
    pauses = [event["again_s"] for event in events]
    ceilings = [0.1, 0.2, 0.4, 0.4, 0.4, 0.1]
    assert all(top / 2 - 0.06 <= pause <= top + 0.06 for pause, top in zip(pauses, ceilings, strict=True)), pauses
    assert [event["failures"] for event in events] == [1, 2, 3, 4, 5, 1]


@pytest.mark.parametrize("wrap", [False, True])
async def test_what_the_operator_must_mend_ends_the_start(wrap: bool) -> None:
    """Also out of a group; after the start it is an error as any other."""
    error = ConfigError("hub.url = 'x': no")
    part = Failing(raising(ExceptionGroup("tasks", [error]) if wrap else error))
    with pytest.raises(ConfigError, match=r"hub\.url"):
        async with Supervisor(Metrics(), SetClock(), Pauses(1000.0, 1000.0)) as parts:
            parts.start("hub", part.run)
            await asyncio.sleep(0.001)
            parts.ready()
    assert part.runs == 1


async def test_hurry_ends_the_pauses() -> None:
    """Who drains does not wait for a part's turn, and a part that goes on failing does not spin."""
    part = Failing(*[raising(RuntimeError())] * 3)
    async with asyncio.timeout(20), Supervisor(Metrics(), SetClock(), Pauses(0.05, 1000.0)) as parts:
        parts.start("hub", part.run)
        await asyncio.sleep(0)
        parts.hurry()
        await part.runs_on.wait()
    assert part.runs == 4


async def test_the_end_cancels_and_waits() -> None:
    """Parts that run have their time to end; those that wait to be begun again end too, and one can be ended alone."""
    ended: list[str] = []

    async def orderly(name: str) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.append(name)

    async with asyncio.timeout(20), Supervisor(Metrics(), SetClock(), Pauses(1000.0, 1000.0)) as parts:
        parts.start("a", lambda: orderly("a"))
        parts.start("b", raising(RuntimeError()))
        end = parts.start("c", lambda: orderly("c"))
        await asyncio.sleep(0.001)
        end()
        while "c" in parts.states():
            await asyncio.sleep(0)
        assert (ended, set(parts.states())) == (["c"], {"a", "b"})
    assert ended == ["c", "a"]


@pytest.mark.parametrize("exit_", [SystemExit(3), KeyboardInterrupt()])
def test_an_exit_of_the_program_passes(exit_: BaseException) -> None:
    """KeyboardInterrupt and SystemExit are nobody's to catch."""

    async def use() -> None:
        async with Supervisor(Metrics(), SetClock(), QUICK) as parts:
            parts.start("a", raising(exit_))
            await asyncio.Event().wait()

    with pytest.raises(type(exit_)):
        asyncio.run(use())


async def test_an_error_of_the_block_comes_as_it_is() -> None:
    """Not in a group; the parts are ended."""
    part = Failing()
    with pytest.raises(ValueError, match="of the block"):
        async with Supervisor(Metrics(), SetClock(), QUICK) as parts:
            parts.start("a", part.run)
            await part.runs_on.wait()
            raise ValueError("of the block")
    assert parts.states() == {}


def test_leaves() -> None:
    """Of groups in groups."""
    one, two = ValueError("1"), KeyError("2")
    assert leaves(ExceptionGroup("a", [one, ExceptionGroup("b", [two])])) == [one, two]
    assert leaves(one) == [one]


async def test_who_takes_a_cancel_for_something_else_is_cancelled_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A part that fails while it is cancelled ends, and so does one that swallows it."""
    monkeypatch.setattr("duco_rt.supervisor._END_S", 0.01)
    began = [asyncio.Event(), asyncio.Event()]

    async def fails() -> None:
        try:
            began[0].set()
            await asyncio.Event().wait()
        except asyncio.CancelledError as e:
            raise RuntimeError("a defect") from e

    async def swallows() -> None:
        with suppress(asyncio.CancelledError):
            began[1].set()
            await asyncio.Event().wait()
        await asyncio.Event().wait()

    async with asyncio.timeout(20), Supervisor(Metrics(), SetClock(), QUICK) as parts:
        parts.start("a", fails)
        parts.start("b", swallows)
        await asyncio.gather(*(each.wait() for each in began))
    assert parts.states() == {}


async def test_the_end_may_be_cancelled() -> None:
    """Who waits for it is not held; the parts have been told."""
    ended = asyncio.Event()

    async def orderly() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await ended.wait()

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            async with Supervisor(Metrics(), SetClock(), QUICK) as parts:
                parts.start("a", orderly)
                asyncio.get_running_loop().call_later(0.05, ended.set)
                await asyncio.Event().wait()


async def test_a_part_that_cancels_itself_is_begun_again() -> None:
    """It ends only where somebody asked for that."""
    part = Failing(cancelled_from_within, in_a_group, cancelled_by_a_library)
    async with asyncio.timeout(20), Supervisor(Metrics(), SetClock(), QUICK) as parts:
        end = parts.start("hub", part.run)
        await part.runs_on.wait()
        assert (part.runs, dict(parts.states())) == (4, {"hub": "ok"})
        end()
        while parts.states():
            await asyncio.sleep(0)
