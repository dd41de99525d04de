"""Which plan belongs to which device, asked from MetaAPI once and again every `refresh_s`.

Messages of a device whose parsing changes go on with the old plan until the new one is compiled, and for good where
it cannot be. What could not be read in time is read again, less and less often. Whose a device is, is known without
its parsing: nobody's reading holds up the messages of others.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import NamedTuple

import structlog

from duco_rt.errors import NotFound, TransportError
from duco_rt.model import Parsing
from duco_rt.pipeline.decoding.compiling import compile_for_live
from duco_rt.pipeline.decoding.plan import Plan
from duco_rt.pipeline.decoding.reading import LIMIT_S
from duco_rt.pipeline.parsing_plans import Compile, Key, Plans
from duco_rt.seeing.metrics import Metrics
from duco_rt.transports.base_data import Meta

__all__ = ["Compile", "Known", "ParsingCache"]

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Known:
    """A device's tenant, and its plan (None: it has no parsing, or one that cannot be used).

    `waits`: it has a parsing that is not read yet, or could not be in time.
    """

    tenant: str
    plan: Plan | None
    waits: bool = False


class _Wanted(NamedTuple):
    """What MetaAPI said last of a device: its tenant, and its parsing's name."""

    tenant: str
    name: str | None


_AGAIN_S = 1.0
_ASK_AT_ONCE = 20
_MAKE_AT_ONCE = 8
"""Of a tenant: more than are read at once."""


class ParsingCache:
    """Plans by device; devices with the same parsing share one. A parsing may take `read_limit_s` to be read."""

    def __init__(
        self,
        meta: Meta,
        refresh_s: float,
        metrics: Metrics,
        read_limit_s: float = LIMIT_S,
        compile_parsing: Compile = compile_for_live,
    ) -> None:
        self._meta = meta
        self._refresh_s = refresh_s
        self._metrics = metrics
        self._plans = Plans(refresh_s, metrics, read_limit_s, compile_parsing)
        self._known: dict[str, Known | None] = {}
        self._wanted: dict[str, _Wanted] = {}
        self._newest: dict[str, Key | None] = {}  # by parsing, None: MetaAPI does not know it
        self._loading: dict[str, asyncio.Lock] = {}  # by device: a question that hangs holds up no other one's
        self._due: dict[str, str] = {}  # parsings that somebody needs, and for which tenant
        self._making: dict[str, asyncio.Event] = {}  # set when it is read, or was tried
        self._is_due = asyncio.Event()
        self._asking = asyncio.Semaphore(_ASK_AT_ONCE)
        self._locks: dict[str, asyncio.Lock] = {}  # by parsing
        self._rooms: dict[str, asyncio.Semaphore] = {}  # by tenant: texts that wait to be read are not all held here
        self.changed = asyncio.Event()
        """Set where a device that waited may wait no more; whoever waits for that clears it."""

    async def get(self, chassis_id: str) -> Known | None:
        """The device's tenant and plan, once that is read; None where MetaAPI does not know it."""
        known = await self._look(chassis_id)
        if known is None or not known.waits:
            return known
        tenant, name = self._wanted[chassis_id]
        if name is not None and self._newest.get(name) not in self._plans.late:
            await self._make(name, tenant)
            known = self._settled(chassis_id)
        return replace(known, waits=False) if known is not None and known.waits else known

    async def now(self, chassis_id: str) -> Known | None:
        """The same, without waiting for a parsing: where it is needed and not there, `run` reads it."""
        known = await self._look(chassis_id)
        if known is not None and known.waits:
            tenant, name = self._wanted[chassis_id]
            if name is not None and name not in self._making and self._newest.get(name) not in self._plans.late:
                self._making[name], self._due[name] = asyncio.Event(), tenant
                self._is_due.set()
        return known

    async def soon(self, chassis_id: str) -> Known | None:
        """The same, once `run` has read it, or tried to. Who stops waiting does not stop the reading."""
        known = await self.now(chassis_id)
        wanted = self._wanted.get(chassis_id)
        if known is None or wanted is None or wanted.name not in self._making:
            return known
        await self._making[wanted.name].wait()
        return self._settled(chassis_id)

    async def _look(self, chassis_id: str) -> Known | None:
        if chassis_id not in self._known:
            async with self._loading.setdefault(chassis_id, asyncio.Lock()):
                try:
                    if chassis_id not in self._known:
                        await self._load(chassis_id)
                finally:
                    self._loading.pop(chassis_id, None)
        return self._settled(chassis_id)

    async def run(self) -> None:
        """Read what is needed, and ask again, for ever. A MetaAPI that is away changes nothing, a parsing that takes
        long holds up no other."""
        for event in self._making.values():  # of one that failed
            event.set()
        self._making.clear()
        self._due.clear()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._refresh_again(group))
            while True:
                await self._is_due.wait()
                self._is_due.clear()
                due, self._due = self._due, {}
                for name, tenant in due.items():
                    group.create_task(self._try_to_make(name, tenant))

    async def refresh(self) -> None:
        """Ask again for every device that is known here; forget unknown ones and plans that no device uses."""
        await asyncio.gather(*(self._try_to_compile(*each) for each in await self._ask()))

    async def _refresh_again(self, group: asyncio.TaskGroup) -> None:
        while True:
            await asyncio.sleep(self._refresh_s)
            for parsing, tenant in await self._ask():
                group.create_task(self._try_to_compile(parsing, tenant))

    async def _ask(self) -> list[tuple[Parsing, str]]:
        """What MetaAPI says now. The parsings that are still to be compiled, and for which tenant."""
        try:
            devices = {device.chassis_id: device for device in await self._meta.devices()} if self._known else {}
        except TransportError as e:
            self._failed(e)
            return []
        for chassis_id in list(self._known):
            device = devices.get(chassis_id)
            if device is not None:
                self._wanted[chassis_id] = _Wanted(device.tenant, device.parsing)
                self._known[chassis_id] = self._known[chassis_id] or Known(device.tenant, None)
            elif self._known[chassis_id] is None:
                del self._known[chassis_id]  # names that are no devices do not gather here
            else:
                self._known[chassis_id] = None
                self._wanted.pop(chassis_id, None)
        tenants = {wanted.name: wanted.tenant for wanted in self._wanted.values() if wanted.name is not None}
        asked = await asyncio.gather(*(self._try_to_ask(name) for name in tenants))
        for chassis_id in self._known:
            self._settled(chassis_id)
        self._forget()
        self.changed.set()
        found = [parsing for parsing in asked if parsing is not None]
        return [(parsing, tenants[parsing.name]) for parsing in found if self._plans.is_due(parsing)]

    async def _try_to_ask(self, name: str) -> Parsing | None:
        """One whose answer does not come leaves the others."""
        try:
            return await self._ask_for(name)
        except TransportError as e:
            self._failed(e)
            return None

    async def _ask_for(self, name: str) -> Parsing | None:
        """A parsing's newest version; None where MetaAPI does not know it."""
        try:
            async with self._asking:
                parsing = await self._meta.parsing(name)
        except NotFound:
            self._newest[name] = None
            return None
        self._newest[name] = name, parsing.version
        return parsing

    def _forget(self) -> None:
        """What no device has any more."""
        names = {wanted.name for wanted in self._wanted.values()}
        self._newest = {name: key for name, key in self._newest.items() if name in names}
        used = set(self._newest.values()) | {
            (k.plan.name, k.plan.version) for k in self._known.values() if k and k.plan
        }
        self._plans.keep(used)

    async def _load(self, chassis_id: str) -> None:
        """Ask for a device that is not known here."""
        try:
            device = await self._meta.device(chassis_id)
        except NotFound:
            self._known[chassis_id] = None
            return
        self._wanted[chassis_id] = _Wanted(device.tenant, device.parsing)
        self._known[chassis_id] = Known(device.tenant, None)

    def _settled(self, chassis_id: str) -> Known | None:
        """The device with the plan that it should have by now, or an older version of it that it may keep."""
        before, wanted = self._known.get(chassis_id), self._wanted.get(chassis_id)
        if before is None or wanted is None:
            return before
        asked = wanted.name is None or wanted.name in self._newest
        key = self._newest.get(wanted.name) if wanted.name is not None else None
        plan = None if key is None else self._plans.plans.get(key)
        if plan is None and before.plan is not None and (key is not None or not asked):
            # until then its messages are parsed as they were; by another machine's parsing not for longer than that
            waits = not asked or (key not in self._plans.plans and key not in self._plans.late)
            plan = before.plan if waits or before.plan.name == wanted.name else None
        waits = plan is None and (not asked or (key is not None and key not in self._plans.plans))
        if before.plan is not plan or (before.tenant, before.waits) != (wanted.tenant, waits):
            self._known[chassis_id] = Known(wanted.tenant, plan, waits)
        return self._known[chassis_id]

    async def _try_to_make(self, name: str, tenant: str) -> None:
        try:
            async with self._rooms.setdefault(tenant, asyncio.Semaphore(_MAKE_AT_ONCE)):
                await self._make(name, tenant)
        except TransportError as e:
            self._failed(e)
            await asyncio.sleep(min(_AGAIN_S, self._refresh_s))
        finally:
            if name in self._making:
                self._making.pop(name).set()
            self.changed.set()

    async def _make(self, name: str, tenant: str) -> None:
        """Ask for a parsing, and compile it: once for all who need it."""
        async with self._locks.setdefault(name, asyncio.Lock()):
            key = self._newest.get(name)
            if name in self._newest and (key is None or key in self._plans.plans or key in self._plans.late):
                return
            parsing = await self._ask_for(name)
            if parsing is not None and (name, parsing.version) not in self._plans.late:
                await self._plans.compile(parsing, tenant)

    async def _try_to_compile(self, parsing: Parsing, tenant: str) -> None:
        try:
            await self._plans.compile(parsing, tenant)
        except TransportError as e:
            self._failed(e)
        self.changed.set()

    def _failed(self, error: TransportError) -> None:
        self._metrics.count("parsing_refresh_failed_total")
        log.warning("parsings not refreshed", error=str(error))
