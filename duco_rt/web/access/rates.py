"""How often somebody may do something: a token bucket for each key. Pure; time is passed in."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Hashable

BURST_S = 2.0
"""What was not used of so many seconds can be used at once."""

_KEYS_MAX = 20_000
_ROUNDING_S = 1e-9


class Rates:
    """`per_s` for each key, with a burst of `burst_s` seconds' worth, but of one at least.

    A key is a number: the time at which its bucket would be full again. Over `keys_max` the one that was not used for
    longest is forgotten, which gives it its burst again, and nothing more.
    """

    def __init__(
        self, per_s: float, burst_s: float = BURST_S, keys_max: int = _KEYS_MAX, debt_s: float = math.inf
    ) -> None:
        """`debt_s`: of what is taken in advance no more than this has to be waited for, or than one each."""
        self._each_s = 1 / per_s
        self._ahead_s = max(0.0, burst_s - self._each_s)
        self._most_s = self._ahead_s + max(debt_s, self._each_s)
        self._keys_max = keys_max
        self._full_s: OrderedDict[Hashable, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._full_s)

    def __contains__(self, key: Hashable) -> bool:
        return key in self._full_s

    def wait_s(self, key: Hashable, now_s: float) -> float:
        """How long until it may be done once more, 0 for now. Takes nothing."""
        late_s = self._full_s.get(key, now_s) - now_s - self._ahead_s
        return late_s if late_s > _ROUNDING_S else 0.0

    def allow(self, key: Hashable, now_s: float) -> float:
        """0, and it is taken; or how long until it may be done, and nothing is."""
        wait_s = self.wait_s(key, now_s)
        if not wait_s:
            self._take(key, now_s, 1.0)
        return wait_s

    def take(self, key: Hashable, now_s: float, cost: float = 1.0) -> float:
        """Take it now or in advance; gives how long whoever does it has to wait. Those who wait come in order."""
        wait_s = self.wait_s(key, now_s)
        self._take(key, now_s, cost)
        return wait_s

    def is_rested(self, key: Hashable, now_s: float) -> bool:
        """Whether half of the burst is there again."""
        return self._full_s.get(key, now_s) - now_s <= self._ahead_s / 2

    def forget(self, key: Hashable) -> None:
        """Its key is not used any more."""
        self._full_s.pop(key, None)

    def _take(self, key: Hashable, now_s: float, cost: float) -> None:
        full_s = max(self._full_s.get(key, now_s), now_s) + cost * self._each_s
        self._full_s[key] = min(full_s, now_s + self._most_s)
        self._full_s.move_to_end(key)
        if len(self._full_s) > self._keys_max:
            self._full_s.popitem(last=False)
