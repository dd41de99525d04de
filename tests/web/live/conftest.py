"""What several tests of the live service stand on."""

from __future__ import annotations

import pytest

from duco_rt.model import Peer
from duco_rt.web.live import means
from duco_rt.web.live.means import Work


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A parsing is waited for, however long a slow machine takes to begin the process that reads it."""
    monkeypatch.setattr(means, "_PARSING_S", 15.0)


@pytest.fixture
def unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Viewers are let in to whatever they name, as while MetaAPI is away: what they get there is another matter."""

    async def is_unknown(_: Work, __: Peer) -> bool:
        return False

    monkeypatch.setattr(Work, "is_unknown", is_unknown)
