"""Every limit of docs/limits.md: the table is whole and right, and who crosses one gets the answer that it promises."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import AsyncExitStack
from ipaddress import ip_network
from pathlib import Path

import aiohttp
import pytest

from duco_rt.config import Config, MetaStore, Web
from duco_rt.web.access import admission, places, viewers
from tests.web.conftest import Site
from tests.web.crossing import CROSSED
from tests.web.slow_rates import SlowRates

REPO = Path(__file__).resolve().parent.parent.parent
ROW = re.compile(r"\| (?P<what>.+?) \| `(?P<key>[a-z]+\.[a-z_]+)` \| (?P<default>\S+) \| (?P<answer>.+) \|")
LIMIT = re.compile(r"(_max|_max_s|_timeout_s|_limit_s|_limit_gb|_stall_s)$")

ELSEWHERE = {
    "app.drain_timeout_s": "tests/test_runtime.py",
    "device.key_bus_timeout_s": "tests/e2e/test_replay.py",
    "device.open_frames_max": "tests/device/test_uploads.py",
    "device.realtime_timeout_s": "tests/device/test_app.py",
    "device.spool_mb_max": "tests/device/test_spool.py",
    "hub.method_timeout_s": "tests/contracts/test_hub.py",
    "hub.queue_messages_max": "tests/transports/test_hub_memory.py",
    "hub.send_timeout_s": "tests/transports/hub_mqtt/test_connection.py",
    "live.queue_messages_max": "tests/transports/test_live_queue.py",
    "log.batch_age_max_s": "tests/contracts/test_log.py",
    "log.batch_messages_max": "tests/contracts/test_log.py",
    "log.queue_messages_max": "tests/transports/test_log_memory.py",
    "meta.devices_tenant_max": "tests/transports/test_meta_sqlite_devices.py",
    "meta.parsings_tenant_max": "tests/transports/test_meta_sqlite_devices.py",
    "meta.read_limit_s": "tests/pipeline/decoding/test_compiling.py",
    "store.parsed_limit_gb": "tests/contracts/test_store.py",
    "store.raw_limit_gb": "tests/contracts/test_store.py",
    "web.recent_mb_max": "tests/web/live/test_recent.py",
    "web.viewer_queue_bytes_max": "tests/web/live/test_service.py",
    "web.viewer_queue_messages_max": "tests/web/live/test_stream.py",
    "web.viewer_stall_s": "tests/web/live/test_service.py",
}
"""Limits that have nothing to do with a request, or are crossed beside what they belong to; and where."""


def documented() -> dict[str, tuple[str, str]]:
    """Key → default and answer, as docs/limits.md has them."""
    text = (REPO / "docs" / "limits.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("|")][2:]
    found = [ROW.fullmatch(row) for row in rows]
    assert None not in found, [row for row, match in zip(rows, found, strict=True) if match is None]
    return {match["key"]: (match["default"], match["answer"]) for match in found if match is not None}


def limits() -> Iterator[tuple[str, float]]:
    """All keys that limit something, and their defaults."""
    config = Config()
    for name in config.__struct_fields__:
        section = getattr(config, name)
        yield from ((f"{name}.{key}", getattr(section, key)) for key in section.__struct_fields__ if LIMIT.search(key))


def test_the_table_is_whole() -> None:
    """Every limit of the configuration is in it, with its default, and nothing else is."""
    assert {key: default for key, (default, _) in documented().items()} == {
        key: f"{default:.12g}" for key, default in limits()
    }


def test_every_limit_is_crossed() -> None:
    """Here, or in a file that is there."""
    assert set(CROSSED) | set(ELSEWHERE) == set(dict(limits())) and not set(CROSSED) & set(ELSEWHERE)
    assert [path for path in ELSEWHERE.values() if not (REPO / path).is_file()] == []


@pytest.mark.servers
@pytest.mark.parametrize("key", CROSSED)
async def test_crossed(key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answered as documented, and the server goes on."""
    monkeypatch.setattr(admission, "HOLD_S", 0.0)
    for module in (admission, viewers):  # a slow machine gets no share back while it crosses one
        monkeypatch.setattr(module, "Rates", SlowRates)
    monkeypatch.setattr(places, "HERE", (ip_network("127.0.0.1/32"),))  # 127.0.0.2 is another machine
    limits_, cross, expected = CROSSED[key]
    site = Site(tmp_path, Web(port=0, **limits_))  # type: ignore[arg-type]  # a table's values
    site.meta_config = MetaStore(parsing_bytes_max=5000)
    async with site.running():
        async with AsyncExitStack() as stack:
            assert await cross(site, stack) == expected
        answer = documented()[key][1]
        words = [str(expected[0])] * bool(expected[0]) + [f"`{expected[1]}`"] * bool(expected[1])
        assert not [word for word in words if word not in answer], answer
        async with aiohttp.ClientSession(site.url) as other, other.get("/healthz") as response:
            assert response.status == 200 and json.loads(await response.text())
