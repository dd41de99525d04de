"""What a backup's database says takes the place of what MetaAPI's file has, while it is in use. One transaction.

Devices, groups and tokens are those of the backup. Parsings keep their versions: where the backup's newest one is not
the newest here, it becomes a new version, so that no version ever has two texts. So do groups. The command ledger gets
the rows that it lacks. Sessions of browsers stay, if their token does.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec

from duco_rt.disk.sqlite_health import check_tables

_group = msgspec.json.Decoder(dict[str, object])
_Way = Callable[[sqlite3.Connection, str, str], None]


def check_foreign(db: sqlite3.Connection, file: Path) -> None:
    """Raise ConfigError where the file is damaged, or has what this database has not; nothing of it is run."""
    check_tables(file, _tables(db, "main"))


def token_ids(file: Path) -> frozenset[str]:
    """Of the tokens in a file that nobody has open, and that stays as it is; none where it cannot be read."""
    has_log = file.with_name(f"{file.name}-wal").exists()
    more = "" if has_log else "&immutable=1"  # which makes no files of its own beside it
    try:
        db = sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro{more}", uri=True)
        try:
            return frozenset(str(row[0]) for row in db.execute("SELECT id FROM credentials WHERE kind = 'token'"))
        finally:
            db.close()
    except sqlite3.Error:
        return frozenset()


def restore(db: sqlite3.Connection, file: Path, *, fresh: bool = False) -> dict[str, int]:
    """Bring in a database with the same tables; how many devices, parsings, groups and tokens there are then.

    `fresh`: nothing is in this one yet, and all but sessions is taken as it is.
    """
    db.execute("ATTACH DATABASE ? AS backup", (str(file),))
    try:
        db.execute("BEGIN IMMEDIATE")
        try:
            _bring_in(db, {} if fresh else _WAYS)
            if fresh:
                db.execute("DELETE FROM main.credentials WHERE kind = 'session'")
                seeded: int = db.execute("PRAGMA backup.user_version").fetchone()[0]
                db.execute(f"PRAGMA main.user_version = {seeded:d}")
            db.execute("COMMIT")
        except BaseException:
            db.execute("ROLLBACK")
            raise
    finally:
        db.execute("DETACH DATABASE backup")
    tokens = "credentials WHERE kind = 'token'"
    whats = {"devices": "devices", "parsings": "(SELECT DISTINCT name FROM parsings)", "groups": "groups"}
    return {
        what: db.execute(f"SELECT count(*) FROM {where}").fetchone()[0]  # nosec B608  # tables and columns of ours
        for what, where in {**whats, "tokens": tokens}.items()
    }


def _bring_in(db: sqlite3.Connection, ways: Mapping[str, _Way]) -> None:
    here, there = _tables(db, "main"), _tables(db, "backup")
    for table in sorted(here & there):
        columns = ", ".join(
            f'"{name}"' for name in _columns(db, "main", table) if name in _columns(db, "backup", table)
        )
        ways.get(table, _replace)(db, table, columns)


def _tables(db: sqlite3.Connection, schema: str) -> set[str]:
    rows = db.execute(f"SELECT name FROM {schema}.sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")  # nosec B608  # tables and columns of ours
    return {row[0] for row in rows}


def _columns(db: sqlite3.Connection, schema: str, table: str) -> list[str]:
    return [row[1] for row in db.execute(f'PRAGMA {schema}.table_info("{table}")')]


def _replace(db: sqlite3.Connection, table: str, columns: str) -> None:
    db.execute(f'DELETE FROM main."{table}"')  # nosec B608  # tables and columns of ours
    db.execute(f'INSERT INTO main."{table}" ({columns}) SELECT {columns} FROM backup."{table}"')  # nosec B608  # tables and columns of ours


def _ledger(db: sqlite3.Connection, table: str, columns: str) -> None:
    """What is here is newer. The row ids are this file's own."""
    listed = ", ".join(name for name in columns.split(", ") if name != '"id"')
    order = " ORDER BY id" if '"id"' in columns else ""
    db.execute(f"INSERT OR IGNORE INTO main.{table} ({listed}) SELECT {listed} FROM backup.{table}{order}")  # nosec B608  # tables and columns of ours


def _parsings(db: sqlite3.Connection, table: str, columns: str) -> None:
    newest = "SELECT name, files, max(version) AS version FROM {}.parsings GROUP BY name"
    db.execute(f"INSERT OR IGNORE INTO main.{table} ({columns}) SELECT {columns} FROM backup.{table}")  # nosec B608  # tables and columns of ours
    db.execute(
        "INSERT INTO main.parsings (name, version, files) SELECT b.name, m.version + 1, b.files"
        f" FROM ({newest.format('backup')}) b JOIN ({newest.format('main')}) m ON b.name = m.name"
        " WHERE b.files != m.files"  # nosec B608  # tables and columns of ours
    )


def _owners(db: sqlite3.Connection, table: str, columns: str) -> None:
    """A parsing that the backup does not have stays whose it is."""
    db.execute(f"DELETE FROM main.{table} WHERE name IN (SELECT name FROM backup.parsings)")  # nosec B608  # tables and columns of ours
    db.execute(f"INSERT OR REPLACE INTO main.{table} ({columns}) SELECT {columns} FROM backup.{table}")  # nosec B608  # tables and columns of ours


def _groups(db: sqlite3.Connection, table: str, columns: str) -> None:
    """A group that is another one than here gets a version that nobody has seen of it."""
    highest: dict[str, int] = {}
    here: dict[tuple[str, str], dict[str, object]] = {}
    for schema in ("main", "backup"):
        for tenant, version in db.execute(f"SELECT tenant, version FROM {schema}.forgotten_groups"):  # nosec B608  # tables and columns of ours
            highest[tenant] = max(highest.get(tenant, 0), version)
        for tenant, group_id, body in db.execute(f"SELECT tenant, groupId, body FROM {schema}.groups"):  # nosec B608  # tables and columns of ours
            group = _group.decode(body)
            highest[tenant] = max(highest.get(tenant, 0), _version(group))
            if schema == "main":
                here[tenant, group_id] = group
    _replace(db, table, columns)
    for tenant, group_id, body in db.execute("SELECT tenant, groupId, body FROM backup.groups").fetchall():
        group = _group.decode(body)
        if here.get((tenant, group_id)) == group:
            continue
        changed = msgspec.json.encode({**group, "version": highest[tenant] + 1}).decode()
        db.execute("UPDATE main.groups SET body = ? WHERE tenant = ? AND groupId = ?", (changed, tenant, group_id))
    for tenant, version in highest.items():
        db.execute("INSERT OR REPLACE INTO main.forgotten_groups VALUES (?, ?)", (tenant, version + 1))


def _version(group: dict[str, object]) -> int:
    version = group.get("version", 1)
    return version if isinstance(version, int) else 1


def _credentials(db: sqlite3.Connection, table: str, columns: str) -> None:
    db.execute(f"DELETE FROM main.{table} WHERE kind != 'session'")  # nosec B608  # tables and columns of ours
    db.execute(
        f"INSERT OR REPLACE INTO main.{table} ({columns}) SELECT {columns} FROM backup.{table} WHERE kind != 'session'"  # nosec B608  # tables and columns of ours
    )
    db.execute(
        f"DELETE FROM main.{table} WHERE kind = 'session' AND parent IS NOT NULL"
        f" AND parent NOT IN (SELECT id FROM main.{table} WHERE kind != 'session')"  # nosec B608  # tables and columns of ours
    )


def _devices(db: sqlite3.Connection, table: str, columns: str) -> None:
    """One that the backup lacks is removed: it was somebody's."""
    db.execute(
        "INSERT OR REPLACE INTO main.removed (chassisId, tenant) SELECT chassisId, tenant FROM main.devices"
        " WHERE chassisId NOT IN (SELECT chassisId FROM backup.devices)"
    )
    _replace(db, table, columns)


def _removed(db: sqlite3.Connection, table: str, columns: str) -> None:
    """What is here is newer; a device that is there is not removed."""
    db.execute("INSERT OR IGNORE INTO main.removed (chassisId, tenant) SELECT chassisId, tenant FROM backup.removed")
    db.execute("DELETE FROM main.removed WHERE chassisId IN (SELECT chassisId FROM main.devices)")


def _keep(db: sqlite3.Connection, table: str, columns: str) -> None:
    """`_groups` sees to it."""


_WAYS: dict[str, _Way] = {
    "commands": _ledger,
    "devices": _devices,
    "removed": _removed,
    "acknowledged": _ledger,
    "parsings": _parsings,
    "parsing_owners": _owners,
    "groups": _groups,
    "forgotten_groups": _keep,
    "credentials": _credentials,
}
"""How a table is brought in; any other one is replaced."""
