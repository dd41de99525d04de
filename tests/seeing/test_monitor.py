"""What a process says of itself."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import pytest

from duco_rt.clock import SystemClock
from duco_rt.errors import TransportError
from duco_rt.seeing.metrics import Metrics
from duco_rt.seeing.monitor import Monitor, check_folder
from tests.web.conftest import SetClock


async def test_what_the_process_takes() -> None:
    """Read anew by `look`, in the units of its names."""
    metrics = Metrics()
    monitor = Monitor(metrics, SystemClock())
    held = [os.open(os.devnull, os.O_RDONLY) for _ in range(20)]
    before = metrics.value("process_open_fds")
    await monitor.look()
    for each in held:
        os.close(each)
    assert metrics.value("process_open_fds") >= before + 20
    assert 1e7 < metrics.value("process_resident_memory_bytes") < 1e11
    assert metrics.value("process_cpu_seconds_total") > 0
    assert 0 <= time.time() - metrics.value("process_start_time_seconds") < 86_400
    assert "duco_build_info{" in metrics.text()
    assert metrics.text().count("\nprocess_cpu_seconds_total ") == 1


async def test_a_loop_that_was_held_up_is_told() -> None:
    """For 15 s, with how long; short delays are only counted."""
    metrics, clock = Metrics(), SetClock()
    monitor = Monitor(metrics, clock)
    monitor.note(0.5, clock.steady_s())
    await monitor.check_loop()
    monitor.note(4.2, clock.steady_s())
    clock.now_s += 14
    with pytest.raises(TransportError, match=r"held up for 4\.2 s, 14 s ago"):
        await monitor.check_loop()
    clock.now_s += 1
    await monitor.check_loop()
    assert metrics.value("loop_lag_seconds") == 2
    assert metrics.value("loop_lag_seconds_high") == 4.2


async def test_run_looks_at_loop_and_queues() -> None:
    """Who holds up the loop is seen, and a queue nobody tells of, too."""
    metrics, depth = Metrics(), [0.0]
    metrics.depth("log_raw_depth", lambda: depth[0])
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(Monitor(metrics, SystemClock()).run())
        depth[0] = 3
        while not metrics.value("loop_lag_seconds"):
            await asyncio.sleep(0.01)
        depth[0] = 0
        time.sleep(0.3)  # noqa: ASYNC251  # that is what is looked for
        while metrics.value("loop_lag_seconds") < 2:
            await asyncio.sleep(0.01)
        running.cancel()
    assert metrics.value("log_raw_depth_high") == 3
    assert metrics.value("loop_lag_seconds_high") > 0.15


async def test_a_folder_that_takes_nothing_is_told(tmp_path: Path) -> None:
    """The name of the key is in the words; nothing is left in the folder."""
    await check_folder(tmp_path)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(TransportError, match=r"app\.data_dir = .*gone"):
        await check_folder(tmp_path / "gone")
    (tmp_path / "file").touch()
    with pytest.raises(TransportError, match=r"app\.data_dir = .*file.*cannot be written: Not a directory"):
        await check_folder(tmp_path / "file")
    metrics = Metrics()
    monitor = Monitor(metrics, SystemClock())
    monitor.watch_folder(tmp_path)
    await monitor.checks["data directory"]()
    assert metrics.value("data_dir_free_bytes") > 0
