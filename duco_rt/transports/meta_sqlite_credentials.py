"""Tokens and sessions in SQLite: never a secret, only its SHA-256."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any

import msgspec

from duco_rt.clock import Clock
from duco_rt.errors import Conflict, NotFound
from duco_rt.rights import Credential, Role
from duco_rt.transports.base_data import (
    SESSIONS_MAX,
    SESSIONS_PAGE_MAX,
    SESSIONS_TOKEN_MAX,
    SESSIONS_USER_MAX,
    TOKENS_MAX,
    TOKENS_TENANT_MAX,
)
from duco_rt.transports.meta_sqlite_file import SqliteFile

SCHEMA = """
CREATE TABLE IF NOT EXISTS credentials (
    id TEXT PRIMARY KEY, kind TEXT NOT NULL, name TEXT NOT NULL, grants TEXT NOT NULL, digest TEXT NOT NULL,
    created INTEGER NOT NULL, expires INTEGER, parent TEXT
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS credentials_of_parent ON credentials (parent) WHERE parent IS NOT NULL;
CREATE INDEX IF NOT EXISTS credentials_sessions ON credentials (expires) WHERE kind = 'session';
CREATE INDEX IF NOT EXISTS credentials_users ON credentials (name) WHERE kind = 'session' AND parent IS NULL;
"""

_COLUMNS = "id, kind, name, grants, digest, created, expires, parent"
_grants = msgspec.json.Decoder(dict[str, Role])


class SqliteCredentials(SqliteFile):
    """`Credentials` over the file's table `credentials`."""

    _clock: Clock

    async def add_credential(self, credential: Credential) -> None:
        """Keep a token or session, within their bounds; sessions that are over go."""
        now_ms = self._clock.wall_ms()
        await self._write(lambda db: _add(db, credential, now_ms))

    async def credential(self, credential_id: str) -> Credential | None:
        """One of them, None where it is not there."""
        found = await self._rows(f"SELECT {_COLUMNS} FROM credentials WHERE id = ?", credential_id)  # nosec B608  # our columns
        return _credential(found[0]) if found else None

    async def tokens(self) -> list[Credential]:
        """All tokens, oldest first, without their digests."""
        db = self._known()
        return await self._run(
            lambda: _listed(db, "token", None)
        )  # rows are read in the thread: there may be thousands

    async def sessions(self, tenant: str | None = None) -> list[Credential]:
        """Sessions, newest first, without their digests."""
        db = self._known()
        return await self._run(lambda: _listed(db, "session", tenant))

    async def remove_grant(self, credential_id: str, tenant: str) -> None:
        """Take one role out, of its sessions too, or NotFound."""
        await self._write(lambda db: _remove_grant(db, credential_id, tenant))

    async def remove_credential(self, credential_id: str) -> None:
        """Take one back with its sessions, or NotFound."""
        await self._write(lambda db: _remove(db, credential_id))


def _add(db: sqlite3.Connection, credential: Credential, now_ms: int) -> None:
    db.execute("DELETE FROM credentials WHERE kind = 'session' AND expires <= ?", (now_ms,))
    if credential.kind == "token":
        if _count(db, "kind = 'token'") >= TOKENS_MAX:
            raise Conflict(f"there are {TOKENS_MAX} tokens already: take some back")
        _check_tenants(db, credential.grants)
    elif credential.parent is not None and not _count(db, "id = ?", credential.parent):
        raise NotFound(f"token {credential.parent!r} is not known")
    if credential.kind == "session":
        _make_room(db, "kind = 'session'", SESSIONS_MAX)
        if credential.parent is not None:
            _make_room(db, "parent = ?", SESSIONS_TOKEN_MAX, credential.parent)
        else:
            own = "kind = 'session' AND parent IS NULL AND name = ?"
            _make_room(db, own, SESSIONS_USER_MAX, credential.name)
    grants = msgspec.json.encode(credential.grants).decode()
    row = [credential.id, credential.kind, credential.name, grants, credential.digest]
    times = [credential.created_ms, credential.expires_ms]
    try:
        db.execute("INSERT INTO credentials VALUES (?, ?, ?, ?, ?, ?, ?, ?)", [*row, *times, credential.parent])
    except sqlite3.IntegrityError as e:
        raise Conflict(f"credential {credential.id!r} is there already") from e


def _check_tenants(db: sqlite3.Connection, grants: Mapping[str, Role]) -> None:
    """Nobody's tokens take the room of another tenant's."""
    places = ", ".join("?" * len(grants))
    rows = db.execute(
        "SELECT key, count(*) FROM credentials, json_each(credentials.grants)"
        f" WHERE credentials.kind = 'token' AND key IN ({places}) GROUP BY key",  # nosec B608  # places alone
        tuple(grants),
    )
    for tenant, count in rows:
        if count >= TOKENS_TENANT_MAX:
            raise Conflict(f"tenant {tenant!r} has {count} tokens, at most {TOKENS_TENANT_MAX}: take some back")


def _listed(db: sqlite3.Connection, kind: str, tenant: str | None) -> list[Credential]:
    order, most = ("created, id", -1) if kind == "token" else ("created DESC, id", SESSIONS_PAGE_MAX)
    of_tenant = "?2 IS NULL OR EXISTS (SELECT 1 FROM json_each(credentials.grants) WHERE key = ?2)"
    sql = f"SELECT {_COLUMNS} FROM credentials WHERE kind = ?1 AND ({of_tenant}) ORDER BY {order} LIMIT ?3"  # nosec B608  # our columns
    return [msgspec.structs.replace(_credential(row), digest="") for row in db.execute(sql, (kind, tenant, most))]


def _remove_grant(db: sqlite3.Connection, credential_id: str, tenant: str) -> None:
    rows = db.execute("SELECT id, grants FROM credentials WHERE id = ?1 OR parent = ?1", (credential_id,)).fetchall()
    held = {row[0]: _grants.decode(row[1]) for row in rows}
    if tenant not in held.get(credential_id, {}):
        raise NotFound(f"token {credential_id!r} is not known")
    for each, grants in held.items():
        left = {name: role for name, role in grants.items() if name != tenant}
        if not left:
            db.execute("DELETE FROM credentials WHERE id = ?1 OR parent = ?1", (each,))
        elif left != grants:
            db.execute("UPDATE credentials SET grants = ? WHERE id = ?", (msgspec.json.encode(left).decode(), each))


def _make_room(db: sqlite3.Connection, where: str, most: int, *values: object) -> None:
    """For one more: the ones go that would end first."""
    over = _count(db, where, *values) - most + 1
    if over > 0:
        chosen = f"SELECT id FROM credentials WHERE {where} ORDER BY expires, id LIMIT {over:d}"  # nosec B608  # our words
        db.execute(f"DELETE FROM credentials WHERE id IN ({chosen})", values)  # nosec B608  # our words


def _count(db: sqlite3.Connection, where: str, *values: object) -> int:
    found: int = db.execute(f"SELECT count(*) FROM credentials WHERE {where}", values).fetchone()[0]  # nosec B608  # our words
    return found


def _remove(db: sqlite3.Connection, credential_id: str) -> None:
    if not db.execute("DELETE FROM credentials WHERE id = ?", (credential_id,)).rowcount:
        raise NotFound(f"token {credential_id!r} is not known")
    db.execute("DELETE FROM credentials WHERE parent = ?", (credential_id,))


def _credential(row: tuple[Any, ...]) -> Credential:
    credential_id, kind, name, grants, digest, created_ms, expires_ms, parent = row
    return Credential(credential_id, kind, name, _grants.decode(grants), digest, created_ms, expires_ms, parent)
