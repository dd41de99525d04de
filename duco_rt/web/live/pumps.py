"""What goes to viewers: finished frames to all who take them at once, and to those who lag what they lack, as fast as
they read: a task each, while that lasts."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from duco_rt.web.live.connection import Connection, deliver
from duco_rt.web.live.fanout import Delivery

_WRITES_AT_ONCE = 32
"""So few that another machine's viewers do not wait for all of this one's."""

_TURN_S = 0.005
_LOOKS = 4
"""So many in the time after which a viewer counts as stalled."""


class Writing:
    """Writes deliveries, one after the other. `behind` is told of each viewer that takes no more, with the index of the
    delivery; `failed` of one that cannot be made.
    """

    def __init__(self, behind: Callable[[Connection, int], None], failed: Callable[[Exception], None]) -> None:
        self._behind = behind
        self._failed = failed
        self._out: set[Connection] | None = None
        """While deliveries are written: who is not to get the rest of them."""

    async def write(self, deliveries: Iterable[Delivery[Connection]]) -> int:
        """Each to its viewers; gives how many were written. Others get a turn between."""
        self._out = set()
        loop = asyncio.get_running_loop()
        written, since_turn, turn_s = 0, 0, loop.time()
        try:
            for delivery in deliveries:
                for at in range(0, len(delivery.viewers), _WRITES_AT_ONCE):
                    if since_turn >= _WRITES_AT_ONCE or loop.time() - turn_s >= _TURN_S:
                        await asyncio.sleep(0)
                        since_turn, turn_s = 0, loop.time()
                    viewers = delivery.viewers[at : at + _WRITES_AT_ONCE]
                    written += self._write(delivery, viewers, self._out)
                    since_turn += len(viewers)
        finally:
            self._out = None
        return written

    def _write(self, delivery: Delivery[Connection], viewers: Sequence[Connection], out: set[Connection]) -> int:
        if out:
            viewers = [viewer for viewer in viewers if viewer not in out]
        try:
            behind = deliver(delivery.frame, viewers)
            for viewer in behind:
                out.add(viewer)
                self._behind(viewer, delivery.index)
        except Exception as e:
            self._failed(e)
            return 0
        return len(viewers) - len(behind)

    def leave(self, viewer: Connection) -> None:
        """The viewer is gone."""
        if self._out is not None:
            self._out.add(viewer)


class _Wait(NamedTuple):
    """For a connection to take what it holds: how much had passed, and when that was new."""

    passed_bytes: int
    since_s: float


class Pumps:
    """`take` gives frames for a viewer, [] for none; where that fails, `failed` is told.

    A viewer that takes no byte for `stall_s` is stalled.
    """

    def __init__(
        self,
        tasks: asyncio.TaskGroup,
        take: Callable[[Connection], list[bytes]],
        failed: Callable[[Connection, Exception], None],
        stall_s: float,
    ) -> None:
        self._tasks = tasks
        self._take = take
        self._failed = failed
        self._stall_s = stall_s
        self._waits: dict[Connection, _Wait] = {}
        self.look_s = stall_s / _LOOKS
        """How often to look who is stalled."""

    def __len__(self) -> int:
        return len(self._waits)

    def start(self, viewer: Connection) -> None:
        """There may be something for a viewer."""
        if viewer not in self._waits:
            self._note(viewer)
            self._tasks.create_task(self._run(viewer))

    def _note(self, viewer: Connection) -> None:
        self._waits[viewer] = _Wait(viewer.passed_bytes, asyncio.get_running_loop().time())

    async def _run(self, viewer: Connection) -> None:
        try:
            while True:
                self._note(viewer)
                await viewer.drained()
                frames = self._take(viewer)
                if not frames or not viewer.give(frames):
                    return
                await asyncio.sleep(0)  # uvloop writes, and counts, when its turn is over
        except Exception as e:
            self._failed(viewer, e)
        finally:
            del self._waits[viewer]

    def stalled(self, viewers: Iterable[Connection]) -> list[Connection]:
        """Who has taken nothing for too long. Of `viewers`, those that hold bytes are looked at from now on."""
        for viewer in viewers:
            if viewer.waiting_bytes():
                self.start(viewer)
        now_s = asyncio.get_running_loop().time()
        found = []
        for viewer, wait in list(self._waits.items()):
            if viewer.passed_bytes > wait.passed_bytes:
                self._note(viewer)
            elif now_s - wait.since_s >= self._stall_s and viewer.waiting_bytes():
                found.append(viewer)
        return found
