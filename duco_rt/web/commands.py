"""Real-time control in studio: one lease a device, however many viewers; a cron renews what is leased."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable

import structlog
from msgspec.structs import replace

from duco_rt.clock import Clock
from duco_rt.config import Leases as LeasesConfig
from duco_rt.errors import DucoError, NotFound, TransportError
from duco_rt.model import UNDER_WAY, Command, MethodResult
from duco_rt.pipeline.runner import retry
from duco_rt.seeing.metrics import Metrics, status_label
from duco_rt.transports.base import Leases
from duco_rt.transports.base_data import CommandLedger
from duco_rt.web.leased_notes import LeasedNotes
from duco_rt.web.ledger import SET_REALTIME, check_command, command_of, viewer_of

log = structlog.get_logger()

Call = Callable[[str, str, str, dict[str, object]], Awaitable[MethodResult]]
"""hub, chassisId, method, payload → the device's answer."""

_RENEW_AT_ONCE = 32


class Commands:
    """The proxy in front of MetaAPI's methods. What acted is in MetaAPI's ledger; this process remembers none of it."""

    def __init__(
        self,
        hub_name: str,
        call: Call,
        leases: Leases,
        ledger: CommandLedger,
        config: LeasesConfig,
        clock: Clock,
        metrics: Metrics,
    ) -> None:
        self._hub_name = hub_name
        self._call = call
        self._leases = leases
        self._ledger = ledger
        self._config = config
        self._clock = clock
        self._metrics = metrics
        self.notes = LeasedNotes(ledger, metrics)
        self._held = 0
        metrics.gauge("leases_held", lambda: self._held)
        self._heard: set[str] = set()  # devices that answered this process: a lease alone may be older than they are
        self._locks: dict[str, asyncio.Lock] = {}

    async def handle(self, hub: str, chassis_id: str, method: str, payload: dict[str, object]) -> MethodResult:
        """A viewer's call. Only `setRealTimeUpload` is known here, any other goes through."""
        if method != SET_REALTIME or hub != self._hub_name:
            return await self._call(hub, chassis_id, method, payload)
        check_command(method, payload)
        try:
            async with self._locks.setdefault(chassis_id, asyncio.Lock()):
                if payload["action"] == "start":
                    return await self._start(chassis_id, payload)
                return await self._stop(chassis_id, payload)
        except NotFound:
            self._locks.pop(chassis_id, None)  # names that are no devices leave nothing behind
            raise

    async def _start(self, chassis_id: str, payload: dict[str, object]) -> MethodResult:
        viewer = viewer_of(payload)
        assert viewer is not None  # a start has one
        held = await self._leases.renew(chassis_id, viewer, self._config.ttl_s)
        if not held.first and held.answer_ms is not None and chassis_id in self._heard:
            self.notes.add(command_of(chassis_id, payload, "leased", self._clock.wall_ms()))
            return _from_lease(payload, held.answer_ms)
        try:
            earlier = await self._ledger.command(chassis_id, str(payload["commandId"]))
            result = await self._send(chassis_id, payload)
        except DucoError:
            await self._leases.drop(chassis_id, viewer)
            raise
        if result.status != 200:
            await self._leases.drop(chassis_id, viewer)
            return result
        if earlier is None or earlier.state != "acknowledged":
            self._heard.add(chassis_id)
            await self._leases.note(chassis_id, _answer_ms(result))
        return result  # of a repeated one: what the device said then, which says nothing of now

    async def _stop(self, chassis_id: str, payload: dict[str, object]) -> MethodResult:
        """A stop that comes twice does not end what others began in between."""
        viewer = viewer_of(payload)
        earlier = await self._earlier_stop(chassis_id, str(payload["commandId"]), viewer is not None)
        if earlier is not None and earlier.answer is not None and earlier.is_settled:
            self.notes.add(command_of(chassis_id, payload, "leased", self._clock.wall_ms()))  # a beat of that row
            return earlier.answer
        if earlier is not None and earlier.state in UNDER_WAY:  # another studio took the viewer out
            return await self._send(chassis_id, payload)
        if not await self._leases.drop(chassis_id, viewer):
            return await self._leave(chassis_id, payload)
        result = await self._send(chassis_id, payload)
        if await self._leases.is_held(chassis_id):  # by a viewer of another studio, who came in between
            await self._send(chassis_id, _renewal())
        return result

    async def _earlier_stop(self, chassis_id: str, command_id: str, is_of_viewer: bool) -> Command | None:
        """What the ledger has of a stop. While it is away a viewer still leaves; nobody else is put out."""
        waiting = self.notes.waiting(chassis_id, command_id)
        if waiting is not None and waiting.is_settled:
            return waiting
        try:
            return await self._ledger.command(chassis_id, command_id)
        except TransportError:
            if is_of_viewer:
                return None
            raise

    async def _leave(self, chassis_id: str, payload: dict[str, object]) -> MethodResult:
        """One viewer less, the stream goes on: in the ledger at once, so that no other studio does it again."""
        result = _from_lease(payload, await self._leases.noted(chassis_id))
        row = replace(command_of(chassis_id, payload, "leased", self._clock.wall_ms()), answer=result)
        try:
            await self._ledger.note_commands([row])
        except TransportError:
            self.notes.add(row)
        return result

    async def _send(self, chassis_id: str, payload: dict[str, object]) -> MethodResult:
        return await self._call(self._hub_name, chassis_id, SET_REALTIME, payload)

    async def run(self) -> None:
        """The cron, and the way of the heartbeats into the ledger, for ever."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.notes.run())
            tasks.create_task(self._run_cron())

    async def _run_cron(self) -> None:
        while True:
            await asyncio.sleep(self._config.cron_s)
            await retry("leases", self.renew_all, self._metrics)

    async def renew_all(self) -> None:
        """Renew the stream of every leased device, once over all studio processes in a period."""
        if not await self._leases.turn("renew", self._config.cron_s * 0.9):
            self._held = 0  # who has the turn tells
            return
        at_once, held = asyncio.Semaphore(_RENEW_AT_ONCE), await self._leases.held()
        self._held = len(held)
        await asyncio.gather(*(self._renew(chassis_id, at_once) for chassis_id in held))

    async def _renew(self, chassis_id: str, at_once: asyncio.Semaphore) -> None:
        async with at_once, self._locks.setdefault(chassis_id, asyncio.Lock()):
            if not await self._leases.is_held(chassis_id):
                return  # its last viewer left since the cron began
            try:
                result = await self._send(chassis_id, _renewal())
            except Exception as e:  # whatever it is, the other devices are renewed
                await self._leases.note(chassis_id, None)  # the next heartbeat asks the device itself
                self._metrics.count("lease_renewals_total", result=type(e).__name__)
                unexpected = None if isinstance(e, DucoError) else e
                log.warning("stream not renewed", chassis_id=chassis_id, error=str(e), exc_info=unexpected)
                return
            await self._leases.note(chassis_id, _answer_ms(result) if result.status == 200 else None)
        self._metrics.count("lease_renewals_total", result=status_label(result.status))


def _renewal() -> dict[str, object]:
    """A start in the name of all who hold the lease, with an id of its own."""
    return {"action": "start", "reason": "lease", "commandId": str(uuid.uuid4())}


def _answer_ms(result: MethodResult) -> int | None:
    """When the device answered, by its own clock."""
    ts = result.payload.get("ts")
    return ts if isinstance(ts, int) else None


def _from_lease(payload: dict[str, object], answer_ms: int | None) -> MethodResult:
    """What studio knows by itself: the stream is on, since others hold it; `ts` is the device's last answer."""
    answer = {
        "commandId": payload["commandId"],
        "action": payload["action"],
        "realtime": True,
        "ts": answer_ms,
        "source": "lease",
    }
    return MethodResult(200, answer)
