"""Which plan belongs to which device, asked from MetaAPI once and again every `refresh_s`.

Messages of a device whose parsing changes go on with the old plan until the new one is compiled, and for good where
it cannot be. What could not be read in time is read again, less and less often.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import NamedTuple

import structlog

from duco_rt.errors import BadParsing, NotFound, ReadingLate, TransportError
from duco_rt.model import Device, Parsing
from duco_rt.pipeline.decoding.compiling import compile_for_live
from duco_rt.pipeline.decoding.plan import Plan
from duco_rt.pipeline.decoding.reading import LIMIT_S
from duco_rt.seeing.metrics import Metrics
from duco_rt.transports.base_data import Meta

log = structlog.get_logger()

Compile = Callable[[Parsing, float], Awaitable[Plan]]
"""Makes a plan, in so many seconds at most."""

_Key = tuple[str, int]
"""A parsing's name and version."""


@dataclass(frozen=True, slots=True)
class Known:
    """A device's tenant, and its plan (None: it has no parsing, or one that cannot be used)."""

    tenant: str
    plan: Plan | None


class _Wanted(NamedTuple):
    """What MetaAPI said last of a device."""

    tenant: str
    key: _Key | None


class _Late(NamedTuple):
    """What could not be read in time: after how many rounds of asking it is read again, and how many are left."""

    rounds: int
    left: int


_LATE_S_MAX = 600.0


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
        self._read_limit_s = read_limit_s
        self._compile_parsing = compile_parsing
        self._known: dict[str, Known | None] = {}
        self._wanted: dict[str, _Wanted] = {}
        self._plans: dict[_Key, Plan | None] = {}
        self._late: dict[_Key, _Late] = {}
        self._loading: dict[str, asyncio.Lock] = {}  # by device: a question that hangs holds up no other one's
        self._compiling: dict[_Key, asyncio.Lock] = {}  # by parsing: nor does one that takes long to read

    async def get(self, chassis_id: str) -> Known | None:
        """The device's tenant and plan; None where MetaAPI does not know it."""
        if chassis_id in self._known:
            return self._known[chassis_id]
        async with self._loading.setdefault(chassis_id, asyncio.Lock()):
            if chassis_id in self._known:
                return self._known[chassis_id]
            try:
                await self._load(chassis_id)
            finally:
                self._loading.pop(chassis_id, None)
            return self._known[chassis_id]

    async def run(self) -> None:
        """Ask again, for ever. A MetaAPI that is away changes nothing, a parsing that takes long holds up no other."""
        async with asyncio.TaskGroup() as group:
            while True:
                await asyncio.sleep(self._refresh_s)
                for parsing in await self._ask():
                    if (parsing.name, parsing.version) not in self._compiling:
                        group.create_task(self._compile_all([parsing]))

    async def refresh(self) -> None:
        """Ask again for every device that is known here; forget unknown ones and plans that no device uses."""
        await self._compile_all(await self._ask())

    async def _ask(self) -> list[Parsing]:
        """What MetaAPI says now; devices whose plan is there have it at once. The parsings still to be compiled."""
        read: dict[str, Parsing] = {}
        try:
            devices = {device.chassis_id: device for device in await self._meta.devices()} if self._known else {}
            for chassis_id in list(self._known):
                device = devices.get(chassis_id)
                if device is not None:
                    self._wanted[chassis_id] = await self._wanted_of(device, read)
                    self._settle(chassis_id)
                elif self._known[chassis_id] is None:
                    del self._known[chassis_id]  # names that are no devices do not gather here
                else:
                    self._known[chassis_id] = None
                    self._wanted.pop(chassis_id, None)
        except TransportError as e:
            self._failed(e)
        used = {wanted.key for wanted in self._wanted.values()}
        used |= {(k.plan.name, k.plan.version) for k in self._known.values() if k and k.plan}
        self._plans = {key: plan for key, plan in self._plans.items() if key in used}
        self._late = {key: late for key, late in self._late.items() if key in used}
        return [parsing for parsing in read.values() if self._is_due((parsing.name, parsing.version))]

    def _is_due(self, key: _Key) -> bool:
        """Whether a parsing is to be compiled in this round."""
        late = self._late.get(key)
        if key in self._plans or late is None:
            return key not in self._plans
        self._late[key] = late._replace(left=late.left - 1)
        return late.left <= 1

    async def _load(self, chassis_id: str) -> None:
        """Ask for a device that is not known here, and wait for its plan."""
        read: dict[str, Parsing] = {}
        try:
            wanted = await self._wanted_of(await self._meta.device(chassis_id), read)
        except NotFound:
            self._known[chassis_id] = None
            return
        for parsing in read.values():
            if (parsing.name, parsing.version) not in self._late:
                await self._compile(parsing)
        self._wanted[chassis_id] = wanted
        self._settle(chassis_id)

    async def _wanted_of(self, device: Device, read: dict[str, Parsing]) -> _Wanted:
        """What belongs to a device; `read` holds what one round of asking has asked already."""
        if device.parsing is None:
            return _Wanted(device.tenant, None)
        try:
            parsing = read.get(device.parsing) or await self._meta.parsing(device.parsing)
        except NotFound:
            return _Wanted(device.tenant, None)
        read[device.parsing] = parsing
        return _Wanted(device.tenant, (parsing.name, parsing.version))

    def _settle(self, chassis_id: str) -> None:
        """Give a device the plan that it should have, or let it keep an older version of it."""
        wanted, before = self._wanted[chassis_id], self._known.get(chassis_id)
        plan = None if wanted.key is None else self._plans.get(wanted.key)
        if plan is None and wanted.key is not None and before is not None and before.plan is not None:
            # until then its messages are parsed as they were; by another machine's parsing not for longer than that
            waits = wanted.key not in self._plans and wanted.key not in self._late
            plan = before.plan if waits or before.plan.name == wanted.key[0] else None
        self._known[chassis_id] = Known(wanted.tenant, plan)

    async def _compile_all(self, parsings: list[Parsing]) -> None:
        """Compile parsings and give them to the devices that want them."""
        try:
            await asyncio.gather(*(self._compile(parsing) for parsing in parsings))
        except TransportError as e:
            self._failed(e)
        keys = {(parsing.name, parsing.version) for parsing in parsings}
        for chassis_id, wanted in self._wanted.items():
            if wanted.key in keys:
                self._settle(chassis_id)

    async def _compile(self, parsing: Parsing) -> None:
        """Make the plan, or None for a parsing that cannot be used: said once, not at each refresh."""
        key = parsing.name, parsing.version
        late = self._late.get(key)
        try:
            async with self._compiling.setdefault(key, asyncio.Lock()):
                # devices that share a parsing come together, after a start
                if key in self._plans or self._late.get(key) is not late:
                    return
                try:
                    self._plans[key] = await self._compile_parsing(parsing, self._read_limit_s)
                    self._late.pop(key, None)
                except ReadingLate as e:
                    self._put_off(key, e)
                except BadParsing as e:
                    self._plans[key] = None
                    self._late.pop(key, None)
                    self._metrics.count("parsing_unusable_total")
                    log.error("parsing cannot be used", parsing=parsing.name, version=parsing.version, error=str(e))
                except TransportError:
                    raise
                except Exception as e:  # one parsing's defect, or ours: its devices are kept raw, the others go on
                    self._put_off(key, ReadingLate(f"{type(e).__name__}: {e}"))
                    log.error("parsing failed", parsing=parsing.name, version=parsing.version, exc_info=e)
        finally:
            self._compiling.pop(key, None)

    def _put_off(self, key: _Key, error: ReadingLate) -> None:
        """Read it again later: each time after twice as long, as it may take all its time again."""
        rounds = 1
        if key in self._late:
            rounds = min(2 * self._late[key].rounds, max(1, int(_LATE_S_MAX / self._refresh_s)))
        self._late[key] = _Late(rounds, rounds)
        self._metrics.count("parsing_late_total")
        again_s = rounds * self._refresh_s
        log.error("parsing not read in time", parsing=key[0], version=key[1], error=str(error), again_s=again_s)

    def _failed(self, error: TransportError) -> None:
        self._metrics.count("parsing_refresh_failed_total")
        log.warning("parsings not refreshed", error=str(error))
