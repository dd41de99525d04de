"""MetaAPI's data in one SQLite file. All statements run in one thread; every change is one transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

import msgspec

from duco_rt.clock import Clock, SystemClock
from duco_rt.errors import BadRequest, GroupChanged, NotFound
from duco_rt.model import Parsing, ParsingFile
from duco_rt.transports import meta_sqlite_commands, meta_sqlite_credentials, meta_sqlite_devices
from duco_rt.transports.base_data import check_name
from duco_rt.transports.meta_sqlite_commands import SqliteCommands
from duco_rt.transports.meta_sqlite_credentials import SqliteCredentials
from duco_rt.transports.meta_sqlite_devices import Bounds, SqliteDevices
from duco_rt.transports.meta_sqlite_restore import check_foreign, restore

_SCHEMA = """
CREATE TABLE IF NOT EXISTS parsings (
    name TEXT NOT NULL, version INTEGER NOT NULL, files TEXT NOT NULL, PRIMARY KEY (name, version)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS groups (
    tenant TEXT NOT NULL, groupId TEXT NOT NULL, position INTEGER NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (tenant, groupId)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS forgotten_groups (tenant TEXT PRIMARY KEY, version INTEGER NOT NULL) WITHOUT ROWID;
"""

_OWNERS = (
    "CREATE TABLE parsing_owners (name TEXT PRIMARY KEY, tenant TEXT NOT NULL) WITHOUT ROWID",
    "INSERT INTO parsing_owners SELECT parsing, min(tenant) FROM devices WHERE parsing IS NOT NULL"
    " GROUP BY parsing HAVING count(DISTINCT tenant) = 1",
)
"""Whose a parsing is. In a file of a release that did not ask: the tenant's whose devices alone have it."""

_files = msgspec.json.Decoder(tuple[ParsingFile, ...])
_group = msgspec.json.Decoder(dict[str, object])
_NEVER_CHANGED: dict[str, object] = {"version": 1, "changed": 0}


class SqliteMeta(SqliteDevices, SqliteCommands, SqliteCredentials):
    """Devices, versioned parsings, groups, the command ledger, tokens and sessions."""

    schema = _SCHEMA + meta_sqlite_devices.SCHEMA + meta_sqlite_commands.SCHEMA + meta_sqlite_credentials.SCHEMA

    def __init__(self, file: Path, clock: Clock | None = None, bounds: Bounds | None = None) -> None:
        """`clock` says when a group was changed, and which sessions are over."""
        super().__init__(file)
        self._clock = clock or SystemClock()
        self._bounds = bounds or Bounds()

    async def open(self) -> bool:
        """Open the file; True until `seeded` was called once."""
        return await self._run(self._open)

    def _open(self) -> bool:
        db = self._opened()
        self._begin_ledger(db)
        _begin_owners(db)
        version: int = db.execute("PRAGMA user_version").fetchone()[0]
        return version == 0

    async def restore(self, file: Path, *, fresh: bool = False) -> dict[str, int]:
        """Take over what another such file says, one transaction; how much of what there is then. ConfigError where
        that file is damaged, or has what is not ours; it is brought up to today's tables, and of no use afterwards.

        `fresh`: nothing is in this one yet, and all but sessions is taken as it is.
        """
        known = self._known()
        await self._run(lambda: check_foreign(known, file))
        other = SqliteMeta(file, self._clock)
        try:
            await other.open()
        finally:
            await other.close()
        db = self._known()
        return await self._run(lambda: restore(db, file, fresh=fresh))

    async def seeded(self) -> None:
        """What a new file starts with is in it."""
        await self._rows("PRAGMA user_version = 1")

    async def parsing(self, name: str, version: int | None = None) -> Parsing:
        """A version of a parsing, or NotFound."""
        rows = await self._rows(
            "SELECT name, version, files FROM parsings WHERE name = ?1 AND (?2 IS NULL OR version = ?2)"
            " ORDER BY version DESC LIMIT 1",
            name,
            version,
        )
        if not rows:
            raise NotFound(f"parsing {name!r}{f' version {version}' if version else ''} is not known")
        return Parsing(rows[0][0], rows[0][1], _files.decode(rows[0][2]))

    async def put_parsing(self, name: str, files: Sequence[ParsingFile], owner: str | None = None) -> Parsing:
        """Keep a new version, or give the newest where nothing changed; a new parsing is `owner`'s."""
        check_name("parsing", name)
        if owner is not None:
            check_name("tenant", owner)
        most = self._bounds.parsings
        return await self._write(lambda db: _put_parsing(db, name, tuple(files), owner, most))

    async def parsing_tenants(self, name: str) -> tuple[str | None, frozenset[str]]:
        """Whose it is, and the tenants of its devices; NotFound."""
        rows = await self._rows(
            "SELECT (SELECT tenant FROM parsing_owners WHERE name = ?1) AS owner, 0, NULL"
            " WHERE EXISTS (SELECT 1 FROM parsings WHERE name = ?1)"
            " UNION ALL SELECT DISTINCT NULL, 1, tenant FROM devices WHERE parsing = ?1 ORDER BY 2",
            name,
        )
        if not rows:
            raise NotFound(f"parsing {name!r} is not known")
        return rows[0][0], frozenset(tenant for _, is_device, tenant in rows if is_device)

    async def groups(self, tenant: str) -> list[dict[str, object]]:
        """The tenant's groups in order."""
        rows = await self._rows("SELECT body FROM groups WHERE tenant = ? ORDER BY position, groupId", tenant)
        return [_stored(row[0]) for row in rows]

    async def put_group(self, tenant: str, group: dict[str, object], expected: int | None = None) -> dict[str, object]:
        """Add or replace by `groupId`, where the version is the expected one."""
        return await self._write(lambda db: self._put_group(db, tenant, group, expected))

    def _put_group(
        self, db: sqlite3.Connection, tenant: str, group: dict[str, object], expected: int | None
    ) -> dict[str, object]:
        group_id = str(group["groupId"])
        version = (_version(db, tenant, group_id, expected) or _highest_forgotten(db, tenant)) + 1
        kept = {**group, "version": version, "changed": self._clock.wall_ms()}
        row = tenant, group_id, group.get("order", 0), msgspec.json.encode(kept).decode()
        db.execute("INSERT OR REPLACE INTO groups VALUES (?, ?, ?, ?)", row)
        return kept

    async def remove_group(self, tenant: str, group_id: str, expected: int | None = None) -> None:
        """Forget a group, or NotFound."""
        await self._write(lambda db: _remove_group(db, tenant, group_id, expected))


def _begin_owners(db: sqlite3.Connection) -> None:
    """The table of `_OWNERS`, made once. In the thread."""
    if db.execute("SELECT 1 FROM sqlite_master WHERE name = 'parsing_owners'").fetchone():
        return
    db.execute("BEGIN IMMEDIATE")
    try:
        for statement in _OWNERS:
            db.execute(statement)
        db.execute("COMMIT")
    except sqlite3.Error:
        db.execute("ROLLBACK")
        raise


def _put_parsing(
    db: sqlite3.Connection, name: str, files: tuple[ParsingFile, ...], owner: str | None, most: int
) -> Parsing:
    sql = "SELECT version, files FROM parsings WHERE name = ? ORDER BY version DESC LIMIT 1"
    row = db.execute(sql, (name,)).fetchone()
    if row is not None and _files.decode(row[1]) == files:
        return Parsing(name, row[0], files)
    if row is None and owner is not None:
        count = db.execute("SELECT count(*) FROM parsing_owners WHERE tenant = ?", (owner,)).fetchone()[0]
        if count >= most:
            raise BadRequest(f"tenant {owner!r} has {count} parsings, at most {most} (meta.parsings_tenant_max)")
    version = row[0] + 1 if row else 1
    text = msgspec.json.encode(files).decode()
    db.execute("INSERT INTO parsings VALUES (?, ?, ?)", (name, version, text))
    if row is None and owner is not None:
        db.execute("INSERT INTO parsing_owners VALUES (?, ?)", (name, owner))
    return Parsing(name, version, files)


def _remove_group(db: sqlite3.Connection, tenant: str, group_id: str, expected: int | None) -> None:
    version = _version(db, tenant, group_id, expected)
    if not version:
        raise NotFound(f"group {group_id!r} is not known")
    db.execute("DELETE FROM groups WHERE tenant = ? AND groupId = ?", (tenant, group_id))
    highest = max(version, _highest_forgotten(db, tenant))
    db.execute("INSERT OR REPLACE INTO forgotten_groups VALUES (?, ?)", (tenant, highest))


def _highest_forgotten(db: sqlite3.Connection, tenant: str) -> int:
    """The highest version that a forgotten group of the tenant had, 0 where none was forgotten.

    A group begins above it: one that comes back under its id never has a version that somebody knows from before.
    """
    row = db.execute("SELECT version FROM forgotten_groups WHERE tenant = ?", (tenant,)).fetchone()
    highest: int = row[0] if row else 0
    return highest


def _version(db: sqlite3.Connection, tenant: str, group_id: str, expected: int | None) -> int:
    """The version of a group, 0 where there is none. Raises where that is not the expected one."""
    row = db.execute("SELECT body FROM groups WHERE tenant = ? AND groupId = ?", (tenant, group_id)).fetchone()
    there = _stored(row[0]) if row else {}
    version = there.get("version", 0)
    assert isinstance(version, int)
    if expected is None or version == expected:
        return version
    if not there:
        raise NotFound(f"group {group_id!r} is not known")
    words = f"was changed meanwhile: version {version} is there, {expected} was changed"
    raise GroupChanged(f"group {group_id!r} {words if expected else f'is there, version {version}'}", there)


def _stored(body: str) -> dict[str, object]:
    """A group as it is kept; one of an older release has neither version nor time."""
    return _NEVER_CHANGED | _group.decode(body)
