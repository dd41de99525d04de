"""Several machines and viewers in one process: a short run of the benchmark, without limits of time."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.fleet import run


@pytest.mark.timeout(120)
async def test_every_viewer_gets_every_sample_once(tmp_path: Path) -> None:
    """20 machines, 5 viewers each: a message a second for everyone, no hole and no double by seq."""
    result = await run(tmp_path / "data", seconds=12, devices=20, viewers=5)
    assert len(result.viewers) == 100
    assert [viewer.holes for viewer in result.viewers] == [0] * 100
    assert [viewer.doubles for viewer in result.viewers] == [0] * 100
    assert min(len(viewer.seqs) for viewer in result.viewers) >= 9
