"""How old MetaAPI's answers are that are given in place of new ones. No I/O; time is passed in."""

from __future__ import annotations

from typing import NamedTuple

import structlog

from duco_rt.errors import TransportError
from duco_rt.seeing.metrics import Metrics

log = structlog.get_logger()

_SAID_S = 60.0
_ASKED_S = 60.0
"""What was not asked for as long, nobody needs."""


class _Old(NamedTuple):
    """When it was asked last in vain, and why."""

    asked_s: float
    why: str


class Ages:
    """By path. One that is older than `stale_s` and is still asked for is a failure; what nobody asks for is none."""

    def __init__(self, metrics: Metrics, stale_s: float) -> None:
        self._metrics = metrics
        self._stale_s = stale_s
        self._answered_s: dict[str, float] = {}
        self._old: dict[str, _Old] = {}
        self._said_s = float("-inf")

    def answer(self, path: str, now_s: float) -> None:
        """MetaAPI answered."""
        self._answered_s[path] = now_s
        self._old.pop(path, None)

    def forget(self, path: str) -> None:
        """The answer is held no more."""
        self._answered_s.pop(path, None)
        self._old.pop(path, None)

    def fail(self, path: str, why: str, now_s: float) -> None:
        """It did not, and the old answer is given. What is too old is counted, and logged once a minute."""
        self._old[path] = _Old(now_s, why)
        age_s = now_s - self._answered_s.get(path, now_s)
        if age_s <= self._stale_s:
            return
        self._metrics.count("meta_stale_total")
        if now_s - self._said_s >= _SAID_S:
            self._said_s = now_s
            log.error("MetaAPI gives no new answer", path=path, age_s=round(age_s), error=why)

    def check(self, now_s: float) -> None:
        """Raises TransportError naming the oldest answer where one is too old."""
        asked_s = max(self._stale_s, _ASKED_S)
        self._old = {path: old for path, old in self._old.items() if now_s - old.asked_s <= asked_s}
        if self._old:
            path = min(self._old, key=lambda path: self._answered_s.get(path, now_s))
            age_s = now_s - self._answered_s.get(path, now_s)
            if age_s > self._stale_s:
                raise TransportError(f"last answer to GET {path} is {age_s:.0f} s old: {self._old[path].why}")
