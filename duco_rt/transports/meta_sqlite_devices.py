"""Devices in SQLite, and of which tenant those were that are gone."""

from __future__ import annotations

import sqlite3
from typing import NamedTuple

from duco_rt.errors import BadRequest, NotFound
from duco_rt.model import Device
from duco_rt.transports.base_data import check_device
from duco_rt.transports.meta_sqlite_file import SqliteFile

SCHEMA = """
CREATE TABLE IF NOT EXISTS devices (
    chassisId TEXT PRIMARY KEY, tenant TEXT NOT NULL, name TEXT NOT NULL, parsing TEXT
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS devices_of_tenant ON devices (tenant);
CREATE TABLE IF NOT EXISTS removed (
    id INTEGER PRIMARY KEY AUTOINCREMENT, chassisId TEXT NOT NULL UNIQUE, tenant TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS removed_of_tenant ON removed (tenant);
"""

REMOVED_TENANT_MAX = 100_000
"""Of a tenant; over it the tenant's own oldest is forgotten, and nobody else's."""


class Bounds(NamedTuple):
    """What one tenant may have."""

    devices: int = 10_000
    parsings: int = 1_000


class SqliteDevices(SqliteFile):
    """The file's tables `devices` and `removed`."""

    _bounds: Bounds

    async def devices(self, tenant: str | None = None) -> list[Device]:
        """All devices, or a tenant's."""
        rows = await self._rows(
            "SELECT chassisId, tenant, name, parsing FROM devices WHERE ?1 IS NULL OR tenant = ?1 ORDER BY chassisId",
            tenant,
        )
        return [Device(*row) for row in rows]

    async def device(self, chassis_id: str) -> Device:
        """One device, or NotFound."""
        rows = await self._rows("SELECT chassisId, tenant, name, parsing FROM devices WHERE chassisId = ?", chassis_id)
        if not rows:
            raise NotFound(f"device {chassis_id!r} is not known")
        return Device(*rows[0])

    async def put_device(self, device: Device) -> None:
        """Add or replace, as many as a tenant may have."""
        check_device(device)
        await self._write(lambda db: _put(db, device, self._bounds.devices))

    async def remove_device(self, chassis_id: str) -> None:
        """Forget a device, or NotFound."""
        await self._write(lambda db: _remove(db, chassis_id))

    async def tenant_before(self, chassis_id: str) -> str | None:
        """The tenant that a removed device was of."""
        rows = await self._rows("SELECT tenant FROM removed WHERE chassisId = ?", chassis_id)
        return rows[0][0] if rows else None


def _put(db: sqlite3.Connection, device: Device, most: int) -> None:
    known = "SELECT 1 FROM parsings WHERE name = ?"
    if device.parsing is not None and db.execute(known, (device.parsing,)).fetchone() is None:
        raise NotFound(f"parsing {device.parsing!r} is not known")
    own = "SELECT 1 FROM devices WHERE chassisId = ? AND tenant = ?"
    if db.execute(own, (device.chassis_id, device.tenant)).fetchone() is None:
        count = db.execute("SELECT count(*) FROM devices WHERE tenant = ?", (device.tenant,)).fetchone()[0]
        if count >= most:
            raise BadRequest(f"tenant {device.tenant!r} has {count} devices, at most {most} (meta.devices_tenant_max)")
    row = device.chassis_id, device.tenant, device.name, device.parsing
    db.execute("INSERT OR REPLACE INTO devices VALUES (?, ?, ?, ?)", row)
    db.execute("DELETE FROM removed WHERE chassisId = ?", (device.chassis_id,))


def _remove(db: sqlite3.Connection, chassis_id: str) -> None:
    row = db.execute("SELECT tenant FROM devices WHERE chassisId = ?", (chassis_id,)).fetchone()
    if row is None:
        raise NotFound(f"device {chassis_id!r} is not known")
    db.execute("DELETE FROM devices WHERE chassisId = ?", (chassis_id,))
    db.execute("INSERT OR REPLACE INTO removed (chassisId, tenant) VALUES (?, ?)", (chassis_id, row[0]))
    db.execute(
        "DELETE FROM removed WHERE id IN (SELECT id FROM removed WHERE tenant = ? ORDER BY id DESC LIMIT -1 OFFSET ?)",
        (row[0], REMOVED_TENANT_MAX),
    )
