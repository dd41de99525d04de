"""Who is let in by which process: what depends on its roles."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest
from aiohttp.test_utils import make_mocked_request

from duco_rt.adapters import Transports
from duco_rt.app_access import Access, build_access, tenant_of
from duco_rt.clock import SystemClock
from duco_rt.config import App, Config, Role, Web
from duco_rt.errors import ConfigError, NotFound, Unauthorized
from duco_rt.model import Device
from duco_rt.seeing.metrics import Metrics
from duco_rt.transports.meta_sqlite import SqliteMeta

KEY, MONITOR = "k" * 43, "m" * 32
WEB = Web(auth="tokens", monitor_token=MONITOR)


class Kept:
    """What a process has open."""

    def __init__(self, meta: SqliteMeta | None) -> None:
        if meta is not None:
            self.meta = meta


def built(roles: tuple[Role, ...], meta: SqliteMeta | None, web: Web = WEB) -> Access:
    """For a process of these roles."""
    kept = cast(Transports, Kept(meta))
    return build_access(Config(app=App(roles=roles), web=web), kept, KEY, None, SystemClock(), Metrics())


async def test_a_process_without_metaapi_knows_two_keys(tmp_path: Path) -> None:
    """The local one and the monitor's; a token is not looked up anywhere."""
    access = built(("device",), None)
    for bearer, kind in ((KEY, "local"), (MONITOR, "monitor")):
        found = await access.authentication.of_bearer(bearer)
        assert found.kind == kind
    with pytest.raises(Unauthorized):
        await access.authentication.of_bearer("duco_0123456789abcdef_" + "x" * 43)
    assert await access.authentication.identify(make_mocked_request("GET", "/")) is None
    assert access.routes == []


def test_each_role_has_its_routes(tmp_path: Path) -> None:
    """One signs in at a studio; tokens are MetaAPI's."""
    meta = SqliteMeta(tmp_path / "meta.sqlite")
    studio = {route.path for route in built(("studio",), meta).routes}
    metaapi = {route.path for route in built(("metaapi",), meta).routes}
    assert "/sign-in" in studio and "/api/session" in studio and not any("metaapi" in path for path in studio)
    assert "/api/metaapi/tokens" in metaapi and "/sign-in" not in metaapi
    assert built(("ingest",), meta).routes == []


def test_an_issuer_that_is_not_safe(tmp_path: Path) -> None:
    """Is refused at the start."""
    web = Web(auth="oidc", oidc_issuer="http://login.example.com", oidc_client_id="duco")
    with pytest.raises(ConfigError, match=r"web\.oidc_issuer"):
        built(("studio",), SqliteMeta(tmp_path / "meta.sqlite"), web)


async def test_a_machines_tenant(tmp_path: Path) -> None:
    """As MetaAPI has it."""
    meta = SqliteMeta(tmp_path / "meta.sqlite")
    await meta.open()
    try:
        await meta.put_device(Device("D1", "duco", ""))
        ask = tenant_of(meta)
        assert await ask("D1") == "duco"
        with pytest.raises(NotFound):
            await ask("D2")
    finally:
        await meta.close()
