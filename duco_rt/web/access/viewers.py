"""How many live viewers there may be, and how much they may say. Looked at when one comes, and for what it says; never
for what it gets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from aiohttp import web

from duco_rt.config import Web
from duco_rt.rights import Identity
from duco_rt.seeing.metrics import Metrics
from duco_rt.web.access.admission import user_of
from duco_rt.web.access.rates import BURST_S, Rates
from duco_rt.web.params import refusal

_RETRY_S = 5.0
_BYTES_EACH = 4_096


class Due(NamedTuple):
    """A message that was said: act on it so much later, and `tell`: say that this is for its being one too many."""

    wait_s: float
    tell: bool


class Viewers:
    """The live viewers of a process, of each of its users, and of each tenant whose machines are watched."""

    def __init__(self, config: Web, metrics: Metrics) -> None:
        self._config = config
        self._metrics = metrics
        self._count = 0
        self._of_user: Counter[Hashable] = Counter()
        self._of_tenant: Counter[str] = Counter()
        keys = 2 * config.viewers_max
        self.of_connections = Rates(config.messages_per_s_max, BURST_S, keys)
        self.of_users = Rates(config.messages_user_per_s_max, BURST_S, keys)

    def refusal(self, identity: Identity | None, tenant: str) -> web.Response | None:
        """The answer to one viewer too many; None where there is room."""
        most, user = self._config.viewers_max, user_of(identity)
        if self._count >= most:
            self._metrics.count("web_refused_total", why="viewers")
            return refusal(503, "too_many_viewers", f"this server has its {most} live viewers", _RETRY_S)
        most = self._config.viewers_user_max
        if user is not None and self._of_user[user] >= most:
            self._metrics.count("web_refused_total", why="viewers_user")
            return refusal(429, "too_many_viewers", f"one user has at most {most} live viewers", _RETRY_S)
        most = self._config.viewers_tenant_max
        if user is not None and self._of_tenant[tenant] >= most:
            self._metrics.count("web_refused_total", why="viewers_tenant")
            return refusal(429, "too_many_viewers", f"one tenant has at most {most} live viewers", _RETRY_S)
        return None

    @contextmanager
    def visit(self, identity: Identity | None, tenant: str) -> Iterator[Pace]:
        """One viewer more, as long as the block."""
        pace = Pace(self, user_of(identity))
        self._count += 1
        self._of_user[pace.user] += 1
        self._of_tenant[tenant] += 1
        try:
            yield pace
        finally:
            self._count -= 1
            self._of_user[pace.user] -= 1
            if not self._of_user[pace.user]:
                del self._of_user[pace.user]
            self._of_tenant[tenant] -= 1
            if not self._of_tenant[tenant]:
                del self._of_tenant[tenant]
            self.of_connections.forget(pace)

    def late(self) -> None:
        """A message has to wait."""
        self._metrics.count("live_late_messages_total")


class Pace:
    """How fast one viewer may say things; large messages count as several."""

    __slots__ = ("_is_told", "_viewers", "user")

    def __init__(self, viewers: Viewers, user: Hashable) -> None:
        self._viewers = viewers
        self.user = user
        self._is_told = False

    def due(self, size: int, now_s: float) -> Due:
        """When to act on a message of so many characters or bytes."""
        cost, rates = 1 + size / _BYTES_EACH, self._viewers.of_connections
        wait_s = rates.take(self, now_s, cost)
        if self.user is not None:
            wait_s = max(wait_s, self._viewers.of_users.take(self.user, now_s, cost))
        if not wait_s:
            self._is_told = self._is_told and not self._is_rested(now_s)
            return Due(0.0, tell=False)
        self._viewers.late()
        tell, self._is_told = not self._is_told, True
        return Due(wait_s, tell)

    def _is_rested(self, now_s: float) -> bool:
        rests = self._viewers.of_connections.is_rested(self, now_s)
        return rests and (self.user is None or self._viewers.of_users.is_rested(self.user, now_s))
