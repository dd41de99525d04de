"""Fixtures for every test, the order of tests, and how many examples hypothesis makes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.servers import server

pytest_plugins = ["tests.servers.kafka"]

REPO = Path(__file__).resolve().parent.parent

# No deadlines: a shared machine pauses when it likes.
for profile, examples in {"fast": 20, "long": 2_000}.items():
    settings.register_profile(
        profile, max_examples=examples, deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fast"))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Quick tests first, then those with servers, then those in the browser; a folder may give the mark."""
    for item in items:
        for folder, mark in (("browser", pytest.mark.browser), ("e2e", pytest.mark.servers)):
            if item.path.is_relative_to(REPO / "tests" / folder):
                item.add_marker(mark)
        if "site" in getattr(item, "fixturenames", ()):  # a web server of its own
            item.add_marker(pytest.mark.servers)
    items.sort(key=_slowness)


def _slowness(item: pytest.Item) -> int:
    for rank, mark in enumerate(("long", "browser", "servers")):
        if item.get_closest_marker(mark):
            return -rank
    return -3


@pytest.fixture
def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody holds at the moment."""
    return server.free_port()


@pytest.fixture(scope="session")
def recordings() -> Path:
    """The folder of recorded CAN logs beside the repository; without it the test skips, always."""
    folder = REPO.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("recordings not found: they belong in ../shared/data")
    return folder
