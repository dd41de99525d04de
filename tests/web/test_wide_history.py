"""Wide ranges: the same rows in portions, in turns, and not for who has gone."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from duco_rt.errors import TransportError
from duco_rt.model import History, Peer, Sample, Span
from duco_rt.web import wide_history
from duco_rt.web.thin import gaps, thin
from duco_rt.web.wide_history import Ask, WideHistory, portions
from tests.web.conftest import ListStore

PEER = Peer("duco", "DUCO_001", "vehicle_can")
MODES = [(False, False), (True, False), (False, True), (True, True)]
DAY_MS = 86_400_000


class PortionStore(ListStore):
    """Counts what is asked for; `at_work` is how many are at most, while `goes_on` is not set."""

    def __init__(self, seconds: Sequence[int] = ()) -> None:
        super().__init__()
        self.samples = [
            Sample(
                PEER, i * 1000, i, 0, {"a": float(i % 7), "b": i} if i % 3 else {"a": -1.0}, {"a": Span(-2.0, 9.0, 3)}
            )
            for i in seconds
        ]
        self.asked: list[tuple[int, int]] = []
        self.at_work = self.most_at_work = 0
        self.goes_on = asyncio.Event()
        self.goes_on.set()

    async def thinned(self, *args: Any, **more: Any) -> History:
        """Note the range."""
        self.asked.append(args[2:4])
        self.at_work += 1
        self.most_at_work = max(self.most_at_work, self.at_work)
        await self.goes_on.wait()
        self.at_work -= 1
        return await super().thinned(*args, **more)


@pytest.mark.parametrize(("stats", "means"), MODES)
async def test_portions_give_what_the_whole_gives(stats: bool, means: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows, stats and means; in ranges that do not begin with a bucket."""
    monkeypatch.setattr(wide_history, "_VALUES", 40)
    store = PortionStore([*range(50), *range(90, 200)])
    for from_ms, to_ms, points in ((0, 199_000, 20), (-1500, 177_123, 33), (40_000, 95_000, 3), (7, 8, 2)):
        ask = Ask(PEER, ["a", "b", "never"], from_ms, to_ms, points, stats, means)
        found, breaks = await WideHistory(store).read(ask)
        rows = await store.history(PEER, ask.fields, from_ms, to_ms, stats)
        assert found == thin(rows, points, means)
        assert breaks == gaps(rows.seq, rows.ts)
    assert len(store.asked) > 10


async def test_few_rows_come_as_they_are() -> None:
    """And are not read in buckets."""
    store = PortionStore(range(20))
    found, _ = await WideHistory(store).read(Ask(PEER, ["a"], 0, DAY_MS, 20))
    assert found == await store.history(PEER, ["a"], 0, DAY_MS)
    assert store.asked == []


async def test_who_has_gone_is_not_read_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between two portions."""
    monkeypatch.setattr(wide_history, "_VALUES", 10)
    store = PortionStore(range(100))
    with pytest.raises(ConnectionResetError):
        await WideHistory(store).read(Ask(PEER, ["a"], 0, 99_000, 20), lambda: len(store.asked) == 3)
    assert len(store.asked) == 3


async def test_large_ones_take_turns() -> None:
    """Two at once; small ones need none; one tenant does not take all places to wait."""
    store = PortionStore(range(100))
    wide = WideHistory(store)
    store.goes_on.clear()
    large = Ask(PEER, ["a", "b", "c", "d"], 0, DAY_MS, 4)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(wide.read(large)) for _ in range(5)]
        small = group.create_task(wide.read(large._replace(fields=["a"], to_ms=99_000)))
        while len(store.asked) < 3:
            await asyncio.sleep(0)
        for _ in range(50):
            await asyncio.sleep(0)
        assert len(store.asked) == 3
        store.goes_on.set()
    assert store.most_at_work == 3
    assert len(small.result()[0].ts) > 2
    assert all(task.result()[0].ts == tasks[0].result()[0].ts for task in tasks)


async def test_too_many_are_told_so() -> None:
    """As with readings at full resolution."""
    store = PortionStore(range(100))
    store.goes_on.clear()
    wide, large = WideHistory(store), Ask(PEER, ["a", "b", "c", "d"], 0, DAY_MS, 4)
    tasks = [asyncio.get_running_loop().create_task(wide.read(large)) for _ in range(40)]
    done, waiting = await asyncio.wait(tasks, timeout=20, return_when=asyncio.FIRST_EXCEPTION)
    assert done and all(isinstance(task.exception(), TransportError) for task in done)
    store.goes_on.set()
    await asyncio.wait(waiting)
    assert not any(task.exception() for task in waiting)


_SECONDS = st.lists(st.integers(-(10**5), 10**5), min_size=1, max_size=60, unique=True).map(sorted)


@given(ts=_SECONDS, width_ms=st.integers(1, 10**5), fields=st.integers(1, 30), values=st.integers(1, 200),
       groups=st.integers(1, 200))  # fmt: skip
def test_any_portions(ts: list[int], width_ms: int, fields: int, values: int, groups: int) -> None:
    """Whole buckets, every row in one of them, no more together than may be unless a single bucket has it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wide_history, "_VALUES", values)
        patch.setattr(wide_history, "_GROUPS", groups)
        found = portions(ts, width_ms, fields)
    assert sum(begin <= each <= end for each in ts for begin, end in found) == len(ts)
    for begin, end in found:
        rows = [each for each in ts if begin <= each <= end]
        buckets = {each // width_ms for each in rows}
        assert (begin % width_ms, (end + 1) % width_ms) == (0, 0)
        assert len(buckets) == 1 or (len(rows) * fields <= values and len(buckets) * fields <= groups)
    assert found == sorted(found)
