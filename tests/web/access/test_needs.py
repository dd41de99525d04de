"""The table of what routes need has all of them, and nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from duco_rt.config import Web
from duco_rt.rights import TENANT_ROLES
from duco_rt.web.access.door import path_of
from duco_rt.web.access.needs import NEEDS, need_of
from tests.web.conftest import Site

CHANGES = {"POST", "PUT", "DELETE"}

QUIET = {"/api/metaapi/credentials", "/api/metaapi/credentials/{id}", "/api/metaapi/commands"}
QUIET |= {"/api/metaapi/devices/{chassisId}/commands", "/api/metaapi/devices/{chassisId}/acknowledged"}
"""Routes that change something and are not in the audit log: the other processes' notes of what is in theirs."""


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    """With everything that a process can have."""
    async with Site(tmp_path, Web(port=0)).running() as running:
        yield running


async def test_every_route_has_a_need_and_every_need_a_route(site: Site) -> None:
    """Both ways."""
    served = {(route.method, path_of(route)) for route in site.server.routes() if route.method != "HEAD"}
    assert served == set(NEEDS)


def test_what_changes_something_is_in_the_audit_log() -> None:
    """And needs more than to watch."""
    for (method, path), need in NEEDS.items():
        if method in CHANGES and path not in QUIET:
            assert need.event, (method, path)
        if method in CHANGES and need.scope != "open":
            assert need.role in ("operator", "admin", "service"), (method, path)
        assert need.role in TENANT_ROLES or need.scope == "all", (method, path)


def test_only_what_holds_no_data_is_open() -> None:
    """The list is short, and known."""
    opened = {path for (_, path), need in NEEDS.items() if need.scope == "open"}
    sign_in = {"/sign-in", "/sign-in/oidc", "/sign-in/oidc/back", "/sign-out"}
    assert opened == {"/healthz", "/readyz", "/api/openapi.json", "page"} | sign_in


def test_head_is_get() -> None:
    """Whatever else is asked for is not there."""
    assert need_of("HEAD", "/metrics") == need_of("GET", "/metrics") is not None
    assert need_of("PUT", "/metrics") is None and need_of("GET", "/nowhere") is None
