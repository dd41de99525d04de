"""The contracts of what is kept: store and meta. What `base` says of adapters holds here too."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from duco_rt.errors import BadRequest
from duco_rt.model import NAME, Device, History, LastSeen, Parsing, ParsingFile, Peer, RawSecond, Sample


class Store(Protocol):
    """Raw and parsed history. Inserting the same position twice leaves one to who reads: of samples the one with the
    latest `received_ms`, of equal ones that of the latest insert, whole."""

    async def insert_raw(self, rows: Sequence[RawSecond]) -> None:
        """Return when the rows survive the end of the process."""
        ...

    async def insert_parsed(self, samples: Sequence[Sample]) -> None:
        """Return when the samples survive the end of the process; samples without seq are not for the store."""
        ...

    async def history(
        self, peer: Peer, fields: Sequence[str], from_ms: int, to_ms: int, stats: bool = False
    ) -> History:
        """Samples with from_ms <= ts <= to_ms in order of (ts, seq), also those that have none of the fields.

        With `stats` lowest, highest and number of values of each field and second, too.
        """
        ...

    async def raw(self, peer: Peer, from_ms: int, to_ms: int, order: bool = True) -> list[RawSecond]:
        """Raw rows with from_ms <= ts <= to_ms in order of (ts, seq, part); `order` False leaves that column b""."""
        ...

    async def last_seen(self, tenant: str) -> dict[Peer, LastSeen]:
        """The newest arrival of every peer of the tenant."""
        ...

    async def expire(self, now_ms: int) -> None:
        """Drop the days that are past their retention, and the oldest while a table is over its limit in GB."""
        ...

    async def check(self) -> None:
        """Raises TransportError saying what is wrong, where the transport does not work now."""
        ...

    async def close(self) -> None:
        """Flush and close."""
        ...


class Meta(Protocol):
    """MetaAPI's data: devices, versioned parsings, groups. Raises NotFound and Conflict."""

    async def devices(self, tenant: str | None = None) -> list[Device]:
        """All devices, or those of a tenant, by chassisId."""
        ...

    async def device(self, chassis_id: str) -> Device:
        """One device."""
        ...

    async def put_device(self, device: Device) -> None:
        """Add or replace; its parsing must exist."""
        ...

    async def remove_device(self, chassis_id: str) -> None:
        """Forget a device; its data stays until its retention ends."""
        ...

    async def parsing(self, name: str, version: int | None = None) -> Parsing:
        """A parsing's version, the newest by default."""
        ...

    async def put_parsing(self, name: str, files: Sequence[ParsingFile]) -> Parsing:
        """Keep a new version; the same files again give the version that is there."""
        ...

    async def groups(self, tenant: str) -> list[dict[str, object]]:
        """The tenant's chart groups in order."""
        ...

    async def put_group(self, tenant: str, group: dict[str, object]) -> None:
        """Add or replace the group of that `groupId`."""
        ...

    async def remove_group(self, tenant: str, group_id: str) -> None:
        """Forget a group."""
        ...

    async def check(self) -> None:
        """Raises TransportError saying what is wrong, where the transport does not work now."""
        ...

    async def close(self) -> None:
        """Close."""
        ...


def check_name(what: str, value: str) -> None:
    """Raise BadRequest where a tenant, device or parsing cannot be called so."""
    if not NAME.match(value):
        raise BadRequest(f"{what} {value[:80]!r}: 1 to 64 of A-Z a-z 0-9 _ -")
