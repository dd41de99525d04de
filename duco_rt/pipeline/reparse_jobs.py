"""The questions to read again: what they mean, where a run of one begins, and how many run at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

from duco_rt.errors import BadRequest, Conflict
from duco_rt.model import Parsing
from duco_rt.moments import read_moment, show_moment
from duco_rt.pipeline.decoding.plan import Plan
from duco_rt.pipeline.parsing_cache import Known
from duco_rt.pipeline.reparse import Means, Reparse
from duco_rt.pipeline.reparse_note import Note, NoteFile

RANGE_DAYS_MAX = 366
_JOBS_MAX = 4
_SHIFT_SHARE_MAX = 0.1  # of a relative range: what it means moves on with the clock

Compiled = Callable[[Parsing], Awaitable[Plan]]


class Asked(NamedTuple):
    """The question as it was typed: `from_text` and `to_text` as `moments.read_moment` takes them."""

    chassis_id: str
    from_text: str
    to_text: str

    def range(self, now_ms: int, names: tuple[str, str] = ("from", "to")) -> tuple[int, int]:
        """First and last ts in Unix ms. Raises BadRequest."""
        from_ms = read_moment(names[0], self.from_text, now_ms)
        to_ms = read_moment(names[1], self.to_text, now_ms)
        if not 0 <= to_ms - from_ms <= RANGE_DAYS_MAX * 86_400_000:
            raise BadRequest(
                f"{names[0]} {show_moment(from_ms)}, {names[1]} {show_moment(to_ms)}: the end must not be before the"
                f" begin, and at most {RANGE_DAYS_MAX} days after it"
            )
        return from_ms, to_ms


class Reparses:
    """The runs of this process: one a device at a time, and few altogether."""

    def __init__(self, means: Means, msg_types: tuple[str, ...], folder: Path, compiled: Compiled) -> None:
        """`folder` is where the notes are kept; `compiled` gives a parsing's plan, or raises BadParsing."""
        self._means = means
        self._msg_types = msg_types
        self._folder = folder
        self._compiled = compiled
        self._running: dict[str, Reparse | None] = {}

    @asynccontextmanager
    async def begin(self, asked: Asked) -> AsyncIterator[Reparse]:
        """A run that is ready to `watch`. Raises BadRequest, NotFound, BadParsing, Conflict, TransportError."""
        range_ms = asked.range(self._means.clock.wall_ms())
        if asked.chassis_id in self._running:
            raise Conflict(f"device {asked.chassis_id!r} is being read again now; wait for that, or end it")
        if len(self._running) >= _JOBS_MAX:
            raise Conflict(f"{_JOBS_MAX} devices are being read again now; wait for one of them")
        self._running[asked.chassis_id] = None
        try:
            job = self._running[asked.chassis_id] = await self._prepare(asked, range_ms)
            yield job
        finally:
            del self._running[asked.chassis_id]

    async def tenant_of(self, chassis_id: str) -> str:
        """The device's tenant. Raises NotFound, TransportError."""
        return (await self._means.meta.device(chassis_id)).tenant

    def stop(self) -> None:
        """End all at their next second; what they have stored stays noted."""
        for job in filter(None, self._running.values()):
            job.stopped = True

    async def _prepare(self, asked: Asked, range_ms: tuple[int, int]) -> Reparse:
        device = await self._means.meta.device(asked.chassis_id)
        parsing = None if device.parsing is None else await self._means.meta.parsing(device.parsing)
        plan = None if parsing is None else await self._compiled(parsing)
        fresh = Note(
            device.chassis_id,
            device.tenant,
            (asked.from_text, asked.to_text),
            None if parsing is None else (parsing.name, parsing.version),
            self._msg_types,
            *range_ms,
            next_ms=range_ms[0],
        )
        file = NoteFile(self._folder, device.chassis_id)
        note, notes = await asyncio.to_thread(_resume, file, fresh)
        if plan is None:
            notes.append(f"{device.chassis_id} has no parsing: its CAN frames are left as they are")
        return Reparse(self._means, file, note, Known(device.tenant, plan), notes)


def _resume(file: NoteFile, fresh: Note) -> tuple[Note, list[str]]:
    """Where to begin, and what to say about it."""
    try:
        found = file.read()
    except ValueError as e:
        return fresh, [f"how far an earlier run was cannot be read ({e}): begins anew"]
    if found is None:
        return fresh, []
    if found.job != fresh.job:
        what = "of another parsing" if found.parsing != fresh.parsing else "with another range"
        return fresh, [f"an earlier run {what} was not ended: begins anew"]
    shift_ms = max(abs(fresh.from_ms - found.from_ms), abs(fresh.to_ms - found.to_ms))
    if shift_ms > _SHIFT_SHARE_MAX * (found.to_ms - found.from_ms):
        was = f"{show_moment(found.from_ms)} to {show_moment(found.to_ms)}"
        return fresh, [f"an earlier run was not ended, but the range meant {was} then: begins anew"]
    return found, [
        f"goes on at {show_moment(found.next_ms)} of {show_moment(found.from_ms)} to {show_moment(found.to_ms)}"
    ]
