"""Whole parts of the embedded engine's tables: frozen for a backup, brought in from one, set aside where broken.

A part is a folder of files that never change; a frozen one is hard links to them, so that freezing copies nothing.
All is done in the store's thread.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import NamedTuple

import structlog

from duco_rt.errors import TransportError
from duco_rt.transports import store_sql as sql
from duco_rt.transports.store_native import Columns, untext

log = structlog.get_logger()

KEPT = (sql.RAW, sql.PARSED, sql.LAST_SEEN)
"""The tables that hold rows."""

_FROZEN = "duco_backup"
_FIRST_LABEL = 1_000_000_000  # no part that the engine numbers comes so far
_PART = re.compile(
    r"(?P<partition>[A-Za-z0-9]{1,60})_(?P<first>\d{1,18})_(?P<last>\d{1,18})_(?P<level>\d{1,9})(?:_\d{1,18})?"
)
_TRANSIENT = "159, 241"  # out of time, out of memory
_BROKEN = re.compile(
    rf"Code: (?!(?:{_TRANSIENT.replace(', ', '|')})\.)\d+\. .*?"
    r"/store/[0-9a-f]{3}/(?P<table>[0-9a-f-]{36})/(?P<part>[A-Za-z0-9_]+)/",
    re.DOTALL,
)
"""An error that names the part that it met; whether that is broken the engine's own check says."""

_DAMAGE = "32, 33, 39, 40, 74, 226, 228, 246, 271, 432"
"""Codes of errors that unreadable files give: cut short, another checksum or size, no codec of ours, missing."""

_GOOD_MAX = 1000
_CHECK_BYTES = 256_000_000  # inserts wait meanwhile


class PartName(NamedTuple):
    """A part's name, read, and its folder: numbers of the first and the last insert that it has, how often merged."""

    name: str
    folder: Path
    partition: str
    first: int
    last: int
    level: int

    @classmethod
    def read(cls, name: str, folder: Path) -> PartName | None:
        """None where that is no part."""
        found = _PART.fullmatch(name)
        if found is None:
            return None
        return cls(name, folder, found["partition"], int(found["first"]), int(found["last"]), int(found["level"]))

    @property
    def is_insert(self) -> bool:
        """Whether no merge made it."""
        return self.first == self.last and self.level <= 1

    def covers(self, other: PartName) -> bool:
        """Whether the other one was merged into it."""
        return (
            self.partition == other.partition
            and self.first <= other.first
            and other.last <= self.last
            and self.level > other.level
        )


class Parts:
    """The parts of the tables in `folder`, by the engine's `query`."""

    def __init__(self, folder: Path, query: Callable[[str], Columns]) -> None:
        self._folder = folder
        self._query = query
        self.hands_off = False
        """Nothing is set aside now: whether a part is broken for good will be seen later."""
        self._checking = False
        self._good: set[tuple[str, str]] = set()
        self._damage_seen = 0
        self._suspects: list[tuple[int, str, str]] = []

    def freeze(self) -> list[tuple[str, Path]]:
        """Hard links to all that the tables have now, as `TABLE/PART/FILE` and the file; `thaw` takes them away."""
        self.thaw()
        found = []
        for table, place in self._places().items():
            self._query(f"ALTER TABLE {sql.DATABASE}.{table} FREEZE WITH NAME '{_FROZEN}'")
            frozen = self._folder / "shadow" / _FROZEN / "store" / place.parent.name / place.name
            files = sorted(file for file in frozen.glob("*/*") if file.is_file())
            found += [(f"{table}/{file.parent.name}/{file.name}", file) for file in files]
        return found

    def thaw(self) -> None:
        """Forget what was frozen, also by a process that was killed: it holds room on the disk."""
        shutil.rmtree(self._folder / "shadow" / _FROZEN, ignore_errors=True)

    def attach(self, table: str, part: Path) -> None:
        """Bring in a part as if its rows were inserted now; the folder moves to the engine's. TransportError."""
        found = _PART.fullmatch(part.name)
        if table not in KEPT or found is None:
            raise TransportError(f"store: {table}/{part.name} is no part")
        detached = self._places()[table] / "detached"
        labels = (f"{found['partition']}_{n}_{n}_0" for n in count(_FIRST_LABEL))
        label = next(label for label in labels if not (detached / label).exists())
        try:
            detached.mkdir(exist_ok=True)
            shutil.move(part, detached / label)
        except OSError as e:
            raise TransportError(f"store: {e.filename}: {e.strerror}") from e
        self._query(f"ALTER TABLE {sql.DATABASE}.{table} ATTACH PART '{label}'")

    def broken(self) -> list[Path]:
        """The parts that were set aside, at the start by the engine or later, and are still there."""
        rows = self._query(
            f"SELECT path FROM system.detached_parts WHERE database = '{sql.DATABASE}' AND reason LIKE 'broken%'"  # nosec B608  # our names
        )
        return sorted(Path(untext(path)) for path in rows.get("path", []))

    def look(self) -> None:
        """Set aside what the engine's own work met: a merge that fails for ever would hold up all inserts at last.

        Of most errors it keeps the text alone, without the part: after one of those all parts are checked, the small
        ones first, a little with each look.
        """
        rows = self._query(
            f"SELECT last_error_message AS text FROM system.errors WHERE code NOT IN ({_TRANSIENT}) "  # nosec B608  # our names
            "AND last_error_message LIKE '%/store/%'"
        )
        for text in rows.get("text", []):
            self.set_aside(f"Code: 0. {untext(text)}")
        counted = self._query(f"SELECT sum(value) AS n FROM system.errors WHERE code IN ({_DAMAGE})")  # nosec B608  # our names
        seen, self._damage_seen = self._damage_seen, int(sum(counted.get("n", [])))
        if self._damage_seen > seen and not self._suspects:
            self._suspects = self._active()
        self._check_suspects()

    def _active(self) -> list[tuple[int, str, str]]:
        """Size in bytes, table and name of each part that is in, the smallest last."""
        rows = self._query(
            "SELECT bytes_on_disk AS size, table, name FROM system.parts WHERE active "
            f"AND database = '{sql.DATABASE}' AND table IN ({', '.join(map(sql.quote, KEPT))})"  # nosec B608  # our names
        )
        found = zip(rows.get("size", []), rows.get("table", []), rows.get("name", []), strict=True)
        return sorted(((int(size), untext(table), untext(name)) for size, table, name in found), reverse=True)

    def _check_suspects(self) -> None:
        size = 0
        while self._suspects and size < _CHECK_BYTES and not self.hands_off:
            bytes_, table, name = self._suspects.pop()
            size += bytes_
            with self._one_at_a_time():
                if self._is_in(table, name) and not self.is_whole(table, name):
                    self._detach(table, name)

    def set_aside(self, error: str) -> bool:
        """Whether an error came of a broken part that is out of the way now, so that the rest can be read."""
        found = _BROKEN.search(error)
        if found is None or self._checking or self.hands_off:
            return False
        with self._one_at_a_time():
            name = found["part"]
            table = next((t for t, place in self._places().items() if place.name == found["table"]), None)
            if table is None or (table, name) in self._good or not self._is_in(table, name):
                return False
            if not self.is_whole(table, name):
                self._detach(table, name)
                return True
            if len(self._good) < _GOOD_MAX:
                self._good.add((table, name))  # another error that names it is none of the part's
        return False

    @contextmanager
    def _one_at_a_time(self) -> Iterator[None]:
        """What the engine's check meets is no error to look at again; one that hinders it is told."""
        self._checking = True
        try:
            yield
        except TransportError as e:
            log.error("broken part not set aside", error=str(e))
        finally:
            self._checking = False

    def _is_in(self, table: str, name: str) -> bool:
        rows = self._query(
            f"SELECT count() AS n FROM system.parts WHERE active AND database = '{sql.DATABASE}' "
            f"AND table = '{table}' AND name = '{name}'"  # nosec B608  # our names
        )
        return any(rows.get("n", [0]))

    def _detach(self, table: str, name: str) -> None:
        self._query(f"ALTER TABLE {sql.DATABASE}.{table} DETACH PART '{name}'")
        aside = self._places()[table] / "detached" / name
        try:
            aside = aside.rename(aside.with_name(f"broken_{name}"))
        except OSError as e:
            log.warning("broken part keeps its name", file=str(aside), error=e.strerror)
        log.error("a part of the store is broken: set aside, the rest is served", table=table, folder=str(aside))

    def is_whole(self, table: str, name: str) -> bool:
        """Whether the engine can read all of a part, by its checksums."""
        where = f"{sql.DATABASE}.{table} PART '{name}'"
        answer = self._query(f"CHECK TABLE {where} SETTINGS check_query_single_value_result = 1")
        return bool(any(answer.get("result", [1])))

    def newest_seqs(self) -> dict[str, int]:
        """The highest seq of each device, of any tenant and message type."""
        rows = self._query(
            "SELECT CAST(chassisId AS String) AS chassis, max(tupleElement(p, 1)) AS seq FROM (SELECT chassisId, "
            f"maxMerge(position) AS p FROM {sql.DATABASE}.{sql.LAST_SEEN} GROUP BY tenant, chassisId, msgType) "
            "GROUP BY chassis"  # nosec B608  # our names
        )
        return dict(zip(map(untext, rows.get("chassis", [])), map(int, rows.get("seq", [])), strict=True))

    def _places(self) -> dict[str, Path]:
        """The folder of each table."""
        rows = self._query(
            f"SELECT name, data_paths[1] AS path FROM system.tables WHERE database = '{sql.DATABASE}' "
            f"AND name IN ({', '.join(map(sql.quote, KEPT))}) ORDER BY name"  # nosec B608  # our names
        )
        return {
            untext(name): Path(untext(path))
            for name, path in zip(rows.get("name", []), rows.get("path", []), strict=True)
        }


def in_order(part: Path) -> tuple[str, int]:
    """A key to sort parts by: as they were inserted, so that of copies the latest stays the latest."""
    found = _PART.fullmatch(part.name)
    return (found["partition"], int(found["first"])) if found else (part.name, 0)
