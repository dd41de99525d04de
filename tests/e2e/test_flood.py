"""One tenant floods a studio with all that it can: the other one's viewers go on, loosely bounded."""

from __future__ import annotations

import pytest

from tests.bench.flood import run

P99_MS_MAX = 500.0
"""A second's sample is late, and seen as late, from here on; the bench prints what it is."""


@pytest.mark.long
@pytest.mark.timeout(300)
async def test_a_flood_hurts_nobody_else() -> None:
    """Every sample comes, in time; the one who floods is refused, and the server's own lag stays small."""
    result = await run(rounds=2, seconds=8.0, connections=1000)
    assert [phase.missing for phase in (*result.quiet, *result.flooded)] == [0] * 4
    quiet_ms = max(phase.p99_ms for phase in result.quiet)
    assert min(phase.p99_ms for phase in result.flooded) < max(P99_MS_MAX, 3 * quiet_ms)
    assert result.got["101"] >= 1000 and result.got["429"] > 0 and result.got["messages"] > 10_000
