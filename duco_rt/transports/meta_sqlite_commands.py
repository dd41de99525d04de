"""The command ledger in SQLite: a table of commands, and when each device last acknowledged what.

Pruned as it grows: with every 100th row of a device what is over its limit goes, and of the 500 oldest rows of all what
is over 30 days; so a command's own work does not depend on how much is kept.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

import msgspec

from duco_rt.errors import BadRequest, NotFound
from duco_rt.model import UNDER_WAY, Command, CommandState, MethodResult
from duco_rt.transports.base_data import COMMANDS_PAGE_MAX
from duco_rt.transports.meta_sqlite_file import SqliteFile

_TABLE = """CREATE TABLE IF NOT EXISTS commands (
    id INTEGER PRIMARY KEY AUTOINCREMENT, chassisId TEXT NOT NULL, commandId TEXT NOT NULL, action TEXT NOT NULL,
    reason TEXT NOT NULL, who TEXT NOT NULL, state TEXT NOT NULL, queued INTEGER NOT NULL, sent INTEGER,
    answered INTEGER, answer TEXT, error TEXT, beats INTEGER NOT NULL, lastBeat INTEGER,
    tenant TEXT NOT NULL DEFAULT '', UNIQUE (chassisId, commandId, tenant)
)"""
_INDEXES = (
    "CREATE INDEX IF NOT EXISTS commands_newest ON commands (chassisId, queued)",
    "CREATE INDEX IF NOT EXISTS commands_leased ON commands (chassisId, queued) WHERE state = 'leased'",
    "CREATE INDEX IF NOT EXISTS commands_under_way ON commands (state) WHERE state IN ('queued', 'sent')",
)
_ACKNOWLEDGED = """CREATE TABLE IF NOT EXISTS acknowledged (
    chassisId TEXT PRIMARY KEY, action TEXT NOT NULL, ms INTEGER NOT NULL
) WITHOUT ROWID"""
SCHEMA = "".join(f"{statement};\n" for statement in (_TABLE, *_INDEXES, _ACKNOWLEDGED))

ROWS_MAX = 1_000
"""Of a device: leased ones, and as many others. Heartbeats of many viewers push no command out."""

PRUNE_EVERY = 100
DAYS_MAX = 30
ANSWER_BYTES_MAX = 64 * 1024

_COLUMNS = "chassisId, commandId, action, reason, who, state, queued, sent, answered, answer, error, beats, lastBeat"
_TENANT = (
    "coalesce((SELECT tenant FROM devices WHERE chassisId = ?1), (SELECT tenant FROM removed WHERE chassisId = ?1), '')"
)
"""Of the device ?1 now, or last: no other tenant's rows are there."""

_IS = f"chassisId = ?1 AND tenant = {_TENANT} AND commandId = ?2"
_ONE = f"SELECT {_COLUMNS} FROM commands WHERE {_IS}"  # nosec B608  # our columns
_PAGE = (
    f"SELECT {_COLUMNS} FROM commands WHERE chassisId = ?1 AND tenant = {_TENANT} AND queued < ?2"  # nosec B608  # our columns
    " ORDER BY queued DESC, id DESC LIMIT ?3"
)
_NEXT: dict[str, tuple[str, ...]] = {
    "queued": ("sent", "failed", "expired"),
    "sent": ("acknowledged", "failed", "expired"),
}
_LATER = 2**63 - 1

_result = msgspec.json.Decoder(MethodResult)


class SqliteCommands(SqliteFile):
    """`CommandLedger` over the file's tables `commands`, `acknowledged` and `devices`."""

    _fresh: dict[tuple[str, bool], int]
    """Rows since the last pruning, by device and whether they are leased."""

    def _begin_ledger(self, db: sqlite3.Connection) -> None:
        """What was under way when the last process ended. In the thread."""
        self._fresh = {}
        _add_tenant(db)
        db.execute(
            "UPDATE commands SET state = 'expired', error = CASE state"
            " WHEN 'sent' THEN 'unknown outcome: MetaAPI ended before the device''s answer came'"
            " ELSE 'unknown outcome: MetaAPI ended while it waited for its turn' END"
            " WHERE state IN ('queued', 'sent')"
        )

    async def begin_command(self, command: Command) -> Command | None:
        """Claim an id; the earlier row where it acted or is under way."""
        if command.state not in UNDER_WAY:
            raise BadRequest(f"state {command.state!r}: a command begins as queued or sent")
        return await self._write(lambda db: self._begin(db, command))

    def _begin(self, db: sqlite3.Connection, command: Command) -> Command | None:
        key = command.chassis_id, command.command_id
        earlier = _find(db, *key)
        if earlier is None:
            if not _is_device(db, command.chassis_id):
                raise NotFound(f"device {command.chassis_id!r} is not known")
            self._insert(db, command)
            return None
        if earlier.state in UNDER_WAY:
            return earlier
        beats, last_ms = earlier.beats + 1, max(command.queued_ms, earlier.last_beat_ms or 0)
        if earlier.is_settled:
            db.execute(f"UPDATE commands SET beats = ?3, lastBeat = ?4 WHERE {_IS}", (*key, beats, last_ms))  # nosec B608  # our columns
            return msgspec.structs.replace(earlier, beats=beats, last_beat_ms=last_ms)
        self._insert(db, msgspec.structs.replace(command, beats=beats, last_beat_ms=last_ms))
        return None

    async def move_command(self, command: Command, was: CommandState) -> bool:
        """From state `was` to a later one; False where it is not in that state."""
        if command.state not in _NEXT.get(was, ()):
            raise BadRequest(f"a command does not go from {was} to {command.state}")
        return await self._write(lambda db: _move(db, command, was))

    async def note_commands(self, commands: Sequence[Command]) -> None:
        """Leased commands in one transaction; of a known id the beats are counted."""
        for command in commands:
            if command.state != "leased":
                raise BadRequest(f"state {command.state!r}: only leased commands are noted")
        await self._write(lambda db: self._note(db, commands))

    def _note(self, db: sqlite3.Connection, commands: Sequence[Command]) -> None:
        for command in commands:
            last_ms = max(command.queued_ms, command.last_beat_ms or 0)
            known = db.execute(
                f"UPDATE commands SET beats = beats + ?3, lastBeat = max(coalesce(lastBeat, 0), ?4) WHERE {_IS}",  # nosec B608  # our columns
                (command.chassis_id, command.command_id, command.beats + 1, last_ms),
            )
            if not known.rowcount and _is_device(db, command.chassis_id):
                self._insert(db, command)

    async def command(self, chassis_id: str, command_id: str) -> Command | None:
        """One command, None where it is not there."""
        found = await self._rows(_ONE, chassis_id, command_id)
        return _command(found[0]) if found else None

    async def commands(self, chassis_id: str, limit: int, before_ms: int | None = None) -> list[Command]:
        """The newest of a device, newest first."""
        if not 1 <= limit <= COMMANDS_PAGE_MAX:
            raise BadRequest(f"limit {limit}: 1 to {COMMANDS_PAGE_MAX}")
        before = _LATER if before_ms is None else before_ms
        rows = await self._rows(_PAGE, chassis_id, before, limit + 1)
        if not rows and not await self._rows("SELECT 1 FROM devices WHERE chassisId = ?", chassis_id):
            raise NotFound(f"device {chassis_id!r} is not known")
        return _page([_command(row) for row in rows], limit)

    async def acknowledged_ms(self, chassis_id: str) -> int | None:
        """When the device last acknowledged a start; None after a stop."""
        rows = await self._rows("SELECT ms FROM acknowledged WHERE chassisId = ? AND action = 'start'", chassis_id)
        return rows[0][0] if rows else None

    async def fed(self, chassis_id: str, at_ms: int) -> None:
        """The device acknowledged its start again."""
        sql = "UPDATE acknowledged SET ms = ? WHERE chassisId = ? AND action = 'start'"
        await self._write(lambda db: db.execute(sql, (at_ms, chassis_id)).rowcount)

    def _insert(self, db: sqlite3.Connection, c: Command) -> None:
        """A new row, also in place of an earlier try, and the pruning that falls due with it."""
        columns = [
            c.chassis_id,
            c.command_id,
            c.action,
            c.reason,
            c.who,
            c.state,
            c.queued_ms,
            c.sent_ms,
            c.answered_ms,
        ]
        values = [*columns, _text(c.answer), c.error, c.beats, c.last_beat_ms]
        places = ", ".join(f"?{n}" for n in range(1, len(values) + 1))
        db.execute(f"INSERT OR REPLACE INTO commands ({_COLUMNS}, tenant) VALUES ({places}, {_TENANT})", values)
        key = c.chassis_id, c.state == "leased"
        self._fresh[key] = self._fresh.get(key, PRUNE_EVERY) + 1
        if self._fresh[key] >= PRUNE_EVERY:  # also with the first row after a start
            self._fresh[key] = 0
            _prune(db, *key, c.queued_ms)


def _add_tenant(db: sqlite3.Connection) -> None:
    """Rows of a release that did not note whose they are belong to the device's tenant of today."""
    if any(row[1] == "tenant" for row in db.execute("PRAGMA table_info(commands)")):
        return
    db.execute("BEGIN IMMEDIATE")
    try:
        db.execute("ALTER TABLE commands RENAME TO commands_before")  # its UNIQUE becomes another one
        db.execute(_TABLE)
        whose = "coalesce((SELECT tenant FROM devices WHERE devices.chassisId = commands_before.chassisId), '')"
        db.execute(
            f"INSERT INTO commands (id, {_COLUMNS}, tenant) SELECT id, {_COLUMNS}, {whose} FROM commands_before"  # nosec B608  # our columns
        )
        db.execute("DROP TABLE commands_before")
        for index in _INDEXES:
            db.execute(index)
        db.execute("COMMIT")
    except sqlite3.Error:
        db.execute("ROLLBACK")
        raise


def _page(found: list[Command], limit: int) -> list[Command]:
    """The first `limit` of one more, so that the next page can begin before a millisecond."""
    if len(found) <= limit:
        return found
    whole = [command for command in found if command.queued_ms != found[-1].queued_ms]
    return whole or found[:limit]


def _prune(db: sqlite3.Connection, chassis_id: str, leased: bool, now_ms: int) -> None:
    kind = "=" if leased else "!="
    db.execute(
        "DELETE FROM commands WHERE id IN (SELECT id FROM commands"
        f" WHERE chassisId = ? AND state {kind} 'leased' ORDER BY queued DESC, id DESC LIMIT -1 OFFSET ?)",  # nosec B608  # our columns
        (chassis_id, ROWS_MAX - PRUNE_EVERY),
    )
    db.execute(
        "DELETE FROM commands WHERE id IN (SELECT id FROM (SELECT id, queued FROM commands ORDER BY id LIMIT 500)"
        " WHERE queued < ?)",
        (now_ms - DAYS_MAX * 86_400_000,),
    )


def _move(db: sqlite3.Connection, c: Command, was: CommandState) -> bool:
    changed = db.execute(
        "UPDATE commands SET state = ?, sent = ?, answered = ?, answer = ?, error = ?"
        " WHERE chassisId = ? AND commandId = ? AND state = ? AND queued = ?",
        (c.state, c.sent_ms, c.answered_ms, _text(c.answer), c.error, c.chassis_id, c.command_id, was, c.queued_ms),
    )
    if changed.rowcount and c.state == "acknowledged":
        values = c.chassis_id, c.action, c.queued_ms if c.answered_ms is None else c.answered_ms
        db.execute("INSERT OR REPLACE INTO acknowledged VALUES (?, ?, ?)", values)
    return bool(changed.rowcount)


def _find(db: sqlite3.Connection, chassis_id: str, command_id: str) -> Command | None:
    row = db.execute(_ONE, (chassis_id, command_id)).fetchone()
    return None if row is None else _command(row)


def _is_device(db: sqlite3.Connection, chassis_id: str) -> bool:
    return db.execute("SELECT 1 FROM devices WHERE chassisId = ?", (chassis_id,)).fetchone() is not None


def _command(row: tuple[Any, ...]) -> Command:
    names = Command.__struct_encode_fields__
    answer = None if row[9] is None else _result.decode(row[9])
    return msgspec.convert({**dict(zip(names, row, strict=True)), "answer": answer}, Command)


def _text(answer: MethodResult | None) -> str | None:
    """An answer as it is kept: one that nobody expects to be so long is kept without its words."""
    if answer is None:
        return None
    text = msgspec.json.encode(answer)
    if len(text) > ANSWER_BYTES_MAX:
        note = f"an answer of {len(text)} bytes is not kept, at most {ANSWER_BYTES_MAX}"
        text = msgspec.json.encode(MethodResult(answer.status, {"message": note}))
    return text.decode()
