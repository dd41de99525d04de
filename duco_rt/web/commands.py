"""Real-time control in studio: one lease a device, however many viewers; a cron renews what is leased."""

from __future__ import annotations

import asyncio
import uuid
from collections import OrderedDict
from collections.abc import Awaitable, Callable

import structlog

from duco_rt.config import Leases as LeasesConfig
from duco_rt.errors import DucoError, NotFound
from duco_rt.metrics import Metrics
from duco_rt.model import MethodResult
from duco_rt.pipeline.runner import retry
from duco_rt.transports.base import Leases
from duco_rt.web.methods import check_command

log = structlog.get_logger()

Call = Callable[[str, str, str, dict[str, object]], Awaitable[MethodResult]]
"""hub, chassisId, method, payload → the device's answer."""

_ANONYMOUS = "anonymous"
_RENEW_AT_ONCE = 32
_REMEMBERED = 10_000


class Commands:
    """The proxy in front of MetaAPI's methods."""

    def __init__(self, hub_name: str, call: Call, leases: Leases, config: LeasesConfig, metrics: Metrics) -> None:
        self._hub_name = hub_name
        self._call = call
        self._leases = leases
        self._config = config
        self._metrics = metrics
        self._heard: set[str] = set()  # devices that answered this process: a lease alone may be older than they are
        self._acted: OrderedDict[tuple[str, str], MethodResult] = OrderedDict()
        self._locks: dict[str, asyncio.Lock] = {}

    async def handle(self, hub: str, chassis_id: str, method: str, payload: dict[str, object]) -> MethodResult:
        """A viewer's call. Only `setRealTimeUpload` is known here, any other goes through."""
        if method != "setRealTimeUpload" or hub != self._hub_name:
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
        viewer = str(payload.get("viewerId") or _ANONYMOUS)
        held = await self._leases.renew(chassis_id, viewer, self._config.ttl_s)
        if not held.first and held.answer_ms is not None and chassis_id in self._heard:
            return _from_lease(payload, held.answer_ms)
        command = chassis_id, str(payload["commandId"])
        earlier = self._acted.get(command)
        if earlier is not None:
            return earlier  # a heartbeat; what the device said then says nothing of now
        try:
            result = await self._call(self._hub_name, chassis_id, "setRealTimeUpload", payload)
        except DucoError:
            await self._leases.drop(chassis_id, viewer)
            raise
        if result.status == 200:
            self._heard.add(chassis_id)
            await self._leases.note(chassis_id, _answer_ms(result))
            self._remember(command, result)
        else:
            await self._leases.drop(chassis_id, viewer)
        return result

    async def _stop(self, chassis_id: str, payload: dict[str, object]) -> MethodResult:
        """A stop that comes twice does not end what others began in between."""
        command = chassis_id, str(payload["commandId"])
        earlier = self._acted.get(command)
        if earlier is not None:
            return earlier
        viewer = payload.get("viewerId")
        none_left = await self._leases.drop(chassis_id, None if viewer is None else str(viewer))
        if none_left:
            result = await self._call(self._hub_name, chassis_id, "setRealTimeUpload", payload)
            if await self._leases.is_held(chassis_id):  # by a viewer of another studio, who came in between
                again = {**payload, "action": "start", "reason": "lease", "commandId": str(uuid.uuid4())}
                await self._call(self._hub_name, chassis_id, "setRealTimeUpload", again)
        else:
            result = _from_lease(payload, await self._leases.noted(chassis_id))
        self._remember(command, result)
        return result

    def _remember(self, command: tuple[str, str], result: MethodResult) -> None:
        self._acted[command] = result
        if len(self._acted) > _REMEMBERED:
            self._acted.popitem(last=False)

    async def run(self) -> None:
        """The cron, for ever."""
        while True:
            await asyncio.sleep(self._config.cron_s)
            await retry("leases", self.renew_all, self._metrics)

    async def renew_all(self) -> None:
        """Renew the stream of every leased device, once over all studio processes in a period."""
        if not await self._leases.turn("renew", self._config.cron_s * 0.9):
            return
        at_once = asyncio.Semaphore(_RENEW_AT_ONCE)
        await asyncio.gather(*(self._renew(chassis_id, at_once) for chassis_id in await self._leases.held()))

    async def _renew(self, chassis_id: str, at_once: asyncio.Semaphore) -> None:
        payload: dict[str, object] = {"action": "start", "reason": "lease", "commandId": str(uuid.uuid4())}
        async with at_once, self._locks.setdefault(chassis_id, asyncio.Lock()):
            if not await self._leases.is_held(chassis_id):
                return  # its last viewer left since the cron began
            try:
                result = await self._call(self._hub_name, chassis_id, "setRealTimeUpload", payload)
            except DucoError as e:
                await self._leases.note(chassis_id, None)  # the next heartbeat asks the device itself
                self._metrics.count("lease_renewals_total", result=type(e).__name__)
                log.warning("stream not renewed", chassis_id=chassis_id, error=str(e))
                return
            await self._leases.note(chassis_id, _answer_ms(result) if result.status == 200 else None)
        self._metrics.count("lease_renewals_total", result=str(result.status))


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
