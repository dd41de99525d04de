"""While a sample goes out to many viewers, others get their turns."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import cast

import pytest

from duco_rt.web.live import pumps
from duco_rt.web.live.connection import Connection
from duco_rt.web.live.fanout import Delivery
from duco_rt.web.live.frames import frame
from duco_rt.web.live.pumps import Writing
from tests.web.conftest import Site
from tests.web.live.viewing import receive, viewing

pytestmark = pytest.mark.servers  # a web server of its own


async def test_of_many_lists_each_is_framed_when_its_turn_has_come(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """After some milliseconds others have a turn; a frame that cannot be made is counted, and the rest is written."""
    monkeypatch.setattr(pumps, "_TURN_S", 0.0)
    failed: list[Exception] = []
    made: list[int] = []
    writing = Writing(lambda viewer, index: None, failed.append)
    async with viewing(site, ["a"]) as ws:
        viewers = list(site.service._visits)

        def make(at: int) -> bytes:
            made.append(at)
            if at == 1:
                raise ZeroDivisionError
            return frame(b'{"at":%d}' % at)

        deliveries = [Delivery(partial(make, at), viewers, at) for at in range(4)]
        seen = set()
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(writing.write(deliveries))
            while not task.done():
                await asyncio.sleep(0)
                seen.add(len(made))
        assert seen >= {1, 2, 3} and task.result() == 3 and len(failed) == 1
        assert [(await receive(ws))["at"] for _ in range(3)] == [0, 2, 3]


async def test_another_machine_need_not_wait_for_all_of_ones_viewers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a thousand, a few dozen are written to in a turn of the loop."""
    pieces: list[int] = []

    def deliver(_frame: bytes, viewers: range) -> list[Connection]:
        pieces.append(len(viewers))
        return []

    monkeypatch.setattr(pumps, "deliver", deliver)
    to_all = Delivery(b"", cast(Sequence[Connection], range(1000)), 0)
    turns = []
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(Writing(lambda viewer, index: None, print).write([to_all]))
        while not task.done():
            await asyncio.sleep(0)
            turns.append(sum(pieces))
    assert sum(pieces) == task.result() == 1000
    assert max(later - sooner for sooner, later in pairwise(turns)) <= 40
