"""Which plan belongs to which device, asked from MetaAPI once and again every `refresh_s`.

Messages of a device whose parsing changes go on with the old plan until the new one is compiled.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import structlog

from duco_rt.errors import BadParsing, NotFound, TransportError
from duco_rt.metrics import Metrics
from duco_rt.model import Device, Parsing
from duco_rt.pipeline.decoding.plan import Plan, compile_parsing
from duco_rt.transports.base_data import Meta

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Known:
    """A device's tenant, and its plan (None: it has no parsing, or one that cannot be used)."""

    tenant: str
    plan: Plan | None


class ParsingCache:
    """Plans by device; devices with the same parsing share one."""

    def __init__(self, meta: Meta, refresh_s: float, metrics: Metrics) -> None:
        self._meta = meta
        self._refresh_s = refresh_s
        self._metrics = metrics
        self._known: dict[str, Known | None] = {}
        self._plans: dict[tuple[str, int], Plan | None] = {}
        self._loading: dict[str, asyncio.Lock] = {}  # by device: a question that hangs holds up no other one's
        self._compiling = asyncio.Lock()

    async def get(self, chassis_id: str) -> Known | None:
        """The device's tenant and plan; None where MetaAPI does not know it."""
        if chassis_id in self._known:
            return self._known[chassis_id]
        async with self._loading.setdefault(chassis_id, asyncio.Lock()):
            if chassis_id in self._known:
                return self._known[chassis_id]
            try:
                found = self._known[chassis_id] = await self._load(chassis_id)
            finally:
                self._loading.pop(chassis_id, None)
            return found

    async def run(self) -> None:
        """Ask again, for ever. A MetaAPI that is away changes nothing."""
        while True:
            await asyncio.sleep(self._refresh_s)
            await self.refresh()

    async def refresh(self) -> None:
        """Ask again for every device that is known here; forget unknown ones and plans that no device uses."""
        read: dict[str, Parsing] = {}
        try:
            devices = {device.chassis_id: device for device in await self._meta.devices()} if self._known else {}
            for chassis_id in list(self._known):
                device = devices.get(chassis_id)
                if device is not None:
                    self._known[chassis_id] = await self._known_of(device, read)
                elif self._known[chassis_id] is None:
                    del self._known[chassis_id]  # names that are no devices do not gather here
                else:
                    self._known[chassis_id] = None
        except TransportError as e:
            self._metrics.count("parsing_refresh_failed_total")
            log.warning("parsings not refreshed", error=str(e))
        used = {(k.plan.name, k.plan.version) for k in self._known.values() if k and k.plan}
        self._plans = {key: plan for key, plan in self._plans.items() if key in used or plan is None}

    async def _load(self, chassis_id: str) -> Known | None:
        try:
            return await self._known_of(await self._meta.device(chassis_id), {})
        except NotFound:
            return None

    async def _known_of(self, device: Device, read: dict[str, Parsing]) -> Known:
        """What belongs to a device; `read` holds what one round of refreshing has asked already."""
        if device.parsing is None:
            return Known(device.tenant, None)
        try:
            parsing = read.get(device.parsing) or await self._meta.parsing(device.parsing)
            read[device.parsing] = parsing
            key = parsing.name, parsing.version
            async with self._compiling:  # devices that share a parsing come together, after a start
                if key not in self._plans:
                    self._plans[key] = await self._compile(parsing)
            return Known(device.tenant, self._plans[key])
        except NotFound:
            return Known(device.tenant, None)

    async def _compile(self, parsing: Parsing) -> Plan | None:
        """The plan, or None for a parsing that cannot be used: said once, not at each refresh."""
        try:
            return await asyncio.to_thread(compile_parsing, parsing)
        except BadParsing as e:
            self._metrics.count("parsing_unusable_total")
            log.error("parsing cannot be used", parsing=parsing.name, version=parsing.version, error=str(e))
            return None
