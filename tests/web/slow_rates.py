"""Rates whose time hardly goes on: what a slow machine takes gives nobody a share back."""

from __future__ import annotations

from collections.abc import Hashable

from duco_rt.web.access.rates import Rates

SLOWER = 1000


class SlowRates(Rates):
    """As `Rates`, in place of it where a test asks until there is no more."""

    def wait_s(self, key: Hashable, now_s: float) -> float:
        """As long as if time went on as ever."""
        return super().wait_s(key, now_s / SLOWER)

    def is_rested(self, key: Hashable, now_s: float) -> bool:
        """Hardly ever."""
        return super().is_rested(key, now_s / SLOWER)

    def _take(self, key: Hashable, now_s: float, cost: float) -> None:
        super()._take(key, now_s / SLOWER, cost)
