"""Which event loops the tests of this folder run on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

import pytest

ON_BOTH = ("test_accepting.py", "test_slow_clients.py", "test_unsent.py")
"""What they test is a matter of transports, and the program's own are uvloop's where that is there."""


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Name → what makes a loop."""
    factories: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {"asyncio": asyncio.new_event_loop}
    if item.path.name in ON_BOTH:
        factories["uvloop"] = pytest.importorskip("uvloop").new_event_loop
    return factories
