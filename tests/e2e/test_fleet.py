"""Several machines and viewers in one process: a short run of the benchmark, without limits of time."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.fleet import run


@pytest.mark.timeout(120)
async def test_every_viewer_gets_every_sample_once(tmp_path: Path) -> None:
    """20 machines, 5 viewers each: a message a second for everyone, no hole and no double by seq."""
    result = await run(tmp_path / "data", seconds=16, devices=20, viewers=5)
    assert len(result.viewers) == 100
    assert [viewer.holes for viewer in result.viewers] == [0] * 100
    assert [viewer.doubles for viewer in result.viewers] == [0] * 100
    assert min(len(viewer.seqs) for viewer in result.viewers) >= 9


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_five_minutes_without_growth(tmp_path: Path) -> None:
    """The same for 5 minutes: nothing missed, and memory after the first minute stays within a quarter."""
    result = await run(tmp_path / "data", seconds=300, devices=20, viewers=5)
    assert sum(viewer.holes + viewer.doubles for viewer in result.viewers) == 0
    settled = result.memory_mb[2:]
    assert max(settled) < 1.25 * settled[0]
