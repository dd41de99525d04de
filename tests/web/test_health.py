"""What every process says of itself."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from duco_rt.clock import SystemClock
from duco_rt.config import Web
from duco_rt.errors import TransportError
from duco_rt.rights import EVERY, Role
from duco_rt.seeing.monitor import Monitor
from duco_rt.web.health import Health
from tests.web.conftest import Site

LABEL = r'\w+="(?:[^"\\\n]|\\["\\n])*"'
VALUE = rf"(?:duco|process)_\w+(?:\{{{LABEL}(?:,{LABEL})*\}})? (?:[0-9.e+-]+|\+Inf)"
COMMENT = r"# (?:HELP|TYPE) (?:duco|process)_\w+ .+"


async def away() -> None:
    """A transport that does not work."""
    raise TransportError("redis://anna:secret@x: refused")


async def there() -> None:
    """One that does."""


async def test_alive(site: Site) -> None:
    """Whatever its transports do."""
    site.checks["live"] = away
    assert await site.ask("GET", "/healthz") == (200, {"status": "ok"})


async def test_ready(site: Site) -> None:
    """200 where all parts work, 503 with each one's state where one does not."""
    works = True

    async def check() -> None:
        if not works:
            raise TransportError("redis://x: refused")

    async def meta() -> None:
        await site.meta.devices("-")

    site.checks.update({"live": check, "meta": meta})
    assert await site.ask("GET", "/readyz") == (
        200,
        {"status": "ready", "transports": {"live": "ok", "meta": "ok"}, "components": {"event loop": "ok"}},
    )
    works = False
    status, body = await site.ask("GET", "/readyz")
    assert (status, body["status"]) == (503, "not ready")
    assert body["transports"] == {"live": "redis://x: refused", "meta": "ok"}
    await site.meta.close()
    assert (await site.ask("GET", "/readyz"))[1]["transports"]["meta"] != "ok"


async def test_a_check_that_breaks_is_one_that_fails(site: Site) -> None:
    """With the kind of its error, and no secret of an address; the others are told all the same."""

    async def broken() -> None:
        raise KeyError("partition")

    site.checks |= {"log": broken, "hub": there, "live": away}
    status, body = await site.ask("GET", "/readyz")
    assert (status, body["transports"]) == (
        503,
        {"log": "KeyError: 'partition'", "hub": "ok", "live": "redis://***@x: refused"},
    )


async def test_many_who_ask_at_once_share_an_answer(site: Site) -> None:
    """Each check is made twice at most: one that was begun before somebody asked may be too old for him."""
    asked, go_on = [], asyncio.Event()

    async def slow() -> None:
        asked.append(1)
        await go_on.wait()

    site.checks["store"] = slow
    health = site_health(site, {})
    async with asyncio.TaskGroup() as tasks:
        asking = [tasks.create_task(health._states()) for _ in range(20)]
        while not asked:
            await asyncio.sleep(0.01)
        go_on.set()
    assert all(task.result().are_good for task in asking)
    assert len(asked) <= 2
    await health._states()
    assert 2 <= len(asked) <= 3


@pytest.mark.servers
async def test_what_is_wrong_is_not_for_everybody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who may not read the metrics gets the states, and no words, and makes no work."""
    monkeypatch.setattr("duco_rt.web.health._STRANGERS_S", 60.0)
    async with Site(tmp_path, Web(port=0, auth="tokens")).running() as site:
        asked: list[int] = []

        async def counted() -> None:
            asked.append(1)

        site.checks |= {"live": away, "hub": counted}
        nobody = [
            {},
            {"Authorization": "Bearer duco_0"},
            await site.token("anna", duco="admin"),
            await site.session_of("admin"),
        ]
        for headers in nobody:
            status, body = await site.ask("GET", "/readyz", headers=headers)
            assert (status, body["transports"]) == (503, {"live": "failing", "hub": "ok"})
            assert (await site.ask("GET", "/metrics", headers=headers))[0] in (401, 403, 404)
        assert len(asked) == 1
        known: tuple[Role, ...] = ("monitor", "viewer", "service")
        for role in known:
            headers = await site.token(role, {EVERY: role})
            status, body = await site.ask("GET", "/readyz", headers=headers)
            assert (status, body["transports"]) == (503, {"live": "redis://***@x: refused", "hub": "ok"})
            async with site.session.get("/metrics", headers=headers) as response:
                assert response.status == 200


async def test_parts_of_the_process_are_told(site: Site) -> None:
    """What its supervisor says; of many machines those that fail by name, and the others as one."""
    states = {f"device D{n}": "ok" for n in range(1000)}
    states |= {"ingest": "ok", "device D7": "restarting in 2 s: OSError: no bus"}
    health = site_health(site, states)
    found = await health.metrics_text(None)  # type: ignore[arg-type]  # it does not look at who asks
    assert found.text is not None
    assert "duco_components_failing 1\n" in found.text
    assert "duco_ready 0\n" in found.text
    assert health._monitor.components()["device D7"] != "ok"
    shown = (await health._states()).components
    assert shown == {
        "event loop": "ok",
        "ingest": "ok",
        "device D7": "restarting in 2 s: OSError: no bus",
        "devices": "ok",
    }


def site_health(site: Site, states: dict[str, str]) -> Health:
    """One whose supervisor says so."""
    return Health(site.checks, site.metrics, Monitor(site.metrics, SystemClock(), lambda: states))


async def test_metrics_tell_which_transport_works(site: Site) -> None:
    """As `/readyz` does, for whoever reads metrics alone."""
    site.checks |= {"log": away, "hub": there}
    async with site.session.get("/metrics") as response:
        lines = (await response.text()).splitlines()
    assert 'duco_transport_up{transport="log"} 0' in lines
    assert 'duco_transport_up{transport="hub"} 1' in lines
    assert "duco_ready 0" in lines


async def test_metrics(site: Site) -> None:
    """Prometheus text: each line a help, a type or a value, and each name declared once, before its values."""
    site.metrics.count("things_total", 3, kind='a"b\\c\nd')
    async with site.session.get("/metrics") as response:
        assert response.status == 200
        assert response.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        lines = (await response.text()).splitlines()
    assert 'duco_things_total{kind="a\\"b\\\\c\\nd"} 3' in lines
    assert "# TYPE duco_things_total counter" in lines
    assert "duco_live_viewers 0" in lines
    assert [line for line in lines if not re.fullmatch(f"{COMMENT}|{VALUE}", line)] == []
    types = [line.split()[2] for line in lines if line.startswith("# TYPE")]
    assert len(types) == len(set(types))
    series = [line.rpartition(" ")[0] for line in lines if not line.startswith("#")]
    assert len(series) == len(set(series))
    declared = ""
    for line in lines:
        if line.startswith("#"):
            declared = line.split()[2]
        else:
            name = re.split(r"[{ ]", line)[0]
            assert name.removeprefix(declared) in ("", "_bucket", "_sum", "_count"), (declared, name)
