"""The plans of parsings by name and version, each compiled once; what is not read in time is read again later."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Set
from typing import NamedTuple, Protocol

import structlog

from duco_rt.errors import BadParsing, ReadingLate, TransportError
from duco_rt.model import Parsing
from duco_rt.pipeline.decoding.plan import Plan
from duco_rt.seeing.metrics import Metrics

log = structlog.get_logger()

Key = tuple[str, int]
"""A parsing's name and version."""

_LATE_S_MAX = 600.0


class Compile(Protocol):
    """Makes a plan, in so many seconds at most, in the turn of a tenant."""

    def __call__(self, parsing: Parsing, limit_s: float, tenant: str) -> Awaitable[Plan]:
        """The plan; raises BadParsing, ReadingLate, TransportError."""
        ...


class _Late(NamedTuple):
    """What could not be read in time: after how many rounds of asking it is read again, and how many are left."""

    rounds: int
    left: int


class Plans:
    """`plans` has None for what cannot be used; what is `late` is read again after some rounds of `refresh_s`."""

    def __init__(self, refresh_s: float, metrics: Metrics, read_limit_s: float, compile_parsing: Compile) -> None:
        self.plans: dict[Key, Plan | None] = {}
        self.late: dict[Key, _Late] = {}
        self._compiling: dict[Key, asyncio.Lock] = {}  # one that takes long to read holds up no other
        self._refresh_s = refresh_s
        self._metrics = metrics
        self._read_limit_s = read_limit_s
        self._compile_parsing = compile_parsing

    def keep(self, used: Set[Key | None]) -> None:
        """Forget all others."""
        self.plans = {key: plan for key, plan in self.plans.items() if key in used}
        self.late = {key: late for key, late in self.late.items() if key in used}

    def is_due(self, parsing: Parsing) -> bool:
        """Whether a parsing is to be compiled in this round of asking."""
        key = parsing.name, parsing.version
        late = self.late.get(key)
        if key in self.plans or late is None:
            return key not in self.plans and key not in self._compiling
        self.late[key] = late._replace(left=late.left - 1)
        return late.left <= 1 and key not in self._compiling

    async def compile(self, parsing: Parsing, tenant: str) -> None:
        """Make the plan, or None for a parsing that cannot be used: said once, not at each refresh.

        In the turn of `tenant`. Raises TransportError where nothing can be read now.
        """
        key = parsing.name, parsing.version
        late = self.late.get(key)
        try:
            async with self._compiling.setdefault(key, asyncio.Lock()):
                # devices that share a parsing come together, after a start
                if key in self.plans or self.late.get(key) is not late:
                    return
                try:
                    self.plans[key] = await self._compile_parsing(parsing, self._read_limit_s, tenant)
                    self.late.pop(key, None)
                except ReadingLate as e:
                    self._put_off(key, e)
                except BadParsing as e:
                    self.plans[key] = None
                    self.late.pop(key, None)
                    self._metrics.count("parsing_unusable_total")
                    log.error("parsing cannot be used", parsing=parsing.name, version=parsing.version, error=str(e))
                except TransportError:
                    raise
                except Exception as e:  # one parsing's defect, or ours: its devices are kept raw, the others go on
                    self._put_off(key, ReadingLate(f"{type(e).__name__}: {e}"))
                    log.error("parsing failed", parsing=parsing.name, version=parsing.version, exc_info=e)
        finally:
            self._compiling.pop(key, None)

    def _put_off(self, key: Key, error: ReadingLate) -> None:
        """Read it again later: each time after twice as long, as it may take all its time again."""
        rounds = 1
        if key in self.late:
            rounds = min(2 * self.late[key].rounds, max(1, int(_LATE_S_MAX / self._refresh_s)))
        self.late[key] = _Late(rounds, rounds)
        self._metrics.count("parsing_late_total")
        again_s = rounds * self._refresh_s
        log.error("parsing not read in time", parsing=key[0], version=key[1], error=str(error), again_s=again_s)
