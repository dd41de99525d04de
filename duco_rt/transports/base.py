"""The contracts of the six transport kinds. An adapter only moves bytes; policy lives in `pipeline.runner`.

Every adapter turns its driver's errors into `TransportError` at its edge (`raise ... from`), and has
`close()`, which is safe to call twice. A contract suite a kind (tests/contracts) runs on every adapter.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Protocol

from duco_rt.model import (
    Device,
    History,
    HubMessage,
    LastSeen,
    MethodResult,
    Parsing,
    ParsingFile,
    Peer,
    RawMessage,
    RawSecond,
    Sample,
)

MethodHandler = Callable[[str, dict[str, object]], Awaitable[MethodResult]]
"""Called with a direct method's name and payload; its result is the device's answer."""


class Delivery(Protocol):
    """A hub message that the hub keeps until `ack`."""

    message: HubMessage

    def ack(self) -> None:
        """The cloud side has it for good: the device may forget it."""
        ...


class HubDevice(Protocol):
    """The hub as one device sees it."""

    async def connect(self, on_method: MethodHandler) -> None:
        """Be reachable; from here direct methods go to `on_method`."""
        ...

    async def send(self, message: HubMessage) -> None:
        """Return when the hub has the message for good. At least once: on TransportError send it again."""
        ...

    async def close(self) -> None:
        """Go offline."""
        ...


class HubCloud(Protocol):
    """The hub as the cloud side sees it: two independent readings of the same messages.

    `stored` is at least once and in order per device: a message not acknowledged comes again.
    `live` has only real-time messages, at most once: the oldest is dropped when the reader is slow.
    """

    def stored(self) -> AsyncIterator[Delivery]:
        """Every message."""
        ...

    def live(self) -> AsyncIterator[HubMessage]:
        """Real-time messages."""
        ...

    async def call(self, chassis_id: str, method: str, payload: dict[str, object], timeout_s: float) -> MethodResult:
        """Direct method; raises DeviceOffline or DeviceTimeout."""
        ...

    def connected(self, chassis_id: str) -> bool | None:
        """Whether the device is on the hub now; None where the hub cannot tell."""
        ...

    async def check(self) -> None:
        """Raises TransportError saying what is wrong, where the transport does not work now."""
        ...

    async def close(self) -> None:
        """Stop reading."""
        ...


class Hub(HubCloud, Protocol):
    """A hub whose both sides one process may need."""

    def device(self, chassis_id: str) -> HubDevice:
        """The hub as this device sees it."""
        ...


class RawBatch(Protocol):
    """Records of the raw log in order; the log keeps them until `commit`."""

    @property
    def records(self) -> Sequence[RawMessage]:
        """In order of arrival."""
        ...

    async def commit(self) -> None:
        """The work on all of them is done."""
        ...


class ParsedBatch(Protocol):
    """Records of the parsed log in order; the log keeps them until `commit`."""

    @property
    def records(self) -> Sequence[Sample]:
        """In order of arrival."""
        ...

    async def commit(self) -> None:
        """The work on all of them is done."""
        ...


class Log(Protocol):
    """Raw and parsed messages, at least once, in order per device.

    `append_*` returns when the log has the records for good: for a log that keeps nothing itself
    (`memory`) that is when the reader has committed them.
    """

    async def append_raw(self, records: Sequence[RawMessage]) -> None:
        """Append to the raw log."""
        ...

    async def append_parsed(self, records: Sequence[Sample]) -> None:
        """Append to the parsed log."""
        ...

    def read_raw(self, records_max: int, age_max_s: float) -> AsyncIterator[RawBatch]:
        """Batches of at most `records_max`, none older than `age_max_s` before it is handed out."""
        ...

    def read_parsed(self, records_max: int, age_max_s: float) -> AsyncIterator[ParsedBatch]:
        """The same for the parsed log."""
        ...

    async def check(self) -> None:
        """Raises TransportError saying what is wrong, where the transport does not work now."""
        ...

    async def close(self) -> None:
        """Stop."""
        ...


class Live(Protocol):
    """Second-level messages on channels (`Peer.channel`); at most once, nothing is kept."""

    async def publish(self, channel: str, message: bytes) -> None:
        """Hand to whoever is subscribed now; never waits for a slow one."""
        ...

    def subscribe(self, channel: str) -> AsyncIterator[bytes]:
        """Messages from now on; a slow reader loses the oldest, counted."""
        ...

    async def check(self) -> None:
        """Raises TransportError saying what is wrong, where the transport does not work now."""
        ...

    async def close(self) -> None:
        """End all subscriptions."""
        ...


class Leases(Protocol):
    """Who watches what, with a time to live: one lease a key, and the viewers that hold it."""

    async def renew(self, key: str, viewer: str, ttl_s: float) -> bool:
        """Add or renew a viewer; True where the key had no live lease before."""
        ...

    async def drop(self, key: str, viewer: str | None) -> bool:
        """Take a viewer out (None: all of them); True where none is left."""
        ...

    async def is_held(self, key: str) -> bool:
        """Whether the key has a live lease."""
        ...

    async def held(self) -> dict[str, int]:
        """Keys with a live lease and their number of viewers."""
        ...

    async def turn(self, name: str, period_s: float) -> bool:
        """True for exactly one caller a period, over all processes."""
        ...

    async def check(self) -> None:
        """Raises TransportError saying what is wrong, where the transport does not work now."""
        ...

    async def close(self) -> None:
        """Stop."""
        ...


class Store(Protocol):
    """Raw and parsed history. Inserting the same position twice leaves one to who reads."""

    async def insert_raw(self, rows: Sequence[RawSecond]) -> None:
        """Return when the rows survive the end of the process."""
        ...

    async def insert_parsed(self, samples: Sequence[Sample]) -> None:
        """Return when the samples survive the end of the process; samples without seq are not for the store."""
        ...

    async def history(self, peer: Peer, fields: Sequence[str], from_ms: int, to_ms: int) -> History:
        """Samples with from_ms <= ts <= to_ms in order of (ts, seq), also those that have none of the fields."""
        ...

    async def raw(self, peer: Peer, from_ms: int, to_ms: int) -> list[RawSecond]:
        """Raw rows with from_ms <= ts <= to_ms in order of (ts, seq, part)."""
        ...

    async def last_seen(self, tenant: str) -> dict[Peer, LastSeen]:
        """The newest arrival of every peer of the tenant."""
        ...

    async def expire(self, now_ms: int) -> None:
        """Drop the days that are past their retention, and the oldest while a table is over its limit in GB."""
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

    async def close(self) -> None:
        """Close."""
        ...
