"""The contracts of hub, log, live and leases; those of store and meta are in `base_data`.

An adapter only moves bytes; policy lives in `pipeline.runner`.

Every adapter turns its driver's errors into `TransportError` at its edge (`raise ... from`), and has `close()`, which
is safe to call twice. Making one needs no server: the first use connects, and what fails is tried again by the caller
(`runner.retry`, `runner.readings`). A reading that lost its server ends with TransportError; begun again, it goes on as
its contract says. Connections that outlive single calls are carried by `run()`, a task of the runtime: it reconnects
by itself and returns only when cancelled. A contract suite a kind (tests/contracts) runs on every adapter.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import NamedTuple, Protocol

from duco_rt.model import HubMessage, MethodResult, RawMessage, Sample

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

    async def run(self, on_method: MethodHandler, on_loss: Callable[[], None]) -> None:
        """Stay on the hub, reachable for direct methods, until cancelled; then offline, in order.

        `on_loss` is called after each connection that follows another one, where the hub may have lost messages
        that it had acknowledged (a broker that was killed): what was sent lately is to be sent again.
        """
        ...

    @property
    def is_online(self) -> bool:
        """Whether the device is on the hub now."""
        ...

    async def online(self) -> None:
        """Return as soon as the device is on the hub."""
        ...

    async def send(self, message: HubMessage) -> None:
        """Return when the hub has the message for good. At least once: on TransportError send it again."""
        ...


class HubCloud(Protocol):
    """The hub as the cloud side sees it: two independent readings of the same messages, shared by all ingestors.

    `stored` is at least once: a message not acknowledged comes again, to this or another ingestor; in order per
    device as long as one ingestor reads. `live` has only real-time messages, at most once: the oldest is dropped,
    counted (hub_live_dropped_total), when the reader is slow.
    """

    def stored(self) -> AsyncIterator[Delivery]:
        """Every message. An async generator; TransportError where the hub is lost."""
        ...

    def live(self) -> AsyncIterator[HubMessage]:
        """Real-time messages. An async generator; TransportError where the hub is lost."""
        ...

    async def run(self) -> None:
        """Carry what `call` and `connected` need, until cancelled; the readings do without."""
        ...

    async def call(self, chassis_id: str, method: str, payload: dict[str, object], timeout_s: float) -> MethodResult:
        """Direct method; raises NotFound, DeviceOffline, DeviceTimeout, or TransportError where the hub is away."""
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
    """Raw and parsed messages, at least once; raw ones in order per device, parsed ones per device and msgType.

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
        """Batches of at most `records_max`, none older than `age_max_s` before it is handed out.

        An async generator; several readers, of several processes, share the devices. What a reader did not commit
        comes again, to it or to another. TransportError where the log is lost.
        """
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
    """Second-level messages on channels (`Peer.channel`); at most once, no publisher waits."""

    async def run(self) -> None:
        """Carry the subscriptions, until cancelled."""
        ...

    async def publish(self, channel: str, message: bytes) -> None:
        """Hand to whoever is subscribed now; never waits for a slow one. TransportError where the server is away."""
        ...

    async def subscribe(self, channel: str) -> AsyncIterator[bytes]:
        """Messages from the return of this call on; a slow reader loses the oldest, counted (live_dropped_total).

        TransportError where the server is away now. A subscription outlives the server's absence: it goes on when
        the server is back, from where it was where the transport keeps messages. It ends with `close` alone; who
        waits for the next message may stop waiting (a time-out) and wait again.
        """
        ...

    async def recent(self, channel: str, back_s: float) -> list[bytes]:
        """Messages of the last `back_s` seconds, oldest first, as far as the transport still keeps them.

        [] where it keeps none; of many the newest. A subscription begun before has none of these but for those that
        were published since. TransportError where the server is away.
        """
        ...

    async def check(self) -> None:
        """Raises TransportError saying what is wrong, where the transport does not work now."""
        ...

    async def close(self) -> None:
        """End all subscriptions."""
        ...


class Renewed(NamedTuple):
    """What `renew` found: whether the key had no live lease before, and what was noted last (None: nothing)."""

    first: bool
    answer_ms: int | None


class Leases(Protocol):
    """Who watches what, with a time to live: one lease a key, and the viewers that hold it."""

    async def renew(self, key: str, viewer: str, ttl_s: float) -> Renewed:
        """Add or renew a viewer."""
        ...

    async def note(self, key: str, answer_ms: int | None) -> None:
        """Keep the time of the device's own last answer as long as the key has a live lease; None forgets it."""
        ...

    async def noted(self, key: str) -> int | None:
        """What was noted of a key with a live lease."""
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
