"""Tokens and sessions in SQLite: never a secret, only its SHA-256."""

from __future__ import annotations

import sqlite3
from typing import Any

import msgspec

from duco_rt.clock import Clock
from duco_rt.errors import Conflict, NotFound
from duco_rt.rights import Credential, Role
from duco_rt.transports.base_data import SESSIONS_MAX, SESSIONS_TOKEN_MAX, TOKENS_MAX
from duco_rt.transports.meta_sqlite_file import SqliteFile

SCHEMA = """
CREATE TABLE IF NOT EXISTS credentials (
    id TEXT PRIMARY KEY, kind TEXT NOT NULL, name TEXT NOT NULL, grants TEXT NOT NULL, digest TEXT NOT NULL,
    created INTEGER NOT NULL, expires INTEGER, parent TEXT
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS credentials_of_parent ON credentials (parent) WHERE parent IS NOT NULL;
CREATE INDEX IF NOT EXISTS credentials_sessions ON credentials (expires) WHERE kind = 'session';
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
        return await self._run(lambda: _tokens(db))  # rows are read in the thread: there may be thousands

    async def remove_credential(self, credential_id: str) -> None:
        """Take one back with its sessions, or NotFound."""
        await self._write(lambda db: _remove(db, credential_id))


def _add(db: sqlite3.Connection, credential: Credential, now_ms: int) -> None:
    db.execute("DELETE FROM credentials WHERE kind = 'session' AND expires <= ?", (now_ms,))
    if credential.kind == "token":
        if _count(db, "kind = 'token'") >= TOKENS_MAX:
            raise Conflict(f"there are {TOKENS_MAX} tokens already: take some back")
    elif credential.parent is not None and not _count(db, "id = ?", credential.parent):
        raise NotFound(f"token {credential.parent!r} is not known")
    if credential.kind == "session":
        _make_room(db, "kind = 'session'", SESSIONS_MAX)
        if credential.parent is not None:
            _make_room(db, "parent = ?", SESSIONS_TOKEN_MAX, credential.parent)
    grants = msgspec.json.encode(credential.grants).decode()
    row = [credential.id, credential.kind, credential.name, grants, credential.digest]
    times = [credential.created_ms, credential.expires_ms]
    try:
        db.execute("INSERT INTO credentials VALUES (?, ?, ?, ?, ?, ?, ?, ?)", [*row, *times, credential.parent])
    except sqlite3.IntegrityError as e:
        raise Conflict(f"credential {credential.id!r} is there already") from e


def _tokens(db: sqlite3.Connection) -> list[Credential]:
    sql = f"SELECT {_COLUMNS} FROM credentials WHERE kind = 'token' ORDER BY created, id"  # nosec B608  # our columns
    return [msgspec.structs.replace(_credential(row), digest="") for row in db.execute(sql)]


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
