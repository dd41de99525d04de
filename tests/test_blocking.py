"""A Runtime with plain calls: its own thread, its own loop, a free port."""

from __future__ import annotations

import concurrent.futures
import threading
import time
import urllib.request
from pathlib import Path

import pytest

from duco_rt import Runtime, load_config
from duco_rt.blocking import Page
from duco_rt.config import Config
from duco_rt.errors import Conflict, NotFound
from duco_rt.model import Peer
from duco_rt.transports.live_memory import MemoryLive

pytestmark = pytest.mark.servers

PEER = Peer("duco", "DUCO_001", "vehicle_can")


def config_of(data_dir: Path, *more: str) -> Config:
    """All roles, the default port, one simulated machine."""
    return load_config(environ={}, overrides=[f"app.data_dir={data_dir}", "device.upload_interval_s=2", *more])


def test_start_use_stop_and_again(tmp_path: Path) -> None:
    """Twice in one process on one folder: what the first collected is in the second's history."""
    config = config_of(tmp_path / "data")
    with Runtime(config).start() as first:
        assert not first.url.endswith(":8080/")
        with urllib.request.urlopen(first.url + "healthz", timeout=20) as answer:
            assert answer.status == 200
        rows = first.collect("DUCO_001", "vehicle_can", fields=["speed"], seconds=6.2)
        assert [row["seq"] for row in rows] == list(dict.fromkeys(row["seq"] for row in rows))
        assert len(rows) >= 2
        assert all(set(row) <= {"ts", "seq", "speed"} for row in rows)
        page = first.show("DUCO_001", 300)
        assert isinstance(page, Page)
        assert page.url == f"{first.url}#/duco/DUCO_001"
        assert 'height="300"' in page._repr_html_()
        with pytest.raises(NotFound):
            first.show("D9")
    first.stop()
    first.stop()
    with pytest.raises(RuntimeError, match="stopped"):
        first.start_realtime("DUCO_001")
    second = Runtime(config).start()
    assert second.start_realtime("DUCO_001").status == 200
    stored = second.history("DUCO_001", fields=["speed"])["seq"].to_pylist()
    assert {row["seq"] for row in rows} <= set(stored)
    assert stored == list(range(stored[0], stored[-1] + 1)), "a second is missing: the stop did not drain"
    second.stop()
    assert not [t for t in threading.enumerate() if t.name == "duco_rt"]


def test_a_call_that_waits_when_it_stops(tmp_path: Path) -> None:
    """It ends with what it has, instead of waiting for ever."""
    running = Runtime(config_of(tmp_path / "data", "app.roles=['studio']", "app.drain_timeout_s=0.2")).start()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(running.collect, "DUCO_001", seconds=600)
        live = running._runtime._transports.live
        assert isinstance(live, MemoryLive)
        until_s = time.monotonic() + 20
        while not live._queues.of(PEER.channel) and time.monotonic() < until_s:  # it waits for samples from then on
            time.sleep(0.01)
        running.stop()
        assert waiting.result(timeout=20) == []


def test_what_goes_wrong_at_the_start_is_raised(tmp_path: Path) -> None:
    """By the call that started it; nothing is left running or held."""
    config = config_of(tmp_path / "data", "app.roles=['device']", "app.drain_timeout_s=0.2")
    with Runtime(config).start(), pytest.raises(Conflict):
        Runtime(config).start()
    Runtime(config).start().stop()
    assert not [t for t in threading.enumerate() if t.name == "duco_rt"]


def test_a_page_is_safe_to_show() -> None:
    """Whatever its address holds."""
    page = Page('x/?"<script>', 10)
    assert "<script>" not in page._repr_html_()
    assert repr(page) == 'Page(x/?"<script>)'
