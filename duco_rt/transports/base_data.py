"""The contracts of what is kept: store and meta. What `base` says of adapters holds here too."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Protocol

from duco_rt.errors import BadRequest
from duco_rt.model import (
    NAME,
    Command,
    CommandState,
    Device,
    History,
    LastSeen,
    Parsing,
    ParsingFile,
    Peer,
    RawSecond,
    Sample,
)
from duco_rt.rights import Credential

COMMANDS_PAGE_MAX = 500
"""Rows of the command ledger in one answer."""

TOKENS_MAX = 10_000
TOKENS_TENANT_MAX = 1_000
"""Tokens in all, and with a role in one tenant, or in all of them."""

SESSIONS_MAX = 100_000
SESSIONS_TOKEN_MAX = 200
SESSIONS_USER_MAX = 200
"""Sessions in all, of one token, and of one name without a token: for one more the one goes that would end first."""

SESSIONS_PAGE_MAX = 10_000
"""Sessions in one list."""

DEVICE_NAME_MAX = 200
"""Characters of a device's name."""


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

    async def thinned(
        self,
        peer: Peer,
        fields: Sequence[str],
        from_ms: int,
        to_ms: int,
        width_ms: int,
        stats: bool = False,
        means: bool = False,
    ) -> History:
        """What `duco_rt.web.thin.thin_to` makes of the same history of one field at least, with `means` if asked for.

        A range of some million values at a time: rows × fields.
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


class CommandLedger(Protocol):
    """Every `setRealTimeUpload` of every device, at most 2,000 a device and 30 days.

    A command is known by chassisId and commandId. What a call returned from survives the end of the process. Rows that
    are under way when MetaAPI ends are expired when it begins again.

    A row is of the tenant that the device had when it began. Of a device that went to another tenant the former rows
    are not there, whoever asks: not read, not counted, their ids free; once it is back they are there again. A device
    that was removed is of its last tenant.
    """

    async def begin_command(self, command: Command) -> Command | None:
        """Claim an id, in state queued or sent: None, and it is kept, where nothing of that id acted or is under way.

        Else the earlier row: one that is settled counts a beat and acts no more, one under way is as it was. NotFound
        where the device is not known. Whoever else claims the same id at the same time gets the earlier row.
        """
        ...

    async def move_command(self, command: Command, was: CommandState) -> bool:
        """Take the command that began at `queued_ms` from state `was`, queued or sent, to a later one with its times,
        answer and error; False, and nothing changes, where it is not in that state."""
        ...

    async def note_commands(self, commands: Sequence[Command]) -> None:
        """Commands that nobody sends (state leased), in one transaction: where the id is known it counts a beat for
        each. Of devices that are not known nothing is kept."""
        ...

    async def command(self, chassis_id: str, command_id: str) -> Command | None:
        """One command; None where the ledger does not have it."""
        ...

    async def commands(self, chassis_id: str, limit: int, before_ms: int | None = None) -> list[Command]:
        """The newest of a device that were queued before `before_ms`, newest first; NotFound.

        At most `limit`, 1 to 500, but fewer where a millisecond would be cut in two: the list ended where none is left.
        """
        ...

    async def acknowledged_ms(self, chassis_id: str) -> int | None:
        """When the device last acknowledged a start, by the server's clock: its watchdog runs from there. None where it
        acknowledged a stop since, or nothing is known."""
        ...

    async def fed(self, chassis_id: str, at_ms: int) -> None:
        """The device acknowledged a start that it had acknowledged before; without meaning after a stop."""
        ...


class Credentials(Protocol):
    """Tokens and sessions. What a call returned from survives the end of the process."""

    async def add_credential(self, credential: Credential) -> None:
        """Keep a token or session. Sessions that are over go.

        Conflict where its id is taken, there are `TOKENS_MAX` tokens, or `TOKENS_TENANT_MAX` with a role in one of its
        tenants; NotFound where the token that it was opened with was taken back.
        """
        ...

    async def credential(self, credential_id: str) -> Credential | None:
        """One of them, over or not; None where it is not known, or was taken back."""
        ...

    async def tokens(self) -> list[Credential]:
        """All tokens, oldest first, their digests left empty; no sessions."""
        ...

    async def sessions(self, tenant: str | None = None) -> list[Credential]:
        """Sessions, newest first, `SESSIONS_PAGE_MAX` at most, their digests left empty; of all, or those with a role
        in the tenant."""
        ...

    async def remove_grant(self, credential_id: str, tenant: str) -> None:
        """Take the role in a tenant (or in `*`) out of one, and out of the sessions that were opened with it; what has
        no role left goes. NotFound where it is not known, or has no role there."""
        ...

    async def remove_credential(self, credential_id: str) -> None:
        """Take one back, and the sessions that were opened with it; NotFound."""
        ...


class Meta(CommandLedger, Credentials, Protocol):
    """MetaAPI's data: devices, versioned parsings, groups, commands, tokens. Raises NotFound and Conflict."""

    async def devices(self, tenant: str | None = None) -> list[Device]:
        """All devices, or those of a tenant, by chassisId."""
        ...

    async def device(self, chassis_id: str) -> Device:
        """One device."""
        ...

    async def put_device(self, device: Device) -> None:
        """Add or replace; its parsing must exist. BadRequest where its tenant has as many as it may have."""
        ...

    async def remove_device(self, chassis_id: str) -> None:
        """Forget a device; its data and commands stay until their retention ends."""
        ...

    async def tenant_before(self, chassis_id: str) -> str | None:
        """The tenant that a removed device was of; None where it is known, or never was."""
        ...

    async def parsing(self, name: str, version: int | None = None) -> Parsing:
        """A parsing's version, the newest by default."""
        ...

    async def put_parsing(self, name: str, files: Sequence[ParsingFile], owner: str | None = None) -> Parsing:
        """Keep a new version; the same files again give the version that is there.

        A new parsing belongs to `owner`, a tenant, or to nobody; whose one is that is there does not change. BadRequest
        where the owner has as many as it may have.
        """
        ...

    async def parsing_tenants(self, name: str) -> tuple[str | None, frozenset[str]]:
        """Whose a parsing is (None: nobody's), and the tenants that have a device with it; NotFound."""
        ...

    async def groups(self, tenant: str) -> list[dict[str, object]]:
        """The tenant's chart groups in order, each with its `version`, and `changed` in ms."""
        ...

    async def put_group(self, tenant: str, group: dict[str, object], expected: int | None = None) -> dict[str, object]:
        """Add or replace the group of that `groupId`; returns it with its new `version`, above any that it had before.

        `expected`: the version that must be there, 0 for none. GroupChanged where another one is, NotFound where none
        is; of several at once that expect the same, one is kept.
        """
        ...

    async def remove_group(self, tenant: str, group_id: str, expected: int | None = None) -> None:
        """Forget a group; with `expected` only where that is its version, else GroupChanged."""
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


def check_device(device: Device) -> None:
    """Raise BadRequest where a device cannot be called so: its id, its tenant, or its name, of up to `DEVICE_NAME_MAX`
    printable characters."""
    check_name("chassisId", device.chassis_id)
    check_name("tenant", device.tenant)
    name = device.name
    if len(name) > DEVICE_NAME_MAX or not all(
        char.isprintable() or unicodedata.category(char) == "Zs" for char in name
    ):
        raise BadRequest(f"name {name[:80]!r}: at most {DEVICE_NAME_MAX} characters, all of them printable")
