"""Requests in the metrics."""

from __future__ import annotations

import asyncio

import pytest

from tests.web.conftest import BASE, Site


async def test_requests_count_by_area_and_status(site: Site) -> None:
    """Whatever the path, the labels are few."""
    for path in (BASE, f"{BASE}/NOBODY/fields", "/healthz", "/api/metaapi/devices", "/api/no/such", "/nothing-here"):
        async with site.session.get(path) as response:
            await response.read()
    counted = {
        (area, status): site.metrics.value("web_requests_total", area=area, status=status)
        for area, status in (
            ("studio", "2xx"),
            ("studio", "4xx"),
            ("health", "2xx"),
            ("metaapi", "2xx"),
        )
    }
    assert set(counted.values()) == {1}
    assert site.metrics.total("web_requests_total") == 6
    assert site.metrics.value("web_requests_total", area="other", status="4xx") >= 1
    assert site.metrics.value("web_request_seconds", area="studio") == 2


async def test_a_websocket_counts_when_it_ends(site: Site) -> None:
    """How long a viewer stayed is no answer's time."""
    async with site.session.ws_connect(f"{BASE}/DUCO_001/live?msgType=vehicle_can") as socket:
        assert site.metrics.total("web_requests_total") == 0
        await socket.close()
    async with asyncio.timeout(20):
        while not site.metrics.value("web_requests_total", area="studio", status="1xx"):
            await asyncio.sleep(0.01)
    assert site.metrics.value("web_request_seconds", area="studio") == 0


async def test_an_error_that_nobody_thought_of_counts(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the 500 that it becomes."""

    async def broken(tenant: str | None = None) -> None:
        raise RuntimeError("boom")

    monkeypatch.setattr(site.meta, "devices", broken)
    async with site.session.get("/api/metaapi/devices") as response:
        assert response.status == 500
    assert site.metrics.value("web_requests_total", area="metaapi", status="5xx") == 1
