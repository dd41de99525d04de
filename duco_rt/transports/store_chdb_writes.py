"""Whether what the engine writes reaches the disk: of a write that fails it tells nobody, but counts it.

An insert is said to be done then, and a merge puts an empty part in the place of good ones, which go a minute later.
So after each insert the count is looked at. Where it grew nothing more is written, merges stop, and what merges
replaced is held by links. As soon as the disk takes something again, parts that are not whole go, and what was held
comes back.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import structlog

from duco_rt.errors import TransportError
from duco_rt.transports import store_sql as sql
from duco_rt.transports.store_chdb_parts import KEPT, PartName, Parts, in_order
from duco_rt.transports.store_native import Columns, untext

log = structlog.get_logger()

_COUNTS = (
    "SELECT event, value FROM system.events WHERE event IN ('FailedInsertQuery', "
    "'WriteBufferFromFileDescriptorWriteFailed')"
)
_LAST_ERRORS = "SELECT last_error_message AS text FROM system.errors ORDER BY last_error_time DESC LIMIT 3"
_HELD = "duco_held"
_PROBE_BYTES = 1_000_000
_ROOM_BYTES, _ROOM_SHARE = 50_000_000, 0.03
_RECENT_S = 600


class Writes:
    """The writes of the engine in `folder`. In the store's thread."""

    def __init__(self, folder: Path, query: Callable[[str], Columns], parts: Parts) -> None:
        self._folder = folder
        self._query = query
        self._parts = parts
        self._seen: dict[bytes, int] = {}
        self._suspect = False

    def begin(self) -> None:
        """The engine is open: count from here, and bring back what a process that was killed held."""
        self._seen = self._counts()
        held = [part for f in self._held() if (part := PartName.read(f.name, f)) is not None]
        self._bring_back()
        for folder in self._parts.broken():
            part = PartName.read(folder.name.partition("_")[2], folder)
            if part is not None and _is_empty(folder) and (part.first == part.last or any(map(part.covers, held))):
                log.warning("a part that was not written to its end is removed", folder=str(folder))
                shutil.rmtree(folder, ignore_errors=True)

    def before(self) -> None:
        """Raises TransportError where nothing is to be written now: the disk is nearly full, or does not take it."""
        try:
            disk = shutil.disk_usage(self._folder)
        except OSError as e:
            raise TransportError(f"store: {self._folder}: {e.strerror}") from e
        if disk.free < min(_ROOM_BYTES, disk.total * _ROOM_SHARE):
            self._stop()  # a merge that meets the end of the disk would lose what it merges
            raise TransportError(f"store: {self._folder}: its disk is full, {disk.free / 1e6:.0f} MB are free")
        if self._suspect:
            self._mend()

    def after(self, what: str) -> None:
        """Raises TransportError where something was not written since the last time."""
        seen, self._seen = self._seen, self._counts()
        if seen == self._seen:
            return
        last = "; ".join(text.decode(errors="replace")[:200] for text in self._query(_LAST_ERRORS).get("text", []))
        if any(self._seen.get(event) != seen.get(event) for event in self._seen if event != b"FailedInsertQuery"):
            self._stop()
            self._hold()
            self._drop_inserts()
            self._seen = self._counts()
            last = f"the disk did not take it; {last}"
        raise TransportError(f"store: {what}: the engine has not written the rows; its last errors: {last}")

    def forget(self) -> None:
        """An insert failed with an error of its own: that one is told."""
        with suppress(TransportError):
            self.after("")

    def _counts(self) -> dict[bytes, int]:
        rows = self._query(_COUNTS)
        return dict(zip(rows.get("event", []), map(int, rows.get("value", [])), strict=True))

    def _stop(self) -> None:
        if self._suspect:
            return
        self._suspect = self._parts.hands_off = True
        log.error("the store's disk takes nothing: no inserts, no merges until it does", folder=str(self._folder))
        for table in KEPT:
            self._query(f"SYSTEM STOP MERGES {sql.DATABASE}.{table}")

    def _hold(self) -> None:
        """Links to what merges replaced by a part that is not whole: the engine removes that itself soon."""
        for table in KEPT:
            replaced = self._listed(table, "NOT active")
            for broken in self._broken(table):
                for part in replaced:
                    if broken.covers(part):
                        self._link(table, part)

    def _drop_inserts(self) -> None:
        """What an insert began and nobody acknowledged: with it in its table nothing could be read."""
        for table in KEPT:
            for part in self._broken(table):
                if part.is_insert:
                    self._query(f"ALTER TABLE {sql.DATABASE}.{table} DETACH PART '{part.name}'")
                    self._give_up(table, part)

    def _listed(self, table: str, which: str) -> list[PartName]:
        rows = self._query(
            f"SELECT name, path FROM system.parts WHERE database = '{sql.DATABASE}' AND table = '{table}' AND {which}"  # nosec B608  # our names
        )
        names = zip(map(untext, rows.get("name", [])), map(untext, rows.get("path", [])), strict=True)
        return [part for name, path in names if (part := PartName.read(name, Path(path))) is not None]

    def _broken(self, table: str) -> list[PartName]:
        """The parts in use, of those that were written lately, that are not whole."""
        recent = f"active AND modification_time >= now() - {_RECENT_S}"
        return [part for part in self._listed(table, recent) if not self._parts.is_whole(table, part.name)]

    def _link(self, table: str, part: PartName) -> None:
        held = self._folder / "shadow" / _HELD / table / part.name
        try:
            held.mkdir(parents=True, exist_ok=True)
            for file in part.folder.iterdir():
                with suppress(FileExistsError):
                    os.link(file, held / file.name)
        except OSError as e:
            log.error("what a merge replaced is not held", folder=str(part.folder), error=e.strerror)

    def _mend(self) -> None:
        """Go on, if the disk takes something again. Raises TransportError where it does not."""
        probe = self._folder / "duco_probe"
        try:
            with probe.open("wb") as out:
                out.write(bytes(_PROBE_BYTES))
                out.flush()
                os.fsync(out.fileno())
            probe.unlink()
        except OSError as e:
            with suppress(OSError):
                probe.unlink(missing_ok=True)
            raise TransportError(f"store: {self._folder}: the disk takes nothing: {e.strerror}") from e
        for table in KEPT:
            for part in self._broken(table):
                self._query(f"ALTER TABLE {sql.DATABASE}.{table} DETACH PART '{part.name}'")
                self._give_up(table, part)
        self._bring_back()
        for table in KEPT:
            self._query(f"SYSTEM START MERGES {sql.DATABASE}.{table}")
        self._seen = self._counts()
        self._suspect = self._parts.hands_off = False
        log.info("the store's disk takes writes again", folder=str(self._folder))

    def _give_up(self, table: str, part: PartName) -> None:
        """A part that is not whole: of an insert that was never acknowledged, or of a merge whose sources are held."""
        aside = part.folder.parent / "detached" / part.name
        held = [source for f in self._held(table) if (source := PartName.read(f.name, f)) is not None]
        if part.is_insert or any(map(part.covers, held)):
            shutil.rmtree(aside, ignore_errors=True)
            return
        with suppress(OSError):
            aside = aside.rename(aside.with_name(f"broken_{part.name}"))
        log.error("a part of the store is broken: set aside, the rest is served", table=table, folder=str(aside))

    def _held(self, table: str = "*") -> list[Path]:
        """The folders of what is held."""
        return sorted((self._folder / "shadow" / _HELD).glob(f"{table}/*"))

    def _bring_back(self) -> None:
        """What is held, into its table; some of it may be there already, as copies."""
        for part in sorted(self._held(), key=lambda part: (part.parent.name, in_order(part))):
            try:
                self._parts.attach(part.parent.name, part)
            except TransportError as e:
                log.error("what a merge replaced does not come back", folder=str(part), error=str(e))
        if not self._held():
            shutil.rmtree(self._folder / "shadow" / _HELD, ignore_errors=True)


def _is_empty(folder: Path) -> bool:
    """Whether there is no byte of a row in a part."""
    return not any(file.stat().st_size for file in folder.glob("*.bin"))
