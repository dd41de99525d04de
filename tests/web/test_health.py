"""What every process says of itself."""

from __future__ import annotations

import re

from duco_rt.errors import TransportError
from tests.web.conftest import Site


async def test_alive(site: Site) -> None:
    """Whatever its transports do."""

    async def away() -> None:
        raise TransportError("redis://x: refused")

    site.checks["live"] = away
    assert await site.ask("GET", "/healthz") == (200, {"status": "ok"})


async def test_ready(site: Site) -> None:
    """200 where all transports work, 503 with each one's state where one does not."""
    works = True

    async def check() -> None:
        if not works:
            raise TransportError("redis://x: refused")

    async def meta() -> None:
        await site.meta.devices("-")

    site.checks.update({"live": check, "meta": meta})
    assert await site.ask("GET", "/readyz") == (200, {"status": "ready", "transports": {"live": "ok", "meta": "ok"}})
    works = False
    status, body = await site.ask("GET", "/readyz")
    assert (status, body["transports"]) == (503, {"live": "redis://x: refused", "meta": "ok"})
    await site.meta.close()
    assert (await site.ask("GET", "/readyz"))[1]["transports"]["meta"] != "ok"


async def test_metrics_tell_which_transport_works(site: Site) -> None:
    """As `/readyz` does, for whoever reads metrics alone."""

    async def away() -> None:
        raise TransportError("gone")

    async def there() -> None:
        pass

    site.checks |= {"log": away, "hub": there}
    async with site.session.get("/metrics") as response:
        lines = (await response.text()).splitlines()
    assert 'duco_transport_up{transport="log"} 0' in lines
    assert 'duco_transport_up{transport="hub"} 1' in lines


async def test_metrics(site: Site) -> None:
    """Prometheus text: each line a type or a value."""
    site.metrics.count("things_total", 3, kind='a"b\\c\nd')
    async with site.session.get("/metrics") as response:
        assert response.status == 200
        assert response.content_type == "text/plain"
        lines = (await response.text()).splitlines()
    assert 'duco_things_total{kind="a\\"b\\\\c\\nd"} 3' in lines
    assert "# TYPE duco_things_total counter" in lines
    assert "duco_live_viewers 0" in lines
    shape = r"# TYPE duco_\w+ (counter|gauge)|duco_\w+(\{(\w+=\"([^\"\\]|\\.)*\",?)+\})? [0-9.e+-]+"
    assert [line for line in lines if not re.fullmatch(shape, line)] == []
