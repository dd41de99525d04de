"""The heartbeats that studio answers from the lease, on their way into the command ledger: about once a second."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress

import structlog
from msgspec.structs import replace

from duco_rt.errors import DucoError, TransportError
from duco_rt.model import Command
from duco_rt.seeing.metrics import Metrics
from duco_rt.transports.base_data import CommandLedger

log = structlog.get_logger()

_AT_ONCE = 500


class LeasedNotes:
    """At most `rows_max` rows, one a device and commandId; the oldest goes, counted (ledger_notes_dropped_total).

    While MetaAPI is away they wait here. A hand-over whose answer is lost is done again: its beats count twice then.
    """

    def __init__(
        self, ledger: CommandLedger, metrics: Metrics, *, rows_max: int = 10_000, period_s: float = 1.0
    ) -> None:
        self._ledger = ledger
        self._metrics = metrics
        self._rows_max = rows_max
        self._period_s = period_s
        self._rows: OrderedDict[tuple[str, str], Command] = OrderedDict()
        self._is_away = False
        metrics.depth("ledger_notes_depth", lambda: len(self._rows))

    def add(self, command: Command) -> None:
        """Keep a leased command, or a beat of one that waits."""
        key = command.chassis_id, command.command_id
        waiting = self._rows.get(key)
        if waiting is not None:
            self._rows[key] = _together(waiting, command)
            return
        self._rows[key] = command
        if len(self._rows) > self._rows_max:
            self._rows.popitem(last=False)
            self._metrics.count("ledger_notes_dropped_total")

    def waiting(self, chassis_id: str, command_id: str) -> Command | None:
        """A row that the ledger does not have yet."""
        return self._rows.get((chassis_id, command_id))

    async def run(self) -> None:
        """Hand over, until cancelled; what is left then, too."""
        try:
            while True:
                await asyncio.sleep(self._period_s)
                await self.flush()
        finally:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._period_s):
                    await self.flush()

    async def flush(self) -> None:
        """Hand over all that waits; where MetaAPI is away it goes on waiting."""
        while self._rows:
            keys = [key for key, _ in zip(self._rows, range(_AT_ONCE), strict=False)]
            rows = [self._rows.pop(key) for key in keys]
            try:
                await self._ledger.note_commands(rows)
            except TransportError as e:
                self._put_back(rows)
                if not self._is_away:
                    log.warning("heartbeats wait for the command ledger", rows=len(rows), error=str(e))
                self._is_away = True
                return
            except DucoError as e:
                self._metrics.count("ledger_notes_dropped_total", len(rows))
                log.error("heartbeats that the ledger refuses", rows=len(rows), error=str(e))
            except BaseException:  # cancelled, or what nobody thought of: they are handed over when it runs again
                self._put_back(rows)
                raise
            self._is_away = False

    def _put_back(self, rows: Sequence[Command]) -> None:
        """They are older than what came meanwhile, and the first to go."""
        for row in reversed(rows):
            key = row.chassis_id, row.command_id
            newer = self._rows.get(key)
            self._rows[key] = row if newer is None else _together(row, newer)
            self._rows.move_to_end(key, last=False)
        while len(self._rows) > self._rows_max:
            self._rows.popitem(last=False)
            self._metrics.count("ledger_notes_dropped_total")


def _together(first: Command, again: Command) -> Command:
    beats = first.beats + 1 + again.beats
    return replace(first, beats=beats, last_beat_ms=again.last_beat_ms or again.queued_ms)
